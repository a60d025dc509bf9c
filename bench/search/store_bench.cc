// Indexes generated events and times eight queries: search_store_bench [EVENTS] [FOLDER] [ids]
//
// Events come from the demo generator (seed 1), generated before the clock starts. Indexing is Add in batches
// of 1,000 with Maintain as its owner would call it, on one thread, until everything is on disk. Each query
// runs 50 times; the first runs are among them. With "ids" each event is kept once by its event_id, as the
// indexer has it.
#include "honryu/base/time.h"
#include "honryu/demo/generator.h"
#include "honryu/search/store.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace honryu {
namespace {

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double WallSeconds() {
  return std::chrono::duration<double>(SystemClock().Mono().time_since_epoch()).count();
}

struct NamedQuery {
  const char* name;
  std::string body;
};

bool Index(search::Store& store, const std::vector<demo::DemoEvent>& events, bool ids) {
  constexpr std::size_t kBatch = 1000;
  double last = WallSeconds();
  for (std::size_t begin = 0; begin < events.size(); begin += kBatch) {
    search::StoreBatch batch{"bench", {}, 0};
    for (auto i = begin; i < std::min(begin + kBatch, events.size()); ++i) {
      batch.documents.push_back({"events", i + 1, 0, {}, events[i].json, ToMs(events[i].time)});
      if (ids) batch.documents.back().id_field = "event_id";
      if (ids) batch.documents.back().kind = search::WriteKind::kCreate;
      batch.through = i + 1;
    }
    if (const auto added = store.Add(batch); !added.ok() || !added->refused.empty()) return false;
    if (const auto now = WallSeconds(); now - last > 0.5) {
      last = now;
      if (!store.Maintain().ok()) return false;
    }
  }
  return store.Flush().ok();
}

std::vector<NamedQuery> Queries(Timestamp start) {
  const auto minute = [&](int n) { return std::to_string(ToMs(start) + n * 60'000LL); };
  const auto agg = [](const std::string& body) {
    return R"({"size":0,"track_total_hits":true,"aggs":{"a":)" + body + "}}";
  };
  return {
      {"term + time range, newest 50",
       R"({"size":50,"sort":[{"timestamp":"desc"}],"query":{"bool":{"filter":[{"term":{"device.type.keyword":"ios"}},{"range":{"timestamp":{"gte":)" +
           minute(1) + R"(,"lt":)" + minute(3) + "}}}]}}}"},
      {"rare word", R"({"query":{"match":{"properties.message":"NullPointerException 503"}}})"},
      {"common word, newest 50",
       R"({"size":50,"sort":[{"timestamp":"desc"}],"query":{"match":{"properties.page":"home"}}})"},
      {"Japanese phrase", R"({"query":{"match_phrase":{"properties.text":"改札で待って"}}})"},
      {"terms top 10", agg(R"({"terms":{"field":"event_type.keyword"}})")},
      {"date_histogram by minute", agg(R"({"date_histogram":{"field":"timestamp","fixed_interval":"1m"}})")},
      {"cardinality of user_id", agg(R"({"cardinality":{"field":"user_id.keyword"}})")},
      {"percentiles", agg(R"({"percentiles":{"field":"properties.bytes"}})")},
  };
}

int Run(std::size_t count, const std::string& folder, bool ids) {
  demo::GeneratorOptions options;
  options.events_per_second = 5000;
  options.daily_curve = false;
  options.users = 100'000;
  options.start = SystemClock().Now() - std::chrono::hours(1);
  demo::DemoGenerator generator(options);
  std::vector<demo::DemoEvent> events;
  while (events.size() < count)
    generator.Generate(generator.position() + std::chrono::seconds(10), count - events.size(), events);
  std::uint64_t raw = 0;
  for (const auto& event : events) raw += event.json.size();
  std::printf("first event: %s\n", events[0].json.c_str());

  search::StoreConfig config;
  config.path = folder;
  auto store = search::Store::Open(config, SystemClock());
  if (!store.ok()) return 1;
  const double cpu = CpuSeconds(), wall = WallSeconds();
  if (!Index(**store, events, ids)) return 1;
  const double cpu_spent = CpuSeconds() - cpu, wall_spent = WallSeconds() - wall;
  std::uint64_t disk = 0, segments = 0;
  for (const auto& index : (*store)->Indices()) disk += index.bytes, segments += index.segments;
  const auto n = static_cast<double>(events.size());
  std::printf("events %zu, raw %.0f B each\nindexing: %.0f events/s of wall time, %.0f per CPU second\n",
              events.size(), static_cast<double>(raw) / n, n / wall_spent, n / cpu_spent);
  std::printf("disk: %.0f B each, %.3f of raw, %llu segments\n", static_cast<double>(disk) / n,
              static_cast<double>(disk) / static_cast<double>(raw),
              static_cast<unsigned long long>(segments));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("peak memory: %ld MB (the generated events take %.0f of it)\n", usage.ru_maxrss / 1024,
              static_cast<double>(raw) / 1e6);
  events.clear();
  events.shrink_to_fit();

  constexpr std::size_t kRuns = 50;
  for (const auto& query : Queries(options.start)) {
    std::array<double, kRuns> times;
    std::string answer;
    for (auto& time : times) {
      const double begin = WallSeconds();
      auto found = (*store)->Search("events", query.body);
      time = (WallSeconds() - begin) * 1e3;
      if (!found.ok()) {
        std::printf("%s: %s\n", query.name, found.error().ToString().c_str());
        return 1;
      }
      answer = std::move(*found);
    }
    std::sort(times.begin(), times.end());
    const auto total = answer.find(R"("value":)");
    std::printf(
        "%-32s p50 %8.2f ms  p99 %8.2f ms  %s\n", query.name, times[kRuns / 2], times[kRuns - 1],
        total == std::string::npos ? "" : answer.substr(total, answer.find('}', total) - total + 1).c_str());
  }
  return 0;
}

}  // namespace
}  // namespace honryu

int main(int argc, char** argv) {
  const auto count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000ULL;
  std::string folder = argc > 2 ? argv[2] : "";
  const bool own = folder.empty();
  if (own) {
    folder = std::filesystem::temp_directory_path() / ("honryu-search-bench-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
  }
  const bool ids = argc > 3 && std::string_view(argv[3]) == "ids";
  const int code = honryu::Run(count, folder, ids);
  if (own) std::filesystem::remove_all(folder);
  return code;
}
