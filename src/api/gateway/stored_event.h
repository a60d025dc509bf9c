#pragma once

#include "api/gateway/event.h"

#include <string>
#include <string_view>

namespace honryu::api::gateway {

/// Appends FormatTimestamp(time) to `out`, without printf's price.
void AppendTimestamp(Timestamp time, std::string& out);

/// Most bytes that AppendStoredEvent adds to an event's own text.
inline constexpr std::size_t kStoredOverhead = 256;

/// Appends the record of an event to `out`: the text as sent, with the server's members put in behind the
/// opening brace. `made_id` is the event_id that the server made, or empty. `received_text`: context time,
/// formatted.
///   {"event_type":"x"}  →  {"received_at":"…","event_time":"…","event_id":"…","event_type":"x"}
void AppendStoredEvent(const CheckedEvent& event, Timestamp received, std::string_view received_text,
                       std::string_view made_id, std::string& out);

}  // namespace honryu::api::gateway
