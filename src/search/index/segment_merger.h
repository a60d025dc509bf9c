#pragma once

#include "honryu/base/result.h"
#include "search/segment/segment.h"

#include <memory>
#include <string>
#include <vector>

namespace honryu::search {

/// What goes into a merge: a segment, and which of its documents stay.
struct MergeInput {
  std::shared_ptr<const Segment> segment;  // shared: it may be dropped elsewhere meanwhile
  std::vector<bool> keep;                  ///< One a document; empty: all of them.
};

/// The segment file of all kept documents, in the order of the inputs; ids and keys stay. Nothing is analysed
/// anew: dictionaries are merged and postings renumbered, and sources copied in their packed blocks where
/// nothing is dropped. What only dropped documents held (values, tokens) is in no part of the result.
/// `pack_terms`: see SegmentFileWriter. kFailedPrecondition when a field was analysed differently in two
/// inputs; kCorrupt when an input does not hold together.
Result<std::string> MergeSegments(const std::vector<MergeInput>& inputs, bool pack_terms = true);

}  // namespace honryu::search
