#pragma once

#include "honryu/api/keys/api_keys.h"
#include "honryu/async/task.h"
#include "honryu/client/stream_client.h"
#include "honryu/http/router.h"
#include "honryu/obs/metrics.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace honryu::api::alerts {

struct AlertsConfig {
  std::string alerts_stream = "alerts";
  std::size_t history = 1000;          ///< Steps kept.
  std::vector<std::string> channels;   ///< Names that a test may be sent to.
  std::vector<keys::ApiKey> api_keys;  ///< Empty: everybody. Reading needs "read", the rest "admin".
  /// Pages of these web origins may ask; all others are refused, so that no page silences alerts unseen.
  std::vector<std::string> cors_origins = {"loopback"};
  Duration longest_silence = std::chrono::hours(24 * 31);
};

/// Routes: GET /v1/alerts, /v1/alerts/history, /v1/alerts/chart.png, /v1/silences; POST /v1/silences,
/// /v1/alerts/test; DELETE /v1/silences/ID. Thread-safe: handlers run on the connections' event loops.
class AlertsApi {
 public:
  /// References must outlive it.
  AlertsApi(AlertsConfig config, client::StreamClient& client, async::Executor executor, const Clock& clock,
            obs::Registry& metrics);
  /// The server must have stopped.
  ~AlertsApi();
  AlertsApi(const AlertsApi&) = delete;
  AlertsApi& operator=(const AlertsApi&) = delete;

  /// Adds the routes. Before the server starts; this object must outlive it.
  void Register(http::Router& router);
  /// Begins to read the stream of alerts. Call once.
  void Start();
  /// Call once, also if never started.
  async::Task<void> Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::api::alerts
