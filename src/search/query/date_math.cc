#include "search/query/date_math.h"

#include "honryu/base/time.h"

#include <unicode/timezone.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace honryu::search {
namespace {

constexpr std::int64_t kSecondMs = 1000, kMinuteMs = 60 * kSecondMs, kHourMs = 60 * kMinuteMs,
                       kDayMs = 24 * kHourMs;

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

struct Civil {
  std::int64_t year = 1970, month = 1, day = 1, of_day_ms = 0;
};

Civil ToCivil(std::int64_t ms) {
  const auto days = FloorDiv(ms, kDayMs);
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()), ms - days * kDayMs};
}

std::int64_t DaysIn(std::int64_t year, std::int64_t month) {
  const std::chrono::year_month_day_last last{std::chrono::year(static_cast<int>(year)) /
                                              std::chrono::month(static_cast<unsigned>(month)) /
                                              std::chrono::last};
  return static_cast<unsigned>(last.day());
}

std::int64_t FromCivil(const Civil& c) {
  const std::chrono::sys_days days = std::chrono::year(static_cast<int>(c.year)) /
                                     std::chrono::month(static_cast<unsigned>(c.month)) /
                                     std::chrono::day(static_cast<unsigned>(c.day));
  return days.time_since_epoch().count() * kDayMs + c.of_day_ms;
}

std::optional<std::int64_t> ParseInt(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Takes between `least` and `most` digits.
std::optional<std::int64_t> TakeDigits(std::string_view* text, std::size_t least, std::size_t most) {
  std::size_t n = 0;
  while (n < most && n < text->size() && (*text)[n] >= '0' && (*text)[n] <= '9') ++n;
  if (n < least) return std::nullopt;
  const auto value = ParseInt(text->substr(0, n));
  text->remove_prefix(n);
  return value;
}

std::optional<std::int64_t> TakeOffset(std::string_view* text) {
  if (text->starts_with('Z') || text->starts_with('z')) {
    text->remove_prefix(1);
    return 0;
  }
  if (!text->starts_with('+') && !text->starts_with('-')) return std::nullopt;
  const std::int64_t sign = text->front() == '-' ? -1 : 1;
  text->remove_prefix(1);
  const auto hours = TakeDigits(text, 2, 2);
  if (text->starts_with(':')) text->remove_prefix(1);
  const auto minutes = text->empty() ? 0 : TakeDigits(text, 2, 2);
  if (!hours || !minutes || *hours > 18 || *minutes > 59) return std::nullopt;
  return sign * (*hours * kHourMs + *minutes * kMinuteMs);
}

/// What was read of a date, and its zone if it named one.
struct Parts {
  std::optional<std::int64_t> year, month, day, hour, minute, second, ms, offset;
};

std::optional<std::int64_t> Assemble(const Parts& p, const DateReading& reading) {
  const bool up = reading.round_up;
  Civil c;
  c.year = p.year.value_or(1970);
  c.month = p.month.value_or(up ? 12 : 1);
  if (c.month < 1 || c.month > 12 || c.year < 0 || c.year > 9999) return std::nullopt;
  c.day = p.day.value_or(up ? DaysIn(c.year, c.month) : 1);
  const auto hour = p.hour.value_or(up ? 23 : 0), minute = p.minute.value_or(up ? 59 : 0);
  const auto second = p.second.value_or(up ? 59 : 0), ms = p.ms.value_or(up ? 999 : 0);
  if (c.day < 1 || c.day > DaysIn(c.year, c.month) || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  c.of_day_ms = hour * kHourMs + minute * kMinuteMs + second * kSecondMs + ms;
  const auto local = FromCivil(c);
  return p.offset ? local - *p.offset : reading.zone.ToUtc(local);
}

std::optional<std::int64_t> TakeFraction(std::string_view* text) {
  std::int64_t ms = 0, scale = 100;
  std::size_t digits = 0;
  for (; !text->empty() && text->front() >= '0' && text->front() <= '9'; text->remove_prefix(1), ++digits) {
    ms += (text->front() - '0') * scale;
    scale /= 10;
  }
  if (digits == 0 || digits > 9) return std::nullopt;
  return ms;
}

std::optional<std::int64_t> ParseIso(std::string_view text, const DateReading& reading) {
  Parts p;
  const auto next = [&](std::string_view separators, std::optional<std::int64_t>* part) {
    if (text.empty() || separators.find(text.front()) == std::string_view::npos) return true;
    text.remove_prefix(1);
    *part = TakeDigits(&text, 1, 2);
    return part->has_value();
  };
  p.year = TakeDigits(&text, 4, 4);
  if (!p.year || !next("-/", &p.month)) return std::nullopt;
  if (p.month && !next("-/", &p.day)) return std::nullopt;
  if (p.day && (text == "T" || text == "t")) text = {};
  if (p.day && !next("Tt ", &p.hour)) return std::nullopt;
  if (p.hour && !next(":", &p.minute)) return std::nullopt;
  if (p.minute && !next(":", &p.second)) return std::nullopt;
  if (p.second && (text.starts_with('.') || text.starts_with(','))) {
    text.remove_prefix(1);
    if (!(p.ms = TakeFraction(&text))) return std::nullopt;
  }
  if (!text.empty() && !(p.offset = TakeOffset(&text))) return std::nullopt;
  return text.empty() ? Assemble(p, reading) : std::nullopt;
}

/// Calls field(letter, width) and literal(text) along a Java pattern.
template <class Field, class Literal>
bool WalkPattern(std::string_view pattern, Field&& field, Literal&& literal) {
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '\'') {
      const auto end = pattern.find('\'', i + 1);
      if (end == std::string_view::npos) return false;
      if (!literal(end == i + 1 ? std::string_view("'") : pattern.substr(i + 1, end - i - 1))) return false;
      i = end + 1;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      auto end = i;
      while (end < pattern.size() && pattern[end] == c) ++end;
      if (!field(c, end - i)) return false;
      i = end;
    } else {
      if (!literal(pattern.substr(i, 1))) return false;
      ++i;
    }
  }
  return true;
}

constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

/// Takes one of the English names, of which a width of 3 means the first three letters; its number from 0.
template <std::size_t N>
std::optional<std::int64_t> TakeName(std::string_view* text, const std::array<std::string_view, N>& names,
                                     std::size_t width) {
  for (std::size_t i = 0; i < N; ++i) {
    const auto name = width > 3 ? names[i] : names[i].substr(0, 3);
    if (text->size() < name.size() || !std::equal(name.begin(), name.end(), text->begin(),
                                                  [](char a, char b) { return (a | 0x20) == (b | 0x20); }))
      continue;
    text->remove_prefix(name.size());
    return static_cast<std::int64_t>(i);
  }
  return std::nullopt;
}

std::optional<std::int64_t> ParseByPattern(std::string_view text, std::string_view pattern,
                                           const DateReading& reading) {
  Parts p;
  const bool fits = WalkPattern(
      pattern,
      [&](char letter, std::size_t width) {
        const auto take = [&](std::optional<std::int64_t>* part, std::size_t most) {
          *part = TakeDigits(&text, width >= 2 ? width : 1, std::max(width, most));
          return part->has_value();
        };
        switch (letter) {
          case 'y':
          case 'u':
            if (!take(&p.year, width == 2 ? 2 : 4)) return false;
            if (width == 2) *p.year += 2000;
            return true;
          case 'M':
            if (width < 3) return take(&p.month, 2);
            if (!(p.month = TakeName(&text, kMonths, width))) return false;
            ++*p.month;
            return true;
          case 'E':
            return TakeName(&text, kWeekdays, width).has_value();
          case 'd':
            return take(&p.day, 2);
          case 'H':
            return take(&p.hour, 2);
          case 'm':
            return take(&p.minute, 2);
          case 's':
            return take(&p.second, 2);
          case 'S':
            return (p.ms = TakeFraction(&text)).has_value();
          case 'X':
          case 'x':
          case 'Z':
            return (p.offset = TakeOffset(&text)).has_value();
          default:
            return false;
        }
      },
      [&](std::string_view literal) {
        if (!text.starts_with(literal)) return false;
        text.remove_prefix(literal.size());
        return true;
      });
  return fits && text.empty() ? Assemble(p, reading) : std::nullopt;
}

