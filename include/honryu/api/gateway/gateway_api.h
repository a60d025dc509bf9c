#pragma once

#include "honryu/api/gateway/gateway_config.h"
#include "honryu/async/runtime.h"
#include "honryu/client/stream_client.h"
#include "honryu/http/router.h"
#include "honryu/obs/metrics.h"

#include <memory>

namespace honryu::api::gateway {

/// POST /v1/events (docs/http-api.md): checks events, stores the good ones as records of a stream, the bad
/// ones with the reason in a dead-letter stream, and answers for each. An event is reported as accepted only
/// when it is durable. Thread-safe: its handlers run on the connections' event loops.
class GatewayApi {
 public:
  /// `config` must have passed Validate(). The references must outlive the gateway.
  GatewayApi(GatewayConfig config, client::StreamClient& client, const Clock& clock, async::Runtime& runtime,
             obs::Registry& metrics);
  ~GatewayApi();
  GatewayApi(const GatewayApi&) = delete;
  GatewayApi& operator=(const GatewayApi&) = delete;

  /// Creates the streams if need be and reads the last dedup window of the stream (at most the newest ids
  /// that the window has room for), so that a retry that crosses a restart is not stored twice. Until it has
  /// succeeded requests get 503. After a failure, cancellation included, it may be called again and goes on
  /// where it stopped. Every step has a deadline of its own, the whole only that of `ctx`: see
  /// start_progress().
  async::Task<Result<void>> Start(async::Context ctx);
  /// Rises while Start gets on. Any thread.
  std::uint64_t start_progress() const;
  /// Adds the routes. Before the server starts.
  void Register(http::Router& router);
  /// ok once Start has succeeded and until BeginStop, while writing works as far as is known (from the last
  /// write, or from asking the broker when there was none lately); else kUnavailable with the reason. For
  /// readiness checks.
  Result<void> Ready() const;
  /// Refuses new requests (503) at once.
  void BeginStop();
  /// Waits for writes that are under way until the deadline, then cancels them. Call once, also if never
  /// started.
  async::Task<void> Stop(MonoTime deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::api::gateway
