#include "honryu/processors/aggregator/aggregator.h"

#include "honryu/async/retry.h"
#include "honryu/async/task_group.h"
#include "honryu/consumer/worker.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>

namespace honryu::processors::aggregator {

namespace {

constexpr std::size_t kPutEntries = 500;        // as many as the Kinesis API takes in one call
constexpr std::size_t kMaxPendingLate = 20000;  // then reading waits for the next flush
constexpr int kFailuresBeforePause = 3;         // of flushes, then reading waits
constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr Duration kBackPressurePoll = std::chrono::milliseconds(20);

/// What one Drain gave, until it is stored and saved.
struct Flight {
  std::vector<OutputRecord> rows;
  bool has_final = false;
  bool saveable = false;
  std::string snapshot;
  std::map<std::string, std::optional<SequenceNumber>> positions;
  std::vector<std::string> finished;
};

}  // namespace

struct Aggregator::Impl final : consumer::Handler {
  Impl(AggregatorConfig settings, std::unique_ptr<WindowOperator> window_operator,
       client::StreamClient& stream_client, async::Executor home, const Clock& source,
       obs::Registry& registry);

  // consumer::Handler
  void OnShards(const std::vector<client::ShardDescription>& shards) override;
  async::Task<Result<client::StartPosition>> OnShardStart(consumer::ShardStart start) override;
  async::Task<Result<void>> OnBatch(const consumer::Batch& batch) override;
  async::Task<Result<void>> OnIdle(const std::string& shard_id) override;
  async::Task<Result<void>> OnShardEnd(const std::string& shard_id) override;
  void OnShardLost(const std::string& shard_id) override;

  void TellWaiting(const std::string& shard_id, bool waits);
  async::Task<void> Tick();
  async::Task<void> EnsureOutputs();
  /// Drains, stores, and saves checkpoints if that is due. What fails is gone on with by the next call.
  async::Task<Result<void>> Flush(bool save);
  async::Task<Result<void>> Store(std::vector<OutputRecord>& rows, bool late);
  async::Task<Result<void>> SaveAll();
  async::Task<void> Pause(Duration duration);
  async::Task<void> StopOnHome(MonoTime deadline);
  async::Task<void> AbandonOnHome();
  async::Context Call() const {
    async::Context ctx = async::Context::WithTimeout(kCallTimeout);
    ctx.deadline = std::min(ctx.deadline, stop_deadline);
    return ctx;
  }

