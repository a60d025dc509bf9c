// Enhanced fan-out of one shard, client included, over real sockets on loopback, all in one run.
//
// usage: honryu_fanout_bench [--dir DIR] [--seconds N] [--cbor]   (prints Markdown tables)
//
// (a) 1,000 single PutRecord calls/s of 1 KB in an open loop, 1 and 5 subscribers: from the moment that a put
// was due to the moment that the subscriber's code has the record. (b) what subscribers cost the writer:
// PutRecords of 500 records of 1 KB into one shard, with fsync, with 0, 1 and 5 subscribers: once at 10,000
// records/s (ten times what a shard of Kinesis takes), once as fast as four connections can (closed loop).
//
// Subscribers speak HTTP/2 with prior knowledge and check every frame in (a); in (b) they only take the
// bytes, so that as much as possible of the machine is left to the server.
#include "bench/load/load_client.h"
#include "bench/load/subscriber.h"
#include "honryu/api/kinesis/kinesis_api.h"
#include "honryu/base/check.h"
#include "honryu/broker/broker.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "honryu/http/server.h"
#include "honryu/log/rocksdb_engine.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace honryu::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Options {
  std::string dir = "bench-data";
  int seconds = 8;
  wire::Format format = wire::Format::kJson;
};

constexpr std::size_t kRecordBytes = 1024;
constexpr int kRecordsPerCall = 500;
constexpr int kConsumers = 6;
constexpr char kMark[] = "@due=";  // and 19 digits: nanoseconds of the steady clock
constexpr std::size_t kMarkBytes = 24;

double Seconds(SteadyClock::duration d) { return std::chrono::duration<double>(d).count(); }

double ProcessCpu() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

// Everything a broker process has, in this process.
struct System {
  explicit System(const std::string& dir) : runtime(async::RuntimeOptions{2, 2}) {
    log::RocksdbEngineConfig config;
    config.path = dir;
    engine = log::RocksdbEngine::Open(config, SystemClock(), runtime, metrics).value();
    broker = std::make_unique<broker::Broker>(broker::BrokerConfig{}, *engine, engine->meta(), SystemClock(),
                                              runtime, metrics);
    broker->Start().value();
    kinesis = std::make_unique<api::kinesis::KinesisApi>(api::kinesis::KinesisApiConfig{}, *broker,
                                                         SystemClock(), metrics);
    http::ServerConfig server_config;
    server_config.name = "bench";
    server = std::make_unique<http::Server>(runtime, metrics, server_config,
                                            [this](async::Context ctx, const http::Request& request) {
                                              return kinesis->Handle(std::move(ctx), request);
                                            });
    server->Start().value();
  }
  ~System() {
    server->BeginStop();
    runtime.BlockOn(server->Stop(SteadyClock::now() + std::chrono::seconds(5)));
    runtime.BlockOn(broker->Stop(SteadyClock::now() + std::chrono::seconds(5)));
    (void)engine->Close();
  }
  std::uint64_t Delivered() const {
    const std::string text = metrics.Render(), name = "\nhonryu_kinesis_subscription_records_total ";
    const std::size_t at = text.find(name);
    HONRYU_CHECK(at != std::string::npos, "the metric of delivered records is gone");
    return static_cast<std::uint64_t>(std::strtod(text.c_str() + at + name.size(), nullptr));
  }

  mutable obs::Registry metrics;
  async::Runtime runtime;
  std::unique_ptr<log::RocksdbEngine> engine;
  std::unique_ptr<broker::Broker> broker;
  std::unique_ptr<api::kinesis::KinesisApi> kinesis;
  std::unique_ptr<http::Server> server;
};

std::string Call(System& system, const std::string& operation, const std::string& body) {
  LoadConnection connection(system.server->port());
  std::string answer;
  const int status = connection.Exchange(
      MakePost("/", "application/x-amz-json-1.1", "Kinesis_20131202." + operation, body), &answer);
  if (status == 200) return answer;
  std::fprintf(stderr, "%s: %d %s\n", operation.c_str(), status, answer.c_str());
  std::exit(1);
}

