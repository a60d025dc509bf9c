#pragma once

#include "honryu/processors/sql/application.h"
#include "honryu/sqlapp/machine.h"
#include "honryu/sqlapp/state_store.h"
#include "honryu/sqlapp/tables.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace honryu::processors::sql_app {

/// Keeps an application's reference tables as their files are, and what the files had where a repetition
/// needs it: a content is stored (KeptTable) before a cut names it, and a repeated cut takes what is stored.
/// A file that is broken or gone leaves the rows as they were; for an application that begins anew it must be
/// there.
class ReferenceTables {
 public:
  /// Rows by name of the table.
  using Contents = std::vector<std::pair<std::string, sqlapp::TableRows>>;

  /// Gives the machine what the tables had at the snapshot (Application::Impl::state), or, without that, what
  /// their files have now. kIo, kInvalidArgument, errors of the broker.
  async::Task<Result<void>> Begin(Application::Impl& app);
  /// Looks at the files whose time has come; stores what has changed, for the next cut. Between two steps.
  async::Task<void> Refresh(Application::Impl& app);
  bool Changed() const { return !changes_.empty(); }
  /// Enters changes into a new cut and the state.
  Contents Announce(Application::Impl& app, sqlapp::Cut& cut);
  /// What a cut of an earlier owner says of tables. Errors of the broker.
  async::Task<Result<Contents>> Recall(Application::Impl& app, sqlapp::Cut cut);

 private:
  struct Known {
    std::string stamp;          ///< Of the file when it was last looked at.
    std::uint64_t content = 0;  ///< That the machine has, or gets with the next cut.
    MonoTime next;              ///< When to look again.
  };
  struct Change {
    std::uint32_t table = 0;
    std::uint64_t content = 0;
    std::int64_t since_ms = 0;
    sqlapp::StatePlace place;
    sqlapp::TableRows rows;
  };
  struct Loaded {
    std::string stamp;
    std::uint64_t content = 0;
    std::string packed;  ///< Empty: as before.
    sqlapp::TableRows rows;
  };
  /// The file as it is, if it is not as before.
  static async::Task<Result<Loaded>> Load(Application::Impl& app, sqlapp::Table table, Known before);
  static async::Task<Result<sqlapp::TableRows>> Fetch(Application::Impl& app, sqlapp::Table table,
                                                      sqlapp::StatePlace place);
  static async::Task<Result<void>> Put(Application::Impl& app, std::string name, sqlapp::TableRows rows);
  async::Task<Result<void>> BeginOne(Application::Impl& app, sqlapp::Table table);

  std::map<std::string, Known> known_;
  std::vector<Change> changes_;  ///< At most one a table.
};

}  // namespace honryu::processors::sql_app
