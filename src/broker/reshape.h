#pragma once

#include "stream_state.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace honryu::broker {

/// One split or merge of open shards. Indexes are into StreamState::stream.shards.
struct ReshapeStep {
  std::size_t first = 0;
  std::optional<std::size_t> second;  ///< Merge: begins right behind `first`.
  UInt128 at;                         ///< Split: the second child's start.
};

/// The next round of steps towards `state.target_starts`, each with shards of its own: splits before merges,
/// so that every range of the target is made of whole shards; halves first, so that n shards need log n
/// rounds and no shard has more than log n generations. Empty when the open shards are as they shall be.
std::vector<ReshapeStep> NextSteps(const StreamState& state);

/// The state after `steps`: parents closed at `now_s`, children opened a second later, as Kinesis dates them,
/// so that all their numbers are above their parents'. Partitions of the children are named, epochs are 0.
/// Pure.
StreamState AfterSteps(const StreamState& state, const std::vector<ReshapeStep>& steps, std::int64_t now_s);

}  // namespace honryu::broker
