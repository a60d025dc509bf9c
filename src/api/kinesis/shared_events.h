#pragma once

#include "honryu/async/one_shot.h"
#include "honryu/base/bytes.h"
#include "honryu/base/time.h"
#include "honryu/broker/broker.h"
#include "honryu/wire/format.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

namespace honryu::api::kinesis {

/// One event of a subscription, ready to be sent.
struct ShardEvent {
  Bytes frame;
  std::optional<broker::ShardPlace> next;  ///< Of the following event; absent at the end of the shard.
  std::size_t records = 0, bytes = 0;      ///< Bytes of data.
};
using ShardEventPtr = std::shared_ptr<const ShardEvent>;

/// Lets the subscribers of a shard share the work: who comes to a place first reads and encodes (and waits
/// for the records, if there are none yet), the others take the same event. Events are kept for those who
/// come a little later, up to `kMaxKept` bytes and `kMaxAge` old, because an event says how far behind it is.
/// So those who are close together stay on the same boundaries of events. Thread-safe.
class SharedEvents {
 public:
  static constexpr std::size_t kMaxKept = 8 << 20;
  static constexpr Duration kMaxAge = std::chrono::seconds(1);

  /// The duty to make an event. Goes with Publish(), or with its owner: then the others are told to try anew.
  class Claim;
  /// One of three: an event, somebody's work to wait for (null: it came to nothing), or a claim.
  struct Ticket {
    ShardEventPtr event;
    std::optional<async::OneShot<ShardEventPtr>> made;
    std::unique_ptr<Claim> claim;
  };
  Ticket Take(const broker::ShardPlace& place, wire::Format format, MonoTime now);

 private:
  using Key = std::tuple<std::uint64_t, std::uint32_t, std::uint64_t, wire::Format>;  // the offset is third
  struct Slot {
    ShardEventPtr event;  // null: being made
    MonoTime made;
    std::vector<async::OneShot<ShardEventPtr>> waiting;
  };
  void Publish(const Key& key, ShardEventPtr event, MonoTime now);
  void Abandon(const Key& key);

  std::mutex mutex_;  // leaf
  std::map<Key, Slot> slots_;
  std::deque<std::pair<Key, std::size_t>> kept_;  // oldest first, with its bytes
  std::size_t kept_bytes_ = 0;
};

class SharedEvents::Claim {
 public:
  Claim(SharedEvents& owner, const Key& key) : owner_(owner), key_(key) {}
  ~Claim() {
    if (!done_) owner_.Abandon(key_);
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  void Publish(ShardEventPtr event, MonoTime now) {
    done_ = true;
    owner_.Publish(key_, std::move(event), now);
  }

 private:
  SharedEvents& owner_;
  const Key key_;
  bool done_ = false;
};

}  // namespace honryu::api::kinesis
