#pragma once

#include "stream_state.h"

#include <cstddef>
#include <optional>

namespace honryu::broker {

/// One split or merge of open shards. Indexes are into StreamState::stream.shards.
struct ReshapeStep {
  std::size_t first = 0;
  std::optional<std::size_t> second;  ///< Merge: begins right behind `first`.
  UInt128 at;                         ///< Split: the second child's start.
};

/// The next step towards `state.target_starts`: splits before merges, so that every range of the target is
/// made of whole shards; nullopt when the open shards are as they shall be.
std::optional<ReshapeStep> NextStep(const StreamState& state);

/// The state after `step`: parents closed at `now_s`, children opened a second later, as Kinesis dates them,
/// so that all their numbers are above their parents'. Partitions of the children are named, epochs are 0.
/// Pure.
StreamState AfterStep(const StreamState& state, const ReshapeStep& step, std::int64_t now_s);

}  // namespace honryu::broker
