#include "honryu/processors/alerter/metrics_source.h"

#include "honryu/codec/json.h"

#include <gtest/gtest.h>

namespace honryu::processors::alerter {
namespace {

TEST(MetricRows, GivesRatesAndHowUnevenShardsAre) {
  MetricRows rows({"lag", "read_*"});
  const std::string first =
      "# HELP lag x\nlag{stream=\"a\\\"b\"} 2.5\nother 1\nread_total{shard=\"0\",stream=\"s\"} 10\n"
      "read_total{shard=\"1\",stream=\"s\"} 10\nread_total{shard=\"2\",stream=\"s\"} 10\n";
  auto found = rows.Read(first, TimestampFromMs(0));
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0], R"({"metric":"lag","labels":{"stream":"a\"b"},"value":2.5})");
  EXPECT_EQ(found[1].find("rate"), std::string::npos);
  const std::string second =
      "read_total{shard=\"0\",stream=\"s\"} 90\nread_total{shard=\"1\",stream=\"s\"} 20\n"
      "read_total{shard=\"2\",stream=\"s\"} 3\nbroken{x=\"} 3\nlag NaN\n";
  found = rows.Read(second, TimestampFromMs(10'000));
  ASSERT_EQ(found.size(), 3u);
  const codec::Json hot = codec::Json::Parse(found[0]).value();
  EXPECT_DOUBLE_EQ(hot.Find("rate")->DoubleOr(0), 8);
  EXPECT_NEAR(hot.Find("skew")->DoubleOr(0), 8 / (9.3 / 3), 1e-9);
  const codec::Json anew = codec::Json::Parse(found[2]).value();  // its process was started again
  EXPECT_DOUBLE_EQ(anew.Find("rate")->DoubleOr(0), 0.3);
}

}  // namespace
}  // namespace honryu::processors::alerter
