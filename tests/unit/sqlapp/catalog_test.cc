#include "honryu/sqlapp/catalog.h"

#include "honryu/async/runtime.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

namespace honryu::sqlapp {
namespace {

class CatalogTest : public ::testing::Test {
 protected:
  template <class T>
  T Do(async::Task<T> task) {
    return runtime_.BlockOn(std::move(task));
  }
  static async::Context Soon() { return async::Context::WithTimeout(std::chrono::seconds(10)); }
  static Deployment One(const std::string& sql) {
    Deployment one;
    one.name = "one";
    one.sql = sql;
    one.from = "latest";
    return one;
  }
  ManualClock clock_{TimestampFromMs(1790000000000)};
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  Catalog catalog_{client_, "sql-state"};
};

TEST_F(CatalogTest, KeepsWhatWasAppliedForEverybody) {
  EXPECT_TRUE(Do(catalog_.List(Soon()))->empty());
  EXPECT_EQ(Do(catalog_.Apply(Soon(), One("SELECT 1"))).value(), 1u);
  EXPECT_EQ(Do(catalog_.Apply(Soon(), One("SELECT 2"))).value(), 2u);
  EXPECT_TRUE(Do(catalog_.Register(Soon(), One(""))).ok());
  Catalog other(client_, "sql-state");
  auto listed = Do(other.List(Soon())).value();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed["one"].sql, "SELECT 2");
  EXPECT_EQ(listed["one"].from, "latest");
  EXPECT_EQ(listed["one"].version, 2u);
  EXPECT_TRUE(Do(other.SetRunning(Soon(), "one", false)).ok());
  EXPECT_TRUE(Do(other.AskSavepoint(Soon(), "one", "before")).ok());
  listed = Do(catalog_.List(Soon())).value();
  EXPECT_FALSE(listed["one"].running);
  EXPECT_EQ(listed["one"].savepoint, "before");
  EXPECT_EQ(listed["one"].savepoint_id, 1u);
  EXPECT_EQ(Do(catalog_.SetRunning(Soon(), "two", true)).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(Do(catalog_.Remove(Soon(), "one")).ok());
  EXPECT_TRUE(Do(catalog_.List(Soon()))->empty());
}

TEST_F(CatalogTest, AnEditThatFailsLeavesAllAsItWas) {
  EXPECT_TRUE(Do(catalog_.Apply(Soon(), One("SELECT 1"))).ok());
  client_.FailSaves(1, Error(ErrorCode::kUnavailable, "disk full"));
  EXPECT_EQ(Do(catalog_.Apply(Soon(), One("SELECT 2"))).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(Do(catalog_.List(Soon())).value()["one"].sql, "SELECT 1");
  EXPECT_EQ(Do(catalog_.Apply(Soon(), One("SELECT 3"))).value(), 2u) << "nobody holds it";
}

TEST(ApplicationName, HasFewKindsOfCharacters) {
  EXPECT_TRUE(CheckApplicationName("Kpi_2-b").ok());
  for (const char* bad : {"", "a/b", "a.b", "ä"}) EXPECT_FALSE(CheckApplicationName(bad).ok()) << bad;
}

}  // namespace
}  // namespace honryu::sqlapp
