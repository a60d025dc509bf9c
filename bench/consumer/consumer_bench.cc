// What the consumer runtime adds to each record: opening (lines of JSON, plain and packed, beside memchr for
// line ends and beside unpacking alone), and the bookkeeping of lanes, batches and checkpoints (beside
// copying the records once). Data: 4,000 events of about 180 bytes, seeded; 10,000 records of 200 bytes under
// 1,000 keys.
#include "consumer/shard_work.h"
#include "honryu/base/check.h"
#include "honryu/base/random.h"
#include "honryu/codec/compression.h"
#include "honryu/consumer/opening.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace honryu;

const std::string& Lines() {
  static const std::string lines = [] {
    Random random(1);
    std::string text;
    for (int i = 0; i < 4000; ++i) {
      text += "{\"event_id\":\"" + std::to_string(random.Next()) +
              "\",\"event_type\":\"page_view\",\"user_id\":\"u-" + std::to_string(random.Below(100000)) +
              "\",\"properties\":{\"path\":\"/item/" + std::to_string(random.Below(5000)) +
              "\",\"ms\":" + std::to_string(random.Below(900)) +
              ",\"ok\":true,\"tags\":[\"a\",\"b\"]},\"time\":\"2026-11-21T10:00:00Z\"}\n";
    }
    return text;
  }();
  return lines;
}

client::ShardDescription WholeRange() {
  client::ShardDescription shard;
  shard.hash_end = UInt128::Max();
  return shard;
}

void Open(benchmark::State& state, const std::string& data, const consumer::OpeningConfig& config,
          std::size_t expected) {
  client::StreamRecord record;
  record.partition_key = "key";
  record.data = Bytes(data);
  const client::ShardDescription shard = WholeRange();
  for (auto _ : state) {
    const consumer::OpenedRecords opened = consumer::OpenRecord(record, shard, config);
    HONRYU_CHECK(opened.records.size() == expected, "every line is a record");
    benchmark::DoNotOptimize(opened.records.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(Lines().size()) * state.iterations());
  state.SetItemsProcessed(static_cast<std::int64_t>(expected) * state.iterations());
}

void BM_FindLineEnds(benchmark::State& state) {
  for (auto _ : state) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = Lines().find('\n', at)) != std::string::npos; ++at) ++count;
    benchmark::DoNotOptimize(count);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(Lines().size()) * state.iterations());
  state.SetItemsProcessed(4000 * state.iterations());
}
void BM_OpenLinesAlways(benchmark::State& state) {
  consumer::OpeningConfig config;
  config.lines = consumer::SplitRule::kAlways;
  Open(state, Lines(), config, 4000);
}
void BM_OpenLinesCertain(benchmark::State& state) {
  Open(state, Lines(), consumer::OpeningConfig::All(), 4000);
}
void BM_UnpackGzip(benchmark::State& state) {
  const std::string packed = codec::Compress(codec::Compression::kGzip, Lines()).value();
  for (auto _ : state)
    benchmark::DoNotOptimize(codec::Decompress(codec::Compression::kGzip, packed, 64 << 20).ok());
  state.SetBytesProcessed(static_cast<std::int64_t>(Lines().size()) * state.iterations());
}
void BM_OpenGzipLines(benchmark::State& state) {
  Open(state, codec::Compress(codec::Compression::kGzip, Lines()).value(), consumer::OpeningConfig::All(),
       4000);
}
void BM_OpenZstdLines(benchmark::State& state) {
  Open(state, codec::Compress(codec::Compression::kZstd, Lines()).value(), consumer::OpeningConfig::All(),
       4000);
}
void BM_NothingToOpen(benchmark::State& state) {
  client::StreamRecord record;
  record.data = Bytes(Lines().substr(0, Lines().find('\n')));
  const client::ShardDescription shard = WholeRange();
  const consumer::OpeningConfig config = consumer::OpeningConfig::All();
  for (auto _ : state) benchmark::DoNotOptimize(consumer::MayNeedOpening(record.data, config));
  state.SetItemsProcessed(state.iterations());
}

std::vector<client::StreamRecord> Records() {
  std::vector<client::StreamRecord> records(10000);
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].sequence.words[2] = i + 1;
    records[i].partition_key = "user-" + std::to_string(i * 7919 % 1000);
    records[i].data = Bytes(std::string(200, 'x'));
  }
  return records;
}
void BM_CopyRecords(benchmark::State& state) {
  const std::vector<client::StreamRecord> records = Records();
  for (auto _ : state) {
    std::vector<client::StreamRecord> copy = records;
    benchmark::DoNotOptimize(copy.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(records.size()) * state.iterations());
}
void BM_ShardWork(benchmark::State& state) {
  const std::vector<client::StreamRecord> records = Records();
  consumer::WorkPolicy policy;
  policy.lanes = static_cast<int>(state.range(0));
  const MonoTime now{};
  const Timestamp wall = TimestampFromMs(1);
  for (auto _ : state) {
    consumer::ShardWork work("shard", policy, 1);
    work.Add(records, now);
    while (!work.idle()) {
      for (consumer::ShardWork::Action& action : work.Take(now, wall))
        work.Succeeded(std::get<consumer::ShardWork::Call>(action).lane, now);
    }
    benchmark::DoNotOptimize(work.checkpoint());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(records.size()) * state.iterations());
}

BENCHMARK(BM_FindLineEnds);
BENCHMARK(BM_OpenLinesAlways);
BENCHMARK(BM_OpenLinesCertain);
BENCHMARK(BM_UnpackGzip);
BENCHMARK(BM_OpenGzipLines);
BENCHMARK(BM_OpenZstdLines);
BENCHMARK(BM_NothingToOpen);
BENCHMARK(BM_CopyRecords);
BENCHMARK(BM_ShardWork)->Arg(1)->Arg(10);

}  // namespace
