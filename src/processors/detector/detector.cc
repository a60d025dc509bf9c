#include "honryu/processors/detector/detector.h"

#include "honryu/async/blocking_calls.h"
#include "honryu/async/task_group.h"
#include "honryu/codec/json.h"
#include "honryu/consumer/worker.h"
#include "honryu/obs/log.h"
#include "series_watch.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <utility>

namespace honryu::processors::detector {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr Duration kRetryPause = std::chrono::milliseconds(500);
constexpr Duration kPoll = std::chrono::milliseconds(10);
constexpr std::size_t kMostPending = 1000;  // anomalies to be written; then reading waits
constexpr std::size_t kMostRawShards = 64;  // looked at for one anomaly
constexpr int kMostRawReads = 20;           // of one of them
constexpr int kFailuresBeforeUnready = 3;

struct Metrics {
  explicit Metrics(obs::Registry& registry)
      : samples(registry.MakeCounter("honryu_detector_samples_total", "Values scored or learned")),
        anomalies(registry.MakeCounter("honryu_detector_anomalies_total", "Anomalies written")),
        malformed(
            registry.MakeCounter("honryu_detector_malformed_total", "Records that were no JSON objects")),
        write_errors(registry.MakeCounter("honryu_detector_write_errors_total", "Failed writes")),
        dropped(
            registry.MakeCounter("honryu_detector_dropped_total", "Anomalies that the log refused for good")),
        evicted(registry.MakeCounter("honryu_detector_evicted_total", "Series that made room for others")),
        series(registry.MakeGauge("honryu_detector_series", "Series with a detector")),
        memory(registry.MakeGauge("honryu_detector_memory_bytes", "Memory of the detectors")) {}
  obs::Counter samples, anomalies, malformed, write_errors, dropped, evicted;
  obs::Gauge series, memory;
};

consumer::WorkerConfig WorkerConfigOf(const DetectorConfig& config, const std::string& stream) {
  consumer::WorkerConfig worker;
  worker.application = config.application;
  worker.stream = stream;
  worker.lease_duration = config.lease_duration;
  worker.sync_interval = config.sync_interval;
  worker.poll_wait = config.poll_wait;
  worker.exclusive = true;
  worker.opening = consumer::OpeningConfig::All();
  worker.dead_letters.enabled = true;  // for what does not open
  return worker;
}

/// What a call on the pool gives back.
struct Found {
  std::vector<Anomaly> anomalies;
  std::uint64_t malformed = 0;
};

}  // namespace

/// The watches on one stream.
struct Source final : consumer::Handler {
  Source(const DetectorConfig& settings, std::string name, const std::vector<Watch>& watched,
         client::StreamClient& stream_client, async::Runtime& runtime, const async::Executor& executor,
         const Clock& source, obs::Registry& registry, Metrics& shared)
      : config(settings),
        stream(std::move(name)),
        client(stream_client),
        clock(source),
        metrics(shared),
        started(source.Now()),
        calls(runtime, "detector " + stream, 256),
        worker(WorkerConfigOf(config, stream), client, *this, executor, clock, registry, &runtime) {
    for (const Watch& watch : watched) watches.emplace_back(watch);
  }

  struct Shard {
    std::shared_ptr<consumer::Checkpointer> checkpointer;
    std::optional<SequenceNumber> written;   ///< What is odd up to here stands in the stream of anomalies.
    std::optional<SequenceNumber> position;  ///< Read.
    Timestamp arrival{};
    bool caught_up = false;
  };

  // consumer::Handler
  async::Task<Result<client::StartPosition>> OnShardStart(consumer::ShardStart start) override {
    Shard shard;
    shard.checkpointer = start.checkpointer;
    shard.written = start.checkpoint;
    Timestamp from = clock.Now();
    if (const Result<codec::Json> state = codec::Json::Parse(start.state); state.ok()) {
      if (const codec::Json* arrival = state->Find("arrival"); arrival != nullptr)
        from = std::min(from, TimestampFromMs(arrival->IntOr(ToMs(from))));
    }
    shards[start.shard.shard_id] = std::move(shard);
    client::StartPosition place = client::FromTrimHorizon{};
    if (start.shard.parent_id.empty() || start.checkpoint.has_value())
      place = client::FromTimestamp{from - std::chrono::milliseconds(ToMs(config.warm_start))};
    co_return place;
  }

