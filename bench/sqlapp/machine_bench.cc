// What the shipped key figures cost: events of the log, cut after cut, through the program
// config/apps/kpi.sql (13 queries), and the saving of its state. As baseline a JSON tree of the same events.
// Data: 10,000 stored app events of about 330 bytes, 5,000 users, 20 types, one minute of event time, seed 1.
#include "honryu/base/random.h"
#include "honryu/codec/json.h"
#include "honryu/sqlapp/machine.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace honryu;
using namespace honryu::sqlapp;

constexpr std::int64_t kStart = 1700000040000;

const std::vector<client::StreamRecord>& Records() {
  static const std::vector<client::StreamRecord> made = [] {
    Random random(1);
    std::vector<client::StreamRecord> records(10000);
    for (std::size_t i = 0; i < records.size(); ++i) {
      client::StreamRecord& record = records[i];
      record.sequence.words[2] = i + 1;
      record.arrival = TimestampFromMs(kStart + static_cast<std::int64_t>(i) * 6);
      const std::string time = FormatTimestamp(record.arrival);
      record.data = Bytes(
          R"({"received_at":")" + time + R"(","event_time":")" + time +
          R"(","event_id":"1b4e28ba-2fa1-4d3b-883f-0016d3cca427","event_type":"type_)" +
          std::to_string(random.Below(20)) + R"(","user_id":"user-)" + std::to_string(random.Below(5000)) +
          R"(","session_id":"s-)" + std::to_string(random.Below(9000)) +
          R"(","device":{"type":"ios","os_version":"17.1","app_version":"2.3.4"},)" +
          R"("properties":{"page":"/products/42","price":12.5,"status":200,"tags":["a","b"]}})");
    }
    return records;
  }();
  return made;
}

Program KpiProgram() {
  std::ifstream file(HONRYU_KPI_APP);
  sql::TableFunctionRegistry functions;
  sql::AddBuiltInTableFunctions(functions);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return LoadProgram("kpi", text, functions).value();
}

std::unique_ptr<Machine> Filled(const Program& program) {
  sql::EngineOptions options;
  options.start_ms = kStart;
  auto machine =
      Machine::Create(program, options, [](const sql::OutputRow&, std::uint64_t, std::uint64_t) {});
  Cut cut;
  cut.number = 1;
  cut.now_ms = kStart;
  ShardStep step;
  step.added = true;
  step.id = "shardId-000000000000";
  step.upto = Records().back().sequence;
  step.behind = false;
  cut.steps.push_back(step);
  CutRecords records;
  records[0] = Records();
  (*machine)->Apply(cut, records);
  return std::move(*machine);
}

void Report(benchmark::State& state) {
  std::size_t bytes = 0;
  for (const client::StreamRecord& record : Records()) bytes += record.data.view().size();
  state.SetItemsProcessed(static_cast<std::int64_t>(Records().size()) * state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

void BM_JsonTree(benchmark::State& state) {
  for (auto _ : state) {
    for (const client::StreamRecord& record : Records())
      benchmark::DoNotOptimize(codec::Json::Parse(record.data.view()));
  }
  Report(state);
}

void BM_KeyFigures(benchmark::State& state) {
  const Program program = KpiProgram();
  for (auto _ : state) benchmark::DoNotOptimize(Filled(program));
  Report(state);
}

void BM_Snapshot(benchmark::State& state) {
  const Program program = KpiProgram();
  const std::unique_ptr<Machine> machine = Filled(program);
  std::size_t bytes = 0;
  for (auto _ : state) bytes += machine->Snapshot().size();
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

BENCHMARK(BM_JsonTree)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_KeyFigures)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Snapshot)->Unit(benchmark::kMillisecond);

}  // namespace
