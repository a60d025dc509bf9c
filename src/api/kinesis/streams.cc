#include "api/kinesis/impl.h"
#include "honryu/broker/sequence.h"
#include "honryu/codec/base64.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace honryu::api::kinesis {

using codec::Json;
using wire::Fault;
using wire::FaultName;
using wire::ShardFilterType;

namespace {

constexpr std::int64_t kPageTokenLifeMs = 300'000;
constexpr std::int64_t kMaxTokenMs = 9'000'000'000'000'000;  // as far as times of requests go
constexpr int kDefaultShards = 4;                            // what Kinesis gives when no ShardCount is named

// When a shard opened and, if closed, closed; seconds since the epoch. Both stand in its sequence numbers.
struct Life {
  std::int64_t opened_s = 0;
  std::optional<std::int64_t> closed_s;
};
Life LifeOf(const broker::Shard& shard) {
  Life life;
  if (const auto start = broker::DecodeSequence(shard.starting); start.ok())
    life.opened_s = start->shard_created_s;
  if (shard.ending) {
    const auto end = broker::DecodeSequence(*shard.ending);
    life.closed_s = end.ok() ? end->record_time_s : life.opened_s;
  }
  return life;
}

bool Passes(const broker::Shard& shard, const wire::ShardFilter& filter, std::int64_t horizon_s) {
  const Life life = LifeOf(shard);
  const auto open_at = [&life](std::int64_t t) {
    return life.opened_s <= t && (!life.closed_s || *life.closed_s >= t);
  };
  const std::int64_t at_s = filter.time ? std::max(ToMs(*filter.time) / 1000, horizon_s) : horizon_s;
  switch (filter.type) {
    case ShardFilterType::kAfterShardId: {
      const auto after = broker::ParseShardId(filter.shard_id);
      return !after || shard.index > *after;
    }
    case ShardFilterType::kAtTrimHorizon:
      return open_at(horizon_s);
    case ShardFilterType::kFromTrimHorizon:
      return true;
    case ShardFilterType::kAtLatest:
      return !life.closed_s;
    case ShardFilterType::kAtTimestamp:
      return open_at(at_s);
    case ShardFilterType::kFromTimestamp:
      return !life.closed_s || *life.closed_s >= at_s;
  }
  return false;
}

std::optional<Fault> CheckFilter(const wire::ShardFilter& filter) {
  const bool timed =
      filter.type == ShardFilterType::kAtTimestamp || filter.type == ShardFilterType::kFromTimestamp;
  if (filter.type == ShardFilterType::kAfterShardId && filter.shard_id.empty()) {
    return Fault{FaultName::kInvalidArgumentException,
                 "ShardId must be provided in the ShardFilter of type AFTER_SHARD_ID."};
  }
  if (timed && !filter.time) {
    return Fault{FaultName::kInvalidArgumentException,
                 "Timestamp must be provided in the ShardFilter of type AT_TIMESTAMP or FROM_TIMESTAMP."};
  }
  return std::nullopt;
}

template <class T>
bool ReadNumber(std::string_view text, T& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

}  // namespace

// v1|issued ms|incarnation|filter type|filter time ms or empty|filter shard|after|stream, in base64. No part
// but the numbers can hold '|': names and shard ids are [a-zA-Z0-9_.-]+.
std::string EncodePageToken(const PageToken& token) {
  std::string text = "v1|" + std::to_string(ToMs(token.issued)) + "|" + std::to_string(token.incarnation) +
                     "|" + std::to_string(static_cast<int>(token.filter.type)) + "|";
  if (token.filter.time) text.append(std::to_string(ToMs(*token.filter.time)));
  text.append("|")
      .append(token.filter.shard_id)
      .append("|")
      .append(token.after)
      .append("|")
      .append(token.stream);
  return codec::Base64Encode(text);
}

std::optional<Fault> DecodePageToken(std::string_view text, Timestamp now, PageToken& out) {
  const Fault broken{FaultName::kInvalidArgumentException, "Invalid NextToken."};
  const Result<std::string> plain = codec::Base64Decode(text);
  if (!plain.ok()) return broken;
  std::array<std::string_view, 8> parts;
  std::string_view rest = *plain;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t bar = rest.find('|');
    if ((bar == std::string_view::npos) != (i + 1 == parts.size())) return broken;
    parts[i] = rest.substr(0, bar);
    rest.remove_prefix(bar == std::string_view::npos ? rest.size() : bar + 1);
  }
  // Whoever asks may have written the token: no number is believed before its range is known.
  const auto is_time = [](std::int64_t ms) { return ms >= -kMaxTokenMs && ms <= kMaxTokenMs; };
  std::int64_t issued = 0;
  unsigned type = 0;
  if (parts[0] != "v1" || !ReadNumber(parts[1], issued) || !is_time(issued) ||
      !ReadNumber(parts[2], out.incarnation) || !ReadNumber(parts[3], type) ||
      type > static_cast<unsigned>(ShardFilterType::kFromTimestamp)) {
    return broken;
  }
  out.issued = TimestampFromMs(issued);
  out.filter.type = static_cast<ShardFilterType>(type);
  if (!parts[4].empty()) {
    std::int64_t ms = 0;
    if (!ReadNumber(parts[4], ms) || !is_time(ms)) return broken;
    out.filter.time = TimestampFromMs(ms);
  }
  out.filter.shard_id.assign(parts[5]);
  out.after.assign(parts[6]);
  out.stream.assign(parts[7]);
  if (ToMs(now) - issued > kPageTokenLifeMs) {
    return Fault{FaultName::kExpiredNextTokenException, "NextToken has expired: it lives 300 seconds."};
  }
  return std::nullopt;
}