  const AggregatorConfig config;
  client::StreamClient& client;
  const async::Executor executor;
  const Clock& clock;
  std::unique_ptr<WindowOperator> op;
  std::map<std::string, std::shared_ptr<consumer::Checkpointer>> checkpointers;
  std::set<std::string> saved;    // shards known to have a checkpoint
  std::set<std::string> waiting;  // shards ahead of the slowest one, out of memory
  std::optional<Flight> flight;
  MonoTime saved_at;
  MonoTime stop_deadline = MonoTime::max();
  bool stopping = false;
  std::atomic<int> failures = 0;  // flushes in a row
  obs::Counter flush_errors, dropped, checkpoints;
  obs::Gauge waiting_shards;
  consumer::Worker worker;
  async::TaskGroup background;
  async::TaskGroup closing;  // Stop or Abandon: they work on `executor`, whoever calls
};

namespace {

consumer::WorkerConfig WorkerConfigOf(const AggregatorConfig& config) {
  consumer::WorkerConfig worker;
  worker.application = config.application;
  worker.stream = config.events_stream;
  worker.lease_duration = config.lease_duration;
  worker.sync_interval = config.sync_interval;
  worker.poll_wait = config.poll_wait;
  worker.exclusive = true;
  return worker;
}

}  // namespace

Aggregator::Impl::Impl(AggregatorConfig settings, std::unique_ptr<WindowOperator> window_operator,
                       client::StreamClient& stream_client, async::Executor home, const Clock& source,
                       obs::Registry& registry)
    : config(std::move(settings)),
      client(stream_client),
      executor(home),
      clock(source),
      op(std::move(window_operator)),
      flush_errors(registry.MakeCounter("honryu_aggregator_flush_errors_total",
                                        "Rows or checkpoints that could not be stored at first")),
      dropped(registry.MakeCounter("honryu_aggregator_dropped_total",
                                   "Rows or late events that the broker refused for good")),
      checkpoints(registry.MakeCounter("honryu_aggregator_checkpoints_total", "Checkpoints saved")),
      waiting_shards(registry.MakeGauge("honryu_aggregator_waiting_shards",
                                        "Shards that wait for the slowest one because open windows take "
                                        "more memory than max_window_memory")),
      worker(WorkerConfigOf(config), client, *this, std::move(home), clock, registry) {}

void Aggregator::Impl::OnShards(const std::vector<client::ShardDescription>& shards) {
  std::vector<std::string> ids;
  std::set<std::string> parents;
  for (const client::ShardDescription& shard : shards) {
    ids.push_back(shard.shard_id);
    if (!shard.parent_id.empty()) parents.insert(shard.parent_id);
    if (!shard.adjacent_parent_id.empty()) parents.insert(shard.adjacent_parent_id);
  }
  op->SetSources(ids, parents);
}

async::Task<Result<client::StartPosition>> Aggregator::Impl::OnShardStart(consumer::ShardStart start) {
  const std::string& id = start.shard.shard_id;
  if (start.checkpoint.has_value()) {
    saved.insert(id);
  } else if (saved.erase(id) > 0) {
    op->RestartSource(id);  // what we saved is gone: so is the stream it was saved for
  }
  HONRYU_CO_TRY(const std::optional<SequenceNumber> after,
                op->StartSource(id, start.checkpoint, start.state, clock.Now()));
  checkpointers[id] = start.checkpointer;
  client::StartPosition from = client::FromTrimHorizon{};
  if (after.has_value()) from = client::AfterSequence{*after};
  co_return from;
}

async::Task<Result<void>> Aggregator::Impl::OnBatch(const consumer::Batch& batch) {
  for (;;) {
    const bool ahead = op->MustWait(batch.shard_id, clock.Now());
    TellWaiting(batch.shard_id, ahead);
    if (!ahead && op->pending_late() <= kMaxPendingLate && failures <= kFailuresBeforePause) break;
    Result<void> slept = co_await async::SleepFor(kBackPressurePoll);
    const auto held = checkpointers.find(batch.shard_id);
    if (!slept.ok() || stopping || held == checkpointers.end() || held->second->ending()) {
      TellWaiting(batch.shard_id, false);
      co_return Error(ErrorCode::kCancelled, "stopped before the batch was taken");
    }
  }
  op->Process(batch.shard_id, batch.records, clock.Now());
  co_return Ok();
}

void Aggregator::Impl::TellWaiting(const std::string& shard_id, bool waits) {
  if (waits && waiting.insert(shard_id).second) {
    LOG(warn, "windows take too much memory, a shard that is ahead waits for the slowest one",
        {"application", config.application}, {"shard", shard_id});
  }
  if (!waits) waiting.erase(shard_id);
  waiting_shards.Set(static_cast<double>(waiting.size()));
}

async::Task<Result<void>> Aggregator::Impl::OnIdle(const std::string& shard_id) {
  op->Silent(shard_id, clock.Now());
  co_return Ok();
}

async::Task<Result<void>> Aggregator::Impl::OnShardEnd(const std::string& shard_id) {
  op->EndSource(shard_id);  // its lease is finished by a later flush, when no open window needs it
  co_return Ok();
}

void Aggregator::Impl::OnShardLost(const std::string& shard_id) {
  op->PauseSource(shard_id);
  checkpointers.erase(shard_id);
}

async::Task<void> Aggregator::Impl::Pause(Duration duration) {
  Result<void> slept = co_await async::SleepFor(duration);
  if (!slept.ok()) stopping = true;
}

async::Task<void> Aggregator::Impl::EnsureOutputs() {
  Random random(async::RetrySeed());
  for (int n = 0; !stopping; ++n) {
    client::StreamSettings settings;
    settings.shards = config.kpi_shards;
    Result<void> made = co_await client.EnsureStream(Call(), config.kpi_stream, settings);
    if (made.ok()) {
      settings.shards = config.late_shards;
      made = co_await client.EnsureStream(Call(), config.late_stream, settings);
    }
    if (made.ok()) co_return;
    ++failures;
    LOG_LIMITED(warn, "output streams not there, trying again", {"error", made.error()});
    co_await Pause(async::BackoffDelay(async::RetryPolicy(), std::min(n, 20), random) + kBackPressurePoll);
  }
}

async::Task<void> Aggregator::Impl::Tick() {
  co_await EnsureOutputs();
  failures = 0;
  while (!stopping) {
    co_await Pause(config.emit_interval);
    if (stopping) co_return;
    Result<void> flushed = co_await Flush(false);
    if (flushed.ok()) {
      failures = 0;
      continue;
    }
    ++failures;
    flush_errors.Add();
    LOG_LIMITED(warn, "results not stored, trying again", {"application", config.application},
                {"failures", failures.load()}, {"error", flushed.error()});
  }
}

async::Task<Result<void>> Aggregator::Impl::Flush(bool save) {
  if (!flight.has_value()) {
    Flight next;
    next.rows = op->Drain(clock.Now());
    next.has_final =
        std::any_of(next.rows.begin(), next.rows.end(), [](const OutputRecord& row) { return row.final; });
    next.saveable = op->complete();
    next.snapshot = op->Snapshot();
    for (const auto& [shard, checkpointer] : checkpointers) {
      next.positions[shard] = op->SafePosition(shard);
      if (op->Finished(shard)) next.finished.push_back(shard);
    }
    flight = std::move(next);
  }
  HONRYU_CO_TRY_VOID(co_await Store(flight->rows, false));
  HONRYU_CO_TRY_VOID(co_await Store(flight->rows, true));
  const bool due = std::chrono::steady_clock::now() - saved_at >= config.checkpoint_interval;
  if (flight->saveable && (save || due || flight->has_final || !flight->finished.empty())) {
    HONRYU_CO_TRY_VOID(co_await SaveAll());
    saved_at = std::chrono::steady_clock::now();
  }
  flight.reset();
  co_return Ok();
}

// Stores the rows of one kind, and takes what is stored out of `rows`.
async::Task<Result<void>> Aggregator::Impl::Store(std::vector<OutputRecord>& rows, bool late) {
  for (;;) {
    std::vector<std::size_t> chosen;
    std::vector<client::PutEntry> entries;
    for (std::size_t i = 0; i < rows.size() && chosen.size() < kPutEntries; ++i) {
      if (rows[i].late != late || rows[i].json.empty()) continue;
      chosen.push_back(i);
      client::PutEntry entry;
      entry.partition_key = rows[i].partition_key;
      entry.data = Bytes::Copy(rows[i].json);
      entries.push_back(std::move(entry));
    }
    if (chosen.empty()) co_return Ok();
    Result<std::vector<Result<client::PutPosition>>> put =
        co_await client.Put(Call(), late ? config.late_stream : config.kpi_stream, std::move(entries));
    if (!put.ok()) co_return put.error();
    std::optional<Error> failed;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Result<client::PutPosition>& one = (*put)[i];
      if (!one.ok()) {
        const ErrorCode code = one.error().code();
        if (code != ErrorCode::kTooLarge && code != ErrorCode::kInvalidArgument) {
          failed = one.error();
          continue;
        }
        dropped.Add();
        LOG_LIMITED(error, "a result was refused for good", {"error", one.error()});
      }
      rows[chosen[i]].json.clear();  // stored
    }
    if (failed.has_value()) co_return *failed;
  }
}

