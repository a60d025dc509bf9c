#include "reshape.h"

#include "honryu/broker/sequence.h"

#include <algorithm>

namespace honryu::broker {

std::optional<ReshapeStep> NextStep(const StreamState& state) {
  const std::vector<UInt128>& starts = state.target_starts;
  if (starts.empty()) return std::nullopt;
  for (const std::size_t i : state.open) {
    const Shard& shard = state.stream.shards[i];
    const auto inside = std::upper_bound(starts.begin(), starts.end(), shard.hash_start);
    const auto beyond = std::upper_bound(starts.begin(), starts.end(), shard.hash_end);
    if (inside != beyond) return ReshapeStep{i, std::nullopt, *(inside + (beyond - inside) / 2)};
  }
  for (std::size_t n = 1; n < state.open.size(); ++n) {
    const Shard& second = state.stream.shards[state.open[n]];
    if (!std::binary_search(starts.begin(), starts.end(), second.hash_start))
      return ReshapeStep{state.open[n - 1], state.open[n], {}};
  }
  return std::nullopt;
}

StreamState AfterStep(const StreamState& state, const ReshapeStep& step, std::int64_t now_s) {
  StreamState next = state;
  std::vector<std::size_t> parents{step.first};
  if (step.second) parents.push_back(*step.second);
  std::int64_t end_s = now_s;
  for (const std::size_t parent : parents) end_s = std::max(end_s, state.created_s[parent]);
  for (const std::size_t parent : parents) {
    Shard& shard = next.stream.shards[parent];
    shard.ending = EncodeSequence({state.created_s[parent], kEndCounter, end_s, shard.index});
  }
  const auto open = [&](const UInt128& start, const UInt128& end) {
    Shard child;
    child.index = next.next_shard++;
    child.hash_start = start;
    child.hash_end = end;
    child.starting = EncodeSequence({end_s + 1, 0, end_s + 1, child.index});
    child.parent = state.stream.shards[step.first].index;
    if (step.second) child.adjacent_parent = state.stream.shards[*step.second].index;
    next.partitions.push_back(state.stream.incarnation << 32 | child.index);
    next.epochs.push_back(0);
    next.stream.shards.push_back(child);
  };
  const Shard first = state.stream.shards[step.first];
  if (step.second) {
    open(first.hash_start, state.stream.shards[*step.second].hash_end);
  } else {
    open(first.hash_start, UInt128::FromNative(step.at.native() - 1));
    open(step.at, first.hash_end);
  }
  next.SortOpen();
  return next;
}

}  // namespace honryu::broker
