#include "honryu/api/sql/sql_api.h"

#include "roles.h"

namespace honryu::app {
namespace {

class SqlApiRole final : public Component {
 public:
  explicit SqlApiRole(Wiring& wiring) : wiring_(wiring) {}

  const char* name() const override { return "sql"; }
  Result<void> Start() override {
    api::sql_api::SqlApiConfig config;
    config.state_stream = wiring_.settings.aggregator.state_stream;
    config.idle_timeout = wiring_.settings.aggregator.idle_timeout;
    config.lanes = wiring_.settings.aggregator.LaneCount();
    config.api_keys = wiring_.settings.gateway.api_keys;
    api_ = std::make_unique<api::sql_api::SqlApi>(std::move(config), *wiring_.streams, wiring_.runtime,
                                                  wiring_.clock, wiring_.metrics);
    api_->Register(wiring_.http_router);
    return Ok();
  }
  void Stop(MonoTime) override {}  // its queries end with the listener

 private:
  Wiring& wiring_;
  std::unique_ptr<api::sql_api::SqlApi> api_;
};

}  // namespace

std::unique_ptr<Component> MakeSqlApi(Wiring& wiring) { return std::make_unique<SqlApiRole>(wiring); }

}  // namespace honryu::app
