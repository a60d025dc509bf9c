#include "api/kinesis/impl.h"
#include "honryu/broker/sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace honryu::api::kinesis {

using codec::Json;
using wire::Fault;
using wire::FaultName;
using wire::ShardIteratorType;

namespace {

constexpr std::uint64_t kMaxReadBytes = 10 << 20;  // of one GetRecords answer, as Kinesis

Fault Invalid(std::string message) { return {FaultName::kInvalidArgumentException, std::move(message)}; }

broker::IteratorType TypeOf(ShardIteratorType type) {
  switch (type) {
    case ShardIteratorType::kAfterSequenceNumber:
      return broker::IteratorType::kAfterSequenceNumber;
    case ShardIteratorType::kLatest:
      return broker::IteratorType::kLatest;
    case ShardIteratorType::kAtTimestamp:
      return broker::IteratorType::kAtTimestamp;
    case ShardIteratorType::kAtSequenceNumber:
      return broker::IteratorType::kAtSequenceNumber;
    case ShardIteratorType::kTrimHorizon:
      break;
  }
  return broker::IteratorType::kTrimHorizon;
}

}  // namespace

// A record's error is one of two names to every producer library: throttled, or failed for now.
wire::PutResultShape KinesisApi::Impl::PutShapeOf(const Result<broker::PutPlace>& result,
                                                  std::string_view stream) const {
  wire::PutResultShape shape;
  if (result.ok()) {
    shape.shard = result->shard;
    shape.sequence = result->sequence;
  } else if (result.error().code() == ErrorCode::kOverloaded) {
    shape.error = FaultName::kProvisionedThroughputExceededException;
    shape.message = RateExceeded(result.error(), stream);
  } else {
    shape.error = FaultName::kInternalFailure;
    shape.message = "Internal service failure: " + result.error().message();
  }
  return shape;
}

// The server's own limit was judged when the request was read; a stream may have a lower one. As with that,
// one record too many fails the whole call: no retry will ever store it.
std::optional<Fault> KinesisApi::Impl::CheckRecordSizes(const wire::PutRecordsRequest& request) const {
  const Result<broker::StreamSnapshot> stream = broker.Snapshot(request.stream.name);
  if (!stream.ok()) return std::nullopt;  // the put says so
  const std::uint64_t limit = broker.MaxRecordBytes((*stream)->attributes);
  for (const wire::PutEntry& entry : request.entries) {
    const std::size_t size = entry.data.size() + entry.partition_key.size();
    if (size > limit) return wire::RecordTooLarge(size, limit);
  }
  return std::nullopt;
}

async::Task<Outcome> KinesisApi::Impl::Put(async::Context ctx, wire::PutRecordsRequest request, bool single) {
  const std::string& stream = request.stream.name;
  if (auto fault = CheckAccount(request.stream)) co_return Outcome::Failed(std::move(*fault));
  if (request.sequence_for_ordering) {
    const Result<broker::SequenceParts> parts = broker::DecodeSequence(*request.sequence_for_ordering);
    if (!parts.ok() || parts->record_time_s > ToMs(clock.Now()) / 1000) {
      co_return Outcome::Failed(Invalid("ExclusiveMinimumSequenceNumber " +
                                        request.sequence_for_ordering_text + " used in PutRecord on stream " +
                                        stream + Account() + " is invalid."));
    }
  }
  const auto count = static_cast<double>(request.entries.size());
  if (auto fault = CheckRecordSizes(request)) {
    metrics.put_failed.Add(count);
    co_return Outcome::Failed(std::move(*fault));
  }
  std::vector<broker::PutRecordEntry> entries;
  entries.reserve(request.entries.size());
  for (const wire::PutEntry& entry : request.entries) {
    entries.push_back(broker::PutRecordEntry{entry.partition_key, entry.data, entry.explicit_hash_key});
  }
  // `request` owns what the entries point at and stays in this frame until the broker has answered.
  Result<std::vector<Result<broker::PutPlace>>> places =
      co_await broker.Put(std::move(ctx), stream, std::move(entries));
  if (!places.ok()) {
    const ErrorCode code = places.error().code();
    (code == ErrorCode::kOverloaded ? metrics.put_throttled : metrics.put_failed).Add(count);
    // To a writer a stream that is not yet, or no longer, there does not exist.
    if (code == ErrorCode::kFailedPrecondition) co_return Outcome::Failed(StreamNotFound(stream));
    if (code == ErrorCode::kTooLarge) co_return Outcome::Failed(Invalid(places.error().message()));
    co_return Outcome::Failed(FaultOf(places.error(), stream));
  }
  std::vector<wire::PutResultShape> results;
  results.reserve(places->size());
  std::size_t throttled = 0;
  std::size_t failed = 0;
  for (const Result<broker::PutPlace>& place : *places) {
    const wire::PutResultShape& shape = results.emplace_back(PutShapeOf(place, stream));
    if (shape.error) ++(*shape.error == FaultName::kInternalFailure ? failed : throttled);
  }
  metrics.put_throttled.Add(static_cast<double>(throttled));
  metrics.put_failed.Add(static_cast<double>(failed));
  metrics.put_successful.Add(static_cast<double>(results.size() - throttled - failed));
  const Result<broker::StreamSnapshot> now = broker.Snapshot(stream);
  const bool sealed = now.ok() && !(*now)->attributes.encryption_key.empty();
  if (!single) co_return Outcome::Of(wire::PutRecordsBody(results, sealed));
  if (results.empty()) co_return Outcome::Failed({FaultName::kInternalFailure, ""});
  if (results[0].error) {
    // The stream's limit was lowered a moment ago.
    const Error& error = (*places)[0].error();
    co_return Outcome::Failed(error.code() == ErrorCode::kTooLarge ? Invalid(error.message())
                                                                   : FaultOf(error, stream));
  }
  results[0].sealed = sealed;
  co_return Outcome::Of(wire::PutRecordBody(results[0]));
}