/// Names that stand for a pattern.
std::string_view PatternOf(std::string_view format) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kPatterns = {
      {{"basic_date", "yyyyMMdd"},
       {"basic_date_time", "yyyyMMdd'T'HHmmss.SSSX"},
       {"basic_date_time_no_millis", "yyyyMMdd'T'HHmmssX"}}};
  for (const auto& [name, pattern] : kPatterns)
    if (format == name) return pattern;
  return format;
}

bool IsNamedFormat(std::string_view format) {
  constexpr std::array<std::string_view, 4> kOthers = {"year", "year_month", "year_month_day", "iso8601"};
  auto name = format;
  if (name.starts_with("strict_")) name.remove_prefix(7);
  return format.empty() || format.find("date") != std::string_view::npos || format.starts_with("iso") ||
         std::find(kOthers.begin(), kOthers.end(), name) != kOthers.end();
}

/// The names of forms that ParseIso reads.
bool IsIsoFormat(std::string_view format) {
  constexpr std::array<std::string_view, 16> kNames = {"date_optional_time",
                                                       "date_optional_time_nanos",
                                                       "date",
                                                       "date_time",
                                                       "date_time_no_millis",
                                                       "date_hour",
                                                       "date_hour_minute",
                                                       "date_hour_minute_second",
                                                       "date_hour_minute_second_fraction",
                                                       "date_hour_minute_second_millis",
                                                       "year",
                                                       "year_month",
                                                       "year_month_day",
                                                       "iso8601",
                                                       "iso_date",
                                                       "iso_date_time"};
  if (format.starts_with("strict_")) format.remove_prefix(7);
  return std::find(kNames.begin(), kNames.end(), format) != kNames.end();
}

bool IsReadablePattern(std::string_view pattern) {
  static constexpr std::string_view kLetters = "yuMdHmsSEXxZ";
  bool any = false;
  const bool fits = WalkPattern(
      pattern,
      [&any](char letter, std::size_t) {
        any = true;
        return kLetters.find(letter) != std::string_view::npos;
      },
      // Optional sections and reserved characters of Java.
      [](std::string_view literal) { return literal.find_first_of("[]{}#") == std::string_view::npos; });
  return any && fits;
}

/// Calls visit(format) for each alternative until it returns true; whether one did.
template <class Visit>
bool AnyFormat(std::string_view formats, Visit&& visit) {
  for (;;) {
    const auto end = std::min(formats.find("||"), formats.size());
    if (visit(formats.substr(0, end))) return true;
    if (end == formats.size()) return false;
    formats.remove_prefix(end + 2);
  }
}

std::optional<std::int64_t> ToMs(std::int64_t seconds) {
  std::int64_t ms = 0;
  if (__builtin_mul_overflow(seconds, kSecondMs, &ms)) return std::nullopt;
  return ms;
}

std::optional<std::int64_t> ParseAnchor(std::string_view text, const DateReading& reading) {
  const std::string_view formats =
      reading.format.empty() ? "strict_date_optional_time||epoch_millis" : reading.format;
  std::optional<std::int64_t> read;
  AnyFormat(formats, [&](std::string_view format) {
    const auto pattern = PatternOf(format);
    if (format == "epoch_millis" || format == "epoch_second") {
      read = ParseInt(text.substr(0, text.find('.')));
      if (read && format == "epoch_second") read = ToMs(*read);
    } else if (pattern == format && IsNamedFormat(format)) {
      read = ParseIso(text, reading);
    } else {
      read = ParseByPattern(text, pattern, reading);
    }
    return read.has_value();
  });
  return read;
}

std::optional<CalendarUnit> UnitOf(char letter) {
  switch (letter) {
    case 's':
      return CalendarUnit::kSecond;
    case 'm':
      return CalendarUnit::kMinute;
    case 'h':
    case 'H':
      return CalendarUnit::kHour;
    case 'd':
      return CalendarUnit::kDay;
    case 'w':
      return CalendarUnit::kWeek;
    case 'M':
      return CalendarUnit::kMonth;
    case 'q':
      return CalendarUnit::kQuarter;
    case 'y':
      return CalendarUnit::kYear;
    default:
      return std::nullopt;
  }
}

}  // namespace

