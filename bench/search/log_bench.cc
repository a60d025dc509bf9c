// From the log to visible: search_log_bench EVENTS [CORES [START_MS]]
//   or, events coming while queries run: search_log_bench load RATE SECONDS [QUERIES_PER_SECOND]
//
// First a child process writes the events into a log (RocksDB, one shard a core), as a gateway would: that is
// not measured. Then this process, held to CORES cores (1), starts an indexer as `honryu serve --role
// indexer` has it: reading the log, each event once by its event_id, positions on, refreshing, flushing,
// merging. The clock runs from the indexer's start until a search counts every event; a second figure until
// all of them are on disk and no merge is due. Then each query runs 50 times.
//
// Under load one process writes, indexes and searches on all cores: RATE events a second, and the queries one
// after the other at a fixed rate. Every 50 ms one of the events is watched: from its acknowledgement by the
// log until a search by its id finds it.
#include "events.h"
#include "honryu/async/task_group.h"
#include "honryu/client/local_client.h"
#include "honryu/log/rocksdb_engine.h"
#include "honryu/processors/indexer/indexer.h"
#include "queries.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>

namespace honryu::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kRequest = 500;  // events of one put

/// A log with its broker.
struct Log {
  Log(const std::string& folder, int cores) : runtime(async::RuntimeOptions{cores, 3}) {
    log::RocksdbEngineConfig config;
    config.path = folder + "/log";
    engine = log::RocksdbEngine::Open(config, SystemClock(), runtime, metrics).value();
    broker = std::make_unique<broker::Broker>(broker::BrokerConfig{}, *engine, engine->meta(), SystemClock(),
                                              runtime, metrics);
    broker->Start().value();
    client = client::MakeLocalClient(*broker);
    client::StreamSettings settings;
    settings.shards = cores;
    runtime.BlockOn(client->EnsureStream(async::Context::WithTimeout(seconds(30)), "events", settings))
        .value();
  }
  ~Log() {
    runtime.BlockOn(broker->Stop(SystemClock().Mono() + seconds(5)));
    (void)engine->Close();
  }
  std::vector<client::PutPosition> Put(const std::vector<demo::DemoEvent>& events, std::size_t begin,
                                       std::size_t end) {
    std::vector<client::PutEntry> entries;
    for (auto i = begin; i < end; ++i)
      entries.push_back({events[i].json.substr(13, 36), Bytes(events[i].json), std::nullopt});
    const auto put =
        runtime.BlockOn(client->Put(async::Context::WithTimeout(seconds(30)), "events", std::move(entries)));
    std::vector<client::PutPosition> positions;
    for (const auto& one : put.value()) positions.push_back(one.value());
    return positions;
  }

  obs::Registry metrics;
  async::Runtime runtime;
  std::unique_ptr<log::RocksdbEngine> engine;
  std::unique_ptr<broker::Broker> broker;
  std::unique_ptr<client::StreamClient> client;
};

/// A store and the indexer that fills it.
struct Indexing {
  Indexing(Log& from, const std::string& folder) : log(from) {
    search::StoreConfig config;
    config.path = folder + "/store";
    store = search::Store::Open(config, SystemClock()).value();
    processors::indexer::IndexerConfig settings;
    settings.document_stream = "";
    indexer = std::make_unique<processors::indexer::Indexer>(
        settings, *store, *log.client, log.runtime, log.runtime.executor(0), SystemClock(), log.metrics);
    indexer->Start();
  }
  ~Indexing() { log.runtime.BlockOn(indexer->Stop(SystemClock().Mono() + seconds(60))); }
  std::uint64_t Visible() const {
    const auto count = store->Count("events", "{}", {true});
    return count.ok() ? *count : 0;
  }

  Log& log;
  std::unique_ptr<search::Store> store;
  std::unique_ptr<processors::indexer::Indexer> indexer;
};

void HoldTo(int cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const auto all = static_cast<int>(std::thread::hardware_concurrency());
  for (int i = 0; i < cores && i < all; ++i) CPU_SET(static_cast<unsigned>(all - 1 - i), &set);
  sched_setaffinity(0, sizeof set, &set);
}

int Drain(std::size_t count, int cores, std::int64_t start_ms, const std::string& folder) {
  Events source(count, start_ms);
  const auto start = source.start_ms();
  if (const auto child = ::fork(); child == 0) {
    {
      Log log(folder, cores);
      for (;;) {
        const auto events = source.Next(100'000);
        if (events.empty()) break;
        for (std::size_t at = 0; at < events.size(); at += kRequest)
          log.Put(events, at, std::min(at + kRequest, events.size()));
      }
    }
    ::_exit(0);
  } else if (int status = 0; child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
    return 1;
  }
  HoldTo(cores);
  Log log(folder, cores);
  const double wall = WallSeconds(), cpu = CpuSeconds();
  Indexing indexing(log, folder);
  const auto n = static_cast<double>(count);
  while (indexing.Visible() < count) std::this_thread::sleep_for(milliseconds(20));
  const double visible = WallSeconds() - wall, visible_cpu = CpuSeconds() - cpu;
  std::printf("%zu events, %d core(s)\nlog to visible: %.0f events/s (%.1f s; %.0f per CPU second)\n", count,
              cores, n / visible, visible, n / visible_cpu);
  if (!indexing.store->Flush().ok()) return 1;
  for (std::uint64_t merges = UINT64_MAX; merges != indexing.store->Statistics().merges;) {
    merges = indexing.store->Statistics().merges;
    if (!indexing.store->Maintain().ok()) return 1;
  }
  const double disk_time = WallSeconds() - wall, disk_cpu = CpuSeconds() - cpu;
  std::printf("log to disk, merged: %.0f events/s (%.1f s; %.0f per CPU second)\n", n / disk_time, disk_time,
              n / disk_cpu);
  std::uint64_t disk = 0, segments = 0;
  for (const auto& index : indexing.store->Indices()) disk += index.bytes, segments += index.segments;
  std::printf("disk: %.0f B an event, %llu segments; peak memory %.0f MB\n", static_cast<double>(disk) / n,
              static_cast<unsigned long long>(segments), static_cast<double>(PeakMemory()) / 1e6);
  const auto median = PrintQueries(*indexing.store, Queries(start, count), 50, true);
  std::printf("median of the eight: %.2f ms\n", median);
  return 0;
}

void PrintPercentiles(const char* what, std::vector<double>& times) {
  if (times.empty()) return;
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[std::min(times.size() - 1,
                          static_cast<std::size_t>(share * static_cast<double>(times.size())))];
  };
  std::printf("%s: p50 %.1f ms, p99 %.1f ms, max %.1f ms (%zu of them)\n", what, at(0.5), at(0.99),
              times.back(), times.size());
}

