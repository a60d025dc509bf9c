#include "honryu/client/remote_client.h"

#include "honryu/async/one_shot.h"
#include "honryu/async/retry.h"
#include "honryu/client/signing.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "honryu/wire/fault.h"
#include "honryu/wire/kinesis.h"
#include "honryu/wire/reader.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <mutex>
#include <utility>

namespace honryu::client {

namespace {

using async::Context;
using async::Task;
using codec::Json;
using codec::JsonWriter;
using wire::Operation;

constexpr std::size_t kMaxPutRecords = 500;    // of one PutRecords call, as Kinesis
constexpr std::size_t kMaxPutBytes = 5 << 20;  // of one PutRecords call; every Kinesis takes that much
constexpr Duration kMaxWait = std::chrono::seconds(30);  // of one long poll (docs/formats/extensions.md)
constexpr Duration kPollMargin = std::chrono::milliseconds(200);  // for the answer's way back
constexpr Duration kDefaultPatience = std::chrono::seconds(60);   // for EnsureStream without a deadline
constexpr async::RetryPolicy kReads{};                            // reads are idempotent

// Bounds what is in flight; further callers wait in order of arrival.
class Permits {
 public:
  explicit Permits(std::uint32_t count) : free_(count) {}

  Task<Result<void>> Acquire(MonoTime deadline) {
    const auto turn = std::make_shared<async::OneShot<bool>>();
    {
      const std::lock_guard lock(mutex_);
      if (free_ > 0) {
        --free_;
        co_return Ok();
      }
      waiting_.push_back(turn);
    }
    Result<bool> woken = co_await turn->Wait(deadline);
    if (woken.ok()) co_return Ok();
    {
      const std::lock_guard lock(mutex_);
      const auto at = std::find(waiting_.begin(), waiting_.end(), turn);
      if (at != waiting_.end()) {
        waiting_.erase(at);
        co_return woken.error();
      }
    }
    Release();  // the permit came in the same moment: pass it on
    co_return woken.error();
  }

  void Release() {
    std::shared_ptr<async::OneShot<bool>> next;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        ++free_;
        return;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next->Set(true);
  }

 private:
  std::mutex mutex_;
  std::uint32_t free_;
  std::deque<std::shared_ptr<async::OneShot<bool>>> waiting_;  // shared by the waiter and this queue
};

class PermitGuard {
 public:
  explicit PermitGuard(Permits& permits) : permits_(permits) {}
  ~PermitGuard() { permits_.Release(); }
  PermitGuard(const PermitGuard&) = delete;
  PermitGuard& operator=(const PermitGuard&) = delete;

