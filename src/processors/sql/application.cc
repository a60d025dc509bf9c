#include "honryu/processors/sql/application.h"

#include "honryu/async/retry.h"
#include "honryu/base/crc32c.h"
#include "honryu/base/random.h"
#include "honryu/codec/compression.h"
#include "honryu/consumer/sequence.h"
#include "honryu/obs/log.h"
#include "processors/sql/application_impl.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace honryu::processors::sql_app {

namespace {

constexpr Duration kBackPressurePoll = std::chrono::milliseconds(5);
constexpr Duration kMaxCheckpointInterval = std::chrono::minutes(10);
constexpr std::size_t kPutEntries = 500;        // as many as the Kinesis API takes in one call
constexpr std::size_t kMaxJournal = 128 << 10;  // bytes of cuts in a lease; then a snapshot is due
constexpr std::size_t kMaxSnapshot = 4ULL << 30;
constexpr std::size_t kMaxSavepoints = 20;
constexpr int kFailuresBeforeTrouble = 3;
constexpr int kStateRetentionHours = 168;

std::uint64_t NewId() {
  std::uint64_t id = 0;
  SecureRandomBytes(&id, sizeof id);
  return id >> 12;  // a JSON number
}

std::uint64_t ProgramId(const sqlapp::Program& program) {
  return Hash64(program.text, Hash64(program.prelude, 1)) >> 1;  // JSON numbers are signed
}

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
  owner = registry.MakeGauge("honryu_sql_owner", "1 while the application runs in this process", labels);
  state_bytes = registry.MakeGauge("honryu_sql_state_bytes", "Memory of its state, roughly", labels);
  state_entries = registry.MakeGauge("honryu_sql_state_entries", "Groups and rows that it holds", labels);
  snapshot_bytes =
      registry.MakeGauge("honryu_sql_snapshot_bytes", "Size of the last saved state, packed", labels);
  buffered =
      registry.MakeGauge("honryu_sql_lag_seconds",
                         "How far its clock is behind: it waits for shards that give no answer", labels);
}

// ---- one stream that is read ----

StreamHandler::StreamHandler(Application::Impl& app, std::uint32_t stream, consumer::WorkerConfig config)
    : app_(app),
      stream_(stream),
      worker(std::move(config), app.client, *this, app.executor, app.clock, app.registry) {}

void StreamHandler::OnShards(const std::vector<client::ShardDescription>& shards) {
  app_.feed->OnShards(stream_, shards);
}

async::Task<Result<client::StartPosition>> StreamHandler::OnShardStart(consumer::ShardStart start) {
  const std::string& id = start.shard.shard_id;
  const std::int64_t now = app_.NowMs();
  std::optional<SequenceNumber> after = app_.feed->OnStart(stream_, id, now);
  // Without what we had told the lease, or with another shard's number: the stream was made anew.
  const bool forgotten = after.has_value() && !start.checkpoint.has_value() && told.contains(id);
  const bool other = after.has_value() && start.checkpoint.has_value() &&
                     consumer::ShardCreation(*after) != consumer::ShardCreation(*start.checkpoint);
  if (forgotten || other) {
    LOG(warn, "the shard is a new one of the same name, it is read from its beginning",
        {"application", app_.deployment.name}, {"shard", id});
    app_.feed->OnRestart(stream_, id);
    after = app_.feed->OnStart(stream_, id, now);
    told.erase(id);
  }
  checkpointers[id] = start.checkpointer;
  client::StartPosition from = client::FromTrimHorizon{};
  if (app_.state.from_ms >= 0) from = client::FromTimestamp{TimestampFromMs(app_.state.from_ms)};
  if (after.has_value()) from = client::AfterSequence{*after};
  co_return from;
}

async::Task<Result<void>> StreamHandler::OnBatch(const consumer::Batch& batch) {
  while (app_.feed->Full(stream_, batch.shard_id)) {
    app_.Wake();
    Result<void> slept = co_await async::SleepFor(kBackPressurePoll);
    const auto held = checkpointers.find(batch.shard_id);
    if (!slept.ok() || app_.ending() || held == checkpointers.end() || held->second->ending())
      co_return Error(ErrorCode::kCancelled, "stopped before the batch was taken");
  }
  app_.feed->OnRecords(stream_, batch.shard_id, batch.records, batch.behind_latest == Duration::zero(),
                       app_.NowMs());
  if (app_.feed->pressing() || !app_.pending.empty()) app_.Wake();
  co_return Ok();
}

