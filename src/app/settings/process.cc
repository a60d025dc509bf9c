#include "app/settings/describe.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void DescribeProcess(Settings& settings, Section& section) {
  section.Field("data_dir", &settings.data_dir, {.doc = "Folder of the log and all state."});
  section.Field("stop_grace", &settings.stop_grace, {.doc = "A graceful stop may take this long."},
                {milliseconds(100), hours(1)});
  section.Field("start_timeout", &settings.start_timeout,
                {.doc = "How long a start waits for its broker without getting on."},
                {seconds(1), hours(24)});
  section.Field(
      "allow_public", &settings.allow_public,
      {.doc = "Listen on addresses beyond this machine also without TLS and keys; something else must then "
              "protect them."});
}

void DescribeLog(obs::LogOptions& log, Section& section) {
  section.Enum("level", &log.level, {.doc = "Least severe lines that are written."},
               {{"trace", obs::LogLevel::kTrace},
                {"debug", obs::LogLevel::kDebug},
                {"info", obs::LogLevel::kInfo},
                {"warn", obs::LogLevel::kWarn},
                {"error", obs::LogLevel::kError}});
  section.Field("json", &log.json, {.doc = "One JSON object a line instead of text."});
  section.Field("file", &log.file,
                {.doc = "File to append to; empty: standard error.", .example = "/var/log/honryu.log"});
}

void DescribeRuntime(Settings& settings, Section& section) {
  section.Field("io_threads", &settings.runtime.io_threads, {.doc = "Event loops."}, {1, 256});
  section.Field("blocking_threads", &settings.runtime.blocking_threads,
                {.doc = "Threads for disk reads and long work."}, {1, 256});
  section.Field(
      "request_memory", &settings.request_memory,
      {.doc = "For request bodies, all listeners together; beyond it requests get 503 with Retry-After."},
      {ByteSize::MiB(1), ByteSize::GiB(64)});
}

}  // namespace honryu::app
