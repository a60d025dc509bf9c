#include "honryu/obs/log.h"

#include "honryu/base/time.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>

namespace honryu::obs {
namespace {

// The process's log is the one global of this code base: threading it through every constructor would buy
// nothing.
struct LogState {
  std::atomic<LogLevel> level{LogLevel::kInfo};
  std::atomic<bool> json{false};
  std::shared_ptr<spdlog::logger> logger;

  LogState() { Use(std::make_shared<spdlog::sinks::stderr_sink_mt>()); }
  void Use(std::shared_ptr<spdlog::sinks::sink> sink) {
    auto fresh = std::make_shared<spdlog::logger>("honryu", std::move(sink));
    fresh->set_level(spdlog::level::trace);
    fresh->set_pattern("%v");
    fresh->flush_on(spdlog::level::warn);
    std::atomic_store(&logger, std::move(fresh));
  }
};

LogState& State() {
  static LogState state;
  return state;
}

constexpr const char* kLevelNames[] = {"trace", "debug", "info", "warn", "error"};

void AppendEscaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
          out += c;
        }
    }
  }
}

void AppendQuoted(std::string_view text, std::string& out) {
  out += '"';
  AppendEscaped(text, out);
  out += '"';
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (c == ' ' || c == '"' || c == '=' || static_cast<unsigned char>(c) < 0x20) return true;
  }
  return false;
}

}  // namespace

Result<LogLevel> ParseLogLevel(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (text == kLevelNames[i]) return static_cast<LogLevel>(i);
  }
  return Error(ErrorCode::kInvalidArgument,
               "expected trace, debug, info, warn or error, found '" + std::string(text) + "'");
}

Result<void> InitLogging(const LogOptions& options) {
  State().level = options.level;
  State().json = options.json;
  if (options.file.empty()) return Ok();
  try {
    State().Use(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file));
  } catch (const spdlog::spdlog_ex& e) {
    return Error(ErrorCode::kIo, std::string("cannot open the log file: ") + e.what());
  }
  return Ok();
}

void SetLogLevel(LogLevel level) { State().level = level; }
bool LogEnabled(LogLevel level) { return level >= State().level.load(std::memory_order_relaxed); }
void FlushLog() { std::atomic_load(&State().logger)->flush(); }

void LogWrite(LogLevel level, const char* file, int line, std::string_view message,
              std::initializer_list<Field> fields) {
  const char* slash = std::strrchr(file, '/');
  const std::string_view name = slash != nullptr ? slash + 1 : file;
  const char* level_name = kLevelNames[static_cast<std::size_t>(level)];
  std::string out;
  out.reserve(160);
  if (State().json) {
    out +=
        "{\"ts\":\"" + FormatTimestamp(SystemClock().Now()) + "\",\"level\":\"" + level_name + "\",\"msg\":";
    AppendQuoted(message, out);
    out += fmt::format(",\"src\":\"{}:{}\"", name, line);
    for (const Field& field : fields) {
      out += ',';
      AppendQuoted(field.key, out);
      out += ':';
      if (field.quoted) {
        AppendQuoted(field.value, out);
      } else {
        out += field.value;
      }
    }
    out += '}';
  } else {
    out += FormatTimestamp(SystemClock().Now()) + fmt::format(" {:<5} ", level_name);
    out += message;
    for (const Field& field : fields) {
      out += ' ';
      out += field.key;
      out += '=';
      if (field.quoted && NeedsQuotes(field.value)) {
        AppendQuoted(field.value, out);
      } else {
        out += field.value;
      }
    }
    out += fmt::format(" ({}:{})", name, line);
  }
  const auto spdlog_level = level >= LogLevel::kWarn ? spdlog::level::warn : spdlog::level::info;
  std::atomic_load(&State().logger)->log(spdlog_level, "{}", out);
}

bool RateLimit::Allow(std::uint64_t* suppressed) {
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(SystemClock().Mono().time_since_epoch()).count();
  if (__atomic_exchange_n(&second_, now, __ATOMIC_RELAXED) != now)
    __atomic_store_n(&used_, 0, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&used_, 1, __ATOMIC_RELAXED) > per_second_) {
    __atomic_add_fetch(&suppressed_, 1, __ATOMIC_RELAXED);
    return false;
  }
  *suppressed = __atomic_exchange_n(&suppressed_, 0, __ATOMIC_RELAXED);
  return true;
}

}  // namespace honryu::obs
