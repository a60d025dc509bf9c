#include "honryu/processors/aggregator/config.h"

#include "honryu/base/units.h"

#include <set>

namespace honryu::processors::aggregator {

Result<void> AggregatorConfig::Validate() const {
  const auto wrong = [](std::string message) {
    return Error(ErrorCode::kInvalidArgument, "aggregator: " + std::move(message));
  };
  if (application.empty()) return wrong("application is missing");
  const std::set<std::string> streams = {events_stream, kpi_stream, late_stream};
  if (streams.size() != 3 || streams.contains(""))
    return wrong("events_stream, kpi_stream and late_stream must be three different names");
  if (windows.empty() || windows.size() > 8) return wrong("windows must name 1 to 8 sizes");
  std::set<Duration> sizes;
  for (const Duration size : windows) {
    if (size < std::chrono::seconds(1) || size > std::chrono::hours(24) ||
        size % std::chrono::seconds(1) != Duration::zero())
      return wrong("windows must be whole seconds, 1s to 24h, found " + FormatDuration(size));
    if (!sizes.insert(size).second) return wrong("windows name " + FormatDuration(size) + " twice");
  }
  if (allowed_lateness < Duration::zero()) return wrong("allowed_lateness is below zero");
  if (idle_timeout <= Duration::zero() || emit_interval <= Duration::zero() ||
      checkpoint_interval <= Duration::zero() || max_future < Duration::zero()) {
    return wrong("idle_timeout, emit_interval and checkpoint_interval must be above zero");
  }
  if (max_groups < 1 || max_event_types < 1 || exact_users < 1)
    return wrong("max_groups, max_event_types and exact_users must be 1 or more");
  if (max_window_memory.bytes < 1) return wrong("max_window_memory must be above zero");
  if (kpi_shards < 1 || late_shards < 1) return wrong("kpi_shards and late_shards must be 1 or more");
  return Ok();
}

std::string WindowName(Duration size) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(size).count();
  if (seconds % 3600 == 0) return std::to_string(seconds / 3600) + "h";
  if (seconds % 60 == 0) return std::to_string(seconds / 60) + "m";
  return std::to_string(seconds) + "s";
}

}  // namespace honryu::processors::aggregator
