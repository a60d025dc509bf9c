#pragma once

#include "honryu/async/one_shot.h"
#include "honryu/async/sleeper.h"
#include "honryu/base/time.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace honryu::testing {

/// A clock that jumps from the end of one sleep to that of the next, so that hours pass in the time that the
/// work between them takes. The test's thread moves it. Thread-safe.
class SimulatedTime final : public Clock, public async::Sleeper {
 public:
  explicit SimulatedTime(Timestamp start) : clock_(start) {}

  Timestamp Now() const override { return clock_.Now(); }
  MonoTime Mono() const override { return clock_.Mono(); }

  async::Task<Result<void>> Sleep(Duration duration) override {
    async::OneShot<void> end;
    Place place;
    const bool asleep = Begin(duration, end, &place);
    if (!asleep) {
      Result<void> paused = co_await async::SleepFor(std::chrono::milliseconds(1));
      co_return paused;
    }
    Result<void> woken = co_await end.Wait();
    End(place);
    co_return woken;
  }

  /// Moves the clock to `to`, by way of the ends of all sleeps. Before each move it waits until as many tasks
  /// sleep as `busy` says: all that have something to do. False if that does not come about within half a
  /// minute of the machine's time.
  bool AdvanceTo(Timestamp to, const std::function<std::size_t()>& busy) {
    for (;;) {
      if (!AwaitSleeping(busy)) return false;
      std::vector<async::OneShot<void>> ended;
      {
        const std::lock_guard lock(mutex_);
        const Timestamp next = sleeping_.empty() ? to : std::min(to, sleeping_.begin()->first.first);
        clock_.Set(std::max(next, clock_.Now()));
        while (!sleeping_.empty() && sleeping_.begin()->first.first <= clock_.Now())
          ended.push_back(sleeping_.extract(sleeping_.begin()).mapped());
      }
      for (const auto& end : ended) end.Set(Ok());
      if (ended.empty()) return true;
    }
  }

  /// While `sleepless`, sleeps end at once though the clock stands still: for stopping those that sleep.
  void SetSleepless(bool sleepless) {
    std::map<Place, async::OneShot<void>> ended;
    {
      const std::lock_guard lock(mutex_);
      sleepless_ = sleepless;
      if (sleepless) ended.swap(sleeping_);
    }
    for (const auto& [place, end] : ended) end.Set(Ok());
  }

 private:
  using Place = std::pair<Timestamp, std::uint64_t>;

  bool Begin(Duration duration, const async::OneShot<void>& end, Place* place) {
    const std::lock_guard lock(mutex_);
    if (sleepless_) return false;
    *place = {clock_.Now() + std::chrono::ceil<std::chrono::milliseconds>(duration), ++begun_};
    sleeping_.emplace(*place, end);
    return true;
  }
  void End(const Place& place) {
    const std::lock_guard lock(mutex_);
    sleeping_.erase(place);
  }
  bool AwaitSleeping(const std::function<std::size_t()>& busy) {
    const MonoTime until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < until) {
      const std::size_t wanted = busy();
      {
        const std::lock_guard lock(mutex_);
        if (sleeping_.size() == wanted) return true;
      }
      std::this_thread::yield();
    }
    return false;
  }

  ManualClock clock_;
  std::mutex mutex_;
  std::map<Place, async::OneShot<void>> sleeping_;  // by end; those that end at a time in order of beginning
  std::uint64_t begun_ = 0;
  bool sleepless_ = false;
};

}  // namespace honryu::testing