int Load(double rate, int length, double queries_per_second, const std::string& folder) {
  Log log(folder, 2);
  Indexing indexing(log, folder);
  const auto count = static_cast<std::size_t>(rate * length);
  Events source(count, ToMs(SystemClock().Now()));
  std::vector<std::vector<demo::DemoEvent>> chunks;  // made before the clock starts
  for (auto chunk = source.Next(kRequest); !chunk.empty(); chunk = source.Next(kRequest))
    chunks.push_back(std::move(chunk));

  struct Watched {
    std::string id;
    double acknowledged;
  };
  std::mutex mutex;
  std::vector<Watched> watched;
  std::vector<double> visible, searches;
  std::atomic<bool> written{false};
  std::atomic<std::uint64_t> late{0};
  const double begin = WallSeconds();
  std::vector<std::thread> threads;
  std::atomic<std::size_t> next{0};
  for (int writer = 0; writer < 2; ++writer)
    threads.emplace_back([&] {
      for (auto i = next++; i < chunks.size(); i = next++) {
        const double due = begin + static_cast<double>(i * kRequest) / rate;
        if (const double now = WallSeconds(); now < due)
          std::this_thread::sleep_for(std::chrono::duration<double>(due - now));
        else if (now > due + 1)
          ++late;
        log.Put(chunks[i], 0, chunks[i].size());
        const std::lock_guard lock(mutex);
        watched.push_back({chunks[i].back().json.substr(13, 36), WallSeconds()});
      }
    });
  std::thread prober([&] {
    std::deque<Watched> waiting;
    double last = 0;
    for (bool over = false; !over || !waiting.empty();) {
      over = written;
      {
        const std::lock_guard lock(mutex);
        for (auto& one : watched)
          if (one.acknowledged - last >= 0.05) {
            last = one.acknowledged;
            waiting.push_back(std::move(one));
          }
        watched.clear();
      }
      // They become visible in their order, or nearly: the oldest is looked for.
      while (!waiting.empty()) {
        const auto query = R"({"query":{"ids":{"values":[")" + waiting.front().id + "\"]}}}";
        const auto found = indexing.store->Count("events", query, {true});
        if (!found.ok() || *found != 1) break;
        visible.push_back((WallSeconds() - waiting.front().acknowledged) * 1e3);
        waiting.pop_front();
      }
      std::this_thread::sleep_for(milliseconds(5));
    }
  });
  std::thread searcher([&] {
    const auto queries = Queries(source.start_ms(), count);
    for (std::size_t i = 0; !written && queries_per_second > 0; ++i) {
      const double due = begin + 1 + static_cast<double>(i) / queries_per_second;
      if (const double now = WallSeconds(); now < due)
        std::this_thread::sleep_for(std::chrono::duration<double>(due - now));
      const double started = WallSeconds();
      if (indexing.store->Search("events", queries[i % 8].body, {true}).ok())
        searches.push_back((WallSeconds() - started) * 1e3);
    }
  });
  for (auto& thread : threads) thread.join();
  const double took = WallSeconds() - begin;
  written = true;
  prober.join();
  searcher.join();
  std::printf("%.0f events/s written for %.0f s (asked: %.0f; requests over a second late: %llu)\n",
              static_cast<double>(count) / took, took, rate, static_cast<unsigned long long>(late));
  PrintPercentiles("acknowledged to visible", visible);
  PrintPercentiles("queries meanwhile", searches);
  while (indexing.Visible() < count) std::this_thread::sleep_for(milliseconds(20));
  std::printf("all visible %.2f s after the last was acknowledged\n", WallSeconds() - begin - took);
  return 0;
}

}  // namespace
}  // namespace honryu::bench

int main(int argc, char** argv) {
  using namespace honryu::bench;
  const auto number = [&](int i, double otherwise) {
    return argc > i ? std::strtod(argv[i], nullptr) : otherwise;
  };
  if (argc < 2) return 2;
  const char* base = std::getenv("TMPDIR");
  std::string folder = std::string(base != nullptr ? base : "/var/tmp") + "/honryu-log-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  const bool load = std::string(argv[1]) == "load";
  const int code = load ? Load(number(2, 50'000), static_cast<int>(number(3, 20)), number(4, 5), folder)
                        : Drain(static_cast<std::size_t>(number(1, 1e6)), static_cast<int>(number(2, 1)),
                                static_cast<std::int64_t>(number(3, 0)), folder);
  std::filesystem::remove_all(folder);
  return code;
}
