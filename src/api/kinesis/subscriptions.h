#pragma once

#include "honryu/base/time.h"
#include "honryu/broker/broker.h"
#include "honryu/wire/format.h"
#include "honryu/wire/manage.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

namespace honryu::api::kinesis {

class Subscriptions;

/// One consumer's enhanced fan-out from one shard, for the life of one SubscribeToShard answer.
struct Subscription {
  Subscription() = default;
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription();

  std::string stream;
  std::uint64_t incarnation = 0;
  wire::ResourceSelector consumer;  ///< With the time of its registration.
  broker::Shard shard;
  broker::ShardPlace place;  ///< The next record wanted.
  wire::Format format = wire::Format::kJson;
  MonoTime began;
  std::atomic<bool> replaced{false};  ///< A newer one of the same consumer and shard has begun.
  Subscriptions* among = nullptr;     ///< Where it is registered; must outlive it.
};

/// At most one subscription of each consumer and shard lives. Thread-safe.
class Subscriptions {
 public:
  /// Takes the place of an older one; false when that is younger than `least_age`. The subscription is
  /// registered until it is destroyed or ended, so one whose answer is never sent leaves nothing behind.
  bool Begin(const std::shared_ptr<Subscription>& subscription, Duration least_age) {
    std::shared_ptr<Subscription> older;  // may be the last to hold it: goes after the lock
    const std::lock_guard lock(mutex_);
    Slot& slot = living_[KeyOf(*subscription)];
    older = slot.held.lock();
    if (older != nullptr) {
      if (subscription->began - older->began < least_age) return false;
      older->replaced = true;
    }
    slot = Slot{subscription, subscription.get()};
    subscription->among = this;
    return true;
  }
  void End(const Subscription& subscription) {
    const std::lock_guard lock(mutex_);
    const auto found = living_.find(KeyOf(subscription));
    if (found != living_.end() && found->second.which == &subscription) living_.erase(found);
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return living_.size();
  }

 private:
  using Key = std::tuple<std::uint64_t, std::string, std::int64_t, std::uint32_t>;
  struct Slot {
    std::weak_ptr<Subscription> held;
    const Subscription* which = nullptr;  // compared only
  };
  static Key KeyOf(const Subscription& one) {
    const std::int64_t registered_s = one.consumer.created ? ToMs(*one.consumer.created) / 1000 : 0;
    return {one.incarnation, one.consumer.consumer, registered_s, one.shard.index};
  }

  mutable std::mutex mutex_;  // leaf
  std::map<Key, Slot> living_;
};

inline Subscription::~Subscription() {
  if (among != nullptr) among->End(*this);
}

}  // namespace honryu::api::kinesis
