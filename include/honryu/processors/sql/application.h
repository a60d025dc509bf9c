#pragma once

#include "honryu/async/runtime.h"
#include "honryu/client/stream_client.h"
#include "honryu/obs/metrics.h"
#include "honryu/processors/sql/config.h"
#include "honryu/sql/state_spill.h"
#include "honryu/sqlapp/catalog.h"

#include <functional>
#include <memory>
#include <string>

namespace honryu::processors::sql_app {

/// Makes a place on disk for an application's state; the name is new each time.
using SpillFactory = std::function<Result<std::unique_ptr<sql::StateSpill>>(const std::string& name)>;

/// What an application is doing, as of its last step.
struct ApplicationStatus {
  bool owner = false;      ///< It runs in this process; else it stands by.
  bool replaying = false;  ///< It repeats what an earlier owner had begun.
  std::uint64_t rows_in = 0, rows_out = 0, error_rows = 0, late_rows = 0;
  std::uint64_t state_bytes = 0, state_entries = 0;
  std::string trouble;  ///< Why it does not go on; empty: it does.
};

/// Runs one program of stream SQL. Of all processes that have it, one runs it (it holds the lease
/// "sql.<name>"), the others stand by and take over when its lease expires.
///
/// Work goes in cuts (sqlapp::Cut). A cut is written down, with those since the last snapshot of the state,
/// before its rows go out; whoever takes over restores the snapshot, repeats the cuts with the same records
/// and so gets the same rows with the same ids. Formats: docs/formats/sql-application.md. Runs on: the
/// executor given; the engine works on the blocking pool.
class Application {
 public:
  /// References, and what `spill` (may be null) makes, must outlive it; `config` must be valid.
  Application(sqlapp::Deployment deployment, SqlConfig config, client::StreamClient& client,
              async::Runtime& runtime, async::Executor executor, const Clock& clock, obs::Registry& metrics,
              SpillFactory spill = nullptr);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  /// Begins to work or to stand by, at first after `delay`. Call once.
  void Start(Duration delay = Duration::zero());
  /// Saves the state and gives the application back. Call once, also if never started.
  async::Task<void> Stop(MonoTime deadline);
  /// Ends as a killed process does. For tests of take-over. Instead of Stop.
  async::Task<void> Abandon();
  /// Saves the state now, under a name (see sqlapp::Deployment::from). kUnavailable when it does not run
  /// here.
  /// `id` tells requests apart: one that any process has answered is not answered again, also not by those
  /// that stand by and take over later.
  void RequestSavepoint(std::string name, std::uint64_t id);

  const sqlapp::Deployment& deployment() const;
  /// kUnavailable while results cannot be stored or the work does not go on. Standing by is ready.
  /// Thread-safe.
  Result<void> Ready() const;
  /// Thread-safe.
  ApplicationStatus status() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::processors::sql_app
