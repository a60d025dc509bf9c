#include "search/aggs/pipeline.h"

#include "search/aggs/expression.h"
#include "search/aggs/parse_aggs.h"

#include <gtest/gtest.h>

#include <cmath>

namespace honryu::search {
namespace {

using codec::Json;

double Value(const char* script, std::map<std::string, double, std::less<>> params = {}) {
  const auto parsed = Expression::Parse(script);
  EXPECT_TRUE(parsed.ok()) << script;
  return parsed.ok() ? parsed->Evaluate(params) : -12345;
}

TEST(Expression, ComputesByTheUsualPrecedence) {
  EXPECT_EQ(Value("1 + 2 * 3"), 7);
  EXPECT_EQ(Value("(1 + 2) * 3 - 4 / 2"), 7);
  EXPECT_EQ(Value("-2 + +5 % 3"), 0);
  EXPECT_EQ(Value("params.a / params['b']", {{"a", 9}, {"b", 2}}), 4.5);
  EXPECT_EQ(Value("params.a > 3 && params.a <= 5 ? 1 : 0", {{"a", 5}}), 1);
  EXPECT_EQ(Value("!(1 == 2) || 0"), 1);
  EXPECT_EQ(Value("Math.max(2, Math.abs(-7)) - Math.round(2.5)"), 4);
  EXPECT_TRUE(std::isnan(Value("params.none")));
}

TEST(Expression, RefusesWhatIsNoArithmetic) {
  for (const char* script : {"", "1 +", "doc['a'].value", "a", "params.", "Math.exec(1)", "Math.max(1)",
                             "1 2", "(1", "for (;;) {}"})
    EXPECT_FALSE(Expression::Parse(script).ok()) << script;
  EXPECT_FALSE(Expression::Parse(std::string(10'000, '(')).ok());
}

/// The pipelines of `aggs` over ready-made results.
std::string Apply(const std::string& aggs, const std::string& results) {
  std::vector<NamedPipeline> pipelines;
  const auto specs = ParseAggs(Json::Parse(aggs).value(), 0, &pipelines);
  if (!specs.ok()) return specs.error().message();
  const auto applied = ApplyPipelines(Json::Parse(results).value(), *specs, pipelines);
  return applied.ok() ? applied->Dump() : applied.error().message();
}

std::string Inside(const std::string& pipelines) {
  return R"({"h":{"histogram":{"field":"x","interval":1},"aggs":{"m":{"sum":{"field":"y"}},)" + pipelines +
         "}}}";
}
const char* const kResults =
    R"({"h":{"buckets":[{"key":0,"doc_count":1,"m":{"value":10}},{"key":1,"doc_count":0,"m":{"value":null}},)"
    R"({"key":2,"doc_count":3,"m":{"value":40}},{"key":3,"doc_count":4,"m":{"value":30}}]}})";

/// Values of pipeline "p" bucket by bucket; "-" where there is none.
std::string Values(const std::string& pipeline) {
  const auto text = Apply(Inside(R"("p":)" + pipeline), kResults);
  const auto json = Json::Parse(text);
  if (!json.ok()) return text;
  std::string values;
  for (const Json& bucket : json->Find("h")->Find("buckets")->array()) {
    const Json* result = bucket.Find("p");
    const Json* value = result != nullptr ? result->Find("value") : nullptr;
    values += (values.empty() ? "" : " ") + (value != nullptr ? value->Dump() : std::string("-"));
  }
  return values;
}

TEST(Pipelines, OverTheBucketsTheyStandIn) {
  EXPECT_EQ(Values(R"({"derivative":{"buckets_path":"m"}})"), "- - 30 -10");
  EXPECT_EQ(Values(R"({"derivative":{"buckets_path":"_count"}})"), "- -1 3 1");
  EXPECT_EQ(Values(R"({"cumulative_sum":{"buckets_path":"m"}})"), "10 10 50 80");
  EXPECT_EQ(Values(R"({"serial_diff":{"buckets_path":"m","lag":2}})"), "- - 30 -");
  EXPECT_EQ(Values(R"({"moving_avg":{"buckets_path":"m","window":2}})"), "- - 10 25");
  EXPECT_EQ(
      Values(
          R"j({"moving_fn":{"buckets_path":"m","window":2,"script":"MovingFunctions.max(values)","shift":1}})j"),
      "10 - 40 40");
  EXPECT_EQ(
      Values(R"({"bucket_script":{"buckets_path":{"a":"m","n":"_count"},"script":"params.a / params.n"}})"),
      "10 - 13.333333333333334 7.5");
  EXPECT_EQ(
      Values(
          R"({"bucket_script":{"buckets_path":{"a":"m"},"gap_policy":"insert_zeros","script":"params.a + 1"}})"),
      "11 1 41 31");
  EXPECT_EQ(Values(R"({"bucket_selector":{"buckets_path":{"n":"_count"},"script":"params.n > 2"}})"), "- -");
}

TEST(Pipelines, OfPipelinesInWhateverOrder) {
  const auto text = Apply(
      Inside(R"("b":{"cumulative_sum":{"buckets_path":"a"}},"a":{"derivative":{"buckets_path":"_count"}})"),
      kResults);
  const auto json = Json::Parse(text);
  ASSERT_TRUE(json.ok()) << text;
  EXPECT_EQ(json->Find("h")->Find("buckets")->array()[3].Find("b")->Find("value")->DoubleOr(-1), 3);
  EXPECT_NE(
      Apply(Inside(R"("a":{"derivative":{"buckets_path":"b"}},"b":{"derivative":{"buckets_path":"a"}})"),
            kResults)
          .find("Cyclical"),
      std::string::npos);
}

TEST(Pipelines, SortAndCutBuckets) {
  const auto text =
      Apply(Inside(R"("s":{"bucket_sort":{"sort":[{"m":{"order":"desc"}}],"size":2}})"), kResults);
  const auto json = Json::Parse(text);
  ASSERT_TRUE(json.ok()) << text;
  const auto& buckets = json->Find("h")->Find("buckets")->array();
  ASSERT_EQ(buckets.size(), 2U);
  EXPECT_EQ(buckets[0].Find("key")->IntOr(-1), 2);
  EXPECT_EQ(buckets[1].Find("key")->IntOr(-1), 3);
}

TEST(Pipelines, BesideTheirBuckets) {
  const auto beside = [](const std::string& type) {
    return Apply(
        R"({"h":{"histogram":{"field":"x","interval":1},"aggs":{"m":{"sum":{"field":"y"}}}},"p":{")" + type +
            R"(":{"buckets_path":"h>m"}}})",
        kResults);
  };
  EXPECT_NE(beside("max_bucket").find(R"("p":{"value":40,"keys":["2"]})"), std::string::npos)
      << beside("max_bucket");
  EXPECT_NE(beside("sum_bucket").find(R"("p":{"value":80})"), std::string::npos);
  EXPECT_NE(beside("stats_bucket").find(R"("count":3,"min":10,"max":40)"), std::string::npos);
}

TEST(Pipelines, NameTheirFaults) {
  EXPECT_NE(Apply(Inside(R"("p":{"derivative":{"buckets_path":"none"}})"), kResults)
                .find("No aggregation found for path [none]"),
            std::string::npos);
  EXPECT_NE(Apply(Inside(R"("p":{"derivative":{}})"), kResults).find("buckets_path"), std::string::npos);
  EXPECT_NE(Apply(R"({"p":{"derivative":{"buckets_path":"x"}}})", "{}").find("inside"), std::string::npos);
  EXPECT_NE(Apply(Inside(R"("p":{"moving_fn":{"buckets_path":"m","script":"values.length"}})"), kResults)
                .find("moving_fn"),
            std::string::npos);
  EXPECT_NE(Apply(Inside(R"("p":{"moving_avg":{"buckets_path":"m","model":"holt"}})"), kResults).find("holt"),
            std::string::npos);
}

}  // namespace
}  // namespace honryu::search
