#include "honryu/codec/base64.h"
#include "honryu/codec/endian.h"
#include "impl.h"
#include "record.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <ctime>

namespace honryu::broker {
namespace {

// A token has the outer shape of Kinesis's own: eight bytes that count to 1, then blocks of 16 bytes, as many
// as the stream's name asks for. Inside: incarnation u64, shard u32, offset u64, issue time u64 (ms), name,
// zeros, and the first 16 bytes of an HMAC-SHA-256 of all before. A name holds no zero byte.
constexpr std::string_view kTokenStart("\0\0\0\0\0\0\0\1", 8);
constexpr std::size_t kMacSize = 16;
constexpr std::size_t kFixedSize = kTokenStart.size() + 8 + 4 + 8 + 8;
constexpr std::size_t TokenSize(std::size_t name) { return 152 + (name + 2) / 16 * 16; }
static_assert(TokenSize(0) >= kFixedSize + kMacSize + 13 && TokenSize(128) >= kFixedSize + kMacSize + 128);

std::string Mac(const std::string& key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  const unsigned char* done =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &length);
  HONRYU_CHECK(done != nullptr && length >= kMacSize, "hmac-sha256 is not available");
  return std::string(reinterpret_cast<const char*>(digest), kMacSize);
}

Error Missing(std::string_view stream, std::uint32_t shard) {
  return Error(ErrorCode::kNotFound,
               "shard " + ShardIdText(shard) + " in stream " + std::string(stream) + " does not exist");
}

// "Thu Jan 22 01:22:02 UTC 2015", as Kinesis writes times in messages.
std::string LongTime(Timestamp t) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(t);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a %b %d %H:%M:%S UTC %Y", &parts);
  return text;
}

}  // namespace

std::string Broker::EncodeIterator(const ShardPlace& place) const {
  std::string text;
  text += kTokenStart;
  codec::AppendU64(text, place.incarnation);
  codec::AppendU32(text, place.shard);
  codec::AppendU64(text, place.offset);
  codec::AppendU64(text, static_cast<std::uint64_t>(ToMs(impl_->clock.Now())));
  text += place.stream;
  text.resize(std::max(TokenSize(place.stream.size()) - kMacSize, text.size()), '\0');
  text += Mac(impl_->token_key, text);
  return codec::Base64Encode(text);
}

Result<ShardPlace> Broker::DecodeIterator(std::string_view token) const {
  const Error invalid(ErrorCode::kInvalidArgument, "invalid shard iterator");
  if (token.size() >= 2 && token.front() == '"' && token.back() == '"')
    token = token.substr(1, token.size() - 2);
  if (token.size() > 1024) return invalid;
  const Result<std::string> text = codec::Base64Decode(token);
  if (!text.ok() || text->size() < kFixedSize + kMacSize || !text->starts_with(kTokenStart)) return invalid;
  const std::string_view body = std::string_view(*text).substr(0, text->size() - kMacSize);
  if (CRYPTO_memcmp(Mac(impl_->token_key, body).data(), text->data() + body.size(), kMacSize) != 0)
    return invalid;
  ShardPlace place;
  const char* p = body.data() + kTokenStart.size();
  place.incarnation = codec::LoadU64(p);
  place.shard = codec::LoadU32(p + 8);
  place.offset = codec::LoadU64(p + 12);
  place.issued = TimestampFromMs(static_cast<std::int64_t>(codec::LoadU64(p + 20)));
  const std::string_view name = body.substr(kFixedSize);
  place.stream = std::string(name.substr(0, name.find('\0')));
  const Timestamp now = impl_->clock.Now();
  const std::int64_t life = ToMs(impl_->config.iterator_lifetime);
  if (ToMs(now) - ToMs(place.issued) > life) {
    return Error(ErrorCode::kExpired, "Iterator expired. The iterator was created at time " +
                                          LongTime(place.issued) + " while right now it is " + LongTime(now) +
                                          " which is further in the future than the tolerated delay of " +
                                          std::to_string(life) + " milliseconds.");
  }
  return place;
}

async::Task<Result<ShardPlace>> Broker::FindPlace(async::Context ctx, IteratorRequest request) {
  Result<std::shared_ptr<const StreamState>> found = impl_->FindUsable(request.stream);
  if (!found.ok()) co_return found.error();
  const StreamState& state = **found;
  std::size_t at = 0;
  const Shard* shard = state.FindShard(request.shard, &at);
  if (shard == nullptr) co_return Missing(request.stream, request.shard);
  if (request.counts && impl_->quotas &&
      !impl_->quotas->TakeIterator(state.stream.incarnation, request.shard)) {
    impl_->metrics.throttled_reads.Add();
    co_return QuotaError(request.shard);
  }
  const log::PartitionId partition = state.partitions[at];
  Result<log::PartitionBounds> bounds = impl_->engine.Bounds(partition);
  if (!bounds.ok()) co_return bounds.error();
  ShardPlace place{request.stream, state.stream.incarnation, request.shard, bounds->next, impl_->clock.Now()};
  const Timestamp horizon_time = impl_->clock.Now() - std::chrono::hours(state.stream.retention_hours);

  if (request.type == IteratorType::kLatest) co_return place;
  // Retention drops whole segments late; readers never see what is older than the retention period.
  Result<log::Offset> horizon = co_await impl_->engine.FindByTime(ctx, partition, horizon_time);
  if (!horizon.ok()) co_return horizon.error();
  switch (request.type) {
    case IteratorType::kTrimHorizon:
      place.offset = *horizon;
      break;
    case IteratorType::kAtTimestamp: {
      if (!request.time) co_return Error(ErrorCode::kInvalidArgument, "a timestamp is needed");
      if (*request.time > impl_->clock.Now())
        co_return Error(ErrorCode::kInvalidArgument, "the timestamp lies in the future");
      Result<log::Offset> by_time = co_await impl_->engine.FindByTime(ctx, partition, *request.time);
      if (!by_time.ok()) co_return by_time.error();
      place.offset = std::max(*horizon, *by_time);
      break;
    }
    case IteratorType::kAtSequenceNumber:
    case IteratorType::kAfterSequenceNumber: {
      if (!request.sequence) co_return Error(ErrorCode::kInvalidArgument, "a sequence number is needed");
      const Result<SequenceParts> parts = DecodeSequence(*request.sequence);
      if (!parts.ok()) co_return parts.error();
      if (parts->shard != request.shard) {
        co_return Error(ErrorCode::kInvalidArgument, "the sequence number belongs to " +
                                                         ShardIdText(parts->shard) + ", not to " +
                                                         ShardIdText(request.shard));
      }
      if (parts->shard_created_s != state.created_s[at]) {
        co_return Error(ErrorCode::kInvalidArgument,
                        "the sequence number did not come from this stream, but from one that had its name");
      }
      const log::Offset counter = std::min<std::uint64_t>(parts->counter, log::kMaxOffset);
      const bool after = request.type == IteratorType::kAfterSequenceNumber;
      place.offset = std::max(*horizon, counter + (after ? 1 : 0));
      break;
    }
    case IteratorType::kLatest:
      break;
  }
  co_return place;
}