  async::Task<Result<void>> OnBatch(const consumer::Batch& batch) override {
    for (;;) {
      const auto found = shards.find(batch.shard_id);
      if (found == shards.end() || found->second.checkpointer->ending())
        co_return Error(ErrorCode::kCancelled, "the shard is lost");
      if (pending.size() < kMostPending) break;
      Result<void> slept = co_await async::SleepFor(kPoll);
      if (!slept.ok()) co_return slept;
    }
    const std::optional<SequenceNumber> written = shards.at(batch.shard_id).written;
    // `watches` is used by these calls only, one after the other; the batch lives until this task ends, but a
    // call may outlive it: it works on a copy, which shares the records' bytes.
    Result<Found> found = co_await calls.RunInTurn([this, shard = batch.shard_id, records = batch.records,
                                                    written] { return Score(shard, records, written); });
    if (!found.ok()) co_return found.error();
    const auto place = shards.find(batch.shard_id);
    if (place == shards.end()) co_return Error(ErrorCode::kCancelled, "the shard is lost");
    metrics.malformed.Add(static_cast<double>(found->malformed));
    for (Anomaly& anomaly : found->anomalies) pending.push_back(std::move(anomaly));
    place->second.position = batch.records.back().sequence;
    place->second.arrival = batch.records.back().arrival;
    place->second.caught_up = batch.behind_latest == Duration::zero();
    co_return Ok();
  }
  async::Task<Result<void>> OnIdle(const std::string& shard_id) override {
    if (const auto found = shards.find(shard_id); found != shards.end()) found->second.caught_up = true;
    co_return Ok();
  }
  async::Task<Result<void>> OnShardEnd(const std::string& shard_id) override {
    // Later starts read again no shard that is finished: its history is lost to them.
    const auto found = shards.find(shard_id);
    if (found == shards.end()) co_return Ok();
    found->second.caught_up = true;
    const std::shared_ptr<consumer::Checkpointer> checkpointer = found->second.checkpointer;
    Result<void> finished = co_await checkpointer->Finish(async::Context::WithTimeout(kCallTimeout));
    if (finished.ok()) shards.erase(shard_id);
    co_return finished;
  }
  void OnShardLost(const std::string& shard_id) override { shards.erase(shard_id); }

  // On the pool, in turn.
  Result<Found> Score(const std::string& shard, const std::vector<client::StreamRecord>& records,
                      const std::optional<SequenceNumber>& written) {
    Found found;
    for (const client::StreamRecord& record : records) {
      const Result<codec::Json> json = codec::Json::Parse(record.data.view());
      if (!json.ok() || !json->is_object()) {
        ++found.malformed;
        continue;
      }
      // History is learned; what is odd in it was told before, or nobody asked.
      const bool report = written.has_value() ? record.sequence > *written : record.arrival >= started;
      for (SeriesWatch& watch : watches) watch.Read(*json, record, shard, report, found.anomalies);
    }
    return found;
  }
  Result<Found> Pass(Timestamp now) {
    Found found;
    for (SeriesWatch& watch : watches) watch.Advance(now, now >= started, found.anomalies);
    std::size_t series = 0, memory = 0;
    std::uint64_t evicted = 0, scored = 0;
    for (const SeriesWatch& watch : watches) {
      series += watch.series();
      memory += watch.memory_bytes();
      evicted += watch.evicted();
      scored += watch.scored();
    }
    series_now = series;
    memory_now = memory;
    evicted_now = evicted;
    scored_now = scored;
    return found;
  }