struct TimeZone::Rules {
  std::unique_ptr<icu::TimeZone> zone;
};

Result<TimeZone> TimeZone::Parse(std::string_view name) {
  TimeZone zone;
  if (name.empty() || name == "UTC" || name == "Z") return zone;
  auto rest = name;
  if (const auto offset = TakeOffset(&rest); offset && rest.empty()) {
    zone.offset_ms_ = *offset;
    return zone;
  }
  auto rules = std::make_shared<Rules>();
  rules->zone.reset(icu::TimeZone::createTimeZone(
      icu::UnicodeString::fromUTF8(icu::StringPiece(name.data(), static_cast<std::int32_t>(name.size())))));
  if (rules->zone == nullptr || *rules->zone == icu::TimeZone::getUnknown())
    return Error(ErrorCode::kInvalidArgument, "unknown time zone [" + std::string(name) + "]");
  zone.rules_ = std::move(rules);
  return zone;
}

std::int64_t TimeZone::OffsetAt(std::int64_t utc_ms) const {
  if (rules_ == nullptr) return offset_ms_;
  std::int32_t raw = 0, daylight = 0;
  UErrorCode status = U_ZERO_ERROR;
  rules_->zone->getOffset(static_cast<UDate>(utc_ms), false, raw, daylight, status);
  return U_SUCCESS(status) ? raw + daylight : 0;
}

std::int64_t TimeZone::ToUtc(std::int64_t local_ms) const {
  if (rules_ == nullptr) return local_ms - offset_ms_;
  // Where the offset changes near by, the earlier of the two readings that reads back wins.
  const auto before = local_ms - OffsetAt(local_ms - kDayMs), after = local_ms - OffsetAt(local_ms + kDayMs);
  for (const auto utc : {std::min(before, after), std::max(before, after)})
    if (utc + OffsetAt(utc) == local_ms) return utc;
  return std::max(before, after);
}

std::optional<CalendarUnit> ParseCalendarUnit(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, CalendarUnit>, 8> kNames = {
      {{"second", CalendarUnit::kSecond},
       {"minute", CalendarUnit::kMinute},
       {"hour", CalendarUnit::kHour},
       {"day", CalendarUnit::kDay},
       {"week", CalendarUnit::kWeek},
       {"month", CalendarUnit::kMonth},
       {"quarter", CalendarUnit::kQuarter},
       {"year", CalendarUnit::kYear}}};
  for (const auto& [name, unit] : kNames)
    if (text == name) return unit;
  if (text.size() == 2 && text[0] == '1') text.remove_prefix(1);
  return text.size() == 1 ? UnitOf(text[0]) : std::nullopt;
}

std::optional<std::int64_t> ParseFixedInterval(std::string_view text) {
  const auto count = TakeDigits(&text, 1, 12);
  if (!count || *count <= 0) return std::nullopt;
  if (text == "ms") return *count;
  if (text == "s") return *count * kSecondMs;
  if (text == "m") return *count * kMinuteMs;
  if (text == "h" || text == "H") return *count * kHourMs;
  if (text == "d") return *count * kDayMs;
  return std::nullopt;
}

std::int64_t FloorToUnit(std::int64_t local_ms, CalendarUnit unit) {
  switch (unit) {
    case CalendarUnit::kSecond:
      return FloorDiv(local_ms, kSecondMs) * kSecondMs;
    case CalendarUnit::kMinute:
      return FloorDiv(local_ms, kMinuteMs) * kMinuteMs;
    case CalendarUnit::kHour:
      return FloorDiv(local_ms, kHourMs) * kHourMs;
    case CalendarUnit::kDay:
      return FloorDiv(local_ms, kDayMs) * kDayMs;
    case CalendarUnit::kWeek:  // 1970-01-01 was a Thursday
      return (FloorDiv(FloorDiv(local_ms, kDayMs) + 3, 7) * 7 - 3) * kDayMs;
    case CalendarUnit::kMonth:
    case CalendarUnit::kQuarter:
    case CalendarUnit::kYear:
      break;
  }
  auto c = ToCivil(local_ms);
  c.day = 1;
  c.of_day_ms = 0;
  if (unit == CalendarUnit::kQuarter) c.month = (c.month - 1) / 3 * 3 + 1;
  if (unit == CalendarUnit::kYear) c.month = 1;
  return FromCivil(c);
}

