#include "api/gateway/stream_scan.h"

#include <algorithm>

namespace honryu::api::gateway {

namespace {

constexpr std::size_t kSliceBytes = 256 << 10;  // About a quarter of a millisecond between pauses.
constexpr Duration kReadTimeout = std::chrono::seconds(30);
/// An empty batch does not end a shard while it says that there is more; it may say so only so often.
constexpr int kMaxEmpty = 100;

async::Context StepOf(const async::Context& ctx) {
  async::Context step = ctx;
  step.deadline = std::min(ctx.deadline, async::Context::WithTimeout(kReadTimeout).deadline);
  return step;
}

}  // namespace

StreamScan::StreamScan(client::StreamClient& client, std::string stream, Timestamp from,
                       std::optional<Timestamp> until)
    : client_(client), stream_(std::move(stream)), from_(from), until_(until) {}

void StreamScan::AddPlace(const std::string& shard_id) {
  for (const Place& place : places_) {
    if (place.shard_id == shard_id) return;
  }
  Place place;
  place.shard_id = shard_id;
  place.from = client::FromTimestamp{from_};
  places_.push_back(std::move(place));
}

async::Task<Result<void>> StreamScan::List(async::Context ctx) {
  Result<std::vector<client::ShardDescription>> shards = co_await client_.ListShards(ctx, stream_);
  if (!shards.ok()) co_return shards.error().WithContext("list shards of " + stream_);
  for (const client::ShardDescription& shard : *shards) AddPlace(shard.shard_id);
  co_return Ok();
}

async::Task<Result<void>> StreamScan::ReadSome(async::Context ctx, std::size_t at, const Visitor& visit) {
  client::ReadRequest request;
  request.stream = stream_;
  request.shard_id = places_[at].shard_id;
  request.from = places_[at].from;
  Result<client::ReadBatch> batch = co_await client_.Read(ctx, std::move(request));
  if (!batch.ok()) co_return batch.error().WithContext("read " + stream_ + " " + places_[at].shard_id);
  bool past = false;
  std::size_t bytes = 0;
  for (const client::StreamRecord& record : batch->records) {
    if (until_.has_value() && record.arrival >= *until_) {
      past = true;
      break;
    }
    visit(record);
    ++records_;
    bytes += record.data.size();
    if (bytes < kSliceBytes) continue;
    bytes = 0;
    co_await async::Yield();
  }
  // The children of a closed shard may be younger than the list.
  for (const std::string& child : batch->children) AddPlace(child);
  Place& place = places_[at];
  place.empty = batch->records.empty() ? place.empty + 1 : 0;
  place.finished = past || batch->next.empty();
  place.done = place.finished || batch->behind_latest == Duration::zero() || place.empty >= kMaxEmpty;
  if (!place.finished) place.from = client::FromCursor{std::move(batch->next)};
  co_return Ok();
}

async::Task<Result<void>> StreamScan::Run(async::Context ctx, const Visitor& visit) {
  for (Place& place : places_) {
    place.done = place.finished;
    place.empty = 0;
  }
  Result<void> run = co_await Resume(ctx, visit);
  co_return run;
}

async::Task<Result<void>> StreamScan::Resume(async::Context ctx, const Visitor& visit) {
  Result<void> listed = co_await List(StepOf(ctx));
  if (!listed.ok()) co_return listed;
  for (bool more = true; more;) {
    more = false;
    for (std::size_t at = 0; at < places_.size(); ++at) {
      if (places_[at].done) continue;
      const bool cancelled = co_await async::Cancelled();
      if (cancelled) co_return Error(ErrorCode::kCancelled, "the read of " + stream_ + " was cancelled");
      Result<void> read = co_await ReadSome(StepOf(ctx), at, visit);
      if (!read.ok()) co_return read;
      more = more || !places_[at].done;
    }
    for (const Place& place : places_) more = more || !place.done;
  }
  co_return Ok();
}

}  // namespace honryu::api::gateway
