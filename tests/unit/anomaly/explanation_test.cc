#include "honryu/anomaly/explanation.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace honryu::anomaly {
namespace {

TEST(Explanation, HasTheShapeOfTheKinesisColumn) {
  const std::array<std::string, 2> columns{"Systolic", "a \"b\""};
  const Attribution attribution{{1.7, 0.2}, {0.0447, 1.91}};
  EXPECT_EQ(ExplanationJson(columns, attribution, std::array{0.8567, 7.09824}, true),
            R"({"Systolic":{"DIRECTION":"HIGH","STRENGTH":"0.8567","ATTRIBUTION_SCORE":"1.7447"},)"
            R"("a \"b\"":{"DIRECTION":"LOW","STRENGTH":"7.0982","ATTRIBUTION_SCORE":"2.1100"}})");
  EXPECT_EQ(ExplanationJson(std::array<std::string, 1>{"x"}, {{1}, {0}}, std::array{2.0}, false),
            R"({"x":{"STRENGTH":"2.0000","ATTRIBUTION_SCORE":"1.0000"}})");
}

TEST(ColumnSpread, CountsUsualDistancesFromTheMean) {
  ColumnSpread spread(2, 100000);
  EXPECT_EQ(spread.Strength(0, 5), 0);
  for (int i = 0; i < 5000; ++i) spread.Learn(std::array{i % 2 == 0 ? 8.0 : 12.0, 3.0});
  EXPECT_NEAR(spread.Strength(0, 18), 4, 0.05);
  EXPECT_NEAR(spread.Strength(0, 2), 4, 0.05);
  EXPECT_EQ(spread.Strength(1, 3), 0);
  EXPECT_EQ(spread.Strength(1, 4), 1e6);
  EXPECT_EQ(spread.Strength(0, std::numeric_limits<double>::quiet_NaN()), 0);
}

TEST(ColumnSpread, FollowsTheRecentPast) {
  ColumnSpread spread(1, 50);
  for (int i = 0; i < 1000; ++i) spread.Learn(std::array{i % 2 * 1.0});
  for (int i = 0; i < 1000; ++i) spread.Learn(std::array{100.0 + i % 2});
  EXPECT_LT(spread.Strength(0, 100), 2);
  EXPECT_GT(spread.Strength(0, 0), 50);
}

}  // namespace
}  // namespace honryu::anomaly
