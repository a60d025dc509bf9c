#pragma once

#include "honryu/api/keys/api_keys.h"
#include "honryu/async/runtime.h"
#include "honryu/client/stream_client.h"
#include "honryu/http/router.h"
#include "honryu/obs/metrics.h"

#include <memory>
#include <string>
#include <vector>

namespace honryu::api::sql_api {

struct SqlApiConfig {
  std::string state_stream = "sql-state";
  std::size_t max_queries = 16;  ///< Asked at a time; further ones get 503.
  Duration idle_timeout = std::chrono::seconds(5);
  std::size_t lanes = 1;  ///< Of a query: shards that are worked on beside each other.
  /// Empty: everybody who reaches the port. "read" asks, "admin" changes applications.
  std::vector<keys::ApiKey> api_keys;
};

/// Serves /v1/sql (docs/sql.md). Thread-safe: handlers run on the connections' event loops.
class SqlApi {
 public:
  /// References must outlive it.
  SqlApi(SqlApiConfig config, client::StreamClient& client, async::Runtime& runtime, const Clock& clock,
         obs::Registry& metrics);
  /// The server must have stopped.
  ~SqlApi();
  SqlApi(const SqlApi&) = delete;
  SqlApi& operator=(const SqlApi&) = delete;

  /// Adds the routes. Before the server starts; this object must outlive it.
  void Register(http::Router& router);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::api::sql_api
