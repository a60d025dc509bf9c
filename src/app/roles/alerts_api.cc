#include "honryu/api/alerts/alerts_api.h"

#include "roles.h"

namespace honryu::app {
namespace {

class AlertsApi final : public Component {
 public:
  explicit AlertsApi(Wiring& wiring) : wiring_(wiring) {}

  const char* name() const override { return "alerts"; }
  Result<void> Start() override {
    const Settings& settings = wiring_.settings;
    api::alerts::AlertsConfig config;
    config.alerts_stream = settings.alerter.alerts_stream;
    config.api_keys = settings.gateway.api_keys;
    config.cors_origins = settings.query.cors_origins;
    for (const auto& channel : settings.notifier.channels) config.channels.push_back(channel.name);
    api_ = std::make_unique<api::alerts::AlertsApi>(config, *wiring_.streams, wiring_.runtime.NextExecutor(),
                                                    wiring_.clock, wiring_.metrics);
    api_->Register(wiring_.http_router);
    api_->Start();
    return Ok();
  }
  void Stop(MonoTime /*deadline*/) override {
    if (api_ != nullptr) wiring_.runtime.BlockOn(api_->Stop());
  }

 private:
  Wiring& wiring_;
  std::unique_ptr<api::alerts::AlertsApi> api_;
};

}  // namespace

std::unique_ptr<Component> MakeAlertsApi(Wiring& wiring) { return std::make_unique<AlertsApi>(wiring); }

}  // namespace honryu::app
