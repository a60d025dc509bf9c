#include "honryu/consumer/worker.h"

#include "consumer/worker_impl.h"
#include "honryu/base/units.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <utility>

namespace honryu::consumer {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(10);

std::string MembersOf(const std::string& application) { return application + ".members"; }

std::vector<std::string> IdsOf(const std::vector<client::ShardDescription>& shards) {
  std::vector<std::string> ids;
  for (const client::ShardDescription& shard : shards) ids.push_back(shard.shard_id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

WorkerConfig Completed(WorkerConfig config) {
  if (config.worker_id.empty()) config.worker_id = RandomUuid();
  return config;
}

}  // namespace

Result<void> WorkerConfig::Validate() const {
  const auto wrong = [](std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
  };
  if (application.empty() || application.size() > 100 || application.find('/') != std::string::npos)
    return wrong("application must have 1 to 100 characters and no '/'");
  if (stream.empty()) return wrong("stream is missing");
  if (worker_id.size() > 128) return wrong("worker_id is longer than 128 characters");
  if (lease_duration <= Duration::zero() || sync_interval <= Duration::zero() ||
      poll_wait <= Duration::zero() || retry_initial <= Duration::zero() || retry_max < retry_initial) {
    return wrong(
        "lease_duration, sync_interval, poll_wait and retry_initial must be above zero, retry_max not below "
        "retry_initial");
  }
  if (max_records < 1 || max_records > 10000) return wrong("max_records must be 1 to 10000");
  if (handler_attempts < 1) return wrong("handler_attempts must be 1 or more");
  if (max_bytes < 1) return wrong("max_bytes must be above zero");
  const std::string& named = dead_letters.stream;
  if (dead_letters.enabled && stream == (named.empty() ? DeadLetterStreamOf(application) : named))
    return wrong("an application cannot set aside what it reads in the stream that it reads: " + stream);
  if (dead_letters.retention_hours < 24 || dead_letters.retention_hours > 8760)
    return wrong("dead_letters.retention_hours must be 24 to 8760");
  HONRYU_TRY_VOID(opening.Validate());
  return Ok();
}

WorkerMetrics::WorkerMetrics(obs::Registry& registry, const WorkerConfig& config) {
  const obs::Labels labels = {{"application", config.application}, {"stream", config.stream}};
  const auto changes = [&](const char* change) {
    obs::Labels with = labels;
    with["change"] = change;
    return registry.MakeCounter("honryu_consumer_lease_changes_total", "Leases taken, released and lost",
                                with);
  };
  const auto errors = [&](const char* reason) {
    obs::Labels with = labels;
    with["reason"] = reason;
    return registry.MakeCounter("honryu_consumer_errors_total", "Failed reads, handler calls and lease looks",
                                with);
  };
  held = registry.MakeGauge("honryu_consumer_held_shards", "Shards whose lease this process holds", labels);
  halted = registry.MakeGauge("honryu_consumer_halted_shards",
                              "Shards not read any further because the handler kept failing", labels);
  unreadable = registry.MakeGauge("honryu_consumer_unreadable_shards",
                                  "Shards not read any further because the log is corrupt there", labels);
  standing_by =
      registry.MakeGauge("honryu_consumer_standing_by",
                         "1 while another process holds the work of an exclusive application", labels);
  taken = changes("taken");
  released = changes("released");
  lost = changes("lost");
  sync_errors = errors("lease");
  read_errors = errors("read");
  handler_errors = errors("handler");
  for (const OpenFailure failure : kOpenFailures) {
    obs::Labels with = labels;
    with["reason"] = OpenFailureName(failure);
    open_failures[failure] =
        registry.MakeCounter("honryu_consumer_open_failures_total", "Records that could not be opened", with);
  }
}

Worker::Impl::Impl(WorkerConfig settings, client::StreamClient& stream_client, Handler& application,
                   async::Executor home, const Clock& source, obs::Registry& metrics_registry,
                   async::Runtime* threads)
    : config(Completed(std::move(settings))),
      client(stream_client),
      handler(application),
      executor(std::move(home)),
      clock(source),
      runtime(threads),
      registry(metrics_registry),
      metrics(registry, config),
      dead_letters(config.dead_letters, config.application, config.stream, client, registry),
      random(async::RetrySeed()) {}

Worker::Worker(WorkerConfig config, client::StreamClient& client, Handler& handler, async::Executor executor,
               const Clock& clock, obs::Registry& metrics, async::Runtime* runtime)
    : impl_(std::make_unique<Impl>(std::move(config), client, handler, std::move(executor), clock, metrics,
                                   runtime)) {}

Worker::~Worker() = default;

void Worker::Start() {
  impl_->started = true;
  impl_->background.Spawn(impl_->executor, "supervise " + impl_->config.application, impl_->Supervise());
  impl_->background.Spawn(impl_->executor, "renew " + impl_->config.application, impl_->RenewAll());
}

async::Task<void> Worker::Stop(MonoTime deadline) {
  impl_->closing.Spawn(impl_->executor, "stop " + impl_->config.application,
                       impl_->StopOnHome(deadline, true));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the stop of a worker was not waited for", {"error", stopped.error()});
}

async::Task<void> Worker::Abandon() {
  impl_->closing.Spawn(impl_->executor, "abandon " + impl_->config.application,
                       impl_->StopOnHome(std::chrono::steady_clock::now(), false));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the end of a worker was not waited for", {"error", stopped.error()});
}

std::vector<std::string> Worker::held_shards() const {
  const std::lock_guard lock(impl_->published_mutex);
  return impl_->published;
}

Result<void> Worker::Ready() const {
  const MonoTime now = std::chrono::steady_clock::now();
  const WorkerConfig& config = impl_->config;
  const Duration patience = std::max(config.lease_duration, 3 * config.sync_interval);
  const std::lock_guard lock(impl_->published_mutex);
  const auto wrong = [&config](const std::string& what) {
    return Error(ErrorCode::kUnavailable, config.application + " on stream " + config.stream + ": " + what);
  };
  if (impl_->published_halted > 0)
    return wrong(std::to_string(impl_->published_halted) + " shards halted because their records failed");
  for (const auto& [shard, trouble] : impl_->troubles) {
    if (trouble.corrupt || now - trouble.since > patience)
      return wrong("shard " + shard + " cannot be read behind " + trouble.position + ": " + trouble.reason);
  }
  if (!impl_->synced_at.has_value())
    return wrong("shards and leases not read yet" +
                 (impl_->sync_error.empty() ? std::string() : ": " + impl_->sync_error));
  if (now - *impl_->synced_at > patience)
    return wrong("shards and leases not read for " +
                 FormatDuration(std::chrono::duration_cast<std::chrono::seconds>(now - *impl_->synced_at)) +
                 ": " + impl_->sync_error);
  return Ok();
}

std::size_t Worker::halted_shards() const {
  const std::lock_guard lock(impl_->published_mutex);
  return impl_->published_halted;
}

void Worker::Impl::PublishSync(const Result<void>& synced) {
  const std::lock_guard lock(published_mutex);
  sync_error = synced.ok() ? std::string() : synced.error().message();
  if (synced.ok()) synced_at = std::chrono::steady_clock::now();
}

void Worker::Impl::PublishRead(const std::string& shard_id, std::optional<Trouble> trouble) {
  const std::lock_guard lock(published_mutex);
  if (trouble.has_value()) {
    const auto [place, fresh] = troubles.try_emplace(shard_id, *trouble);
    if (!fresh) trouble->since = place->second.since;
    place->second = std::move(*trouble);
  } else {
    troubles.erase(shard_id);
  }
  metrics.unreadable.Set(static_cast<double>(
      std::count_if(troubles.begin(), troubles.end(), [](const auto& one) { return one.second.corrupt; })));
}

void Worker::Impl::Publish() {
  std::vector<std::string> ids;
  std::size_t halted = 0;
  for (const auto& [id, held] : shards) {
    ids.push_back(id);
    if (held->phase == HeldShard::Phase::kHalted) ++halted;
  }
  metrics.held.Set(static_cast<double>(ids.size()));
  metrics.halted.Set(static_cast<double>(halted));
  const std::lock_guard lock(published_mutex);
  published = std::move(ids);
  published_halted = halted;
}

async::Task<void> Worker::Impl::Supervise() {
  int failures = 0;
  while (!stopping) {
    Result<void> synced = co_await Sync();
    Duration pause = config.sync_interval;
    // A stream that does not exist yet is waited for: the broker has answered.
    if (synced.ok() || synced.error().code() == ErrorCode::kNotFound) {
      PublishSync(Ok());
    } else {
      PublishSync(synced);
    }
    if (synced.ok()) {
      failures = 0;
    } else if (!stopping) {
      metrics.sync_errors.Add();
      LOG_LIMITED(warn, "shards and leases not read, trying again", {"application", config.application},
                  {"stream", config.stream}, {"error", synced.error()});
      async::RetryPolicy policy;
      policy.initial = config.retry_initial;
      policy.max = config.retry_max;
      pause = config.retry_initial + async::BackoffDelay(policy, std::min(failures++, 20), random);
    }
    for (const auto& [id, held] : shards) held->ShowLag(clock.Now());
    Result<void> slept = co_await async::SleepFor(pause);
    if (!slept.ok()) co_return;
  }
}

async::Task<Result<void>> Worker::Impl::Sync() {
  HONRYU_CO_TRY(std::vector<client::ShardDescription> listed,
                co_await client.ListShards(async::Context::WithTimeout(kCallTimeout), config.stream));
  HONRYU_CO_TRY(std::vector<client::Lease> members,
                co_await client.ListLeases(async::Context::WithTimeout(kCallTimeout),
                                           MembersOf(config.application), config.stream));
  co_await JoinMembers(listed, members);
  HONRYU_CO_TRY(std::vector<client::Lease> leases,
                co_await client.ListLeases(async::Context::WithTimeout(kCallTimeout), config.application,
                                           config.stream));
  if (stopping) co_return Ok();
  TellShards(listed, leases);
  co_await SettleParked();
  const bool stand_by = config.exclusive && !membership.has_value();
  if (stand_by != standing_by) {
    standing_by = stand_by;
    metrics.standing_by.Set(stand_by ? 1 : 0);
    LOG(info, stand_by ? "standing by: another process does this work" : "no longer standing by",
        {"application", config.application}, {"stream", config.stream});
  }
  if (stand_by) {
    GiveBack(shards.size());
    co_return Ok();
  }
  LeaseView view;
  view.shards = listed;
  view.leases = std::move(leases);
  view.members = std::move(members);
  view.worker_id = config.worker_id;
  view.exclusive = config.exclusive;
  view.now = clock.Now();
  for (const auto& [id, held] : shards) {
    view.held.insert(id);
    if (held->phase == HeldShard::Phase::kReadToEnd) view.read_to_end.insert(id);
  }
  const LeasePlan plan = PlanLeases(view);
  GiveBack(plan.give_back);
  for (const std::string& id : plan.take) {
    const auto shard = std::find_if(listed.begin(), listed.end(),
                                    [&id](const client::ShardDescription& s) { return s.shard_id == id; });
    co_await Take(*shard);
    if (stopping) co_return Ok();
  }
  co_return Ok();
}

void Worker::Impl::TellShards(std::vector<client::ShardDescription> listed,
                              const std::vector<client::Lease>& leases) {
  std::erase_if(listed, [&leases](const client::ShardDescription& shard) {
    return std::any_of(leases.begin(), leases.end(), [&shard](const client::Lease& lease) {
      return lease.finished && lease.shard_id == shard.shard_id;
    });
  });
  std::vector<std::string> ids = IdsOf(listed);
  if (ids == known_shards) return;
  known_shards = std::move(ids);
  handler.OnShards(listed);
}

// Holds one lease of the members' application, so that the others see that this worker lives.
async::Task<void> Worker::Impl::JoinMembers(const std::vector<client::ShardDescription>& listed,
                                            const std::vector<client::Lease>& members) {
  if (membership.has_value()) co_return;
  // An exclusive worker's slot does not depend on the shards: those retire when the stream is resharded.
  std::vector<std::string> slots = {std::string(client::kStreamSlot)};
  if (!config.exclusive) slots = IdsOf(listed);
  for (const std::string& slot : slots) {
    const bool taken = std::any_of(members.begin(), members.end(), [&](const client::Lease& lease) {
      return lease.shard_id == slot && Living(lease, clock.Now()) && lease.owner != config.worker_id;
    });
    if (taken) continue;
    Result<client::Lease> lease =
        co_await client.AcquireLease(async::Context::WithTimeout(kCallTimeout), MembersOf(config.application),
                                     config.stream, slot, config.worker_id, config.lease_duration);
    if (lease.ok()) {
      membership = std::move(*lease);
      co_return;
    }
  }
}

async::Task<void> Worker::Impl::Take(client::ShardDescription shard) {
  const std::string id = shard.shard_id;
  const MonoTime asked = std::chrono::steady_clock::now();
  Result<client::Lease> lease =
      co_await client.AcquireLease(async::Context::WithTimeout(kCallTimeout), config.application,
                                   config.stream, id, config.worker_id, config.lease_duration);
  if (!lease.ok()) {
    if (lease.error().code() != ErrorCode::kConflict) {
      metrics.sync_errors.Add();
      LOG_LIMITED(warn, "lease not taken", {"application", config.application}, {"shard", id},
                  {"error", lease.error()});
    }
    co_return;
  }
  auto held = std::make_shared<HeldShard>(client, std::move(shard), std::move(*lease), registry);
  held->renewed = asked;
  if (stopping) held->Stop();
  shards[id] = held;
  metrics.taken.Add();
  LOG(info, "lease taken", {"application", config.application}, {"stream", config.stream}, {"shard", id});
  Publish();
  readers.Spawn(executor, "shard " + id, RunShard(std::move(held)));
}

void Worker::Impl::GiveBack(std::size_t count) {
  for (auto at = shards.rbegin(); at != shards.rend() && count > 0; ++at, --count) {
    if (!at->second->stopping) at->second->Stop();
  }
}

// Releases parked shards (read to their end, or halted) that are finished, lost or to be given back.
async::Task<void> Worker::Impl::SettleParked() {
  std::vector<std::shared_ptr<HeldShard>> parked;
  for (const auto& [id, held] : shards) {
    if (held->phase == HeldShard::Phase::kReading) continue;
    if (held->lease.finished || !Going(*held)) parked.push_back(held);
  }
  for (const std::shared_ptr<HeldShard>& held : parked) co_await Settle(*held);
  if (!parked.empty()) Publish();
}

async::Task<void> Worker::Impl::RenewAll() {
  for (;;) {
    Result<void> slept = co_await async::SleepFor(config.lease_duration / 3);
    if (!slept.ok() || abandoned) co_return;
    if (membership.has_value()) co_await RenewMembership();
    std::vector<std::shared_ptr<HeldShard>> all;
    for (const auto& [id, held] : shards) all.push_back(held);
    for (const std::shared_ptr<HeldShard>& held : all) co_await RenewOne(held);
  }
}

async::Task<void> Worker::Impl::RenewMembership() {
  Result<client::Lease> renewed = co_await client.RenewLease(
      async::Context::WithTimeout(config.lease_duration / 3), *membership, config.lease_duration);
  if (!renewed.ok() && renewed.error().code() == ErrorCode::kFenced) membership.reset();
}

async::Task<void> Worker::Impl::RenewOne(std::shared_ptr<HeldShard> held) {
  if (held->lost || held->phase == HeldShard::Phase::kGone) co_return;
  const MonoTime asked = std::chrono::steady_clock::now();
  const client::Lease lease = held->lease;
  Result<client::Lease> renewed = co_await client.RenewLease(
      async::Context::WithTimeout(config.lease_duration / 3), lease, config.lease_duration);
  if (renewed.ok()) {
    held->renewed = asked;
    co_return;
  }
  metrics.sync_errors.Add();
  LOG_LIMITED(warn, "lease not renewed", {"application", config.application}, {"shard", held->id()},
              {"error", renewed.error()});
  const bool too_late = std::chrono::steady_clock::now() - held->renewed >= config.lease_duration;
  if (renewed.error().code() == ErrorCode::kFenced || too_late) {
    held->Lose();
  }
}

async::Task<void> Worker::Impl::StopOnHome(MonoTime deadline, bool graceful) {
  stopping = true;
  abandoned = !graceful;
  for (const auto& [id, held] : shards) held->Stop();
  if (abandoned) readers.Cancel();
  Result<void> joined = co_await readers.Join(deadline);
  if (!joined.ok()) {
    if (!abandoned)
      LOG(warn, "shards still busy at the deadline, cancelling", {"application", config.application},
          {"tasks", readers.RunningNames()});
    abandoned = true;  // no saves or releases that could wait on
    readers.Cancel();
    joined = co_await readers.Join();
  }
  background.Cancel();
  joined = co_await background.Join();
  // A sync that was under way may have begun another shard meanwhile.
  for (const auto& [id, held] : shards) held->Stop();
  joined =
      co_await readers.Join(std::max(deadline, std::chrono::steady_clock::now() + std::chrono::seconds(1)));
  readers.Cancel();
  joined = co_await readers.Join();
  co_await SettleParked();
  if (membership.has_value() && graceful) {
    Result<void> released =
        co_await client.ReleaseLease(async::Context::WithTimeout(kCallTimeout), *membership);
    if (!released.ok())
      LOG(warn, "membership not released, it will expire", {"application", config.application},
          {"error", released.error()});
    membership.reset();
  }
  Publish();
}

}  // namespace honryu::consumer
