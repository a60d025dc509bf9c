#include "honryu/processors/sql/host.h"

#include "honryu/async/retry.h"
#include "honryu/async/task_group.h"
#include "honryu/kv/database.h"
#include "honryu/obs/log.h"
#include "honryu/sqlapp/program.h"
#include "honryu/sqlapp/query.h"
#include "honryu/sqlstate/kv_spill.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>

namespace honryu::processors::sql_app {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr Duration kStopTimeout = std::chrono::seconds(15);  // of an application that is stopped by hand
/// Between the first attempts of one process at its applications, so that several processes share them.
constexpr Duration kSpread = std::chrono::milliseconds(200);

Result<std::map<std::string, std::string>> ReadPrograms(const std::string& folder) {
  std::map<std::string, std::string> programs;
  if (folder.empty()) {
    programs["kpi"] = BuiltInKpiProgram();
    return programs;
  }
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
    if (entry.path().extension() != ".sql") continue;
    std::error_code ignored;
    if (entry.is_directory(ignored)) continue;
    const std::string name = entry.path().stem().string();
    if (const Result<void> good = sqlapp::CheckApplicationName(name); !good.ok())
      return good.error().WithContext(entry.path().string());
    std::ifstream file(entry.path(), std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!file) return Error(ErrorCode::kIo, "cannot read " + entry.path().string());
    programs[name] = std::move(text);
  }
  if (failed) return Error(ErrorCode::kIo, "cannot read " + folder + ": " + failed.message());
  return programs;
}

Result<sqlapp::Program> Loaded(const std::string& name, const std::string& text) {
  sql::TableFunctionRegistry functions;
  sql::AddBuiltInTableFunctions(functions);
  Result<sqlapp::Program> loaded = sqlapp::LoadProgram(name, text, functions);
  if (!loaded.ok()) return loaded.error().WithContext("application " + name);
  return loaded;
}

}  // namespace

struct Host::Impl {
  Impl(SqlConfig settings, client::StreamClient& stream_client, async::Runtime& threads, async::Executor home,
       const Clock& source, obs::Registry& registry)
      : config(std::move(settings)),
        client(stream_client),
        runtime(threads),
        executor(std::move(home)),
        clock(source),
        metrics(registry),
        catalog(client, config.state_stream),
        random(async::RetrySeed()) {}

  struct Running {
    sqlapp::Deployment deployment;  ///< As it was asked for.
    /// Shared with the task that stops it, which may outlast its place here.
    std::shared_ptr<Application> application;
    std::string fault;
    std::uint64_t savepoint_id = 0;  ///< The last request that was passed on.
  };

  async::Task<void> Run();
  async::Task<void> Sync();
  /// What is to run, by name.
  std::map<std::string, sqlapp::Deployment> Wanted(
      const std::map<std::string, sqlapp::Deployment>& listed) const;
  void Begin(const sqlapp::Deployment& deployment, bool at_start);
  SpillFactory Spills();
  /// Stops one that is not wanted any more, in the background: the next of its name waits for its lease.
  void End(const std::string& name);
  async::Task<void> StopOnHome(MonoTime deadline);
  async::Task<void> StopOne(std::shared_ptr<Application> application, MonoTime deadline);

  const SqlConfig config;
  client::StreamClient& client;
  async::Runtime& runtime;
  const async::Executor executor;
  const Clock& clock;
  obs::Registry& metrics;
  sqlapp::Catalog catalog;
  std::unique_ptr<kv::Database> spills;  ///< Before the applications, whose states lie there.
  Random random;
  std::map<std::string, std::string> programs;  ///< Of the folder.
  std::map<std::string, std::string> begins;    ///< Where each of them begins, as ParseFrom gives it.
  mutable std::mutex mutex;                     ///< Of `running`: changed on the executor only.
  std::map<std::string, Running> running;
  async::TaskGroup background;
  async::TaskGroup stops;
  async::TaskGroup closing;
};

