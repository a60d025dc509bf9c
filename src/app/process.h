#pragma once

#include "settings.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace honryu::app {

/// The roles that a process can play; the all-in-one plays all of them.
inline constexpr const char* kRoles[] = {"gateway",  "broker",  "aggregator", "query",
                                         "detector", "alerter", "indexer"};

/// One honryu process: builds the components of its roles bottom-up from validated settings, starts them in
/// order and stops them in reverse. This is the only place that knows every module.
class Process {
 public:
  Process(Settings settings, std::set<std::string> roles);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Starts everything; on failure whatever had started is stopped again. Blocks until all components are
  /// ready. `stop_requested` is asked now and then while a start waits for its broker.
  Result<void> Start(const std::function<bool()>& stop_requested);
  /// Two phases: listeners refuse new work at once, then components drain in reverse order until `deadline`;
  /// who is late is logged. Blocks.
  void Stop(Duration grace);
  /// Bound ports by listener: "http", "kinesis", "search", "admin".
  std::map<std::string, std::uint16_t> Ports() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::app
