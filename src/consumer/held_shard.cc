#include "consumer/held_shard.h"

#include <algorithm>
#include <utility>

namespace honryu::consumer {

ShardMetrics::ShardMetrics(obs::Registry& registry, const std::string& application, const std::string& stream,
                           const std::string& shard_id) {
  const obs::Labels labels = {{"application", application}, {"stream", stream}, {"shard", shard_id}};
  iterator_age_ms = registry.MakeGauge(
      "honryu_consumer_get_records_iterator_age_milliseconds",
      "GetRecords.IteratorAgeMilliseconds: how far the last read was behind the newest record", labels);
  lag_s = registry.MakeGauge("honryu_consumer_lag_seconds",
                             "Age of the oldest record not yet processed; 0 when caught up, "
                             "not a number while another process holds the shard",
                             labels);
  records = registry.MakeCounter("honryu_consumer_records_total", "Records processed", labels);
  batches = registry.MakeCounter("honryu_consumer_batches_total", "Batches processed", labels);
}

HeldShard::HeldShard(client::StreamClient& stream_client, client::ShardDescription description,
                     client::Lease held, obs::Registry& registry)
    : client(stream_client),
      shard(std::move(description)),
      lease(std::move(held)),
      metrics(registry, lease.application, lease.stream, shard.shard_id) {}

void HeldShard::OnEnding(std::function<void()> call) {
  on_ending = std::move(call);
  if (ending() && on_ending) std::exchange(on_ending, nullptr)();
}

void HeldShard::Halt(Error why) {
  if (!halted_by) halted_by = std::move(why);
  poll.Cancel();
}

void HeldShard::ShowLag(Timestamp now) {
  const double age_s =
      unprocessed.has_value() ? static_cast<double>(ToMs(now) - ToMs(*unprocessed)) / 1000 : 0;
  metrics.lag_s.Set(std::max(0.0, age_s));
}

void HeldShard::Stop() {
  stopping = true;
  poll.Cancel();
  if (on_ending) std::exchange(on_ending, nullptr)();
}

void HeldShard::Lose() {
  lost = true;
  poll.Cancel();
  if (on_ending) std::exchange(on_ending, nullptr)();
}

async::Task<Result<void>> HeldShard::Save(async::Context ctx, std::optional<SequenceNumber> sequence,
                                          std::string state) {
  if (lost || phase == Phase::kGone)
    co_return Error(ErrorCode::kFenced, "shard " + id() + " is not held any more");
  if (sequence.has_value() && lease.checkpoint.has_value() && *sequence < *lease.checkpoint)
    co_return Error(ErrorCode::kInvalidArgument, "the checkpoint of shard " + id() + " would go back");
  client::Lease wanted = lease;
  if (sequence.has_value()) wanted.checkpoint = sequence;
  wanted.state = std::move(state);
  Result<void> saved = co_await client.SaveCheckpoint(std::move(ctx), wanted);
  if (!saved.ok()) {
    if (saved.error().code() == ErrorCode::kFenced) Lose();
    co_return saved.error().WithContext("saving the checkpoint of shard " + id());
  }
  lease.checkpoint = wanted.checkpoint;
  lease.state = std::move(wanted.state);
  co_return Ok();
}

async::Task<Result<void>> HeldShard::Finish(async::Context ctx) {
  if (lost || phase == Phase::kGone)
    co_return Error(ErrorCode::kFenced, "shard " + id() + " is not held any more");
  client::Lease wanted = lease;
  wanted.finished = true;
  Result<void> saved = co_await client.SaveCheckpoint(std::move(ctx), wanted);
  if (!saved.ok()) co_return saved.error().WithContext("finishing shard " + id());
  lease.finished = true;
  co_return Ok();
}

}  // namespace honryu::consumer