std::string_view StatusName(broker::StreamStatus status) {
  switch (status) {
    case broker::StreamStatus::kCreating:
      return "CREATING";
    case broker::StreamStatus::kActive:
      return "ACTIVE";
    case broker::StreamStatus::kUpdating:
      return "UPDATING";
    case broker::StreamStatus::kDeleting:
      return "DELETING";
  }
  return "ACTIVE";
}

wire::ShardShape ShapeOf(const broker::Shard& shard) {
  wire::ShardShape shape;
  shape.shard_id = wire::ShardIdOf(shard.index);
  if (shard.parent) shape.parent_id = wire::ShardIdOf(*shard.parent);
  if (shard.adjacent_parent) shape.adjacent_parent_id = wire::ShardIdOf(*shard.adjacent_parent);
  shape.hash_start = shard.hash_start;
  shape.hash_end = shard.hash_end;
  shape.starting = shard.starting;
  shape.ending = shard.ending;
  return shape;
}

wire::StreamShape KinesisApi::Impl::ShapeOf(const broker::Stream& stream) const {
  wire::StreamShape shape;
  shape.name = stream.name;
  shape.arn = "arn:aws:kinesis:" + config.region + ":" + config.account_id + ":stream/" + stream.name;
  shape.status = StatusName(stream.status);
  shape.created = stream.created;
  shape.retention_hours = stream.retention_hours;
  shape.on_demand = stream.attributes.mode == broker::StreamMode::kOnDemand;
  shape.monitored = stream.attributes.monitored;
  shape.consumers = stream.attributes.consumers.size();
  shape.max_record_bytes = broker.MaxRecordBytes(stream.attributes);
  shape.warm_mibps = stream.attributes.warm_throughput_mibps;
  shape.encryption_key = stream.attributes.encryption_key;
  return shape;
}

std::size_t KinesisApi::Impl::OpenShards() const {
  std::size_t open = 0;
  for (const broker::StreamSnapshot& stream : broker.Snapshots()) {
    open += static_cast<std::size_t>(std::count_if(stream->shards.begin(), stream->shards.end(),
                                                   [](const broker::Shard& shard) { return !shard.ending; }));
  }
  return open;
}

Fault KinesisApi::Impl::ShardLimit(std::int64_t more) const {
  return {FaultName::kLimitExceededException,
          "This request would exceed the shard limit for the account " + config.account_id + " in " +
              config.region + ". Current shard count for the account: " + std::to_string(OpenShards()) +
              ". Limit: " + std::to_string(broker.config().max_shards_per_stream) +
              ". Number of additional shards that would have resulted from this request: " +
              std::to_string(more) +
              ". Refer to the AWS Service Limits page "
              "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and "
              "how to request higher limits."};
}

async::Task<Outcome> KinesisApi::Impl::CreateStream(async::Context ctx, const Json& body) {
  wire::CreateStreamRequest request;
  if (auto fault = wire::ParseRequest(body, request, limits)) co_return Outcome::Failed(std::move(*fault));
  broker::StreamAttributes attributes;
  if (request.on_demand) attributes.mode = broker::StreamMode::kOnDemand;
  attributes.tags.insert(request.tags.begin(), request.tags.end());
  attributes.warm_throughput_mibps = static_cast<std::uint32_t>(request.warm_mibps);
  if (request.max_record_kib) attributes.max_record_kib = static_cast<std::uint32_t>(*request.max_record_kib);
  const int shards = request.shard_count.value_or(kDefaultShards);
  const Result<void> created =
      co_await broker.CreateStream(std::move(ctx), request.name, shards, std::move(attributes), true);
  if (created.ok()) co_return Outcome();
  if (created.error().code() == ErrorCode::kTooLarge && shards > broker.config().max_shards_per_stream)
    co_return Outcome::Failed(ShardLimit(shards));
  const ErrorCode code = created.error().code();
  // Too many streams or shards, however the broker calls it, is a limit to Kinesis.
  if (code == ErrorCode::kTooLarge || code == ErrorCode::kOverloaded) {
    co_return Outcome::Failed({FaultName::kLimitExceededException, created.error().message()});
  }
  co_return Outcome::Failed(FaultOf(created.error(), request.name));
}

