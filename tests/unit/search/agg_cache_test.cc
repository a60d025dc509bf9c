#include "search/aggs/agg_cache.h"

#include "oracle.h"
#include "search/request/search_request.h"
#include "segment_fixture.h"

#include <cstdlib>

namespace honryu::search {
namespace {

constexpr std::int64_t kStart = 1'795'219'200'000;

std::uint64_t Seed() {
  const char* seed = std::getenv("HONRYU_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 20261121;
}

/// Four segments, 1,000 s of time each; numbers of several types, strings that repeat.
std::vector<IndexedSegment> Segments(Mapping& mapping, Random& random) {
  std::vector<IndexedSegment> segments;
  for (int s = 0; s < 4; ++s) {
    std::vector<std::string> documents;
    for (int i = 0; i < 200; ++i) {
      const auto time = kStart + s * 1'000'000 + static_cast<std::int64_t>(random.Below(1'000'000));
      documents.push_back(R"({"time":")" + FormatTimestamp(TimestampFromMs(time)) + R"(","host":"h)" +
                          std::to_string(random.Below(9)) + R"(","user":"u)" +
                          std::to_string(random.Below(70)) + R"(","n":)" + std::to_string(random.Below(50)) +
                          R"(,"x":)" + std::to_string(random.Below(900)) + ".25" +
                          (random.Chance(0.5) ? R"(,"ok":true)" : "") + "}");
    }
    segments.push_back({"events", BuildSegment(mapping, documents, static_cast<std::uint64_t>(s) * 1000)});
  }
  return segments;
}

std::string Answer(const std::vector<IndexedSegment>& segments, const std::string& body, AggCache* cache) {
  const auto request = ParseSearchRequest(codec::Json::Parse(body).value(), kStart);
  EXPECT_TRUE(request.ok()) << body;
  const QueryContext context{kStart};
  SearchLimits limits;
  limits.aggs = cache;
  const auto answer = RunSearch(segments, *request, context, limits);
  EXPECT_TRUE(answer.ok()) << body;
  return answer.ok() ? *answer : "";
}

std::string Range(std::int64_t from, std::int64_t to) {
  return R"({"range":{"time":{"gte":)" + std::to_string(kStart + from) + R"(,"lt":)" +
         std::to_string(kStart + to) + "}}}";
}

const char* const kAggs[] = {
    R"({"a":{"terms":{"field":"host.keyword","size":5}}})",
    R"({"a":{"terms":{"field":"host.keyword","order":{"m":"desc"}},"aggs":{"m":{"max":{"field":"n"}}}}})",
    R"({"a":{"terms":{"field":"n"}},"b":{"terms":{"field":"x"}},"c":{"terms":{"field":"ok"}}})",
    R"({"a":{"date_histogram":{"field":"time","fixed_interval":"1m"},"aggs":{"t":{"terms":{"field":"user.keyword"}}}}})",
    R"({"a":{"histogram":{"field":"x","interval":100}}})",
    R"({"a":{"stats":{"field":"n"}},"b":{"extended_stats":{"field":"n"}},"c":{"avg":{"field":"x"}}})",
    R"({"a":{"cardinality":{"field":"user.keyword"}},"b":{"cardinality":{"field":"n"}}})",
    R"({"a":{"percentiles":{"field":"x"}},"b":{"percentile_ranks":{"field":"x","values":[200,500]}}})",
    R"({"a":{"filters":{"filters":{"yes":{"term":{"ok":true}},"low":{"range":{"n":{"lt":9}}}},"other_bucket_key":"o"}}})",
    R"({"a":{"missing":{"field":"ok"},"aggs":{"s":{"sum":{"field":"n"}}}}})",
    R"({"a":{"terms":{"field":"host.keyword"},"aggs":{"p":{"percentiles":{"field":"x"}},"c":{"cardinality":{"field":"user.keyword"}}}}})",
    R"({"a":{"filters":{"filters":{"yes":{"term":{"ok":true}}},"other_bucket_key":"o"},"aggs":{"p":{"percentiles":{"field":"n"}}}}})",
    R"({"a":{"range":{"field":"n","ranges":[{"to":10},{"from":10}]}}})",
    R"({"a":{"value_count":{"field":"user.keyword"}},"g":{"global":{},"aggs":{"v":{"avg":{"field":"n"}}}}})",
};

TEST(AggCache, AnswersAreTheSameWithItAndWithout) {
  Random random(Seed());
  Mapping mapping;
  auto segments = Segments(mapping, random);
  AggCache cache;
  for (int round = 0; round < 300; ++round) {
    const auto from = static_cast<std::int64_t>(random.Below(40)) * 100'000;
    const auto range = Range(from, from + static_cast<std::int64_t>(random.Below(40)) * 100'000);
    const std::string queries[] = {R"({"match_all":{}})",
                                   range,
                                   R"({"bool":{"filter":[)" + range + R"(,{"term":{"host.keyword":"h3"}}]}})",
                                   R"({"bool":{"must":)" + range + R"(,"must_not":{"term":{"ok":true}}}})",
                                   R"({"bool":{"filter":[)" + range + "," + Range(500'000, 3'200'000) + "]}}",
                                   R"({"bool":{"should":[)" + range + R"(,{"term":{"n":7}}]}})"};
    const auto body = R"({"size":0,"track_total_hits":true,"query":)" +
                      queries[random.Below(std::size(queries))] + R"(,"aggs":)" +
                      kAggs[random.Below(std::size(kAggs))] + "}";
    if (round == 150) {  // a document goes: what is remembered of its segment no longer counts
      segments[1].deleted = std::make_shared<const DocSet>(DocSet::FromSorted(200, {3, 77}));
    }
    const auto plain = Answer(segments, body, nullptr);
    EXPECT_EQ(Answer(segments, body, &cache), plain) << "seed " << Seed() << ": " << body;
    EXPECT_EQ(Answer(segments, body, &cache), plain) << "seed " << Seed() << ", again: " << body;
  }
  EXPECT_GT(cache.bytes(), 0u);
}

TEST(AggCache, APanelThatMovesOnIsRememberedForSegmentsInside) {
  Random random(1);
  Mapping mapping;
  const auto segments = Segments(mapping, random);
  AggCache cache;
  const auto panel = [&](std::int64_t from, std::int64_t to) {
    return R"({"size":0,"query":)" + Range(from, to) + R"(,"aggs":)" + kAggs[0] + "}";
  };
  Answer(segments, panel(-10, 4'000'010), &cache);
  const auto held = cache.bytes();
  EXPECT_GT(held, 0u);
  Answer(segments, panel(-5, 4'000'015), &cache);  // the same four segments, whole
  EXPECT_EQ(cache.bytes(), held);
  Answer(segments, panel(300'000, 4'000'020), &cache);  // the first one cut
  EXPECT_GT(cache.bytes(), held);
}

TEST(AggCache, WhatDependsOnTheMomentOrShowsHitsIsNotRemembered) {
  Random random(1);
  Mapping mapping;
  const auto segments = Segments(mapping, random);
  AggCache cache;
  Answer(segments, R"({"size":0,"aggs":{"a":{"date_range":{"field":"time","ranges":[{"to":"now-1m"}]}}}})",
         &cache);
  Answer(
      segments,
      R"({"size":0,"query":{"bool":{"must_not":{"range":{"time":{"gt":"now"}}}}},"aggs":{"a":{"avg":{"field":"n"}}}})",
      &cache);
  Answer(segments, R"({"size":3,"aggs":{"a":{"avg":{"field":"n"}}}})", &cache);
  Answer(segments, R"({"size":0,"aggs":{"a":{"top_hits":{}}}})", &cache);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(AggCache, TheLeastRecentlyUsedGoFirst) {
  AggCache cache(4000);
  const auto put = [&](const std::string& key) { cache.Put(key, nullptr, 600); };
  for (const char* key : {"a", "b", "c"}) put(key);
  const auto three = cache.bytes();
  cache.Find("a");
  for (const char* key : {"d", "e", "f"}) put(key);
  EXPECT_LE(cache.bytes(), 4000u);
  EXPECT_GT(cache.bytes(), three);
  const auto before = cache.bytes();
  put("a");  // is there still
  EXPECT_EQ(cache.bytes(), before);
  put("b");  // went, and comes in the place of another
  EXPECT_EQ(cache.bytes(), before);
  cache.Put("large", nullptr, 3000);  // more than a quarter
  EXPECT_EQ(cache.bytes(), before);
}

}  // namespace
}  // namespace honryu::search
