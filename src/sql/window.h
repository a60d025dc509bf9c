#pragma once

#include "honryu/sql/type.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace honryu::sql {

/// No watermark yet; and one behind which nothing comes any more.
inline constexpr std::int64_t kNoWatermark = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kEndOfTime = std::numeric_limits<std::int64_t>::max();

/// a - b without leaving the range; kNoWatermark and kEndOfTime stay what they are.
constexpr std::int64_t WatermarkMinus(std::int64_t a, std::int64_t b) {
  if (a == kNoWatermark || a == kEndOfTime) return a;
  return a < kNoWatermark + b ? kNoWatermark : a - b;
}

enum class WindowKind : std::uint8_t {
  kUnbounded,  ///< No window: one group for ever.
  kTumble,     ///< [n·size, (n+1)·size), counted from 1970.
  kCalendar,   ///< Weeks, months, quarters, years.
  kHop,        ///< Of `size`, one every `slide`.
  kCumulate,   ///< Growing by `slide` up to `size`.
  kSession,    ///< Until nothing came for `size`.
  kStagger,    ///< Of `size` from a key's first row.
  kMonotonic,  ///< One for each value of a column that is a window's bound below.
  kIncreasing  ///< One for each value of MONOTONIC(x): until a greater one comes.
};

/// How rows are put into windows.
struct WindowDefinition {
  WindowKind kind = WindowKind::kUnbounded;
  std::int64_t size = 0, slide = 0;  ///< In ms.
  TimeUnit unit = TimeUnit::kMonth;

  friend bool operator==(const WindowDefinition&, const WindowDefinition&) = default;
  /// "tumbling 1 minute", for EXPLAIN.
  std::string ToString() const;
};

/// The windows [start, end) that hold `time`, of the kinds up to kCumulate; earliest end first.
void AssignWindows(const WindowDefinition& window, std::int64_t time,
                   std::vector<std::pair<std::int64_t, std::int64_t>>& out);

/// "1 minute", "90 seconds", "250 ms".
std::string DurationText(std::int64_t ms);

}  // namespace honryu::sql