async::Task<Result<void>> Aggregator::Impl::SaveAll() {
  for (const auto& [shard, position] : flight->positions) {
    const auto found = checkpointers.find(shard);
    if (found == checkpointers.end()) continue;  // lost meanwhile: its next owner starts further back
    const std::shared_ptr<consumer::Checkpointer> checkpointer = found->second;
    Result<void> done = co_await checkpointer->Save(Call(), position, flight->snapshot);
    // Refused: another owner has been further, or is now; then its saves count.
    const bool outrun = !done.ok() && (done.error().code() == ErrorCode::kFenced ||
                                       done.error().code() == ErrorCode::kInvalidArgument);
    if (!done.ok() && !outrun) co_return done;
    if (!done.ok()) continue;
    checkpoints.Add();
    if (position.has_value()) saved.insert(shard);
  }
  for (const std::string& shard : flight->finished) {
    const auto found = checkpointers.find(shard);
    if (found == checkpointers.end()) continue;
    const std::shared_ptr<consumer::Checkpointer> checkpointer = found->second;
    Result<void> finished = co_await checkpointer->Finish(Call());
    if (!finished.ok() && finished.error().code() != ErrorCode::kFenced) co_return finished;
  }
  co_return Ok();
}

Aggregator::Aggregator(AggregatorConfig config, std::unique_ptr<WindowOperator> window_operator,
                       client::StreamClient& client, async::Executor executor, const Clock& clock,
                       obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(window_operator), client, std::move(executor),
                                   clock, metrics)) {}

Aggregator::~Aggregator() = default;

void Aggregator::Start() {
  impl_->background.Spawn(impl_->executor, "aggregator flushes", impl_->Tick());
  impl_->worker.Start();
}

async::Task<void> Aggregator::Impl::StopOnHome(MonoTime deadline) {
  stop_deadline = deadline;
  background.Cancel();
  Result<void> joined = co_await background.Join();
  stopping = true;
  for (int i = 0; i < 2 && std::chrono::steady_clock::now() < deadline;
       ++i) {  // what was under way, the rest
    Result<void> flushed = co_await Flush(true);
    if (!flushed.ok())
      LOG(warn, "results not stored at the end, they will be computed again", {"error", flushed.error()});
  }
  co_await worker.Stop(deadline);
}

async::Task<void> Aggregator::Impl::AbandonOnHome() {
  background.Cancel();
  Result<void> joined = co_await background.Join();
  stopping = true;
  co_await worker.Abandon();
}

async::Task<void> Aggregator::Stop(MonoTime deadline) {
  impl_->closing.Spawn(impl_->executor, "stop the aggregator", impl_->StopOnHome(deadline));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the stop of the aggregator was not waited for", {"error", stopped.error()});
}

async::Task<void> Aggregator::Abandon() {
  impl_->closing.Spawn(impl_->executor, "abandon the aggregator", impl_->AbandonOnHome());
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the end of the aggregator was not waited for", {"error", stopped.error()});
}

Result<void> Aggregator::Ready() const {
  if (impl_->failures > kFailuresBeforePause)
    return Error(ErrorCode::kUnavailable, "the aggregator cannot store its results");
  return impl_->worker.Ready();
}

std::unique_ptr<Aggregator> MakeAggregator(const AggregatorConfig& config, client::StreamClient& client,
                                           async::Executor executor, const Clock& clock,
                                           obs::Registry& metrics) {
  return std::make_unique<Aggregator>(config, MakeEventKpiOperator(config, metrics), client,
                                      std::move(executor), clock, metrics);
}

}  // namespace honryu::processors::aggregator
