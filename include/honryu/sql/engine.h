#pragma once

#include "honryu/base/result.h"
#include "honryu/sql/state_spill.h"
#include "honryu/sql/table_function.h"
#include "honryu/sql/value.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// A record as a shard has it.
struct SourceRecord {
  std::string_view data;  ///< A JSON object.
  std::int64_t arrival_ms = 0;
  std::string_view partition_key, sequence_number;
};

struct EngineOptions {
  /// CURRENT_TIMESTAMP, and the clock's first reading.
  std::int64_t start_ms = 0;
  /// A shard that showed nothing for this long does not hold results back.
  std::int64_t idle_timeout_ms = 5000;
  /// Event times further ahead of the arrival than this are set back to it.
  std::int64_t max_skew_ms = 300'000;
  /// Groups that one operator may hold; a row that needs one more goes to the error stream. 0: no bound.
  std::size_t max_groups = 10'000'000;
  /// Memory of all that grows with the rows, about: groups, sessions, sliding frames, rows that joins and
  /// sorts hold or that wait for the watermark. Beyond it what was not used lately, or is needed last, goes
  /// to `spill`. 0: no bound. Table functions and reference tables do not count: what they hold is bounded by
  /// their arguments, and by the table.
  std::size_t max_state_bytes = 0;
  /// Must outlive the engine, which empties it. While it has no room, or if there is none, a row that would
  /// have to be held, or that needs a new group, beyond the bound goes to the error stream (StateLimit); what
  /// is there goes on, exactly. With a spill, the groups of a window come out in the order of their keys,
  /// whatever is spilled; without one, in the order in which they came.
  StateSpill* spill = nullptr;
  TableFunctionRegistry functions;
};

/// A row of a result stream. The references hold during the call only.
struct OutputRow {
  const std::string& stream;
  const Columns& columns;
  const Row& row;  ///< May have further values behind the columns.
};

struct EngineCounters {
  std::uint64_t rows_in = 0;               ///< Records given in.
  std::uint64_t rows_out = 0;              ///< Rows of result streams.
  std::uint64_t error_rows = 0;            ///< Rows that went to the error stream.
  std::uint64_t late_rows = 0;             ///< Rows behind the watermark.
  std::uint64_t clamped_times = 0;         ///< Event times that lay too far ahead.
  std::uint64_t skipped_partial_rows = 0;  ///< Early results that an aggregate above did not take.
};

/// What one operator holds.
struct OperatorState {
  std::string pump;            ///< The query that it belongs to.
  std::string_view kind;       ///< "windows", "sessions", "over", "join", ….
  std::size_t bytes = 0;       ///< Memory.
  std::size_t entries = 0;     ///< Groups, sessions or rows, spilled ones included.
  std::size_t spilled = 0;     ///< Those in the spill.
  double bytes_per_entry = 0;  ///< Memory of one that is not spilled.
};

/// Where records of shards go: an engine, or one of its lanes. Sources and shards are numbers that it gave.
class Intake {
 public:
  virtual ~Intake() = default;
  virtual void Push(std::size_t source, std::size_t shard, const SourceRecord& record) = 0;
  /// In place of Push, for a record that the host could not make rows of: it becomes a row of ERROR_STREAM.
  virtual void Reject(std::size_t source, const SourceRecord& record, std::string_view name,
                      std::string message) = 0;
  /// The same for values in place of JSON, one per column.
  virtual void PushRow(std::size_t source, std::size_t shard, std::int64_t arrival_ms,
                       std::vector<Value> values) = 0;
};

class Lane;

/// Runs a program of stream SQL: rows and time in, result rows out. Pure and deterministic: the same calls
/// give the same rows, also across Snapshot and Restore. Rows come out during the calls that cause them. Not
/// thread-safe.
///
/// Time: a stream with a watermark has event time, others the time of arrival. The watermark of a source is
/// the least over its shards of what each has shown, less the bound; shards that are idle (by AdvanceTime) do
/// not count, and when all are, the watermark follows the clock. A source without shards stands still.
///
/// Streams that appear by themselves: ERROR_STREAM, for rows that could not be processed, and LATE_ROWS.
class Engine : public Intake {
 public:
  using Sink = std::function<void(const OutputRow& output)>;

  /// `prelude` declares what the host feeds (may be empty); `program` is the user's. kInvalidArgument, with
  /// the place shown, for errors in either.
  static Result<std::unique_ptr<Engine>> Create(std::string_view prelude, std::string_view program,
                                                EngineOptions options, Sink sink);
  /// The plan of a program as text.
  static Result<std::string> Explain(std::string_view prelude, std::string_view program,
                                     const TableFunctionRegistry& functions);

  /// A stream that takes records: one that no query of the program writes. kNotFound, kFailedPrecondition.
  virtual Result<std::size_t> FindSource(std::string_view stream) const = 0;
  /// Names of the sources that queries read.
  virtual std::vector<std::string> Sources() const = 0;
  /// Adds a shard of a source, or finds it again after Restore.
  virtual std::size_t AddShard(std::size_t source, std::string_view shard) = 0;
  /// The shard has ended: it holds nothing back any more. Its children are to be added before, so that the
  /// watermark waits for them.
  virtual void CloseShard(std::size_t source, std::size_t shard) = 0;
  /// Whether records of the shard are known to wait unread: while they do, it is not idle, however long
  /// nothing is pushed. False at first.
  virtual void SetBehind(std::size_t source, std::size_t shard, bool behind) = 0;
  /// Moves the clock; idle shards, EMIT EVERY. Never goes back.
  virtual void AdvanceTime(std::int64_t now_ms) = 0;
  /// Says that nothing older comes from a source, whatever its shards have shown.
  virtual void AdvanceWatermark(std::size_t source, std::int64_t watermark_ms) = 0;
  /// Nothing comes any more: every window closes.
  virtual void Finish() = 0;

  /// Whether the program has aggregates that lanes begin; without, lanes gain little.
  virtual bool HasFirstPhase() const = 0;
  /// A lane of this engine, which must outlive it.
  virtual Result<std::unique_ptr<Lane>> MakeLane() const = 0;
  /// Takes what lanes of this engine found in a round (see lane.h), in this order.
  virtual void MergeLanes(std::span<const std::unique_ptr<Lane>> lanes) = 0;

  /// Puts rows into a reference table in place of those it had, between two rows. kNotFound;
  /// kInvalidArgument: a row has another number of values than the table has columns.
  virtual Result<void> SetTable(std::string_view table, std::vector<std::vector<Value>> rows) = 0;
  virtual Result<Columns> TableColumns(std::string_view table) const = 0;

  /// All state but the reference tables, spilled state included. Empty if the spill cannot be read: see
  /// Status.
  virtual std::string Snapshot() const = 0;
  /// Takes a snapshot of the same program; the engine must be new. kCorrupt; kFailedPrecondition: of another
  /// program or a newer version. After an error the engine is of no use.
  virtual Result<void> Restore(std::string_view snapshot) = 0;

  /// The spill's error, if it failed other than for lack of room. Since then the engine takes and gives
  /// nothing: what it had is to be restored from the last snapshot into a new one.
  virtual Result<void> Status() const = 0;

  virtual EngineCounters counters() const = 0;
  /// Memory, without the spill.
  virtual std::size_t StateBytes() const = 0;
  /// Groups, sessions and rows held, in memory and in the spill.
  virtual std::size_t StateEntries() const = 0;
  /// What each operator that holds state has.
  virtual std::vector<OperatorState> OperatorStates() const = 0;
};

}  // namespace honryu::sql