async::Task<Result<void>> StreamHandler::OnIdle(const std::string& shard_id) {
  app_.feed->OnEmpty(stream_, shard_id, app_.NowMs());
  if (!app_.pending.empty()) app_.Wake();
  co_return Ok();
}

async::Task<Result<void>> StreamHandler::OnShardEnd(const std::string& shard_id) {
  app_.feed->OnEnd(stream_, shard_id);  // its lease is finished once that stands in a snapshot
  app_.Wake();
  co_return Ok();
}

void StreamHandler::OnShardLost(const std::string& shard_id) {
  app_.feed->OnLost(stream_, shard_id);
  checkpointers.erase(shard_id);
}

// ---- the application ----

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

void Application::Impl::MakeHandlers() {
  handlers.clear();
  const std::vector<std::string> streams = work->program.InputStreams();
  for (std::uint32_t i = 0; i < streams.size(); ++i) {
    consumer::WorkerConfig worker;
    worker.application = sqlapp::ApplicationLease(deployment.name);
    worker.stream = streams[i];
    worker.lease_duration = config.lease_duration;
    worker.sync_interval = config.sync_interval;
    worker.poll_wait = config.poll_wait;
    worker.exclusive = true;
    handlers.push_back(std::make_unique<StreamHandler>(*this, i, std::move(worker)));
  }
}

Result<void> Application::Impl::MakeWork() {
  auto next = std::make_shared<WorkSet>();
  sql::AddBuiltInTableFunctions(next->functions);
  HONRYU_TRY(next->program, sqlapp::LoadProgram(deployment.name, deployment.sql, next->functions));
  sql::EngineOptions options;
  options.start_ms = NowMs();
  options.idle_timeout_ms = ToMs(config.idle_timeout);
  options.max_skew_ms = ToMs(config.max_future);
  options.max_groups = config.max_groups;
  options.functions = next->functions;
  options.max_state_bytes = config.max_state.bytes;
  if (make_spill && config.max_state.bytes > 0) {
    HONRYU_TRY(next->spill, make_spill(deployment.name + "-" + std::to_string(++spills)));
    options.spill = next->spill.get();
  }
  WorkSet* const set = next.get();
  HONRYU_TRY(next->machine, sqlapp::Machine::Create(
                                next->program, options,
                                [set](const sql::OutputRow& row, std::uint64_t cut, std::uint64_t ordinal) {
                                  sqlapp::WriteRow(set->program, row, cut, ordinal, set->rows);
                                }));
  work = std::move(next);
  sqlapp::Feed::Config bounds;
  bounds.max_total_bytes = config.max_buffer.bytes;
  bounds.patience_ms = 3 * ToMs(config.poll_wait) + 2000;
  feed = std::make_unique<sqlapp::Feed>(bounds);
  return Ok();
}

// Applied anew, also after it was removed, it begins anew.
std::uint64_t Application::Impl::RunId() const {
  return deployment.version + static_cast<std::uint64_t>(deployment.changed_ms);
}

// Where a new application begins; -1: at the oldest record.
std::int64_t Application::Impl::BeginMs() const {
  if (deployment.from == "latest") return NowMs();
  std::int64_t ms = -1;
  if (deployment.from.starts_with("at:")) {
    const char* const end = deployment.from.data() + deployment.from.size();
    std::from_chars(deployment.from.data() + 3, end, ms);
  }
  return ms;
}

async::Task<Result<void>> Application::Impl::RestoreFrom(SnapshotPlace place) {
  if (place.pieces == 0 && place.here.empty()) co_return Ok();
  HONRYU_CO_TRY(std::string packed, co_await store.Get(Call(), std::move(place)));
  const std::shared_ptr<WorkSet> set = work;
  Result<void> restored = co_await runtime.Blocking([set, packed = std::move(packed)]() -> Result<void> {
    HONRYU_TRY(const std::string snapshot,
               codec::Decompress(codec::Compression::kZstd, packed, kMaxSnapshot));
    return set->machine->Restore(snapshot);
  });
  co_return restored;
}

