#include "app/version.h"
#include "listener.h"
#include "roles.h"

namespace honryu::app {
namespace {

std::string Join(const std::set<std::string>& roles) {
  std::string out;
  for (const std::string& role : roles) out += (out.empty() ? "" : ",") + role;
  return out;
}

api::admin::AdminConfig ConfigOf(const Wiring& wiring) {
  api::admin::AdminConfig config;
  config.version = kVersion;
  config.roles = Join(wiring.roles);
  return config;
}

class Admin final : public Component {
 public:
  Admin(Wiring& wiring, const std::function<void(api::admin::AdminApi&)>& checks)
      : api_(ConfigOf(wiring), wiring.metrics, wiring.clock),
        listener_(wiring, wiring.settings.admin, router_) {
    checks(api_);
    api_.Register(router_);
  }

  const char* name() const override { return "admin"; }
  Result<void> Start() override { return listener_.Start(); }
  // No BeginStop: the pages tell how the stop goes, until the last component has ended.
  void Stop(MonoTime deadline) override { listener_.Stop(deadline); }

 private:
  api::admin::AdminApi api_;
  http::Router router_;
  Listener listener_;
};

}  // namespace

std::unique_ptr<Component> MakeAdmin(Wiring& wiring,
                                     const std::function<void(api::admin::AdminApi&)>& checks) {
  return std::make_unique<Admin>(wiring, checks);
}

}  // namespace honryu::app
