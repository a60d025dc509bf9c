#include "sql/calendar.h"

#include "honryu/analytics/window.h"
#include "honryu/base/time.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace honryu::sql {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

// Keeps arithmetic on times from outside in range: years -32767 to 32767, which is what std::chrono has.
std::int64_t Sane(std::int64_t ms) {
  constexpr std::int64_t kFar = 32'000LL * 365 * kDayMs;
  return std::clamp(ms, -kFar, kFar);
}

std::int64_t DaysOf(std::int64_t ms) { return analytics::WindowStart(ms, kDayMs) / kDayMs; }

std::chrono::year_month_day DateOf(std::int64_t ms) {
  return std::chrono::year_month_day(std::chrono::sys_days(std::chrono::days(DaysOf(ms))));
}

std::int64_t MsOf(std::chrono::year_month_day date) {
  return std::int64_t{std::chrono::sys_days(date).time_since_epoch().count()} * kDayMs;
}

std::int64_t FirstOfMonth(int year, unsigned month) {
  return MsOf(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(1));
}

void Append(std::string& out, const char* format, long long a, long long b, long long c) {
  std::array<char, 64> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), format, a, b, c);
  out.append(buffer.data(), static_cast<std::size_t>(size));
}

// A fixed number of digits.
std::optional<int> Digits(std::string_view text, std::size_t* at, std::size_t least, std::size_t most) {
  int value = 0;
  std::size_t count = 0;
  while (count < most && *at < text.size() && text[*at] >= '0' && text[*at] <= '9') {
    value = value * 10 + (text[*at] - '0');
    ++*at;
    ++count;
  }
  if (count < least) return {};
  return value;
}

}  // namespace

std::int64_t FloorToUnit(std::int64_t ms, TimeUnit unit) {
  ms = Sane(ms);
  if (unit == TimeUnit::kWeek) {  // 1970-01-01 was a Thursday
    return analytics::WindowStart(ms + 3 * kDayMs, 7 * kDayMs) - 3 * kDayMs;
  }
  if (const std::int64_t size = TimeUnitMs(unit); size > 0) return analytics::WindowStart(ms, size);
  const std::chrono::year_month_day date = DateOf(ms);
  const auto month = static_cast<unsigned>(date.month());
  switch (unit) {
    case TimeUnit::kMonth:
      return FirstOfMonth(static_cast<int>(date.year()), month);
    case TimeUnit::kQuarter:
      return FirstOfMonth(static_cast<int>(date.year()), (month - 1) / 3 * 3 + 1);
    case TimeUnit::kYear:
      return FirstOfMonth(static_cast<int>(date.year()), 1);
    default:
      return ms;
  }
}

std::int64_t NextUnit(std::int64_t start_ms, TimeUnit unit) {
  if (const std::int64_t size = TimeUnitMs(unit); size > 0) return start_ms + size;
  return AddMonths(start_ms, unit == TimeUnit::kYear ? 12 : unit == TimeUnit::kQuarter ? 3 : 1);
}

std::int64_t CeilToUnit(std::int64_t ms, TimeUnit unit) {
  const std::int64_t floor = FloorToUnit(ms, unit);
  return floor == ms ? ms : NextUnit(floor, unit);
}

std::int64_t AddMonths(std::int64_t ms, std::int64_t months) {
  ms = Sane(ms);
  const std::chrono::year_month_day date = DateOf(ms);
  const std::int64_t rest = ms - DaysOf(ms) * kDayMs;
  const std::chrono::year_month month =
      std::chrono::year_month(date.year(), date.month()) + std::chrono::months(months);
  const std::chrono::year_month_day_last last = month / std::chrono::last;
  const std::chrono::day day = date.day() < last.day() ? date.day() : last.day();
  return MsOf(month / day) + rest;
}

std::int64_t ExtractUnit(std::int64_t ms, TimeUnit unit) {
  ms = Sane(ms);
  const std::int64_t days = DaysOf(ms);
  const std::int64_t rest = ms - days * kDayMs;
  const std::chrono::year_month_day date = DateOf(ms);
  const std::int64_t year = static_cast<int>(date.year());
  switch (unit) {
    case TimeUnit::kMillisecond:
      return rest % 1000;
    case TimeUnit::kSecond:
      return rest / 1000 % 60;
    case TimeUnit::kMinute:
      return rest / 60'000 % 60;
    case TimeUnit::kHour:
      return rest / 3'600'000;
    case TimeUnit::kDay:
      return static_cast<unsigned>(date.day());
    case TimeUnit::kWeek: {  // ISO 8601: the week belongs to the year that has its Thursday
      const std::int64_t thursday = FloorToUnit(ms, TimeUnit::kWeek) + 3 * kDayMs;
      return (thursday - FloorToUnit(thursday, TimeUnit::kYear)) / kDayMs / 7 + 1;
    }
    case TimeUnit::kMonth:
      return static_cast<unsigned>(date.month());
    case TimeUnit::kQuarter:
      return (static_cast<unsigned>(date.month()) - 1) / 3 + 1;
    case TimeUnit::kYear:
      return year;
    case TimeUnit::kDayOfWeek:
      return ((days + 4) % 7 + 7) % 7 + 1;
    case TimeUnit::kDayOfYear:
      return days - FirstOfMonth(static_cast<int>(year), 1) / kDayMs + 1;
    case TimeUnit::kEpoch:
      return analytics::WindowStart(ms, 1000) / 1000;
  }
  return 0;
}

void AppendDate(std::int64_t ms, std::string& out) {
  ms = Sane(ms);
  const std::chrono::year_month_day date = DateOf(ms);
  Append(out, "%04lld-%02lld-%02lld", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
         static_cast<unsigned>(date.day()));
}

void AppendTimeOfDay(std::int64_t ms, std::string& out) {
  ms = Sane(ms);
  const std::int64_t rest = ms - DaysOf(ms) * kDayMs;
  Append(out, "%02lld:%02lld:%02lld", rest / 3'600'000, rest / 60'000 % 60, rest / 1000 % 60);
  Append(out, ".%03lld", rest % 1000, 0, 0);
}

void AppendTimestamp(std::int64_t ms, std::string& out) {
  AppendDate(ms, out);
  out += ' ';
  AppendTimeOfDay(ms, out);
}

std::optional<std::int64_t> ReadTimestamp(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  const auto parsed = ParseTimestamp(text);
  if (!parsed.ok()) return {};
  return ToMs(*parsed);
}

std::optional<std::int64_t> ReadDate(std::string_view text) {
  const std::optional<std::int64_t> ms = ReadTimestamp(text);
  if (!ms.has_value()) return {};
  return FloorToUnit(*ms, TimeUnit::kDay);
}

std::optional<std::int64_t> ReadTimeOfDay(std::string_view text) {
  std::size_t at = 0;
  const std::optional<int> hour = Digits(text, &at, 1, 2);
  if (!hour.has_value() || *hour > 23 || at >= text.size() || text[at] != ':') return {};
  ++at;
  const std::optional<int> minute = Digits(text, &at, 2, 2);
  if (!minute.has_value() || *minute > 59) return {};
  int second = 0, milli = 0;
  if (at < text.size() && text[at] == ':') {
    ++at;
    const std::optional<int> read = Digits(text, &at, 2, 2);
    if (!read.has_value() || *read > 59) return {};
    second = *read;
    if (at < text.size() && text[at] == '.') {
      int scale = 100;
      for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
        milli += (text[at] - '0') * scale;
    }
  }
  if (at != text.size()) return {};
  return ((std::int64_t{*hour} * 60 + *minute) * 60 + second) * 1000 + milli;
}

}  // namespace honryu::sql
