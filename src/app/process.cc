#include "process.h"

#include "honryu/api/admin/admin_api.h"
#include "honryu/api/gateway/gateway_api.h"
#include "honryu/api/kinesis/kinesis_api.h"
#include "honryu/api/query/query_api.h"
#include "honryu/async/task_group.h"
#include "honryu/client/local_client.h"
#include "honryu/client/remote_client.h"
#include "honryu/http/router.h"
#include "honryu/obs/log.h"
#include "honryu/processors/aggregator/aggregator.h"
#include "honryu/processors/materializer/materializer.h"
#include "honryu/views/kpi_store.h"
#include "version.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

namespace honryu::app {
namespace {

std::string Join(const std::set<std::string>& roles) {
  std::string out;
  for (const std::string& role : roles) out += (out.empty() ? "" : ",") + role;
  return out;
}

async::Task<void> StartGateway(api::gateway::GatewayApi* gateway, std::promise<Result<void>>* outcome) {
  Result<void> started = co_await gateway->Start(async::Context());
  outcome->set_value(std::move(started));
}

}  // namespace

// Members stand in the order in which they are built; they go in the reverse one.
struct Process::Impl {
  Impl(Settings s, std::set<std::string> r)
      : settings(std::move(s)),
        roles(std::move(r)),
        runtime(settings.runtime),
        bodies(settings.request_memory, metrics) {}

  bool Has(const char* role) const { return roles.contains(role); }
  Result<void> StartAdmin();
  Result<void> StartBroker();
  Result<void> StartClient();
  Result<void> StartGatewayRole(const std::function<bool()>& stop_requested);
  Result<void> StartAggregator();
  Result<void> StartQuery();
  Result<void> StartHttp();
  void AddReadyCheck(const char* role, std::function<Result<void>()> ready_check);
  Result<void> StartListener(std::unique_ptr<http::Server>& server, const http::ServerConfig& config,
                             const http::Router& router);
  /// Tries again while the broker is away, until a stop request or until `progress` has stood still for
  /// start_timeout.
  Result<void> WithRetry(const char* what, const std::function<bool()>& stop_requested,
                         const std::function<std::uint64_t()>& progress,
                         const std::function<Result<void>()>& attempt);
  /// One attempt, cancelled by a stop request.
  Result<void> TryGateway(const std::function<bool()>& stop_requested);

  const Settings settings;
  const std::set<std::string> roles;
  const Clock& clock = SystemClock();
  obs::Registry metrics;
  async::Runtime runtime;
  http::BodyBudget bodies;

  http::Router admin_router, kinesis_router, http_router;
  std::unique_ptr<api::admin::AdminApi> admin_api;
  std::unique_ptr<http::Server> admin_server;
  std::atomic<bool> ready{false};

  std::unique_ptr<log::RocksdbEngine> engine;
  std::unique_ptr<broker::Broker> broker;
  std::unique_ptr<api::kinesis::KinesisApi> kinesis_api;
  std::unique_ptr<http::Server> kinesis_server;

  std::unique_ptr<http::Client> http_client;
  std::unique_ptr<client::StreamClient> streams;

  std::unique_ptr<api::gateway::GatewayApi> gateway;
  std::unique_ptr<processors::aggregator::Aggregator> aggregator;
  std::unique_ptr<views::KpiStore> kpi_store;
  std::unique_ptr<processors::materializer::Materializer> materializer;
  std::unique_ptr<api::query::QueryApi> query_api;
  std::unique_ptr<http::Server> http_server;
};

Process::Process(Settings settings, std::set<std::string> roles)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(roles))) {}
Process::~Process() = default;

Result<void> Process::Impl::StartListener(std::unique_ptr<http::Server>& server,
                                          const http::ServerConfig& config, const http::Router& router) {
  server = std::make_unique<http::Server>(runtime, metrics, config, router.AsHandler(), &bodies);
  return server->Start();
}

