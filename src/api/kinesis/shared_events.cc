#include "api/kinesis/shared_events.h"

#include <utility>

namespace honryu::api::kinesis {

SharedEvents::Ticket SharedEvents::Take(const broker::ShardPlace& place, wire::Format format, MonoTime now) {
  const Key key{place.incarnation, place.shard, place.offset, format};
  Ticket ticket;
  const std::lock_guard lock(mutex_);
  const auto [found, fresh] = slots_.try_emplace(key);
  Slot& slot = found->second;
  if (!fresh && slot.event == nullptr) {
    ticket.made.emplace();
    slot.waiting.push_back(*ticket.made);
  } else if (!fresh && now - slot.made <= kMaxAge) {
    ticket.event = slot.event;
  } else {
    slot.event.reset();
    ticket.claim = std::make_unique<Claim>(*this, key);
  }
  return ticket;
}

void SharedEvents::Publish(const Key& key, ShardEventPtr event, MonoTime now) {
  std::vector<async::OneShot<ShardEventPtr>> waiting;
  {
    const std::lock_guard lock(mutex_);
    Slot& slot = slots_[key];
    waiting = std::move(slot.waiting);
    slot.waiting.clear();
    if (event->next && event->next->offset == std::get<2>(key)) {
      slots_.erase(key);  // nothing came: whoever stands here waits anew
    } else {
      slot.event = event;
      slot.made = now;
      kept_.emplace_back(key, event->frame.size());
      kept_bytes_ += event->frame.size();
    }
    while (kept_bytes_ > kMaxKept) {
      const auto& [oldest, bytes] = kept_.front();
      const auto found = slots_.find(oldest);
      // One that was made twice is in the queue twice; one that is being made again is to stay.
      if (found != slots_.end() && found->second.event != nullptr) slots_.erase(found);
      kept_bytes_ -= bytes;
      kept_.pop_front();
    }
  }
  for (const auto& one : waiting) one.Set(event);
}

void SharedEvents::Abandon(const Key& key) {
  std::vector<async::OneShot<ShardEventPtr>> waiting;
  {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find(key);
    if (found == slots_.end()) return;
    waiting = std::move(found->second.waiting);
    slots_.erase(found);
  }
  for (const auto& one : waiting) one.Set(ShardEventPtr());
}

}  // namespace honryu::api::kinesis
