#include "honryu/consumer/sequence.h"
#include "honryu/obs/log.h"
#include "processors/sql/application_impl.h"

#include <utility>

namespace honryu::processors::sql_app {

namespace {

constexpr Duration kBackPressurePoll = std::chrono::milliseconds(5);

}  // namespace

StreamHandler::StreamHandler(Application::Impl& app, std::uint32_t stream, consumer::WorkerConfig config)
    : app_(app),
      stream_(stream),
      worker(std::move(config), app.client, *this, app.executor, app.clock, app.registry) {}

void StreamHandler::OnShards(const std::vector<client::ShardDescription>& shards) {
  app_.feed->OnShards(stream_, shards);
}

async::Task<Result<client::StartPosition>> StreamHandler::OnShardStart(consumer::ShardStart start) {
  const std::string& id = start.shard.shard_id;
  const std::int64_t now = app_.NowMs();
  std::optional<SequenceNumber> after = app_.feed->OnStart(stream_, id, now);
  // Without what we had told the lease, or with another shard's number: the stream was made anew.
  const bool forgotten = after.has_value() && !start.checkpoint.has_value() && told.contains(id);
  const bool other = after.has_value() && start.checkpoint.has_value() &&
                     consumer::ShardCreation(*after) != consumer::ShardCreation(*start.checkpoint);
  if (forgotten || other) {
    LOG(warn, "the shard is a new one of the same name, it is read from its beginning",
        {"application", app_.deployment.name}, {"shard", id});
    app_.feed->OnRestart(stream_, id);
    after = app_.feed->OnStart(stream_, id, now);
    told.erase(id);
  }
  checkpointers[id] = start.checkpointer;
  client::StartPosition from = client::FromTrimHorizon{};
  if (app_.state.from_ms >= 0) from = client::FromTimestamp{TimestampFromMs(app_.state.from_ms)};
  if (after.has_value()) from = client::AfterSequence{*after};
  co_return from;
}

async::Task<Result<void>> StreamHandler::OnBatch(const consumer::Batch& batch) {
  while (app_.feed->Full(stream_, batch.shard_id)) {
    app_.Wake();
    Result<void> slept = co_await async::SleepFor(kBackPressurePoll);
    const auto held = checkpointers.find(batch.shard_id);
    if (!slept.ok() || app_.ending() || held == checkpointers.end() || held->second->ending())
      co_return Error(ErrorCode::kCancelled, "stopped before the batch was taken");
  }
  app_.feed->OnRecords(stream_, batch.shard_id, batch.records, batch.behind_latest == Duration::zero(),
                       app_.NowMs());
  if (app_.feed->pressing() || !app_.pending.empty()) app_.Wake();
  co_return Ok();
}

async::Task<Result<void>> StreamHandler::OnIdle(const std::string& shard_id) {
  app_.feed->OnEmpty(stream_, shard_id, app_.NowMs());
  if (app_.feed->pressing() || !app_.pending.empty()) app_.Wake();
  co_return Ok();
}

async::Task<Result<void>> StreamHandler::OnShardEnd(const std::string& shard_id) {
  app_.feed->OnEnd(stream_, shard_id);  // its lease is finished once that stands in a snapshot
  app_.Wake();
  co_return Ok();
}

void StreamHandler::OnShardLost(const std::string& shard_id) {
  app_.feed->OnLost(stream_, shard_id);
  checkpointers.erase(shard_id);
}

}  // namespace honryu::processors::sql_app
