#include "processors/sql/reference_tables.h"

#include "honryu/obs/log.h"
#include "honryu/sqlapp/tables.h"
#include "processors/sql/application_impl.h"

namespace honryu::processors::sql_app {

async::Task<Result<void>> ReferenceTables::Begin(Application::Impl& app) {
  known_.clear();
  const std::shared_ptr<WorkSet> set = app.work;
  for (const sqlapp::Table& table : set->program.tables) {
    Result<std::string> loaded = co_await app.runtime.Blocking([set, table]() -> Result<std::string> {
      std::string stamp = sqlapp::TableStamp(table);
      HONRYU_TRY(const sql::Columns columns, set->machine->TableColumns(table.name));
      HONRYU_TRY(auto rows, sqlapp::LoadTable(table, columns));
      HONRYU_TRY_VOID(set->machine->SetTable(table.name, std::move(rows)));
      return stamp;
    });
    if (!loaded.ok()) co_return loaded.error().WithContext("reference table " + table.name);
    known_[table.name] = {std::move(*loaded), std::chrono::steady_clock::now() + table.refresh};
  }
  co_return Ok();
}

async::Task<void> ReferenceTables::Refresh(Application::Impl& app) {
  const std::shared_ptr<WorkSet> set = app.work;
  for (const sqlapp::Table& table : set->program.tables) {
    Known& known = known_[table.name];
    const MonoTime now = std::chrono::steady_clock::now();
    if (now < known.next) continue;
    known.next = now + table.refresh;
    const std::string before = known.stamp;
    Result<std::string> loaded = co_await app.runtime.Blocking([set, table, before]() -> Result<std::string> {
      std::string stamp = sqlapp::TableStamp(table);
      if (stamp == before) return stamp;
      HONRYU_TRY(const sql::Columns columns, set->machine->TableColumns(table.name));
      HONRYU_TRY(auto rows, sqlapp::LoadTable(table, columns));
      HONRYU_TRY_VOID(set->machine->SetTable(table.name, std::move(rows)));
      return stamp;
    });
    if (!loaded.ok()) {
      LOG_LIMITED(warn, "reference table not loaded, its rows stay as they were",
                  {"application", app.deployment.name}, {"table", table.name}, {"error", loaded.error()});
      continue;
    }
    if (*loaded != before)
      LOG(info, "reference table loaded", {"application", app.deployment.name}, {"table", table.name});
    known.stamp = std::move(*loaded);
  }
}

}  // namespace honryu::processors::sql_app
