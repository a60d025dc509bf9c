#include "oracle.h"
#include "search/aggs/percentile_sketch.h"
#include "search/request/search_request.h"
#include "segment_fixture.h"

#include <cmath>
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

class AggsDifferential : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(mapping_.Merge(RandomEvents::kMapping).ok());
    for (const std::size_t size : {800u, 3u, 400u, 90u}) {
      std::vector<std::string> documents;
      for (std::size_t i = 0; i < size; ++i) {
        documents.push_back(events_.Document());
        documents_.push_back(Json::Parse(documents.back()).value());
      }
      segments_.push_back({"events", BuildSegment(mapping_, documents, documents_.size() - size)});
    }
  }

  /// The aggregations of the documents that `query` matches, and these documents.
  Json Run(const std::string& query, const std::string& aggs, std::vector<const Json*>* matched) {
    const auto parsed = Json::Parse(query).value();
    matched->clear();
    for (const auto& document : documents_)
      if (Oracle::Matches(document, parsed)) matched->push_back(&document);
    const auto body = Json::Parse(R"({"size":0,"query":)" + query + R"(,"aggs":)" + aggs + "}");
    EXPECT_TRUE(body.ok()) << aggs;
    const auto request = ParseSearchRequest(*body, 0);
    EXPECT_TRUE(request.ok()) << request.error().ToString();
    QueryContext context;
    const auto answer = RunSearch(segments_, *request, context, {});
    EXPECT_TRUE(answer.ok()) << answer.error().ToString();
    const auto json = Json::Parse(*answer);
    EXPECT_TRUE(json.ok()) << *answer;
    EXPECT_EQ(json->Find("hits")->Find("total")->Find("value")->IntOr(-1),
              static_cast<std::int64_t>(matched->size()));
    return *json->Find("aggregations");
  }
  static std::vector<double> Numbers(const std::vector<const Json*>& documents, std::string_view field) {
    std::vector<double> numbers;
    for (const auto* document : documents)
      for (const auto& value : Oracle::Values(*document, field)) numbers.push_back(value.DoubleOr(0));
    return numbers;
  }
  static std::int64_t TimeOf(const Json& document) {
    return ToMs(ParseTimestamp(document.Find("t")->StringOr("")).value());
  }

  RandomEvents events_{Seed() + 2};
  Mapping mapping_;
  std::vector<Json> documents_;
  std::vector<IndexedSegment> segments_;
};

TEST_F(AggsDifferential, TermsWithMetricsInside) {
  for (int round = 0; round < 40; ++round) {
    std::vector<const Json*> matched;
    const auto aggs = Run(round == 0 ? R"({"match_all":{}})" : events_.Query(1),
                          R"({"k":{"terms":{"field":"k","size":1000},"aggs":{
                            "s":{"stats":{"field":"n"}},"c":{"cardinality":{"field":"w.keyword"}},
                            "b":{"terms":{"field":"b"}}}}})",
                          &matched);
    std::map<std::string, std::vector<const Json*>> expected;
    for (const auto* document : matched) {
      std::set<std::string> keys;
      for (const auto& value : Oracle::Values(*document, "k")) keys.emplace(value.StringOr(""));
      for (const auto& key : keys) expected[key].push_back(document);
    }
    const auto& buckets = aggs.Find("k")->Find("buckets")->array();
    ASSERT_EQ(buckets.size(), expected.size());
    std::int64_t last = INT64_MAX;
    for (const auto& bucket : buckets) {
      const auto& list = expected.at(std::string(bucket.Find("key")->StringOr("")));
      const auto count = bucket.Find("doc_count")->IntOr(-1);
      ASSERT_EQ(count, static_cast<std::int64_t>(list.size()));
      ASSERT_LE(count, last);
      last = count;
      const auto numbers = Numbers(list, "n");
      const auto* stats = bucket.Find("s");
      ASSERT_EQ(stats->Find("count")->IntOr(-1), static_cast<std::int64_t>(numbers.size()));
      if (numbers.empty()) {
        ASSERT_EQ(stats->Find("min"), nullptr);  // null
      } else {
        ASSERT_EQ(stats->Find("min")->DoubleOr(99), *std::min_element(numbers.begin(), numbers.end()));
        ASSERT_EQ(stats->Find("max")->DoubleOr(99), *std::max_element(numbers.begin(), numbers.end()));
      }
      double sum = 0;
      for (const auto number : numbers) sum += number;
      ASSERT_EQ(stats->Find("sum")->DoubleOr(-99), sum);
      std::set<std::string> texts;
      std::size_t truths = 0, lies = 0;
      for (const auto* document : list) {
        for (const auto& value : Oracle::Values(*document, "w")) texts.emplace(value.StringOr(""));
        for (const auto& value : Oracle::Values(*document, "b")) (value.BoolOr(false) ? truths : lies) += 1;
      }
      ASSERT_EQ(bucket.Find("c")->Find("value")->IntOr(-1), static_cast<std::int64_t>(texts.size()));
      for (const auto& inner : bucket.Find("b")->Find("buckets")->array())
        ASSERT_EQ(inner.Find("doc_count")->IntOr(-1),
                  static_cast<std::int64_t>(inner.Find("key")->IntOr(-1) == 1 ? truths : lies));
    }
  }
}