 private:
  Permits& permits_;
};

// Where to take a shard up again when the iterator of a cursor has expired. As text: "H" trim horizon,
// "T<ms>" time, "A<sequence>" after that record. A cursor is that text, '|', and the iterator.
std::string FallbackOf(const StartPosition& from) {
  if (const auto* time = std::get_if<FromTimestamp>(&from)) return "T" + std::to_string(ToMs(time->time));
  if (const auto* after = std::get_if<AfterSequence>(&from)) return "A" + after->sequence.ToDecimal();
  // Whoever began at the tip and has read nothing yet goes on from when that was, not from the new tip.
  if (std::holds_alternative<FromLatest>(from)) return "T" + std::to_string(ToMs(SystemClock().Now()));
  return "H";
}

Result<StartPosition> PositionOf(std::string_view fallback) {
  const Error broken(ErrorCode::kInvalidArgument, "not a cursor of this client");
  if (fallback == "H") return StartPosition(FromTrimHorizon{});
  if (fallback.size() < 2) return broken;
  if (fallback[0] == 'A') {
    HONRYU_TRY(const SequenceNumber sequence, SequenceNumber::FromDecimal(fallback.substr(1)));
    return StartPosition(AfterSequence{sequence});
  }
  std::int64_t ms = 0;
  const auto read = std::from_chars(fallback.data() + 1, fallback.data() + fallback.size(), ms);
  if (fallback[0] != 'T' || read.ec != std::errc()) return broken;
  return StartPosition(FromTimestamp{TimestampFromMs(ms)});
}

void Member(JsonWriter& json, std::string_view key, std::string_view value) {
  json.Key(key);
  json.String(value);
}

std::string StreamBody(std::string_view stream) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Member(json, "StreamName", stream);
  json.EndObject();
  return body;
}

std::string PutBody(const std::string& stream, const std::vector<PutEntry>& entries, std::size_t begin,
                    std::size_t end) {
  std::size_t size = 128;
  for (std::size_t i = begin; i < end; ++i)
    size += entries[i].data.size() / 3 * 4 + 96 + entries[i].partition_key.size();
  std::string body;
  body.reserve(size);
  body.append(R"({"StreamName":)");
  codec::AppendJsonString(stream, body);
  body.append(R"(,"Records":[)");
  for (std::size_t i = begin; i < end; ++i) {
    body.append(i > begin ? R"(,{"Data":")" : R"({"Data":")");
    codec::AppendBase64(entries[i].data, body);
    body.append(R"(","PartitionKey":)");
    codec::AppendJsonString(entries[i].partition_key, body);
    if (entries[i].explicit_hash_key) {
      body.append(R"(,"ExplicitHashKey":")").append(entries[i].explicit_hash_key->ToDecimal()).append("\"");
    }
    body.push_back('}');
  }
  body.append("]}");
  return body;
}

std::string IteratorBody(const std::string& stream, const std::string& shard_id, const StartPosition& from) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Member(json, "StreamName", stream);
  Member(json, "ShardId", shard_id);
  json.Key("ShardIteratorType");
  if (const auto* time = std::get_if<FromTimestamp>(&from)) {
    json.PlainString("AT_TIMESTAMP");
    std::string seconds;
    wire::AppendSeconds(time->time, seconds);
    json.Key("Timestamp");
    json.Raw(seconds);
  } else if (const auto* after = std::get_if<AfterSequence>(&from)) {
    json.PlainString("AFTER_SEQUENCE_NUMBER");
    Member(json, "StartingSequenceNumber", after->sequence.ToDecimal());
  } else {
    json.PlainString(std::holds_alternative<FromLatest>(from) ? "LATEST" : "TRIM_HORIZON");
  }
  json.EndObject();
  return body;
}

std::string ReadBody(const std::string& iterator, std::uint32_t max_records, Duration wait) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Member(json, "ShardIterator", iterator);
  json.Key("Limit");
  json.Uint(std::clamp<std::uint32_t>(max_records, 1, 10000));
  if (wait > Duration::zero()) {
    json.Key("HonryuWaitMillis");
    json.Int(ToMs(wait));
  }
  json.EndObject();
  return body;
}

std::string LeaseBody(const Lease& lease, Duration duration) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Member(json, "Application", lease.application);
  Member(json, "StreamName", lease.stream);
  Member(json, "ShardId", lease.shard_id);
  Member(json, "Owner", lease.owner);
  Member(json, "Counter", std::to_string(lease.counter));
  if (duration > Duration::zero()) {
    json.Key("DurationMillis");
    json.Int(std::max<std::int64_t>(1, ToMs(duration)));
  }
  if (lease.checkpoint) Member(json, "Checkpoint", lease.checkpoint->ToDecimal());
  json.Key("Finished");
  json.Bool(lease.finished);
  json.Key("State");
  json.PlainString(codec::Base64Encode(lease.state));
  json.EndObject();
  return body;
}

Lease LeaseOf(wire::LeaseShape shape) {
  Lease lease;
  lease.application = std::move(shape.application);
  lease.stream = std::move(shape.stream);
  lease.shard_id = std::move(shape.shard_id);
  lease.owner = std::move(shape.owner);
  lease.counter = shape.counter;
  lease.expires = shape.expires;
  lease.checkpoint = shape.checkpoint;
  lease.finished = shape.finished;
  lease.state = std::move(shape.state);
  return lease;
}

Error NotAnAnswer(std::string_view what) {
  return Error(ErrorCode::kInternal, "the broker's answer has no readable " + std::string(what));
}

