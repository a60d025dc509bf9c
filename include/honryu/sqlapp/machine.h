#pragma once

#include "honryu/base/uint128.h"
#include "honryu/client/stream_client.h"
#include "honryu/sql/lane.h"
#include "honryu/sqlapp/program.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sqlapp {

/// What a cut does with one shard; shards are numbered in the order in which they were added.
struct ShardStep {
  std::uint32_t shard = 0;
  bool added = false;        ///< The shard is new: `stream` and `id` say which.
  std::uint32_t stream = 0;  ///< Index into Program::InputStreams().
  std::string id;
  bool restarted = false;              ///< It is another shard of the same name: positions begin anew.
  std::optional<SequenceNumber> upto;  ///< Its records up to here are taken.
  std::optional<bool> behind;          ///< From now on: records of it may wait unread.
  bool closed = false;                 ///< It has ended, and its children are known.
  /// Its records, and those of the steps behind it, go to the next lane; in a cut without such a step, all go
  /// straight into the engine.
  bool next_lane = false;

  friend bool operator==(const ShardStep&, const ShardStep&) = default;
};

/// From a cut on a reference table has another content. Whoever applies the cut puts it in before.
struct TableStep {
  std::uint32_t table = 0;    ///< Index into Program::tables.
  std::uint64_t content = 0;  ///< ContentId.

  friend bool operator==(const TableStep&, const TableStep&) = default;
};

/// One step of an application: all that the outcome of its work depends on, besides the records themselves. A
/// list of cuts, written down before their results go out, is what makes a run repeatable. Which records go
/// through which lane stands in it, so that a process with other settings, or another number of cores, gives
/// the same rows with the same numbers.
struct Cut {
  std::uint64_t number = 0;
  std::int64_t now_ms = 0;
  std::vector<TableStep> tables;
  std::vector<ShardStep> steps;

  friend bool operator==(const Cut&, const Cut&) = default;
};

/// Records of a cut by shard number, in order.
using CutRecords = std::map<std::uint32_t, std::vector<client::StreamRecord>>;

/// Calls work(0) to work(count - 1), beside each other where it can, and returns when all have returned.
using Fork = std::function<void(std::size_t count, const std::function<void(std::size_t)>& work)>;

void AppendCut(const Cut& cut, std::string& out);
/// nullopt: the bytes are none that AppendCut wrote.
std::optional<Cut> TakeCut(std::string_view& in);

/// The engine of a program with what it knows about its shards. Deterministic: the same cuts with the same
/// records give the same rows, also across Snapshot and Restore. Records (out of their aggregates) are opened
/// here, one at a time, as Program::openings says; what does not open becomes a row of ERROR_STREAM for each
/// source that wanted it open. Records of a cut in several lanes (sql::Lane) are worked on side by side. Not
/// thread-safe.
class Machine {
 public:
  using Sink = std::function<void(const sql::OutputRow& row, std::uint64_t cut, std::uint64_t ordinal)>;
  struct Shard {
    std::uint32_t stream = 0;
    std::string id;
    std::optional<SequenceNumber> position;  ///< The last record taken.
    bool behind = true, closed = false;
    std::int64_t last_data_ms = 0;
    std::vector<std::size_t> numbers;  ///< In the engine, per source of the stream.
  };
  struct Counters {
    std::uint64_t rows_in = 0, rows_out = 0, error_rows = 0, late_rows = 0;
  };
  /// How many lanes a cut has; 1: all its records go straight into the engine.
  static std::size_t LanesOf(const Cut& cut);

  /// `program` must outlive it. `fork` is used by Apply only; without it, lanes work one after the other.
  static Result<std::unique_ptr<Machine>> Create(const Program& program, sql::EngineOptions options,
                                                 Sink sink, Fork fork = {});

  void Apply(const Cut& cut, const CutRecords& records);
  /// Nothing comes any more: every window closes.
  void Finish();
  /// Whether cuts with several lanes gain anything.
  bool HasFirstPhase() const { return engine_->HasFirstPhase(); }
  Result<void> SetTable(const std::string& table, std::vector<std::vector<sql::Value>> rows);
  Result<sql::Columns> TableColumns(const std::string& table) const { return engine_->TableColumns(table); }

  std::string Snapshot() const;
  /// Of a new machine. kCorrupt; kFailedPrecondition: of another program or version.
  Result<void> Restore(std::string_view snapshot);

  const std::vector<Shard>& shards() const { return shards_; }
  std::uint64_t last_cut() const { return last_cut_; }
  std::int64_t now_ms() const { return now_ms_; }
  Counters counters() const;
  std::size_t StateBytes() const { return engine_->StateBytes(); }
  std::size_t StateEntries() const { return engine_->StateEntries(); }
  /// Once the spill has failed the machine is of no use; its snapshot neither.
  Result<void> Status() const { return engine_->Status(); }

 private:
  struct Source {
    std::size_t number = 0;  ///< In the engine.
    Opening opening = Opening::kAll;
  };
  class Pusher;
  Machine(const Program& program, sql::EngineOptions options, Sink sink, Fork fork)
      : program_(program), options_(std::move(options)), sink_(std::move(sink)), fork_(std::move(fork)) {}
  Result<void> MakeEngine();
  void Add(Shard& shard);
  void SetBehind(const Shard& shard, bool behind);
  void PushRecords(const Cut& cut, const CutRecords& records);
  void PushInLanes(const std::vector<std::vector<std::uint32_t>>& shards, const CutRecords& records);
  void EndEpochIfQuiet(bool data);

  const Program& program_;
  sql::EngineOptions options_;
  Sink sink_;
  Fork fork_;
  std::unique_ptr<sql::Engine> engine_;
  std::vector<std::unique_ptr<sql::Lane>> lanes_;  ///< Of the engine; as many as a cut had.
  std::vector<std::vector<Source>> sources_;       ///< Per input stream.
  std::vector<Shard> shards_;
  std::map<std::string, std::vector<std::vector<sql::Value>>> tables_;
  std::uint64_t last_cut_ = 0, ordinal_ = 0;
  std::int64_t now_ms_ = 0;
  bool data_in_epoch_ = false;
  Counters before_;  ///< Of engines that are gone.
};

}  // namespace honryu::sqlapp