TEST_F(AggsDifferential, HistogramsOfDatesAndNumbers) {
  for (const std::int64_t zone_hours : {0, 9, -3}) {
    std::vector<const Json*> matched;
    const auto zone = zone_hours == 0 ? "UTC" : zone_hours > 0 ? "+09:00" : "-03:00";
    const auto aggs = Run(
        events_.Query(1),
        std::string(R"({"d":{"date_histogram":{"field":"t","calendar_interval":"1d","time_zone":")") + zone +
            R"("}},"h":{"date_histogram":{"field":"t","fixed_interval":"6h","min_doc_count":1}},
                              "x":{"histogram":{"field":"x","interval":2.5,"offset":1,"min_doc_count":1}}})",
        &matched);
    std::map<std::int64_t, std::int64_t> days, quarters;
    std::map<double, std::int64_t> numbers;
    constexpr std::int64_t kDay = 86'400'000;
    for (const auto* document : matched) {
      const auto local = TimeOf(*document) + zone_hours * 3'600'000;
      ++days[local / kDay * kDay - zone_hours * 3'600'000];
      ++quarters[TimeOf(*document) / (kDay / 4) * (kDay / 4)];
      for (const auto& value : Oracle::Values(*document, "x"))
        ++numbers[std::floor((value.DoubleOr(0) - 1) / 2.5) * 2.5 + 1];
    }
    ASSERT_FALSE(days.empty());
    // Days without events are there too.
    std::int64_t expected_key = days.begin()->first;
    for (const auto& bucket : aggs.Find("d")->Find("buckets")->array()) {
      ASSERT_EQ(bucket.Find("key")->IntOr(0), expected_key);
      ASSERT_EQ(bucket.Find("doc_count")->IntOr(-1), days.contains(expected_key) ? days[expected_key] : 0);
      expected_key += kDay;
    }
    ASSERT_EQ(expected_key, days.rbegin()->first + kDay);
    const auto& hours = aggs.Find("h")->Find("buckets")->array();
    ASSERT_EQ(hours.size(), quarters.size());
    for (const auto& bucket : hours)
      ASSERT_EQ(bucket.Find("doc_count")->IntOr(-1), quarters.at(bucket.Find("key")->IntOr(0)));
    const auto& steps = aggs.Find("x")->Find("buckets")->array();
    ASSERT_EQ(steps.size(), numbers.size());
    for (const auto& bucket : steps)
      ASSERT_EQ(bucket.Find("doc_count")->IntOr(-1), numbers.at(bucket.Find("key")->DoubleOr(99)));
  }
}

