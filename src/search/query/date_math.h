#pragma once

#include "honryu/base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace honryu::search {

/// "UTC", "Z", an offset ("+09:00"), or a name of the IANA database ("Asia/Tokyo"; ICU's copy). Thread-safe.
class TimeZone {
 public:
  TimeZone() = default;  ///< UTC.
  /// kInvalidArgument when there is no such zone.
  static Result<TimeZone> Parse(std::string_view name);
  bool utc() const { return rules_ == nullptr && offset_ms_ == 0; }
  /// True when the offset never changes.
  bool fixed() const { return rules_ == nullptr; }
  /// Local time less UTC at a moment of UTC.
  std::int64_t OffsetAt(std::int64_t utc_ms) const;
  /// The moment of a local time; the first of two, and the end of a gap for one that does not exist.
  std::int64_t ToUtc(std::int64_t local_ms) const;

 private:
  struct Rules;
  std::int64_t offset_ms_ = 0;
  std::shared_ptr<const Rules> rules_;  // shared: a zone is copied into every aggregation that uses it
};

enum class CalendarUnit : std::uint8_t { kSecond, kMinute, kHour, kDay, kWeek, kMonth, kQuarter, kYear };
/// "1m", "minute", "m", "1d", "day", "M", "month" …; none for others (also for several, like "2d").
std::optional<CalendarUnit> ParseCalendarUnit(std::string_view text);
/// "30s", "5m", "1h", "7d", "100ms" as milliseconds, above 0.
std::optional<std::int64_t> ParseFixedInterval(std::string_view text);
/// Start of the unit that holds a local time (weeks begin on Monday).
std::int64_t FloorToUnit(std::int64_t local_ms, CalendarUnit unit);
/// A local time moved by whole units; the day is kept within the month.
std::int64_t AddUnits(std::int64_t local_ms, CalendarUnit unit, std::int64_t count);

/// How a date string is to be read.
struct DateReading {
  std::string_view
      format;     ///< Java patterns or names, "||" between alternatives; empty: ISO 8601 or epoch ms.
  TimeZone zone;  ///< Where the string names none.
  std::int64_t now_ms = 0;
  bool round_up = false;  ///< Missing and rounded parts become their last instead of their first moment.
};
/// Milliseconds of "2026-11-21T10:00:00Z", "2026-11", "now-15m", "now/d", "2026-11-21||+1M/d".
Result<std::int64_t> ParseDate(std::string_view text, const DateReading& reading);
/// The moment that a number in a document stands for: seconds where the formats (as in DateReading) have
/// epoch_second, milliseconds where they have epoch_millis or are empty, else what its digits are in a
/// pattern (yyyyMMdd). None where no format takes it, and beyond 64 bits.
std::optional<std::int64_t> DateOfNumber(std::int64_t number, std::string_view formats);
/// Likewise; fractions are for epoch_second and epoch_millis only, empty formats take none.
std::optional<std::int64_t> DateOfNumber(double number, std::string_view formats);
/// kInvalidArgument names the alternative that ParseDate cannot read: patterns may have the letters
/// y u M d H m s S E X x Z.
Result<void> CheckDateFormats(std::string_view formats);
/// Whether dates are read by these formats just as without any.
bool AreUsualDateFormats(std::string_view formats);
/// By a Java pattern ("yyyy-MM-dd HH:mm"), "epoch_millis", "epoch_second"; ISO 8601 with milliseconds for
/// others.
std::string FormatDate(std::int64_t ms, std::string_view format, const TimeZone& zone);

}  // namespace honryu::search
