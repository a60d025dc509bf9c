// The pipeline's throughput and latency beside raw RocksDB and a raw file, all in one run, on one machine,
// client included.
//
// usage: honryu_pipeline_bench [--dir DIR] [--seconds N] [--random]   (prints Markdown tables; ratios first)
//
// (a) PutRecords over HTTP with fsync: 500 records of 1 KB a request, 1, 4 and 16 connections, closed loop
// (b) raw RocksDB: WriteBatch of 500 single-record keys of 1 KB with sync=true; and a raw file: append 500 KB
// + fdatasync (c) POST /v1/events, NDJSON of 500 events of 1 KB (d) GetRecords drain over HTTP beside a raw
// RocksDB iterator over the same records (e) write amplification, from RocksDB's statistics (f) put to
// waiting reader: latency beyond the acknowledgement, single puts
//
// Record data: fixed seeds; JSON that looks like app events by default, random bytes with --random.
#include "bench/load/load_client.h"
#include "honryu/api/gateway/gateway_api.h"
#include "honryu/api/kinesis/kinesis_api.h"
#include "honryu/broker/broker.h"
#include "honryu/client/local_client.h"
#include "honryu/codec/json.h"
#include "honryu/http/router.h"
#include "honryu/http/server.h"
#include "honryu/log/rocksdb_engine.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace honryu::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Options {
  std::string dir = "bench-data";
  int seconds = 5;
  bool json_like = true;
};

constexpr int kRecordsPerCall = 500;
constexpr std::size_t kRecordBytes = 1024;
constexpr int kDistinctBodies = 8;  // per connection, so that no cache sees one body only

double Seconds(SteadyClock::duration d) { return std::chrono::duration<double>(d).count(); }

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
    client = client::MakeLocalClient(*broker);
    gateway =
        std::make_unique<api::gateway::GatewayApi>(GatewayConfig(), *client, SystemClock(), runtime, metrics);
    runtime.BlockOn(StartAll(this)).value();
    gateway->Register(router);
    router.Add("*", "/*", [this](async::Context ctx, const http::Request& request) {
      return kinesis->Handle(std::move(ctx), request);
    });
    http::ServerConfig server_config;
    server_config.name = "bench";
    server_config.max_body = ByteSize::MiB(16);
    server = std::make_unique<http::Server>(runtime, metrics, server_config, router.AsHandler());
    server->Start().value();
  }
  ~System() {
    server->BeginStop();
    runtime.BlockOn(server->Stop(SteadyClock::now() + std::chrono::seconds(5)));
    runtime.BlockOn(gateway->Stop(SteadyClock::now() + std::chrono::seconds(5)));
    runtime.BlockOn(broker->Stop(SteadyClock::now() + std::chrono::seconds(5)));
    (void)engine->Close();
  }
  static api::gateway::GatewayConfig GatewayConfig() {
    api::gateway::GatewayConfig config;
    config.stream = "events";
    return config;
  }
  static async::Task<Result<void>> StartAll(System* system) {
    const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
    client::StreamSettings settings;
    Result<void> made = co_await system->client->EnsureStream(ctx, "bench", settings);
    if (!made.ok()) co_return made;
    Result<void> started = co_await system->gateway->Start(ctx);
    co_return started;
  }

  obs::Registry metrics;
  async::Runtime runtime;
  std::unique_ptr<log::RocksdbEngine> engine;
  std::unique_ptr<broker::Broker> broker;
  std::unique_ptr<api::kinesis::KinesisApi> kinesis;
  std::unique_ptr<client::StreamClient> client;
  std::unique_ptr<api::gateway::GatewayApi> gateway;
  http::Router router;
  std::unique_ptr<http::Server> server;
};

struct LoadResult {
  double records_per_s = 0, p50_ms = 0, p99_ms = 0;
};

