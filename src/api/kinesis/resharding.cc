#include "api/kinesis/impl.h"

#include <algorithm>

namespace honryu::api::kinesis {

using wire::Fault;
using wire::FaultName;
using wire::ManageRequest;
using wire::Operation;

namespace {

Fault Invalid(std::string message) { return Fault{FaultName::kInvalidArgumentException, std::move(message)}; }

const broker::Shard* FindShard(const broker::Stream& stream, std::uint32_t index) {
  const auto found = std::find_if(stream.shards.begin(), stream.shards.end(),
                                  [index](const broker::Shard& shard) { return shard.index == index; });
  return found == stream.shards.end() ? nullptr : &*found;
}

std::size_t OpenCount(const broker::Stream& stream) {
  return static_cast<std::size_t>(std::count_if(stream.shards.begin(), stream.shards.end(),
                                                [](const broker::Shard& shard) { return !shard.ending; }));
}

}  // namespace

async::Task<Outcome> KinesisApi::Impl::Reshard(async::Context ctx, ManageRequest request,
                                               Operation operation) {
  Outcome outcome;
  if (operation == Operation::kSplitShard) {
    outcome = co_await SplitShard(std::move(ctx), std::move(request));
  } else if (operation == Operation::kMergeShards) {
    outcome = co_await MergeShards(std::move(ctx), std::move(request));
  } else {
    outcome = co_await UpdateShardCount(std::move(ctx), std::move(request));
  }
  co_return outcome;
}

async::Task<Outcome> KinesisApi::Impl::SplitShard(async::Context ctx, ManageRequest request) {
  const std::string name = request.resource.stream.name;
  const std::string in_stream = " in stream " + name + Account();
  const auto missing = [&](const std::string& shard) {
    return Outcome::Failed(
        {FaultName::kResourceNotFoundException, "Could not find shard " + shard + in_stream + "."});
  };
  const std::optional<std::uint32_t> index = broker::ParseShardId(request.shard_id);
  if (!index) co_return missing(request.shard_id);
  const Result<broker::StreamSnapshot> found = broker.Snapshot(name);
  if (!found.ok()) co_return Outcome::Failed(FaultOf(found.error(), name));
  const broker::Stream& stream = **found;
  const broker::Shard* shard = FindShard(stream, *index);
  const std::string shard_id = wire::ShardIdOf(*index);
  if (shard == nullptr) co_return missing(shard_id);
  if (auto fault = CheckReshapable(stream)) co_return Outcome::Failed(std::move(*fault));
  if (shard->ending) co_return Outcome::Failed(AlreadyClosed(shard_id, name));
  const Result<UInt128> at = UInt128::FromDecimal(request.hash_key);
  const bool above = at.ok() && at->native() > shard->hash_start.native() + 1;
  if (!above || !(*at < shard->hash_end)) {
    co_return Outcome::Failed(Invalid(
        "NewStartingHashKey " + request.hash_key + " used in SplitShard() on shard " + shard_id + in_stream +
        " is not both greater than one plus the shard's StartingHashKey " + shard->hash_start.ToDecimal() +
        " and less than the shard's EndingHashKey " + shard->hash_end.ToDecimal() + "."));
  }
  const Result<void> split = co_await broker.SplitShard(std::move(ctx), name, *index, *at);
  if (!split.ok()) co_return Outcome::Failed(FaultOf(split.error(), name));
  co_return Outcome();
}

async::Task<Outcome> KinesisApi::Impl::MergeShards(async::Context ctx, ManageRequest request) {
  const std::string name = request.resource.stream.name;
  const std::string in_stream = " in stream " + name + Account();
  const auto missing = [&](const std::string& shard) {
    return Outcome::Failed(
        {FaultName::kResourceNotFoundException, "Could not find shard " + shard + in_stream + "."});
  };
  const std::optional<std::uint32_t> first = broker::ParseShardId(request.shard_id);
  if (!first) co_return missing(request.shard_id);
  const std::optional<std::uint32_t> second = broker::ParseShardId(request.adjacent_shard_id);
  if (!second) co_return missing(request.adjacent_shard_id);
  const Result<broker::StreamSnapshot> found = broker.Snapshot(name);
  if (!found.ok()) co_return Outcome::Failed(FaultOf(found.error(), name));
  const broker::Stream& stream = **found;
  const broker::Shard* lower = FindShard(stream, *first);
  const broker::Shard* upper = FindShard(stream, *second);
  if (lower == nullptr) co_return missing(wire::ShardIdOf(*first));
  if (upper == nullptr) co_return missing(wire::ShardIdOf(*second));
  if (auto fault = CheckReshapable(stream)) co_return Outcome::Failed(std::move(*fault));
  for (const broker::Shard* shard : {lower, upper}) {
    if (shard->ending) co_return Outcome::Failed(AlreadyClosed(wire::ShardIdOf(shard->index), name));
  }
  if (upper->hash_start == UInt128() || upper->hash_start.native() - 1 != lower->hash_end.native()) {
    co_return Outcome::Failed(Invalid("Shards " + wire::ShardIdOf(*first) + " and " +
                                      wire::ShardIdOf(*second) + in_stream +
                                      " are not an adjacent pair of shards eligible for merging"));
  }
  const Result<void> merged = co_await broker.MergeShards(std::move(ctx), name, *first, *second);
  if (!merged.ok()) co_return Outcome::Failed(FaultOf(merged.error(), name));
  co_return Outcome();
}

async::Task<Outcome> KinesisApi::Impl::UpdateShardCount(async::Context ctx, ManageRequest request) {
  const std::string name = request.resource.stream.name;
  const Result<broker::StreamSnapshot> found = broker.Snapshot(name);
  if (!found.ok()) co_return Outcome::Failed(FaultOf(found.error(), name));
  const broker::Stream& stream = **found;
  if (auto fault = CheckReshapable(stream)) co_return Outcome::Failed(std::move(*fault));
  if (auto fault = CheckTarget(OpenCount(stream), request.target_count))
    co_return Outcome::Failed(std::move(*fault));
  const Result<void> changed = co_await broker.SetShardCount(std::move(ctx), name, request.target_count);
  if (!changed.ok()) co_return Outcome::Failed(FaultOf(changed.error(), name));
  co_return Outcome::Of(wire::ShardCountBody(ShapeOf(stream), OpenCount(stream), request.target_count));
}

// That a call at most doubles or halves a stream is a quota of Kinesis.
std::optional<Fault> KinesisApi::Impl::CheckTarget(std::size_t open, std::int32_t target) const {
  const std::int64_t now = static_cast<std::int64_t>(open);
  const int limit = broker.config().max_shards_per_stream;
  std::string reason;
  if (target > limit) {
    reason =
        "Target shard count or number of open shards cannot be greater than " + std::to_string(limit) + ". ";
  } else if (broker.config().quotas == broker::QuotaProfile::kAws && target > 2 * now) {
    reason = "UpdateShardCount cannot scale up over double your current open shard count. ";
  } else if (broker.config().quotas == broker::QuotaProfile::kAws && 2 * std::int64_t{target} < now) {
    reason = "UpdateShardCount cannot scale down below half your current open shard count. ";
  } else {
    return std::nullopt;
  }
  return Fault{FaultName::kLimitExceededException, reason +
                                                       "Current open shard count: " + std::to_string(now) +
                                                       ", Target shard count: " + std::to_string(target)};
}

std::optional<Fault> KinesisApi::Impl::CheckReshapable(const broker::Stream& stream) const {
  if (stream.attributes.mode == broker::StreamMode::kOnDemand) {
    return Fault{FaultName::kValidationException,
                 "Request is invalid. Stream " + stream.name + Account() + " is in On-Demand mode."};
  }
  if (stream.status != broker::StreamStatus::kActive) return NotActive(stream.name, stream.status);
  return std::nullopt;
}

Fault KinesisApi::Impl::AlreadyClosed(const std::string& shard_id, const std::string& stream) const {
  return Invalid("Shard " + shard_id + " in stream " + stream + Account() +
                 " has already been merged or split, and thus is not eligible for merging or splitting.");
}

}  // namespace honryu::api::kinesis
