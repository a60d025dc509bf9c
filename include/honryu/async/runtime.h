#pragma once

#include "honryu/async/one_shot.h"
#include "honryu/async/task.h"

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace honryu::async {

struct RuntimeOptions {
  int io_threads = 2;        ///< One single-threaded io_context each.
  int blocking_threads = 4;  ///< For RocksDB reads, DNS and CPU work over 0.5 ms.
};

/// The threads of the process: io_threads event loops and a bounded pool for blocking calls. Everything else
/// asks it for an executor; threads are chosen nowhere else.
class Runtime {
 public:
  explicit Runtime(const RuntimeOptions& options);
  /// Stops the loops and joins the threads. Tasks must have been joined before.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  int io_threads() const;
  Executor executor(int index) const;
  /// Round robin over the event loops. Thread-safe.
  Executor NextExecutor();

  /// Runs `function` on the blocking pool and gives its value, which must be a Result.
  /// The queue is unbounded by itself: callers bound their own concurrency.
  template <class F>
  auto Blocking(F function) -> Task<decltype(function())> {
    using R = decltype(function());  // must be a Result<…>
    OneShot<typename R::value_type> done;
    Post([done, function = std::move(function)]() mutable { done.Set(function()); });
    R result = co_await done.Wait();
    co_return result;
  }
  /// Runs `work` on the blocking pool. Thread-safe.
  void Post(std::function<void()> work);
  /// Calls work(0) to work(count - 1), beside each other on the blocking pool as far as it has threads to
  /// spare, and returns when all have returned. Blocks; for work on that pool, whose thread does what no
  /// other takes up, so it never waits for a thread. Thread-safe.
  void Fork(std::size_t count, const std::function<void(std::size_t)>& work);
  /// Waits for everything on the blocking pool; later posts are not run. The last step of a stop, before what
  /// such work may point at goes.
  void JoinBlocking();

  /// Runs a task to its end from a thread that is not one of ours (main, tests) and returns its value.
  template <class T>
  T BlockOn(Task<T> task) {
    std::optional<T> value;
    RunToEnd(Store(std::move(task), &value));
    return std::move(*value);
  }
  void BlockOn(Task<void> task) { RunToEnd(std::move(task)); }

 private:
  template <class T>
  static Task<void> Store(Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
  }
  void RunToEnd(Task<void> task);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::async