async::Task<Result<ReadResult>> Broker::Read(async::Context ctx, ShardPlace place, std::uint32_t max_records,
                                             std::uint64_t max_bytes, Duration wait) {
  Result<std::shared_ptr<const StreamState>> found = impl_->FindUsable(place.stream);
  if (!found.ok()) co_return found.error();
  const std::shared_ptr<const StreamState>& state = *found;
  std::size_t at = 0;
  const Shard* shard =
      state->stream.incarnation == place.incarnation ? state->FindShard(place.shard, &at) : nullptr;
  if (shard == nullptr) co_return Missing(place.stream, place.shard);
  const log::PartitionId partition = state->partitions[at];
  const bool counts = impl_->quotas && wait <= Duration::zero();
  if (counts && !impl_->quotas->TakeRead(place.incarnation, place.shard)) {
    impl_->metrics.throttled_reads.Add();
    co_return QuotaError(place.shard);
  }
  log::ReadLimits limits;
  limits.max_records = max_records;
  limits.max_bytes = max_bytes;
  Result<log::ReadOutcome> outcome = co_await impl_->engine.Read(ctx, partition, place.offset, limits);
  if (!outcome.ok()) co_return outcome.error();
  if (outcome->records.empty() && wait > Duration::zero() && !shard->ending && !impl_->stopping) {
    async::Context waiting = ctx;
    waiting.deadline = std::min(ctx.deadline, MonoTime(std::chrono::steady_clock::now() + wait));
    Result<void> woken = co_await impl_->engine.WaitFor(waiting, partition, outcome->next);
    if (woken.ok()) {
      // A shard that has been closed wakes its readers too: they look again at what it has become.
      found = impl_->FindUsable(place.stream);
      if (!found.ok()) co_return found.error();
      shard =
          (*found)->stream.incarnation == place.incarnation ? (*found)->FindShard(place.shard, &at) : nullptr;
      if (shard == nullptr) co_return Missing(place.stream, place.shard);
      outcome = co_await impl_->engine.Read(ctx, partition, outcome->next, limits);
      if (!outcome.ok()) co_return outcome.error();
    } else if (woken.error().code() != ErrorCode::kDeadlineExceeded) {
      co_return woken.error();
    }
  }
  ReadResult result;
  result.records.reserve(outcome->records.size());
  const std::int64_t created_s = state->created_s[at];
  double bytes = 0;
  for (const log::LogRecord& record : outcome->records) {
    const Result<RecordParts> parts = ReadRecord(record.data);
    if (!parts.ok())
      co_return parts.error().WithContext("stream " + place.stream + ", " + ShardIdText(place.shard) +
                                          ", offset " + std::to_string(record.offset));
    bytes += static_cast<double>(parts->data.size());
    result.records.push_back(
        {EncodeSequence({created_s, record.offset, ToMs(record.time) / 1000, place.shard}), record.time,
         parts->partition_key, parts->data, record.sealed});
  }
  if (counts) impl_->quotas->ChargeRead(place.incarnation, place.shard, static_cast<std::uint64_t>(bytes));
  const bool caught_up = outcome->next >= outcome->end;
  if (!caught_up && !outcome->records.empty()) {
    result.behind_latest =
        std::max<Duration>(Duration::zero(), impl_->clock.Now() - outcome->records.back().time);
    // Something is unread: never 0, which means "at the tip".
    if (result.behind_latest == Duration::zero()) result.behind_latest = std::chrono::milliseconds(1);
  }
  if (shard->ending && caught_up) {
    for (const Shard& child : state->stream.shards) {
      if (child.parent == place.shard || child.adjacent_parent == place.shard)
        result.children.push_back(child);
    }
  } else {
    result.next = ShardPlace{place.stream, place.incarnation, place.shard,
                             std::max(outcome->next, place.offset), impl_->clock.Now()};
  }
  StreamMetrics& metrics = state->metrics.Bind(state->stream, impl_->stream_metrics);
  metrics.outgoing_records.Add(static_cast<double>(result.records.size()));
  metrics.outgoing_bytes.Add(bytes);
  if (!result.records.empty()) metrics.SetIteratorAge(place.shard, result.behind_latest);
  co_return result;
}

}  // namespace honryu::broker
