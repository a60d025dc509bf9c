#include "honryu/processors/aggregator/aggregator.h"

#include "roles.h"

namespace honryu::app {
namespace {

class AggregatorRole final : public Component {
 public:
  explicit AggregatorRole(Wiring& wiring) : wiring_(wiring) {}

  const char* name() const override { return "aggregator"; }
  Result<void> Start() override {
    aggregator_ = processors::aggregator::MakeAggregator(wiring_.settings.aggregator, *wiring_.streams,
                                                         wiring_.runtime.NextExecutor(), wiring_.clock,
                                                         wiring_.metrics);
    aggregator_->Start();
    return Ok();
  }
  Result<void> Ready() const override { return aggregator_->Ready(); }
  void Stop(MonoTime deadline) override {
    if (aggregator_ != nullptr) wiring_.runtime.BlockOn(aggregator_->Stop(deadline));
  }

 private:
  Wiring& wiring_;
  std::unique_ptr<processors::aggregator::Aggregator> aggregator_;
};

}  // namespace

std::unique_ptr<Component> MakeAggregatorRole(Wiring& wiring) {
  return std::make_unique<AggregatorRole>(wiring);
}

}  // namespace honryu::app
