#include "honryu/processors/materializer/materializer.h"

#include "honryu/async/task_group.h"
#include "honryu/consumer/sequence.h"
#include "honryu/consumer/worker.h"
#include "honryu/obs/log.h"

#include <map>
#include <utility>

namespace honryu::processors::materializer {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(5);
/// Checkpoints only tell operators how far we are: the store has the position
/// that counts.
constexpr Duration kCheckpointInterval = std::chrono::seconds(5);

consumer::WorkerConfig WorkerConfigOf(const MaterializerConfig& config) {
  consumer::WorkerConfig worker;
  worker.application = "materializer-" + config.instance;
  worker.stream = config.kpi_stream;
  // The same after a restart, so that it need not wait for its own leases to
  // expire. The store's lock on its folder keeps a second process out.
  worker.worker_id = worker.application;
  worker.lease_duration = config.lease_duration;
  worker.sync_interval = config.sync_interval;
  worker.poll_wait = config.poll_wait;
  worker.opening = consumer::OpeningConfig::All();
  worker.dead_letters.enabled = true;  // for what does not open
  return worker;
}

}  // namespace

Result<void> MaterializerConfig::Validate() const {
  if (instance.empty() || instance.size() > 64 || instance.find('/') != std::string::npos)
    return Error(ErrorCode::kInvalidArgument,
                 "materializer: instance must have 1 to 64 characters and no '/'");
  if (kpi_stream.empty()) return Error(ErrorCode::kInvalidArgument, "materializer: kpi_stream is missing");
  if (retention <= Duration::zero() || retention_check <= Duration::zero())
    return Error(ErrorCode::kInvalidArgument,
                 "materializer: retention and retention_check must be above zero");
  return Ok();
}

struct Materializer::Impl final : consumer::Handler {
  Impl(MaterializerConfig settings, views::KpiStore& kpi_store, client::StreamClient& client,
       async::Runtime& threads, async::Executor home, const Clock& source, obs::Registry& registry)
      : config(std::move(settings)),
        store(kpi_store),
        runtime(threads),
        executor(home),
        clock(source),
        rows(registry.MakeCounter("honryu_materializer_rows_total", "Rows taken into the store")),
        malformed(registry.MakeCounter("honryu_materializer_malformed_total", "Records that were no rows")),
        refused(registry.MakeCounter("honryu_materializer_refused_total",
                                     "Rows left out because there are too many different series")),
        expired(registry.MakeCounter("honryu_materializer_expired_total", "Rows dropped by the retention")),
        errors(registry.MakeCounter("honryu_materializer_errors_total", "Failed calls of the store")),
        worker(WorkerConfigOf(config), client, *this, std::move(home), clock, registry, &runtime) {}

  async::Task<Result<client::StartPosition>> OnShardStart(consumer::ShardStart start) override {
    views::KpiStore* const from = &store;
    Result<views::KpiStore::Position> positions =
        co_await runtime.Blocking([from] { return from->Positions(); });
    if (!positions.ok()) co_return positions.error();
    checkpointers[start.shard.shard_id] = {start.checkpointer, MonoTime()};
    client::StartPosition place = client::FromTrimHorizon{};
    const auto found = positions->find(start.shard.shard_id);
    // The store's position counts only for the shard that it was taken from: without a checkpoint, or with
    // one of another shard of this name (the stream was deleted and made again), all rows are taken. Those
    // known change nothing.
    const bool same = found != positions->end() && start.checkpoint.has_value() &&
                      consumer::ShardCreation(found->second) == consumer::ShardCreation(*start.checkpoint);
    if (same) place = client::AfterSequence{found->second};
    if (found != positions->end() && !same)
      LOG(info, "kpi rows of this shard are read from its beginning", {"shard", start.shard.shard_id});
    co_return place;
  }

