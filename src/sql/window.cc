#include "sql/window.h"

#include "honryu/analytics/window.h"
#include "sql/calendar.h"

namespace honryu::sql {

std::string DurationText(std::int64_t ms) {
  struct Unit {
    std::int64_t ms;
    const char* name;
  };
  constexpr Unit kUnits[] = {{86'400'000, "day"}, {3'600'000, "hour"}, {60'000, "minute"}, {1000, "second"}};
  for (const Unit& unit : kUnits) {
    if (ms == 0 || ms % unit.ms != 0) continue;
    const std::int64_t count = ms / unit.ms;
    return std::to_string(count) + " " + unit.name + (count == 1 ? "" : "s");
  }
  return std::to_string(ms) + " ms";
}

std::string WindowDefinition::ToString() const {
  switch (kind) {
    case WindowKind::kUnbounded:
      return "unbounded";
    case WindowKind::kTumble:
      return "tumbling " + DurationText(size);
    case WindowKind::kCalendar:
      return "tumbling by " + std::string(TimeUnitName(unit));
    case WindowKind::kHop:
      return "hopping " + DurationText(size) + " every " + DurationText(slide);
    case WindowKind::kCumulate:
      return "cumulating " + DurationText(size) + " in steps of " + DurationText(slide);
    case WindowKind::kSession:
      return "session, gap " + DurationText(size);
    case WindowKind::kStagger:
      return "stagger " + DurationText(size);
    case WindowKind::kIncreasing:
      return "until the key increases";
    case WindowKind::kMonotonic:
      break;
  }
  return "monotonic key";
}

void AssignWindows(const WindowDefinition& window, std::int64_t time,
                   std::vector<std::pair<std::int64_t, std::int64_t>>& out) {
  out.clear();
  switch (window.kind) {
    case WindowKind::kTumble: {
      const std::int64_t start = analytics::WindowStart(time, window.size);
      out.emplace_back(start, start + window.size);
      return;
    }
    case WindowKind::kCalendar: {
      const std::int64_t start = FloorToUnit(time, window.unit);
      out.emplace_back(start, NextUnit(start, window.unit));
      return;
    }
    case WindowKind::kHop: {
      const std::int64_t last = analytics::WindowStart(time, window.slide);
      // The first start above time - size that is a multiple of the slide.
      const std::int64_t first = analytics::WindowStart(time - window.size, window.slide) + window.slide;
      for (std::int64_t start = first; start <= last; start += window.slide)
        out.emplace_back(start, start + window.size);
      return;
    }
    case WindowKind::kCumulate: {
      const std::int64_t start = analytics::WindowStart(time, window.size);
      const std::int64_t first = analytics::WindowStart(time - start, window.slide) + window.slide;
      for (std::int64_t length = first; length <= window.size; length += window.slide)
        out.emplace_back(start, start + length);
      return;
    }
    default:
      out.emplace_back(kNoWatermark, kEndOfTime);
  }
}

}  // namespace honryu::sql
