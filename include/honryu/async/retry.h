#pragma once

#include "honryu/async/task.h"
#include "honryu/base/random.h"

#include <algorithm>
#include <functional>

namespace honryu::async {

/// Capped exponential backoff with full jitter (each wait is uniform in [0, min(max, initial·2^n)]).
struct RetryPolicy {
  int max_attempts = 5;
  Duration initial = std::chrono::milliseconds(50);
  Duration max = std::chrono::seconds(5);
};

/// A fresh seed, so that clients that failed together do not come back together.
std::uint64_t RetrySeed();
/// The wait before attempt `n` + 1 (n from 0).
Duration BackoffDelay(const RetryPolicy& policy, int n, Random& random);

/// Calls `attempt` until it succeeds, fails with an error that is not retryable, attempts run out, or the
/// deadline of `ctx` would pass. Never nest two of these.
template <class F>
auto Retry(RetryPolicy policy, Context ctx, F attempt) -> decltype(attempt()) {
  Random random(RetrySeed());
  for (int n = 0;; ++n) {
    auto result = co_await attempt();
    if (result.ok() || !result.error().retryable() || n + 1 >= policy.max_attempts) co_return result;
    const Duration delay = BackoffDelay(policy, n, random);
    if (delay >= ctx.remaining()) co_return result;
    Result<void> slept = co_await SleepFor(delay);
    if (!slept.ok()) co_return slept.error();
  }
}

}  // namespace honryu::async
