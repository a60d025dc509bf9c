#pragma once

#include "honryu/client/stream_client.h"
#include "honryu/http/client.h"

#include <memory>
#include <string>

namespace honryu::client {
struct RemoteClientConfig {
  std::string endpoint = "http://127.0.0.1:4567";
  std::uint32_t max_concurrent_puts = 64;  ///< Further puts wait.
  std::string access_key_id;               ///< Signs every request; empty: unsigned.
  std::string secret_access_key;
};
/// Speaks the Kinesis API (JSON 1.1) to a broker process; long polls and leases use honryu's own extension
/// operations (docs/formats/extensions.md). `http` must outlive the client.
std::unique_ptr<StreamClient> MakeRemoteClient(http::Client& http, RemoteClientConfig config);
}  // namespace honryu::client
