#pragma once

#include "honryu/processors/sql/application.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace honryu::processors::sql_app {

/// Runs all applications that there are: those of the folder of programs (or the built-in key figures), and
/// those of the catalogue, which is looked at every sync_interval. Each application runs in one of the
/// processes that have a host. A program that does not load is told by Ready, and does not disturb the
/// others. Runs on: the executor given.
class Host {
 public:
  /// References must outlive it; `config` must be valid.
  Host(SqlConfig config, client::StreamClient& client, async::Runtime& runtime, async::Executor executor,
       const Clock& clock, obs::Registry& metrics);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Reads the folder and begins. kIo; kInvalidArgument: a program that does not load, so that a mistake is
  /// seen at once.
  Result<void> Start();
  /// Call once, also if never started.
  async::Task<void> Stop(MonoTime deadline);
  /// kUnavailable names the applications that do not go on. Thread-safe.
  Result<void> Ready() const;
  /// By name. Thread-safe.
  std::vector<std::pair<std::string, ApplicationStatus>> Applications() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The program of key figures that is built in (config/apps/kpi.sql).
std::string_view BuiltInKpiProgram();

}  // namespace honryu::processors::sql_app