// Closed loop: every connection sends its next request when the last one was answered.
LoadResult ClosedLoop(std::uint16_t port, int connections, int seconds,
                      std::vector<std::vector<std::string>> requests, const char* must_contain,
                      const std::function<void(std::string&)>& prepare = nullptr) {
  std::atomic<bool> stop{false};
  std::atomic<long> calls{0};
  std::vector<std::vector<double>> latencies(static_cast<std::size_t>(connections));
  std::vector<std::thread> threads;
  const auto begin = SteadyClock::now();
  for (int c = 0; c < connections; ++c) {
    threads.emplace_back([&, c] {
      LoadConnection connection(port);
      std::string body;
      auto& mine = requests[static_cast<std::size_t>(c)];
      for (std::size_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
        if (prepare) prepare(mine[i % mine.size()]);
        const auto sent = SteadyClock::now();
        const int status = connection.Exchange(mine[i % mine.size()], &body);
        if (status != 200 || body.find(must_contain) == std::string::npos) {
          std::fprintf(stderr, "unexpected answer %d: %.300s\n", status, body.c_str());
          std::exit(1);
        }
        latencies[static_cast<std::size_t>(c)].push_back(Seconds(SteadyClock::now() - sent) * 1000);
        ++calls;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const double elapsed = Seconds(SteadyClock::now() - begin);
  std::vector<double> all;
  for (auto& part : latencies) all.insert(all.end(), part.begin(), part.end());
  LoadResult result;
  result.records_per_s = static_cast<double>(calls) * kRecordsPerCall / elapsed;
  result.p50_ms = Percentile(all, 0.5);
  result.p99_ms = Percentile(all, 0.99);
  return result;
}

double RawRocksdb(const Options& options, const std::string& dir, rocksdb::DB** keep) {
  rocksdb::Options db_options;
  db_options.create_if_missing = true;
  db_options.write_buffer_size = 64 << 20;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(db_options, dir, &db);
  if (!opened.ok()) {
    std::fprintf(stderr, "raw rocksdb: %s\n", opened.ToString().c_str());
    std::exit(1);
  }
  std::vector<std::string> records;
  for (int i = 0; i < kRecordsPerCall * kDistinctBodies; ++i) {
    records.push_back(MakeRecord(kRecordBytes, options.json_like, static_cast<std::uint64_t>(i)));
  }
  rocksdb::WriteOptions write;
  write.sync = true;
  std::uint64_t key = 0;
  const auto begin = SteadyClock::now();
  while (SteadyClock::now() - begin < std::chrono::seconds(options.seconds)) {
    rocksdb::WriteBatch batch;
    for (int i = 0; i < kRecordsPerCall; ++i, ++key) {
      const std::uint64_t big_endian = __builtin_bswap64(key);
      batch.Put(rocksdb::Slice(reinterpret_cast<const char*>(&big_endian), 8), records[key % records.size()]);
    }
    if (!db->Write(write, &batch).ok()) std::exit(1);
  }
  const double rate = static_cast<double>(key) / Seconds(SteadyClock::now() - begin);
  *keep = db;
  return rate;
}

double RawIterator(rocksdb::DB* db) {
  const auto begin = SteadyClock::now();
  std::uint64_t records = 0, bytes = 0;
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(rocksdb::ReadOptions()));
  for (it->SeekToFirst(); it->Valid(); it->Next(), ++records) bytes += it->value().size();
  if (bytes == 0) std::exit(1);
  return static_cast<double>(records) / Seconds(SteadyClock::now() - begin);
}

double RawFile(const Options& options, const std::string& path) {
  std::string block;
  for (int i = 0; i < kRecordsPerCall; ++i)
    block += MakeRecord(kRecordBytes, options.json_like, static_cast<std::uint64_t>(i));
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  std::uint64_t calls = 0;
  const auto begin = SteadyClock::now();
  while (SteadyClock::now() - begin < std::chrono::seconds(options.seconds)) {
    if (::write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size()) || ::fdatasync(fd) != 0)
      std::exit(1);
    ++calls;
  }
  const double rate = static_cast<double>(calls) * kRecordsPerCall / Seconds(SteadyClock::now() - begin);
  ::close(fd);
  ::unlink(path.c_str());
  return rate;
}

codec::Json Call(LoadConnection& connection, const std::string& operation, const std::string& body,
                 std::string* raw) {
  const int status = connection.Exchange(
      MakePost("/", "application/x-amz-json-1.1", "Kinesis_20131202." + operation, body), raw);
  if (status != 200) {
    std::fprintf(stderr, "%s: %d %.300s\n", operation.c_str(), status, raw->c_str());
    std::exit(1);
  }
  return operation == "GetRecords" ? codec::Json() : codec::Json::Parse(*raw).value();
}

std::string TextBetween(const std::string& text, const std::string& before, char after) {
  const std::size_t begin = text.rfind(before);
  if (begin == std::string::npos) return "";
  return text.substr(begin + before.size(), text.find(after, begin + before.size()) - begin - before.size());
}

double Drain(std::uint16_t port) {
  LoadConnection connection(port);
  std::string raw;
  std::uint64_t records = 0;
  const auto begin = SteadyClock::now();
  for (int shard = 0; shard < 4; ++shard) {
    char id[32];
    std::snprintf(id, sizeof id, "shardId-%012d", shard);
    const codec::Json got = Call(connection, "GetShardIterator",
                                 std::string("{\"StreamName\":\"bench\",\"ShardId\":\"") + id +
                                     "\",\"ShardIteratorType\":\"TRIM_HORIZON\"}",
                                 &raw);
    std::string iterator(got.Find("ShardIterator")->StringOr(""));
    for (;;) {
      Call(connection, "GetRecords", "{\"ShardIterator\":\"" + iterator + "\"}", &raw);
      std::uint64_t here = 0;
      for (std::size_t at = raw.find("\"SequenceNumber\""); at != std::string::npos;
           at = raw.find("\"SequenceNumber\"", at + 1024))
        ++here;
      records += here;
      iterator = TextBetween(raw, "\"NextShardIterator\":\"", '"');
      if (here == 0 || iterator.empty()) break;
    }
  }
  return static_cast<double>(records) / Seconds(SteadyClock::now() - begin);
}

// One reader long-polls through the stream client; a writer puts single records and stamps them. Measures
// from the moment the put was acknowledged (its fsync done) to the moment the reader has the record; early
// arrivals count as zero.
async::Task<void> ReadStamps(System* system, int count, std::vector<SteadyClock::time_point>* arrivals,
                             std::atomic<bool>* ready) {
  client::ReadRequest request;
  request.stream = "latency";
  request.shard_id = "shardId-000000000000";
  request.from = client::FromLatest{};
  request.wait = std::chrono::milliseconds(1);
  while (static_cast<int>(arrivals->size()) < count) {
    const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
    Result<client::ReadBatch> batch = co_await system->client->Read(ctx, request);
    if (!batch.ok()) std::exit(1);
    for (std::size_t i = 0; i < batch->records.size(); ++i) arrivals->push_back(SteadyClock::now());
    request.from = client::FromCursor{batch->next};
    request.wait = std::chrono::seconds(10);
    ready->store(true);
  }
}

void Latency(System& system, std::vector<double>* beyond_ack_ms, std::vector<double>* total_ms) {
  constexpr int kCount = 1000;
  const auto ensure = [](System* s) -> async::Task<Result<void>> {
    const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
    client::StreamSettings one;
    one.shards = 1;
    Result<void> made = co_await s->client->EnsureStream(ctx, "latency", one);
    co_return made;
  };
  system.runtime.BlockOn(ensure(&system)).value();
  std::vector<SteadyClock::time_point> arrivals;
  std::atomic<bool> ready{false};
  std::thread reader([&] { system.runtime.BlockOn(ReadStamps(&system, kCount, &arrivals, &ready)); });
  while (!ready) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  LoadConnection connection(system.server->port());
  std::vector<SteadyClock::time_point> sent, acknowledged;
  std::string raw;
  const std::string request = MakePost("/", "application/x-amz-json-1.1", "Kinesis_20131202.PutRecord",
                                       R"({"StreamName":"latency","Data":"aGVsbG8=","PartitionKey":"k"})");
  for (int i = 0; i < kCount; ++i) {
    sent.push_back(SteadyClock::now());
    if (connection.Exchange(request, &raw) != 200) std::exit(1);
    acknowledged.push_back(SteadyClock::now());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  reader.join();
  for (std::size_t i = 0; i < kCount; ++i) {
    beyond_ack_ms->push_back(std::max(0.0, Seconds(arrivals[i] - acknowledged[i]) * 1000));
    total_ms->push_back(Seconds(arrivals[i] - sent[i]) * 1000);
  }
}

// Bodies of NDJSON events; NewIds gives them other event ids before each sending, as an app would.
std::vector<std::vector<std::string>> EventRequests(int connections) {
  std::vector<std::vector<std::string>> requests(static_cast<std::size_t>(connections));
  for (int c = 0; c < connections; ++c) {
    for (int i = 0; i < kDistinctBodies; ++i) {
      std::string body;
      for (int n = 0; n < kRecordsPerCall; ++n) {
        const auto seed = static_cast<std::uint64_t>((c * kDistinctBodies + i) * kRecordsPerCall + n);
        body += MakeRecord(kRecordBytes, true, seed) + "\n";
      }
      requests[static_cast<std::size_t>(c)].push_back(
          MakePost("/v1/events", "application/x-ndjson", "", body));
    }
  }
  return requests;
}

void NewIds(std::string& request) {
  static std::atomic<std::uint64_t> next{0};
  static constexpr std::string_view kBefore = "{\"event_id\":\"";
  for (std::size_t at = request.find(kBefore); at != std::string::npos;
       at = request.find(kBefore, at + kRecordBytes / 2)) {
    char digits[13];
    std::snprintf(digits, sizeof digits, "%012llx", static_cast<unsigned long long>(++next));
    request.replace(at + kBefore.size() + 24, 12, digits, 12);
  }
}

double Metric(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
}

std::vector<std::vector<std::string>> PutRequests(int connections, bool json_like) {
  std::vector<std::vector<std::string>> requests(static_cast<std::size_t>(connections));
  for (int c = 0; c < connections; ++c) {
    for (int i = 0; i < kDistinctBodies; ++i) {
      requests[static_cast<std::size_t>(c)].push_back(
          MakePost("/", "application/x-amz-json-1.1", "Kinesis_20131202.PutRecords",
                   MakePutRecordsBody("bench", kRecordsPerCall, kRecordBytes, json_like,
                                      static_cast<std::uint64_t>(c * 1000 + i))));
    }
  }
  return requests;
}

int Run(const Options& options) {
  std::filesystem::remove_all(options.dir);
  std::filesystem::create_directories(options.dir);
  std::printf("data: %s, %d s a measurement, %u cores\n\n", options.json_like ? "JSON-like" : "random bytes",
              options.seconds, std::thread::hardware_concurrency());
  rocksdb::DB* raw_db = nullptr;
  const double raw = RawRocksdb(options, options.dir + "/raw", &raw_db);
  const double iterator = RawIterator(raw_db);
  delete raw_db;
  std::filesystem::remove_all(options.dir + "/raw");
  const double file = RawFile(options, options.dir + "/raw.dat");
  System system(options.dir + "/log");
  const std::uint16_t port = system.server->port();
  std::printf("| what | of raw RocksDB | records/s | p50 ms | p99 ms |\n|---|---|---|---|---|\n");
  std::printf("| (b) raw RocksDB, 500 keys a WriteBatch, sync | 1.00 | %.0f | | |\n", raw);
  std::printf("| (b) raw file, append 500 KB + fdatasync | %.2f | %.0f | | |\n", file / raw, file);
  for (const int connections : {1, 4, 16}) {
    const auto requests = PutRequests(connections, options.json_like);
    const LoadResult put =
        ClosedLoop(port, connections, options.seconds, requests, "\"FailedRecordCount\":0");
    std::printf("| (a) PutRecords over HTTP, fsync, %d connections | %.2f | %.0f | %.1f | %.1f |\n",
                connections, put.records_per_s / raw, put.records_per_s, put.p50_ms, put.p99_ms);
    std::fflush(stdout);
  }
  const std::string after_put = system.metrics.Render();
  for (const int connections : {1, 4}) {
    const LoadResult post = ClosedLoop(port, connections, options.seconds, EventRequests(connections),
                                       "\"accepted\":500,", NewIds);
    std::printf(
        "| (c) POST /v1/events, NDJSON of 500 events, fsync, %d connections | %.2f | %.0f | %.1f | %.1f |\n",
        connections, post.records_per_s / raw, post.records_per_s, post.p50_ms, post.p99_ms);
    std::fflush(stdout);
  }
  const double drain = Drain(port);
  std::printf("| (d) raw RocksDB iterator | | %.0f | | |\n", iterator);
  std::printf("| (d) GetRecords drain over HTTP, %.2f of the iterator | | %.0f | | |\n", drain / iterator,
              drain);
  std::vector<double> beyond, total;
  Latency(system, &beyond, &total);
  std::printf("\n(e) write amplification: ");
  const double appended = Metric(after_put, "honryu_log_appended_bytes_total"),
               wal = Metric(after_put, "honryu_log_rocksdb_wal_bytes"),
               flushed = Metric(after_put, "honryu_log_rocksdb_flush_bytes"),
               compacted = Metric(after_put, "honryu_log_rocksdb_compaction_bytes");
  std::printf("%.2f (WAL %.2f, flush %.2f, compaction %.2f of the record bytes put)\n",
              (wal + flushed + compacted) / appended, wal / appended, flushed / appended,
              compacted / appended);
  std::printf(
      "(f) put to waiting reader beyond the acknowledgement: p50 %.2f ms, p99 %.2f ms; from the send: p50 "
      "%.2f ms, p99 %.2f ms\n",
      Percentile(beyond, 0.5), Percentile(beyond, 0.99), Percentile(total, 0.5), Percentile(total, 0.99));
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
    } else if (argument == "--random") {
      options.json_like = false;
    } else {
      std::fprintf(stderr, "usage: %s [--dir DIR] [--seconds N] [--random]\n", argv[0]);
      return 2;
    }
  }
  return honryu::bench::Run(options);
}
