#include "honryu/consumer/batch_runner.h"

#include "consumer/batch_runner_impl.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace honryu::consumer {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr Duration kTick = std::chrono::seconds(1);
constexpr std::string_view kBegan = "began_ms=";

WorkPolicy PolicyOf(const BatchRunnerConfig& config) {
  WorkPolicy policy;
  policy.max_records = config.max_records;
  policy.max_bytes = config.max_bytes;
  policy.window = config.window;
  policy.lanes = config.parallelisation;
  policy.max_attempts = config.max_attempts;
  policy.retry.initial = config.retry_initial;
  policy.retry.max = config.retry_max;
  policy.max_record_age = config.max_record_age;
  policy.bisect = config.bisect;
  policy.set_aside = config.worker.dead_letters.enabled;
  const auto batches = 2 * static_cast<std::size_t>(config.parallelisation);
  policy.room = std::max<std::size_t>(10000, batches * config.max_records);
  policy.room_bytes = std::max<std::size_t>(64 << 20, batches * config.max_bytes);
  return policy;
}

std::optional<std::int64_t> BeganMs(std::string_view state) {
  if (!state.starts_with(kBegan)) return std::nullopt;
  state.remove_prefix(kBegan.size());
  std::int64_t ms = 0;
  if (std::from_chars(state.data(), state.data() + state.size(), ms).ec != std::errc()) return std::nullopt;
  return ms;
}

}  // namespace

Result<void> BatchRunnerConfig::Validate() const {
  const auto wrong = [](const char* what) { return Error(ErrorCode::kInvalidArgument, what); };
  HONRYU_TRY_VOID(worker.Validate());
  if (max_records < 1 || max_records > 10000) return wrong("max_records must be 1 to 10000");
  if (max_bytes < 1) return wrong("max_bytes must be above zero");
  if (window < Duration::zero() || window > std::chrono::minutes(5))
    return wrong("window must be 0 to 5 minutes");
  if (parallelisation < 1 || parallelisation > 10) return wrong("parallelisation must be 1 to 10");
  if (max_attempts < 1) return wrong("max_attempts must be 1 or more");
  if (retry_initial <= Duration::zero() || retry_max < retry_initial)
    return wrong("retry_initial must be above zero, retry_max not below retry_initial");
  if (max_record_age < Duration::zero()) return wrong("max_record_age must not be negative");
  if (max_record_age > Duration::zero() && !worker.dead_letters.enabled)
    return wrong("max_record_age needs dead letters, or old records would halt their shards");
  if (call_timeout <= Duration::zero()) return wrong("call_timeout must be above zero");
  return Ok();
}

BatchRunner::Impl::Metrics::Metrics(obs::Registry& registry, const WorkerConfig& config) {
  const obs::Labels labels = {{"application", config.application}, {"stream", config.stream}};
  age_ms = registry.MakeGauge("honryu_consumer_iterator_age_milliseconds",
                              "Age of the oldest record that was read and is not processed, over all shards",
                              labels);
  pending_records =
      registry.MakeGauge("honryu_consumer_pending_records", "Records read and not processed", labels);
  pending_bytes = registry.MakeGauge("honryu_consumer_pending_bytes", "Bytes of those records", labels);
  calls = registry.MakeCounter("honryu_consumer_calls_total", "Batches given to the handler", labels);
  retries = registry.MakeCounter("honryu_consumer_retries_total",
                                 "Of those, batches with records that had failed before", labels);
  throttled = registry.MakeCounter("honryu_consumer_throttles_total",
                                   "Calls that the handler put off as overloaded or unavailable", labels);
  bisects =
      registry.MakeCounter("honryu_consumer_bisects_total", "Batches halved because they failed", labels);
  processed = registry.MakeCounter("honryu_consumer_processed_total",
                                   "Records processed or set aside, by whatever attempt", labels);
  call_s = registry.MakeHistogram("honryu_consumer_call_seconds", "Time that the handler took for a batch",
                                  obs::LatencyBuckets(), labels);
}

