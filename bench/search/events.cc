#include "events.h"

#include "honryu/base/time.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>

namespace honryu::bench {
namespace {

constexpr double kRate = 1000;

demo::GeneratorOptions Options(std::int64_t start_ms) {
  demo::GeneratorOptions options;
  options.events_per_second = kRate;
  options.daily_curve = false;
  options.users = 100'000;
  options.detailed = true;
  options.start = TimestampFromMs(start_ms);
  return options;
}

std::int64_t StartFor(std::size_t count) {
  const auto length = static_cast<std::int64_t>(static_cast<double>(count) / kRate * 1000) + 120'000;
  return (ToMs(SystemClock().Now()) - length) / 60'000 * 60'000;
}

}  // namespace

Events::Events(std::size_t count, std::int64_t start_ms)
    : start_ms_(start_ms != 0 ? start_ms : StartFor(count)), left_(count), generator_(Options(start_ms_)) {}

std::vector<demo::DemoEvent> Events::Next(std::size_t limit) {
  std::vector<demo::DemoEvent> events;
  const auto wanted = std::min(limit, left_);
  while (events.size() < wanted)
    generator_.Generate(generator_.position() + std::chrono::seconds(10), wanted - events.size(), events);
  left_ -= events.size();
  return events;
}

double WallSeconds() {
  return std::chrono::duration<double>(SystemClock().Mono().time_since_epoch()).count();
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::uint64_t PeakMemory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace honryu::bench
