#include "listener.h"

#include "roles.h"

namespace honryu::app {

Result<void> Listener::Start() {
  server_ = std::make_unique<http::Server>(wiring_.runtime, wiring_.metrics, config_, router_.AsHandler(),
                                           &wiring_.bodies);
  HONRYU_TRY_VOID(server_->Start());
  wiring_.ports[config_.name] = server_->port();
  return Ok();
}

void Listener::BeginStop() {
  if (server_ != nullptr) server_->BeginStop();
}

void Listener::Stop(MonoTime deadline) {
  if (server_ != nullptr) wiring_.runtime.BlockOn(server_->Stop(deadline));
}

namespace {

class HttpListener final : public Component {
 public:
  explicit HttpListener(Wiring& wiring) : listener_(wiring, wiring.settings.http, wiring.http_router) {}

  const char* name() const override { return "http"; }
  Result<void> Start() override { return listener_.Start(); }
  void BeginStop() override { listener_.BeginStop(); }
  void Stop(MonoTime deadline) override { listener_.Stop(deadline); }

 private:
  Listener listener_;
};

}  // namespace

std::unique_ptr<Component> MakeHttpListener(Wiring& wiring) { return std::make_unique<HttpListener>(wiring); }

}  // namespace honryu::app
