#include "honryu/processors/sql/application.h"

#include "honryu/async/retry.h"
#include "honryu/base/random.h"
#include "honryu/obs/log.h"
#include "processors/sql/application_impl.h"

#include <algorithm>
#include <utility>

namespace honryu::processors::sql_app {

namespace {

constexpr int kStateRetentionHours = 168;

}  // namespace

Metrics::Metrics(obs::Registry& registry, const std::string& application) {
  const auto rows = [&](const char* kind) {
    return registry.MakeCounter("honryu_sql_rows_total", "Rows of an application, by kind",
                                {{"application", application}, {"kind", kind}});
  };
  const obs::Labels labels = {{"application", application}};
  rows_in = rows("in");
  rows_out = rows("out");
  error_rows = rows("error");
  late_rows = rows("late");
  dropped =
      registry.MakeCounter("honryu_sql_dropped_total", "Results that the broker refused for good", labels);
  failures = registry.MakeCounter("honryu_sql_failures_total",
                                  "Results or states that could not be stored at first", labels);
  checkpoints = registry.MakeCounter("honryu_sql_checkpoints_total", "States saved", labels);
  rebuilt = registry.MakeCounter("honryu_sql_rebuilt_total",
                                 "Starts from the beginning because the saved state was of no use", labels);
  lane_cuts = registry.MakeCounter("honryu_sql_lane_cuts_total",
                                   "Steps whose records several threads worked on", labels);
  owner = registry.MakeGauge("honryu_sql_owner", "1 while the application runs in this process", labels);
  state_bytes = registry.MakeGauge("honryu_sql_state_bytes", "Memory of its state, roughly", labels);
  state_entries = registry.MakeGauge("honryu_sql_state_entries", "Groups and rows that it holds", labels);
  snapshot_bytes =
      registry.MakeGauge("honryu_sql_snapshot_bytes", "Size of the last saved state, packed", labels);
  buffered =
      registry.MakeGauge("honryu_sql_lag_seconds",
                         "How far its clock is behind: it waits for shards that give no answer", labels);
}

Application::Impl::Impl(sqlapp::Deployment what, SqlConfig settings, client::StreamClient& stream_client,
                        async::Runtime& threads, async::Executor home, const Clock& source,
                        obs::Registry& metrics_registry, SpillFactory spill)
    : deployment(std::move(what)),
      config(std::move(settings)),
      client(stream_client),
      runtime(threads),
      executor(std::move(home)),
      clock(source),
      registry(metrics_registry),
      metrics(registry, deployment.name),
      owner_id(deployment.name + "-" + RandomUuid()),
      store(client, config.state_stream, deployment.name),
      random(async::RetrySeed()),
      make_spill(std::move(spill)) {}

void Application::Impl::Wake() { wake.Set(Ok()); }

async::Task<void> Application::Impl::Pause(Duration duration) {
  const bool woken_before = wake.ready();
  wake = async::OneShot<void>();
  if (ending() || woken_before) co_return;
  const async::OneShot<void> waiting = wake;
  Result<void> woken = co_await waiting.Wait(std::chrono::steady_clock::now() + duration);
  if (!woken.ok() && woken.error().code() == ErrorCode::kCancelled) abandoned = true;
}

void Application::Impl::Tell(std::string trouble) {
  const std::lock_guard lock(published_mutex);
  published.trouble = std::move(trouble);
}

void Application::Impl::Publish() {
  const sqlapp::Machine::Counters now = work->machine->counters();
  const std::size_t bytes = work->machine->StateBytes();
  const std::size_t entries = work->machine->StateEntries();
  metrics.rows_in.Add(static_cast<double>(now.rows_in - state.counters.rows_in));
  metrics.rows_out.Add(static_cast<double>(now.rows_out - state.counters.rows_out));
  metrics.error_rows.Add(static_cast<double>(now.error_rows - state.counters.error_rows));
  metrics.late_rows.Add(static_cast<double>(now.late_rows - state.counters.late_rows));
  metrics.state_bytes.Set(static_cast<double>(bytes));
  metrics.state_entries.Set(static_cast<double>(entries));
  metrics.buffered.Set(static_cast<double>(std::max<std::int64_t>(0, NowMs() - work->machine->now_ms())) /
                       1000);
  state.counters = now;
  state.state_bytes = bytes;
  state.state_entries = entries;
  const std::lock_guard lock(published_mutex);
  published.replaying = !pending.empty();
  published.rows_in = now.rows_in;
  published.rows_out = now.rows_out;
  published.error_rows = now.error_rows;
  published.late_rows = now.late_rows;
  published.state_bytes = bytes;
  published.state_entries = entries;
}

async::Task<Result<void>> Application::Impl::Acquire() {
  if (!state_stream_there) {
    client::StreamSettings settings;
    settings.shards = 1;
    settings.retention_hours = kStateRetentionHours;
    HONRYU_CO_TRY_VOID(co_await client.EnsureStream(Call(), config.state_stream, settings));
    state_stream_there = true;
  }
  Result<client::Lease> held =
      co_await client.AcquireLease(Call(), sqlapp::ApplicationLease(deployment.name), config.state_stream,
                                   std::string(client::kStreamSlot), owner_id, config.lease_duration);
  if (!held.ok()) {
    if (held.error().code() == ErrorCode::kNotFound) state_stream_there = false;
    co_return held.error();
  }
  lease = std::move(*held);
  renewed = std::chrono::steady_clock::now();
  co_return Ok();
}

async::Task<void> Application::Impl::Run(Duration delay) {
  if (delay > Duration::zero()) co_await Pause(delay);
  while (!ending()) {
    Result<void> acquired = co_await Acquire();
    if (acquired.ok()) {
      co_await Own();
      continue;
    }
    const bool other = acquired.error().code() == ErrorCode::kConflict;
    Tell(other ? std::string() : "no lease: " + acquired.error().message());
    if (!other)
      LOG_LIMITED(warn, "no lease, trying again", {"application", deployment.name},
                  {"error", acquired.error()});
    if (!ending()) co_await Pause(config.sync_interval);
  }
}

async::Task<void> Application::Impl::Renew() {
  while (!fenced) {
    Result<void> slept = co_await async::SleepFor(config.lease_duration / 3);
    if (!slept.ok()) co_return;
    const client::Lease held = lease;
    Result<client::Lease> kept = co_await client.RenewLease(
        async::Context::WithTimeout(config.lease_duration / 3), held, config.lease_duration);
    const MonoTime now = std::chrono::steady_clock::now();
    if (kept.ok()) {
      renewed = now;
      continue;
    }
    LOG_LIMITED(warn, "lease not renewed", {"application", deployment.name}, {"error", kept.error()});
    if (kept.error().code() == ErrorCode::kFenced || now - renewed >= config.lease_duration) {
      fenced = true;
      Wake();
    }
  }
}

async::Task<void> Application::Impl::Own() {
  LOG(info, "application taken over", {"application", deployment.name});
  fenced = broken = false;
  async::TaskGroup renewals;
  renewals.Spawn(executor, "renew " + deployment.name, Renew());
  Result<void> loaded = co_await Load();
  for (int failures = 0; !loaded.ok() && !ending(); ++failures) {
    Tell(loaded.error().message());
    LOG_LIMITED(error, "the application cannot begin", {"application", deployment.name},
                {"error", loaded.error()});
    co_await Pause(async::BackoffDelay(async::RetryPolicy(), std::min(failures, 20), random) +
                   config.emit_interval);
    if (!ending()) loaded = co_await Load();
  }
  if (loaded.ok() && !ending()) {
    {
      const std::lock_guard lock(published_mutex);
      published.owner = true;
      published.trouble.clear();
    }
    metrics.owner.Set(1);
    for (const std::unique_ptr<StreamHandler>& handler : handlers) handler->worker.Start();
    co_await Work();
  }
  renewals.Cancel();
  co_await JoinSurely(renewals);
  async::TaskGroup closers;
  closers.Spawn(executor, "end the reading of " + deployment.name, EndWorkers());
  co_await JoinSurely(closers);
  handlers.clear();
  if (!abandoned && !fenced) {
    Result<void> released = co_await client.ReleaseLease(Call(), lease);
    if (!released.ok())
      LOG(warn, "the lease of the application was not released, it will run out",
          {"application", deployment.name}, {"error", released.error()});
  }
  LOG(info, "application given back", {"application", deployment.name}, {"fenced", fenced});
  metrics.owner.Set(0);
  broken = false;
  const std::lock_guard lock(published_mutex);
  published = ApplicationStatus();
}

// Also where we are being cancelled ourselves: the tasks use what goes away next.
async::Task<void> Application::Impl::JoinSurely(async::TaskGroup& group) {
  for (;;) {
    Result<void> joined = co_await group.Join();
    if (joined.ok() || group.running() == 0) co_return;
    co_await async::ClearCancellation();
  }
}

async::Task<void> Application::Impl::EndWorkers() {
  const MonoTime until = std::min(stop_deadline, std::chrono::steady_clock::now() + config.lease_duration);
  for (const std::unique_ptr<StreamHandler>& handler : handlers) {
    if (abandoned) {
      co_await handler->worker.Abandon();
    } else {
      co_await handler->worker.Stop(until);
    }
  }
}

// ---- the face ----

Application::Application(sqlapp::Deployment deployment, SqlConfig config, client::StreamClient& client,
                         async::Runtime& runtime, async::Executor executor, const Clock& clock,
                         obs::Registry& metrics, SpillFactory spill)
    : impl_(std::make_unique<Impl>(std::move(deployment), std::move(config), client, runtime,
                                   std::move(executor), clock, metrics, std::move(spill))) {}

Application::~Application() = default;

void Application::Start(Duration delay) {
  impl_->background.Spawn(impl_->executor, "application " + impl_->deployment.name, impl_->Run(delay));
}

async::Task<void> Application::Impl::StopOnHome(MonoTime deadline, bool graceful) {
  stop_deadline = deadline;
  stopping = true;
  abandoned = !graceful;
  Wake();
  if (!graceful) background.Cancel();
  Result<void> joined = co_await background.Join(graceful ? deadline : MonoTime::max());
  if (!joined.ok()) {
    LOG(warn, "the application is still busy at the deadline", {"application", deployment.name});
    abandoned = true;
    background.Cancel();
    joined = co_await background.Join();
  }
}

async::Task<void> Application::Stop(MonoTime deadline) {
  impl_->closing.Spawn(impl_->executor, "stop " + impl_->deployment.name, impl_->StopOnHome(deadline, true));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the stop of an application was not waited for", {"error", stopped.error()});
}

async::Task<void> Application::Abandon() {
  impl_->closing.Spawn(impl_->executor, "abandon " + impl_->deployment.name,
                       impl_->StopOnHome(std::chrono::steady_clock::now(), false));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the end of an application was not waited for", {"error", stopped.error()});
}

async::Task<void> Application::Impl::SetSavepoint(std::string name, std::uint64_t id) {
  savepoint_name = std::move(name);
  savepoint_id = id;
  Wake();
  co_return;
}

void Application::RequestSavepoint(std::string name, std::uint64_t id) {
  impl_->background.Spawn(impl_->executor, "savepoint", impl_->SetSavepoint(std::move(name), id));
}

const sqlapp::Deployment& Application::deployment() const { return impl_->deployment; }

ApplicationStatus Application::status() const {
  const std::lock_guard lock(impl_->published_mutex);
  return impl_->published;
}

Result<void> Application::Ready() const {
  const ApplicationStatus now = status();
  if (now.trouble.empty()) return Ok();
  return Error(ErrorCode::kUnavailable, "application " + impl_->deployment.name + ": " + now.trouble);
}

}  // namespace honryu::processors::sql_app
