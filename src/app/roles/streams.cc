#include "honryu/client/local_client.h"
#include "honryu/client/remote_client.h"
#include "honryu/http/client.h"
#include "roles.h"

namespace honryu::app {
namespace {

class Streams final : public Component {
 public:
  explicit Streams(Wiring& wiring) : wiring_(wiring) {}

  const char* name() const override { return "streams"; }
  Result<void> Start() override;
  void Stop(MonoTime /*deadline*/) override {}

 private:
  Wiring& wiring_;
  std::unique_ptr<http::Client> http_client_;
  std::unique_ptr<client::StreamClient> client_;
};

Result<void> Streams::Start() {
  http::ClientConfig config;
  config.ca_file = wiring_.settings.broker_ca_file;
  http_client_ = std::make_unique<http::Client>(wiring_.runtime, config);
  client_ = wiring_.broker != nullptr
                ? client::MakeLocalClient(*wiring_.broker)
                : client::MakeRemoteClient(*http_client_, wiring_.settings.broker_client);
  wiring_.streams = client_.get();
  return Ok();
}

}  // namespace

std::unique_ptr<Component> MakeStreams(Wiring& wiring) { return std::make_unique<Streams>(wiring); }

}  // namespace honryu::app