  /// Time goes on where all that was written has been read.
  async::Task<Result<void>> Tick() {
    if (shards.empty()) co_return Ok();
    const bool current =
        std::all_of(shards.begin(), shards.end(), [](const auto& s) { return s.second.caught_up; });
    if (current) {
      const Timestamp now = clock.Now() - std::chrono::milliseconds(ToMs(config.settle));
      Result<Found> found = co_await calls.RunInTurn([this, now] { return Pass(now); });
      if (!found.ok()) co_return found.error();
      for (Anomaly& anomaly : found->anomalies) pending.push_back(std::move(anomaly));
    }
    std::map<std::string, std::pair<SequenceNumber, Timestamp>> reached;
    for (const auto& [name, shard] : shards) {
      if (shard.position.has_value()) reached[name] = {*shard.position, shard.arrival};
    }
    HONRYU_CO_TRY_VOID(co_await Write());
    if (!pending.empty()) co_return Ok();
    const bool due = wrote || std::chrono::steady_clock::now() - saved_at >= config.checkpoint_interval;
    if (!due) co_return Ok();
    wrote = false;
    saved_at = std::chrono::steady_clock::now();
    for (const auto& [name, place] : reached) {
      const auto found = shards.find(name);
      if (found == shards.end()) continue;
      // While history is read again the place saved before is further.
      if (found->second.written.has_value() && place.first <= *found->second.written) continue;
      const std::shared_ptr<consumer::Checkpointer> checkpointer = found->second.checkpointer;
      Result<void> saved =
          co_await checkpointer->Save(async::Context::WithTimeout(kCallTimeout), place.first,
                                      "{\"v\":1,\"arrival\":" + std::to_string(ToMs(place.second)) + "}");
      if (!saved.ok() && saved.error().code() != ErrorCode::kFenced) co_return saved;
    }
    co_return Ok();
  }

  async::Task<Result<void>> Write() {
    while (!pending.empty()) {
      const std::string raw = co_await RawEvents(pending.front());
      if (pending.empty()) co_return Ok();
      std::vector<client::PutEntry> entries;
      client::PutEntry entry;
      entry.partition_key = pending.front().watch + "/" + pending.front().key;
      if (entry.partition_key.size() > 200) entry.partition_key = pending.front().watch;
      entry.data = Bytes(ToJson(pending.front(), raw));
      entries.push_back(std::move(entry));
      Result<std::vector<Result<client::PutPosition>>> put = co_await client.Put(
          async::Context::WithTimeout(kCallTimeout), config.anomalies_stream, std::move(entries));
      if (!put.ok()) co_return put.error();
      const Result<client::PutPosition>& one = put->front();
      if (!one.ok()) {
        const ErrorCode code = one.error().code();
        if (code != ErrorCode::kTooLarge && code != ErrorCode::kInvalidArgument) co_return one.error();
        metrics.dropped.Add();
        LOG_LIMITED(error, "an anomaly was refused for good", {"error", one.error()});
      } else {
        metrics.anomalies.Add();
      }
      wrote = true;
      pending.pop_front();
    }
    co_return Ok();
  }