async::Task<Result<void>> Application::Impl::Load() {
  flight.reset();
  pending.clear();
  HONRYU_CO_TRY_VOID(MakeWork());
  const std::uint64_t program = ProgramId(work->program);
  ApplicationState saved;
  if (!lease.state.empty()) {
    Result<ApplicationState> decoded = DecodeState(lease.state);
    if (decoded.ok()) {
      saved = std::move(*decoded);
    } else {
      LOG(error, "the saved state is of no use, the application begins anew",
          {"application", deployment.name}, {"error", decoded.error()});
      metrics.rebuilt.Add();
    }
  }
  const bool same = saved.program == program && saved.version == RunId();
  Result<void> restored = Ok();
  if (same) {
    restored = co_await RestoreFrom(saved.snapshot);
    if (restored.ok() &&
        !CutsFit(saved.cuts, work->machine->shards().size(), work->program.InputStreams().size()))
      restored = Error(ErrorCode::kCorrupt, "its cuts do not fit to its snapshot");
    if (!restored.ok() && restored.error().retryable()) co_return restored;
    if (!restored.ok()) {
      LOG(error, "the saved state is of no use, the application begins anew",
          {"application", deployment.name}, {"error", restored.error()});
      metrics.rebuilt.Add();
      HONRYU_CO_TRY_VOID(MakeWork());
    }
  }
  state = saved;
  if (!same || !restored.ok()) {
    state = ApplicationState();
    state.savepoints = saved.savepoints;
    state.program = program;
    state.version = RunId();
    state.from_ms = restored.ok() ? BeginMs() : saved.from_ms;
    if (deployment.from.starts_with("savepoint:") && restored.ok()) {
      const std::string name = deployment.from.substr(10);
      const auto found = std::find_if(saved.savepoints.begin(), saved.savepoints.end(),
                                      [&name](const Savepoint& one) { return one.name == name; });
      if (found == saved.savepoints.end())
        co_return Error(ErrorCode::kNotFound, "no savepoint '" + name + "'");
      HONRYU_CO_TRY_VOID(co_await RestoreFrom(found->place));
      state.snapshot = found->place;
      state.emitted = work->machine->last_cut();
    }
  }
  feed->Resume(*work->machine);
  pending.assign(state.cuts.begin(), state.cuts.end());
  emitted_before = state.emitted;
  state.counters = work->machine->counters();
  journal_bytes = 0;
  for (const sqlapp::Cut& cut : state.cuts) {
    std::string bytes;
    sqlapp::AppendCut(cut, bytes);
    journal_bytes += bytes.size();
  }
  MakeHandlers();
  if (same && restored.ok() && state.told > 0 && state.told == work->machine->last_cut()) {
    for (const sqlapp::Machine::Shard& shard : work->machine->shards())
      if (shard.position.has_value()) handlers[shard.stream]->told.insert(shard.id);
  }
  next_snapshot = std::chrono::steady_clock::now() + config.checkpoint_interval;
  dirty = false;
  HONRYU_CO_TRY_VOID(co_await tables.Begin(*this));
  HONRYU_CO_TRY_VOID(co_await EnsureOutputs());
  co_return co_await Save();
}

// So that readers find the streams before the first rows come. Those for bad and late rows are made when
// there are some.
async::Task<Result<void>> Application::Impl::EnsureOutputs() {
  std::map<std::string, int> streams;
  for (const auto& [name, output] : work->program.outputs) {
    if (output.stream.empty() || name == "ERROR_STREAM" || name == "LATE_ROWS") continue;
    int& shards = streams[output.stream];
    shards = std::max(shards, output.shards);
  }
  for (const auto& [stream, shards] : streams) {
    client::StreamSettings settings;
    settings.shards = shards;
    HONRYU_CO_TRY_VOID(co_await client.EnsureStream(Call(), stream, settings));
  }
  co_return Ok();
}

async::Task<Result<void>> Application::Impl::Save() {
  state.saved_ms = NowMs();
  client::Lease next = lease;
  next.state = EncodeState(state);
  Result<void> saved = co_await client.SaveCheckpoint(Call(), next);
  if (!saved.ok()) {
    if (saved.error().code() == ErrorCode::kFenced) fenced = true;
    co_return saved;
  }
  lease.state = std::move(next.state);
  co_return Ok();
}

