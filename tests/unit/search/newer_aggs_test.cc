// multi_terms, auto_date_histogram, weighted_avg, and the orders of buckets, beside a brute-force evaluator.

#include "oracle.h"
#include "search/request/search_request.h"
#include "segment_fixture.h"

#include <cstdlib>
#include <map>
#include <set>

namespace honryu::search {
namespace {

using codec::Json;

std::uint64_t Seed() {
  const char* seed = std::getenv("HONRYU_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 20261121;
}

class NewerAggs : public testing::Test {
 protected:
  void Fill(const std::vector<std::string>& documents) {
    segments_.clear();
    documents_.clear();
    for (const auto& document : documents) documents_.push_back(Json::Parse(document).value());
    for (std::size_t part = 0; part < 3; ++part) {
      std::vector<std::string> some;
      for (std::size_t i = part; i < documents.size(); i += 3) some.push_back(documents[i]);
      segments_.push_back({"events", BuildSegment(mapping_, some, 1000 * part)});
    }
  }
  void FillRandom() {
    ASSERT_TRUE(mapping_.Merge(RandomEvents::kMapping).ok());
    RandomEvents events(Seed() + 9);
    std::vector<std::string> documents;
    for (int n = 0; n < 900; ++n) documents.push_back(events.Document());
    Fill(documents);
  }
  Result<Json> Try(const std::string& aggs, const std::string& query = R"({"match_all":{}})") {
    HONRYU_TRY(const auto body, Json::Parse(R"({"size":0,"query":)" + query + R"(,"aggs":)" + aggs + "}"));
    HONRYU_TRY(const auto request, ParseSearchRequest(body, 0));
    QueryContext context;
    HONRYU_TRY(const auto answer, RunSearch(segments_, request, context, {}));
    HONRYU_TRY(const auto json, Json::Parse(answer));
    return *json.Find("aggregations");
  }
  Json Run(const std::string& aggs, const std::string& query = R"({"match_all":{}})") {
    auto result = Try(aggs, query);
    EXPECT_TRUE(result.ok()) << aggs << (result.ok() ? "" : result.error().ToString());
    return result.ok() ? *result : Json();
  }
  std::string Fault(const std::string& aggs) {
    const auto result = Try(aggs);
    return result.ok() ? "none" : result.error().message();
  }

  Mapping mapping_;
  std::vector<Json> documents_;
  std::vector<IndexedSegment> segments_;
};

/// As a bucket's key shows a value.
std::string Shown(const Json& value) {
  return value.is_string() ? std::string(value.StringOr("")) : value.Dump();
}

TEST_F(NewerAggs, MultiTermsCountsEveryCombinationAsBruteForceDoes) {
  FillRandom();
  std::map<std::string, std::int64_t> expected;
  std::map<std::string, double> sums;
  for (const Json& document : documents_) {
    std::set<std::string> keys, flags;
    for (const auto& value : Oracle::Values(document, "k")) keys.insert(Shown(value));
    for (const auto& value : Oracle::Values(document, "b")) flags.insert(Shown(value));
    if (flags.empty()) flags.insert("false");
    for (const auto& key : keys)
      for (const auto& flag : flags) {
        ++expected[key + "|" + flag];
        for (const auto& value : Oracle::Values(document, "n")) sums[key + "|" + flag] += value.DoubleOr(0);
      }
  }
  ASSERT_GT(expected.size(), 3U);
  const Json aggs = Run(
      R"({"m":{"multi_terms":{"size":1000,"terms":[{"field":"k"},{"field":"b","missing":false}]},"aggs":{"s":{"sum":{"field":"n"}}}}})");
  std::map<std::string, std::int64_t> found;
  std::int64_t last = INT64_MAX;
  for (const Json& bucket : aggs.Find("m")->Find("buckets")->array()) {
    const std::string name(bucket.Find("key_as_string")->StringOr(""));
    ASSERT_EQ(bucket.Find("key")->array().size(), 2U);
    EXPECT_EQ(Shown(bucket.Find("key")->array()[0]) + "|" + Shown(bucket.Find("key")->array()[1]), name);
    found[name] = bucket.Find("doc_count")->IntOr(0);
    EXPECT_LE(found[name], last);
    last = found[name];
    EXPECT_NEAR(bucket.Find("s")->Find("value")->DoubleOr(-1), sums[name], 1e-6) << name;
  }
  EXPECT_EQ(found, expected);
  // The rest is told, and a page of the greatest sums first.
  const Json two = Run(
      R"({"m":{"multi_terms":{"size":2,"order":{"s":"desc"},"terms":[{"field":"k"},{"field":"b","missing":false}]},"aggs":{"s":{"sum":{"field":"n"}}}}})");
  const auto& buckets = two.Find("m")->Find("buckets")->array();
  ASSERT_EQ(buckets.size(), 2U);
  std::multiset<double, std::greater<>> ordered;
  for (const auto& [key, sum] : sums) ordered.insert(sum);
  EXPECT_NEAR(buckets[0].Find("s")->Find("value")->DoubleOr(0), *ordered.begin(), 1e-6);
  EXPECT_NEAR(buckets[1].Find("s")->Find("value")->DoubleOr(0), *std::next(ordered.begin()), 1e-6);
  std::int64_t all = 0;
  for (const auto& [key, count] : expected) all += count;
  EXPECT_EQ(two.Find("m")->Find("sum_other_doc_count")->IntOr(-1),
            all - buckets[0].Find("doc_count")->IntOr(0) - buckets[1].Find("doc_count")->IntOr(0));
}

TEST_F(NewerAggs, MultiTermsShowsDatesAndLongStrings) {
  const std::string story(400, 'x');
  Fill({R"({"s":")" + story + R"(","t":"2026-11-21T10:00:00Z","n":1.5})",
        R"({"s":")" + story + R"(","t":"2026-11-21T10:00:00Z","n":1.5})", R"({"s":"a","n":2})"});
  EXPECT_EQ(
      Run(R"({"m":{"multi_terms":{"terms":[{"field":"t","format":"HH:mm"},{"field":"n"},{"field":"s.keyword"}]}}})")
          .Find("m")
          ->Find("buckets")
          ->Dump(),
      R"([{"key":["10:00",1.5,")" + story + R"("],"key_as_string":"10:00|1.5|)" + story +
          R"(","doc_count":2}])");
  // Of a composite, too.
  EXPECT_EQ(Run(R"({"c":{"composite":{"sources":[{"s":{"terms":{"field":"s.keyword"}}}]}}})")
                .Find("c")
                ->Find("buckets")
                ->array()
                .size(),
            2U);
}

