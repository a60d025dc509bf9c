#pragma once

#include "honryu/sql/engine.h"

#include <cstddef>
#include <string_view>

namespace honryu::sql {

/// The first phase of an engine's program, for some of the shards, on a thread of its own: it parses records,
/// runs what needs no state (filters, projections, lookups in tables), and begins the aggregates; states and
/// rows that the rest of the program needs go to the engine, which has the clock, puts the states of all
/// lanes together, closes windows and gives the rows. It keeps nothing from one round to the next.
///
/// A round: Begin for every lane; shards are added and records pushed, by each lane on its thread; End, there
/// too; then Engine::MergeLanes with all of them. The engine and its tables stand still meanwhile.
///
/// The rows are those of an engine to which the same records were pushed, but for this: which rows are late
/// is judged by the watermark at the round's beginning, not by younger rows of the same round; sums of
/// doubles may differ in their last digits; a group that finds no room (StateLimit) and states whose sum
/// overflows are told once a lane, not row by row. Not thread-safe.
class Lane : public Intake {
 public:
  virtual void Begin() = 0;
  /// Of this round: gives the number for Push. Sources have the engine's numbers. The engine must know the
  /// shard.
  virtual std::size_t AddShard(std::size_t source, std::string_view shard) = 0;
  virtual void End() = 0;
};

}  // namespace honryu::sql
