// The Kinesis API on the memory engine: kinesis_test_server [PORT]. Prints "listening PORT", stops on SIGTERM
// or SIGINT. For foreign clients' scripts (tests/clients) and by hand; keeps nothing.
#include "honryu/api/kinesis/kinesis_api.h"
#include "honryu/async/runtime.h"
#include "honryu/broker/broker.h"
#include "honryu/http/server.h"
#include "honryu/log/memory_engine.h"
#include "honryu/obs/metrics.h"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
  using namespace honryu;
  std::uint16_t port = 0;
  if (argc > 1) {
    const std::string_view text = argv[1];
    if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc()) return 2;
  }
  // Blocked before threads start, so that only sigwait below takes them.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);

  obs::Registry registry;
  async::Runtime runtime(async::RuntimeOptions{2, 2});
  const auto engine = log::MakeMemoryEngine(SystemClock());
  const auto meta = log::MakeMemoryMetaStore();
  broker::Broker broker(broker::BrokerConfig(), *engine, *meta, SystemClock(), runtime, registry);
  if (!broker.Start().ok()) return 1;
  api::kinesis::KinesisApi api(api::kinesis::KinesisApiConfig(), broker, SystemClock(), registry);
  http::ServerConfig config;
  config.name = "kinesis";
  config.port = port;
  http::Server server(runtime, registry, config, [&api](async::Context ctx, const http::Request& request) {
    return api.Handle(std::move(ctx), request);
  });
  if (!server.Start().ok()) return 1;
  std::printf("listening %d\n", server.port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&stop, &signal);
  server.BeginStop();
  const MonoTime deadline = SystemClock().Mono() + std::chrono::seconds(10);
  runtime.BlockOn(server.Stop(deadline));
  runtime.BlockOn(broker.Stop(deadline));
  return engine->Close().ok() ? 0 : 1;
}