TEST_F(NewerAggs, MultiTermsNamesItsFaults) {
  Fill({R"({"a":1})"});
  EXPECT_NE(Fault(R"({"m":{"multi_terms":{"terms":[{"field":"a"}]}}})").find("at least 2 terms"),
            std::string::npos);
  EXPECT_NE(Fault(R"({"m":{"multi_terms":{"terms":[{"field":"a"},{"field":"b"}],"x":1}}})").find("[x]"),
            std::string::npos);
  EXPECT_NE(Fault(R"({"m":{"multi_terms":{"terms":[{"field":"a"},{"x":"b"}]}}})").find("[x]"),
            std::string::npos);
  // A document whose combinations alone are too many buckets.
  std::string numbers;
  for (int n = 0; n < 300; ++n) numbers += (n > 0 ? "," : "") + std::to_string(n);
  Fill({R"({"a":[)" + numbers + R"(],"b":[)" + numbers + "]}"});
  EXPECT_NE(Fault(R"({"m":{"multi_terms":{"terms":[{"field":"a"},{"field":"b"}]}}})").find("combinations"),
            std::string::npos);
}

TEST_F(NewerAggs, WeightedAverageAsBruteForceHasIt) {
  FillRandom();
  double values = 0, weights = 0;
  for (const Json& document : documents_) {
    const auto weight = Oracle::Values(document, "n");
    if (weight.empty()) continue;
    for (const auto& value : Oracle::Values(document, "x")) {
      values += value.DoubleOr(0) * weight[0].DoubleOr(0);
      weights += weight[0].DoubleOr(0);
    }
  }
  const Json aggs = Run(R"({"w":{"weighted_avg":{"value":{"field":"x"},"weight":{"field":"n"}}}})");
  EXPECT_NEAR(aggs.Find("w")->Find("value")->DoubleOr(0), values / weights,
              1e-9 * std::abs(values / weights));
}

