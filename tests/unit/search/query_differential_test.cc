#include "oracle.h"
#include "search/query/matcher.h"
#include "search/query/parse_query.h"
#include "search/query/searcher.h"
#include "segment_fixture.h"

#include <cstdlib>

namespace honryu::search {
namespace {

/// HONRYU_SEED replays a failure.
std::uint64_t Seed() {
  const char* seed = std::getenv("HONRYU_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 20261121;
}

/// Documents in several segments of uneven sizes, and as JSON.
struct Corpus {
  Corpus(RandomEvents& events, std::initializer_list<std::size_t> sizes) {
    EXPECT_TRUE(mapping.Merge(RandomEvents::kMapping).ok());
    for (const auto size : sizes) {
      std::vector<std::string> documents;
      for (std::size_t i = 0; i < size; ++i) {
        documents.push_back(events.Document());
        parsed.push_back(codec::Json::Parse(documents.back()).value());
      }
      segments.push_back({"events", BuildSegment(mapping, documents, parsed.size() - size)});
      bases.push_back(parsed.size() - size);
    }
  }
  Mapping mapping;
  std::vector<codec::Json> parsed;
  std::vector<IndexedSegment> segments;
  std::vector<std::size_t> bases;
};

TEST(QueryDifferential, MatchesWhatABruteForceEvaluatorMatches) {
  RandomEvents events(Seed());
  Corpus corpus(events, {700, 1, 60, 300});
  QueryContext context;
  std::size_t matched_total = 0;
  for (int round = 0; round < 500; ++round) {
    const auto text = events.Query();
    const auto json = codec::Json::Parse(text);
    ASSERT_TRUE(json.ok()) << text;
    const auto query = ParseQuery(*json);
    ASSERT_TRUE(query.ok()) << text << query.error().ToString();
    for (std::size_t s = 0; s < corpus.segments.size(); ++s) {
      const auto& segment = *corpus.segments[s].segment;
      SegmentMatcher matcher(segment, context);
      const auto docs = matcher.Match(*query);
      ASSERT_TRUE(docs.ok()) << text;
      std::vector<std::uint32_t> expected;
      for (std::uint32_t doc = 0; doc < segment.doc_count(); ++doc)
        if (Oracle::Matches(corpus.parsed[corpus.bases[s] + doc], *json)) expected.push_back(doc);
      ASSERT_EQ(docs->ToVector(), expected) << "seed " << Seed() << ", segment " << s << ": " << text;
      matched_total += expected.size();
      // Of a range of documents, exactly those.
      const auto begin = static_cast<std::uint32_t>(events.random().Below(segment.doc_count()));
      const auto end = begin + static_cast<std::uint32_t>(events.random().Below(segment.doc_count()));
      const auto within = matcher.MatchWithin(*query, {begin, end});
      ASSERT_TRUE(within.ok()) << text;
      std::erase_if(expected, [&](auto doc) { return doc < begin || doc >= end; });
      ASSERT_EQ(within->ToVector(), expected)
          << "seed " << Seed() << ", segment " << s << ", " << begin << " to " << end << ": " << text;
    }
  }
  EXPECT_GT(matched_total, 20'000u);  // the queries do find something
}

TEST(QueryDifferential, WindowsOfALargeSegmentGiveTheSameHits) {
  // Times that mostly rise, so that windows are left out, with strays that must be found all the same.
  Mapping mapping;
  Random random(Seed() + 2);
  std::vector<std::string> documents;
  for (int i = 0; i < 40'000; ++i) {
    const auto t =
        random.Below(500) == 0 ? random.Below(45'000) : static_cast<std::uint64_t>(i) + random.Below(9);
    documents.push_back(R"({"t":)" + std::to_string(t) + R"(,"m":"w)" + std::to_string(random.Below(50)) +
                        " x" + std::to_string(random.Below(3)) + R"("})");
  }
  const std::vector<IndexedSegment> segments{{"i", BuildSegment(mapping, documents)}};
  ASSERT_EQ(segments[0].segment->doc_count(), 40'000u);
  for (
      const auto* text :
      {R"({"match":{"m":"w7"}})", R"({"match_phrase":{"m":"w9 x1"}})", R"({"match":{"m":"x2"}})",
       R"({"bool":{"filter":[{"range":{"t":{"gte":9000,"lt":31000}}},{"match":{"m":"x0"}}],"must_not":[{"match":{"m":"w3"}}]}})"})
    for (const bool descending : {true, false}) {
      HitsRequest request;
      request.query = ParseQuery(codec::Json::Parse(text).value()).value();
      request.sort.push_back({SortField::By::kField, "t", descending, false, {}, {}});
      request.sort.push_back({SortField::By::kDocument, {}, false, false, {}, {}});
      request.size = 60;
      request.track_total = std::numeric_limits<std::uint64_t>::max();
      const auto all = SearchSegments(segments, request, {}, {}, nullptr);
      ASSERT_TRUE(all.ok());
      for (const std::uint64_t track : {0, 100, 100'000}) {
        request.track_total = track;
        const auto some = SearchSegments(segments, request, {}, {}, nullptr);
        ASSERT_TRUE(some.ok());
        ASSERT_EQ(some->hits.size(), all->hits.size()) << text;
        for (std::size_t i = 0; i < all->hits.size(); ++i)
          ASSERT_EQ(some->hits[i].doc, all->hits[i].doc) << text << " at " << i;
        EXPECT_EQ(some->total, std::min<std::uint64_t>(track, all->total));
        EXPECT_EQ(some->total_is_least, all->total > track);
      }
    }
}

TEST(QueryDifferential, SortsAndPagesAsTheBruteForceEvaluatorDoes) {
  RandomEvents events(Seed() + 1);
  Corpus corpus(events, {1500, 5, 1100, 1200});
  QueryContext context;
  for (int round = 0; round < 24; ++round) {
    const auto text = events.Query(1);
    const auto json = codec::Json::Parse(text).value();
    const bool descending = round % 2 == 0;
    const std::string field = round % 3 == 0 ? "t" : round % 3 == 1 ? "n" : "k";
    HitsRequest request;
    request.query = ParseQuery(json).value();
    request.sort.push_back({SortField::By::kField, field, descending, false, {}, {}});
    request.sort.push_back({SortField::By::kDocument, {}, false, false, {}, {}});
    request.size = 7 + events.random().Below(300);
    request.track_total = std::numeric_limits<std::uint64_t>::max();

    std::vector<std::size_t> expected;
    std::vector<std::optional<std::string>> keys;
    for (std::size_t i = 0; i < corpus.parsed.size(); ++i) {
      std::optional<std::string> best;
      for (const auto& value : Oracle::Values(corpus.parsed[i], field)) {
        auto key =
            value.is_string() ? std::string(value.StringOr("")) : std::to_string(value.IntOr(0) + 2'000'000);
        if (!best || (descending ? key > *best : key < *best)) best = std::move(key);
      }
      keys.push_back(best);
      if (Oracle::Matches(corpus.parsed[i], json)) expected.push_back(i);
    }
    std::sort(expected.begin(), expected.end(), [&](auto a, auto b) {
      if (keys[a] == keys[b]) return a < b;
      if (!keys[a] || !keys[b]) return keys[a].has_value();
      return descending ? *keys[a] > *keys[b] : *keys[a] < *keys[b];
    });

    std::vector<std::size_t> paged;
    for (int page = 0; page < 1000; ++page) {
      const auto result = SearchSegments(corpus.segments, request, context, {}, nullptr);
      ASSERT_TRUE(result.ok());
      ASSERT_EQ(result->total, expected.size()) << text;
      for (const auto& hit : result->hits) paged.push_back(corpus.bases[hit.segment] + hit.doc);
      if (result->hits.size() < request.size) break;
      request.search_after = result->hits.back().sort;
    }
    ASSERT_EQ(paged, expected) << "seed " << Seed() << ": " << text << " by " << field;

    // Without a count, blocks and segments are skipped; the hits stay the same.
    request.search_after.clear();
    request.track_total = 1;
    request.from = 2;
    const auto skipping = SearchSegments(corpus.segments, request, context, {}, nullptr);
    ASSERT_TRUE(skipping.ok());
    std::vector<std::size_t> page,
        same(expected.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(2, expected.size())),
             expected.begin() + static_cast<std::ptrdiff_t>(std::min(2 + request.size, expected.size())));
    for (const auto& hit : skipping->hits) page.push_back(corpus.bases[hit.segment] + hit.doc);
    ASSERT_EQ(page, same) << text;
    ASSERT_EQ(CountMatches(corpus.segments, request.query, context, {}).value(), expected.size());
  }
}

}  // namespace
}  // namespace honryu::search
