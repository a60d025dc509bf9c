#pragma once

#include "api/gateway/event.h"
#include "honryu/base/units.h"
#include "honryu/client/stream_client.h"

#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::gateway {

/// Where a refused event came from.
struct DeadLetterOrigin {
  std::string_view request_id;
  std::string_view peer;
  std::string_view received_at;  ///< Formatted.
};

/// Appends the dead-letter records of one refused event (docs/formats/dead-letter.md): one, or several parts
/// when its bytes do not fit one record of `max_record` bytes (data and key, 1 KiB or more). Valid UTF-8 of
/// up to 128 KiB that fits one record is kept as a string, everything else in base64.
void AppendDeadLetters(const DeadLetterOrigin& origin, std::uint32_t index, const Reject& reject,
                       BytesView original, ByteSize max_record, std::vector<client::PutEntry>* entries);

}  // namespace honryu::api::gateway