Result<void> Process::Impl::WithRetry(const char* what, const std::function<bool()>& stop_requested,
                                      const std::function<std::uint64_t()>& progress,
                                      const std::function<Result<void>()>& attempt) {
  auto deadline = std::chrono::steady_clock::now() + settings.start_timeout;
  std::uint64_t reached = progress();
  for (;;) {
    Result<void> done = attempt();
    if (done.ok()) return done;
    if (stop_requested())
      return Error(ErrorCode::kCancelled, std::string(what) + ": stopped while it started");
    if (!done.error().retryable()) return done;
    if (progress() != reached) {
      reached = progress();
      deadline = std::chrono::steady_clock::now() + settings.start_timeout;
    }
    if (std::chrono::steady_clock::now() >= deadline) return done.error().WithContext(what);
    LOG_LIMITED(info, "waiting for the broker", {"component", what}, {"reason", done.error()});
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

// The components of a role exist once the process is ready, and until it is gone.
void Process::Impl::AddReadyCheck(const char* role, std::function<Result<void>()> ready_check) {
  admin_api->AddCheck(role, [this, ready_check = std::move(ready_check)]() -> Result<void> {
    if (!ready) return Error(ErrorCode::kUnavailable, "still starting");
    return ready_check();
  });
}

Result<void> Process::Impl::StartAdmin() {
  api::admin::AdminConfig config;
  config.version = kVersion;
  config.roles = Join(roles);
  admin_api = std::make_unique<api::admin::AdminApi>(config, metrics, clock);
  admin_api->AddCheck("started", [this]() -> Result<void> {
    if (ready) return Ok();
    return Error(ErrorCode::kUnavailable, "still starting");
  });
  if (Has("broker")) AddReadyCheck("log", [this] { return broker->Writable(); });
  if (Has("gateway")) AddReadyCheck("gateway", [this] { return gateway->Ready(); });
  if (Has("aggregator")) AddReadyCheck("aggregator", [this] { return aggregator->Ready(); });
  if (Has("query")) AddReadyCheck("query", [this] { return materializer->Ready(); });
  admin_api->Register(admin_router);
  return StartListener(admin_server, settings.admin, admin_router);
}

Result<void> Process::Impl::StartBroker() {
  if (!Has("broker")) return Ok();
  HONRYU_TRY(engine, log::RocksdbEngine::Open(settings.storage, clock, runtime, metrics));
  broker =
      std::make_unique<broker::Broker>(settings.broker, *engine, engine->meta(), clock, runtime, metrics);
  HONRYU_TRY_VOID(broker->Start());
  kinesis_api = std::make_unique<api::kinesis::KinesisApi>(settings.kinesis_api, *broker, clock, metrics);
  kinesis_router.Add("*", "/*", [this](async::Context ctx, const http::Request& request) {
    return kinesis_api->Handle(std::move(ctx), request);
  });
  return StartListener(kinesis_server, settings.kinesis, kinesis_router);
}

Result<void> Process::Impl::StartClient() {
  http::ClientConfig config;
  config.ca_file = settings.broker_ca_file;
  http_client = std::make_unique<http::Client>(runtime, config);
  streams = broker != nullptr ? client::MakeLocalClient(*broker)
                              : client::MakeRemoteClient(*http_client, settings.broker_client);
  return Ok();
}

Result<void> Process::Impl::TryGateway(const std::function<bool()>& stop_requested) {
  std::promise<Result<void>> outcome;
  std::future<Result<void>> started = outcome.get_future();
  async::TaskGroup group;
  group.Spawn(runtime.NextExecutor(), "gateway start", StartGateway(gateway.get(), &outcome));
  while (started.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
    if (stop_requested()) group.Cancel();
    if (group.running() == 0) break;  // its end comes after the outcome, unless it threw
  }
  HONRYU_TRY_VOID(runtime.BlockOn(group.Join()));
  if (started.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    return Error(ErrorCode::kInternal, "the start of the gateway failed; see the log");
  return started.get();
}

Result<void> Process::Impl::StartGatewayRole(const std::function<bool()>& stop_requested) {
  if (!Has("gateway")) return Ok();
  gateway = std::make_unique<api::gateway::GatewayApi>(settings.gateway, *streams, clock, runtime, metrics);
  HONRYU_TRY_VOID(WithRetry(
      "gateway", stop_requested, [this] { return gateway->start_progress(); },
      [this, &stop_requested] { return TryGateway(stop_requested); }));
  gateway->Register(http_router);
  return Ok();
}

Result<void> Process::Impl::StartAggregator() {
  if (!Has("aggregator")) return Ok();
  aggregator = processors::aggregator::MakeAggregator(settings.aggregator, *streams, runtime.NextExecutor(),
                                                      clock, metrics);
  aggregator->Start();
  return Ok();
}

Result<void> Process::Impl::StartQuery() {
  if (!Has("query")) return Ok();
  std::error_code failed;
  std::filesystem::create_directories(settings.query_path, failed);
  if (failed) return Error(ErrorCode::kIo, "cannot create " + settings.query_path + ": " + failed.message());
  HONRYU_TRY(kpi_store, views::OpenKpiStore(settings.query_path));
  materializer = std::make_unique<processors::materializer::Materializer>(
      settings.materializer, *kpi_store, *streams, runtime, runtime.NextExecutor(), clock, metrics);
  query_api = std::make_unique<api::query::QueryApi>(settings.query, *kpi_store, runtime, clock, metrics);
  query_api->Register(http_router);
  materializer->Start();
  return Ok();
}

Result<void> Process::Impl::StartHttp() {
  if (!Has("gateway") && !Has("query")) return Ok();
  return StartListener(http_server, settings.http, http_router);
}

Result<void> Process::Start(const std::function<bool()>& stop_requested) {
  const auto start = [&]() -> Result<void> {
    HONRYU_TRY_VOID(impl_->StartAdmin());
    HONRYU_TRY_VOID(impl_->StartBroker());
    HONRYU_TRY_VOID(impl_->StartClient());
    HONRYU_TRY_VOID(impl_->StartGatewayRole(stop_requested));
    HONRYU_TRY_VOID(impl_->StartAggregator());
    HONRYU_TRY_VOID(impl_->StartQuery());
    return impl_->StartHttp();
  };
  Result<void> started = start();
  if (!started.ok()) {
    Stop(impl_->settings.stop_grace);
    return started;
  }
  impl_->ready = true;
  return started;
}

void Process::Stop(Duration grace) {
  const MonoTime deadline = std::chrono::steady_clock::now() + grace;
  Impl& p = *impl_;
  p.ready = false;
  // First phase: no new work.
  if (p.http_server != nullptr) p.http_server->BeginStop();
  if (p.gateway != nullptr) p.gateway->BeginStop();
  // Second phase: what runs comes to its end, from the outside in. The Kinesis listener stays until our own
  // daemons are done.
  if (p.http_server != nullptr) p.runtime.BlockOn(p.http_server->Stop(deadline));
  if (p.gateway != nullptr) p.runtime.BlockOn(p.gateway->Stop(deadline));
  if (p.aggregator != nullptr) p.runtime.BlockOn(p.aggregator->Stop(deadline));
  if (p.materializer != nullptr) p.runtime.BlockOn(p.materializer->Stop(deadline));
  if (p.kinesis_server != nullptr) p.kinesis_server->BeginStop();
  if (p.broker != nullptr) p.runtime.BlockOn(p.broker->Stop(deadline));
  if (p.kinesis_server != nullptr) p.runtime.BlockOn(p.kinesis_server->Stop(deadline));
  if (p.engine != nullptr) {
    if (const Result<void> closed = p.engine->Close(); !closed.ok())
      LOG(error, "the log did not close cleanly", {"error", closed.error()});
  }
  if (p.admin_server != nullptr) p.runtime.BlockOn(p.admin_server->Stop(deadline));
  p.runtime.JoinBlocking();
}

std::map<std::string, std::uint16_t> Process::Ports() const {
  std::map<std::string, std::uint16_t> ports;
  if (impl_->http_server != nullptr) ports["http"] = impl_->http_server->port();
  if (impl_->kinesis_server != nullptr) ports["kinesis"] = impl_->kinesis_server->port();
  if (impl_->admin_server != nullptr) ports["admin"] = impl_->admin_server->port();
  return ports;
}

}  // namespace honryu::app
