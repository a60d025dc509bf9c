#pragma once

#include "honryu/client/stream_client.h"

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::processors::aggregator {

/// What an operator hands out to be stored.
struct OutputRecord {
  bool late = false;  ///< For the stream of late events; else for that of the rows.
  bool final = false;
  std::string partition_key;
  std::string json;
};

/// Turns records of several shards into rows, window by window. The plumbing around it (Aggregator) reads,
/// stores what it drains, and saves its snapshot and safe positions as checkpoints, in this order:
///
///   Process … Process → Drain → Snapshot, SafePosition (of every shard) → rows are durable → both are saved
///
/// so that after a crash, from whatever mix of older and newer saves of the shards, the same final rows come
/// out again or are known to be out. Pure: no I/O, no clock but the times given. Not thread-safe.
class WindowOperator {
 public:
  virtual ~WindowOperator() = default;

  /// All shards that are not finished, and which shards any of them names as a parent. One that was not
  /// started yet holds back event time; so does one that has ended before its children are known, for these
  /// may hold records as old as those of the other shards.
  virtual void SetSources(const std::vector<std::string>& shards, const std::set<std::string>& parents) = 0;
  /// A shard begins, with what was saved for it. The newest state of all shards counts, and may come with any
  /// of them. Gives the position behind which to read (nullopt: from the beginning). kCorrupt: unreadable
  /// state.
  virtual Result<std::optional<SequenceNumber>> StartSource(const std::string& shard,
                                                            std::optional<SequenceNumber> checkpoint,
                                                            std::string_view state, Timestamp now) = 0;
  /// The shard is a new one of the same name (its stream was deleted and made again): what is known of
  /// positions in the former one is forgotten. Before StartSource.
  virtual void RestartSource(const std::string& shard) = 0;
  /// True while the memory of open windows is above its bound and this shard is ahead of another that holds
  /// event time back: its records must wait until that one has caught up. Never true of the last one.
  virtual bool MustWait(const std::string& shard, Timestamp now) const = 0;
  /// Records in order; those seen before are skipped.
  virtual void Process(const std::string& shard, std::span<const client::StreamRecord> records,
                       Timestamp now) = 0;
  /// The shard was just found to have nothing to read.
  virtual void Silent(const std::string& shard, Timestamp now) = 0;
  /// The closed shard was read to its end.
  virtual void EndSource(const std::string& shard) = 0;
  /// The shard is not read by us any more, for now: it holds back event time until it is started again.
  virtual void PauseSource(const std::string& shard) = 0;

  /// Moves event time on and gives the rows that have changed since the last call.
  virtual std::vector<OutputRecord> Drain(Timestamp now) = 0;
  /// Bound on memory: how many records the next Drain would give for late events.
  virtual std::size_t pending_late() const = 0;
  /// True when every shard has been started (or has ended). Until then nothing may be saved: the newest state
  /// may still come with another shard.
  virtual bool complete() const = 0;
  /// What a new operator must know to go on, as of the last Drain; small.
  virtual std::string Snapshot() const = 0;
  /// Records of the shard up to here are not needed again; nullopt: all may be.
  virtual std::optional<SequenceNumber> SafePosition(const std::string& shard) const = 0;
  /// True for an ended shard of which nothing is needed again.
  virtual bool Finished(const std::string& shard) const = 0;
};

}  // namespace honryu::processors::aggregator
