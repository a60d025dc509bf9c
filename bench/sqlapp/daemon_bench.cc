// Events a second that the aggregator takes from the log to its rows: a broker on disk and an application of
// each program in one process, as `honryu serve` has them (reading, opening, engine, cuts written down, rows
// and states stored), with one lane and with two, beside the bare engine over the same bytes in the same run.
//
// usage: daemon_bench [--dir DIR] [--events N] [--shards N] [--program count|kpi]   (prints a Markdown table)
//
// Data: app events of about 330 bytes, 5,000 users, 20 types, seed 1, six milliseconds of event time apart.
#include "honryu/base/check.h"
#include "honryu/base/random.h"
#include "honryu/broker/broker.h"
#include "honryu/client/local_client.h"
#include "honryu/log/rocksdb_engine.h"
#include "honryu/processors/sql/application.h"
#include "honryu/processors/sql/host.h"
#include "honryu/sqlapp/program.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace honryu::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
using processors::sql_app::Application;
using processors::sql_app::SqlConfig;

constexpr std::int64_t kStart = 1'700'000'040'000;
constexpr std::string_view kCount =
    "INSERT INTO counts SELECT \"event_type\", COUNT(*) AS n FROM events "
    "GROUP BY \"event_type\", FLOOR(ROWTIME TO MINUTE);";

double SecondsSince(SteadyClock::time_point since) {
  return std::chrono::duration<double>(SteadyClock::now() - since).count();
}

std::vector<std::string> Events(std::size_t count) {
  Random random(1);
  std::vector<std::string> events(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string time = FormatTimestamp(TimestampFromMs(kStart + static_cast<std::int64_t>(i) * 6));
    events[i] = R"({"received_at":")" + time + R"(","event_time":")" + time +
                R"(","event_id":"1b4e28ba-2fa1-4d3b-883f-0016d3cca427","event_type":"type_)" +
                std::to_string(random.Below(20)) + R"(","user_id":"user-)" +
                std::to_string(random.Below(5000)) + R"(","session_id":"s-)" +
                std::to_string(random.Below(9000)) +
                R"(","device":{"type":"ios","os_version":"17.1","app_version":"2.3.4"},)" +
                R"("properties":{"page":"/products/42","price":12.5,"status":200,"tags":["a","b"]}})";
  }
  return events;
}

// A broker on disk with the events in its stream.
struct System {
  System(const std::string& dir, const std::vector<std::string>& events, int shards)
      : runtime(async::RuntimeOptions{}) {
    log::RocksdbEngineConfig config;
    config.path = dir;
    engine = log::RocksdbEngine::Open(config, SystemClock(), runtime, metrics).value();
    broker = std::make_unique<broker::Broker>(broker::BrokerConfig{}, *engine, engine->meta(), SystemClock(),
                                              runtime, metrics);
    broker->Start().value();
    client = client::MakeLocalClient(*broker);
    client::StreamSettings settings;
    settings.shards = shards;
    runtime.BlockOn(client->EnsureStream({}, "events", settings)).value();
    for (std::size_t at = 0; at < events.size();) {
      std::vector<client::PutEntry> entries;
      for (; at < events.size() && entries.size() < 500; ++at)
        entries.push_back({std::to_string(at % 997), Bytes::Copy(events[at]), std::nullopt});
      runtime.BlockOn(client->Put({}, "events", std::move(entries))).value();
    }
    std::this_thread::sleep_for(std::chrono::seconds(4));  // a replay: nothing of it has only just come
  }
  ~System() {
    runtime.BlockOn(broker->Stop(SteadyClock::now() + std::chrono::seconds(5)));
    (void)engine->Close();
  }

  obs::Registry metrics;
  async::Runtime runtime;
  std::unique_ptr<log::RocksdbEngine> engine;
  std::unique_ptr<broker::Broker> broker;
  std::unique_ptr<client::StreamClient> client;
};

