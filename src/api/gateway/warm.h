#pragma once

#include "api/gateway/dedup_window.h"
#include "honryu/client/stream_client.h"

#include <string>

namespace honryu::api::gateway {

/// Reads what `stream` took in from `since` to `until` and remembers its event ids. Records that are no
/// events (other producers may write to the stream) are passed over. Returns the number of ids.
async::Task<Result<std::uint64_t>> WarmDedupWindow(async::Context ctx, client::StreamClient& client,
                                                   std::string stream, Timestamp since, Timestamp until,
                                                   DedupWindow& window);

}  // namespace honryu::api::gateway