Result<ShardDescription> ShardOf(const Json& json) {
  ShardDescription shard;
  const auto text = [](const Json* value) {
    return value == nullptr ? std::string() : std::string(value->StringOr(""));
  };
  shard.shard_id = text(json.Find("ShardId"));
  shard.parent_id = text(json.Find("ParentShardId"));
  shard.adjacent_parent_id = text(json.Find("AdjacentParentShardId"));
  const Json* range = json.Find("HashKeyRange");
  const Json* sequences = json.Find("SequenceNumberRange");
  if (shard.shard_id.empty() || range == nullptr || sequences == nullptr) return NotAnAnswer("shard");
  HONRYU_TRY(shard.hash_start, UInt128::FromDecimal(text(range->Find("StartingHashKey"))));
  HONRYU_TRY(shard.hash_end, UInt128::FromDecimal(text(range->Find("EndingHashKey"))));
  shard.open = sequences->Find("EndingSequenceNumber") == nullptr;
  return shard;
}

std::optional<auth::Signer> SignerOf(const RemoteClientConfig& config) {
  if (config.access_key_id.empty()) return std::nullopt;
  auth::Signer signer;
  signer.access_key = config.access_key_id;
  signer.secret = config.secret_access_key;
  return signer;
}

class RemoteClient final : public StreamClient {
 public:
  RemoteClient(http::Client& http, const RemoteClientConfig& config)
      : http_(http),
        endpoint_(http::ParseUrl(config.endpoint)),
        signer_(SignerOf(config)),
        permits_(std::max(1U, config.max_concurrent_puts)) {}

  Task<Result<void>> EnsureStream(Context ctx, std::string stream, StreamSettings settings) override {
    if (ctx.deadline == MonoTime::max()) ctx.deadline = Context::WithTimeout(kDefaultPatience).deadline;
    bool created = false;
    Result<Summary> summary = co_await Summarize(ctx, stream);
    if (!summary.ok() && summary.error().code() == ErrorCode::kNotFound) {
      std::string body;
      JsonWriter json(body);
      json.BeginObject();
      Member(json, "StreamName", stream);
      json.Key("ShardCount");
      json.Int(settings.shards);
      json.EndObject();
      Result<Bytes> answer = co_await Call(ctx, Operation::kCreateStream, std::move(body), kOnce);
      created = answer.ok();
      // In use: somebody else created it just now.
      if (!answer.ok() && answer.error().code() != ErrorCode::kFailedPrecondition) co_return answer.error();
      summary = co_await Summarize(ctx, stream);
    }
    Duration pause = std::chrono::milliseconds(5);
    while (!summary.ok() || summary->status != "ACTIVE") {
      // A stream that is being deleted vanishes before it can be made anew: not found is final here.
      if (!summary.ok()) co_return summary.error();
      Result<void> slept = co_await async::SleepFor(ctx, pause);
      if (!slept.ok()) co_return slept.error();
      pause = std::min<Duration>(pause * 2, std::chrono::milliseconds(500));
      summary = co_await Summarize(ctx, stream);
    }
    // What a new stream keeps is the server's setting, so it is read, not assumed.
    if (!created || summary->retention_hours == settings.retention_hours) co_return Ok();
    std::string body;
    JsonWriter json(body);
    json.BeginObject();
    Member(json, "StreamName", stream);
    json.Key("RetentionPeriodHours");
    json.Int(settings.retention_hours);
    json.EndObject();
    const Operation operation = settings.retention_hours > summary->retention_hours
                                    ? Operation::kIncreaseStreamRetentionPeriod
                                    : Operation::kDecreaseStreamRetentionPeriod;
    Result<Bytes> set = co_await Call(ctx, operation, std::move(body), kRepeatable);
    if (!set.ok()) co_return set.error();
    co_return Ok();
  }

  Task<Result<Duration>> RetentionOf(Context ctx, std::string stream) override {
    Result<Summary> summary = co_await Summarize(ctx, stream);
    if (!summary.ok()) co_return summary.error();
    co_return Duration(std::chrono::hours(summary->retention_hours));
  }

  Task<Result<std::vector<ShardDescription>>> ListShards(Context ctx, std::string stream) override {
    std::vector<ShardDescription> shards;
    std::string body = StreamBody(stream);
    for (;;) {
      Result<Json> answer = co_await Ask(ctx, Operation::kListShards, std::move(body));
      if (!answer.ok()) co_return answer.error();
      const Json* listed = answer->Find("Shards");
      if (listed == nullptr) co_return NotAnAnswer("Shards");
      for (const Json& item : listed->array()) {
        Result<ShardDescription> shard = ShardOf(item);
        if (!shard.ok()) co_return shard.error();
        shards.push_back(std::move(*shard));
      }
      const Json* next = answer->Find("NextToken");
      if (next == nullptr) co_return shards;
      body.clear();
      JsonWriter json(body);
      json.BeginObject();
      Member(json, "NextToken", next->StringOr(""));
      json.EndObject();
    }
  }

