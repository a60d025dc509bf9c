#include "honryu/obs/log.h"

#include "honryu/base/time.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <charconv>
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
    fresh->flush_on(spdlog::level::info);
    std::atomic_store(&logger, std::move(fresh));
  }
};

LogState& State() {
  // Never destroyed: others may log while the process ends.
  static LogState& state = *new LogState;
  return state;
}

constexpr const char* kLevelNames[] = {"trace", "debug", "info", "warn", "error"};

// Length of the UTF-8 sequence that begins with a byte above 0x7f at `at`, or 0 if it is none (RFC 3629,
// section 4; codec has the same, but lies beside this module).
std::size_t SequenceLength(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const std::uint8_t first = byte(at);
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const std::uint8_t second = byte(at + 1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool no_character = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return overlong || no_character ? 0 : length;
}

void AppendEscaped(std::string_view text, std::string& out) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (static_cast<std::uint8_t>(c) > 0x7f) {
      const std::size_t length = SequenceLength(text, at);
      if (length == 0) {
        out += "\xef\xbf\xbd";
      } else {
        out += text.substr(at, length);
        at += length - 1;
      }
      continue;
    }
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
    const auto byte = static_cast<std::uint8_t>(c);
    if (c == ' ' || c == '"' || c == '=' || byte < 0x20 || byte > 0x7e) return true;
  }
  return false;
}

}  // namespace

std::string Field::NumberText(double number) {
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

Result<LogLevel> ParseLogLevel(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (text == kLevelNames[i]) return static_cast<LogLevel>(i);
  }
  return Error(ErrorCode::kInvalidArgument,
               "expected trace, debug, info, warn or error, found '" + std::string(text) + "'");
}

Result<void> InitLogging(const LogOptions& options) {
  try {
    if (options.file.empty()) {
      State().Use(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    } else {
      State().Use(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file));
    }
  } catch (const spdlog::spdlog_ex& e) {
    return Error(ErrorCode::kIo, std::string("cannot open the log file: ") + e.what());
  }
  State().level = options.level;
  State().json = options.json;
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
  // Only decides whether the line is flushed.
  const auto spdlog_level = level >= LogLevel::kInfo ? spdlog::level::info : spdlog::level::debug;
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