TEST_F(AggsDifferential, FiltersRangesMissingAndPercentiles) {
  for (int round = 0; round < 30; ++round) {
    std::vector<const Json*> matched;
    const auto one = events_.Query(1), two = events_.Query(1);
    const auto aggs = Run(events_.Query(1),
                          R"({"f":{"filters":{"filters":{"one":)" + one + R"(,"two":)" + two +
                              R"(},"other_bucket":true},"aggs":{"v":{"value_count":{"field":"k"}}}},
                              "g":{"filter":)" +
                              one + R"(},"m":{"missing":{"field":"k"}},
                              "r":{"range":{"field":"n","ranges":[{"to":0},{"from":0,"to":5},{"from":3,"key":"much"}]}},
                              "p":{"percentiles":{"field":"x","percents":[1,50,90,99.9]}}})",
                          &matched);
    const auto first = Json::Parse(one).value(), second = Json::Parse(two).value();
    std::int64_t ones = 0, twos = 0, others = 0, keys = 0, missing = 0, low = 0, middle = 0, much = 0;
    for (const auto* document : matched) {
      const bool a = Oracle::Matches(*document, first), b = Oracle::Matches(*document, second);
      ones += a ? 1 : 0;
      twos += b ? 1 : 0;
      others += a || b ? 0 : 1;
      std::set<std::string> distinct;
      for (const auto& value : Oracle::Values(*document, "k")) distinct.emplace(value.StringOr(""));
      if (a) keys += static_cast<std::int64_t>(distinct.size());
      missing += distinct.empty() ? 1 : 0;
      for (const auto& value : Oracle::Values(*document, "n")) {
        low += value.IntOr(0) < 0 ? 1 : 0;
        middle += value.IntOr(0) >= 0 && value.IntOr(0) < 5 ? 1 : 0;
        much += value.IntOr(0) >= 3 ? 1 : 0;
      }
    }
    const auto* filters = aggs.Find("f")->Find("buckets");
    ASSERT_EQ(filters->Find("one")->Find("doc_count")->IntOr(-1), ones);
    ASSERT_EQ(filters->Find("one")->Find("v")->Find("value")->IntOr(-1), keys);
    ASSERT_EQ(filters->Find("two")->Find("doc_count")->IntOr(-1), twos);
    ASSERT_EQ(filters->Find("_other_")->Find("doc_count")->IntOr(-1), others);
    ASSERT_EQ(aggs.Find("g")->Find("doc_count")->IntOr(-1), ones);
    ASSERT_EQ(aggs.Find("m")->Find("doc_count")->IntOr(-1), missing);
    const auto& ranges = aggs.Find("r")->Find("buckets")->array();
    ASSERT_EQ(ranges.size(), 3u);
    ASSERT_EQ(ranges[0].Find("key")->StringOr(""), "*-0.0");
    ASSERT_EQ(ranges[0].Find("doc_count")->IntOr(-1), low);
    ASSERT_EQ(ranges[1].Find("doc_count")->IntOr(-1), middle);
    ASSERT_EQ(ranges[2].Find("key")->StringOr(""), "much");
    ASSERT_EQ(ranges[2].Find("doc_count")->IntOr(-1), much);
    auto numbers = Numbers(matched, "x");
    std::sort(numbers.begin(), numbers.end());
    if (numbers.empty()) continue;
    const auto* values = aggs.Find("p")->Find("values");
    for (const auto& [name, percent] :
         std::map<std::string, double>{{"1.0", 1}, {"50.0", 50}, {"90.0", 90}, {"99.9", 99.9}}) {
      const auto rank =
          static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(numbers.size())));
      ASSERT_EQ(values->Find(name)->DoubleOr(-1), numbers[std::max<std::size_t>(rank, 1) - 1]) << name;
    }
  }
}

TEST_F(AggsDifferential, WholeSegmentsAreCountedWithoutReadingEveryDocument) {
  std::vector<const Json*> all;
  const std::string aggs =
      R"({"k":{"terms":{"field":"k","size":1000}},"c":{"cardinality":{"field":"w.keyword"}},
      "d":{"date_histogram":{"field":"t","fixed_interval":"1h"}},"w":{"date_histogram":{"field":"t","calendar_interval":"1w"}}})";
  const auto quick = Run(R"({"match_all":{}})", aggs, &all);
  std::map<std::string, std::int64_t> keys;
  std::set<std::string> texts;
  std::map<std::int64_t, std::int64_t> hours;
  for (const auto& document : documents_) {
    std::set<std::string> distinct;
    for (const auto& value : Oracle::Values(document, "k")) distinct.emplace(value.StringOr(""));
    for (const auto& key : distinct) ++keys[key];
    for (const auto& value : Oracle::Values(document, "w")) texts.emplace(value.StringOr(""));
    ++hours[TimeOf(document) / 3'600'000 * 3'600'000];
  }
  for (const auto& bucket : quick.Find("k")->Find("buckets")->array())
    EXPECT_EQ(bucket.Find("doc_count")->IntOr(-1), keys.at(std::string(bucket.Find("key")->StringOr(""))));
  EXPECT_EQ(quick.Find("c")->Find("value")->IntOr(-1), static_cast<std::int64_t>(texts.size()));
  for (const auto& bucket : quick.Find("d")->Find("buckets")->array()) {
    const auto found = hours.find(bucket.Find("key")->IntOr(0));
    EXPECT_EQ(bucket.Find("doc_count")->IntOr(-1), found == hours.end() ? 0 : found->second);
  }
}