std::int64_t AddUnits(std::int64_t local_ms, CalendarUnit unit, std::int64_t count) {
  switch (unit) {
    case CalendarUnit::kSecond:
      return local_ms + count * kSecondMs;
    case CalendarUnit::kMinute:
      return local_ms + count * kMinuteMs;
    case CalendarUnit::kHour:
      return local_ms + count * kHourMs;
    case CalendarUnit::kDay:
      return local_ms + count * kDayMs;
    case CalendarUnit::kWeek:
      return local_ms + count * 7 * kDayMs;
    case CalendarUnit::kMonth:
    case CalendarUnit::kQuarter:
    case CalendarUnit::kYear:
      break;
  }
  const std::int64_t months = count * (unit == CalendarUnit::kMonth     ? 1
                                       : unit == CalendarUnit::kQuarter ? 3
                                                                        : 12);
  auto c = ToCivil(local_ms);
  const auto total = c.year * 12 + c.month - 1 + months;
  c.year = FloorDiv(total, 12);
  c.month = total - c.year * 12 + 1;
  c.day = std::min(c.day, DaysIn(c.year, c.month));
  return FromCivil(c);
}

Result<std::int64_t> ParseDate(std::string_view text, const DateReading& reading) {
  const auto failed = [&] {
    return Error(
        ErrorCode::kInvalidArgument,
        "failed to parse date field [" + std::string(text) + "] with format [" +
            std::string(reading.format.empty() ? "strict_date_optional_time||epoch_millis" : reading.format) +
            "]");
  };
  std::int64_t utc = reading.now_ms;
  std::string_view math;
  if (text.starts_with("now")) {
    math = text.substr(3);
  } else {
    const auto bars = std::min(text.find("||"), text.size());
    auto anchored = reading;
    if (bars < text.size()) anchored.round_up = false;  // rounding is the math's business then
    const auto anchor = ParseAnchor(text.substr(0, bars), anchored);
    if (!anchor) return failed();
    utc = *anchor;
    math = text.substr(std::min(bars + 2, text.size()));
  }
  while (!math.empty()) {
    const char op = math.front();
    math.remove_prefix(1);
    std::int64_t count = 1;
    if (op == '+' || op == '-') {
      if (!math.empty() && math.front() >= '0' && math.front() <= '9') {
        const auto digits = TakeDigits(&math, 1, 9);
        count = *digits;
      }
    } else if (op != '/') {
      return failed();
    }
    const auto unit = math.empty() ? std::nullopt : UnitOf(math.front());
    if (!unit) return failed();
    math.remove_prefix(1);
    auto local = utc + reading.zone.OffsetAt(utc);
    if (op == '/') {
      local = FloorToUnit(local, *unit);
      if (reading.round_up) {
        utc = reading.zone.ToUtc(AddUnits(local, *unit, 1)) - 1;
        continue;
      }
    } else {
      local = AddUnits(local, *unit, op == '-' ? -count : count);
    }
    utc = reading.zone.ToUtc(local);
  }
  return utc;
}

std::optional<std::int64_t> DateOfNumber(std::int64_t number, std::string_view formats) {
  if (formats.empty()) return number;
  std::optional<std::int64_t> read;
  AnyFormat(formats, [&](std::string_view format) {
    const auto pattern = PatternOf(format);
    if (format == "epoch_second")
      read = ToMs(number);
    else if (format == "epoch_millis")
      read = number;
    else if (pattern != format || !IsNamedFormat(format))
      read = ParseByPattern(std::to_string(number), pattern, {});
    return read.has_value();
  });
  return read;
}

