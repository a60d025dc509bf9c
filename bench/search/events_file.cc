// Writes the events of the benchmark, one a line, for the peers: search_events EVENTS START_MS > FILE
#include "events.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  honryu::bench::Events source(std::strtoull(argv[1], nullptr, 10), std::strtoll(argv[2], nullptr, 10));
  for (;;) {
    const auto events = source.Next(10'000);
    if (events.empty()) return 0;
    for (const auto& event : events) {
      if (std::fwrite(event.json.data(), 1, event.json.size(), stdout) != event.json.size()) return 1;
      std::putchar('\n');
    }
  }
}
