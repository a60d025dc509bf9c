#include "honryu/processors/sql/host.h"
#include "roles.h"

namespace honryu::app {
namespace {

class AggregatorRole final : public Component {
 public:
  explicit AggregatorRole(Wiring& wiring) : wiring_(wiring) {}

  const char* name() const override { return "aggregator"; }
  Result<void> Start() override {
    host_ = std::make_unique<processors::sql_app::Host>(wiring_.settings.aggregator, *wiring_.streams,
                                                        wiring_.runtime, wiring_.runtime.NextExecutor(),
                                                        wiring_.clock, wiring_.metrics);
    return host_->Start();
  }
  Result<void> Ready() const override { return host_->Ready(); }
  void Stop(MonoTime deadline) override {
    if (host_ != nullptr) wiring_.runtime.BlockOn(host_->Stop(deadline));
  }

 private:
  Wiring& wiring_;
  std::unique_ptr<processors::sql_app::Host> host_;
};

}  // namespace

std::unique_ptr<Component> MakeAggregatorRole(Wiring& wiring) {
  return std::make_unique<AggregatorRole>(wiring);
}

}  // namespace honryu::app