std::map<std::string, sqlapp::Deployment> Host::Impl::Wanted(
    const std::map<std::string, sqlapp::Deployment>& listed) const {
  std::map<std::string, sqlapp::Deployment> wanted;
  for (const auto& [name, text] : programs) {
    sqlapp::Deployment one;
    one.name = name;
    one.sql = text;
    one.from = begins.at(name);
    wanted[name] = std::move(one);
  }
  for (const auto& [name, entry] : listed) {
    const auto file = wanted.find(name);
    if (!entry.sql.empty()) {
      wanted[name] = entry;
    } else if (file != wanted.end()) {
      file->second.running = entry.running;
      file->second.savepoint = entry.savepoint;
      file->second.savepoint_id = entry.savepoint_id;
    }
  }
  return wanted;
}

SpillFactory Host::Impl::Spills() {
  if (spills == nullptr) return nullptr;
  return [this](const std::string& name) -> Result<std::unique_ptr<sql::StateSpill>> {
    HONRYU_TRY(std::unique_ptr<sqlstate::KvSpill> made,
               sqlstate::KvSpill::Open(*spills, name, config.max_spill.bytes));
    return std::unique_ptr<sql::StateSpill>(std::move(made));
  };
}

void Host::Impl::Begin(const sqlapp::Deployment& deployment, bool at_start) {
  Running next;
  next.deployment = deployment;
  const Result<sqlapp::Program> good = Loaded(deployment.name, deployment.sql);
  if (!good.ok()) {
    next.fault = good.error().message();
    LOG(error, "an application does not load", {"application", deployment.name}, {"error", good.error()});
  } else {
    next.application = std::make_shared<Application>(deployment, config, client, runtime, executor, clock,
                                                     metrics, Spills());
    const auto rank = static_cast<std::int64_t>(running.size());
    Duration delay = at_start ? rank * kSpread : Duration::zero();
    if (rank > 0)
      delay += std::chrono::duration_cast<Duration>(
          std::chrono::milliseconds(static_cast<std::int64_t>(random.Below(200))));
    next.application->Start(delay);
  }
  const std::lock_guard lock(mutex);
  running[deployment.name] = std::move(next);
}

void Host::Impl::End(const std::string& name) {
  const std::lock_guard lock(mutex);
  const auto found = running.find(name);
  if (found == running.end()) return;
  if (found->second.application != nullptr)
    stops.Spawn(executor, "stop " + name,
                StopOne(found->second.application, std::chrono::steady_clock::now() + kStopTimeout));
  running.erase(found);
}

async::Task<void> Host::Impl::Sync() {
  const async::Context ctx = async::Context::WithTimeout(kCallTimeout);
  Result<std::map<std::string, sqlapp::Deployment>> listed = co_await catalog.List(ctx);
  // A program of a file that was taken out of the catalogue runs on: it must be there to be stopped.
  bool missing = false;
  for (const auto& [name, text] : programs) {
    if (!listed.ok() || listed->contains(name)) continue;
    sqlapp::Deployment entry;
    entry.name = name;
    entry.from = begins.at(name);
    entry.changed_ms = ToMs(clock.Now());
    Result<void> done = co_await catalog.Register(ctx, std::move(entry));
    if (!done.ok()) listed = done.error();
    missing = true;
  }
  if (missing && listed.ok()) listed = co_await catalog.List(ctx);
  if (!listed.ok()) {
    LOG_LIMITED(warn, "the catalogue of SQL applications was not read, trying again",
                {"error", listed.error()});
    co_return;
  }
  const std::map<std::string, sqlapp::Deployment> wanted = Wanted(*listed);
  std::vector<std::string> ends;
  for (const auto& [name, one] : running) {
    const auto now = wanted.find(name);
    const bool same = now != wanted.end() && now->second.running && now->second.sql == one.deployment.sql &&
                      now->second.version == one.deployment.version &&
                      now->second.changed_ms == one.deployment.changed_ms;
    if (!same) ends.push_back(name);
  }
  for (const std::string& name : ends) End(name);
  for (const auto& [name, one] : wanted) {
    if (!one.running) continue;
    if (!running.contains(name)) Begin(one, false);
    Running& here = running.at(name);
    if (here.application == nullptr || one.savepoint.empty() || here.savepoint_id == one.savepoint_id)
      continue;
    here.savepoint_id = one.savepoint_id;
    // Numbers begin anew when an application was taken out and applied again.
    here.application->RequestSavepoint(one.savepoint,
                                       one.savepoint_id + static_cast<std::uint64_t>(one.changed_ms));
  }
}

