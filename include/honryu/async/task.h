#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <string>

namespace honryu::async {

/// The one asynchronous type in public faces: a lazily started coroutine, awaited once, on one executor.
template <class T = void>
using Task = boost::asio::awaitable<T>;
using Executor = boost::asio::any_io_executor;

/// What every public asynchronous call carries first: until when to wait, and for whom. Cancellation travels
/// with the coroutine (a cancelled wait returns kCancelled).
struct Context {
  MonoTime deadline = MonoTime::max();
  std::string request_id;

  static Context WithTimeout(Duration timeout);
  bool expired() const;
  /// Time left, never negative; Duration::max() without a deadline.
  Duration remaining() const;
};

/// The executor on which the calling coroutine runs.
Task<Executor> CurrentExecutor();
/// Lets what waits on the calling coroutine's event loop run first.
Task<void> Yield();
/// Returns, on the caller's own executor, once everything posted to `executor` before has run.
Task<void> WaitForPosted(Executor executor);
/// True once the calling coroutine has been cancelled. Cancellation sticks: from then on every wait of this
/// module returns kCancelled at once (no exception is thrown), until ClearCancellation().
Task<bool> Cancelled();
/// Lets the calling coroutine wait again after it was cancelled: for clean-up, which must bound itself by a
/// deadline.
Task<void> ClearCancellation();
/// Waits; kCancelled when the coroutine is cancelled meanwhile.
Task<Result<void>> SleepFor(Duration duration);
/// Waits until the deadline of `ctx` at most; kDeadlineExceeded when that comes first.
Task<Result<void>> SleepFor(const Context& ctx, Duration duration);

}  // namespace honryu::async
