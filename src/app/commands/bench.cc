#include "command.h"
#include "connection.h"
#include "honryu/async/retry.h"
#include "honryu/async/task_group.h"
#include "honryu/base/random.h"
#include "honryu/base/units.h"
#include "honryu/codec/json.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace honryu::app {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct BenchOptions {
  std::string what = "put";
  std::string endpoint = "http://127.0.0.1:4567";
  std::string url = "http://127.0.0.1:8080";
  std::string api_key;
  std::string stream = "bench";
  int connections = 4;
  int batch = 500;
  int size = 1024;
  int shards = 4;
  std::string duration = "10s";
};

/// What all connections have done; every member is safe to change from any of them.
struct Tally {
  std::atomic<std::uint64_t> records{0}, bytes{0}, refused{0}, failed_calls{0};
  std::mutex mutex;
  std::vector<double> latencies_ms;  // of calls; bounded by kMaxLatencies
  std::string last_problem;

  static constexpr std::size_t kMaxLatencies = 1'000'000;
  void Call(SteadyClock::duration took) {
    const std::lock_guard lock(mutex);
    if (latencies_ms.size() < kMaxLatencies)
      latencies_ms.push_back(std::chrono::duration<double, std::milli>(took).count());
  }
  void Problem(const std::string& text) {
    const std::lock_guard lock(mutex);
    last_problem = text;
  }
};