BatchRunner::Impl::Impl(BatchRunnerConfig settings, client::StreamClient& stream_client,
                        RecordHandler& records, async::Executor home, const Clock& source,
                        obs::Registry& registry, async::Runtime* runtime)
    : config(std::move(settings)),
      policy(PolicyOf(config)),
      client(stream_client),
      handler(records),
      executor(home),
      clock(source),
      metrics(registry, config.worker),
      dead_letters(config.worker.dead_letters, config.worker.application, config.worker.stream, client,
                   registry),
      worker(config.worker, client, *this, std::move(home), clock, registry, runtime) {}

void BatchRunner::Impl::Shard::Wake() {
  std::vector<async::OneShot<void>> woken = std::exchange(waiting, {});
  for (const auto& waiter : woken) waiter.Set(Ok());
}

async::Task<Result<void>> BatchRunner::Impl::AwaitProgress(std::shared_ptr<Shard> shard, Duration patience) {
  async::OneShot<void> progress;
  shard->waiting.push_back(progress);
  Result<void> woken = co_await progress.Wait(std::chrono::steady_clock::now() + std::min(patience, kTick));
  if (woken.ok() || woken.error().code() == ErrorCode::kCancelled) co_return woken;
  shard->Wake();  // nobody came: forget this wait, and have the other one look again, too
  co_return Ok();
}

// When the application first began to read the stream: kept in the state of every lease, so that it outlives
// the shards.
async::Task<Result<std::string>> BatchRunner::Impl::FirstBegan(const ShardStart& start) {
  if (BeganMs(start.state)) co_return start.state;
  Result<std::vector<client::Lease>> leases = co_await client.ListLeases(
      async::Context::WithTimeout(kCallTimeout), config.worker.application, config.worker.stream);
  if (!leases.ok()) co_return leases.error();
  std::int64_t first = ToMs(clock.Now());
  for (const client::Lease& lease : *leases) first = std::min(first, BeganMs(lease.state).value_or(first));
  std::string state = std::string(kBegan) + std::to_string(first);
  // Saved before anything is read: another process must not take a later time for the beginning.
  Result<void> saved =
      co_await start.checkpointer->Save(async::Context::WithTimeout(kCallTimeout), std::nullopt, state);
  if (!saved.ok()) co_return saved.error();
  co_return state;
}

async::Task<Result<client::StartPosition>> BatchRunner::Impl::OnShardStart(ShardStart start) {
  const std::string id = start.shard.shard_id;
  auto shard = std::make_shared<Shard>(id, start.checkpointer, policy);
  shard->state = start.state;
  shard->saved = start.checkpoint;
  client::StartPosition from = StartAtCheckpoint(start, config.start);
  if (std::holds_alternative<client::FromLatest>(config.start)) {
    Result<std::string> began = co_await FirstBegan(start);
    if (!began.ok()) co_return began.error();
    shard->state = *began;
    if (!start.checkpoint) from = client::FromTimestamp{TimestampFromMs(*BeganMs(*began))};
  }
  if (const auto before = shards.find(id); before != shards.end()) OnShardLost(id);  // this call was repeated
  shards[id] = shard;
  const std::weak_ptr<Shard> weak = shard;
  start.checkpointer->OnEnding([weak] {
    if (const auto ending = weak.lock()) ending->Wake();
  });
  shard->tasks.Spawn(executor, "conduct " + id, Conduct(shard));
  co_return from;
}

async::Task<Result<void>> BatchRunner::Impl::OnBatch(const Batch& batch) {
  const std::shared_ptr<Shard> shard = shards.at(batch.shard_id);
  while (shard->work.full() && !shard->work.halted() && !shard->Ending()) {
    Result<void> woken = co_await AwaitProgress(shard, kTick);
    if (!woken.ok()) co_return woken;
  }
  if (shard->work.halted()) co_return *shard->work.halted();
  if (shard->Ending()) co_return Error(ErrorCode::kCancelled, "the shard is given back");
  shard->work.Add(batch.records, clock.Mono());
  shard->Wake();
  co_return Ok();
}

