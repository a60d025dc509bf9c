#pragma once

#include "honryu/base/time.h"

namespace honryu {

/// A budget that fills at `rate` a second up to `burst`. It may be overdrawn, and then refuses until the debt
/// is paid: so a read of 10 MiB is possible at 2 MiB/s, and followed by silence. Not thread-safe.
class TokenBucket {
 public:
  /// Full, with a burst of one second's worth.
  TokenBucket(double rate, MonoTime now) : TokenBucket(rate, rate, now) {}
  /// Both above 0.
  TokenBucket(double rate, double burst, MonoTime now)
      : rate_(rate), burst_(burst), level_(burst), at_(now) {}

  /// Whether `amount`, or a full bucket if it is more than that, is there.
  bool Has(double amount, MonoTime now);
  /// How long until Has(amount), if nothing is taken meanwhile; zero when it is there.
  Duration Until(double amount, MonoTime now);
  void Take(double amount) { level_ -= amount; }
  void Return(double amount);
  /// Forgets what has been saved up; a debt stays.
  void Empty();
  bool IsFull(MonoTime now);

 private:
  void Fill(MonoTime now);
  double rate_, burst_, level_;
  MonoTime at_;
};

}  // namespace honryu
