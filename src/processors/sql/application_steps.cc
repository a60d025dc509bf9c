#include "honryu/async/retry.h"
#include "honryu/base/random.h"
#include "honryu/codec/compression.h"
#include "honryu/obs/log.h"
#include "processors/sql/application_impl.h"

#include <algorithm>
#include <utility>

namespace honryu::processors::sql_app {

namespace {

constexpr Duration kMaxCheckpointInterval = std::chrono::minutes(10);
constexpr std::size_t kPutEntries = 500;        // as many as the Kinesis API takes in one call
constexpr std::size_t kMaxJournal = 128 << 10;  // bytes of cuts in a lease; then a snapshot is due
constexpr std::size_t kMaxSavepoints = 20;
constexpr int kFailuresBeforeTrouble = 3;
// A lease is rewritten with every step that gives rows; what stands in it must be small, and at most 1 MiB.
constexpr std::size_t kMostSnapshotHere = 32 << 10;
constexpr std::size_t kMostSavepointHere = 4 << 10;
// What lies in the state stream expires; long before, it is put there anew.
constexpr std::int64_t kStoredAnewMs = 48LL * 3'600'000;

bool IsOld(const sqlapp::StatePlace& place, std::int64_t stored_ms, std::int64_t now_ms) {
  return place.pieces > 0 && now_ms - stored_ms > kStoredAnewMs;
}

}  // namespace

std::uint64_t Application::Impl::NewId() {
  std::uint64_t id = 0;
  SecureRandomBytes(&id, sizeof id);
  return id >> 12;  // a JSON number
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
    const std::uint64_t before = work->machine->last_cut();
    Result<void> done = co_await Step();
    if (done.ok()) {
      // Without a cut nothing can be taken yet: an answer wakes us.
      hurry = !pending.empty() ? feed->Has(pending.front())
                               : feed->pressing() && work->machine->last_cut() != before;
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
      HONRYU_CO_TRY(next.tables, co_await tables.Recall(*this, pending.front()));
      next.cut = pending.front();
      next.repeated = true;
      feed->Take(next.cut, next.records);
    } else {
      std::optional<sqlapp::Cut> cut = feed->Next(NowMs(), next.records, tables.Changed());
      if (cut.has_value()) {
        next.cut = std::move(*cut);
        next.tables = tables.Announce(*this, next.cut);
        std::string bytes;
        sqlapp::AppendCut(next.cut, bytes);
        journal_bytes += bytes.size();
        state.cuts.push_back(next.cut);
      }
      if (!cut.has_value()) co_return co_await SnapshotIfDue();
    }
    const std::shared_ptr<WorkSet> set = work;
    Result<void> applied =
        co_await runtime.Blocking([set, cut = next.cut, records = std::move(next.records),
                                   changed = std::move(next.tables)]() mutable -> Result<void> {
          for (auto& [name, rows] : changed) HONRYU_TRY_VOID(set->machine->SetTable(name, std::move(rows)));
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
    if (sqlapp::Machine::LanesOf(next.cut) > 1) metrics.lane_cuts.Add();
    next.rows = std::exchange(work->rows, {});
    dirty = dirty || !next.cut.steps.empty() || !next.cut.tables.empty() || !next.rows.empty();
    if (next.repeated) {
      pending.pop_front();
      if (next.cut.number <= emitted_before) next.rows.clear();
    }
    flight = std::move(next);
    Publish();
  }
  const bool tells = !flight->rows.empty() || !flight->cut.tables.empty();
  if (tells && !flight->repeated && !flight->saved) {
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
  if (due || journal_bytes > kMaxJournal || SavepointAsked() || StoredLongAgo()) {
    HONRYU_CO_TRY_VOID(co_await TakeSnapshot());
  }
  co_return Ok();
}

bool Application::Impl::StoredLongAgo() const {
  const std::int64_t now = NowMs();
  return IsOld(state.snapshot, state.snapshot_ms, now) ||
         std::any_of(state.tables.begin(), state.tables.end(),
                     [now](const KeptTable& one) { return IsOld(one.place, one.kept_ms, now); }) ||
         std::any_of(state.savepoints.begin(), state.savepoints.end(),
                     [now](const Savepoint& one) { return IsOld(one.place, one.kept_ms, now); });
}

// Puts what else lies in the state stream there again, when it is old. What is lost is left out.
async::Task<Result<void>> Application::Impl::StoreAnew() {
  const std::int64_t now = NowMs();
  std::vector<std::pair<sqlapp::StatePlace*, std::int64_t*>> places;
  for (KeptTable& one : state.tables)
    if (IsOld(one.place, one.kept_ms, now)) places.emplace_back(&one.place, &one.kept_ms);
  for (Savepoint& one : state.savepoints)
    if (IsOld(one.place, one.kept_ms, now)) places.emplace_back(&one.place, &one.kept_ms);
  for (const auto& [place, stored_ms] : places) {
    Result<std::string> packed = co_await store.Get(stop_deadline, *place);
    if (!packed.ok() && (packed.error().retryable() || packed.error().code() == ErrorCode::kCancelled))
      co_return packed.error();
    if (!packed.ok()) {
      LOG(error, "a savepoint or a reference table has expired", {"application", deployment.name},
          {"error", packed.error()});
      *place = sqlapp::StatePlace();
      continue;
    }
    Result<sqlapp::StatePlace> anew = co_await store.Put(stop_deadline, std::move(*packed), NewId(), 0);
    if (!anew.ok()) co_return anew.error();
    *place = std::move(*anew);
    *stored_ms = now;
  }
  std::erase_if(state.savepoints, [](const Savepoint& one) { return one.place.empty(); });
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
  const std::string savepoint = SavepointAsked() ? savepoint_name : std::string();
  const std::uint64_t asked = savepoint_id;
  HONRYU_CO_TRY(sqlapp::StatePlace place,
                co_await store.Put(stop_deadline, std::move(packed), NewId(),
                                   savepoint.empty() ? kMostSnapshotHere : kMostSavepointHere));
  ApplicationState before = state;
  state.snapshot = place;
  state.snapshot_ms = NowMs();
  state.cuts.clear();
  std::erase_if(state.tables, [](const KeptTable& one) { return !one.current; });
  for (KeptTable& one : state.tables) one.at_snapshot = true;
  if (!savepoint.empty()) {
    std::erase_if(state.savepoints, [&savepoint](const Savepoint& one) { return one.name == savepoint; });
    Savepoint& taken = state.savepoints.emplace_back();
    taken.name = savepoint;
    taken.id = place.id;
    taken.taken_ms = taken.kept_ms = state.snapshot_ms;
    taken.place = place;
    state.asked = asked;
    if (state.savepoints.size() > kMaxSavepoints) state.savepoints.erase(state.savepoints.begin());
  }
  Result<void> saved = co_await StoreAnew();
  if (saved.ok()) saved = co_await Save();
  if (!saved.ok()) {
    before.counters = state.counters;
    state = std::move(before);
    co_return saved;
  }
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

}  // namespace honryu::processors::sql_app
