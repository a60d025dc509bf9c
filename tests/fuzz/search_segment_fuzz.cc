// The segment reader on a damaged segment whose checksums fit: the input is pairs of (place, byte) that are
// written into a good one, behind which its directory's checksum is made right. It is refused, or every
// search ends within it; with the sections' checksums compared, no answer differs from that of the good one.
#include "honryu/base/check.h"
#include "honryu/base/crc32c.h"
#include "honryu/codec/endian.h"
#include "search/index/segment_builder.h"
#include "search/index/segment_merger.h"
#include "search/request/search_request.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace honryu;
using namespace honryu::search;

const std::string& Good() {
  static const std::string good = [] {
    static Mapping mapping;
    SegmentBuilder builder(mapping);
    DocumentParser parser;
    for (std::uint64_t i = 0; i < 200; ++i) {
      const std::string source = R"({"w":"error login 東京都 )" + std::to_string(i) + R"(","k":"a)" +
                                 std::to_string(i % 7) + R"(","n":)" + std::to_string(i) + R"(,"x":)" +
                                 std::to_string(i) + R"(.5,"b":true,"l":")" + std::string(300, 'l') + "\"}";
      auto object = parser.Parse(source);
      HONRYU_CHECK(object.ok(), "the document is refused");
      builder.Add(source, *object, {"s", i, 0, {}, {}}, static_cast<std::int64_t>(i));
    }
    return builder.Finish();
  }();
  return good;
}

const SearchRequest& Everything() {
  static const SearchRequest request = [] {
    const auto body = codec::Json::Parse(
        R"({"size":30,"query":{"bool":{"should":[{"match":{"w":"京 error"}},{"match_phrase":{"w":"login 東京都"}},{"wildcard":{"k.keyword":"*1"}},
           {"term":{"l.keyword":"x"}},{"range":{"n":{"gte":3}}},{"exists":{"field":"x"}}]}},"sort":["_score",{"n":"desc"},"k.keyword"],
           "aggs":{"k":{"terms":{"field":"k"},"aggs":{"x":{"stats":{"field":"x"}}}},"c":{"cardinality":{"field":"w.keyword"}},
                   "p":{"percentiles":{"field":"n"}},"b":{"terms":{"field":"b"}}}})");
    return ParseSearchRequest(body.value(), 0).value();
  }();
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes = Good();
  for (std::size_t i = 0; i + 4 <= size; i += 4) {
    const std::size_t place =
        data[i] | static_cast<std::size_t>(data[i + 1]) << 8 | static_cast<std::size_t>(data[i + 2]) << 16;
    bytes[place % bytes.size()] = static_cast<char>(data[i + 3]);
  }
  const bool changed = bytes != Good();
  const QueryContext context{1'795'219'200'000};
  // With its sections' checksums: an answer that is not marked as damaged is the good one's.
  static const std::string answer =
      RunSearch({{"i", Segment::Open(Bytes(Good()), Checking::kNow).value()}}, Everything(), context, {})
          .value();
  if (const auto checked = Segment::Open(Bytes(bytes), Checking::kWhenUsed); checked.ok()) {
    const auto found = RunSearch({{"i", *checked}}, Everything(), context, {});
    if (!(*checked)->damaged())
      HONRYU_CHECK(found.ok() && *found == answer, "damage that no checksum shows changed an answer");
    else
      HONRYU_CHECK(changed, "a good segment counts as damaged");
  }
  // And without: the directory's checksum is made to fit.
  const std::size_t trailer = bytes.size() - 32;
  const auto offset = codec::LoadU64(bytes.data() + trailer);
  const auto length = codec::LoadU32(bytes.data() + trailer + 8);
  if (offset <= trailer && length <= trailer - offset) {
    std::string crc;
    codec::AppendU32(crc, Crc32c(std::string_view(bytes).substr(offset, length)));
    bytes.replace(trailer + 12, 4, crc);
  }
  const auto segment = Segment::Open(Bytes(std::move(bytes)), Checking::kNever);
  if (!segment.ok()) return 0;
  (void)RunSearch({{"i", *segment}}, Everything(), context, {}).ok();
  (void)MergeSegments({{*segment, {}}, {*segment, std::vector<bool>((*segment)->doc_count(), true)}}).ok();
  return 0;
}
