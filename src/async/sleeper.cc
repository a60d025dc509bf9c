#include "honryu/async/sleeper.h"

namespace honryu::async {

namespace {

class MachineSleeper final : public Sleeper {
 public:
  Task<Result<void>> Sleep(Duration duration) override { return SleepFor(duration); }
};

}  // namespace

Sleeper& SystemSleeper() {
  static MachineSleeper sleeper;
  return sleeper;
}

}  // namespace honryu::async
