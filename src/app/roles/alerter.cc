#include "honryu/processors/alerter/alerter.h"

#include "honryu/processors/alerter/metrics_source.h"
#include "honryu/processors/notifier/notifier.h"
#include "roles.h"

#include <algorithm>

namespace honryu::app {
namespace {

/// Rules, deliveries, and the metrics that rules may watch.
class AlerterRole final : public Component {
 public:
  explicit AlerterRole(Wiring& wiring) : wiring_(wiring) {}

  const char* name() const override { return "alerter"; }
  Result<void> Start() override {
    const Settings& settings = wiring_.settings;
    http::ClientConfig client;
    client.max_body = ByteSize::MiB(8);  // answers of receivers, and metrics pages
    http_ = std::make_unique<http::Client>(wiring_.runtime, client);
    alerter_ = std::make_unique<processors::alerter::Alerter>(
        settings.alerter, *wiring_.streams, wiring_.runtime.NextExecutor(), wiring_.clock, wiring_.metrics);
    notifier_ = std::make_unique<processors::notifier::Notifier>(
        settings.notifier, *wiring_.streams, *http_, wiring_.runtime, wiring_.runtime.NextExecutor(),
        wiring_.clock, wiring_.metrics);
    alerter_->Start();
    notifier_->Start();
    const bool watched = std::any_of(
        settings.alerter.rules.begin(), settings.alerter.rules.end(),
        [&](const auto& rule) { return rule.enabled && rule.stream == settings.metrics_source.stream; });
    if (!watched) return Ok();
    metrics_ = std::make_unique<processors::alerter::MetricsSource>(settings.metrics_source, *wiring_.streams,
                                                                    *http_, wiring_.runtime.NextExecutor(),
                                                                    wiring_.clock, wiring_.metrics);
    metrics_->Start();
    return Ok();
  }
  Result<void> Ready() const override {
    HONRYU_TRY_VOID(alerter_->Ready());
    return notifier_->Ready();
  }
  void Stop(MonoTime deadline) override {
    if (metrics_ != nullptr) wiring_.runtime.BlockOn(metrics_->Stop());
    if (alerter_ != nullptr) wiring_.runtime.BlockOn(alerter_->Stop(deadline));
    if (notifier_ != nullptr) wiring_.runtime.BlockOn(notifier_->Stop(deadline));
  }

 private:
  Wiring& wiring_;
  std::unique_ptr<http::Client> http_;
  std::unique_ptr<processors::alerter::Alerter> alerter_;
  std::unique_ptr<processors::notifier::Notifier> notifier_;
  std::unique_ptr<processors::alerter::MetricsSource> metrics_;
};

}  // namespace

std::unique_ptr<Component> MakeAlerterRole(Wiring& wiring) { return std::make_unique<AlerterRole>(wiring); }

}  // namespace honryu::app