async::Task<Result<void>> BatchRunner::Impl::OnShardEnd(const std::string& shard_id) {
  const std::shared_ptr<Shard> shard = shards.at(shard_id);
  shard->work.Flush();
  shard->Wake();
  while (!shard->work.idle() || shard->saving) {
    if (shard->work.halted()) co_return *shard->work.halted();
    if (shard->Ending()) co_return Error(ErrorCode::kCancelled, "the shard is given back");
    Result<void> woken = co_await AwaitProgress(shard, kTick);
    if (!woken.ok()) co_return woken;
  }
  while (!shard->Ending()) {
    Result<void> finished = co_await SaveNow(shard);
    if (finished.ok())
      finished = co_await shard->checkpointer->Finish(async::Context::WithTimeout(kCallTimeout));
    if (finished.ok()) co_return finished;
    LOG_LIMITED(warn, "shard not finished, trying again", {"application", config.worker.application},
                {"shard", shard_id}, {"error", finished.error()});
    Result<void> slept = co_await async::SleepFor(config.worker.retry_max);
    if (!slept.ok()) co_return slept;
  }
  co_return Error(ErrorCode::kCancelled, "the shard is given back");
}

async::Task<void> BatchRunner::Impl::OnShardStop(const std::string& shard_id) {
  const auto found = shards.find(shard_id);
  if (found == shards.end()) co_return;
  const std::shared_ptr<Shard> shard = found->second;
  shard->closing = true;
  shard->Wake();
  Result<void> ended = co_await shard->tasks.Join();
  if (!ended.ok()) {  // the deadline of the stop
    co_await async::ClearCancellation();
    shard->tasks.Cancel();
    ended = co_await shard->tasks.Join();
  }
  Result<void> saved = co_await SaveNow(shard);
  if (!saved.ok()) {
    LOG_LIMITED(warn, "last checkpoint not saved, its records will be processed again",
                {"application", config.worker.application}, {"shard", shard_id}, {"error", saved.error()});
  }
}

void BatchRunner::Impl::OnShardLost(const std::string& shard_id) {
  const auto found = shards.find(shard_id);
  if (found == shards.end()) return;
  const std::shared_ptr<Shard> shard = found->second;
  shards.erase(found);
  shard->lost = true;
  shard->checkpointer->OnEnding({});
  shard->tasks.Cancel();
  shard->Wake();
  std::erase_if(lost_shards, [](const auto& one) { return one->tasks.running() == 0; });
  lost_shards.push_back(shard);
  Publish();
}

async::Task<void> BatchRunner::Impl::StopOnHome(MonoTime deadline, bool graceful) {
  if (graceful) {
    co_await worker.Stop(deadline);
  } else {
    co_await worker.Abandon();
  }
  for (const std::shared_ptr<Shard>& shard : lost_shards) {
    Result<void> ended = co_await shard->tasks.Join();
    if (!ended.ok()) LOG(error, "the end of a shard was not waited for", {"error", ended.error()});
  }
  lost_shards.clear();
}

BatchRunner::BatchRunner(BatchRunnerConfig config, client::StreamClient& client, RecordHandler& handler,
                         async::Executor executor, const Clock& clock, obs::Registry& metrics,
                         async::Runtime* runtime)
    : impl_(std::make_unique<Impl>(std::move(config), client, handler, std::move(executor), clock, metrics,
                                   runtime)) {}

BatchRunner::~BatchRunner() = default;

void BatchRunner::Start() { impl_->worker.Start(); }

async::Task<void> BatchRunner::Stop(MonoTime deadline) {
  impl_->closing.Spawn(impl_->executor, "stop " + impl_->config.worker.application,
                       impl_->StopOnHome(deadline, true));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the stop of a runner was not waited for", {"error", stopped.error()});
}

async::Task<void> BatchRunner::Abandon() {
  impl_->closing.Spawn(impl_->executor, "abandon " + impl_->config.worker.application,
                       impl_->StopOnHome(std::chrono::steady_clock::now(), false));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the end of a runner was not waited for", {"error", stopped.error()});
}

std::vector<std::string> BatchRunner::held_shards() const { return impl_->worker.held_shards(); }
Result<void> BatchRunner::Ready() const { return impl_->worker.Ready(); }
std::size_t BatchRunner::halted_shards() const { return impl_->worker.halted_shards(); }

}  // namespace honryu::consumer
