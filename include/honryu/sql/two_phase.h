#pragma once

#include "honryu/base/result.h"
#include "honryu/sql/engine.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// The first phase of a program that runs on several workers: one partial engine a shard, thread or worker,
/// and one final engine (an Engine of the same prelude and program). A partial engine parses records, runs
/// what needs no state, and aggregates its own shards; now and then it gives a shipment of mergeable states
/// (and of the rows that operators without a first phase need), which Engine::Merge takes. The final engine
/// has the watermark (the least over all shards), closes windows, and gives the rows that one Engine fed
/// with all shards would give. Sums of doubles may differ in their last digits, as they are added in another
/// order; FIRST_VALUE, LAST_VALUE, COLLECT and the like take rows of equal time in the order in which they
/// come together. EXPLAIN says which operators have two phases.
///
/// Exactly once: (1) Ship; (2) keep Snapshot with the positions in the shards, together; (3) give the
/// shipment to Engine::Merge; (4) keep the final engine's Snapshot; (5) Acknowledge. After a crash, restore
/// both, and merge Unacknowledged() again: the final engine leaves out what it has. Where all snapshots are
/// kept in one step, the order does not matter.
///
/// Add every shard to the final engine (Engine::AddShard) as soon as it is known, and before its parent is
/// closed, so that the watermark waits for it whichever worker reads it. Not thread-safe; shipments may be
/// made on other threads than the one of the final engine.
class PartialEngine {
 public:
  /// `name` stands for this engine among those of the final one; it goes with its snapshots: a new engine
  /// that begins without one needs a name that was not used before. `options.start_ms` is to be that of the
  /// final engine. Errors as of Engine::Create.
  static Result<std::unique_ptr<PartialEngine>> Create(std::string name, std::string_view prelude,
                                                       std::string_view program, EngineOptions options);
  virtual ~PartialEngine() = default;

  /// As in Engine.
  virtual Result<std::size_t> FindSource(std::string_view stream) const = 0;
  virtual std::vector<std::string> Sources() const = 0;
  virtual std::size_t AddShard(std::size_t source, std::string_view shard) = 0;
  virtual void CloseShard(std::size_t source, std::size_t shard) = 0;
  virtual void SetBehind(std::size_t source, std::size_t shard, bool behind) = 0;
  virtual void Push(std::size_t source, std::size_t shard, const SourceRecord& record) = 0;
  virtual void PushRow(std::size_t source, std::size_t shard, std::int64_t arrival_ms,
                       std::vector<Value> values) = 0;
  /// Moves the clock: it decides which of this engine's shards are idle.
  virtual void AdvanceTime(std::int64_t now_ms) = 0;
  virtual Result<void> SetTable(std::string_view table, std::vector<std::vector<Value>> rows) = 0;
  virtual Result<Columns> TableColumns(std::string_view table) const = 0;

  /// All that was found since the last shipment, and how far the shards have come. Never empty: a shipment
  /// without rows moves the watermark.
  virtual std::string Ship() = 0;
  /// What Engine::Merge said of a shipment; it and those before it are forgotten.
  virtual void Acknowledge(const MergeReply& reply) = 0;
  /// Shipments that were not acknowledged, oldest first.
  virtual std::vector<std::string> Unacknowledged() const = 0;

  /// All state, also what is not shipped or acknowledged. Restore as in Engine.
  virtual std::string Snapshot() const = 0;
  virtual Result<void> Restore(std::string_view snapshot) = 0;
  /// rows_in, clamped_times and error_rows of this engine; they are part of shipments, too.
  virtual EngineCounters counters() const = 0;
  virtual std::size_t StateBytes() const = 0;
  virtual std::size_t StateEntries() const = 0;
};

}  // namespace honryu::sql
