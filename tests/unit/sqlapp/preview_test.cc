#include "honryu/sqlapp/preview.h"

#include "honryu/codec/json.h"

#include <gtest/gtest.h>

namespace honryu::sqlapp {
namespace {

std::string Columns(const TablePreview& preview) {
  std::string text;
  for (const sql::Column& column : preview.columns)
    text += (text.empty() ? "" : ", ") + column.name + " " + column.type.ToString();
  return text;
}

sql::TableFunctionRegistry Functions() {
  sql::TableFunctionRegistry functions;
  sql::AddBuiltInTableFunctions(functions);
  return functions;
}

constexpr std::string_view kCsv =
    "id,price,postcode,ok,day,at,Full Name,note\n"
    "1,1.5,01067,true,2026-11-21,2026-11-21 10:00:00,\"Ada, L.\",\n"
    "-22,3,99084,FALSE,2024-02-29,2026-11-21T10:00:01Z,Bob,\n"
    "3,,80331,,,,,\n";

TEST(Preview, OfCsvFindsTheNarrowestTypesThatAllRowsHave) {
  const auto preview = PreviewFile("/srv/my teams.csv", "", kCsv, 2);
  ASSERT_TRUE(preview.ok()) << preview.error().message();
  EXPECT_EQ(
      Columns(*preview),
      "id BIGINT, price DOUBLE, postcode VARCHAR, ok BOOLEAN, day DATE, at TIMESTAMP, Full Name VARCHAR, "
      "note VARCHAR");
  EXPECT_EQ(preview->row_count, 3u);
  ASSERT_EQ(preview->rows.size(), 2u);
  EXPECT_EQ(preview->rows[1][0].as_int(), -22);
  const codec::Json json = codec::Json::Parse(ToJson(*preview)).value();
  EXPECT_EQ(json.Find("rows")->array()[0].Find("Full Name")->StringOr(""), "Ada, L.");
  EXPECT_TRUE(json.Find("inferred")->BoolOr(false));
}

TEST(Preview, ItsDeclarationIsOneThatAProgramTakes) {
  const auto preview = PreviewFile("/srv/my teams.csv", "csv", kCsv, 10);
  ASSERT_TRUE(preview.ok());
  const auto declared = PreviewProgram(
      preview->declaration, Functions(),
      [](const Table& table) -> Result<std::string> {
        EXPECT_EQ(table.path, "/srv/my teams.csv");
        EXPECT_EQ(table.format, "csv");
        return std::string(kCsv);
      },
      10);
  ASSERT_TRUE(declared.ok()) << declared.error().message() << "\n" << preview->declaration;
  ASSERT_EQ(declared->size(), 1u);
  EXPECT_FALSE(declared->front().inferred);
  EXPECT_EQ(declared->front().row_count, 3u);
  ASSERT_EQ(declared->front().columns.size(), preview->columns.size());
  for (std::size_t i = 0; i < preview->columns.size(); ++i)
    EXPECT_EQ(declared->front().columns[i].type, preview->columns[i].type) << preview->columns[i].name;
}

TEST(Preview, OfJsonKnowsTextsFromNumbers) {
  constexpr std::string_view kLines =
      "{\"n\":1,\"t\":\"1\",\"x\":1.5,\"j\":{\"a\":[1]},\"b\":true,\"at\":\"2026-11-21T10:00:00Z\"}\n\n"
      "{\"n\":2,\"x\":2,\"late\":null}\n";
  const auto lines = PreviewFile("a.ndjson", "", kLines, 10);
  ASSERT_TRUE(lines.ok()) << lines.error().message();
  EXPECT_EQ(Columns(*lines), "n BIGINT, t VARCHAR, x DOUBLE, j JSON, b BOOLEAN, at TIMESTAMP, late VARCHAR");
  const auto array = PreviewFile("a.json", "", R"([{"n":1},{"n":"a"}])", 10);
  ASSERT_TRUE(array.ok()) << array.error().message();
  EXPECT_EQ(Columns(*array), "n VARCHAR");
}

TEST(Preview, FaultsSayWhere) {
  const auto fault = [](const std::string& path, std::string_view text) {
    const auto preview = PreviewFile(path, "", text, 10);
    return preview.ok() ? std::string("none") : preview.error().message();
  };
  EXPECT_NE(fault("a.csv", "a,b\n1,\"x\n2,y\n").find("line 2 has a quote that does not end"),
            std::string::npos);
  EXPECT_NE(fault("a.csv", "a,b\n1,2,3\n").find("line 2 has more fields"), std::string::npos);
  EXPECT_NE(fault("a.csv", "a,a\n").find("two columns"), std::string::npos);
  EXPECT_NE(fault("a.csv", "").find("empty"), std::string::npos);
  EXPECT_NE(fault("a.json", "{}").find("array"), std::string::npos);
  EXPECT_NE(fault("a.json", "[1]").find("row 1"), std::string::npos);
  EXPECT_NE(fault("a.ndjson", "{}\nx").find("line 2"), std::string::npos);
  EXPECT_NE(fault("a.ndjson", "").find("no rows"), std::string::npos);
}

}  // namespace
}  // namespace honryu::sqlapp