  Task<Result<std::vector<Result<PutPosition>>>> Put(Context ctx, std::string stream,
                                                     std::vector<PutEntry> entries) override {
    std::vector<Result<PutPosition>> results;
    results.reserve(entries.size());
    // One call after the other: a key's records keep their order across calls.
    std::size_t most = kMaxPutRecords;  // in the next call
    while (results.size() < entries.size()) {
      const std::size_t begin = results.size();
      std::size_t end = begin;
      for (std::size_t bytes = 0; end < entries.size() && end - begin < most; ++end) {
        bytes += entries[end].data.size() + entries[end].partition_key.size();
        if (bytes > kMaxPutBytes && end > begin) break;
      }
      Result<std::vector<wire::ReceivedPut>> answer = co_await PutSome(ctx, stream, entries, begin, end);
      if (!answer.ok() && answer.error().code() == ErrorCode::kInvalidArgument) {
        // Kinesis refuses a whole call for one bad record: smaller calls find it and store its neighbours.
        if (end - begin == 1) {
          results.emplace_back(answer.error());
          most = kMaxPutRecords;
        } else {
          most = (end - begin) / 2;
        }
        continue;
      }
      if (!answer.ok()) {
        if (begin == 0) co_return answer.error();
        // What came before is known; nothing was sent after.
        results.resize(entries.size(), Result<PutPosition>(answer.error()));
        break;
      }
      for (wire::ReceivedPut& put : *answer) {
        if (put.error) {
          results.emplace_back(std::move(*put.error));
        } else {
          results.emplace_back(PutPosition{std::move(put.shard_id), put.sequence});
        }
      }
    }
    co_return results;
  }

  Task<Result<ReadBatch>> Read(Context ctx, ReadRequest request) override {
    std::string fallback;
    std::string iterator;
    if (const auto* cursor = std::get_if<FromCursor>(&request.from)) {
      const std::size_t bar = cursor->cursor.find('|');
      if (bar == std::string::npos)
        co_return Error(ErrorCode::kInvalidArgument, "not a cursor of this client");
      fallback = cursor->cursor.substr(0, bar);
      iterator = cursor->cursor.substr(bar + 1);
    } else {
      fallback = FallbackOf(request.from);
      Result<std::string> found = co_await FindIterator(ctx, request.stream, request.shard_id, request.from);
      if (!found.ok()) co_return found.error();
      iterator = std::move(*found);
    }
    Duration left = request.wait;
    for (;;) {
      // The poll must end before the caller's deadline does.
      const Duration room = std::max(Duration::zero(), ctx.remaining() - kPollMargin);
      const Duration wait = std::min({left, kMaxWait, room});
      Result<wire::ReceivedRecords> got = co_await GetRecords(ctx, iterator, request.max_records, wait);
      if (!got.ok() && got.error().code() == ErrorCode::kExpired) {
        Result<StartPosition> from = PositionOf(fallback);
        if (!from.ok()) co_return from.error();
        Result<std::string> found = co_await FindIterator(ctx, request.stream, request.shard_id, *from);
        if (!found.ok()) co_return found.error();
        got = co_await GetRecords(ctx, *found, request.max_records, wait);
      }
      if (!got.ok()) co_return got.error();
      left -= wait;
      if (got->records.empty() && !got->next_iterator.empty() && left > Duration::zero() &&
          wait == kMaxWait) {
        iterator = std::move(got->next_iterator);
        continue;
      }
      co_return BatchOf(std::move(*got), fallback);
    }
  }

