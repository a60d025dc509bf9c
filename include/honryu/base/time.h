#pragma once

#include "honryu/base/result.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace honryu {

using Duration = std::chrono::nanoseconds;
/// Wall-clock time, UTC, millisecond resolution (Kinesis's own resolution).
using Timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;
/// Monotonic time for deadlines; unrelated to the wall clock.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

constexpr Timestamp TimestampFromMs(std::int64_t ms) { return Timestamp(std::chrono::milliseconds(ms)); }
constexpr std::int64_t ToMs(Timestamp t) { return t.time_since_epoch().count(); }
constexpr std::int64_t ToMs(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

/// Parses RFC 3339 / ISO-8601 date-times: "2026-11-21T10:00:00Z", any fraction (cut to ms), any
/// offset ("+09:00", "+0900", "+09"), no offset (taken as UTC), blank or 'T' between date and time,
/// seconds optional ("2007-01-02 10:05"), date alone (midnight UTC). kInvalidArgument otherwise.
Result<Timestamp> ParseTimestamp(std::string_view text);
/// "2026-11-21T10:00:00.000Z", always with milliseconds.
std::string FormatTimestamp(Timestamp t);

/// Source of time. Injected everywhere, so that tests run hours in milliseconds. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp Now() const = 0;
  virtual MonoTime Mono() const = 0;
};

/// The machine's clocks. The returned object lives for ever and holds no state.
const Clock& SystemClock();

/// A clock that moves only when told to; both times advance together. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start) : now_ms_(ToMs(start)) {}
  Timestamp Now() const override;
  MonoTime Mono() const override;
  void Advance(Duration by);
  void Set(Timestamp now);

 private:
  std::int64_t LoadMs() const;
  std::int64_t now_ms_;  // accessed atomically
};

}  // namespace honryu
