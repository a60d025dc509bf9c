// Where the time of indexing goes: search_index_bench EVENTS [PER_REFRESH [ROUNDS]]
//
// On one thread and without the clock that a running store goes by: events are added in batches of 1,000,
// each PER_REFRESH of them (25,000) made visible, and all flushed at the end; each phase in CPU microseconds
// an event, the least of ROUNDS (3). For comparing two builds; what users get is search_log_bench's.
#include "events.h"
#include "honryu/search/store.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace honryu::bench {
namespace {

/// CPU microseconds an event: adding, making visible, flushing.
std::array<double, 3> Round(const std::vector<demo::DemoEvent>& events, std::size_t per_refresh) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("honryu-index-bench-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  search::StoreConfig config;
  config.path = folder;
  auto store = search::Store::Open(config, SystemClock()).value();
  std::array<double, 3> took{};
  const auto timed = [&](std::size_t phase, auto&& work) {
    const double begin = CpuSeconds();
    work();
    took[phase] += (CpuSeconds() - begin) * 1e6 / static_cast<double>(events.size());
  };
  constexpr std::size_t kBatch = 1000;
  for (std::size_t at = 0; at < events.size(); at += kBatch) {
    search::StoreBatch batch{"bench", {}, 0};
    for (auto i = at; i < std::min(at + kBatch, events.size()); ++i) {
      batch.through = i + 1;
      batch.documents.push_back({"events",
                                 i + 1,
                                 0,
                                 {},
                                 events[i].json,
                                 ToMs(events[i].time),
                                 "event_id",
                                 search::WriteKind::kCreate});
    }
    timed(0, [&] { store->Add(batch).value(); });
    if ((at + kBatch) % per_refresh == 0) timed(1, [&] { store->Refresh().value(); });
  }
  timed(1, [&] { store->Refresh().value(); });
  timed(2, [&] { store->Flush().value(); });
  store.reset();
  std::filesystem::remove_all(folder);
  return took;
}

}  // namespace
}  // namespace honryu::bench

int main(int argc, char** argv) {
  using namespace honryu::bench;
  const auto number = [&](int i, std::size_t otherwise) {
    return argc > i ? static_cast<std::size_t>(std::strtoull(argv[i], nullptr, 10)) : otherwise;
  };
  Events source(number(1, 200'000));
  const auto events = source.Next(number(1, 200'000));
  std::array<double, 3> best{1e9, 1e9, 1e9};
  for (std::size_t round = 0; round < number(3, 3); ++round) {
    const auto took = Round(events, number(2, 25'000));
    for (std::size_t phase = 0; phase < 3; ++phase) best[phase] = std::min(best[phase], took[phase]);
  }
  std::printf(
      "add %.2f us, refresh %.2f us, flush %.2f us, together %.2f us an event: %.0f events a CPU second\n",
      best[0], best[1], best[2], best[0] + best[1] + best[2], 1e6 / (best[0] + best[1] + best[2]));
  return 0;
}