double BareEngine(std::string_view text, const std::vector<std::string>& events) {
  sql::TableFunctionRegistry functions;
  sql::AddBuiltInTableFunctions(functions);
  const sqlapp::Program program = sqlapp::LoadProgram("bench", text, functions).value();
  sql::EngineOptions options;
  options.start_ms = kStart;
  options.functions = functions;
  std::uint64_t rows = 0;
  auto engine = sql::Engine::Create(program.prelude, program.text, options, [&rows](const sql::OutputRow&) {
                  ++rows;
                }).value();
  const std::size_t source = engine->FindSource(program.sources.begin()->first).value();
  const std::size_t shard = engine->AddShard(source, "0");
  const auto begin = SteadyClock::now();
  sql::SourceRecord record;
  record.arrival_ms = kStart + 1'000'000'000;
  for (const std::string& event : events) {
    record.data = event;
    engine->Push(source, shard, record);
  }
  engine->Finish();
  return static_cast<double>(events.size()) / SecondsSince(begin);
}

// From the first rows that the application took to the last.
double Daemon(System& system, const std::string& name, std::string_view text, std::size_t lanes,
              std::size_t events) {
  SqlConfig config;
  config.lanes = lanes;
  sqlapp::Deployment deployment;
  deployment.name = name;
  deployment.sql = text;
  Application application(deployment, config, *system.client, system.runtime, system.runtime.executor(0),
                          SystemClock(), system.metrics);
  application.Start();
  const auto taken = [&] { return application.status().rows_in; };
  while (taken() == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  const auto begin = SteadyClock::now();
  const std::uint64_t first = taken();
  while (taken() < events) std::this_thread::sleep_for(std::chrono::microseconds(200));
  const double seconds = SecondsSince(begin);
  const processors::sql_app::ApplicationStatus end = application.status();
  HONRYU_CHECK(end.late_rows == 0 && end.error_rows == 0, "all events are in order and of the right form");
  system.runtime.BlockOn(application.Stop(SteadyClock::now() + std::chrono::seconds(20)));
  return static_cast<double>(events - first) / seconds;
}

int Run(const std::string& dir, std::size_t count, int shards, std::string_view only) {
  std::filesystem::remove_all(dir);
  const std::vector<std::string> events = Events(count);
  {
    System system(dir, events, shards);
    std::printf("%zu events in %d shards\n\n| program | what | events/s | of the bare engine |\n", count,
                shards);
    std::printf("|---|---|---|---|\n");
    struct Kind {
      const char* name;
      std::string_view text;
    };
    const Kind kinds[] = {{"count", kCount}, {"kpi", processors::sql_app::BuiltInKpiProgram()}};
    for (const Kind& kind : kinds) {
      if (!only.empty() && only != kind.name) continue;
      const double bare = BareEngine(kind.text, events);
      std::printf("| %s | bare engine, one thread | %.0f | 1.00 |\n", kind.name, bare);
      for (const std::size_t lanes : {std::size_t{1}, std::size_t{2}}) {
        const double rate =
            Daemon(system, kind.name + std::to_string(lanes), kind.text, lanes, events.size());
        std::printf("| %s | application, %zu lane%s | %.0f | %.2f |\n", kind.name, lanes,
                    lanes == 1 ? "" : "s", rate, rate / bare);
      }
    }
  }
  std::filesystem::remove_all(dir);
  return 0;
}

}  // namespace
}  // namespace honryu::bench

int main(int argc, char** argv) {
  std::string dir = "bench-data";
  std::size_t events = 400'000;
  int shards = 4;
  std::string_view only;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--dir") dir = argv[i + 1];
    if (option == "--events") events = std::strtoull(argv[i + 1], nullptr, 10);
    if (option == "--program") only = argv[i + 1];
    if (option == "--shards") shards = std::atoi(argv[i + 1]);
  }
  return honryu::bench::Run(dir, std::max<std::size_t>(events, 1), std::max(shards, 1), only);
}
