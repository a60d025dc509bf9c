#include "honryu/async/blocking_calls.h"

namespace honryu::async {

Error BlockingCalls::Refusal() const {
  return Error(ErrorCode::kOverloaded,
               owner_ + " has " + std::to_string(most_) + " calls waiting for a thread, and takes no more");
}

bool BlockingCalls::Begin() {
  const std::lock_guard lock(mutex_);
  if (calls_ >= most_) return false;
  ++calls_;
  return true;
}

// Notifies under the lock: once it is released, Wait may return and this object may go.
void BlockingCalls::End() {
  const std::lock_guard lock(mutex_);
  if (--calls_ == 0) idle_.notify_all();
}

void BlockingCalls::Queue(std::function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    turns_.push_back(std::move(call));
    if (turns_.size() > 1) return;
  }
  runtime_.Post([this] { RunNext(); });
}

// One call, then back to the end of the pool's queue, so that other components have their share.
void BlockingCalls::RunNext() {
  std::function<void()> call;
  {
    const std::lock_guard lock(mutex_);
    call = std::move(turns_.front());
  }
  call();
  call = nullptr;  // what it holds goes before Wait returns
  const std::lock_guard lock(mutex_);
  turns_.pop_front();
  if (!turns_.empty()) runtime_.Post([this] { RunNext(); });
  if (--calls_ == 0) idle_.notify_all();
}

void BlockingCalls::Wait() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return calls_ == 0; });
}

}  // namespace honryu::async