  /// Which raw events arrived in the time that an anomaly is about: by shard [first, before), or up to `last`
  /// where nothing came behind it. What cannot be found out is left out: it is a help for people, not a
  /// condition.
  async::Task<std::string> RawEvents(const Anomaly& anomaly) {
    std::string text;
    if (config.raw_stream.empty()) co_return text;
    const Timestamp from = anomaly.raw_from;
    const Timestamp to = anomaly.to;
    Result<std::vector<client::ShardDescription>> found =
        co_await client.ListShards(async::Context::WithTimeout(kCallTimeout), config.raw_stream);
    if (!found.ok()) co_return text;
    codec::JsonWriter json(text);
    json.BeginObject();
    json.Key("stream");
    json.String(config.raw_stream);
    json.Key("from");
    json.Int(ToMs(from));
    json.Key("to");
    json.Int(ToMs(to));
    json.Key("shards");
    json.BeginArray();
    for (std::size_t i = 0; i < found->size() && i < kMostRawShards; ++i) {
      const std::string shard = (*found)[i].shard_id;
      Result<std::optional<SequenceNumber>> first = co_await FirstFrom(shard, from, to);
      if (!first.ok() || !first->has_value()) continue;
      Result<std::optional<SequenceNumber>> before = co_await FirstFrom(shard, to, Timestamp::max());
      std::optional<SequenceNumber> last;
      if (before.ok() && !before->has_value()) last = co_await LastFrom(shard, **first, to);
      json.BeginObject();
      json.Key("shard");
      json.String(shard);
      json.Key("first");
      json.PlainString((*first)->ToDecimal());
      if (before.ok() && before->has_value()) {
        json.Key("before");
        json.PlainString((*before)->ToDecimal());
      } else if (last.has_value()) {
        json.Key("last");
        json.PlainString(last->ToDecimal());
      }
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
    co_return text;
  }
  async::Task<Result<std::optional<SequenceNumber>>> FirstFrom(std::string shard, Timestamp from,
                                                               Timestamp until) {
    client::ReadRequest request;
    request.stream = config.raw_stream;
    request.shard_id = std::move(shard);
    request.from = client::FromTimestamp{from};
    request.max_records = 1;
    Result<client::ReadBatch> batch =
        co_await client.Read(async::Context::WithTimeout(kCallTimeout), std::move(request));
    if (!batch.ok()) co_return batch.error();
    std::optional<SequenceNumber> sequence;
    if (!batch->records.empty() && batch->records.front().arrival < until)
      sequence = batch->records.front().sequence;
    co_return sequence;
  }

  /// The last record from `first` on that arrived before `until`, where no later one is there; nothing when
  /// it cannot be found within a few reads.
  async::Task<std::optional<SequenceNumber>> LastFrom(std::string shard, SequenceNumber first,
                                                      Timestamp until) {
    std::optional<SequenceNumber> last = first;
    client::StartPosition from = client::AfterSequence{first};
    for (int reads = 0; reads < kMostRawReads; ++reads) {
      client::ReadRequest request;
      request.stream = config.raw_stream;
      request.shard_id = shard;
      request.from = from;
      Result<client::ReadBatch> batch =
          co_await client.Read(async::Context::WithTimeout(kCallTimeout), std::move(request));
      if (!batch.ok()) co_return std::nullopt;
      for (const client::StreamRecord& record : batch->records) {
        if (record.arrival >= until) co_return last;
        last = record.sequence;
      }
      if (batch->next.empty() || batch->behind_latest == Duration::zero()) co_return last;
      from = client::FromCursor{batch->next};
    }
    co_return std::nullopt;
  }

  const DetectorConfig& config;
  const std::string stream;
  client::StreamClient& client;
  const Clock& clock;
  Metrics& metrics;
  const Timestamp started;
  std::vector<SeriesWatch> watches;  // touched on the pool only, by calls in turn
  std::atomic<std::size_t> series_now{0}, memory_now{0};
  std::atomic<std::uint64_t> evicted_now{0}, scored_now{0};
  std::map<std::string, Shard> shards;
  std::deque<Anomaly> pending;
  bool wrote = false;
  std::atomic<bool> running{false};
  MonoTime saved_at{};
  async::BlockingCalls calls;
  consumer::Worker worker;
};

struct Detector::Impl {
  Impl(DetectorConfig settings, client::StreamClient& stream_client, async::Runtime& runtime,
       async::Executor home, const Clock& clock, obs::Registry& registry)
      : config(std::move(settings)), client(stream_client), executor(std::move(home)), metrics(registry) {
    std::map<std::string, std::vector<Watch>> by_stream;
    for (const Watch& watch : config.watches) by_stream[watch.stream].push_back(watch);
    for (const auto& [stream, watches] : by_stream)
      sources.push_back(std::make_unique<Source>(config, stream, watches, client, runtime, executor, clock,
                                                 registry, metrics));
  }

