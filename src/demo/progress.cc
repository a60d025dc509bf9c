#include "honryu/demo/demo.h"

#include <cinttypes>
#include <cstdio>

namespace honryu::demo {
namespace {
double Seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
}  // namespace

std::string FormatProgress(const Progress& now, const Progress& before) {
  const double passed = Seconds(now.elapsed - before.elapsed);
  const double rate = passed > 0 ? static_cast<double>(now.accepted - before.accepted) / passed : 0;
  char line[256];
  std::snprintf(line, sizeof line,
                "%.1f s  sent %" PRIu64 "  accepted %" PRIu64 " (+%.0f/s)  duplicates %" PRIu64
                "  rejected %" PRIu64 "  retried %" PRIu64 "  lag %.1f s",
                Seconds(now.elapsed), now.sent, now.accepted, rate, now.duplicates, now.rejected, now.retried,
                Seconds(now.lag));
  std::string text = line;
  if (now.unreadable > 0) text += "  unreadable " + std::to_string(now.unreadable);
  if (!now.last_problem.empty() && (now.last_problem != before.last_problem ||
                                    now.retried != before.retried || now.rejected != before.rejected))
    text += "  [" + now.last_problem + "]";
  return text;
}

}  // namespace honryu::demo
