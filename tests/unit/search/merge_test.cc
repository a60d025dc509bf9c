#include "oracle.h"
#include "search/index/segment_merger.h"
#include "search/query/matcher.h"
#include "search/query/parse_query.h"
#include "segment_fixture.h"

#include <cstdlib>

namespace honryu::search {
namespace {

std::uint64_t Seed() {
  const char* seed = std::getenv("HONRYU_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 20261121;
}

/// Random events; `few` makes texts repeat, so that their postings go by values.
std::vector<std::string> Documents(RandomEvents& events, std::size_t count, bool few) {
  std::vector<std::string> pool, documents;
  for (int i = 0; few && i < 20; ++i) pool.push_back(events.Document());
  for (std::size_t i = 0; i < count; ++i)
    documents.push_back(few ? pool[events.random().Below(pool.size())] : events.Document());
  return documents;
}

void ExpectSameAnswers(const Segment& segment, const std::vector<codec::Json>& documents,
                       RandomEvents& events) {
  ASSERT_EQ(segment.doc_count(), documents.size());
  QueryContext context;
  for (int round = 0; round < 150; ++round) {
    const auto text = events.Query();
    const auto json = codec::Json::Parse(text).value();
    SegmentMatcher matcher(segment, context);
    const auto docs = matcher.Match(ParseQuery(json).value());
    ASSERT_TRUE(docs.ok());
    std::vector<std::uint32_t> expected;
    for (std::uint32_t doc = 0; doc < documents.size(); ++doc)
      if (Oracle::Matches(documents[doc], json)) expected.push_back(doc);
    ASSERT_EQ(docs->ToVector(), expected) << "seed " << Seed() << ": " << text;
  }
}

TEST(MergeSegments, AnswersAsABruteForceEvaluatorDoes) {
  RandomEvents events(Seed() + 3);
  for (int round = 0; round < 8; ++round) {
    Mapping mapping;
    ASSERT_TRUE(mapping.Merge(RandomEvents::kMapping).ok());
    std::vector<MergeInput> inputs;
    std::vector<codec::Json> kept;
    std::vector<std::string> ids;
    for (int part = 0; part < 3; ++part) {
      const bool few = (round >> part & 1) != 0;
      const auto documents = Documents(events, part == 1 ? 7 : 300, few);
      MergeInput input{BuildSegment(mapping, documents, static_cast<std::uint64_t>(part) * 1000), {}};
      for (std::uint32_t doc = 0; doc < documents.size(); ++doc) {
        if (round % 2 == 1) input.keep.push_back(events.random().Chance(0.7));
        if (!input.keep.empty() && !input.keep[doc]) continue;
        kept.push_back(codec::Json::Parse(documents[doc]).value());
        ids.push_back(input.segment->Id(doc));
      }
      inputs.push_back(std::move(input));
    }
    const auto bytes = MergeSegments(inputs);
    ASSERT_TRUE(bytes.ok()) << bytes.error().ToString();
    const auto merged = OpenSegment(*bytes);
    ASSERT_NE(merged, nullptr);
    ExpectSameAnswers(*merged, kept, events);
    Segment::SourceCache cache;
    for (std::uint32_t doc = 0; doc < kept.size(); ++doc) {
      ASSERT_EQ(merged->Id(doc), ids[doc]);
      ASSERT_EQ(codec::Json::Parse(merged->Source(doc, cache).value()).value().Dump(), kept[doc].Dump());
    }
  }
}

TEST(MergeSegments, NothingOfADroppedDocumentIsLeft) {
  Mapping mapping;
  const auto one = BuildSegment(
      mapping, {R"({"name":"Zebra Crossing","only":7,"email":"z@example.org"})", R"({"name":"common"})"});
  const auto two = BuildSegment(mapping, {R"({"name":"common"})"}, 10);
  const auto bytes = MergeSegments({{one, {false, true}}, {two, {}}});
  ASSERT_TRUE(bytes.ok());
  const auto merged = OpenSegment(*bytes);
  ASSERT_NE(merged, nullptr);
  EXPECT_EQ(merged->doc_count(), 2u);
  EXPECT_EQ(merged->Find("only"), nullptr);
  EXPECT_EQ(merged->Find("email"), nullptr);
  EXPECT_FALSE(merged->Find("name")->keywords->terms.Find("Zebra Crossing"));
  EXPECT_FALSE(merged->Find("name")->text->terms.Find("zebra"));
  EXPECT_EQ(bytes->find("ebra"), std::string::npos);
  EXPECT_EQ(merged->Id(0), "s:1");
}

TEST(MergeSegments, RefusesTwoWaysOfAnalysing) {
  Mapping standard, words;
  ASSERT_TRUE(words.Merge(R"({"properties":{"m":{"type":"text","analyzer":"words"}}})").ok());
  const auto merged = MergeSegments(
      {{BuildSegment(standard, {R"({"m":"a"})"}), {}}, {BuildSegment(words, {R"({"m":"a"})"}), {}}});
  ASSERT_FALSE(merged.ok());
  EXPECT_EQ(merged.error().code(), ErrorCode::kFailedPrecondition);
}

}  // namespace
}  // namespace honryu::search
