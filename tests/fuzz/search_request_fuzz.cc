// A _search body over a small segment: whatever comes, it is refused or answered with JSON, and nothing
// outside the segment is read. Inputs that are no JSON are taken as query_string and simple_query_string.
#include "honryu/base/check.h"
#include "search/index/segment_builder.h"
#include "search/query/query_string.h"
#include "search/request/search_request.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace honryu;
using namespace honryu::search;

const std::vector<IndexedSegment>& Segments() {
  static const std::vector<IndexedSegment> segments = [] {
    static Mapping mapping;
    HONRYU_CHECK(
        mapping
            .Merge(R"({"properties":{"g":{"type":"geo_point"},"k":{"type":"keyword"},"t":{"type":"date"}}})")
            .ok(),
        "the mapping is refused");
    std::vector<IndexedSegment> made;
    for (std::uint64_t s = 0; s < 1; ++s) {
      SegmentBuilder builder(mapping);
      DocumentParser parser;
      for (std::uint64_t i = 0; i < 6; ++i) {
        const std::string source =
            R"({"w":"error login 東京都 )" + std::to_string(i) + R"(","k":["a)" + std::to_string(i % 7) +
            R"(","b"],"n":)" + std::to_string(static_cast<int>(i) - 9) + R"(,"x":)" + std::to_string(i) +
            R"(.5,"b":true,"t":"2026-11-)" + std::to_string(10 + i % 15) +
            R"(T10:00:00Z","g":{"lat":35.5,"lon":)" + std::to_string(i) + R"(},"o":{"s":"é"}})";
        auto object = parser.Parse(source);
        HONRYU_CHECK(object.ok(), "the document is refused");
        builder.Add(source, *object, {"s", s * 6 + i, 0, {}, {}}, static_cast<std::int64_t>(i));
      }
      made.push_back({"events", Segment::Open(Bytes(builder.Finish()), Checking::kNever).value()});
    }
    return made;
  }();
  return segments;
}

void Run(const SearchRequest& request) {
  const QueryContext context{1'795'219'200'000};
  const auto answer = RunSearch(Segments(), request, context, {});
  if (answer.ok()) HONRYU_CHECK(codec::Json::Parse(*answer).ok(), "the answer is no JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto json = codec::Json::Parse(input);
  if (json.ok()) {
    const auto request = ParseSearchRequest(*json, 0);
    if (request.ok()) Run(*request);
    return 0;
  }
  SearchRequest request;
  if (auto query = ParseQueryString(input, {}); query.ok()) {
    request.hits.query = std::move(*query);
    Run(request);
  }
  request.hits.query = ParseSimpleQueryString(input, {});
  Run(request);
  return 0;
}
