#pragma once

#include "autoscale.h"
#include "honryu/broker/broker.h"
#include "stream_metrics.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace honryu::broker {

/// A stream as the broker holds it: the public description, the log partition of each shard, and what routing
/// needs. Immutable, but for finding its metrics.
struct StreamState {
  Stream stream;
  std::vector<log::PartitionId> partitions;  ///< Of stream.shards[i].
  std::vector<log::WriterEpoch> epochs;      ///< Of stream.shards[i]; 0 until acquired.
  std::vector<std::int64_t> created_s;       ///< Of stream.shards[i]: seconds, part of its records' numbers.
  std::uint64_t meta_version = 0;            ///< Of its row in the MetaStore.
  std::uint32_t next_shard = 0;              ///< Index of the next shard; never reused.
  /// While UPDATING: the hash starts that the open shards shall have, ascending. Empty: nothing to do.
  std::vector<UInt128> target_starts;
  std::shared_ptr<Traffic> traffic;     ///< Of an on-demand stream; else null. Shared by all its states.
  std::shared_ptr<log::Sealer> sealer;  ///< Of the stream's encryption key; null: none, or it is not here.
  std::vector<std::size_t> open;        ///< Indexes into stream.shards of the open ones, by hash_start.
  StreamMetricsSlot metrics;

  const Shard* FindShard(std::uint32_t index, std::size_t* at = nullptr) const;
  /// Index into stream.shards of the open shard whose range holds `hash`; the open shards cover everything.
  std::size_t Route(const UInt128& hash) const;
  /// Sorts `open` and fills `created_s` from the shards' numbers.
  void SortOpen();
};

/// All streams; replaced as a whole, so that readers need no lock.
using StreamTable = std::map<std::string, std::shared_ptr<const StreamState>, std::less<>>;

std::string StreamKey(std::string_view name);
/// Versioned JSON, so that a person can read it with a RocksDB tool.
std::string EncodeStream(const StreamState& state);
Result<StreamState> DecodeStream(std::string_view text);

/// `count` shards that divide the hash range evenly, as Kinesis does: width floor(2^128/count), the last one
/// takes the rest.
std::vector<UInt128> EvenStarts(int count);
std::vector<Shard> InitialShards(int count, Timestamp created);

}  // namespace honryu::broker
