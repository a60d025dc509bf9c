#pragma once

#include "honryu/async/one_shot.h"
#include "honryu/async/runtime.h"
#include "honryu/async/task.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

namespace honryu::async {

/// The calls of one component on the runtime's blocking pool. A task that is cancelled while it waits for a
/// call does not end the call, which goes on with whatever the function points at; so the calls are counted,
/// and the component, which owns this object as its last member, is not destroyed before they have returned.
/// Thread-safe.
class BlockingCalls {
 public:
  /// At most `most` calls wait or run at a time; further ones are refused with kOverloaded.
  BlockingCalls(Runtime& runtime, std::string owner, std::size_t most = 4096)
      : runtime_(runtime), owner_(std::move(owner)), most_(most) {}
  /// Waits for all calls. Not on the pool.
  ~BlockingCalls() { Wait(); }
  BlockingCalls(const BlockingCalls&) = delete;
  BlockingCalls& operator=(const BlockingCalls&) = delete;

  /// Runs `function`, which returns a Result, on the pool beside other calls.
  template <class F>
  auto Run(F function) -> Task<decltype(function())> {
    using R = decltype(function());
    OneShot<typename R::value_type> done;
    if (!Begin()) co_return Refusal();
    runtime_.Post([this, done, function = std::move(function)]() mutable {
      done.Set(function());
      End();
    });
    R result = co_await done.Wait();
    co_return result;
  }

  /// The same for calls that exclude each other: they run one after another in the order of coming, and those
  /// that wait hold no thread.
  template <class F>
  auto RunInTurn(F function) -> Task<decltype(function())> {
    using R = decltype(function());
    OneShot<typename R::value_type> done;
    if (!Begin()) co_return Refusal();
    Queue([done, function = std::move(function)]() mutable { done.Set(function()); });
    R result = co_await done.Wait();
    co_return result;
  }

  void Wait();

 private:
  Error Refusal() const;
  bool Begin();
  void End();
  void Queue(std::function<void()> call);
  void RunNext();

  Runtime& runtime_;
  const std::string owner_;
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t calls_ = 0;
  std::deque<std::function<void()>> turns_;  // the first one is running
};

}  // namespace honryu::async