async::Task<Outcome> KinesisApi::Impl::DeleteStream(async::Context ctx, const Json& body) {
  wire::DeleteStreamRequest request;
  std::optional<Fault> fault = wire::ParseRequest(body, request);
  if (!fault) fault = CheckAccount(request.stream);
  if (fault) co_return Outcome::Failed(std::move(*fault));
  const Result<broker::StreamSnapshot> found = broker.Snapshot(request.stream.name);
  if (found.ok() && !(*found)->attributes.consumers.empty() && !request.enforce_consumer_deletion) {
    co_return Outcome::Failed(
        {FaultName::kResourceInUseException,
         "Stream " + request.stream.name + Account() +
             " has registered consumers; deregister them or set EnforceConsumerDeletion."});
  }
  const Result<void> deleted = co_await broker.DeleteStream(std::move(ctx), request.stream.name, true);
  if (!deleted.ok()) co_return Outcome::Failed(FaultOf(deleted.error(), request.stream.name));
  co_return Outcome();
}

Outcome KinesisApi::Impl::DescribeStream(const Json& body) const {
  wire::DescribeStreamRequest request;
  if (auto fault = wire::ParseRequest(body, request)) return Outcome::Failed(std::move(*fault));
  if (auto fault = CheckAccount(request.stream)) return Outcome::Failed(std::move(*fault));
  std::optional<std::uint32_t> after;
  if (!request.exclusive_start_shard_id.empty()) {
    after = broker::ParseShardId(request.exclusive_start_shard_id);
    if (!after) {
      return Outcome::Failed(
          {FaultName::kResourceNotFoundException, "Could not find shard " + request.exclusive_start_shard_id +
                                                      " in stream " + request.stream.name + Account() + "."});
    }
  }
  const Result<broker::StreamSnapshot> found = broker.Snapshot(request.stream.name);
  if (!found.ok()) return Outcome::Failed(FaultOf(found.error(), request.stream.name));
  const broker::Stream& stream = **found;
  std::vector<wire::ShardShape> shards;
  bool more = false;
  if (stream.status != broker::StreamStatus::kCreating) {
    for (const broker::Shard& shard : stream.shards) {
      if (after && shard.index <= *after) continue;
      more = shards.size() == static_cast<std::size_t>(request.limit);
      if (more) break;
      shards.push_back(kinesis::ShapeOf(shard));
    }
  }
  return Outcome::Of(wire::DescribeStreamBody(ShapeOf(stream), shards, more));
}

Outcome KinesisApi::Impl::DescribeStreamSummary(const Json& body) const {
  wire::DescribeStreamSummaryRequest request;
  if (auto fault = wire::ParseRequest(body, request)) return Outcome::Failed(std::move(*fault));
  if (auto fault = CheckAccount(request.stream)) return Outcome::Failed(std::move(*fault));
  const Result<broker::StreamSnapshot> found = broker.Snapshot(request.stream.name);
  if (!found.ok()) return Outcome::Failed(FaultOf(found.error(), request.stream.name));
  const broker::Stream& stream = **found;
  const auto open = stream.status == broker::StreamStatus::kCreating
                        ? 0
                        : std::count_if(stream.shards.begin(), stream.shards.end(),
                                        [](const broker::Shard& shard) { return !shard.ending; });
  return Outcome::Of(wire::DescribeStreamSummaryBody(ShapeOf(stream), static_cast<std::size_t>(open)));
}

Outcome KinesisApi::Impl::ListStreams(const Json& body) const {
  wire::ListStreamsRequest request;
  if (auto fault = wire::ParseRequest(body, request)) return Outcome::Failed(std::move(*fault));
  std::string after = request.exclusive_start;
  if (!request.next_token.empty()) {
    PageToken token;
    if (auto fault = DecodePageToken(request.next_token, clock.Now(), token))
      return Outcome::Failed(std::move(*fault));
    after = token.after;
  }
  std::vector<wire::StreamShape> shapes;
  std::string next;
  for (const broker::StreamSnapshot& stream : broker.Snapshots()) {
    if (stream->name <= after) continue;
    if (shapes.size() == static_cast<std::size_t>(request.limit)) {
      PageToken token;
      token.issued = clock.Now();
      token.after = shapes.back().name;
      next = EncodePageToken(token);
      break;
    }
    shapes.push_back(ShapeOf(*stream));
  }
  return Outcome::Of(wire::ListStreamsBody(shapes, next));
}