TEST_F(NewerAggs, WeightedAverageOfMissingAndManifoldValues) {
  Fill({R"({"g":[1,3],"w":2})", R"({"g":5})", R"({"w":4})", R"({"x":1})"});
  EXPECT_EQ(Run(R"({"w":{"weighted_avg":{"value":{"field":"g"},"weight":{"field":"w"}}}})").Dump(),
            R"({"w":{"value":2}})");
  EXPECT_EQ(
      Run(R"({"w":{"weighted_avg":{"value":{"field":"g","missing":9},"weight":{"field":"w","missing":1}}}})")
          .Dump(),
      // (1*2 + 3*2 + 5*1 + 9*4 + 9*1) / (2 + 2 + 1 + 4 + 1)
      R"({"w":{"value":5.8}})");
  EXPECT_EQ(Run(R"({"w":{"weighted_avg":{"value":{"field":"none"},"weight":{"field":"w"}}}})").Dump(),
            R"({"w":{"value":null}})");
  EXPECT_NE(Fault(R"({"w":{"weighted_avg":{"value":{"field":"w"},"weight":{"field":"g"}}}})")
                .find("more than one weight"),
            std::string::npos);
  EXPECT_NE(Fault(R"({"w":{"weighted_avg":{"value":{"field":"g"}}}})").find("[weight]"), std::string::npos);
}

TEST_F(NewerAggs, AutoHistogramsTakeTheFinestWidthThatFits) {
  const auto run = [this](const std::string& parameters) {
    const Json aggs = Run(R"({"h":{"auto_date_histogram":{"field":"t",)" + parameters +
                          R"(},"aggs":{"n":{"sum":{"field":"n"}}}}})");
    std::string text(aggs.Find("h")->Find("interval")->StringOr(""));
    for (const Json& bucket : aggs.Find("h")->Find("buckets")->array())
      text += " " + std::string(bucket.Find("key_as_string")->StringOr("")) + "=" +
              bucket.Find("doc_count")->Dump() + "/" + bucket.Find("n")->Find("value")->Dump();
    return text;
  };
  Fill({R"({"t":"2026-11-21T10:00:05Z","n":1})", R"({"t":"2026-11-21T10:00:06Z","n":2})",
        R"({"t":"2026-11-21T10:02:10Z","n":4})", R"({"t":"2026-11-21T10:02:11Z","n":8})"});
  EXPECT_EQ(run(R"("buckets":3,"format":"HH:mm")"), "1m 10:00=2/3 10:01=0/0 10:02=2/12");
  EXPECT_EQ(run(R"("buckets":2,"format":"HH:mm")"), "5m 10:00=4/15");
  EXPECT_EQ(run(R"("buckets":5,"format":"HH:mm:ss")"),
            "30s 10:00:05=2/3 10:00:35=0/0 10:01:05=0/0 10:01:35=0/0 10:02:05=2/12");
  EXPECT_EQ(run(R"("buckets":20,"minimum_interval":"hour","format":"HH")"), "1h 10=4/15");
  EXPECT_EQ(run(R"("buckets":1,"minimum_interval":"day","time_zone":"Asia/Tokyo","format":"yyyy-MM-dd")"),
            "1d 2026-11-21=4/15");
  Fill({R"({"t":"2025-01-15T00:00:00Z","n":1})", R"({"t":"2026-11-21T10:00:06Z","n":2})"});
  EXPECT_EQ(
      run(R"("buckets":10,"format":"yyyy-MM")"),
      "3M 2025-01=1/1 2025-04=0/0 2025-07=0/0 2025-10=0/0 2026-01=0/0 2026-04=0/0 2026-07=0/0 2026-10=1/2");
  EXPECT_EQ(run(R"("buckets":2,"format":"yyyy")"), "1y 2025=1/1 2026=1/2");
  EXPECT_EQ(Run(R"({"h":{"auto_date_histogram":{"field":"none"}}})").Dump(),
            R"({"h":{"buckets":[],"interval":"1s"}})");
}

