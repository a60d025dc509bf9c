#include "honryu/base/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace honryu {

void TokenBucket::Fill(MonoTime now) {
  if (now <= at_) return;
  level_ = std::min(burst_, level_ + rate_ * std::chrono::duration<double>(now - at_).count());
  at_ = now;
}

bool TokenBucket::Has(double amount, MonoTime now) {
  Fill(now);
  return level_ >= std::min(amount, burst_);
}

Duration TokenBucket::Until(double amount, MonoTime now) {
  if (Has(amount, now)) return Duration::zero();
  const double missing = std::min(amount, burst_) - level_;
  // Rounded up: at that time it is there.
  return std::chrono::duration_cast<Duration>(
      std::chrono::nanoseconds(static_cast<std::int64_t>(std::ceil(missing / rate_ * 1e9)) + 1));
}

void TokenBucket::Return(double amount) { level_ = std::min(burst_, level_ + amount); }

void TokenBucket::Empty() { level_ = std::min(level_, 0.0); }

bool TokenBucket::IsFull(MonoTime now) {
  Fill(now);
  return level_ >= burst_;
}

}  // namespace honryu