Outcome KinesisApi::Impl::ListShards(const Json& body) const {
  wire::ListShardsRequest request;
  if (auto fault = wire::ParseRequest(body, request)) return Outcome::Failed(std::move(*fault));
  PageToken place;
  if (request.stream) {
    if (auto fault = CheckAccount(*request.stream)) return Outcome::Failed(std::move(*fault));
    if (auto fault = CheckFilter(request.filter)) return Outcome::Failed(std::move(*fault));
    place.stream = request.stream->name;
    place.filter = request.filter;
    place.after = request.exclusive_start_shard_id;
  } else if (auto fault = DecodePageToken(request.next_token, clock.Now(), place)) {
    return Outcome::Failed(std::move(*fault));
  }
  const Result<broker::StreamSnapshot> found = broker.Snapshot(place.stream);
  if (!found.ok()) return Outcome::Failed(FaultOf(found.error(), place.stream));
  const broker::Stream& stream = **found;
  const bool replaced = !request.stream && stream.incarnation != place.incarnation;
  const bool other_age =
      request.stream_created &&
      std::chrono::abs(*request.stream_created - stream.created) >= std::chrono::seconds(1);
  if (replaced || other_age) return Outcome::Failed(StreamNotFound(place.stream));
  if (stream.status != broker::StreamStatus::kActive && stream.status != broker::StreamStatus::kUpdating) {
    return Outcome::Failed(NotActive(place.stream, stream.status));
  }
  const std::optional<std::uint32_t> after = broker::ParseShardId(place.after);
  if (!place.after.empty() && !after) {
    return Outcome::Failed(
        {FaultName::kResourceNotFoundException,
         "Could not find shard " + place.after + " in stream " + place.stream + Account() + "."});
  }
  // The horizon of a young stream is its birth.
  const Timestamp retained = clock.Now() - std::chrono::hours(stream.retention_hours);
  const std::int64_t horizon_s = ToMs(std::max(retained, stream.created)) / 1000;
  std::vector<wire::ShardShape> shards;
  std::string next;
  for (const broker::Shard& shard : stream.shards) {
    if ((after && shard.index <= *after) || !Passes(shard, place.filter, horizon_s)) continue;
    if (shards.size() == static_cast<std::size_t>(request.max_results)) {
      place.issued = clock.Now();
      place.incarnation = stream.incarnation;
      place.after = shards.back().shard_id;
      next = EncodePageToken(place);
      break;
    }
    shards.push_back(kinesis::ShapeOf(shard));
  }
  return Outcome::Of(wire::ListShardsBody(shards, next));
}

async::Task<Outcome> KinesisApi::Impl::SetRetention(async::Context ctx, const Json& body,
                                                    wire::Operation operation) {
  wire::RetentionRequest request;
  std::optional<Fault> fault = wire::ParseRequest(body, request);
  if (!fault) fault = CheckAccount(request.stream);
  if (fault) co_return Outcome::Failed(std::move(*fault));
  const std::string& name = request.stream.name;
  const Result<broker::StreamSnapshot> found = broker.Snapshot(name);
  if (!found.ok()) co_return Outcome::Failed(FaultOf(found.error(), name));
  const broker::Stream& stream = **found;
  if (stream.status != broker::StreamStatus::kActive)
    co_return Outcome::Failed(NotActive(name, stream.status));
  if (auto out_of_bounds = wire::CheckRetention(request.hours))
    co_return Outcome::Failed(std::move(*out_of_bounds));
  const bool increase = operation == wire::Operation::kIncreaseStreamRetentionPeriod;
  if (increase ? request.hours < stream.retention_hours : request.hours > stream.retention_hours) {
    co_return Outcome::Failed({FaultName::kInvalidArgumentException,
                               "Requested retention period (" + std::to_string(request.hours) +
                                   " hours) for stream " + name + " can not be " +
                                   (increase ? "shorter" : "longer") + " than existing retention period (" +
                                   std::to_string(stream.retention_hours) + " hours). Use " +
                                   (increase ? "Decrease" : "Increase") + "RetentionPeriod API."});
  }
  if (request.hours == stream.retention_hours) co_return Outcome();
  const Result<void> set = co_await broker.SetRetention(std::move(ctx), name, request.hours);
  if (!set.ok()) co_return Outcome::Failed(FaultOf(set.error(), name));
  co_return Outcome();
}

}  // namespace honryu::api::kinesis