  async::Task<Result<void>> OnBatch(const consumer::Batch& batch) override {
    std::vector<views::KpiRow> parsed;
    for (const client::StreamRecord& record : batch.records) {
      Result<views::KpiRow> row = views::ParseKpiRow(record.data.view());
      if (row.ok()) {
        parsed.push_back(std::move(*row));
      } else {
        malformed.Add();
        LOG_LIMITED(warn, "record is no kpi row", {"shard", batch.shard_id}, {"error", row.error()});
      }
    }
    const std::size_t count = parsed.size();
    const SequenceNumber last = batch.records.back().sequence;
    views::KpiStore* const into = &store;
    Result<void> applied =
        co_await runtime.Blocking([into, parsed = std::move(parsed), shard = batch.shard_id, last] {
          return into->Apply(parsed, shard, last);
        });
    if (!applied.ok()) {
      errors.Add();
      co_return applied;
    }
    rows.Add(static_cast<double>(count));
    if (const std::uint64_t all = store.refused_rows(); all > told_refused) {
      refused.Add(static_cast<double>(all - told_refused));
      told_refused = all;
      LOG_LIMITED(warn, "kpi rows left out: too many different series", {"shard", batch.shard_id});
    }
    co_await Checkpoint(batch.shard_id, last);
    co_return Ok();
  }

  async::Task<void> Checkpoint(std::string shard_id, SequenceNumber last) {
    const auto found = checkpointers.find(shard_id);
    const MonoTime now = std::chrono::steady_clock::now();
    if (found == checkpointers.end() || now - found->second.second < kCheckpointInterval) co_return;
    found->second.second = now;
    const std::shared_ptr<consumer::Checkpointer> checkpointer = found->second.first;
    Result<void> saved = co_await checkpointer->Save(async::Context::WithTimeout(kCallTimeout), last, "");
    if (!saved.ok())
      LOG_LIMITED(debug, "checkpoint not saved", {"shard", shard_id}, {"error", saved.error()});
  }

  async::Task<Result<void>> OnShardEnd(const std::string& shard_id) override {
    const std::shared_ptr<consumer::Checkpointer> checkpointer = checkpointers.at(shard_id).first;
    Result<void> finished = co_await checkpointer->Finish(async::Context::WithTimeout(kCallTimeout));
    co_return finished;
  }

  void OnShardLost(const std::string& shard_id) override { checkpointers.erase(shard_id); }

  async::Task<void> DropOldRows() {
    for (;;) {
      Result<void> slept = co_await async::SleepFor(config.retention_check);
      if (!slept.ok()) co_return;
      const Timestamp before = clock.Now() - std::chrono::milliseconds(ToMs(config.retention));
      views::KpiStore* const from = &store;
      Result<std::size_t> dropped =
          co_await runtime.Blocking([from, before] { return from->DropBefore(before); });
      if (dropped.ok()) {
        expired.Add(static_cast<double>(*dropped));
      } else if (dropped.error().code() == ErrorCode::kCancelled) {
        co_return;
      } else {
        errors.Add();
        LOG(warn, "old rows not dropped", {"error", dropped.error()});
      }
    }
  }

  const MaterializerConfig config;
  views::KpiStore& store;
  async::Runtime& runtime;
  const async::Executor executor;
  const Clock& clock;
  obs::Counter rows, malformed, refused, expired, errors;
  std::uint64_t told_refused = 0;
  std::map<std::string, std::pair<std::shared_ptr<consumer::Checkpointer>, MonoTime>> checkpointers;
  consumer::Worker worker;
  async::TaskGroup background;
};

Materializer::Materializer(MaterializerConfig config, views::KpiStore& store, client::StreamClient& client,
                           async::Runtime& runtime, async::Executor executor, const Clock& clock,
                           obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), store, client, runtime, std::move(executor), clock,
                                   metrics)) {}

Materializer::~Materializer() = default;

void Materializer::Start() {
  impl_->background.Spawn(impl_->executor, "kpi retention", impl_->DropOldRows());
  impl_->worker.Start();
}

async::Task<void> Materializer::Stop(MonoTime deadline) {
  impl_->background.Cancel();
  Result<void> joined = co_await impl_->background.Join();
  co_await impl_->worker.Stop(deadline);
}

Result<void> Materializer::Ready() const { return impl_->worker.Ready(); }

}  // namespace honryu::processors::materializer