async::Task<void> Application::Impl::Work() {
  int failures = 0;
  bool hurry = false;
  while (!ending()) {
    if (!hurry) co_await Pause(config.emit_interval);
    hurry = false;
    if (ending()) break;
    co_await tables.Refresh(*this);
    Result<void> done = co_await Step();
    if (done.ok()) {
      hurry = !pending.empty() ? feed->Has(pending.front()) : feed->pressing();
      if (failures > 0) Tell("");
      failures = 0;
      continue;
    }
    if (ending()) break;
    metrics.failures.Add();
    if (++failures > kFailuresBeforeTrouble) Tell("results cannot be stored: " + done.error().message());
    LOG_LIMITED(warn, "results not stored, trying again", {"application", deployment.name},
                {"failures", failures}, {"error", done.error()});
    Result<void> slept =
        co_await async::SleepFor(async::BackoffDelay(async::RetryPolicy(), std::min(failures, 20), random));
    if (!slept.ok()) abandoned = true;
  }
  if (abandoned || fenced || broken) co_return;
  Result<void> last = Ok();
  if (flight.has_value()) last = co_await Step();
  if (last.ok() && dirty && pending.empty()) last = co_await TakeSnapshot();
  if (!last.ok())
    LOG(warn, "the state was not saved at the end, its last steps will be repeated",
        {"application", deployment.name}, {"error", last.error()});
}

// One cut on its way: made, written down, its rows stored. What fails is gone on with by the next call.
async::Task<Result<void>> Application::Impl::Step() {
  if (!flight.has_value()) {
    Flight next;
    if (!pending.empty()) {
      if (!feed->Has(pending.front())) {
        feed->Await(pending.front());
        co_return Ok();
      }
      next.cut = pending.front();
      next.repeated = true;
      feed->Take(next.cut, next.records);
    } else {
      std::optional<sqlapp::Cut> cut = feed->Next(NowMs(), next.records);
      if (cut.has_value()) {
        next.cut = std::move(*cut);
        std::string bytes;
        sqlapp::AppendCut(next.cut, bytes);
        journal_bytes += bytes.size();
        state.cuts.push_back(next.cut);
      }
      if (!cut.has_value()) co_return co_await SnapshotIfDue();
    }
    const std::shared_ptr<WorkSet> set = work;
    Result<void> applied =
        co_await runtime.Blocking([set, cut = next.cut, records = std::move(next.records)]() -> Result<void> {
          set->machine->Apply(cut, records);
          return set->machine->Status();
        });
    if (!applied.ok()) {  // cancelled, or the disk of the spill is gone: the machine is of no use any more
      abandoned = abandoned || applied.error().code() == ErrorCode::kCancelled;
      broken = !abandoned;
      if (broken)
        LOG(error, "the state on disk failed, going back to what was saved", {"application", deployment.name},
            {"error", applied.error()});
      co_return applied;
    }
    next.rows = std::exchange(work->rows, {});
    dirty = dirty || !next.cut.steps.empty() || !next.rows.empty();
    if (next.repeated) {
      pending.pop_front();
      if (next.cut.number <= emitted_before) next.rows.clear();
    }
    flight = std::move(next);
    Publish();
  }
  if (!flight->rows.empty() && !flight->repeated && !flight->saved) {
    HONRYU_CO_TRY_VOID(co_await Save());
    flight->saved = true;
  }
  HONRYU_CO_TRY_VOID(co_await Store(flight->rows));
  state.emitted = std::max(state.emitted, flight->cut.number);
  flight.reset();
  if (pending.empty()) HONRYU_CO_TRY_VOID(co_await SnapshotIfDue());
  co_return Ok();
}

// Stores rows in order, and takes what is stored out.
async::Task<Result<void>> Application::Impl::Store(std::vector<sqlapp::OutputRecord>& rows) {
  while (!rows.empty()) {
    const std::string stream = rows.front().stream;
    std::vector<std::size_t> chosen;
    std::vector<client::PutEntry> entries;
    for (std::size_t i = 0; i < rows.size() && chosen.size() < kPutEntries; ++i) {
      if (rows[i].stream != stream) continue;
      chosen.push_back(i);
      client::PutEntry entry;
      entry.partition_key = rows[i].partition_key;
      entry.data = Bytes::Copy(rows[i].json);
      entries.push_back(std::move(entry));
    }
    Result<std::vector<Result<client::PutPosition>>> put =
        co_await client.Put(Call(), stream, std::move(entries));
    if (!put.ok() && put.error().code() == ErrorCode::kNotFound) {
      client::StreamSettings settings;
      settings.shards = 1;
      for (const auto& [name, output] : work->program.outputs)
        if (output.stream == stream) settings.shards = std::max(settings.shards, output.shards);
      HONRYU_CO_TRY_VOID(co_await client.EnsureStream(Call(), stream, settings));
      continue;
    }
    if (!put.ok()) co_return put.error();
    std::optional<Error> failed;
    std::vector<bool> stored(rows.size(), false);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Result<client::PutPosition>& one = (*put)[i];
      if (!one.ok()) {
        const ErrorCode code = one.error().code();
        if (code != ErrorCode::kTooLarge && code != ErrorCode::kInvalidArgument) {
          failed = one.error();
          continue;
        }
        metrics.dropped.Add();
        LOG_LIMITED(error, "a result was refused for good", {"application", deployment.name},
                    {"stream", stream}, {"error", one.error()});
      }
      stored[chosen[i]] = true;
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (stored[i]) continue;
      if (kept != i) rows[kept] = std::move(rows[i]);
      ++kept;
    }
    rows.resize(kept);
    if (failed.has_value()) co_return *failed;
  }
  co_return Ok();
}

