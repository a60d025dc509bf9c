#pragma once

#include "honryu/base/time.h"
#include "honryu/base/uint128.h"
#include "honryu/broker/broker.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace honryu::broker {

/// What came to one shard between two looks.
struct ShardTraffic {
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
  std::vector<UInt128> sample;  ///< Of its records' hash keys, at most Traffic::kSample, evenly drawn.
};

/// Counts what is written to the shards of one on-demand stream. Thread-safe; one lock per put.
class Traffic {
 public:
  static constexpr std::size_t kSample = 512;
  struct Entry {
    std::uint32_t shard = 0;
    UInt128 hash;
    std::size_t bytes = 0;
  };
  void Add(const std::vector<Entry>& entries);
  /// What came since the last call, by shard index.
  std::map<std::uint32_t, ShardTraffic> Take();

 private:
  std::mutex mutex_;  // leaf
  std::map<std::uint32_t, ShardTraffic> shards_;
  std::uint64_t random_ = 0x9E3779B97F4A7C15ULL;
};

/// Decides for one on-demand stream when shards are split or merged: a shard that is hot twice in a row is
/// split where half of its load lies on either side, two neighbours that were cold together for a while are
/// merged. Not thread-safe.
class Autoscaler {
 public:
  explicit Autoscaler(const OnDemandConfig& config) : config_(config) {}
  /// `open`: the open shards by hash_start. Returns the hash starts that the shards shall have; nullopt: as
  /// they are.
  std::optional<std::vector<UInt128>> Look(const std::vector<const Shard*>& open,
                                           const std::map<std::uint32_t, ShardTraffic>& traffic,
                                           Duration took, Timestamp now);

 private:
  struct Memory {
    int hot = 0;                          // looks in a row
    std::optional<Timestamp> cold_since;  // with the neighbour behind it
  };
  double LoadOf(const ShardTraffic& traffic, Duration took) const;

  const OnDemandConfig config_;
  std::map<std::uint32_t, Memory> memory_;  // by shard index
};

/// The smallest hash with at least half of the sample below it, for the second half to begin at; nullopt when
/// one hash holds nearly everything, so that no split helps.
std::optional<UInt128> MedianSplit(std::vector<UInt128> sample, const Shard& shard);

}  // namespace honryu::broker