// A stream of one shard with six consumers; their ARNs. Five subscribe together, the sixth alone: the service
// refuses a consumer that subscribes twice within five seconds.
std::vector<std::string> MakeStream(System& system, const std::string& name) {
  Call(system, "CreateStream", R"({"StreamName":")" + name + R"(","ShardCount":1})");
  const auto ctx = async::Context::WithTimeout(std::chrono::seconds(10));
  system.runtime.BlockOn(system.broker->WaitActive(ctx, name)).value();
  const codec::Json described =
      codec::Json::Parse(Call(system, "DescribeStreamSummary", R"({"StreamName":")" + name + "\"}")).value();
  const std::string stream_arn(described.Find("StreamDescriptionSummary")->Find("StreamARN")->StringOr(""));
  std::vector<std::string> arns;
  for (int i = 0; i < kConsumers; ++i) {
    const codec::Json made =
        codec::Json::Parse(
            Call(system, "RegisterStreamConsumer",
                 R"({"StreamARN":")" + stream_arn + R"(","ConsumerName":"c)" + std::to_string(i) + "\"}"))
            .value();
    arns.emplace_back(made.Find("Consumer")->Find("ConsumerARN")->StringOr(""));
  }
  return arns;
}

std::string SubscribeBody(const std::vector<std::string>& arns, std::size_t subscriber,
                          std::size_t subscribers, wire::Format format) {
  const std::string& arn = subscribers == 1 ? arns.back() : arns[subscriber];
  return wire::EncodeBody(R"({"ConsumerARN":")" + arn +
                              R"(","ShardId":"shardId-000000000000","StartingPosition":{"Type":"LATEST"}})",
                          format)
      .value();
}

// ---- (a) latency

struct Latency {
  std::vector<double> ack_ms, delivery_ms;
};

// The due times of the records in an event.
void FindMarks(const std::string& payload, wire::Format format, std::vector<std::int64_t>* due) {
  const auto take = [due](const char* text) {
    due->push_back(std::strtoll(text + sizeof kMark - 1, nullptr, 10));
  };
  if (format == wire::Format::kCbor) {
    for (std::size_t at = payload.find(kMark); at != std::string::npos;
         at = payload.find(kMark, at + kMarkBytes))
      take(payload.data() + at);
    return;
  }
  constexpr std::string_view kData = "\"Data\":\"";
  for (std::size_t at = payload.find(kData); at != std::string::npos;
       at = payload.find(kData, at + kRecordBytes)) {
    const std::string mark =
        codec::Base64Decode(std::string_view(payload).substr(at + kData.size(), kMarkBytes / 3 * 4)).value();
    take(mark.c_str());
  }
}

