#pragma once

#include "app/component.h"
#include "app/wiring.h"

#include <memory>

namespace honryu::app {

// The components, a file each. `wiring` must outlive them.

/// Health pages and metrics; `checks` adds what /readyz asks.
std::unique_ptr<Component> MakeAdmin(Wiring& wiring,
                                     const std::function<void(api::admin::AdminApi&)>& checks);
/// The log, the broker and the Kinesis API. Leaves wiring.broker.
std::unique_ptr<Component> MakeBrokerRole(Wiring& wiring);
/// The way to the broker, in this process or another. Leaves wiring.streams.
std::unique_ptr<Component> MakeStreams(Wiring& wiring);
std::unique_ptr<Component> MakeGatewayRole(Wiring& wiring);
std::unique_ptr<Component> MakeAggregatorRole(Wiring& wiring);
std::unique_ptr<Component> MakeQueryRole(Wiring& wiring);
/// Alerts over HTTP, on the port of gateway and query.
std::unique_ptr<Component> MakeAlertsApi(Wiring& wiring);
std::unique_ptr<Component> MakeDetectorRole(Wiring& wiring);
std::unique_ptr<Component> MakeAlerterRole(Wiring& wiring);
/// The search store, its upkeep and its API, on a port of its own.
std::unique_ptr<Component> MakeIndexerRole(Wiring& wiring);
/// /v1/sql on that port.
std::unique_ptr<Component> MakeSqlApi(Wiring& wiring);
/// The port that gateway and query share, with what they registered.
std::unique_ptr<Component> MakeHttpListener(Wiring& wiring);

}  // namespace honryu::app