TEST_F(NewerAggs, AutoHistogramsCountEveryDocumentOnce) {
  FillRandom();
  for (const int buckets : {1, 7, 30, 500}) {
    const Json aggs = Run(R"({"h":{"auto_date_histogram":{"field":"t","buckets":)" + std::to_string(buckets) +
                              R"(},"aggs":{"k":{"terms":{"field":"k","size":1000}}}}})",
                          R"({"range":{"n":{"gte":0}}})");
    std::size_t expected = 0;
    for (const Json& document : documents_)
      expected += Oracle::Matches(document, Json::Parse(R"({"range":{"n":{"gte":0}}})").value()) &&
                          !Oracle::Values(document, "t").empty()
                      ? 1
                      : 0;
    std::size_t found = 0;
    const auto& list = aggs.Find("h")->Find("buckets")->array();
    EXPECT_LE(list.size(), static_cast<std::size_t>(buckets));
    for (const Json& bucket : list) found += static_cast<std::size_t>(bucket.Find("doc_count")->IntOr(0));
    EXPECT_EQ(found, expected);
  }
}

TEST_F(NewerAggs, AutoHistogramsNameTheirFaultsAndEnd) {
  ASSERT_TRUE(mapping_.Merge(R"({"properties":{"t":{"type":"date"}}})").ok());
  Fill({R"({"t":0})", R"({"t":1795219200000000000})"});  // nanoseconds, where milliseconds belong
  EXPECT_NE(Fault(R"({"h":{"auto_date_histogram":{"field":"t"}}})"), "none");
  EXPECT_NE(Fault(R"({"h":{"auto_date_histogram":{"field":"t","buckets":0}}})").find("greater than 0"),
            std::string::npos);
  EXPECT_NE(Fault(R"({"h":{"auto_date_histogram":{"field":"t","minimum_interval":"week"}}})")
                .find("minimum_interval"),
            std::string::npos);
}

TEST_F(NewerAggs, BucketsAreOrderedByWhatTheyHoldOrTheRequestIsRefused) {
  Fill({R"({"k":"a","n":1,"v":10})", R"({"k":"b","n":2,"v":1})", R"({"k":"a","n":3,"v":10})",
        R"({"k":"c","n":2,"v":5})"});
  const auto keys = [this](const std::string& aggs) {
    std::string text;
    const Json found = Run(aggs);
    for (const Json& bucket : found.Find("t")->Find("buckets")->array())
      text += Shown(*bucket.Find("key")) + " ";
    return text;
  };
  EXPECT_EQ(
      keys(
          R"({"t":{"terms":{"field":"k.keyword","order":{"f>s.max":"desc"}},"aggs":{"f":{"filter":{"term":{"n":2}},"aggs":{"s":{"stats":{"field":"v"}}}}}}})"),
      "c b a ");
  EXPECT_EQ(
      keys(
          R"({"t":{"terms":{"field":"k.keyword","order":{"p[50]":"asc"}},"aggs":{"p":{"percentiles":{"field":"v"}}}}})"),
      "b c a ");
  EXPECT_EQ(
      keys(
          R"({"t":{"terms":{"field":"k.keyword","order":[{"f":"desc"},{"_key":"desc"}]},"aggs":{"f":{"filter":{"term":{"n":2}}}}}})"),
      "c b a ");
  EXPECT_EQ(
      keys(
          R"({"t":{"histogram":{"field":"n","interval":1,"order":{"s":"desc"}},"aggs":{"s":{"sum":{"field":"v"}}}}})"),
      "1 3 2 ");
  for (const char* order : {"absent", "t2", "h", "f>absent", "h>s"})
    EXPECT_NE(
        Fault(
            R"({"t":{"terms":{"field":"k.keyword","order":{")" + std::string(order) +
            R"(":"desc"}},"aggs":{"f":{"filter":{"term":{"n":2}}},"h":{"top_hits":{}},"t2":{"terms":{"field":"n"}}}}})")
            .find("Invalid aggregation order path"),
        std::string::npos)
        << order;
}

}  // namespace
}  // namespace honryu::search
