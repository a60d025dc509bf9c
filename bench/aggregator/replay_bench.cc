// What a restart costs: events read again from the log until the windows that were open stand again. Beside
// it the reading of the fields alone, and as baseline a JSON tree of the same events. Data: 10,000 stored app
// events of about 330 bytes, 5,000 users, 20 types, one minute of event time, seed 1.
#include "honryu/base/random.h"
#include "honryu/codec/json.h"
#include "honryu/processors/aggregator/aggregator.h"
#include "processors/aggregator/event_fields.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace honryu;
using namespace honryu::processors::aggregator;

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

void BM_ReadEventFields(benchmark::State& state) {
  const AggregatorConfig config;
  for (auto _ : state) {
    for (const client::StreamRecord& record : Records())
      benchmark::DoNotOptimize(ReadEventFields(record, config));
  }
  Report(state);
}

void BM_Replay(benchmark::State& state) {
  for (auto _ : state) {
    obs::Registry registry;
    const std::unique_ptr<WindowOperator> op = MakeEventKpiOperator(AggregatorConfig(), registry);
    op->SetSources({"s"});
    benchmark::DoNotOptimize(op->StartSource("s", std::nullopt, "", TimestampFromMs(kStart)));
    op->Process("s", Records(), TimestampFromMs(kStart));
    benchmark::DoNotOptimize(op->pending_late());
  }
  Report(state);
}

BENCHMARK(BM_JsonTree)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ReadEventFields)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Replay)->Unit(benchmark::kMillisecond);

}  // namespace