async::Task<void> Host::Impl::Run() {
  for (;;) {
    co_await Sync();
    Result<void> slept = co_await async::SleepFor(config.sync_interval);
    if (!slept.ok()) co_return;
  }
}

async::Task<void> Host::Impl::StopOne(std::shared_ptr<Application> application, MonoTime deadline) {
  co_await application->Stop(deadline);
}

async::Task<void> Host::Impl::StopOnHome(MonoTime deadline) {
  background.Cancel();
  Result<void> joined = co_await background.Join();
  for (const auto& [name, one] : running)
    if (one.application != nullptr) stops.Spawn(executor, "stop " + name, StopOne(one.application, deadline));
  joined = co_await stops.Join();
}

Host::Host(SqlConfig config, client::StreamClient& client, async::Runtime& runtime, async::Executor executor,
           const Clock& clock, obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), client, runtime, std::move(executor), clock, metrics)) {
}

Host::~Host() = default;

Result<void> Host::Start() {
  HONRYU_TRY(impl_->programs, ReadPrograms(impl_->config.apps_dir));
  for (const auto& [name, text] : impl_->programs) {
    HONRYU_TRY(const sqlapp::Program program, Loaded(name, text));
    HONRYU_TRY(impl_->begins[name], sqlapp::ParseFrom(program.begin, impl_->clock.Now()));
  }
  if (const std::string& path = impl_->config.spill_path; !path.empty()) {
    // Scratch: what an earlier run left is of no use.
    std::error_code failed;
    std::filesystem::remove_all(path, failed);
    std::filesystem::create_directories(path, failed);
    if (failed) return Error(ErrorCode::kIo, "cannot create " + path + ": " + failed.message());
    kv::OpenOptions options;
    options.path = path;
    HONRYU_TRY(impl_->spills, kv::Database::Open(options, "append-"));
  }
  impl_->background.Spawn(impl_->executor, "sql applications", impl_->Run());
  return Ok();
}

async::Task<void> Host::Stop(MonoTime deadline) {
  impl_->closing.Spawn(impl_->executor, "stop the sql applications", impl_->StopOnHome(deadline));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok())
    LOG(error, "the stop of the applications was not waited for", {"error", stopped.error()});
}

Result<void> Host::Ready() const {
  const std::lock_guard lock(impl_->mutex);
  std::string troubles;
  for (const auto& [name, one] : impl_->running) {
    std::string trouble = one.fault;
    if (one.application != nullptr) {
      if (const Result<void> ready = one.application->Ready(); !ready.ok()) trouble = ready.error().message();
    }
    if (!trouble.empty()) troubles += (troubles.empty() ? "" : "; ") + trouble;
  }
  if (troubles.empty()) return Ok();
  return Error(ErrorCode::kUnavailable, troubles);
}

std::vector<std::pair<std::string, ApplicationStatus>> Host::Applications() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::pair<std::string, ApplicationStatus>> all;
  for (const auto& [name, one] : impl_->running) {
    ApplicationStatus status;
    if (one.application != nullptr) status = one.application->status();
    if (!one.fault.empty()) status.trouble = one.fault;
    all.emplace_back(name, std::move(status));
  }
  return all;
}

}  // namespace honryu::processors::sql_app
