#include "honryu/base/random.h"
#include "honryu/broker/sequence.h"
#include "honryu/obs/log.h"
#include "impl.h"
#include "reshape.h"

#include <algorithm>

namespace honryu::broker {
namespace {

constexpr Duration kRetryPause = std::chrono::seconds(1);

Error NoShard(std::uint32_t shard) {
  return Error(ErrorCode::kNotFound, "shard " + ShardIdText(shard) + " does not exist");
}

std::vector<UInt128> OpenStarts(const StreamState& state) {
  std::vector<UInt128> starts;
  for (const std::size_t i : state.open) starts.push_back(state.stream.shards[i].hash_start);
  return starts;
}

Result<std::size_t> FindOpen(const StreamState& state, std::uint32_t index) {
  std::size_t at = 0;
  const Shard* shard = state.FindShard(index, &at);
  if (shard == nullptr) return NoShard(index);
  if (shard->ending) {
    return Error(ErrorCode::kInvalidArgument,
                 "shard " + ShardIdText(index) + " has already been merged or split");
  }
  return at;
}

}  // namespace

// The target is durable before anything is closed, so a crash leads on to it, never to half of a change.
Result<void> Broker::Impl::BeginReshape(const std::string& name, const TargetOf& target_of) {
  HONRYU_TRY(const std::shared_ptr<const StreamState> current, FindUsable(name));
  if (current->stream.status != StreamStatus::kActive)
    return Error(ErrorCode::kFailedPrecondition, "stream " + name + " is not ACTIVE");
  StreamState state = *current;
  HONRYU_TRY(state.target_starts, target_of(*current));
  state.stream.status = StreamStatus::kUpdating;
  const std::uint64_t version = state.meta_version;
  HONRYU_TRY_VOID(Store(state, version));
  Publish(std::make_shared<StreamState>(std::move(state)));
  return Ok();
}

Result<bool> Broker::Impl::ReshapeOnce(const std::string& name, std::uint64_t incarnation) {
  const std::shared_ptr<const StreamState> current = Find(name);
  if (current == nullptr || current->stream.incarnation != incarnation ||
      current->stream.status != StreamStatus::kUpdating)
    return true;
  const std::vector<ReshapeStep> steps = NextSteps(*current);
  if (steps.empty()) {
    StreamState state = *current;
    state.target_starts.clear();
    state.stream.status = StreamStatus::kActive;
    HONRYU_TRY_VOID(Store(state, current->meta_version));
    LOG(info, "stream reshaped", {"stream", name}, {"open_shards", state.open.size()});
    Publish(std::make_shared<StreamState>(std::move(state)));
    return true;
  }
  StreamState state = AfterSteps(*current, steps, ToMs(clock.Now()) / 1000);
  const auto born = static_cast<std::ptrdiff_t>(current->partitions.size());
  const std::vector<log::PartitionId> children(state.partitions.begin() + born, state.partitions.end());
  HONRYU_TRY_VOID(engine.CreatePartitions(children, incarnation));
  HONRYU_TRY(const std::vector<log::WriterEpoch> epochs, engine.AcquireWriters(children));
  std::copy(epochs.begin(), epochs.end(), state.epochs.begin() + born);
  // The last round ends it in the same commit: whoever learns that a shard has closed may go on at once.
  const bool done = NextSteps(state).empty();
  if (done) {
    state.target_starts.clear();
    state.stream.status = StreamStatus::kActive;
  }
  // Closing: from here on appends with the old epoch are refused, and those before are visible to readers.
  const Result<void> closed = CloseAndStore(*current, state);
  if (closed.ok()) {
    std::vector<log::PartitionId> ended;
    for (std::size_t i = 0; i < current->partitions.size(); ++i) {
      if (!current->stream.shards[i].ending && state.stream.shards[i].ending)
        ended.push_back(state.partitions[i]);
    }
    if (done) LOG(info, "stream reshaped", {"stream", name}, {"open_shards", state.open.size()});
    Publish(std::make_shared<StreamState>(std::move(state)));
    engine.EndWaits(ended);  // after Publish: whoever wakes must see that the shard is closed
    return done;
  }
  // Still open: whoever writes needs the newer epochs.
  StreamState back = *current;
  std::copy_n(state.epochs.begin(), back.epochs.size(), back.epochs.begin());
  Publish(std::make_shared<StreamState>(std::move(back)));
  return closed.error();
}

Result<void> Broker::Impl::CloseAndStore(const StreamState& before, StreamState& state) {
  std::vector<std::size_t> closing;
  std::vector<log::PartitionId> partitions;
  for (std::size_t i = 0; i < before.stream.shards.size(); ++i) {
    if (before.stream.shards[i].ending || !state.stream.shards[i].ending) continue;
    closing.push_back(i);
    partitions.push_back(before.partitions[i]);
  }
  HONRYU_TRY(const std::vector<log::WriterEpoch> epochs, engine.AcquireWriters(partitions));
  for (std::size_t i = 0; i < closing.size(); ++i) state.epochs[closing[i]] = epochs[i];
  return Store(state, before.meta_version);
}

async::Task<void> Broker::Impl::Reshape(std::string name, std::uint64_t incarnation) {
  Result<void> slept = co_await async::SleepFor(config.update_delay);
  while (slept.ok()) {
    Result<bool> done = co_await calls.RunInTurn([this, name, incarnation] {
      const std::lock_guard lock(control);
      return ReshapeOnce(name, incarnation);
    });
    if (done.ok() && *done) co_return;
    if (done.ok()) continue;
    if (stopping) co_return;
    LOG_LIMITED(warn, "resharding failed, trying again", {"stream", name}, {"error", done.error()});
    slept = co_await async::SleepFor(kRetryPause);
  }
}

async::Task<Result<void>> Broker::Impl::StartReshape(std::string name, TargetOf target_of) {
  Result<void> begun = co_await calls.RunInTurn([this, name, target_of] {
    const std::lock_guard lock(control);
    return BeginReshape(name, target_of);
  });
  if (!begun.ok()) co_return begun;
  const std::shared_ptr<const StreamState> state = Find(name);
  if (state != nullptr)
    tasks.Spawn(runtime.NextExecutor(), "reshape " + name, Reshape(name, state->stream.incarnation));
  co_return Ok();
}

async::Task<Result<void>> Broker::SplitShard(async::Context, std::string name, std::uint32_t shard,
                                             UInt128 at) {
  Result<void> started = co_await impl_->StartReshape(
      std::move(name), [shard, at](const StreamState& state) -> Result<std::vector<UInt128>> {
        HONRYU_TRY(const std::size_t i, FindOpen(state, shard));
        const Shard& parent = state.stream.shards[i];
        if (!(parent.hash_start < at) || parent.hash_end < at)
          return Error(ErrorCode::kInvalidArgument, "the new start lies outside the shard's hash range");
        std::vector<UInt128> starts = OpenStarts(state);
        starts.insert(std::upper_bound(starts.begin(), starts.end(), at), at);
        return starts;
      });
  co_return started;
}

async::Task<Result<void>> Broker::MergeShards(async::Context, std::string name, std::uint32_t first,
                                              std::uint32_t second) {
  Result<void> started = co_await impl_->StartReshape(
      std::move(name), [first, second](const StreamState& state) -> Result<std::vector<UInt128>> {
        HONRYU_TRY(const std::size_t a, FindOpen(state, first));
        HONRYU_TRY(const std::size_t b, FindOpen(state, second));
        const Shard& upper = state.stream.shards[b];
        if (upper.hash_start == UInt128() ||
            !(UInt128::FromNative(upper.hash_start.native() - 1) == state.stream.shards[a].hash_end))
          return Error(ErrorCode::kInvalidArgument, "the shards are not adjacent");
        std::vector<UInt128> starts = OpenStarts(state);
        std::erase(starts, upper.hash_start);
        return starts;
      });
  co_return started;
}

async::Task<Result<void>> Broker::SetShardCount(async::Context, std::string name, int count) {
  if (count < 1 || count > impl_->config.max_shards_per_stream) {
    co_return Error(ErrorCode::kTooLarge, "a stream may have 1 to " +
                                              std::to_string(impl_->config.max_shards_per_stream) +
                                              " shards, found " + std::to_string(count));
  }
  Result<void> started = co_await impl_->StartReshape(
      std::move(name),
      [count](const StreamState&) -> Result<std::vector<UInt128>> { return EvenStarts(count); });
  co_return started;
}

// Closed shards go when the last of their records is older than the retention period.
Result<void> Broker::Impl::RetireShards(const std::string& name) {
  HONRYU_TRY(const std::shared_ptr<const StreamState> current, FindUsable(name));
  const std::int64_t horizon_s =
      ToMs(clock.Now() - std::chrono::hours(current->stream.retention_hours)) / 1000;
  StreamState state = *current;
  state.stream.shards.clear();
  state.partitions.clear();
  state.epochs.clear();
  for (std::size_t i = 0; i < current->stream.shards.size(); ++i) {
    const Shard& shard = current->stream.shards[i];
    if (shard.ending) {
      const Result<SequenceParts> end = DecodeSequence(*shard.ending);
      if (end.ok() && end->record_time_s < horizon_s) continue;
    }
    state.stream.shards.push_back(shard);
    state.partitions.push_back(current->partitions[i]);
    state.epochs.push_back(current->epochs[i]);
  }
  if (state.stream.shards.size() == current->stream.shards.size()) return Ok();
  state.SortOpen();
  const std::uint64_t version = state.meta_version;
  HONRYU_TRY_VOID(Store(state, version));
  LOG(info, "closed shards retired", {"stream", name},
      {"shards", current->stream.shards.size() - state.stream.shards.size()});
  Publish(std::make_shared<StreamState>(std::move(state)));
  return Ok();
}

async::Task<Result<void>> Broker::ChangeAttributes(async::Context, std::string name,
                                                   std::function<Result<void>(StreamAttributes&)> change) {
  Impl* impl = impl_.get();
  Result<void> changed = co_await impl->calls.RunInTurn([impl, name, change]() -> Result<void> {
    const std::lock_guard lock(impl->control);
    HONRYU_TRY(const std::shared_ptr<const StreamState> current, impl->FindUsable(name));
    StreamState state = *current;
    HONRYU_TRY_VOID(change(state.stream.attributes));
    const std::uint64_t version = state.meta_version;
    HONRYU_TRY_VOID(impl->Store(state, version));
    impl->Publish(std::make_shared<StreamState>(std::move(state)));
    return Ok();
  });
  co_return changed;
}

}  // namespace honryu::broker