async::Task<Result<void>> Application::Impl::SnapshotIfDue() {
  const bool due = dirty && std::chrono::steady_clock::now() >= next_snapshot;
  if (due || journal_bytes > kMaxJournal || !savepoint_name.empty()) {
    HONRYU_CO_TRY_VOID(co_await TakeSnapshot());
  }
  co_return Ok();
}

async::Task<Result<void>> Application::Impl::TakeSnapshot() {
  const std::shared_ptr<WorkSet> set = work;
  HONRYU_CO_TRY(std::string packed, co_await runtime.Blocking([set]() -> Result<std::string> {
    const std::string snapshot = set->machine->Snapshot();
    HONRYU_TRY_VOID(set->machine->Status());
    return codec::Compress(codec::Compression::kZstd, snapshot);
  }));
  const std::size_t size = packed.size();
  metrics.snapshot_bytes.Set(static_cast<double>(size));
  HONRYU_CO_TRY(SnapshotPlace place, co_await store.Put(Call(), std::move(packed), NewId()));
  ApplicationState before = state;
  state.snapshot = place;
  state.cuts.clear();
  const std::string savepoint = savepoint_name;
  if (!savepoint.empty()) {
    std::erase_if(state.savepoints, [&savepoint](const Savepoint& one) { return one.name == savepoint; });
    state.savepoints.push_back({savepoint, place.id, NowMs(), place});
    if (state.savepoints.size() > kMaxSavepoints) state.savepoints.erase(state.savepoints.begin());
  }
  Result<void> saved = co_await Save();
  if (!saved.ok()) {
    before.counters = state.counters;
    state = std::move(before);
    co_return saved;
  }
  if (savepoint_name == savepoint) savepoint_name.clear();
  metrics.checkpoints.Add();
  journal_bytes = 0;
  dirty = false;
  const Duration by_size =
      std::chrono::milliseconds(static_cast<std::int64_t>(size * 1000 / config.state_rate.bytes));
  next_snapshot = std::chrono::steady_clock::now() +
                  std::clamp<Duration>(by_size, config.checkpoint_interval,
                                       std::max(config.checkpoint_interval, kMaxCheckpointInterval));
  co_await TellWorkers();
  co_return Ok();
}

// The leases of shards say how far we are: for those who look, and so that a stream that was made anew is
// known as such. What counts stands in our own lease.
async::Task<void> Application::Impl::TellWorkers() {
  bool all = true;
  const std::vector<sqlapp::Machine::Shard> shards = work->machine->shards();
  for (const sqlapp::Machine::Shard& shard : shards) {
    StreamHandler& handler = *handlers[shard.stream];
    const auto found = handler.checkpointers.find(shard.id);
    if (found == handler.checkpointers.end() || !shard.position.has_value()) {
      if (found == handler.checkpointers.end() || !shard.closed) continue;
    }
    const std::shared_ptr<consumer::Checkpointer> checkpointer = found->second;
    if (shard.position.has_value()) {
      const auto last = handler.last_told.find(shard.id);
      if (last == handler.last_told.end() || last->second != *shard.position) {
        Result<void> saved = co_await checkpointer->Save(Call(), shard.position, "");
        if (saved.ok()) {
          handler.told.insert(shard.id);
          handler.last_told[shard.id] = *shard.position;
        }
        all = all && saved.ok();
      }
    }
    if (shard.closed) {
      Result<void> finished = co_await checkpointer->Finish(Call());
      all = all && finished.ok();
    }
  }
  if (all) state.told = work->machine->last_cut();
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

async::Task<void> Application::Impl::SetSavepoint(std::string name) {
  savepoint_name = std::move(name);
  Wake();
  co_return;
}

void Application::RequestSavepoint(std::string name) {
  impl_->background.Spawn(impl_->executor, "savepoint", impl_->SetSavepoint(std::move(name)));
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
