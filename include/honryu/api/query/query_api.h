#pragma once

#include "honryu/api/keys/api_keys.h"
#include "honryu/async/runtime.h"
#include "honryu/http/router.h"
#include "honryu/obs/metrics.h"
#include "honryu/views/kpi_store.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace honryu::api::query {

struct QueryConfig {
  /// Known without data; what the store has is known too. Other names are
  /// refused with 400.
  std::vector<std::string> metrics = {"events", "users", "errors"};
  std::vector<std::string> windows = {"1m", "5m", "1h"};
  std::size_t default_limit = 10000;
  std::size_t max_limit = 100000;
  Duration live_interval = std::chrono::seconds(1);    ///< Between two live events.
  Duration live_heartbeat = std::chrono::seconds(15);  ///< A comment after this much silence.
  std::size_t max_live = 1000;                         ///< Live connections; further ones get 503.
  std::size_t max_live_rows = 10000;                   ///< Waiting for one connection; beyond it,
                                                       ///< it gets a snapshot instead.
  /// Web origins that may read: "*", "loopback" (any port of this machine) or
  /// exact origins.
  std::vector<std::string> cors_origins = {"loopback"};
  /// Empty: everybody may read. Reading needs the scope "read".
  std::vector<keys::ApiKey> api_keys;

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Serves the rows of a KpiStore. Thread-safe: handlers run on the connections'
/// event loops, the store on the blocking pool.
class QueryApi {
 public:
  /// References must outlive it; `config` must be valid. Becomes the store's
  /// listener.
  QueryApi(QueryConfig config, views::KpiStore& store, async::Runtime& runtime, const Clock& clock,
           obs::Registry& metrics);
  /// The server must have stopped.
  ~QueryApi();
  QueryApi(const QueryApi&) = delete;
  QueryApi& operator=(const QueryApi&) = delete;

  /// Adds the routes. Before the server starts; this object must outlive it.
  void Register(http::Router& router);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::api::query