namespace {

// What Kinesis says about a starting sequence number before it looks for records.
std::optional<Fault> CheckStart(const wire::GetShardIteratorRequest& request, const broker::Shard& shard,
                                const std::string& account, SequenceNumber& sequence) {
  const std::string& text = request.starting_sequence_number;
  const std::string shard_id = wire::ShardIdOf(shard.index);
  const auto invalid = [&](const char* end) {
    return Invalid("StartingSequenceNumber " + text + " used in GetShardIterator on shard " + shard_id +
                   " in stream " + request.stream.name + account + " is invalid" + end);
  };
  const Result<SequenceNumber> number = SequenceNumber::FromDecimal(text);
  if (!number.ok()) return invalid(".");
  const Result<broker::SequenceParts> parts = broker::DecodeSequence(*number);
  if (!parts.ok()) return invalid(".");
  if (parts->shard != shard.index) {
    // Kinesis reads the number's 32 bits as a signed integer.
    const auto encoded = static_cast<std::int32_t>(parts->shard);
    const std::string encodes =
        encoded < 0 ? fmt::format("shardId-{:012}", encoded) : wire::ShardIdOf(parts->shard);
    return Invalid("Invalid StartingSequenceNumber. It encodes " + encodes +
                   ", while it was used in a call to a shard with " + shard_id);
  }
  const Result<broker::SequenceParts> start = broker::DecodeSequence(shard.starting);
  if (start.ok() && start->shard_created_s != parts->shard_created_s) {
    return invalid(" because it did not come from this stream.");
  }
  if (request.type == ShardIteratorType::kAfterSequenceNumber && parts->counter == broker::kEndCounter) {
    return Invalid(
        "Invalid SequenceNumber for ShardIteratorType AFTER_SEQUENCE_NUMBER, SequenceNumber has reached max "
        "possible "
        "value for the shard.");
  }
  sequence = *number;
  return std::nullopt;
}

}  // namespace

async::Task<Outcome> KinesisApi::Impl::GetShardIterator(async::Context ctx, const Json& body) {
  wire::GetShardIteratorRequest request;
  std::optional<Fault> fault = wire::ParseRequest(body, request);
  if (!fault) fault = CheckAccount(request.stream);
  if (fault) co_return Outcome::Failed(std::move(*fault));
  StartPlace start = co_await FindStart(std::move(ctx), std::move(request), true);
  if (start.fault) co_return Outcome::Failed(std::move(*start.fault));
  co_return Outcome::Of(wire::GetShardIteratorBody(broker.EncodeIterator(start.place)));
}

