#include "reshape.h"

#include "honryu/broker/sequence.h"

#include <algorithm>

namespace honryu::broker {

std::vector<ReshapeStep> NextSteps(const StreamState& state) {
  const std::vector<UInt128>& starts = state.target_starts;
  std::vector<ReshapeStep> steps;
  if (starts.empty()) return steps;
  for (const std::size_t i : state.open) {
    const Shard& shard = state.stream.shards[i];
    const auto inside = std::upper_bound(starts.begin(), starts.end(), shard.hash_start);
    const auto beyond = std::upper_bound(starts.begin(), starts.end(), shard.hash_end);
    if (inside != beyond) steps.push_back({i, std::nullopt, *(inside + (beyond - inside) / 2)});
  }
  if (!steps.empty()) return steps;
  for (std::size_t n = 1; n < state.open.size(); ++n) {
    const Shard& second = state.stream.shards[state.open[n]];
    if (std::binary_search(starts.begin(), starts.end(), second.hash_start)) continue;
    steps.push_back({state.open[n - 1], state.open[n], {}});
    ++n;  // neither of the two takes part in another merge of this round
  }
  return steps;
}

namespace {

void Apply(const ReshapeStep& step, std::int64_t now_s, StreamState& state) {
  std::vector<std::size_t> parents{step.first};
  if (step.second) parents.push_back(*step.second);
  std::int64_t end_s = now_s;
  for (const std::size_t parent : parents) end_s = std::max(end_s, state.created_s[parent]);
  for (const std::size_t parent : parents) {
    Shard& shard = state.stream.shards[parent];
    shard.ending = EncodeSequence({state.created_s[parent], kEndCounter, end_s, shard.index});
  }
  const auto open = [&](const UInt128& start, const UInt128& end) {
    Shard child;
    child.index = state.next_shard++;
    child.hash_start = start;
    child.hash_end = end;
    child.starting = EncodeSequence({end_s + 1, 0, end_s + 1, child.index});
    child.parent = state.stream.shards[step.first].index;
    if (step.second) child.adjacent_parent = state.stream.shards[*step.second].index;
    state.partitions.push_back(state.stream.incarnation << 32 | child.index);
    state.epochs.push_back(0);
    state.stream.shards.push_back(child);
  };
  const Shard first = state.stream.shards[step.first];
  if (step.second) {
    open(first.hash_start, state.stream.shards[*step.second].hash_end);
  } else {
    open(first.hash_start, UInt128::FromNative(step.at.native() - 1));
    open(step.at, first.hash_end);
  }
}

}  // namespace

StreamState AfterSteps(const StreamState& state, const std::vector<ReshapeStep>& steps, std::int64_t now_s) {
  StreamState next = state;
  for (const ReshapeStep& step : steps) Apply(step, now_s, next);
  next.SortOpen();
  return next;
}

}  // namespace honryu::broker
