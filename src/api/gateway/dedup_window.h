#pragma once

#include "honryu/async/one_shot.h"
#include "honryu/base/time.h"
#include "honryu/base/uint128.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace honryu::api::gateway {

/// A set of 128-bit ids: open addressing with linear probing, at most three quarters full, 16 bytes a slot.
/// `seed` keeps clients from choosing ids that collide. Not thread-safe.
class IdSet {
 public:
  IdSet() = default;
  explicit IdSet(std::uint64_t seed) : seed_(seed) {}
  bool Contains(const UInt128& id) const;
  void Insert(const UInt128& id);
  std::size_t size() const { return size_; }
  /// Empties the set and gives its memory back.
  void Clear();

 private:
  std::size_t Home(const UInt128& id) const;

  std::uint64_t seed_ = 0;
  std::vector<UInt128> slots_;  // all zero: free
  std::size_t size_ = 0;
  bool has_zero_ = false;  // the id whose bits are all zero cannot stand in a slot
};

/// Hash of ids for std containers, keyed by `seed`.
struct IdHash {
  std::uint64_t seed = 0;
  std::size_t operator()(const UInt128& id) const;
};

/// The write of one batch of events, as others wait for it. Thread-safe.
class DedupTicket {
 public:
  /// Returns when the batch is decided (ok), or at the deadline or on cancellation.
  async::Task<Result<void>> Wait(MonoTime deadline);
  /// Wakes all waiters, now and later.
  void Finish();

 private:
  std::mutex mutex_;
  bool finished_ = false;
  std::vector<async::OneShot<void>> waiters_;
};

struct DedupConfig {
  Duration window = std::chrono::minutes(10);
  std::uint64_t max_entries = 4'000'000;
};

/// Which event ids were stored lately, and which are being stored now. An id counts as seen only once its
/// write was acknowledged; until then it belongs to the batch that claimed it, and others can wait for that.
///
/// Memory is bounded: per shard three generations of ids, each at most a third of the shard's entries. A
/// generation is filled for half a window, then the oldest one is dropped: an id is remembered for one to one
/// and a half windows. When a generation is full before its time the turn comes early: the window is shorter
/// then, and early_turns() counts. Thread-safe.
class DedupWindow {
 public:
  DedupWindow(DedupConfig config, const Clock& clock);

  enum class Claim : std::uint8_t {
    kMine,      ///< The caller must Commit or Release it.
    kSeen,      ///< Stored within the window.
    kInFlight,  ///< Another claim is not decided yet: see holder and holder_index.
  };
  struct ClaimResult {
    Claim claim = Claim::kMine;
    std::shared_ptr<DedupTicket> holder;
    std::size_t holder_index = 0;
  };
  /// Claims `id` for item `index` of the batch that `ticket` stands for.
  ClaimResult TryClaim(const UInt128& id, const std::shared_ptr<DedupTicket>& ticket, std::size_t index);
  /// The claimed id was stored.
  void Commit(const UInt128& id);
  /// The claimed id was not stored: it may be tried again.
  void Release(const UInt128& id);
  /// Marks an id as seen that was stored in an earlier life of the process, so long ago. It is forgotten when
  /// it would have been without a restart. False when there is no room: nothing else is forgotten for it. To
  /// be called with the newest ids first.
  bool Remember(const UInt128& id, Duration age);
  /// Ids that Remember has room for: the current generation is left to new ones.
  std::uint64_t warm_capacity() const { return generation_capacity_ * (kGenerations - 1) * kShards; }

  std::uint64_t entries() const;
  /// How many ids the generations would have had to forget early.
  std::uint64_t early_turns() const;

 private:
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kGenerations = 3;
  struct InFlight {
    std::shared_ptr<DedupTicket> ticket;
    std::size_t index;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::array<IdSet, kGenerations> generations;
    std::size_t current = 0;
    MonoTime turned;
    std::uint64_t early_turns = 0;
    std::unordered_map<UInt128, InFlight, IdHash> in_flight;
  };

  Shard& ShardOf(const UInt128& id) const;
  void Insert(Shard& shard, const UInt128& id);
  void TurnIfDue(Shard& shard);
  static void Turn(Shard& shard, MonoTime now);

  const DedupConfig config_;
  const Clock& clock_;
  const std::uint64_t seed_;
  const std::size_t generation_capacity_;
  std::unique_ptr<std::array<Shard, kShards>> shards_;
};

}  // namespace honryu::api::gateway
