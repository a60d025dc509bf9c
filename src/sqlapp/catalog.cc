#include "honryu/sqlapp/catalog.h"

#include "honryu/base/random.h"
#include "honryu/codec/compression.h"
#include "honryu/codec/json.h"

#include <algorithm>

namespace honryu::sqlapp {
namespace {

constexpr const char* kLease = "sql-catalog";
constexpr Duration kHold = std::chrono::seconds(5);  // an edit is a matter of milliseconds
constexpr Duration kPause = std::chrono::milliseconds(50);
constexpr std::size_t kMaxPacked = 1 << 20;  // of a lease's state
constexpr std::size_t kMaxPlain = 64 << 20;
constexpr int kStateRetentionHours = 168;

using Deployments = std::map<std::string, Deployment>;

Result<std::string> Encode(const Deployments& deployments) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("v");
  json.Int(1);
  json.Key("applications");
  json.BeginArray();
  for (const auto& [name, one] : deployments) {
    json.BeginObject();
    json.Key("name");
    json.String(one.name);
    json.Key("sql");
    json.String(one.sql);
    json.Key("from");
    json.String(one.from);
    json.Key("running");
    json.Bool(one.running);
    json.Key("version");
    json.Uint(one.version);
    json.Key("changed_ms");
    json.Int(one.changed_ms);
    json.Key("savepoint");
    json.String(one.savepoint);
    json.Key("savepoint_id");
    json.Uint(one.savepoint_id);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  HONRYU_TRY(std::string packed, codec::Compress(codec::Compression::kZstd, text));
  if (packed.size() > kMaxPacked)
    return Error(ErrorCode::kTooLarge, "the applications take " + std::to_string(packed.size()) +
                                           " bytes together, packed; the limit is 1 MiB");
  return packed;
}

Result<Deployments> Decode(std::string_view packed) {
  Deployments deployments;
  if (packed.empty()) return deployments;
  const auto corrupt = [] {
    return Error(ErrorCode::kCorrupt, "the catalogue of SQL applications is damaged");
  };
  const Result<std::string> text = codec::Decompress(codec::Compression::kZstd, packed, kMaxPlain);
  if (!text.ok()) return corrupt();
  const Result<codec::Json> json = codec::Json::Parse(*text);
  if (!json.ok()) return corrupt();
  const codec::Json* version = json->Find("v");
  const codec::Json* list = json->Find("applications");
  if (version == nullptr || version->IntOr(0) != 1 || list == nullptr) return corrupt();
  for (const codec::Json& item : list->array()) {
    const auto text_of = [&item](std::string_view key) {
      const codec::Json* member = item.Find(key);
      return std::string(member == nullptr ? std::string_view() : member->StringOr(""));
    };
    const auto number_of = [&item](std::string_view key) {
      const codec::Json* member = item.Find(key);
      return member == nullptr ? std::int64_t{0} : member->IntOr(0);
    };
    Deployment one;
    one.name = text_of("name");
    one.sql = text_of("sql");
    one.from = text_of("from");
    const codec::Json* running = item.Find("running");
    one.running = running == nullptr || running->BoolOr(true);
    one.version = static_cast<std::uint64_t>(number_of("version"));
    one.changed_ms = number_of("changed_ms");
    one.savepoint = text_of("savepoint");
    one.savepoint_id = static_cast<std::uint64_t>(number_of("savepoint_id"));
    if (one.name.empty()) return corrupt();
    deployments[one.name] = std::move(one);
  }
  return deployments;
}

}  // namespace

Result<void> CheckApplicationName(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), good)) return Ok();
  return Error(ErrorCode::kInvalidArgument,
               "the name of an application has 1 to 64 letters, digits, '_' and '-'");
}

std::string ApplicationLease(std::string_view name) { return "sql." + std::string(name); }

async::Task<Result<Deployments>> Catalog::List(async::Context ctx) {
  Result<std::vector<client::Lease>> leases = co_await client_.ListLeases(ctx, kLease, state_stream_);
  if (!leases.ok() && leases.error().code() == ErrorCode::kNotFound) co_return Deployments();
  if (!leases.ok()) co_return leases.error();
  for (const client::Lease& lease : *leases)
    if (lease.application == kLease && lease.shard_id == client::kStreamSlot) co_return Decode(lease.state);
  co_return Deployments();
}

