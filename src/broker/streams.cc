#include "honryu/base/random.h"
#include "honryu/obs/log.h"
#include "impl.h"

#include <algorithm>

namespace honryu::broker {
namespace {

Error NotFound(std::string_view name) {
  return Error(ErrorCode::kNotFound, "stream " + std::string(name) + " not found");
}

}  // namespace

std::shared_ptr<const StreamState> Broker::Impl::Find(std::string_view name) const {
  const std::shared_ptr<const StreamTable> now = Table();
  const auto found = now->find(name);
  return found == now->end() ? nullptr : found->second;
}

Result<std::shared_ptr<const StreamState>> Broker::Impl::FindUsable(std::string_view name) const {
  std::shared_ptr<const StreamState> state = Find(name);
  if (state == nullptr || state->stream.status == StreamStatus::kDeleting) return NotFound(name);
  if (state->stream.status != StreamStatus::kActive && state->stream.status != StreamStatus::kUpdating) {
    return Error(ErrorCode::kFailedPrecondition, "stream " + std::string(name) + " is not ACTIVE");
  }
  return state;
}

void Broker::Impl::Publish(std::shared_ptr<StreamState> state) {
  if (state->stream.attributes.mode != StreamMode::kOnDemand) {
    state->traffic.reset();
  } else if (state->traffic == nullptr) {
    state->traffic = std::make_shared<Traffic>();
  }
  if (const std::string& key = state->stream.attributes.encryption_key;
      state->sealer == nullptr || state->sealer->key_id() != key) {
    state->sealer = key.empty() || config.keys == nullptr ? nullptr : config.keys->MakeSealer(key);
    if (state->sealer == nullptr && !key.empty())
      LOG(error, "a stream's encryption key is not configured; it takes no records",
          {"stream", state->stream.name}, {"key", key});
  }
  auto next = std::make_shared<StreamTable>(*Table());
  (*next)[state->stream.name] = std::move(state);
  Replace(std::move(next));
}

void Broker::Impl::Unpublish(const std::string& name) {
  auto next = std::make_shared<StreamTable>(*Table());
  next->erase(name);
  Replace(std::move(next));
}

void Broker::Impl::Replace(std::shared_ptr<const StreamTable> next) {
  metrics.streams.Set(static_cast<double>(next->size()));
  std::size_t shards = 0;
  for (const auto& [name, stream] : *next) shards += stream->open.size();
  metrics.shards.Set(static_cast<double>(shards));
  std::atomic_store(&table, std::move(next));
}

// A durable counter: no number is ever given twice.
Result<std::uint64_t> Broker::Impl::NextNumber(const char* key) {
  const Result<log::MetaStore::Entry> entry = meta.Get(key);
  if (!entry.ok() && entry.error().code() != ErrorCode::kNotFound) return entry.error();
  const std::uint64_t next = entry.ok() ? std::stoull(entry->value) + 1 : 1;
  HONRYU_TRY_VOID(meta.Commit({{key, std::to_string(next), entry.ok() ? entry->version : 0}}));
  return next;
}

Result<void> Broker::Impl::Store(StreamState& state, std::optional<std::uint64_t> expected_version) {
  HONRYU_TRY_VOID(meta.Commit({{StreamKey(state.stream.name), EncodeStream(state), expected_version}}));
  HONRYU_TRY(const log::MetaStore::Entry entry, meta.Get(StreamKey(state.stream.name)));
  state.meta_version = entry.version;
  return Ok();
}

Result<void> Broker::Impl::LoadKey() {
  constexpr char kKey[] = "broker/token-key";
  Result<log::MetaStore::Entry> entry = meta.Get(kKey);
  if (!entry.ok()) {
    if (entry.error().code() != ErrorCode::kNotFound) return entry.error();
    std::string key(32, '\0');
    SecureRandomBytes(key.data(), key.size());
    HONRYU_TRY_VOID(meta.Commit({{kKey, key, 0}}));
    entry = meta.Get(kKey);
    if (!entry.ok()) return entry.error();
  }
  token_key = entry->value;
  return Ok();
}

// Becomes the writer of every shard.
Result<void> Broker::Impl::Activate(StreamState& state) {
  HONRYU_TRY(state.epochs, engine.AcquireWriters(state.partitions));
  return Ok();
}

Result<void> Broker::Impl::Load() {
  HONRYU_TRY(const std::vector<log::MetaStore::Entry> rows, meta.List(StreamKey("")));
  for (const log::MetaStore::Entry& row : rows) {
    Result<StreamState> state = DecodeStream(row.value);
    if (!state.ok()) return state.error().WithContext(row.key);
    state->meta_version = row.version;
    const std::string name = state->stream.name;
    if (state->stream.status == StreamStatus::kActive || state->stream.status == StreamStatus::kUpdating) {
      HONRYU_TRY_VOID(Activate(*state));
      const bool updating = state->stream.status == StreamStatus::kUpdating;
      const std::uint64_t incarnation = state->stream.incarnation;
      Publish(std::make_shared<StreamState>(std::move(*state)));
      if (updating) tasks.Spawn(runtime.NextExecutor(), "reshape " + name, Reshape(name, incarnation));
      continue;
    }
    const bool creating = state->stream.status == StreamStatus::kCreating;
    LOG(info, "finishing what a crash had cut short", {"stream", name},
        {"what", creating ? "creation" : "deletion"});
    const std::uint64_t incarnation = state->stream.incarnation;
    Publish(std::make_shared<StreamState>(std::move(*state)));
    tasks.Spawn(runtime.NextExecutor(), "finish " + name, Finish(name, incarnation, Duration::zero()));
  }
  return Ok();
}

async::Task<void> Broker::Impl::Finish(std::string name, std::uint64_t incarnation, Duration delay) {
  constexpr Duration kRetryPause = std::chrono::seconds(1);
  if (delay > Duration::zero()) {
    Result<void> waited = co_await async::SleepFor(delay);
    if (!waited.ok()) co_return;  // stopping: the next start finishes it
  }
  for (;;) {
    Result<void> done = co_await calls.RunInTurn([this, name, incarnation]() -> Result<void> {
      const std::lock_guard lock(control);
      const std::shared_ptr<const StreamState> state = Find(name);
      if (state == nullptr) return Ok();
      return state->stream.status == StreamStatus::kCreating ? FinishCreate(name, incarnation)
                                                             : FinishDelete(name, incarnation);
    });
    if (done.ok() || stopping) co_return;
    LOG_LIMITED(warn, "a stream's creation or deletion failed, trying again", {"stream", name},
                {"error", done.error()});
    Result<void> slept = co_await async::SleepFor(kRetryPause);
    if (!slept.ok()) co_return;
  }
}

Result<void> Broker::Impl::BeginCreate(const std::string& name, int count,
                                       const StreamAttributes& attributes) {
  if (Find(name) != nullptr) return Error(ErrorCode::kAlreadyExists, "stream " + name + " already exists");
  if (static_cast<int>(Table()->size()) >= config.max_streams) {
    return Error(ErrorCode::kTooLarge,
                 "limit of " + std::to_string(config.max_streams) + " streams is reached");
  }
  if (count < 1 || count > config.max_shards_per_stream) {
    return Error(ErrorCode::kTooLarge, "a stream may have 1 to " +
                                           std::to_string(config.max_shards_per_stream) + " shards, found " +
                                           std::to_string(count));
  }
  StreamState state;
  state.stream.name = name;
  state.stream.attributes = attributes;
  HONRYU_TRY(state.stream.incarnation, NextNumber("broker/last-incarnation"));
  state.stream.created = clock.Now();
  state.stream.retention_hours = config.default_retention_hours;
  // Kinesis dates the first shards two seconds back: so even the first second's records lie above their
  // starting numbers.
  state.stream.shards = InitialShards(count, state.stream.created - std::chrono::seconds(2));
  // Partition numbers: incarnation in the high half, shard index in the low one.
  for (const Shard& shard : state.stream.shards)
    state.partitions.push_back(state.stream.incarnation << 32 | shard.index);
  state.epochs.assign(state.partitions.size(), 0);
  state.next_shard = static_cast<std::uint32_t>(count);
  state.SortOpen();
  HONRYU_TRY_VOID(Store(state, 0));
  Publish(std::make_shared<StreamState>(std::move(state)));
  return Ok();
}

Result<void> Broker::Impl::FinishCreate(const std::string& name, std::uint64_t incarnation) {
  const std::shared_ptr<const StreamState> current = Find(name);
  if (current == nullptr || current->stream.incarnation != incarnation ||
      current->stream.status != StreamStatus::kCreating)
    return Ok();
  StreamState state = *current;
  HONRYU_TRY_VOID(engine.CreatePartitions(state.partitions, incarnation));
  HONRYU_TRY_VOID(Activate(state));
  state.stream.status = StreamStatus::kActive;
  const std::uint64_t version = state.meta_version;
  HONRYU_TRY_VOID(Store(state, version));
  Publish(std::make_shared<StreamState>(std::move(state)));
  LOG(info, "stream created", {"stream", name}, {"shards", current->stream.shards.size()});
  return Ok();
}

Result<void> Broker::Impl::BeginDelete(const std::string& name) {
  const std::shared_ptr<const StreamState> current = Find(name);
  if (current == nullptr) return NotFound(name);
  if (current->stream.status == StreamStatus::kDeleting)
    return Error(ErrorCode::kFailedPrecondition, "stream " + name + " is being deleted");
  StreamState state = *current;
  state.stream.status = StreamStatus::kDeleting;
  const std::uint64_t version = state.meta_version;
  HONRYU_TRY_VOID(Store(state, version));
  if (current->stream.status == StreamStatus::kCreating) {
    // Its shards were never there to be seen.
    state.stream.shards.clear();
    state.partitions.clear();
    state.epochs.clear();
    state.SortOpen();
  }
  Publish(std::make_shared<StreamState>(std::move(state)));
  return Ok();
}

Result<void> Broker::Impl::FinishDelete(const std::string& name, std::uint64_t incarnation) {
  const std::shared_ptr<const StreamState> current = Find(name);
  if (current == nullptr || current->stream.incarnation != incarnation) return Ok();
  const Result<void> dropped = engine.DropGroup(incarnation);
  if (!dropped.ok() && dropped.error().code() != ErrorCode::kNotFound) return dropped;
  std::vector<log::MetaStore::Write> writes{{StreamKey(name), std::nullopt, std::nullopt}};
  HONRYU_TRY(const std::vector<log::MetaStore::Entry> leases, meta.List("lease/" + name + "/"));
  for (const log::MetaStore::Entry& lease : leases) writes.push_back({lease.key, std::nullopt, std::nullopt});
  HONRYU_TRY_VOID(meta.Commit(writes));
  Unpublish(name);
  LOG(info, "stream deleted", {"stream", name});
  return Ok();
}

Result<void> Broker::Impl::ChangeRetention(const std::string& name, int hours) {
  HONRYU_TRY(const std::shared_ptr<const StreamState> current, FindUsable(name));
  StreamState state = *current;
  state.stream.retention_hours = hours;
  const std::uint64_t version = state.meta_version;
  HONRYU_TRY_VOID(Store(state, version));
  Publish(std::make_shared<StreamState>(std::move(state)));
  return Ok();
}

async::Task<Result<void>> Broker::CreateStream(async::Context, std::string name, int shards,
                                               StreamAttributes attributes, bool linger) {
  Impl* impl = impl_.get();
  Result<void> begun = co_await impl->calls.RunInTurn([impl, name, shards, attributes] {
    const std::lock_guard lock(impl->control);
    return impl->BeginCreate(name, shards, attributes);
  });
  if (!begun.ok()) co_return begun;
  const std::shared_ptr<const StreamState> state = impl->Find(name);
  if (state == nullptr) co_return Ok();
  impl->tasks.Spawn(
      impl->runtime.NextExecutor(), "finish " + name,
      impl->Finish(name, state->stream.incarnation, linger ? impl->config.update_delay : Duration::zero()));
  co_return Ok();
}

async::Task<Result<void>> Broker::DeleteStream(async::Context, std::string name, bool linger) {
  Impl* impl = impl_.get();
  Result<void> begun = co_await impl->calls.RunInTurn([impl, name] {
    const std::lock_guard lock(impl->control);
    return impl->BeginDelete(name);
  });
  if (!begun.ok()) co_return begun;
  const std::shared_ptr<const StreamState> state = impl->Find(name);
  if (state == nullptr) co_return Ok();
  impl->tasks.Spawn(
      impl->runtime.NextExecutor(), "finish " + name,
      impl->Finish(name, state->stream.incarnation, linger ? impl->config.update_delay : Duration::zero()));
  co_return Ok();
}

async::Task<Result<void>> Broker::WaitActive(async::Context ctx, std::string name) {
  for (;;) {
    const std::shared_ptr<const StreamState> state = impl_->Find(name);
    if (state == nullptr) co_return NotFound(name);
    if (state->stream.status == StreamStatus::kActive) co_return Ok();
    if (state->stream.status == StreamStatus::kDeleting)
      co_return Error(ErrorCode::kFailedPrecondition, "stream " + name + " is being deleted");
    Result<void> slept = co_await async::SleepFor(ctx, std::chrono::milliseconds(5));
    if (!slept.ok()) co_return slept;
  }
}

Result<Stream> Broker::Describe(std::string_view name) const {
  const std::shared_ptr<const StreamState> state = impl_->Find(name);
  if (state == nullptr) return NotFound(name);
  return state->stream;
}

std::vector<Stream> Broker::List() const {
  std::vector<Stream> out;
  const std::shared_ptr<const StreamTable> now = impl_->Table();
  for (const auto& [name, state] : *now) out.push_back(state->stream);
  return out;
}

async::Task<Result<void>> Broker::SetRetention(async::Context, std::string name, int hours) {
  Impl* impl = impl_.get();
  Result<void> changed = co_await impl->calls.RunInTurn([impl, name, hours] {
    const std::lock_guard lock(impl->control);
    return impl->ChangeRetention(name, hours);
  });
  co_return changed;
}

void Broker::Impl::EnforceRetention() {
  const std::shared_ptr<const StreamTable> now = Table();
  for (const auto& [name, state] : *now) {
    if (state->stream.status != StreamStatus::kActive) continue;
    if (state->open.size() != state->stream.shards.size()) {
      const std::lock_guard lock(control);
      if (const Result<void> retired = RetireShards(name); !retired.ok())
        LOG_LIMITED(warn, "closed shards not retired", {"stream", name}, {"error", retired.error()});
    }
    const Result<log::RetentionReport> report = engine.EnforceRetention(
        state->stream.incarnation, clock.Now() - std::chrono::hours(state->stream.retention_hours),
        config.retention_bytes);
    if (!report.ok()) {
      LOG_LIMITED(warn, "retention failed", {"stream", name}, {"error", report.error()});
    } else if (report->segments_dropped > 0) {
      LOG(info, "retention dropped old segments", {"stream", name}, {"segments", report->segments_dropped},
          {"bytes", report->bytes_dropped});
    }
  }
}

async::Task<void> Broker::Impl::RetentionLoop() {
  for (;;) {
    Result<void> slept = co_await async::SleepFor(config.retention_check);
    if (!slept.ok()) break;
    Result<void> done = co_await calls.Run([this] {
      EnforceRetention();
      return Ok();
    });
    if (!done.ok()) break;
  }
}

async::Task<void> Broker::Impl::AutoscaleLoop() {
  std::map<std::uint64_t, Autoscaler> scalers;  // by incarnation
  auto last = std::chrono::steady_clock::now();
  for (;;) {
    Result<void> slept = co_await async::SleepFor(config.on_demand.interval);
    if (!slept.ok()) break;
    const auto now = std::chrono::steady_clock::now();
    const std::shared_ptr<const StreamTable> streams = Table();
    std::map<std::uint64_t, Autoscaler> living;
    for (const auto& [name, state] : *streams) {
      if (state->traffic == nullptr) continue;
      const auto known = scalers.find(state->stream.incarnation);
      Autoscaler& scaler =
          living
              .emplace(state->stream.incarnation,
                       known != scalers.end() ? std::move(known->second) : Autoscaler(config.on_demand))
              .first->second;
      const std::map<std::uint32_t, ShardTraffic> traffic = state->traffic->Take();
      if (state->stream.status != StreamStatus::kActive) continue;
      std::vector<const Shard*> open;
      for (const std::size_t at : state->open) open.push_back(&state->stream.shards[at]);
      const std::optional<std::vector<UInt128>> starts = scaler.Look(open, traffic, now - last, clock.Now());
      if (!starts) continue;
      LOG(info, "an on-demand stream follows its load", {"stream", name}, {"open_shards", open.size()},
          {"target", starts->size()});
      const TargetOf target = [plan = *starts](const StreamState&) -> Result<std::vector<UInt128>> {
        return plan;
      };
      Result<void> begun = co_await StartReshape(name, target);
      if (!begun.ok())
        LOG_LIMITED(warn, "an on-demand stream could not be reshaped", {"stream", name},
                    {"error", begun.error()});
    }
    scalers = std::move(living);
    last = now;
  }
}

}  // namespace honryu::broker
