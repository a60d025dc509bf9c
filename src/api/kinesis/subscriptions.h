#pragma once

#include "honryu/base/time.h"
#include "honryu/broker/broker.h"
#include "honryu/wire/format.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

namespace honryu::api::kinesis {

/// One consumer's enhanced fan-out from one shard, for the life of one SubscribeToShard answer.
struct Subscription {
  std::string stream;
  std::uint64_t incarnation = 0;
  std::string consumer;  ///< Name, ":", seconds of its registration.
  broker::Shard shard;
  broker::ShardPlace place;  ///< The next record wanted.
  wire::Format format = wire::Format::kJson;
  MonoTime began;
  std::atomic<bool> replaced{false};  ///< A newer one of the same consumer and shard has begun.
};

/// At most one subscription of each consumer and shard lives. Thread-safe.
class Subscriptions {
 public:
  /// Takes the place of an older one; false when that is younger than `least_age`.
  bool Begin(const std::shared_ptr<Subscription>& subscription, Duration least_age) {
    const std::lock_guard lock(mutex_);
    std::weak_ptr<Subscription>& slot = living_[KeyOf(*subscription)];
    if (const std::shared_ptr<Subscription> older = slot.lock(); older != nullptr) {
      if (subscription->began - older->began < least_age) return false;
      older->replaced = true;
    }
    slot = subscription;
    return true;
  }
  void End(const std::shared_ptr<Subscription>& subscription) {
    const std::lock_guard lock(mutex_);
    const auto found = living_.find(KeyOf(*subscription));
    if (found != living_.end() && (found->second.expired() || found->second.lock() == subscription))
      living_.erase(found);
  }

 private:
  using Key = std::tuple<std::uint64_t, std::string, std::uint32_t>;
  static Key KeyOf(const Subscription& one) { return {one.incarnation, one.consumer, one.shard.index}; }

  std::mutex mutex_;  // leaf
  std::map<Key, std::weak_ptr<Subscription>> living_;
};

}  // namespace honryu::api::kinesis