TEST(PercentileSketch, StaysWithinHalfAPercent) {
  Random random(9);
  PercentileSketch exact(1'000'000), small(100);
  for (int i = 0; i < 50'000; ++i) {
    const double value = std::exp(random.Unit() * 20 - 10) * (random.Chance(0.3) ? -1 : 1);
    exact.Add(value);
    small.Add(value);
  }
  for (const double percent : {0.1, 1.0, 10.0, 29.0, 50.0, 75.0, 99.0, 99.9}) {
    const double truth = exact.Percentile(percent);
    EXPECT_NEAR(small.Percentile(percent), truth, std::fabs(truth) * 0.0051) << percent;
  }
  EXPECT_NEAR(small.Rank(0), exact.Rank(0), 0.01);
  EXPECT_TRUE(std::isnan(PercentileSketch().Percentile(50)));
}

TEST(PercentileSketch, AFewSettledValuesStaySmall) {
  PercentileSketch few;
  for (int i = 0; i < 10; ++i) few.Add(0.5 * std::pow(2, i));
  few.Settle();
  EXPECT_LT(few.bytes(), 500u);  // kept for every bucket of a panel
}

TEST(PercentileSketch, SettledPartsAddUpToTheSame) {
  Random random(10);
  for (const bool repeated : {true, false})
    for (const std::size_t size : {40u, 900u, 5'000u}) {  // of parts: exact together, beyond, kept as bins
      const std::size_t bound = size < 1'000 ? 1'000 : 12'000;
      PercentileSketch plain(bound), merged(bound);
      for (int part = 0; part < 3; ++part) {
        PercentileSketch one(bound);
        for (std::size_t i = 0; i < size; ++i) {
          const double value =
              repeated ? static_cast<double>(random.Below(7)) - 2 : random.Unit() * 1e6 - 1e5;
          const auto times = 1 + random.Below(2);
          one.Add(value, times);
          plain.Add(value, times);
        }
        one.Settle();
        merged.Merge(one);
      }
      EXPECT_EQ(merged.count(), plain.count());
      for (double percent = 0; percent <= 100; percent += 0.5)
        ASSERT_EQ(merged.Percentile(percent), plain.Percentile(percent)) << repeated << size << percent;
    }
}

TEST(Aggregations, NumbersOfALargeSegmentAreThoseOfItsDocuments) {
  // More than 32,768: they are counted as they are stored. Hundredths, whole numbers, some far from the
  // others, and documents without any.
  Mapping mapping;
  Random random(11);
  std::vector<std::string> documents;
  std::vector<double> all, some;
  for (int i = 0; i < 45'000; ++i) {
    const auto hundredths = random.Chance(0.02) ? random.Below(90'000'000) : random.Below(60'000);
    const bool has = !random.Chance(0.1), of_some = random.Chance(0.9);
    documents.push_back(R"({"g":")" + std::string(of_some ? "a" : "b") + '"' +
                        (has ? R"(,"x":)" + std::to_string(hundredths / 100) + "." +
                                   std::to_string(hundredths % 100 / 10) + std::to_string(hundredths % 10)
                             : "") +
                        "}");
    if (!has) continue;
    all.push_back(static_cast<double>(hundredths) / 100);
    if (of_some) some.push_back(all.back());
  }
  std::sort(all.begin(), all.end());
  std::sort(some.begin(), some.end());
  const std::vector<IndexedSegment> segments{{"i", BuildSegment(mapping, documents)}};
  for (const auto& [query, values] :
       {std::pair{std::string(R"({"match_all":{}})"), &all}, {R"({"term":{"g":"a"}})", &some}}) {
    const auto body =
        R"({"size":0,"query":)" + query +
        R"(,"aggs":{"p":{"percentiles":{"field":"x","percents":[1,37.5,50,99,100]}},"s":{"stats":{"field":"x"}}}})";
    const auto request = ParseSearchRequest(codec::Json::Parse(body).value(), 0);
    ASSERT_TRUE(request.ok());
    const auto answer = RunSearch(segments, *request, {}, {});
    ASSERT_TRUE(answer.ok());
    const auto aggs = *codec::Json::Parse(*answer)->Find("aggregations");
    for (const auto& [key, value] : aggs.Find("p")->Find("values")->object()) {
      const auto rank = std::ceil(std::stod(key) / 100 * static_cast<double>(values->size()));
      EXPECT_EQ(value.DoubleOr(-1), (*values)[static_cast<std::size_t>(rank) - 1]) << key;
    }
    EXPECT_EQ(aggs.Find("s")->Find("count")->IntOr(-1), static_cast<std::int64_t>(values->size()));
    EXPECT_EQ(aggs.Find("s")->Find("max")->DoubleOr(-1), values->back());
    EXPECT_EQ(aggs.Find("s")->Find("min")->DoubleOr(-1), values->front());
  }
}

}  // namespace
}  // namespace honryu::search
