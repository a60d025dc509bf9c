#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "impl.h"

namespace honryu::broker {
namespace {

constexpr int kRowVersion = 1;
constexpr std::size_t kMaxState = 1 << 20;
constexpr std::size_t kMaxName = 128;
/// In place of a shard: a lease on the stream as a whole (client::kStreamSlot).
constexpr std::string_view kStreamSlot = "stream";

std::string LeaseKey(std::string_view stream, std::string_view application, std::string_view shard_id) {
  return "lease/" + std::string(stream) + "/" + std::string(application) + "/" + std::string(shard_id);
}

std::string EncodeLease(const LeaseRow& row) {
  std::string out;
  codec::JsonWriter writer(out);
  writer.BeginObject();
  writer.Key("v");
  writer.Int(kRowVersion);
  writer.Key("application");
  writer.String(row.application);
  writer.Key("stream");
  writer.String(row.stream);
  writer.Key("shard");
  writer.String(row.shard_id);
  writer.Key("owner");
  writer.String(row.owner);
  writer.Key("counter");
  writer.Uint(row.counter);
  writer.Key("expires_ms");
  writer.Int(ToMs(row.expires));
  if (row.checkpoint) {
    writer.Key("checkpoint");
    writer.PlainString(row.checkpoint->ToDecimal());
  }
  writer.Key("finished");
  writer.Bool(row.finished);
  writer.Key("state");
  writer.PlainString(codec::Base64Encode(row.state));
  writer.EndObject();
  return out;
}

Result<LeaseRow> DecodeLease(std::string_view text) {
  HONRYU_TRY(const codec::Json json, codec::Json::Parse(text));
  const auto string = [&json](std::string_view key) {
    const codec::Json* member = json.Find(key);
    return std::string(member == nullptr ? std::string_view() : member->StringOr(""));
  };
  const auto number = [&json](std::string_view key) {
    const codec::Json* member = json.Find(key);
    return member == nullptr ? std::int64_t{0} : member->IntOr(0);
  };
  if (number("v") != kRowVersion) return Error(ErrorCode::kCorrupt, "lease row of unknown version");
  LeaseRow row;
  row.application = string("application");
  row.stream = string("stream");
  row.shard_id = string("shard");
  row.owner = string("owner");
  row.counter = static_cast<std::uint64_t>(number("counter"));
  row.expires = TimestampFromMs(number("expires_ms"));
  if (const std::string checkpoint = string("checkpoint"); !checkpoint.empty()) {
    HONRYU_TRY(row.checkpoint, SequenceNumber::FromDecimal(checkpoint));
  }
  const codec::Json* finished = json.Find("finished");
  row.finished = finished != nullptr && finished->BoolOr(false);
  HONRYU_TRY(row.state, codec::Base64Decode(std::string_view(string("state"))));
  return row;
}

Error Fenced(const LeaseRow& row) {
  return Error(ErrorCode::kFenced,
               "the lease of " + row.application + " on " + row.shard_id + " has changed hands");
}

}  // namespace

// Reads, changes and stores one lease by compare-and-set; tries again when another change came in between.
Result<LeaseRow> Broker::Impl::ChangeLease(
    const std::string& key, const std::function<Result<LeaseRow>(std::optional<LeaseRow>)>& change) {
  for (;;) {
    const Result<log::MetaStore::Entry> entry = meta.Get(key);
    if (!entry.ok() && entry.error().code() != ErrorCode::kNotFound) return entry.error();
    std::optional<LeaseRow> current;
    if (entry.ok()) {
      HONRYU_TRY(current, DecodeLease(entry->value));
    }
    HONRYU_TRY(LeaseRow next, change(std::move(current)));
    const Result<void> stored = meta.Commit({{key, EncodeLease(next), entry.ok() ? entry->version : 0}});
    if (stored.ok()) return next;
    if (stored.error().code() != ErrorCode::kConflict) return stored.error();
  }
}

Result<std::vector<LeaseRow>> Broker::ListLeases(std::string_view application,
                                                 std::string_view stream) const {
  HONRYU_TRY(const std::vector<log::MetaStore::Entry> entries,
             impl_->meta.List(LeaseKey(stream, application, "")));
  std::vector<LeaseRow> rows;
  for (const log::MetaStore::Entry& entry : entries) {
    HONRYU_TRY(LeaseRow row, DecodeLease(entry.value));
    rows.push_back(std::move(row));
  }
  return rows;
}

async::Task<Result<LeaseRow>> Broker::AcquireLease(async::Context, std::string application,
                                                   std::string stream, std::string shard_id,
                                                   std::string owner, Duration duration) {
  if (application.empty() || application.size() > kMaxName || application.find('/') != std::string::npos ||
      owner.empty() || owner.size() > kMaxName) {
    co_return Error(ErrorCode::kInvalidArgument,
                    "application and owner must have 1 to 128 characters, the application no '/'");
  }
  if (duration <= Duration::zero())
    co_return Error(ErrorCode::kInvalidArgument, "a lease needs a duration above zero");
  const std::shared_ptr<const StreamState> state = impl_->Find(stream);
  const std::optional<std::uint32_t> shard = ParseShardId(shard_id);
  const bool known = shard_id == kStreamSlot || (shard && state && state->FindShard(*shard) != nullptr);
  if (state == nullptr || !known) {
    co_return Error(ErrorCode::kNotFound, "shard " + shard_id + " in stream " + stream + " does not exist");
  }
  Impl* impl = impl_.get();
  Result<LeaseRow> changed = co_await impl->calls.Run([impl, application, stream, shard_id, owner, duration] {
    return impl->ChangeLease(
        LeaseKey(stream, application, shard_id), [&](std::optional<LeaseRow> current) -> Result<LeaseRow> {
          const Timestamp now = impl->clock.Now();
          LeaseRow row;
          if (current) {
            const bool living = !current->owner.empty() && current->expires > now;
            if (living && current->owner != owner) {
              return Error(ErrorCode::kConflict, "the lease of " + application + " on " + shard_id +
                                                     " is held by " + current->owner);
            }
            row = std::move(*current);
            if (row.owner != owner) ++row.counter;
          } else {
            row.application = application;
            row.stream = stream;
            row.shard_id = shard_id;
            row.counter = 1;
          }
          row.owner = owner;
          row.expires = now + std::chrono::milliseconds(ToMs(duration));
          return row;
        });
  });
  co_return changed;
}

async::Task<Result<LeaseRow>> Broker::RenewLease(async::Context, LeaseRow held, Duration duration) {
  Impl* impl = impl_.get();
  Result<LeaseRow> changed = co_await impl->calls.Run([impl, held, duration] {
    return impl->ChangeLease(
        LeaseKey(held.stream, held.application, held.shard_id),
        [&](std::optional<LeaseRow> current) -> Result<LeaseRow> {
          if (!current || current->owner != held.owner || current->counter != held.counter)
            return Fenced(held);
          current->expires = impl->clock.Now() + std::chrono::milliseconds(ToMs(duration));
          return std::move(*current);
        });
  });
  co_return changed;
}

async::Task<Result<void>> Broker::SaveCheckpoint(async::Context, LeaseRow held) {
  if (held.state.size() > kMaxState)
    co_return Error(ErrorCode::kTooLarge,
                    "checkpoint state of " + std::to_string(held.state.size()) + " bytes, limit 1 MiB");
  Impl* impl = impl_.get();
  Result<LeaseRow> changed = co_await impl->calls.Run([impl, held] {
    return impl->ChangeLease(
        LeaseKey(held.stream, held.application, held.shard_id),
        [&](std::optional<LeaseRow> current) -> Result<LeaseRow> {
          if (!current || current->owner != held.owner || current->counter != held.counter)
            return Fenced(held);
          if (current->checkpoint && (!held.checkpoint || *held.checkpoint < *current->checkpoint)) {
            return Error(ErrorCode::kInvalidArgument, "a checkpoint may not go back");
          }
          current->checkpoint = held.checkpoint;
          current->finished = held.finished;
          current->state = held.state;
          return std::move(*current);
        });
  });
  if (!changed.ok()) co_return changed.error();
  co_return Ok();
}

async::Task<Result<void>> Broker::ReleaseLease(async::Context, LeaseRow held) {
  Impl* impl = impl_.get();
  Result<LeaseRow> changed = co_await impl->calls.Run([impl, held] {
    return impl->ChangeLease(
        LeaseKey(held.stream, held.application, held.shard_id),
        [&](std::optional<LeaseRow> current) -> Result<LeaseRow> {
          if (!current || current->owner != held.owner || current->counter != held.counter)
            return Fenced(held);
          current->owner.clear();
          current->expires = Timestamp();
          ++current->counter;
          return std::move(*current);
        });
  });
  if (!changed.ok()) co_return changed.error();
  co_return Ok();
}

}  // namespace honryu::broker