// About `size` bytes of a JSON event with its own id.
std::string MakeEvent(Random& random, std::size_t size) {
  static constexpr const char* kTypes[] = {"page_view", "button_click", "content_view", "location_share"};
  std::string out;
  codec::JsonWriter writer(out);
  writer.BeginObject();
  writer.Key("event_id");
  writer.String(RandomUuid());
  writer.Key("event_type");
  writer.String(kTypes[random.Below(std::size(kTypes))]);
  writer.Key("user_id");
  writer.String("bench-user-" + std::to_string(random.Below(500'000)));
  writer.Key("properties");
  writer.BeginObject();
  for (int i = 0; out.size() + 60 < size; ++i) {
    writer.Key("field_" + std::to_string(i));
    writer.String("value " + std::to_string(random.Below(1'000'000)) + " of some text");
  }
  writer.EndObject();
  writer.EndObject();
  return out;
}

class Bench {
 public:
  explicit Bench(const BenchOptions& options)
      : options_(options), connection_(options.what == "events" ? options.url : options.endpoint) {}

  int Run(Duration duration);

 private:
  async::Task<Result<std::vector<client::ShardDescription>>> Prepare();
  async::Task<void> Puts(std::uint64_t seed);
  async::Task<void> Events(std::uint64_t seed);
  async::Task<void> Reads(std::vector<std::string> shards);
  async::Task<void> Join();
  /// True while the run goes on.
  bool Going() const { return !StopRequested() && SteadyClock::now() < end_; }
  void Report(double seconds);

  const BenchOptions options_;
  Connection connection_;
  Tally tally_;
  SteadyClock::time_point end_;
  async::TaskGroup tasks_;
};

async::Task<Result<std::vector<client::ShardDescription>>> Bench::Prepare() {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
  if (options_.what == "put") {
    client::StreamSettings settings;
    settings.shards = options_.shards;
    Result<void> made = co_await connection_.streams().EnsureStream(ctx, options_.stream, settings);
    if (!made.ok()) co_return made.error();
  }
  Result<std::vector<client::ShardDescription>> shards =
      co_await connection_.streams().ListShards(ctx, options_.stream);
  co_return shards;
}

async::Task<void> Bench::Puts(std::uint64_t seed) {
  Random random(seed);
  while (Going()) {
    std::vector<client::PutEntry> entries(static_cast<std::size_t>(options_.batch));
    std::uint64_t bytes = 0;
    for (client::PutEntry& entry : entries) {
      entry.partition_key = "user-" + std::to_string(random.Below(500'000));
      entry.data = Bytes(MakeEvent(random, static_cast<std::size_t>(options_.size)));
      bytes += entry.data.size();
    }
    const auto sent = SteadyClock::now();
    const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
    Result<std::vector<Result<client::PutPosition>>> done =
        co_await connection_.streams().Put(ctx, options_.stream, std::move(entries));
    tally_.Call(SteadyClock::now() - sent);
    if (!done.ok()) {
      ++tally_.failed_calls;
      tally_.Problem(done.error().ToString());
      Result<void> slept = co_await async::SleepFor(std::chrono::milliseconds(100));
      if (!slept.ok()) co_return;
      continue;
    }
    std::uint64_t stored = 0;
    for (const Result<client::PutPosition>& one : *done) {
      if (one.ok()) {
        ++stored;
      } else {
        tally_.Problem(one.error().ToString());
      }
    }
    tally_.records += stored;
    tally_.refused += done->size() - stored;
    tally_.bytes += bytes;
  }
}

async::Task<void> Bench::Events(std::uint64_t seed) {
  Random random(seed);
  const Result<http::Endpoint> endpoint = http::ParseUrl(options_.url + "/v1/events");
  while (Going()) {
    http::ClientRequest request;
    request.method = "POST";
    request.endpoint = *endpoint;
    request.headers.Set("Content-Type", "application/x-ndjson");
    if (!options_.api_key.empty()) request.headers.Set("Authorization", "Bearer " + options_.api_key);
    std::string body;
    for (int i = 0; i < options_.batch; ++i)
      body += MakeEvent(random, static_cast<std::size_t>(options_.size)) + "\n";
    const std::size_t bytes = body.size();
    request.body = Bytes(std::move(body));
    const auto sent = SteadyClock::now();
    const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
    Result<http::ClientResponse> response = co_await connection_.http().Send(ctx, std::move(request));
    tally_.Call(SteadyClock::now() - sent);
    Result<codec::Json> answer = response.ok() ? codec::Json::Parse(std::string(response->body.view()))
                                               : Result<codec::Json>(response.error());
    const codec::Json* accepted = answer.ok() ? answer->Find("accepted") : nullptr;
    if (accepted == nullptr) {
      ++tally_.failed_calls;
      tally_.Problem(answer.ok() ? std::string(response->body.view()) : answer.error().ToString());
      Result<void> slept = co_await async::SleepFor(std::chrono::milliseconds(100));
      if (!slept.ok()) co_return;
      continue;
    }
    const auto stored = static_cast<std::uint64_t>(accepted->IntOr(0));
    tally_.records += stored;
    tally_.refused += static_cast<std::uint64_t>(options_.batch) - stored;
    tally_.bytes += bytes;
  }
}

async::Task<void> Bench::Reads(std::vector<std::string> shards) {
  for (const std::string& shard : shards) {
    client::ReadRequest request;
    request.stream = options_.stream;
    request.shard_id = shard;
    request.from = client::FromTrimHorizon{};
    while (Going()) {
      const auto sent = SteadyClock::now();
      const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
      Result<client::ReadBatch> batch = co_await connection_.streams().Read(ctx, request);
      tally_.Call(SteadyClock::now() - sent);
      if (!batch.ok()) {
        ++tally_.failed_calls;
        tally_.Problem(batch.error().ToString());
        co_return;
      }
      tally_.records += batch->records.size();
      for (const client::StreamRecord& record : batch->records) tally_.bytes += record.data.size();
      if (batch->next.empty() || (batch->records.empty() && batch->behind_latest == Duration::zero())) break;
      request.from = client::FromCursor{std::move(batch->next)};
    }
  }
}

async::Task<void> Bench::Join() {
  Result<void> joined = co_await tasks_.Join();
  if (!joined.ok()) tally_.Problem(joined.error().ToString());
}

void Bench::Report(double seconds) {
  std::vector<double>& latencies = tally_.latencies_ms;
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&latencies](double share) {
    if (latencies.empty()) return 0.0;
    return latencies[std::min(latencies.size() - 1,
                              static_cast<std::size_t>(share * static_cast<double>(latencies.size())))];
  };
  const auto records = static_cast<double>(tally_.records), bytes = static_cast<double>(tally_.bytes);
  std::printf(
      "%s: %.0f records/s, %.1f MB/s (%.0f records in %.1f s); calls: p50 %.1f ms, p99 %.1f ms, max %.1f "
      "ms\n",
      options_.what.c_str(), records / seconds, bytes / seconds / 1e6, records, seconds, at(0.5), at(0.99),
      latencies.empty() ? 0.0 : latencies.back());
  if (tally_.refused + tally_.failed_calls == 0) return;
  std::printf("refused records: %llu, failed calls: %llu; last: %s\n",
              static_cast<unsigned long long>(tally_.refused.load()),
              static_cast<unsigned long long>(tally_.failed_calls.load()), tally_.last_problem.c_str());
}

int Bench::Run(Duration duration) {
  std::vector<std::string> shard_ids;
  if (options_.what != "events") {
    const Result<std::vector<client::ShardDescription>> shards = connection_.runtime().BlockOn(Prepare());
    if (!shards.ok()) return Fail(shards.error());
    for (const client::ShardDescription& shard : *shards) shard_ids.push_back(shard.shard_id);
  }
  const auto begin = SteadyClock::now();
  end_ = begin + duration;
  for (int i = 0; i < options_.connections; ++i) {
    const async::Executor executor = connection_.runtime().NextExecutor();
    const std::uint64_t seed = async::RetrySeed() + static_cast<std::uint64_t>(i);
    if (options_.what == "put") {
      tasks_.Spawn(executor, "puts", Puts(seed));
    } else if (options_.what == "events") {
      tasks_.Spawn(executor, "events", Events(seed));
    } else {
      std::vector<std::string> mine;
      for (std::size_t s = static_cast<std::size_t>(i); s < shard_ids.size();
           s += static_cast<std::size_t>(options_.connections))
        mine.push_back(shard_ids[s]);
      tasks_.Spawn(executor, "reads", Reads(std::move(mine)));
    }
  }
  std::uint64_t before = 0;
  for (auto tick = begin; tasks_.running() > 0 && SteadyClock::now() < end_ + std::chrono::seconds(31);) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (SteadyClock::now() - tick < std::chrono::seconds(1)) continue;
    tick = SteadyClock::now();
    const std::uint64_t now = tally_.records;
    std::fprintf(stderr, "%5.1f s  %llu records  %llu/s\n",
                 std::chrono::duration<double>(tick - begin).count(), static_cast<unsigned long long>(now),
                 static_cast<unsigned long long>(now - before));
    before = now;
  }
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  connection_.runtime().BlockOn(Join());
  Report(seconds);
  return tally_.records > 0 && tally_.failed_calls == 0 ? 0 : 1;
}

int RunBench(const BenchOptions& options) {
  InstallStopSignals();
  const Result<Duration> duration = ParseDuration(options.duration);
  if (!duration.ok()) return Fail(duration.error().WithContext("--duration"));
  Bench bench(options);
  return bench.Run(*duration);
}

}  // namespace

void AddBenchCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command =
      app.add_subcommand("bench", "Load a running server and print its throughput and latency");
  command->add_option("what", options->what, "put: PutRecords; events: POST /v1/events; get: read it all")
      ->check(CLI::IsMember({"put", "events", "get"}))
      ->capture_default_str();
  command->add_option("--endpoint", options->endpoint, "Kinesis endpoint of the broker (put, get)")
      ->capture_default_str()
      ->envname("HONRYU_ENDPOINT");
  command->add_option("--url", options->url, "The gateway (events)")->capture_default_str();
  command->add_option("--api-key", options->api_key, "Sent as a bearer token (events)")
      ->envname("HONRYU_API_KEY");
  command->add_option("--stream", options->stream, "Stream that is written (created if need be) or read")
      ->capture_default_str();
  command->add_option("--shards", options->shards, "Its shards, when it must be created")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("-c,--connections", options->connections, "Calls under way at a time")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("-n,--batch", options->batch, "Records of a call")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("-s,--size", options->size, "Bytes of a record, about")
      ->check(CLI::Range(200, 900'000))
      ->capture_default_str();
  command->add_option("-d,--duration", options->duration, "How long, such as 30s or 5m")
      ->capture_default_str();
  command->footer(
      "Closed loop: each connection sends its next call when the last was answered. Progress goes to "
      "standard\n"
      "error once a second, the result to standard output. The client takes its share of the machine, too.\n"
      "The exit status is 0 when no call failed. What is written stays until retention drops it.\n"
      "Examples:\n  honryu bench put -c 16 -d 30s\n  honryu bench events --url http://127.0.0.1:8080\n"
      "  honryu bench get --stream events");
  command->callback([options, exit_code] { *exit_code = RunBench(*options); });
}

}  // namespace honryu::app
