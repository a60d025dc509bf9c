#pragma once

#include "honryu/async/one_shot.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace honryu::processors::indexer {

/// How far each shard is indexed and visible, and who waits for it. Shards are named as in
/// the store (shard_key.h). Thread-safe.
class Progress {
 public:
  using Positions = std::map<std::string, std::uint64_t, std::less<>>;

  /// Everything of the shard up to `sequence` was given to the store.
  void Indexed(const std::string& shard, std::uint64_t sequence);
  /// What is indexed now: taken before a refresh, it is what the refresh makes visible.
  Positions indexed() const;
  /// Everything up to `positions` is found by searches.
  void Visible(const Positions& positions);

  /// kDeadlineExceeded, kCancelled.
  async::Task<Result<void>> Wait(async::Context ctx, Positions positions, bool visible);

 private:
  struct Waiter {
    Positions positions;
    bool visible = false;
    async::OneShot<void> done;
  };
  static bool Reached(const Waiter& waiter, const Positions& reached);
  void Wake(bool visible, const Positions& reached);

  mutable std::mutex mutex_;  // a leaf
  Positions indexed_, visible_;
  std::vector<Waiter> waiters_;
};

}  // namespace honryu::processors::indexer
