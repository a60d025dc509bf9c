#pragma once

#include "honryu/codec/varint.h"
#include "search/query/doc_set.h"
#include "search/query/field_view.h"
#include "search/segment/segment.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// Tells quickly that a segment has no document with an `_id` (Bloom 1970; ten bits and four probes an id, in
/// one cache line: about 1 % false alarms). Immutable.
class IdFilter {
 public:
  explicit IdFilter(const Segment& segment);
  /// False: certainly not there.
  bool MayHold(std::string_view id) const;
  bool empty() const { return blocks_.empty(); }

 private:
  using Block = std::uint64_t[8];
  struct alignas(64) Line {
    Block bits{};
  };
  std::vector<Line> blocks_;
};

/// A set of documents as the catalogue keeps it: the differences of rising numbers as varints.
std::string EncodeDocs(const DocSet& docs);
/// None when the text is no such set of a segment of this size.
std::optional<DocSet> DecodeDocs(std::string_view text, std::uint32_t doc_count);

}  // namespace honryu::search
