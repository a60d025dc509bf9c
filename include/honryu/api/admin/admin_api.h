#pragma once

#include "honryu/base/time.h"
#include "honryu/http/router.h"
#include "honryu/obs/metrics.h"

#include <functional>
#include <memory>
#include <string>

namespace honryu::api::admin {

/// What this process is, for people who ask it.
struct AdminConfig {
  std::string version;  ///< "0.1.0"
  std::string commit;   ///< Source revision; may be empty.
  std::string roles;    ///< "gateway,broker"; may be empty.
};

/// The endpoints that operators and orchestrators look at: /healthz (the process lives), /readyz (it can do
/// its work), /metrics (Prometheus text format 0.0.4), /version. Thread-safe.
class AdminApi {
 public:
  /// The references must outlive the object and every router it is registered with.
  AdminApi(AdminConfig config, const obs::Registry& metrics, const Clock& clock);
  ~AdminApi();
  AdminApi(const AdminApi&) = delete;
  AdminApi& operator=(const AdminApi&) = delete;

  /// Adds a condition of readiness. `check` is called by every /readyz, from any thread, must not block, and
  /// must stay callable as long as this object lives. Its error's message is shown.
  void AddCheck(std::string name, std::function<Result<void>()> check);
  /// Adds the routes. Before the server starts.
  void Register(http::Router& router);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::api::admin
