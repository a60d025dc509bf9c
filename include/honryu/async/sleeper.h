#pragma once

#include "honryu/async/task.h"

namespace honryu::async {

/// How time passes for what waits by a Clock. Injected beside it where waits are long, so that tests run
/// hours in milliseconds. Thread-safe.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  /// Returns after `duration` at the latest (earlier is allowed: look at the clock again); kCancelled when
  /// the coroutine is cancelled meanwhile.
  virtual Task<Result<void>> Sleep(Duration duration) = 0;
};

/// SleepFor(): the machine's time. The returned object lives for ever and holds no state.
Sleeper& SystemSleeper();

}  // namespace honryu::async