  async::Task<void> Run() {
    for (;;) {
      client::StreamSettings settings;
      settings.shards = 1;
      Result<void> made = co_await client.EnsureStream(async::Context::WithTimeout(kCallTimeout),
                                                       config.anomalies_stream, settings);
      if (made.ok()) break;
      LOG_LIMITED(info, "the stream of anomalies cannot be made yet", {"error", made.error()});
      Result<void> slept = co_await async::SleepFor(kRetryPause);
      if (!slept.ok()) co_return;
    }
    MonoTime look_again{};
    std::uint64_t evicted_told = 0, scored_told = 0;
    for (;;) {
      Result<void> slept = co_await async::SleepFor(config.tick);
      if (!slept.ok()) co_return;
      if (std::chrono::steady_clock::now() >= look_again) {
        look_again = std::chrono::steady_clock::now() + config.sync_interval;
        co_await StartThoseThatExist();
      }
      bool failed = false;
      double series = 0, memory = 0;
      std::uint64_t evicted = 0, scored = 0;
      for (const auto& source : sources) {
        Result<void> ticked = co_await source->Tick();
        if (!ticked.ok() && ticked.error().code() != ErrorCode::kCancelled) {
          failed = true;
          metrics.write_errors.Add();
          LOG_LIMITED(warn, "anomalies not stored, trying again", {"stream", source->stream},
                      {"error", ticked.error()});
        }
        series += static_cast<double>(source->series_now);
        memory += static_cast<double>(source->memory_now);
        evicted += source->evicted_now;
        scored += source->scored_now;
      }
      failures = failed ? failures + 1 : 0;
      metrics.series.Set(series);
      metrics.memory.Set(memory);
      metrics.evicted.Add(static_cast<double>(evicted - std::exchange(evicted_told, evicted)));
      metrics.samples.Add(static_cast<double>(scored - std::exchange(scored_told, scored)));
    }
  }
  // A watch may be there before the stream that it is about: that is looked for in silence.
  async::Task<void> StartThoseThatExist() {
    for (const auto& source : sources) {
      if (source->running) continue;
      Result<std::vector<client::ShardDescription>> found =
          co_await client.ListShards(async::Context::WithTimeout(kCallTimeout), source->stream);
      if (!found.ok()) continue;
      source->running = true;
      source->worker.Start();
    }
  }
  async::Task<void> StopOnHome(MonoTime deadline) {
    background.Cancel();
    Result<void> joined = co_await background.Join();
    for (const auto& source : sources) {
      Result<void> done = co_await source->Write();
      if (!done.ok())
        LOG(warn, "anomalies not stored at the end, they will be found again", {"error", done.error()});
      co_await source->worker.Stop(deadline);
    }
  }

  const DetectorConfig config;
  client::StreamClient& client;
  const async::Executor executor;
  Metrics metrics;
  std::vector<std::unique_ptr<Source>> sources;
  std::atomic<int> failures{0};
  async::TaskGroup background;
  async::TaskGroup closing;
};

Detector::Detector(DetectorConfig config, client::StreamClient& client, async::Runtime& runtime,
                   async::Executor executor, const Clock& clock, obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), client, runtime, std::move(executor), clock, metrics)) {
}
Detector::~Detector() = default;

void Detector::Start() { impl_->background.Spawn(impl_->executor, "detector", impl_->Run()); }

async::Task<void> Detector::Stop(MonoTime deadline) {
  impl_->closing.Spawn(impl_->executor, "stop the detector", impl_->StopOnHome(deadline));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the stop of the detector was not waited for", {"error", stopped.error()});
}

Result<void> Detector::Ready() const {
  if (impl_->failures > kFailuresBeforeUnready)
    return Error(ErrorCode::kUnavailable, "the detector cannot store anomalies");
  for (const auto& source : impl_->sources) {
    if (!source->running) continue;
    if (const Result<void> ready = source->worker.Ready(); !ready.ok()) return ready;
  }
  return Ok();
}

}  // namespace honryu::processors::detector