  Task<Result<std::vector<Lease>>> ListLeases(Context ctx, std::string application,
                                              std::string stream) override {
    std::string body;
    JsonWriter json(body);
    json.BeginObject();
    Member(json, "Application", application);
    Member(json, "StreamName", stream);
    json.EndObject();
    Result<Json> answer = co_await Ask(ctx, Operation::kListLeases, std::move(body));
    if (!answer.ok()) co_return answer.error();
    const Json* listed = answer->Find("Leases");
    if (listed == nullptr) co_return NotAnAnswer("Leases");
    std::vector<Lease> leases;
    for (const Json& item : listed->array()) {
      Result<wire::LeaseShape> shape = wire::ReadLease(item);
      if (!shape.ok()) co_return shape.error();
      leases.push_back(LeaseOf(std::move(*shape)));
    }
    co_return leases;
  }

  Task<Result<Lease>> AcquireLease(Context ctx, std::string application, std::string stream,
                                   std::string shard_id, std::string owner, Duration duration) override {
    Lease wanted;
    wanted.application = std::move(application);
    wanted.stream = std::move(stream);
    wanted.shard_id = std::move(shard_id);
    wanted.owner = std::move(owner);
    Result<Lease> lease =
        co_await LeaseCall(std::move(ctx), Operation::kAcquireLease, LeaseBody(wanted, duration));
    co_return lease;
  }

  Task<Result<Lease>> RenewLease(Context ctx, Lease held, Duration duration) override {
    Result<Lease> lease =
        co_await LeaseCall(std::move(ctx), Operation::kRenewLease, LeaseBody(held, duration));
    co_return lease;
  }

  Task<Result<void>> SaveCheckpoint(Context ctx, Lease held) override {
    Result<Bytes> answer =
        co_await Call(ctx, Operation::kSaveCheckpoint, LeaseBody(held, Duration::zero()), kRepeatable);
    if (!answer.ok()) co_return answer.error();
    co_return Ok();
  }

  Task<Result<void>> ReleaseLease(Context ctx, Lease held) override {
    Result<Bytes> answer =
        co_await Call(ctx, Operation::kReleaseLease, LeaseBody(held, Duration::zero()), kOnce);
    if (!answer.ok()) co_return answer.error();
    co_return Ok();
  }

 private:
  // Whether the http client may send a request a second time when the connection breaks off without an
  // answer: the first one may have been obeyed. A repeated put would store its records twice; who waits for
  // it decides.
  enum class Repeat : std::uint8_t { kOnce, kRepeatable };
  using enum Repeat;

  // One request; the body of a 200, or the error that the answer names.
  Task<Result<Bytes>> Call(const Context& ctx, Operation operation, std::string body, Repeat repeat) {
    if (!endpoint_.ok()) co_return endpoint_.error();
    http::ClientRequest request;
    request.method = "POST";
    request.endpoint = *endpoint_;
    request.headers.Set("Content-Type", "application/x-amz-json-1.1");
    request.headers.Set("X-Amz-Target", wire::OperationTarget(operation));
    request.body = Bytes(std::move(body));
    if (signer_) SignRequest(*signer_, SystemClock().Now(), request);
    request.idempotent = repeat == kRepeatable;
    Result<http::ClientResponse> response = co_await http_.Send(ctx, std::move(request));
    if (!response.ok()) co_return response.error().WithContext(wire::OperationName(operation));
    if (response->status != 200) {
      co_return wire::ErrorFromAnswer(response->status, response->body)
          .WithContext(wire::OperationName(operation));
    }
    co_return std::move(response->body);
  }

  // An idempotent request, retried, with a JSON answer.
  Task<Result<Bytes>> CallAgain(const Context& ctx, Operation operation, const std::string& body) {
    const auto once = [this, &ctx, operation, &body] { return Call(ctx, operation, body, kRepeatable); };
    Result<Bytes> answer = co_await async::Retry(kReads, ctx, once);
    co_return answer;
  }

  Task<Result<Json>> Ask(const Context& ctx, Operation operation, std::string body) {
    Result<Bytes> answer = co_await CallAgain(ctx, operation, body);
    if (!answer.ok()) co_return answer.error();
    Result<Json> json = Json::Parse(*answer);
    if (!json.ok()) co_return NotAnAnswer("JSON body");
    co_return json;
  }

