#include "honryu/processors/detector/detector.h"

#include "roles.h"

namespace honryu::app {
namespace {

class DetectorRole final : public Component {
 public:
  explicit DetectorRole(Wiring& wiring) : wiring_(wiring) {}

  const char* name() const override { return "detector"; }
  Result<void> Start() override {
    detector_ = std::make_unique<processors::detector::Detector>(
        wiring_.settings.detector, *wiring_.streams, wiring_.runtime, wiring_.runtime.NextExecutor(),
        wiring_.clock, wiring_.metrics);
    detector_->Start();
    return Ok();
  }
  Result<void> Ready() const override { return detector_->Ready(); }
  void Stop(MonoTime deadline) override {
    if (detector_ != nullptr) wiring_.runtime.BlockOn(detector_->Stop(deadline));
  }

 private:
  Wiring& wiring_;
  std::unique_ptr<processors::detector::Detector> detector_;
};

}  // namespace

std::unique_ptr<Component> MakeDetectorRole(Wiring& wiring) { return std::make_unique<DetectorRole>(wiring); }

}  // namespace honryu::app
