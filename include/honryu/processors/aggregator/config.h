#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/base/units.h"

#include <cstdint>
#include <string>
#include <vector>

namespace honryu::processors::aggregator {

/// Which events count as errors: any of the three is enough.
struct ErrorRule {
  std::vector<std::string> event_types = {"error", "crash"};
  std::vector<std::string> severity_properties = {"level", "severity"};  ///< Members of `properties`…
  std::vector<std::string> severity_values = {"error"};                  ///< …with one of these texts.
  std::vector<std::string> status_properties = {"status", "response"};   ///< Numbers in `properties`…
  std::int64_t status_from = 500;                                        ///< …from here up.
};

struct AggregatorConfig {
  std::string application = "aggregator";
  std::string events_stream = "events";
  std::string kpi_stream = "kpi";
  std::string late_stream = "late-events";
  int kpi_shards = 1;  ///< When the stream is created here.
  int late_shards = 1;
  std::vector<Duration> windows = {std::chrono::minutes(1), std::chrono::minutes(5), std::chrono::hours(1)};
  Duration allowed_lateness = std::chrono::minutes(1);
  /// A shard that is caught up and silent for this long does not hold back event time.
  Duration idle_timeout = std::chrono::seconds(5);
  /// Between two looks at what has changed: partial rows, final rows, late events.
  Duration emit_interval = std::chrono::seconds(1);
  /// Checkpoints are saved at least this often, and behind final rows.
  Duration checkpoint_interval = std::chrono::seconds(5);
  /// Event types kept apart in one window; those beyond it are counted together as "__other__".
  std::uint32_t max_groups = 1000;
  /// Event types kept apart since the start, over all windows; newer ones are "__other__" too.
  std::uint32_t max_event_types = 10000;
  /// Distinct users of one row are counted exactly up to this number, then estimated (standard error 0.81 %).
  std::uint32_t exact_users = 16384;
  /// Memory of open windows (estimate, bytes) above which shards that are ahead of the slowest one wait for
  /// it.
  ByteSize max_window_memory = {512ULL << 20};
  /// An event that claims to be further ahead of its arrival than this is taken at its arrival time.
  Duration max_future = std::chrono::minutes(5);
  ErrorRule errors;
  Duration lease_duration = std::chrono::seconds(10);
  Duration sync_interval = std::chrono::seconds(2);
  Duration poll_wait = std::chrono::seconds(1);

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// "1m", "5m", "1h", "90s": the name of a window size in rows and queries.
std::string WindowName(Duration size);

}  // namespace honryu::processors::aggregator
