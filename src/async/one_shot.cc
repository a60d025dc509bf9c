#include "honryu/async/one_shot.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace honryu::async::internal {

namespace asio = boost::asio;

// The waiter sleeps on a timer of its own executor. Wake() sets `woken` and, if somebody sleeps, posts the
// timer's cancellation to that executor. An executor is single-threaded, and the waiter looks at `woken` and
// starts its wait in one step on it, so the posted cancellation always finds the wait begun: no wake-up is
// lost.
struct Parking::State {
  std::mutex mutex;
  bool woken = false;
  std::optional<Executor> executor;           // of the waiter, set when it begins to wait
  std::unique_ptr<asio::steady_timer> timer;  // touched on `executor` only
};

Parking::Parking() : state_(std::make_shared<State>()) {}
Parking::~Parking() = default;

void Parking::Wake() {
  std::optional<Executor> executor;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->woken) return;
    state_->woken = true;
    executor = state_->executor;
  }
  if (!executor) return;
  asio::post(*executor, [state = state_] {
    if (state->timer) state->timer->cancel();
  });
}

Task<Result<void>> Parking::Wait(MonoTime deadline) {
  const std::shared_ptr<State> state = state_;
  const bool cancelled = co_await Cancelled();
  if (cancelled) co_return Error(ErrorCode::kCancelled, "wait cancelled");
  const Executor executor = co_await asio::this_coro::executor;
  state->timer = std::make_unique<asio::steady_timer>(executor, deadline);
  {
    const std::lock_guard lock(state->mutex);
    if (state->woken) {
      state->timer.reset();
      co_return Ok();
    }
    state->executor = executor;
  }
  const auto [error] = co_await state->timer->async_wait(asio::as_tuple(asio::use_awaitable));
  state->timer.reset();
  const std::lock_guard lock(state->mutex);
  if (state->woken) co_return Ok();
  if (error) co_return Error(ErrorCode::kCancelled, "wait cancelled");
  co_return Error(ErrorCode::kDeadlineExceeded, "deadline passed while waiting");
}

}  // namespace honryu::async::internal
