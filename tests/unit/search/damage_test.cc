#include "oracle.h"
#include "search/index/segment_merger.h"
#include "search/request/search_request.h"
#include "segment_fixture.h"

namespace honryu::search {
namespace {

/// Between opening a store and checking a segment's checksums, searches may meet damage: answers may then be
/// wrong, but nothing outside the file is read and everything ends.
TEST(DamagedSegment, SearchesAndMergesEndAndStayWithinTheFile) {
  RandomEvents events(20261121);
  Mapping mapping;
  ASSERT_TRUE(mapping.Merge(RandomEvents::kMapping).ok());
  std::vector<std::string> documents;
  for (int i = 0; i < 600; ++i) documents.push_back(events.Document());
  const auto bytes = SegmentBytes(mapping, documents);
  QueryContext context;
  int opened = 0;
  for (int round = 0; round < 400; ++round) {
    auto damaged = bytes;
    for (auto n = 1 + events.random().Below(6); n > 0; --n)
      damaged[events.random().Below(damaged.size())] = static_cast<char>(events.random().Next());
    auto segment = Segment::Open(Bytes(std::move(damaged)), Checking::kNever);
    if (!segment.ok()) continue;
    ++opened;
    const std::vector<IndexedSegment> segments{{"i", *segment}};
    for (int q = 0; q < 4; ++q) {
      const auto body = R"({"size":20,"query":)" + events.Query() +
                        (q % 2 == 0 ? R"(,"sort":[{"t":"desc"},"k"])" : "") +
                        R"(,"aggs":{"k":{"terms":{"field":"k"},"aggs":{"s":{"stats":{"field":"n"}}}},
                           "d":{"date_histogram":{"field":"t","fixed_interval":"12h","min_doc_count":1}},
                           "c":{"cardinality":{"field":"w.keyword"}},"p":{"percentiles":{"field":"x"}}}})";
      const auto request = ParseSearchRequest(codec::Json::Parse(body).value(), 0);
      ASSERT_TRUE(request.ok());
      (void)RunSearch(segments, *request, context, {}).ok();
    }
    (void)MergeSegments({{*segment, {}}, {*segment, std::vector<bool>((*segment)->doc_count(), true)}}).ok();
  }
  EXPECT_GT(opened, 50);  // most damage is not to be seen without checksums
}

/// A page of a mapped file that the disk cannot read any more becomes zeros, after Open has checked what it
/// could: requests then end, with whatever answer, and reading stays within the file.
TEST(DamagedSegment, ZerosThatComeAfterOpeningEndNothing) {
  RandomEvents events(20261122);
  Mapping mapping;
  ASSERT_TRUE(mapping.Merge(RandomEvents::kMapping).ok());
  mapping.MarkUnique("w");
  std::vector<std::string> documents;
  for (int i = 0; i < 600; ++i) documents.push_back(events.Document());
  const auto memory = std::make_shared<std::string>(SegmentBytes(mapping, documents));
  const auto whole = *memory;
  const auto opened = Segment::Open(Bytes(memory, *memory), Checking::kNever);
  ASSERT_TRUE(opened.ok());
  const auto& segment = **opened;
  QueryContext context;
  constexpr std::size_t kPage = 512;
  for (std::size_t page = 0; page < whole.size(); page += kPage) {
    std::fill_n(memory->begin() + static_cast<std::ptrdiff_t>(page), std::min(kPage, whole.size() - page),
                '\0');
    Segment::SourceCache cache;
    for (std::uint32_t doc = 0; doc < segment.doc_count(); doc += 7) (void)segment.Source(doc, cache).ok();
    for (int q = 0; q < 2; ++q) {
      const auto body =
          R"({"size":20,"query":)" + (q == 0 ? events.Query() : R"({"exists":{"field":"n"}})") +
          R"(,"sort":[{"t":"desc"},"k"],"aggs":{"k":{"terms":{"field":"k"},"aggs":{"s":{"stats":{"field":"n"}}}},
             "w":{"terms":{"field":"w.keyword"}},"p":{"percentiles":{"field":"x"}}}})";
      const auto request = ParseSearchRequest(codec::Json::Parse(body).value(), 0);
      ASSERT_TRUE(request.ok());
      (void)RunSearch({{"i", *opened}}, *request, context, {}).ok();
    }
    (void)MergeSegments({{*opened, {}}, {*opened, std::vector<bool>(segment.doc_count(), true)}}).ok();
    whole.copy(memory->data() + page, std::min(kPage, whole.size() - page), page);
  }
}

}  // namespace
}  // namespace honryu::search