std::optional<std::int64_t> DateOfNumber(double number, std::string_view formats) {
  std::optional<std::int64_t> read;
  AnyFormat(formats, [&](std::string_view format) {
    if (format != "epoch_second" && format != "epoch_millis") return false;
    const double ms = format == "epoch_second" ? number * static_cast<double>(kSecondMs) : number;
    if (std::fabs(ms) < 9e18) read = static_cast<std::int64_t>(std::floor(ms));
    return read.has_value();
  });
  return read;
}

Result<void> CheckDateFormats(std::string_view formats) {
  std::string bad;
  const bool found = AnyFormat(formats, [&bad](std::string_view format) {
    if (format == "epoch_millis" || format == "epoch_second" || IsIsoFormat(format) ||
        IsReadablePattern(PatternOf(format)))
      return false;
    bad = format;
    return true;
  });
  if (found) return Error(ErrorCode::kInvalidArgument, "Invalid format: [" + bad + "]");
  return Ok();
}

bool AreUsualDateFormats(std::string_view formats) {
  return !AnyFormat(formats, [](std::string_view format) {
    if (format.starts_with("strict_")) format.remove_prefix(7);
    return format != "date_optional_time" && format != "date_optional_time_nanos" &&
           format != "epoch_millis" && format != "iso8601";
  });
}

std::string FormatDate(std::int64_t ms, std::string_view format, const TimeZone& zone) {
  format = PatternOf(format);
  if (format == "epoch_millis") return std::to_string(ms);
  if (format == "epoch_second") return std::to_string(FloorDiv(ms, 1000));
  const auto offset = zone.OffsetAt(ms);
  const auto offset_text = [&](bool zulu) -> std::string {
    if (zulu && offset == 0) return "Z";
    const auto minutes = (offset < 0 ? -offset : offset) / kMinuteMs;
    char out[16];
    std::snprintf(out, sizeof out, "%c%02d:%02d", offset < 0 ? '-' : '+', static_cast<int>(minutes / 60),
                  static_cast<int>(minutes % 60));
    return out;
  };
  std::string text;
  if (!IsNamedFormat(format)) {
    const auto c = ToCivil(ms + offset);
    const auto number = [&](std::int64_t value, std::size_t width) {
      auto digits = std::to_string(value);
      text.append(digits.size() < width ? width - digits.size() : 0, '0');
      text += digits;
      return true;
    };
    const bool known = WalkPattern(
        format,
        [&](char letter, std::size_t width) {
          switch (letter) {
            case 'y':
            case 'u':
              return number(width == 2 ? c.year % 100 : c.year, width);
            case 'M': {
              const auto name = kMonths[static_cast<std::size_t>(c.month - 1)];
              if (width < 3) return number(c.month, width);
              text += width > 3 ? name : name.substr(0, 3);
              return true;
            }
            case 'E': {
              const auto days = FloorDiv(ms + offset, kDayMs) + 4;  // 1970-01-01 was a Thursday
              const auto name = kWeekdays[static_cast<std::size_t>(days - FloorDiv(days, 7) * 7)];
              text += width > 3 ? name : name.substr(0, 3);
              return true;
            }
            case 'd':
              return number(c.day, width);
            case 'H':
              return number(c.of_day_ms / kHourMs, width);
            case 'm':
              return number(c.of_day_ms / kMinuteMs % 60, width);
            case 's':
              return number(c.of_day_ms / kSecondMs % 60, width);
            case 'S': {
              const auto begin = text.size();
              number(c.of_day_ms % 1000, 3);
              text.resize(begin + std::min<std::size_t>(width, 3));
              return true;
            }
            case 'X':
            case 'x':
            case 'Z':
              text += offset_text(letter == 'X');
              return true;
            default:
              return false;
          }
        },
        [&](std::string_view literal) {
          text += literal;
          return true;
        });
    if (known) return text;
  }
  text = FormatTimestamp(TimestampFromMs(ms + offset));
  if (offset != 0) {
    text.pop_back();
    text += offset_text(true);
  }
  return text;
}

}  // namespace honryu::search
