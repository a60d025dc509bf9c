#pragma once

#include "honryu/async/task.h"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace honryu::async {

namespace internal {
/// Parks one coroutine until Wake() (from any thread), cancellation or a deadline.
class Parking {
 public:
  Parking();
  ~Parking();
  /// Wakes the waiter, now or when it comes. Thread-safe; idempotent.
  void Wake();
  /// Returns when woken (ok), cancelled or past the deadline. Call once.
  Task<Result<void>> Wait(MonoTime deadline);

 private:
  struct State;
  std::shared_ptr<State> state_;
};
}  // namespace internal

/// A value handed once from any thread to one waiting coroutine. Copies share the same slot.
template <class T>
class OneShot {
 public:
  OneShot() : slot_(std::make_shared<Slot>()) {}

  /// Completes the wait. The first call counts; later ones are ignored. Thread-safe.
  void Set(Result<T> value) const {
    {
      const std::lock_guard lock(slot_->mutex);
      if (slot_->value) return;
      slot_->value.emplace(std::move(value));
    }
    slot_->parking.Wake();
  }
  bool ready() const {
    const std::lock_guard lock(slot_->mutex);
    return slot_->value.has_value();
  }
  /// Waits for Set. kCancelled / kDeadlineExceeded when that comes first (the value is then dropped). Call
  /// once.
  Task<Result<T>> Wait(MonoTime deadline = MonoTime::max()) const {
    const std::shared_ptr<Slot> slot = slot_;
    if (ready()) co_return Take(*slot);
    Result<void> woken = co_await slot->parking.Wait(deadline);
    if (!woken.ok() && !ready()) co_return woken.error();
    co_return Take(*slot);
  }

 private:
  struct Slot {
    std::mutex mutex;
    std::optional<Result<T>> value;
    internal::Parking parking;
  };
  static Result<T> Take(Slot& slot) {
    const std::lock_guard lock(slot.mutex);
    return std::move(*slot.value);
  }
  std::shared_ptr<Slot> slot_;
};

}  // namespace honryu::async
