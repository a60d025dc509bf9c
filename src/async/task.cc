#include "honryu/async/task.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace honryu::async {

namespace asio = boost::asio;

Context Context::WithTimeout(Duration timeout) {
  Context ctx;
  ctx.deadline = std::chrono::steady_clock::now() + timeout;
  return ctx;
}

bool Context::expired() const {
  return deadline != MonoTime::max() && std::chrono::steady_clock::now() >= deadline;
}

Duration Context::remaining() const {
  if (deadline == MonoTime::max()) return Duration::max();
  return std::max<Duration>(Duration::zero(), deadline - std::chrono::steady_clock::now());
}

Task<Executor> CurrentExecutor() {
  const Executor executor = co_await asio::this_coro::executor;
  co_return executor;
}

Task<void> Yield() {
  const Executor executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

// The handler passes through the queue of `executor`, then is dispatched to its own executor: the caller's.
Task<void> WaitForPosted(Executor executor) { co_await asio::post(executor, asio::use_awaitable); }

Task<bool> Cancelled() {
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

Task<void> ClearCancellation() { co_await asio::this_coro::reset_cancellation_state(); }

Task<Result<void>> SleepFor(Duration duration) {
  const bool cancelled = co_await Cancelled();
  if (cancelled) co_return Error(ErrorCode::kCancelled, "wait cancelled");
  const Executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, duration);
  const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (error) co_return Error(ErrorCode::kCancelled, "wait cancelled");
  co_return Ok();
}

Task<Result<void>> SleepFor(const Context& ctx, Duration duration) {
  const Duration left = ctx.remaining();
  const Duration wait = std::min(left, duration);
  Result<void> slept = co_await SleepFor(wait);
  if (!slept.ok()) co_return slept;
  if (left < duration) co_return Error(ErrorCode::kDeadlineExceeded, "deadline passed while waiting");
  co_return Ok();
}

}  // namespace honryu::async
