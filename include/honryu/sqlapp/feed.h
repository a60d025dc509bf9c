#pragma once

#include "honryu/sqlapp/machine.h"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace honryu::sqlapp {

/// Gathers what is read from the shards and decides on cuts. A cut has what came up to the time at which
/// every silent shard last answered: its rows must not come behind younger ones of its neighbours only
/// because nobody had asked it meanwhile. What came came when it was read, or, of older records, some seconds
/// after its arrival: a shard that is read to its end does not keep others from catching up. A shard whose
/// records wait holds event time back. Not thread-safe.
///
///   answers (ms):  A: 100 (rows)  B: 40 (none)    the cut's time is 40, A's rows wait, A is behind
///                  B: 103 (rows)                  nobody is silent: both are taken
class Feed {
 public:
  struct Config {
    std::size_t max_records = 20'000;        ///< Of a shard that wait for a cut; then reading waits.
    std::size_t max_bytes = 8 << 20;         ///< The same in bytes.
    std::size_t max_total_bytes = 64 << 20;  ///< Of all shards together.
    /// A shard that gives no answer for this long holds back event time, but not the others' records.
    std::int64_t patience_ms = 5000;
    /// Records of a cut that are worked on side by side go to as many lanes at most, in contiguous runs of
    /// shards of about the same size; 1: never. For a cut that is worth it only.
    std::size_t lanes = 1;
    std::size_t min_lane_bytes = 16 << 10;  ///< A lane's share of a cut that is worth it.
  };
  explicit Feed(Config config) : config_(config) {}

  /// Takes over the shards of a machine that was restored, before anything is read.
  void Resume(const Machine& machine);

  // What readers tell; `stream` is an index into Program::InputStreams().

  void OnShards(std::uint32_t stream, const std::vector<client::ShardDescription>& shards);
  /// A reader begins; gives the position behind which to read, nullopt: from where the application begins.
  std::optional<SequenceNumber> OnStart(std::uint32_t stream, const std::string& shard, std::int64_t now_ms);
  /// It is another shard of the same name: what was known of positions is forgotten. Before OnStart.
  void OnRestart(std::uint32_t stream, const std::string& shard);
  /// True while records must wait before they are given to OnRecords.
  bool Full(std::uint32_t stream, const std::string& shard) const;
  /// `caught_up`: the end of the shard was reached. Records that were seen before are left out.
  void OnRecords(std::uint32_t stream, const std::string& shard,
                 const std::vector<client::StreamRecord>& records, bool caught_up, std::int64_t now_ms);
  /// A read found nothing.
  void OnEmpty(std::uint32_t stream, const std::string& shard, std::int64_t now_ms);
  /// The closed shard was read to its end.
  void OnEnd(std::uint32_t stream, const std::string& shard);
  /// It is not read any more, for now.
  void OnLost(std::uint32_t stream, const std::string& shard);

  /// The next cut with its records; nullopt: nothing has changed, not even time, and none is `wanted` for
  /// another reason.
  std::optional<Cut> Next(std::int64_t now_ms, CutRecords& records, bool wanted = false);

  /// Tells which cut of an earlier run comes next, so that there is room for its records.
  void Await(const Cut& cut);
  /// Whether its records are here (or are no more).
  bool Has(const Cut& cut) const;
  /// Takes them.
  void Take(const Cut& cut, CutRecords& records);

  bool empty() const { return bytes_ == 0; }
  /// Every shard that is listed was read to its present end, and all of it was taken.
  bool caught_up() const;
  /// Records wait in such numbers that the next cut should not be waited for.
  bool pressing() const { return bytes_ > config_.max_total_bytes / 8; }

 private:
  using Key = std::pair<std::uint32_t, std::string>;
  struct Chunk {
    std::vector<client::StreamRecord> records;
    std::int64_t due_ms = 0;  ///< It may be taken once silent shards have answered after this.
    std::size_t bytes = 0;
  };
  struct Shard {
    std::optional<std::uint32_t> number;  ///< In the machine.
    bool listed = false, started = false, ended = false, closed = false;
    bool caught_up = false;  ///< As of the last answer.
    bool behind = true;      ///< What the machine was told.
    bool restarted = false;  ///< The machine must be told.
    std::int64_t answered_ms = 0;
    std::optional<SequenceNumber> read;    ///< The last record here or taken.
    std::optional<SequenceNumber> needed;  ///< For an earlier run's cut.
    std::deque<Chunk> chunks;
    std::size_t records = 0, bytes = 0;
  };

  bool Holds(const Shard& shard, std::int64_t now_ms) const;
  std::optional<SequenceNumber> TakeChunks(Shard& shard, std::int64_t until_ms,
                                           std::vector<client::StreamRecord>& out);
  void AssignLanes(Cut& cut, const CutRecords& records) const;
  void TakeUpTo(Shard& shard, const SequenceNumber& upto, std::vector<client::StreamRecord>& out);
  void Forget(Shard& shard, const Chunk& chunk);

  const Config config_;
  std::map<Key, Shard> shards_;
  std::vector<Key> numbered_;
  std::map<std::uint32_t, std::set<std::string>> parents_;  ///< Shards whose children are known, per stream.
  std::set<std::uint32_t> listed_;                          ///< Streams whose shards are known.
  std::uint64_t last_cut_ = 0;
  std::int64_t last_ms_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace honryu::sqlapp
