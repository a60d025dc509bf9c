#include "honryu/processors/sql/config.h"

#include <algorithm>
#include <thread>

namespace honryu::processors::sql_app {

Result<void> SqlConfig::Validate() const {
  const auto wrong = [](std::string message) {
    return Error(ErrorCode::kInvalidArgument, "aggregator: " + std::move(message));
  };
  if (state_stream.empty()) return wrong("state_stream is missing");
  if (idle_timeout <= Duration::zero() || emit_interval <= Duration::zero() ||
      checkpoint_interval <= Duration::zero() || max_future < Duration::zero())
    return wrong("idle_timeout, emit_interval and checkpoint_interval must be above zero");
  if (lease_duration <= Duration::zero() || sync_interval <= Duration::zero() ||
      poll_wait <= Duration::zero())
    return wrong("lease_duration, sync_interval and poll_wait must be above zero");
  if (state_rate.bytes < 1024) return wrong("state_rate must be 1 KiB or more");
  if (max_buffer.bytes < 1 << 20) return wrong("max_buffer must be 1 MiB or more");
  return Ok();
}

std::size_t SqlConfig::LaneCount() const {
  // More gain little: what they found is put together by one thread.
  constexpr unsigned kMost = 4;
  return lanes > 0 ? lanes : std::clamp(std::thread::hardware_concurrency(), 1U, kMost);
}

}  // namespace honryu::processors::sql_app
