#pragma once

#include "app/settings.h"
#include "honryu/api/admin/admin_api.h"
#include "honryu/async/runtime.h"
#include "honryu/broker/broker.h"
#include "honryu/client/stream_client.h"
#include "honryu/http/router.h"
#include "honryu/http/server.h"
#include "honryu/obs/metrics.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace honryu::app {

/// What the components of a process share. A component finds here what those before it have left, and leaves
/// what those after it need; it lives as long as any of them.
struct Wiring {
  Wiring(Settings s, std::set<std::string> r)
      : settings(std::move(s)),
        roles(std::move(r)),
        runtime(settings.runtime),
        bodies(settings.request_memory, metrics) {}

  bool Has(const char* role) const { return roles.contains(role); }

  const Settings settings;
  const std::set<std::string> roles;
  const Clock& clock = SystemClock();
  obs::Registry metrics;
  async::Runtime runtime;
  http::BodyBudget bodies;
  std::function<bool()> stop_requested;  ///< Asked by starts that wait. Set by Process::Start.

  http::Router http_router;                    ///< Of the port that gateway and query share.
  broker::Broker* broker = nullptr;            ///< Only where the broker's role is played; set by it.
  client::StreamClient* streams = nullptr;     ///< Set by the client component, for all after it.
  std::map<std::string, std::uint16_t> ports;  ///< Bound ports by listener; set by the listeners.
};

}  // namespace honryu::app
