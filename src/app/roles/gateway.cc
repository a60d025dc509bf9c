#include "honryu/api/gateway/gateway_api.h"
#include "honryu/async/task_group.h"
#include "honryu/obs/log.h"
#include "roles.h"

#include <chrono>
#include <future>
#include <thread>

namespace honryu::app {
namespace {

class GatewayRole final : public Component {
 public:
  explicit GatewayRole(Wiring& wiring) : wiring_(wiring) {}

  const char* name() const override { return "gateway"; }
  /// Tries again while the broker is away, until a stop request or until the progress has stood still for
  /// start_timeout.
  Result<void> Start() override;
  Result<void> Ready() const override { return gateway_->Ready(); }
  void BeginStop() override {
    if (gateway_ != nullptr) gateway_->BeginStop();
  }
  void Stop(MonoTime deadline) override {
    if (gateway_ != nullptr) wiring_.runtime.BlockOn(gateway_->Stop(deadline));
  }

 private:
  /// One attempt, cancelled by a stop request.
  Result<void> Try();

  Wiring& wiring_;
  std::unique_ptr<api::gateway::GatewayApi> gateway_;
};

async::Task<void> StartGateway(api::gateway::GatewayApi* gateway, std::promise<Result<void>>* outcome) {
  Result<void> started = co_await gateway->Start(async::Context());
  outcome->set_value(std::move(started));
}

Result<void> GatewayRole::Try() {
  std::promise<Result<void>> outcome;
  std::future<Result<void>> started = outcome.get_future();
  async::TaskGroup group;
  group.Spawn(wiring_.runtime.NextExecutor(), "gateway start", StartGateway(gateway_.get(), &outcome));
  while (started.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
    if (wiring_.stop_requested()) group.Cancel();
    if (group.running() == 0) break;  // its end comes after the outcome, unless it threw
  }
  HONRYU_TRY_VOID(wiring_.runtime.BlockOn(group.Join()));
  if (started.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    return Error(ErrorCode::kInternal, "the start of the gateway failed; see the log");
  return started.get();
}

Result<void> GatewayRole::Start() {
  const Settings& settings = wiring_.settings;
  gateway_ = std::make_unique<api::gateway::GatewayApi>(settings.gateway, *wiring_.streams, wiring_.clock,
                                                        wiring_.runtime, wiring_.metrics);
  auto deadline = std::chrono::steady_clock::now() + settings.start_timeout;
  std::uint64_t reached = gateway_->start_progress();
  for (;;) {
    Result<void> done = Try();
    if (done.ok()) break;
    if (wiring_.stop_requested()) return Error(ErrorCode::kCancelled, "gateway: stopped while it started");
    if (!done.error().retryable()) return done;
    if (gateway_->start_progress() != reached) {
      reached = gateway_->start_progress();
      deadline = std::chrono::steady_clock::now() + settings.start_timeout;
    }
    if (std::chrono::steady_clock::now() >= deadline) return done.error().WithContext("gateway");
    LOG_LIMITED(info, "waiting for the broker", {"component", name()}, {"reason", done.error()});
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  gateway_->Register(wiring_.http_router);
  return Ok();
}

}  // namespace

std::unique_ptr<Component> MakeGatewayRole(Wiring& wiring) { return std::make_unique<GatewayRole>(wiring); }

}  // namespace honryu::app
