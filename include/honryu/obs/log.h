#pragma once

#include "honryu/base/result.h"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace honryu::obs {

enum class LogLevel : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError };

/// One key and value of a structured log line. Strings are quoted in JSON, numbers and booleans are not (but
/// "nan" and "inf" are: JSON has no such numbers). Bytes that are not UTF-8 show as U+FFFD.
struct Field {
  Field(std::string_view k, std::string_view v) : key(k), value(v), quoted(true) {}
  Field(std::string_view k, const char* v) : key(k), value(v), quoted(true) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v), quoted(true) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false"), quoted(false) {}
  template <class T>
    requires(std::integral<T> && !std::same_as<T, bool>)
  Field(std::string_view k, T v) : key(k), value(std::to_string(v)), quoted(false) {}
  template <std::floating_point T>
  Field(std::string_view k, T v)
      : key(k), value(NumberText(static_cast<double>(v))), quoted(!__builtin_isfinite(v)) {}
  Field(std::string_view k, const Error& e) : key(k), value(e.ToString()), quoted(true) {}

  std::string_view key;
  std::string value;
  bool quoted;

 private:
  /// Shortest form that reads back to the same value.
  static std::string NumberText(double number);
};

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  bool json = false;  ///< One JSON object a line instead of text.
  std::string file;   ///< Empty: standard error. Otherwise a file, appended to.
};

/// Sets up the process's log; a later call replaces the earlier one's choice. Without it, text at info goes
/// to stderr. Lines at info and above are written at once, those below when the buffer is full or at
/// FlushLog(). kIo when the file cannot be opened; the log then stays as it was.
Result<void> InitLogging(const LogOptions& options);
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);
/// Writes one line. Thread-safe. `message` is a constant lower-case sentence; data goes into fields.
void LogWrite(LogLevel level, const char* file, int line, std::string_view message,
              std::initializer_list<Field> fields);
void FlushLog();
/// "trace" … "error"; kInvalidArgument otherwise.
Result<LogLevel> ParseLogLevel(std::string_view text);

/// Lets through at most `per_second` events a second from one call site; counts the rest.
class RateLimit {
 public:
  explicit RateLimit(int per_second) : per_second_(per_second) {}
  /// True if this event may be logged; then *suppressed holds how many were left out since the last one.
  bool Allow(std::uint64_t* suppressed);

 private:
  const int per_second_;
  std::int64_t second_ = 0;       // accessed atomically
  std::int64_t used_ = 0;         // accessed atomically
  std::uint64_t suppressed_ = 0;  // accessed atomically
};

}  // namespace honryu::obs

// LOG(info, "lease taken", {"stream", name}, {"shard", id});
#define LOG(level_name, message, ...) LOG_AT(HONRYU_LOG_LEVEL_##level_name, message, __VA_ARGS__)
#define LOG_AT(level_value, message, ...)                                               \
  do {                                                                                  \
    if (::honryu::obs::LogEnabled(level_value))                                         \
      ::honryu::obs::LogWrite(level_value, __FILE__, __LINE__, message, {__VA_ARGS__}); \
  } while (false)
// The same for whatever input can repeat: at most 5 lines a second from this place.
#define LOG_LIMITED(level_name, message, ...)                                                  \
  do {                                                                                         \
    static ::honryu::obs::RateLimit honryu_rate_limit(5);                                      \
    std::uint64_t honryu_suppressed = 0;                                                       \
    if (::honryu::obs::LogEnabled(HONRYU_LOG_LEVEL_##level_name) &&                            \
        honryu_rate_limit.Allow(&honryu_suppressed))                                           \
      ::honryu::obs::LogWrite(HONRYU_LOG_LEVEL_##level_name, __FILE__, __LINE__, message,      \
                              {{"suppressed", honryu_suppressed} __VA_OPT__(, ) __VA_ARGS__}); \
  } while (false)
#define HONRYU_LOG_LEVEL_trace ::honryu::obs::LogLevel::kTrace
#define HONRYU_LOG_LEVEL_debug ::honryu::obs::LogLevel::kDebug
#define HONRYU_LOG_LEVEL_info ::honryu::obs::LogLevel::kInfo
#define HONRYU_LOG_LEVEL_warn ::honryu::obs::LogLevel::kWarn
#define HONRYU_LOG_LEVEL_error ::honryu::obs::LogLevel::kError