  struct Summary {
    std::string status;
    int retention_hours = 0;
  };
  Task<Result<Summary>> Summarize(const Context& ctx, const std::string& stream) {
    Result<Json> answer = co_await Ask(ctx, Operation::kDescribeStreamSummary, StreamBody(stream));
    if (!answer.ok()) co_return answer.error();
    const Json* description = answer->Find("StreamDescriptionSummary");
    const Json* status = description == nullptr ? nullptr : description->Find("StreamStatus");
    const Json* hours = description == nullptr ? nullptr : description->Find("RetentionPeriodHours");
    if (status == nullptr || hours == nullptr) co_return NotAnAnswer("StreamStatus, RetentionPeriodHours");
    Summary summary;
    summary.status = std::string(status->StringOr(""));
    summary.retention_hours = static_cast<int>(hours->IntOr(0));
    co_return summary;
  }

  Task<Result<std::vector<wire::ReceivedPut>>> PutSome(const Context& ctx, const std::string& stream,
                                                       const std::vector<PutEntry>& entries,
                                                       std::size_t begin, std::size_t end) {
    Result<void> turn = co_await permits_.Acquire(ctx.deadline);
    if (!turn.ok()) co_return turn.error();
    const PermitGuard guard(permits_);
    Result<Bytes> answer =
        co_await Call(ctx, Operation::kPutRecords, PutBody(stream, entries, begin, end), kOnce);
    if (!answer.ok()) co_return answer.error();
    Result<std::vector<wire::ReceivedPut>> puts = wire::ReadPutRecords(*answer);
    if (!puts.ok() || puts->size() != end - begin) co_return NotAnAnswer("Records");
    co_return puts;
  }

  Task<Result<std::string>> FindIterator(const Context& ctx, const std::string& stream,
                                         const std::string& shard_id, const StartPosition& from) {
    Result<Json> answer =
        co_await Ask(ctx, Operation::kGetShardIterator, IteratorBody(stream, shard_id, from));
    if (!answer.ok()) co_return answer.error();
    const Json* iterator = answer->Find("ShardIterator");
    if (iterator == nullptr) co_return NotAnAnswer("ShardIterator");
    co_return std::string(iterator->StringOr(""));
  }

  Task<Result<wire::ReceivedRecords>> GetRecords(const Context& ctx, const std::string& iterator,
                                                 std::uint32_t max_records, Duration wait) {
    const std::string body = ReadBody(iterator, max_records, wait);
    Result<Bytes> answer = co_await CallAgain(ctx, Operation::kGetRecords, body);
    if (!answer.ok()) co_return answer.error();
    Result<wire::ReceivedRecords> records = wire::ReadGetRecords(*answer);
    co_return records;
  }

  Task<Result<Lease>> LeaseCall(Context ctx, Operation operation, std::string body) {
    // The counter fences: taking or renewing one's own lease again changes nothing.
    Result<Bytes> answer = co_await Call(ctx, operation, std::move(body), kRepeatable);
    if (!answer.ok()) co_return answer.error();
    const Result<Json> json = Json::Parse(*answer);
    const Json* lease = json.ok() ? json->Find("Lease") : nullptr;
    if (lease == nullptr) co_return NotAnAnswer("Lease");
    Result<wire::LeaseShape> shape = wire::ReadLease(*lease);
    if (!shape.ok()) co_return shape.error();
    co_return LeaseOf(std::move(*shape));
  }

  static ReadBatch BatchOf(wire::ReceivedRecords got, const std::string& fallback) {
    ReadBatch batch;
    batch.records.reserve(got.records.size());
    for (wire::ReceivedRecords::Record& record : got.records) {
      batch.records.push_back(StreamRecord{record.sequence, record.arrival, std::move(record.partition_key),
                                           std::move(record.data)});
    }
    if (!got.next_iterator.empty()) {
      batch.next = batch.records.empty() ? fallback : "A" + batch.records.back().sequence.ToDecimal();
      batch.next.append("|").append(got.next_iterator);
    }
    batch.children = std::move(got.children);
    batch.behind_latest = std::chrono::milliseconds(got.behind_ms);
    return batch;
  }

  http::Client& http_;
  const Result<http::Endpoint> endpoint_;
  const std::optional<auth::Signer> signer_;
  Permits permits_;
};

}  // namespace

std::unique_ptr<StreamClient> MakeRemoteClient(http::Client& http, RemoteClientConfig config) {
  return std::make_unique<RemoteClient>(http, config);
}

}  // namespace honryu::client
