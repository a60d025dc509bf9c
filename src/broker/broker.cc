#include "honryu/broker/broker.h"

#include "honryu/async/one_shot.h"
#include "honryu/obs/log.h"
#include "impl.h"
#include "record.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>

namespace honryu::broker {

BrokerMetrics::BrokerMetrics(obs::Registry& registry)
    : put_seconds(registry.MakeHistogram("honryu_broker_put_seconds", "Time of one put call, until durable.",
                                         obs::LatencyBuckets())),
      rejected_overloaded(registry.MakeCounter("honryu_broker_put_rejected_total", "Put calls refused.",
                                               {{"reason", "overloaded"}})),
      rejected_unavailable(registry.MakeCounter("honryu_broker_put_rejected_total", "Put calls refused.",
                                                {{"reason", "unavailable"}})),
      rejected_other(registry.MakeCounter("honryu_broker_put_rejected_total", "Put calls refused.",
                                          {{"reason", "other"}})),
      throttled_records(registry.MakeCounter("honryu_broker_throttled_records_total",
                                             "WriteProvisionedThroughputExceeded: records above the quota of "
                                             "their shard.")),
      throttled_reads(registry.MakeCounter("honryu_broker_throttled_reads_total",
                                           "ReadProvisionedThroughputExceeded: reads above the quota of "
                                           "their shard.")),
      streams(registry.MakeGauge("honryu_broker_streams", "Streams in any state.")),
      shards(registry.MakeGauge("honryu_broker_open_shards", "Open shards of all streams.")) {}

Broker::Impl::Impl(BrokerConfig c, log::LogEngine& e, log::MetaStore& m, const Clock& k, async::Runtime& r,
                   obs::Registry& g)
    : config(c),
      engine(e),
      meta(m),
      clock(k),
      runtime(r),
      metrics(g),
      stream_metrics(g),
      calls(r, "the broker") {
  if (config.quotas == QuotaProfile::kAws) quotas.emplace(clock);
}

namespace {
constexpr std::string_view kQuotaError = "the quota is used up of ";
}  // namespace

Error QuotaError(std::uint32_t shard) {
  return Error(ErrorCode::kOverloaded, std::string(kQuotaError) + ShardIdText(shard));
}

std::optional<std::uint32_t> ShardOfQuotaError(const Error& error) {
  const std::string_view text = error.message();
  if (error.code() != ErrorCode::kOverloaded || !text.starts_with(kQuotaError)) return std::nullopt;
  return ParseShardId(text.substr(kQuotaError.size()));
}

Broker::Broker(BrokerConfig config, log::LogEngine& engine, log::MetaStore& meta, const Clock& clock,
               async::Runtime& runtime, obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(config, engine, meta, clock, runtime, metrics)) {}

Broker::~Broker() = default;

Result<void> Broker::Start() {
  {
    const std::lock_guard lock(impl_->control);
    HONRYU_TRY_VOID(impl_->LoadKey());
    HONRYU_TRY_VOID(impl_->Load());
  }
  impl_->tasks.Spawn(impl_->runtime.NextExecutor(), "retention", impl_->RetentionLoop());
  impl_->tasks.Spawn(impl_->runtime.NextExecutor(), "autoscale", impl_->AutoscaleLoop());
  return Ok();
}

async::Task<void> Broker::Stop(MonoTime deadline) {
  impl_->stopping = true;
  impl_->tasks.Cancel();
  Result<void> joined = co_await impl_->tasks.Join(deadline);
  if (!joined.ok()) {
    LOG(warn, "the broker's tasks end late", {"tasks", impl_->tasks.RunningNames()});
    Result<void> ended = co_await impl_->tasks.Join();
    (void)ended;
  }
}

const BrokerConfig& Broker::config() const { return impl_->config; }

Result<StreamSnapshot> Broker::Snapshot(std::string_view name) const {
  const std::shared_ptr<const StreamState> state = impl_->Find(name);
  if (state == nullptr) return Error(ErrorCode::kNotFound, "stream " + std::string(name) + " not found");
  return StreamSnapshot(state, &state->stream);
}

std::vector<StreamSnapshot> Broker::Snapshots() const {
  const std::shared_ptr<const StreamTable> now = impl_->Table();
  std::vector<StreamSnapshot> out;
  out.reserve(now->size());
  for (const auto& [name, state] : *now) out.emplace_back(state, &state->stream);
  return out;
}

std::uint64_t Broker::MaxRecordBytes(const StreamAttributes& attributes) const {
  return impl_->MaxRecordBytes(attributes);
}

std::uint64_t Broker::Impl::MaxRecordBytes(const StreamAttributes& attributes) const {
  if (!attributes.max_record_kib) return config.max_record_bytes;
  return std::min<std::uint64_t>(config.max_record_bytes, *attributes.max_record_kib * 1024ULL);
}

Result<void> Broker::Writable() const { return impl_->engine.Writable(); }

// Packing means compression and checksums. Half of a big request is offered to the blocking pool, for its
// client waits; who comes to that half first packs it, so a busy pool delays nothing.
async::Task<Result<void>> Broker::Impl::Pack(std::vector<log::RecordBuilder> builders, std::uint64_t bytes,
                                             std::vector<log::AppendPart>* parts) {
  constexpr std::uint64_t kWorthAHandOver = 128 << 10;
  const std::size_t mine = bytes < kWorthAHandOver ? builders.size() : (builders.size() + 1) / 2;
  struct Half {
    std::vector<log::RecordBuilder> builders;
    std::vector<log::EncodedRecords> packed;
    std::atomic<bool> claimed{false};
    void Finish() {
      for (log::RecordBuilder& builder : builders) packed.push_back(builder.Finish());
    }
  };
  const auto other = std::make_shared<Half>();  // outlives this frame if the wait is cancelled
  async::OneShot<bool> done;
  if (mine < builders.size()) {
    for (std::size_t i = mine; i < builders.size(); ++i) other->builders.push_back(std::move(builders[i]));
    runtime.Post([other, done] {
      if (other->claimed.exchange(true)) return;
      other->Finish();
      done.Set(true);
    });
  }
  for (std::size_t i = 0; i < mine; ++i) (*parts)[i].records = builders[i].Finish();
  if (mine == builders.size()) co_return Ok();
  if (!other->claimed.exchange(true)) {
    other->Finish();
  } else {
    Result<bool> came = co_await done.Wait();
    if (!came.ok()) co_return came.error();
  }
  for (std::size_t i = mine; i < parts->size(); ++i) (*parts)[i].records = std::move(other->packed[i - mine]);
  co_return Ok();
}

async::Task<Result<std::vector<Result<PutPlace>>>> Broker::Put(async::Context ctx, std::string stream,
                                                               std::vector<PutRecordEntry> entries) {
  constexpr Duration kPause = std::chrono::milliseconds(1);
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    Result<std::shared_ptr<const StreamState>> found = impl_->FindUsable(stream);
    if (!found.ok()) co_return found.error();
    const std::shared_ptr<const StreamState>& state = *found;
    Result<std::vector<Result<PutPlace>>> results = co_await impl_->PutBy(ctx, *state, entries);
    if (results.ok() || results.error().code() != ErrorCode::kFenced) {
      impl_->metrics.put_seconds.Observe(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
      co_return results;
    }
    // A shard was closed meanwhile; the same entries go to its children as soon as these are known.
    Result<void> slept = co_await async::SleepFor(ctx, kPause);
    if (!slept.ok()) co_return slept.error();
  }
}

async::Task<Result<std::vector<Result<PutPlace>>>> Broker::Impl::PutBy(
    async::Context ctx, const StreamState& state, const std::vector<PutRecordEntry>& entries) {
  const std::uint64_t max_record = MaxRecordBytes(state.stream.attributes);
  constexpr std::uint32_t kNowhere = ~0u;

  // Route first, so that each shard's body can be sized in one go.
  std::vector<std::uint32_t> routes(entries.size());  // entry -> place in stream.shards, then in `targets`
  std::vector<Result<PutPlace>> results(entries.size());
  std::vector<Traffic::Entry> metered;  // of an on-demand stream
  if (state.traffic != nullptr) metered.reserve(entries.size());
  std::vector<ShardQuotas::Write> writes;  // with quotas: of those entries that are small enough
  std::vector<std::size_t> written;        // entry of each write
  std::uint64_t total_bytes = 0;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const PutRecordEntry& entry = entries[i];
    if (entry.data.size() + entry.partition_key.size() > max_record) {
      results[i] =
          Error(ErrorCode::kTooLarge,
                "record too large: " + std::to_string(entry.data.size() + entry.partition_key.size()) +
                    " bytes with its key, limit " + std::to_string(max_record));
      routes[i] = kNowhere;
      continue;
    }
    const UInt128 hash = entry.explicit_hash_key ? *entry.explicit_hash_key : Md5HashKey(entry.partition_key);
    routes[i] = static_cast<std::uint32_t>(state.Route(hash));
    const std::size_t size = entry.data.size() + entry.partition_key.size();
    if (state.traffic != nullptr) metered.push_back({state.stream.shards[routes[i]].index, hash, size});
    total_bytes += size;
    ++taken;
    if (!quotas) continue;
    writes.push_back({state.stream.shards[routes[i]].index, size});
    written.push_back(i);
  }
  if (quotas) {
    quotas->TakeWrites(state.stream.incarnation, writes);
    for (std::size_t w = 0; w < writes.size(); ++w) {
      if (writes[w].taken) continue;
      results[written[w]] = QuotaError(writes[w].shard);
      routes[written[w]] = kNowhere;
      total_bytes -= writes[w].bytes;
      --taken;
      metrics.throttled_records.Add();
    }
  }
  if (state.sealer == nullptr && !state.stream.attributes.encryption_key.empty()) {
    metrics.rejected_unavailable.Add();
    co_return Error(ErrorCode::kUnavailable, "stream " + state.stream.name + " is encrypted with key " +
                                                 state.stream.attributes.encryption_key +
                                                 ", which is not among storage.encryption_keys");
  }
  // Only the shards that are met get a target: a stream may have thousands, most calls bring a few records.
  struct Target {
    log::RecordBuilder builder;
    std::size_t bytes = 0;
    std::uint32_t count = 0;
  };
  std::vector<std::uint32_t> shards;  // of targets[i]: place in stream.shards; ascending
  shards.reserve(taken);
  for (const std::uint32_t route : routes) {
    if (route != kNowhere) shards.push_back(route);
  }
  if (shards.empty()) co_return results;
  std::sort(shards.begin(), shards.end());
  shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
  std::vector<Target> targets(shards.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (routes[i] == kNowhere) continue;
    routes[i] = static_cast<std::uint32_t>(std::lower_bound(shards.begin(), shards.end(), routes[i]) -
                                           shards.begin());
    const PutRecordEntry& entry = entries[i];
    targets[routes[i]].bytes +=
        4 + RecordSize(entry.partition_key, entry.data, entry.explicit_hash_key.has_value());
  }
  for (Target& target : targets) {
    target.builder = log::RecordBuilder(codec::Compression::kLz4, state.sealer);
    target.builder.Reserve(target.bytes);
  }
  std::vector<std::uint32_t> order(entries.size());  // place of entry i inside its shard's part
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (routes[i] == kNowhere) continue;
    const PutRecordEntry& entry = entries[i];
    Target& target = targets[routes[i]];
    order[i] = target.count++;
    char* out = target.builder.AddRecord(
        RecordSize(entry.partition_key, entry.data, entry.explicit_hash_key.has_value()));
    WriteRecord(out, entry.partition_key, entry.data, entry.explicit_hash_key);
  }
  std::vector<log::AppendPart> parts;  // part i is target i's
  std::vector<log::RecordBuilder> builders;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    parts.push_back({state.partitions[shards[t]], state.epochs[shards[t]], {}});
    builders.push_back(std::move(targets[t].builder));
  }
  Result<void> packed = co_await Pack(std::move(builders), total_bytes, &parts);
  if (!packed.ok()) {
    if (quotas) quotas->ReturnWrites(state.stream.incarnation, writes);
    co_return packed.error();
  }
  Result<std::vector<log::AppendResult>> appended = co_await engine.Append(std::move(ctx), std::move(parts));
  if (!appended.ok()) {
    if (quotas) quotas->ReturnWrites(state.stream.incarnation, writes);
    const ErrorCode code = appended.error().code();
    if (code == ErrorCode::kFenced) co_return appended.error();
    (code == ErrorCode::kOverloaded    ? metrics.rejected_overloaded
     : code == ErrorCode::kUnavailable ? metrics.rejected_unavailable
                                       : metrics.rejected_other)
        .Add();
    co_return appended.error();
  }
  if (state.traffic != nullptr) state.traffic->Add(metered);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (routes[i] == kNowhere) continue;
    const std::uint32_t at = shards[routes[i]];
    const Shard& shard = state.stream.shards[at];
    const log::AppendResult& part = (*appended)[routes[i]];
    PutPlace place;
    place.shard = shard.index;
    place.arrival = part.time;
    place.sequence =
        EncodeSequence({state.created_s[at], part.first + order[i], ToMs(part.time) / 1000, shard.index});
    results[i] = place;
  }
  StreamMetrics& traffic = state.metrics.Bind(state.stream, stream_metrics);
  traffic.incoming_records.Add(static_cast<double>(taken));
  traffic.incoming_bytes.Add(static_cast<double>(total_bytes));
  std::vector<std::pair<std::uint32_t, std::uint32_t>> by_shard;
  by_shard.reserve(targets.size());
  for (std::size_t t = 0; t < targets.size(); ++t)
    by_shard.emplace_back(state.stream.shards[shards[t]].index, targets[t].count);
  traffic.AddIncoming(by_shard);
  co_return results;
}

}  // namespace honryu::broker