async::Task<Result<std::uint64_t>> Catalog::Edit(async::Context ctx, Change change) {
  client::StreamSettings settings;
  settings.shards = 1;
  settings.retention_hours = kStateRetentionHours;
  HONRYU_CO_TRY_VOID(co_await client_.EnsureStream(ctx, state_stream_, settings));
  const std::string me = "edit-" + RandomUuid();
  client::Lease lease;
  for (;;) {
    Result<client::Lease> held = co_await client_.AcquireLease(ctx, kLease, state_stream_,
                                                               std::string(client::kStreamSlot), me, kHold);
    if (held.ok()) {
      lease = std::move(*held);
      break;
    }
    if (held.error().code() != ErrorCode::kConflict) co_return held.error();
    Result<void> slept = co_await async::SleepFor(ctx, kPause);
    if (!slept.ok()) co_return slept.error();
  }
  std::uint64_t version = 0;
  const auto edit = [&]() -> Result<std::string> {
    HONRYU_TRY(Deployments all, Decode(lease.state));
    const std::string& name = change.apply.has_value() ? change.apply->name : change.name;
    const auto found = all.find(name);
    if (change.apply.has_value() && change.if_absent && found != all.end()) return std::string();
    if (change.apply.has_value()) {
      Deployment next = *change.apply;
      next.version = found == all.end() ? 1 : found->second.version + 1;
      if (found != all.end()) next.savepoint_id = found->second.savepoint_id;
      version = next.version;
      all[name] = std::move(next);
      return Encode(all);
    }
    if (found == all.end()) return Error(ErrorCode::kNotFound, "no application '" + name + "'");
    Deployment& one = found->second;
    version = one.version;
    if (change.remove) {
      all.erase(name);
    } else if (change.running.has_value()) {
      one.running = *change.running;
    } else {
      one.savepoint = change.savepoint;
      ++one.savepoint_id;
    }
    return Encode(all);
  };
  Result<std::string> state = edit();
  Result<void> saved = Ok();
  if (state.ok() && !state->empty()) {
    lease.state = std::move(*state);
    saved = co_await client_.SaveCheckpoint(ctx, lease);
  }
  Result<void> released = co_await client_.ReleaseLease(ctx, lease);  // else it runs out
  if (!state.ok()) co_return state.error();
  if (!saved.ok()) co_return saved.error();
  co_return version;
}

async::Task<Result<std::uint64_t>> Catalog::Apply(async::Context ctx, Deployment deployment) {
  Change change;
  change.apply = std::move(deployment);
  Result<std::uint64_t> version = co_await Edit(std::move(ctx), std::move(change));
  co_return version;
}

async::Task<Result<void>> Catalog::Register(async::Context ctx, Deployment deployment) {
  Change change;
  change.apply = std::move(deployment);
  change.if_absent = true;
  Result<std::uint64_t> edited = co_await Edit(std::move(ctx), std::move(change));
  if (!edited.ok()) co_return edited.error();
  co_return Ok();
}

async::Task<Result<void>> Catalog::SetRunning(async::Context ctx, std::string name, bool running) {
  Change change;
  change.name = std::move(name);
  change.running = running;
  Result<std::uint64_t> edited = co_await Edit(std::move(ctx), std::move(change));
  if (!edited.ok()) co_return edited.error();
  co_return Ok();
}

async::Task<Result<void>> Catalog::Remove(async::Context ctx, std::string name) {
  Change change;
  change.name = std::move(name);
  change.remove = true;
  Result<std::uint64_t> edited = co_await Edit(std::move(ctx), std::move(change));
  if (!edited.ok()) co_return edited.error();
  co_return Ok();
}

async::Task<Result<void>> Catalog::AskSavepoint(async::Context ctx, std::string name, std::string savepoint) {
  Change change;
  change.name = std::move(name);
  change.savepoint = std::move(savepoint);
  Result<std::uint64_t> edited = co_await Edit(std::move(ctx), std::move(change));
  if (!edited.ok()) co_return edited.error();
  co_return Ok();
}

}  // namespace honryu::sqlapp
