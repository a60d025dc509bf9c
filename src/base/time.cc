#include "honryu/base/time.h"

#include <cstdio>

namespace honryu {
namespace {

class RealClock final : public Clock {
 public:
  Timestamp Now() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  MonoTime Mono() const override { return std::chrono::steady_clock::now(); }
};

Error BadTimestamp(std::string_view text) {
  return Error(ErrorCode::kInvalidArgument,
               "expected an ISO-8601 timestamp, found '" + std::string(text.substr(0, 64)) + "'");
}

// Reads exactly `digits` decimal digits at *pos.
bool ReadDigits(std::string_view text, std::size_t* pos, int digits, int* out) {
  int value = 0;
  for (int i = 0; i < digits; ++i) {
    if (*pos >= text.size() || text[*pos] < '0' || text[*pos] > '9') return false;
    value = value * 10 + (text[*pos] - '0');
    ++*pos;
  }
  *out = value;
  return true;
}

bool Take(std::string_view text, std::size_t* pos, char c) {
  if (*pos >= text.size() || text[*pos] != c) return false;
  ++*pos;
  return true;
}

}  // namespace

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

Result<Timestamp> ParseTimestamp(std::string_view text) {
  std::size_t pos = 0;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, millis = 0, offset_min = 0;
  if (!ReadDigits(text, &pos, 4, &year) || !Take(text, &pos, '-') || !ReadDigits(text, &pos, 2, &month) ||
      !Take(text, &pos, '-') || !ReadDigits(text, &pos, 2, &day)) {
    return BadTimestamp(text);
  }
  if (pos < text.size()) {
    if (!Take(text, &pos, 'T') && !Take(text, &pos, 't') && !Take(text, &pos, ' ')) return BadTimestamp(text);
    if (!ReadDigits(text, &pos, 2, &hour) || !Take(text, &pos, ':') || !ReadDigits(text, &pos, 2, &minute)) {
      return BadTimestamp(text);
    }
    if (Take(text, &pos, ':')) {
      if (!ReadDigits(text, &pos, 2, &second)) return BadTimestamp(text);
      if (Take(text, &pos, '.') || Take(text, &pos, ',')) {
        int scale = 100;
        const std::size_t begin = pos;
        while (pos < text.size() && text[pos] >= '0' && text[pos] <= '9') {
          millis += (text[pos] - '0') * scale;
          scale /= 10;
          ++pos;
        }
        if (pos == begin) return BadTimestamp(text);
      }
    }
    if (Take(text, &pos, 'Z') || Take(text, &pos, 'z')) {
      // UTC
    } else if (pos < text.size() && (text[pos] == '+' || text[pos] == '-')) {
      const int sign = text[pos] == '-' ? -1 : 1;
      ++pos;
      int oh = 0, om = 0;
      if (!ReadDigits(text, &pos, 2, &oh)) return BadTimestamp(text);
      if (pos < text.size()) {
        Take(text, &pos, ':');
        if (!ReadDigits(text, &pos, 2, &om)) return BadTimestamp(text);
      }
      if (oh > 23 || om > 59) return BadTimestamp(text);
      offset_min = sign * (oh * 60 + om);
    }
  }
  if (pos != text.size() || hour > 23 || minute > 59 || second > 60) return BadTimestamp(text);
  const std::chrono::year_month_day ymd{std::chrono::year(year),
                                        std::chrono::month(static_cast<unsigned>(month)),
                                        std::chrono::day(static_cast<unsigned>(day))};
  if (!ymd.ok()) return BadTimestamp(text);
  return Timestamp(std::chrono::sys_days(ymd)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute - offset_min) + std::chrono::seconds(second) +
         std::chrono::milliseconds(millis);
}

std::string FormatTimestamp(Timestamp t) {
  const auto days = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day ymd(days);
  const auto ms = (t - days).count();
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(ymd.year()),
                static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                static_cast<int>(ms / 3600000), static_cast<int>(ms / 60000 % 60),
                static_cast<int>(ms / 1000 % 60), static_cast<int>(ms % 1000));
  return buffer;
}

std::int64_t ManualClock::LoadMs() const { return __atomic_load_n(&now_ms_, __ATOMIC_ACQUIRE); }
Timestamp ManualClock::Now() const { return TimestampFromMs(LoadMs()); }
MonoTime ManualClock::Mono() const { return MonoTime(std::chrono::milliseconds(LoadMs())); }
void ManualClock::Advance(Duration by) { __atomic_add_fetch(&now_ms_, ToMs(by), __ATOMIC_ACQ_REL); }
void ManualClock::Set(Timestamp now) { __atomic_store_n(&now_ms_, ToMs(now), __ATOMIC_RELEASE); }

}  // namespace honryu
