#include "honryu/sqlapp/tables.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace honryu::sqlapp {
namespace {

class TablesTest : public ::testing::Test {
 protected:
  TablesTest() { table_.path = ::testing::TempDir() + "honryu_tables_test_" + std::to_string(::getpid()); }
  ~TablesTest() override { std::remove(table_.path.c_str()); }
  Result<std::vector<std::vector<sql::Value>>> Load(const std::string& format, const std::string& text) {
    std::ofstream(table_.path, std::ios::binary) << text;
    table_.format = format;
    return LoadTable(table_, columns_);
  }
  Table table_;
  const sql::Columns columns_ = {{"USER_ID", sql::VarcharType()}, {"AGE", sql::IntegerType()}};
};

TEST_F(TablesTest, CsvJsonAndLinesGiveTheSameRows) {
  for (const auto& [format, text] :
       {std::pair("csv", "age,user_id,more\r\n7,\"a,\"\"b\"\"\nc\",x\r\n,d\n\n"),
        std::pair("json", R"([{"user_id":"a,\"b\"\nc","age":7},{"User_Id":"d","age":null}])"),
        std::pair("ndjson", "{\"USER_ID\":\"a,\\\"b\\\"\\nc\",\"age\":\"7\"}\n\n{\"user_id\":\"d\"}")}) {
    const auto rows = Load(format, text);
    ASSERT_TRUE(rows.ok()) << format << ": " << rows.error().message();
    ASSERT_EQ(rows->size(), 2u) << format;
    EXPECT_EQ((*rows)[0][0].text(), "a,\"b\"\nc") << format;
    EXPECT_EQ((*rows)[0][1].as_int(), 7) << format;
    EXPECT_EQ((*rows)[1][0].text(), "d") << format;
    EXPECT_TRUE((*rows)[1][1].is_null()) << format;
  }
}

TEST_F(TablesTest, FaultsSayWhere) {
  EXPECT_NE(Load("csv", "user_id,age\na,1\nb,old\n").error().message().find("line 3, column 'AGE'"),
            std::string::npos);
  EXPECT_NE(Load("csv", "x,y\n1,2\n").error().message().find("does not name the column"), std::string::npos);
  EXPECT_NE(Load("csv", "user_id,ag\na,1\n").error().message().find("the column 'AGE'"), std::string::npos);
  EXPECT_NE(Load("json", "{}").error().message().find("array"), std::string::npos);
  EXPECT_NE(Load("ndjson", "{}\n[1]").error().message().find("row 2"), std::string::npos);
  EXPECT_NE(Load("csv", "user_id,age\na,1\n\"b,2\nc,3\n").error().message().find("line 3 has a quote"),
            std::string::npos);
  std::remove(table_.path.c_str());
  EXPECT_EQ(LoadTable(table_, columns_).error().code(), ErrorCode::kIo);
  EXPECT_TRUE(TableStamp(table_).empty());
  table_.path = ::testing::TempDir();
  EXPECT_NE(LoadTable(table_, columns_).error().message().find("is no file"), std::string::npos);
  table_.path.clear();
}

}  // namespace
}  // namespace honryu::sqlapp
