#pragma once

#include "honryu/broker/broker.h"
#include "honryu/client/stream_client.h"

#include <memory>

namespace honryu::client {
/// Calls the broker of this process directly. `broker` must outlive the client.
std::unique_ptr<StreamClient> MakeLocalClient(broker::Broker& broker);
}  // namespace honryu::client