Latency MeasureLatency(System& system, const std::vector<std::string>& arns, const std::string& stream,
                       std::size_t subscribers, const Options& options) {
  std::mutex mutex;
  Latency out;
  std::vector<std::unique_ptr<Subscriber>> living;
  for (std::size_t i = 0; i < subscribers; ++i) {
    living.push_back(std::make_unique<Subscriber>(
        system.server->port(), SubscribeBody(arns, i, subscribers, options.format), options.format,
        [&mutex, &out, format = options.format](const std::string& payload) {
          const std::int64_t now = SteadyClock::now().time_since_epoch().count();
          std::vector<std::int64_t> due;
          FindMarks(payload, format, &due);
          const std::lock_guard lock(mutex);
          for (const std::int64_t t : due) out.delivery_ms.push_back(static_cast<double>(now - t) / 1e6);
        }));
  }
  for (const auto& one : living) one->AwaitStart();
  const auto wanted = static_cast<std::size_t>(options.seconds) * 1000;
  LoadConnection connection(system.server->port());
  std::string answer;
  const std::string rest = MakeRecord(kRecordBytes - kMarkBytes, true, 1);
  auto due = SteadyClock::now() + std::chrono::milliseconds(100);
  for (std::size_t i = 0; i < wanted; ++i, due += std::chrono::milliseconds(1)) {
    char mark[kMarkBytes + 1];
    std::snprintf(mark, sizeof mark, "%s%019lld", kMark,
                  static_cast<long long>(due.time_since_epoch().count()));
    const std::string request =
        MakePost("/", "application/x-amz-json-1.1", "Kinesis_20131202.PutRecord",
                 R"({"StreamName":")" + stream + R"(","PartitionKey":"k)" + std::to_string(i % 100) +
                     R"(","Data":")" + codec::Base64Encode(mark + rest) + "\"}");
    std::this_thread::sleep_until(due);
    if (connection.Exchange(request, &answer) != 200) std::exit(1);
    out.ack_ms.push_back(Seconds(SteadyClock::now() - due) * 1000);
  }
  for (int i = 0; i < 5000; ++i) {
    {
      const std::lock_guard lock(mutex);
      if (out.delivery_ms.size() >= wanted * subscribers) break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (const auto& one : living) one->Stop();
  if (out.delivery_ms.size() != wanted * subscribers) {
    std::fprintf(stderr, "%zu records were delivered, expected %zu\n", out.delivery_ms.size(),
                 wanted * subscribers);
    std::exit(1);
  }
  return out;
}

// ---- (b) throughput

struct Throughput {
  double records_per_s = 0, delivered_per_s = 0, p50_ms = 0, p99_ms = 0;
  double cpu = 0, subscriber_cpu = 0;  // cores in use
};

// `pause`: between the due times of a connection's calls; zero: the next call follows the last answer.
Throughput MeasureThroughput(System& system, const std::vector<std::string>& arns, const std::string& stream,
                             std::size_t subscribers, int connections, SteadyClock::duration pause,
                             const Options& options) {
  std::vector<std::unique_ptr<Subscriber>> living;
  for (std::size_t i = 0; i < subscribers; ++i)
    living.push_back(std::make_unique<Subscriber>(
        system.server->port(), SubscribeBody(arns, i, subscribers, options.format), options.format, nullptr));
  for (const auto& one : living) one->AwaitStart();
  constexpr int kDistinct = 4;
  std::vector<std::string> requests;
  for (int i = 0; i < kDistinct; ++i)
    requests.push_back(MakePost(
        "/", "application/x-amz-json-1.1", "Kinesis_20131202.PutRecords",
        MakePutRecordsBody(stream, kRecordsPerCall, kRecordBytes, true, static_cast<std::uint64_t>(i))));
  std::atomic<bool> stop{false};
  std::vector<std::vector<double>> latencies(static_cast<std::size_t>(connections));
  std::vector<std::thread> writers;
  const std::uint64_t delivered = system.Delivered();
  const double cpu = ProcessCpu();
  const auto begin = SteadyClock::now();
  for (int c = 0; c < connections; ++c) {
    writers.emplace_back([&, c] {
      LoadConnection connection(system.server->port());
      std::string answer;
      auto due = begin + pause * c / connections;
      for (std::size_t i = 0; !stop; ++i, due += pause) {
        if (pause.count() > 0) std::this_thread::sleep_until(due);
        const auto from = pause.count() > 0 ? due : SteadyClock::now();
        if (connection.Exchange(requests[i % kDistinct], &answer) != 200 ||
            answer.find("\"FailedRecordCount\":0") == std::string::npos) {
          std::fprintf(stderr, "PutRecords: %.300s\n", answer.c_str());
          std::exit(1);
        }
        latencies[static_cast<std::size_t>(c)].push_back(Seconds(SteadyClock::now() - from) * 1000);
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::seconds(options.seconds));
  stop = true;
  for (std::thread& writer : writers) writer.join();
  const double elapsed = Seconds(SteadyClock::now() - begin);
  Throughput out;
  out.delivered_per_s = static_cast<double>(system.Delivered() - delivered) / elapsed;
  out.cpu = (ProcessCpu() - cpu) / elapsed;
  for (const auto& one : living) out.subscriber_cpu += one->Stop() / elapsed;
  std::vector<double> all;
  for (const auto& some : latencies) all.insert(all.end(), some.begin(), some.end());
  out.records_per_s = static_cast<double>(all.size()) * kRecordsPerCall / elapsed;
  out.p50_ms = Percentile(all, 0.5);
  out.p99_ms = Percentile(all, 0.99);
  return out;
}

void PrintThroughput(const char* what, std::size_t subscribers, const Throughput& t, double alone) {
  std::printf("| %s, %zu subscribers | %.2f | %.0f | %.0f | %.1f | %.1f | %.2f | %.2f |\n", what, subscribers,
              t.records_per_s / alone, t.records_per_s, t.delivered_per_s, t.p50_ms, t.p99_ms, t.cpu,
              t.subscriber_cpu);
  std::fflush(stdout);
}

int Run(const Options& options) {
  std::filesystem::remove_all(options.dir);
  std::filesystem::create_directories(options.dir);
  std::printf("events in %s, %d s a measurement, %u cores\n\n",
              options.format == wire::Format::kCbor ? "CBOR" : "JSON", options.seconds,
              std::thread::hardware_concurrency());
  System system(options.dir + "/log");
  const std::vector<std::string> latency_arns = MakeStream(system, "latency"),
                                 arns = MakeStream(system, "load");
  std::printf("| (a) 1,000 puts/s | p50 ms | p99 ms | max ms |\n|---|---|---|---|\n");
  for (const std::size_t subscribers : {1U, 5U}) {
    Latency latency = MeasureLatency(system, latency_arns, "latency", subscribers, options);
    std::printf("| due to acknowledged, %zu subscribers | %.2f | %.2f | %.1f |\n", subscribers,
                Percentile(latency.ack_ms, 0.5), Percentile(latency.ack_ms, 0.99),
                Percentile(latency.ack_ms, 1));
    std::printf("| due to delivered, %zu subscribers | %.2f | %.2f | %.1f |\n", subscribers,
                Percentile(latency.delivery_ms, 0.5), Percentile(latency.delivery_ms, 0.99),
                Percentile(latency.delivery_ms, 1));
    std::fflush(stdout);
  }
  std::printf(
      "\n| (b) writer | of the writer alone | records/s | delivered/s | p50 ms | p99 ms | cores in use | by "
      "subscribers' threads |\n|---|---|---|---|---|---|---|---|\n");
  double alone = 0;
  for (const std::size_t subscribers : {0U, 1U, 5U}) {
    const Throughput t =
        MeasureThroughput(system, arns, "load", subscribers, 2, std::chrono::milliseconds(100), options);
    if (subscribers == 0) alone = t.records_per_s;
    PrintThroughput("10,000 records/s", subscribers, t, alone);
  }
  for (const std::size_t subscribers : {0U, 1U, 5U}) {
    const Throughput t =
        MeasureThroughput(system, arns, "load", subscribers, 4, SteadyClock::duration::zero(), options);
    if (subscribers == 0) alone = t.records_per_s;
    PrintThroughput("closed loop", subscribers, t, alone);
  }
  return 0;
}

}  // namespace
}  // namespace honryu::bench

int main(int argc, char** argv) {
  honryu::bench::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--dir" && i + 1 < argc) {
      options.dir = argv[++i];
    } else if (argument == "--seconds" && i + 1 < argc) {
      options.seconds = std::atoi(argv[++i]);
    } else if (argument == "--cbor") {
      options.format = honryu::wire::Format::kCbor;
    } else {
      std::fprintf(stderr, "usage: %s [--dir DIR] [--seconds N] [--cbor]\n", argv[0]);
      return 2;
    }
  }
  return honryu::bench::Run(options);
}
