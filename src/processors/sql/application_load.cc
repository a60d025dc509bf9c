#include "honryu/base/crc32c.h"
#include "honryu/codec/compression.h"
#include "honryu/obs/log.h"
#include "processors/sql/application_impl.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace honryu::processors::sql_app {

namespace {

constexpr std::size_t kMaxSnapshot = 4ULL << 30;

std::uint64_t ProgramId(const sqlapp::Program& program) {
  return Hash64(program.text, Hash64(program.prelude, 1)) >> 1;  // JSON numbers are signed
}

}  // namespace

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

Result<void> Application::Impl::MakeWork(std::int64_t start_ms) {
  auto next = std::make_shared<WorkSet>();
  sql::AddBuiltInTableFunctions(next->functions);
  HONRYU_TRY(next->program, sqlapp::LoadProgram(deployment.name, deployment.sql, next->functions));
  sql::EngineOptions options;
  options.start_ms = start_ms;
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
  HONRYU_TRY(next->machine,
             sqlapp::Machine::Create(
                 next->program, options,
                 [set](const sql::OutputRow& row, std::uint64_t cut, std::uint64_t ordinal) {
                   sqlapp::WriteRow(set->program, row, set->run, cut, ordinal, set->rows);
                 },
                 [threads = &runtime](std::size_t count, const std::function<void(std::size_t)>& lane) {
                   threads->Fork(count, lane);
                 }));
  work = std::move(next);
  sqlapp::Feed::Config bounds;
  bounds.max_total_bytes = config.max_buffer.bytes;
  bounds.patience_ms = 3 * ToMs(config.poll_wait) + 2000;
  bounds.lanes = work->machine->HasFirstPhase() ? config.LaneCount() : 1;
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

async::Task<Result<void>> Application::Impl::RestoreFrom(sqlapp::StatePlace place) {
  if (place.empty()) co_return Ok();
  HONRYU_CO_TRY(std::string packed, co_await store.Get(stop_deadline, std::move(place)));
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
  // Where there is no snapshot yet, the clock begins where the first owner's did.
  HONRYU_CO_TRY_VOID(MakeWork(saved.start_ms > 0 ? saved.start_ms : NowMs()));
  const std::uint64_t program = ProgramId(work->program);
  const bool same = saved.program == program && saved.version == RunId();
  Result<void> restored = Ok();
  if (same) {
    restored = co_await RestoreFrom(saved.snapshot);
    if (restored.ok() && !CutsFit(saved, work->program, work->machine->shards().size()))
      restored = Error(ErrorCode::kCorrupt, "its cuts do not fit to its snapshot");
    if (!restored.ok() && restored.error().retryable()) co_return restored;
    if (!restored.ok()) {
      LOG(error, "the saved state is of no use, the application begins anew",
          {"application", deployment.name}, {"error", restored.error()});
      metrics.rebuilt.Add();
    }
  }
  state = saved;
  if (!same || !restored.ok()) {
    const std::int64_t start_ms = NowMs();
    HONRYU_CO_TRY_VOID(MakeWork(start_ms));
    state = ApplicationState();
    state.start_ms = start_ms;
    state.run = NewId();
    state.savepoints = saved.savepoints;
    state.asked = saved.asked;
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
      state.snapshot_ms = found->kept_ms;
      state.emitted = work->machine->last_cut();
    }
  }
  work->run = state.run;
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

}  // namespace honryu::processors::sql_app
