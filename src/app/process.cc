#include "process.h"

#include "roles/roles.h"
#include "wiring.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

namespace honryu::app {

// Components stand in the order in which they start; they stop, and go, in the reverse one.
struct Process::Impl {
  Impl(Settings settings, std::set<std::string> roles) : wiring(std::move(settings), std::move(roles)) {
    Build();
  }
  ~Impl() {
    while (!components.empty()) components.pop_back();
  }

  void Build();
  /// Components are ready only once the whole process has started.
  void AddChecks(api::admin::AdminApi& admin);

  Wiring wiring;
  std::vector<std::unique_ptr<Component>> components;
  std::atomic<bool> ready{false};
};

void Process::Impl::Build() {
  using Make = std::unique_ptr<Component> (*)(Wiring&);
  const auto add = [this](bool wanted, Make make) {
    if (wanted) components.push_back(make(wiring));
  };
  add(wiring.Has("broker"), MakeBrokerRole);
  add(true, MakeStreams);
  add(wiring.Has("gateway"), MakeGatewayRole);
  add(wiring.Has("aggregator"), MakeAggregatorRole);
  add(wiring.Has("query"), MakeQueryRole);
  add(wiring.Has("query"), MakeAlertsApi);
  add(wiring.Has("detector"), MakeDetectorRole);
  add(wiring.Has("alerter"), MakeAlerterRole);
  add(wiring.Has("indexer"), MakeIndexerRole);
  add(wiring.Has("gateway") || wiring.Has("query"), MakeSqlApi);
  add(wiring.Has("gateway") || wiring.Has("query"), MakeHttpListener);
  // First to start and last to stop, so that its pages tell how both go.
  components.insert(components.begin(),
                    MakeAdmin(wiring, [this](api::admin::AdminApi& admin) { AddChecks(admin); }));
}

void Process::Impl::AddChecks(api::admin::AdminApi& admin) {
  const auto started = [this]() -> Result<void> {
    if (ready) return Ok();
    return Error(ErrorCode::kUnavailable, "still starting");
  };
  admin.AddCheck("started", started);
  for (const std::unique_ptr<Component>& component : components) {
    admin.AddCheck(component->name(), [started, part = component.get()]() -> Result<void> {
      HONRYU_TRY_VOID(started());
      return part->Ready();
    });
  }
}

Process::Process(Settings settings, std::set<std::string> roles)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(roles))) {}
Process::~Process() = default;

Result<void> Process::Start(const std::function<bool()>& stop_requested) {
  impl_->wiring.stop_requested = stop_requested;
  for (const std::unique_ptr<Component>& component : impl_->components) {
    Result<void> started = component->Start();
    if (started.ok()) continue;
    Stop(impl_->wiring.settings.stop_grace);
    return started;
  }
  impl_->ready = true;
  return Ok();
}

void Process::Stop(Duration grace) {
  const MonoTime deadline = std::chrono::steady_clock::now() + grace;
  impl_->ready = false;
  auto& components = impl_->components;
  for (auto part = components.rbegin(); part != components.rend(); ++part) (*part)->BeginStop();
  for (auto part = components.rbegin(); part != components.rend(); ++part) (*part)->Stop(deadline);
  impl_->wiring.runtime.JoinBlocking();
}

std::map<std::string, std::uint16_t> Process::Ports() const { return impl_->wiring.ports; }

}  // namespace honryu::app
