#pragma once

#include "honryu/api/kinesis/kinesis_api.h"
#include "honryu/async/runtime.h"
#include "honryu/broker/broker.h"
#include "honryu/http/client.h"
#include "honryu/http/server.h"
#include "honryu/log/memory_engine.h"
#include "honryu/obs/metrics.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace honryu::client {

/// A broker on the memory engine behind a real HTTP server on loopback, and an HTTP client for it.
class BrokerServer {
 public:
  explicit BrokerServer(const Clock& clock, const broker::BrokerConfig& config = broker::BrokerConfig())
      : runtime_(async::RuntimeOptions{2, 2}),
        engine_(log::MakeMemoryEngine(clock)),
        meta_(log::MakeMemoryMetaStore()),
        broker_(config, *engine_, *meta_, clock, runtime_, registry_),
        api_(api::kinesis::KinesisApiConfig(), broker_, clock, registry_),
        server_(runtime_, registry_, Named("kinesis"),
                [this](async::Context ctx, const http::Request& request) {
                  return api_.Handle(std::move(ctx), request);
                }),
        http_(runtime_, http::ClientConfig()) {
    EXPECT_TRUE(broker_.Start().ok());
    EXPECT_TRUE(server_.Start().ok());
  }
  ~BrokerServer() {
    server_.BeginStop();
    const MonoTime deadline = SystemClock().Mono() + std::chrono::seconds(10);
    runtime_.BlockOn(server_.Stop(deadline));
    runtime_.BlockOn(broker_.Stop(deadline));
    EXPECT_TRUE(engine_->Close().ok());
  }

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
  async::Runtime& runtime() { return runtime_; }
  http::Client& http() { return http_; }
  broker::Broker& broker() { return broker_; }

 private:
  static http::ServerConfig Named(const char* name) {
    http::ServerConfig config;
    config.name = name;
    return config;
  }

  obs::Registry registry_;
  async::Runtime runtime_;
  std::unique_ptr<log::LogEngine> engine_;
  std::unique_ptr<log::MetaStore> meta_;
  broker::Broker broker_;
  api::kinesis::KinesisApi api_;
  http::Server server_;
  http::Client http_;
};

}  // namespace honryu::client
