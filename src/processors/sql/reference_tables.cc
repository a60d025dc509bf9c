#include "processors/sql/reference_tables.h"

#include "honryu/codec/compression.h"
#include "honryu/obs/log.h"
#include "processors/sql/application_impl.h"

#include <algorithm>

namespace honryu::processors::sql_app {

namespace {

// A lease is rewritten with every step that gives rows: what stands in it must be small.
constexpr std::size_t kMostHere = 2 << 10;
constexpr std::size_t kEntryBytes = 300;       // of one there, beside that, roughly
constexpr std::size_t kMaxTable = 1ULL << 30;  // as a file may be

bool IsKept(const ApplicationState& state, const std::string& name, std::uint64_t content) {
  return std::any_of(state.tables.begin(), state.tables.end(),
                     [&](const KeptTable& table) { return table.name == name && table.content == content; });
}

void MakeCurrent(ApplicationState& state, const std::string& name, std::uint64_t content) {
  for (KeptTable& table : state.tables)
    if (table.name == name) table.current = table.content == content;
}

// Whether what is stored is gone for good; then the application goes on with what the file has.
bool IsLost(const Application::Impl& app, const sqlapp::Table& table, const Error& error) {
  if (error.retryable() || error.code() == ErrorCode::kCancelled) return false;
  LOG(error, "what a reference table had is lost, its file is taken as it is now",
      {"application", app.deployment.name}, {"table", table.name}, {"error", error});
  return true;
}

}  // namespace

async::Task<Result<ReferenceTables::Loaded>> ReferenceTables::Load(Application::Impl& app,
                                                                   sqlapp::Table table, Known before) {
  const std::shared_ptr<WorkSet> set = app.work;
  Result<Loaded> loaded = co_await app.runtime.Blocking([set, table, before]() -> Result<Loaded> {
    Loaded now;
    now.content = before.content;
    now.stamp = sqlapp::TableStamp(table);
    if (now.stamp == before.stamp && !before.stamp.empty()) return now;
    HONRYU_TRY(const std::string text, sqlapp::ReadTableFile(table));
    now.content = sqlapp::ContentId(text);
    if (now.content == before.content) return now;
    HONRYU_TRY(const sql::Columns columns, set->machine->TableColumns(table.name));
    HONRYU_TRY(now.rows, sqlapp::ParseTable(table, columns, text));
    HONRYU_TRY(now.packed, codec::Compress(codec::Compression::kZstd, text));
    return now;
  });
  co_return loaded;
}

async::Task<Result<sqlapp::TableRows>> ReferenceTables::Fetch(Application::Impl& app, sqlapp::Table table,
                                                              sqlapp::StatePlace place) {
  Result<std::string> packed = co_await app.store.Get(app.stop_deadline, std::move(place));
  if (!packed.ok()) co_return packed.error().WithContext("reference table " + table.name);
  const std::shared_ptr<WorkSet> set = app.work;
  Result<sqlapp::TableRows> rows =
      co_await app.runtime.Blocking([set, table, packed = std::move(*packed)]() -> Result<sqlapp::TableRows> {
        HONRYU_TRY(const std::string text, codec::Decompress(codec::Compression::kZstd, packed, kMaxTable));
        HONRYU_TRY(const sql::Columns columns, set->machine->TableColumns(table.name));
        return sqlapp::ParseTable(table, columns, text);
      });
  co_return rows;
}

async::Task<Result<void>> ReferenceTables::Put(Application::Impl& app, std::string name,
                                               sqlapp::TableRows rows) {
  const std::shared_ptr<WorkSet> set = app.work;
  Result<void> done = co_await app.runtime.Blocking([set, name, rows = std::move(rows)]() mutable {
    return set->machine->SetTable(name, std::move(rows));
  });
  co_return done;
}

async::Task<Result<void>> ReferenceTables::BeginOne(Application::Impl& app, sqlapp::Table table) {
  Known& known = known_[table.name];
  const auto kept = std::find_if(app.state.tables.begin(), app.state.tables.end(), [&](const KeptTable& one) {
    return one.at_snapshot && one.name == table.name;
  });
  if (kept != app.state.tables.end()) {
    known.content = kept->content;
    known.next = std::chrono::steady_clock::now();
    Result<sqlapp::TableRows> before = co_await Fetch(app, table, kept->place);
    if (before.ok()) {
      Result<void> done = co_await Put(app, table.name, std::move(*before));
      co_return done;
    }
    if (!IsLost(app, table, before.error())) co_return before.error();
  }
  Result<Loaded> loaded = co_await Load(app, table, Known());
  if (!loaded.ok()) co_return loaded.error().WithContext("reference table " + table.name);
  Result<sqlapp::StatePlace> place = co_await app.store.Put(app.stop_deadline, std::move(loaded->packed),
                                                            Application::Impl::NewId(), kMostHere);
  if (!place.ok()) co_return place.error();
  std::erase_if(app.state.tables,
                [&](const KeptTable& one) { return one.at_snapshot && one.name == table.name; });
  KeptTable now;
  now.name = table.name;
  now.content = loaded->content;
  now.at_snapshot = true;
  now.declaration = table.declaration;
  now.since_ms = now.kept_ms = app.NowMs();
  now.place = std::move(*place);
  app.state.tables.push_back(std::move(now));
  if (app.pending.empty()) MakeCurrent(app.state, table.name, loaded->content);
  known.stamp = std::move(loaded->stamp);
  known.content = loaded->content;
  known.next = std::chrono::steady_clock::now() + table.refresh;
  Result<void> done = co_await Put(app, table.name, std::move(loaded->rows));
  co_return done;
}

async::Task<Result<void>> ReferenceTables::Begin(Application::Impl& app) {
  known_.clear();
  changes_.clear();
  const std::shared_ptr<WorkSet> set = app.work;
  for (const sqlapp::Table& table : set->program.tables) {
    Result<void> begun = co_await BeginOne(app, table);
    if (!begun.ok()) co_return begun;
  }
  co_return Ok();
}

async::Task<void> ReferenceTables::Refresh(Application::Impl& app) {
  if (!app.pending.empty()) co_return;
  const std::shared_ptr<WorkSet> set = app.work;
  for (std::uint32_t i = 0; i < set->program.tables.size(); ++i) {
    const sqlapp::Table& table = set->program.tables[i];
    Known& known = known_[table.name];
    const MonoTime now = std::chrono::steady_clock::now();
    if (now < known.next) continue;
    known.next = now + table.refresh;
    Result<Loaded> loaded = co_await Load(app, table, known);
    Result<sqlapp::StatePlace> place{sqlapp::StatePlace()};
    const bool changed = loaded.ok() && loaded->content != known.content;
    if (changed)
      place = co_await app.store.Put(app.stop_deadline, std::move(loaded->packed), Application::Impl::NewId(),
                                     kMostHere);
    if (!loaded.ok() || !place.ok()) {
      LOG_LIMITED(warn, "reference table not loaded, its rows stay as they were",
                  {"application", app.deployment.name}, {"table", table.name},
                  {"error", loaded.ok() ? place.error() : loaded.error()});
      continue;
    }
    known.stamp = std::move(loaded->stamp);
    known.content = loaded->content;
    if (!changed) continue;
    std::erase_if(changes_, [i](const Change& change) { return change.table == i; });
    Change change;
    change.table = i;
    change.content = loaded->content;
    change.since_ms = app.NowMs();
    change.place = std::move(*place);
    change.rows = std::move(loaded->rows);
    LOG(info, "reference table loaded", {"application", app.deployment.name}, {"table", table.name},
        {"rows", change.rows.size()});
    changes_.push_back(std::move(change));
  }
}

ReferenceTables::Contents ReferenceTables::Announce(Application::Impl& app, sqlapp::Cut& cut) {
  Contents contents;
  for (Change& change : changes_) {
    const sqlapp::Table& table = app.work->program.tables[change.table];
    cut.tables.push_back({change.table, change.content});
    if (!IsKept(app.state, table.name, change.content)) {
      KeptTable kept;
      kept.name = table.name;
      kept.content = change.content;
      kept.declaration = table.declaration;
      kept.since_ms = kept.kept_ms = change.since_ms;
      app.journal_bytes += change.place.here.size() + kept.declaration.size() + kEntryBytes;
      kept.place = std::move(change.place);
      app.state.tables.push_back(std::move(kept));
    }
    MakeCurrent(app.state, table.name, change.content);
    contents.emplace_back(table.name, std::move(change.rows));
  }
  changes_.clear();
  return contents;
}

async::Task<Result<ReferenceTables::Contents>> ReferenceTables::Recall(Application::Impl& app,
                                                                       sqlapp::Cut cut) {
  Contents contents;
  const std::shared_ptr<WorkSet> set = app.work;
  for (const sqlapp::TableStep& step : cut.tables) {
    const sqlapp::Table& table = set->program.tables[step.table];
    Known& known = known_[table.name];
    sqlapp::StatePlace place;
    for (const KeptTable& kept : app.state.tables)
      if (kept.name == table.name && kept.content == step.content) place = kept.place;
    Result<sqlapp::TableRows> rows = co_await Fetch(app, table, std::move(place));
    known.content = step.content;
    if (rows.ok()) {
      contents.emplace_back(table.name, std::move(*rows));
      continue;
    }
    if (!IsLost(app, table, rows.error())) co_return rows.error();
    known.content = 0;  // whatever the file has is taken when the repetition is over
  }
  co_return contents;
}

}  // namespace honryu::processors::sql_app
