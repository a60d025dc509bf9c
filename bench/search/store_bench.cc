// Indexes generated events and times queries at several sizes: search_store_bench [EVENTS[,EVENTS…]] [FOLDER]
// Times queries in a folder that it filled before: search_store_bench queries FOLDER [RUNS [PART-OF-NAME]]
//
// Events come from the generator (events.h), each batch made before its clock starts. Indexing is Add in
// batches of 1,000 with Maintain as its owner would call it, on one thread; at each of the sizes everything
// is flushed and each query runs 50 times, the first runs among them. Each event is kept once by its
// event_id, as the indexer has it. The folder is removed afterwards unless it was named.
#include "events.h"
#include "honryu/base/time.h"
#include "honryu/codec/json.h"
#include "honryu/search/store.h"
#include "queries.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::bench {
namespace {

constexpr std::size_t kBatch = 1000;
constexpr std::size_t kChunk = 100'000;

struct Indexing {
  double wall = 0, cpu = 0;
  std::uint64_t raw = 0;
  std::size_t events = 0;
};

bool Index(search::Store& store, const std::vector<demo::DemoEvent>& events, Indexing& so_far, double* last) {
  const double wall = WallSeconds(), cpu = CpuSeconds();
  for (std::size_t begin = 0; begin < events.size(); begin += kBatch) {
    search::StoreBatch batch{"bench", {}, 0};
    for (auto i = begin; i < std::min(begin + kBatch, events.size()); ++i) {
      so_far.raw += events[i].json.size();
      batch.through = ++so_far.events;
      batch.documents.push_back({"events",
                                 so_far.events,
                                 0,
                                 {},
                                 events[i].json,
                                 ToMs(events[i].time),
                                 "event_id",
                                 search::WriteKind::kCreate});
    }
    if (const auto added = store.Add(batch); !added.ok() || !added->refused.empty()) return false;
    if (const auto now = WallSeconds(); now - *last > 0.5) {
      *last = now;
      if (!store.Maintain().ok()) return false;
    }
  }
  so_far.wall += WallSeconds() - wall;
  so_far.cpu += CpuSeconds() - cpu;
  return true;
}

void PrintIndexing(const search::Store& store, const Indexing& done) {
  std::uint64_t disk = 0, segments = 0;
  for (const auto& index : store.Indices()) disk += index.bytes, segments += index.segments;
  const auto n = static_cast<double>(done.events), raw = static_cast<double>(done.raw);
  std::printf("\n%zu events, raw %.0f B each\nindexing: %.0f events/s of wall time, %.0f per CPU second\n",
              done.events, raw / n, n / done.wall, n / done.cpu);
  std::printf("disk: %.0f B each, %.3f of raw, %llu segments; peak memory %.0f MB\n",
              static_cast<double>(disk) / n, static_cast<double>(disk) / raw,
              static_cast<unsigned long long>(segments), static_cast<double>(PeakMemory()) / 1e6);
}

int Run(const std::vector<std::size_t>& sizes, const std::string& folder) {
  Events source(sizes.back());
  search::StoreConfig config;
  config.path = folder;
  auto store = search::Store::Open(config, SystemClock());
  if (!store.ok()) return 1;
  Indexing done;
  double last = WallSeconds();
  for (const auto size : sizes) {
    while (done.events < size) {
      const auto events = source.Next(std::min(kChunk, size - done.events));
      if (done.events == 0) std::printf("first event: %s\n", events[0].json.c_str());
      if (!Index(**store, events, done, &last)) return 1;
    }
    const double wall = WallSeconds(), cpu = CpuSeconds();
    if (!(*store)->Flush().ok()) return 1;
    done.wall += WallSeconds() - wall;
    done.cpu += CpuSeconds() - cpu;
    PrintIndexing(**store, done);
    const auto median = PrintQueries(**store, Queries(source.start_ms(), done.events), 50, true);
    std::printf("median of the eight: %.2f ms\n", median);
  }
  return 0;
}

/// The store's least `timestamp`, at the minute where its events begin.
std::int64_t StartOf(const search::Store& store) {
  const auto found = store.Search("events", R"({"size":0,"aggs":{"a":{"min":{"field":"timestamp"}}}})");
  if (!found.ok()) return 0;
  const auto answer = codec::Json::Parse(*found);
  const auto* aggs = answer.ok() ? answer->Find("aggregations") : nullptr;
  const auto* least = aggs != nullptr ? aggs->Find("a") : nullptr;
  const auto* value = least != nullptr ? least->Find("value") : nullptr;
  return value != nullptr ? static_cast<std::int64_t>(value->DoubleOr(0)) / 60'000 * 60'000 : 0;
}

int RunQueries(const std::string& folder, std::size_t runs, const std::string& part) {
  search::StoreConfig config;
  config.path = folder;
  config.retention = Duration{0};
  const double begin = WallSeconds();
  const auto store = search::Store::Open(config, SystemClock());
  if (!store.ok()) return 1;
  std::size_t events = 0, segments = 0;
  for (const auto& index : (*store)->Indices()) events += index.documents, segments += index.segments;
  std::printf("%zu events, %zu segments, opened in %.1f s\n", events, segments, WallSeconds() - begin);
  const auto start = StartOf(**store);
  // Checksums of a segment that was opened, not written, are compared when it is first read: not in the
  // times.
  constexpr std::int64_t kReads = 500;
  const auto step = static_cast<std::int64_t>(events) / kReads + 1;
  for (std::int64_t i = 0; i < kReads; ++i)
    if (!(*store)
             ->Search("events", R"({"size":1,"sort":[{"timestamp":"desc"}],"track_total_hits":1,"query":)"
                                R"({"range":{"timestamp":{"lt":)" +
                                    std::to_string(start + i * step) + "}}}}")
             .ok())
      return 1;
  auto queries = Queries(start, events);
  std::erase_if(queries, [&](const auto& query) { return query.name.find(part) == std::string::npos; });
  const auto median = PrintQueries(**store, queries, runs, part.empty());
  if (part.empty()) std::printf("median of the eight: %.2f ms\n", median);
  return 0;
}

}  // namespace
}  // namespace honryu::bench

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == "queries")
    return honryu::bench::RunQueries(argv[2], argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 50,
                                     argc > 4 ? argv[4] : "");
  std::vector<std::size_t> sizes;
  for (const char* at = argc > 1 ? argv[1] : "1000000"; *at != '\0';) {
    char* end = nullptr;
    sizes.push_back(std::strtoull(at, &end, 10));
    if (end == at || sizes.back() == 0) return 2;
    at = *end == ',' ? end + 1 : end;
  }
  std::string folder = argc > 2 ? argv[2] : "";
  const bool own = folder.empty();
  if (own) {
    folder = std::filesystem::temp_directory_path() / ("honryu-search-bench-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
  }
  const int code = honryu::bench::Run(sizes, folder);
  if (own) std::filesystem::remove_all(folder);
  return code;
}
