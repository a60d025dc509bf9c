#pragma once

#include "honryu/client/stream_client.h"
#include "honryu/processors/aggregator/config.h"

#include <cstdint>
#include <optional>
#include <string>

namespace honryu::processors::aggregator {

/// What the key figures need of one event.
struct EventFields {
  std::string type;
  std::int64_t time_ms = 0;
  std::optional<std::uint64_t> user_hash;  ///< Absent: the event names no user.
  bool error = false;
};

/// Reads an event as the gateway stores it. Time: event_time, else timestamp (ISO or epoch ms), else arrival;
/// arrival also for a time further ahead of it than config.max_future. kInvalidArgument when it is no JSON
/// object.
Result<EventFields> ReadEventFields(const client::StreamRecord& record, const AggregatorConfig& config);

}  // namespace honryu::processors::aggregator