async::Task<KinesisApi::Impl::StartPlace> KinesisApi::Impl::FindStart(async::Context ctx,
                                                                      wire::GetShardIteratorRequest request,
                                                                      bool counts) {
  const std::string& name = request.stream.name;
  const std::optional<std::uint32_t> index = broker::ParseShardId(request.shard_id);
  if (!index) {
    co_return StartPlace::Failed(
        {FaultName::kResourceNotFoundException,
         "Could not find shard " + request.shard_id + " in stream " + name + Account() + "."});
  }
  const Result<broker::StreamSnapshot> found = broker.Snapshot(name);
  if (!found.ok()) {
    co_return StartPlace::Failed(found.error().code() == ErrorCode::kNotFound
                                     ? ShardMissing(wire::ShardIdOf(*index), name)
                                     : FaultOf(found.error(), name));
  }
  const broker::Stream& stream = **found;
  const auto shard = std::find_if(stream.shards.begin(), stream.shards.end(),
                                  [&index](const broker::Shard& s) { return s.index == *index; });
  if (shard == stream.shards.end()) co_return StartPlace::Failed(ShardMissing(wire::ShardIdOf(*index), name));

  broker::Broker::IteratorRequest find;
  find.stream = name;
  find.shard = *index;
  find.type = TypeOf(request.type);
  find.time = request.time;
  find.counts = counts;
  if (!request.starting_sequence_number.empty() && request.type != ShardIteratorType::kAtTimestamp) {
    SequenceNumber sequence;
    std::optional<Fault> fault = CheckStart(request, *shard, Account(), sequence);
    if (fault) co_return StartPlace::Failed(std::move(*fault));
    find.sequence = sequence;
  }
  const Timestamp now = clock.Now();
  if (request.type == ShardIteratorType::kAtTimestamp && *request.time > now) {
    co_return StartPlace::Failed(Invalid(
        "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
        "timestampInMillis: " +
        std::to_string(ToMs(*request.time)) + ", currentTimestampInMillis: " + std::to_string(ToMs(now))));
  }
  const Result<broker::ShardPlace> place = co_await broker.FindPlace(std::move(ctx), std::move(find));
  if (!place.ok()) {
    co_return StartPlace::Failed(place.error().code() == ErrorCode::kNotFound
                                     ? ShardMissing(wire::ShardIdOf(*index), name)
                                     : FaultOf(place.error(), name));
  }
  StartPlace start;
  start.place = *place;
  start.shard = *shard;
  co_return start;
}

wire::GetRecordsAnswer AnswerOf(const broker::ReadResult& read) {
  wire::GetRecordsAnswer answer;
  answer.records.reserve(read.records.size());
  for (const broker::ReadRecord& record : read.records) {
    answer.records.push_back(wire::RecordShape{record.sequence, record.arrival, record.partition_key,
                                               record.data.view(), record.sealed});
  }
  answer.behind_ms = ToMs(read.behind_latest);
  for (const broker::Shard& child : read.children) {
    wire::ChildShardShape& shape = answer.children.emplace_back();
    shape.shard_id = wire::ShardIdOf(child.index);
    if (child.parent) shape.parents.push_back(wire::ShardIdOf(*child.parent));
    if (child.adjacent_parent) shape.parents.push_back(wire::ShardIdOf(*child.adjacent_parent));
    shape.hash_start = child.hash_start;
    shape.hash_end = child.hash_end;
  }
  return answer;
}

async::Task<Outcome> KinesisApi::Impl::GetRecords(async::Context ctx, const Json& body) {
  wire::GetRecordsRequest request;
  if (auto fault = wire::ParseRequest(body, request)) co_return Outcome::Failed(std::move(*fault));
  const Result<broker::ShardPlace> place = broker.DecodeIterator(request.shard_iterator);
  if (!place.ok()) {
    if (place.error().code() == ErrorCode::kExpired) {
      co_return Outcome::Failed({FaultName::kExpiredIteratorException, place.error().message()});
    }
    co_return Outcome::Failed(Invalid("Invalid ShardIterator."));
  }
  if (request.stream) {
    if (auto fault = CheckAccount(*request.stream)) co_return Outcome::Failed(std::move(*fault));
    if (request.stream->name != place->stream) co_return Outcome::Failed(Invalid("Invalid ShardIterator."));
  }
  const std::string name = place->stream;
  const std::string shard_id = wire::ShardIdOf(place->shard);
  const auto memory = std::make_shared<AnswerMemory::Share>(answer_memory);
  const std::uint64_t room = answer_memory.Room(kMaxReadBytes);
  // One that waits for records holds nothing yet, and mostly for few.
  if (request.wait <= Duration::zero()) memory->Hold(room);
  const Result<broker::ReadResult> read = co_await broker.Read(
      std::move(ctx), *place, static_cast<std::uint32_t>(request.limit), room, request.wait);
  if (!read.ok()) {
    co_return Outcome::Failed(read.error().code() == ErrorCode::kNotFound ? ShardMissing(shard_id, name)
                                                                          : FaultOf(read.error(), name));
  }
  wire::GetRecordsAnswer answer = AnswerOf(*read);
  if (read->next) answer.next_iterator = broker.EncodeIterator(*read->next);
  Outcome outcome = Outcome::Of(wire::GetRecordsBody(answer));
  memory->Hold(outcome.body.size());
  outcome.memory = memory;
  co_return outcome;
}

}  // namespace honryu::api::kinesis
