#include "consumer/batch_runner_impl.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <utility>

namespace honryu::consumer {

namespace {

constexpr Duration kSaveTimeout = std::chrono::seconds(10);
constexpr Duration kDeadLetterTimeout = std::chrono::seconds(30);

}  // namespace

// Begins whatever can be begun, whenever something has changed.
async::Task<void> BatchRunner::Impl::Conduct(std::shared_ptr<Shard> shard) {
  while (!shard->Ending()) {
    Begin(shard);
    if (shard->work.halted()) {
      shard->checkpointer->Halt(*shard->work.halted());
      shard->Wake();
      co_return;
    }
    Duration patience = std::chrono::hours(1);
    if (const std::optional<MonoTime> due = shard->work.Due())
      patience = std::max(*due - clock.Mono(), Duration::zero());
    Result<void> woken = co_await AwaitProgress(shard, patience);
    if (!woken.ok()) co_return;
  }
}

void BatchRunner::Impl::Begin(const std::shared_ptr<Shard>& shard) {
  for (ShardWork::Action& action : shard->work.Take(clock.Mono(), clock.Now())) {
    if (auto* const call = std::get_if<ShardWork::Call>(&action)) {
      shard->tasks.Spawn(executor, "call " + shard->id, RunCall(shard, std::move(*call)));
    } else {
      shard->tasks.Spawn(executor, "set aside " + shard->id,
                         RunSetAside(shard, std::move(std::get<ShardWork::SetAside>(action))));
    }
  }
  if (!shard->saving && shard->work.checkpoint() && shard->work.checkpoint() != shard->saved) {
    shard->saving = true;
    shard->tasks.Spawn(executor, "checkpoint " + shard->id, RunSave(shard));
  }
  const ShardWork::Counts counts = shard->work.TakeCounts();
  metrics.retries.Add(counts.retries);
  metrics.throttled.Add(counts.throttled);
  metrics.bisects.Add(counts.bisects);
  Publish();
}

async::Task<void> BatchRunner::Impl::RunCall(std::shared_ptr<Shard> shard, ShardWork::Call call) {
  metrics.calls.Add();
  const MonoTime begun = std::chrono::steady_clock::now();
  Result<BatchReport> report =
      co_await handler.Process(async::Context::WithTimeout(config.call_timeout), call.batch);
  metrics.call_s.Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  const bool cancelled = co_await async::Cancelled();
  if (shard->lost || (cancelled && !report.ok())) co_return;
  const std::size_t before = shard->work.pending_records();
  if (report.ok() && report->failed.empty()) {
    shard->work.Succeeded(call.lane, clock.Mono());
  } else if (report.ok()) {
    LOG_LIMITED(warn, "handler failed for a part of a batch", {"application", config.worker.application},
                {"shard", shard->id}, {"records", call.batch.records.size()},
                {"failed", report->failed.size()}, {"attempt", call.batch.attempt},
                {"message", report->message});
    shard->work.PartlyFailed(call.lane, *report, clock.Mono(), clock.Now());
  } else {
    LOG_LIMITED(warn, "handler failed", {"application", config.worker.application}, {"shard", shard->id},
                {"records", call.batch.records.size()}, {"attempt", call.batch.attempt},
                {"error", report.error()});
    shard->work.Failed(call.lane, report.error(), clock.Mono(), clock.Now());
  }
  metrics.processed.Add(static_cast<double>(before - shard->work.pending_records()));
  shard->Wake();
}

async::Task<void> BatchRunner::Impl::RunSetAside(std::shared_ptr<Shard> shard, ShardWork::SetAside aside) {
  for (DeadLetter& letter : aside.letters) {
    letter.application = config.worker.application;
    letter.stream = config.worker.stream;
  }
  const DeadLetter& first = aside.letters.front();
  LOG_LIMITED(warn, "records set aside", {"application", config.worker.application}, {"shard", shard->id},
              {"records", aside.letters.size()}, {"sequence", first.record.sequence.ToDecimal()},
              {"reason", DeadLetterReasonName(first.reason)}, {"into", dead_letters.stream()});
  for (;;) {
    Result<void> written =
        co_await dead_letters.Write(async::Context::WithTimeout(kDeadLetterTimeout), aside.letters);
    if (shard->lost) co_return;
    if (written.ok()) break;
    LOG_LIMITED(error, "dead letters not written, their records wait",
                {"application", config.worker.application}, {"shard", shard->id}, {"error", written.error()});
    Result<void> slept = co_await async::SleepFor(config.worker.retry_max);
    if (!slept.ok() || shard->Ending()) co_return;
  }
  const std::size_t before = shard->work.pending_records();
  shard->work.Stored(aside.lane, clock.Mono());
  metrics.processed.Add(static_cast<double>(before - shard->work.pending_records()));
  shard->Wake();
}

async::Task<void> BatchRunner::Impl::RunSave(std::shared_ptr<Shard> shard) {
  Result<void> saved = co_await SaveNow(shard);
  if (!saved.ok() && !shard->Ending()) {
    LOG_LIMITED(warn, "checkpoint not saved, trying again", {"application", config.worker.application},
                {"shard", shard->id}, {"error", saved.error()});
    Result<void> slept = co_await async::SleepFor(config.worker.retry_initial);
    if (!slept.ok()) LOG(debug, "the pause after a failed checkpoint was cut short", {"shard", shard->id});
  }
  shard->saving = false;
  shard->Wake();
}

async::Task<Result<void>> BatchRunner::Impl::SaveNow(std::shared_ptr<Shard> shard) {
  const std::optional<SequenceNumber> reached = shard->work.checkpoint();
  if (!reached || reached == shard->saved) co_return Ok();
  Result<void> saved =
      co_await shard->checkpointer->Save(async::Context::WithTimeout(kSaveTimeout), reached, shard->state);
  if (saved.ok()) shard->saved = reached;
  co_return saved;
}

void BatchRunner::Impl::Publish() {
  std::size_t records = 0, bytes = 0;
  std::int64_t age_ms = 0;
  const std::int64_t now_ms = ToMs(clock.Now());
  for (const auto& [id, shard] : shards) {
    records += shard->work.pending_records();
    bytes += shard->work.pending_bytes();
    if (const auto oldest = shard->work.oldest()) age_ms = std::max(age_ms, now_ms - ToMs(*oldest));
  }
  metrics.pending_records.Set(static_cast<double>(records));
  metrics.pending_bytes.Set(static_cast<double>(bytes));
  metrics.age_ms.Set(static_cast<double>(age_ms));
}

}  // namespace honryu::consumer
