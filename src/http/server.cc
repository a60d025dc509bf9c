#include "honryu/http/server.h"

#include "connection.h"
#include "honryu/async/task_group.h"
#include "honryu/obs/log.h"
#include "server_metrics.h"
#include "tls.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <set>
#include <vector>

namespace honryu::http {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

namespace {
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

// One event loop's share of the listener. Touched only on that loop, except before Start has returned.
struct Listener {
  explicit Listener(const async::Executor& e) : executor(e), acceptor(e) {}
  async::Executor executor;
  Tcp::acceptor acceptor;
  std::set<Connection*> connections;
};

}  // namespace

struct Server::Impl {
  Impl(async::Runtime& r, obs::Registry& m, ServerConfig c, Handler h, BodyBudget* b)
      : runtime(r), config(std::move(c)), handler(std::move(h)), metrics(m, config.name), bodies(b) {}

  async::Task<void> Accept(Listener* listener);
  async::Task<void> Serve(Listener* listener, Tcp::socket socket);
  async::Task<void> TurnAway(Tcp::socket socket);

  async::Runtime& runtime;
  const ServerConfig config;
  const Handler handler;
  ServerMetrics metrics;
  std::shared_ptr<asio::ssl::context> tls;  // null: plain
  BodyBudget* const bodies;
  std::atomic<bool> stopping{false};
  std::atomic<std::uint32_t> open{0};
  std::uint16_t bound_port = 0;
  bool started = false;
  std::vector<std::unique_ptr<Listener>> listeners;
  async::TaskGroup tasks;
};

async::Task<void> Server::Impl::TurnAway(Tcp::socket socket) {
  static constexpr std::string_view kBody =
      R"({"error":{"code":"too_many_connections","message":"connection limit reached"}})";
  const std::string answer =
      "HTTP/1.1 503 Service Unavailable\r\nServer: honryu\r\nRetry-After: 1\r\nContent-Type: "
      "application/json\r\nContent-Length: " +
      std::to_string(kBody.size()) + "\r\nConnection: close\r\n\r\n" + std::string(kBody);
  metrics.Refused("too_many_connections");
  const auto [error, size] =
      co_await asio::async_write(socket, asio::buffer(answer), asio::as_tuple(asio::use_awaitable));
  (void)error;
  (void)size;
}

async::Task<void> Server::Impl::Serve(Listener* listener, Tcp::socket socket) {
  const ConnectionContext context{runtime, config, handler, metrics, stopping, tls.get(), bodies};
  Connection connection(context, std::move(socket));
  listener->connections.insert(&connection);
  metrics.connections.Add(1);
  std::string failure;
  try {
    co_await connection.Run();
  } catch (const std::exception& e) {
    failure = e.what();
  }
  if (!failure.empty())
    LOG_LIMITED(error, "connection ended by an exception", {"listener", config.name}, {"what", failure});
  listener->connections.erase(&connection);
  metrics.connections.Add(-1);
  --open;
}

async::Task<void> Server::Impl::Accept(Listener* listener) {
  while (!stopping) {
    auto [error, socket] = co_await listener->acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
    if (stopping || error == asio::error::operation_aborted) break;
    if (error) {
      // Out of descriptors or the like: wait instead of spinning; waiting connections stay in the backlog.
      LOG_LIMITED(warn, "accept failed", {"listener", config.name}, {"error", error.message()});
      Result<void> slept = co_await async::SleepFor(std::chrono::milliseconds(50));
      if (!slept.ok()) break;
      continue;
    }
    if (open.fetch_add(1) >= config.max_connections) {
      --open;
      tasks.Spawn(listener->executor, "turn away", TurnAway(std::move(socket)));
      continue;
    }
    tasks.Spawn(listener->executor, "connection", Serve(listener, std::move(socket)));
  }
}

Server::Server(async::Runtime& runtime, obs::Registry& metrics, ServerConfig config, Handler handler,
               BodyBudget* bodies)
    : impl_(std::make_unique<Impl>(runtime, metrics, std::move(config), std::move(handler), bodies)) {}

Server::~Server() = default;

Result<void> Server::Start() {
  if (!impl_->config.tls.certificate.empty()) {
    HONRYU_TRY(impl_->tls, MakeTlsContext(impl_->config.tls));
  }
  boost::system::error_code error;
  const auto address = asio::ip::make_address(impl_->config.address, error);
  if (error)
    return Error(ErrorCode::kInvalidArgument, "not an IP address to listen on: " + impl_->config.address);
  Tcp::endpoint endpoint(address, impl_->config.port);
  {
    // With SO_REUSEPORT a second process could share the port unnoticed; without it, a taken port is an
    // error.
    Tcp::acceptor probe(impl_->runtime.executor(0));
    probe.open(endpoint.protocol(), error);
    if (!error) probe.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) probe.bind(endpoint, error);
    if (error) {
      return Error(ErrorCode::kUnavailable, "cannot listen on " + impl_->config.address + ":" +
                                                std::to_string(endpoint.port()) + ": " + error.message());
    }
  }
  for (int i = 0; i < impl_->runtime.io_threads(); ++i) {
    auto listener = std::make_unique<Listener>(impl_->runtime.executor(i));
    Tcp::acceptor& acceptor = listener->acceptor;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.set_option(ReusePort(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(Tcp::acceptor::max_listen_connections, error);
    if (error) {
      return Error(ErrorCode::kUnavailable, "cannot listen on " + impl_->config.address + ":" +
                                                std::to_string(endpoint.port()) + ": " + error.message());
    }
    if (i == 0) {
      endpoint.port(acceptor.local_endpoint(error).port());
      impl_->bound_port = endpoint.port();
    }
    impl_->listeners.push_back(std::move(listener));
  }
  for (auto& listener : impl_->listeners)
    impl_->tasks.Spawn(listener->executor, "accept", impl_->Accept(listener.get()));
  impl_->started = true;
  return Ok();
}

std::uint16_t Server::port() const { return impl_->bound_port; }

void Server::BeginStop() {
  if (impl_->stopping.exchange(true)) return;
  for (auto& listener : impl_->listeners) {
    asio::post(listener->executor, [l = listener.get()] {
      boost::system::error_code ignored;
      l->acceptor.close(ignored);
      for (Connection* connection : l->connections) connection->BeginStop();
    });
  }
}

async::Task<void> Server::Stop(MonoTime deadline) {
  BeginStop();
  Result<void> drained = co_await impl_->tasks.Join(deadline);
  if (!drained.ok()) {
    LOG(warn, "listener stops with connections still busy", {"listener", impl_->config.name},
        {"tasks", impl_->tasks.running()});
    for (auto& listener : impl_->listeners) {
      asio::post(listener->executor, [l = listener.get()] {
        for (Connection* connection : l->connections) connection->Abort();
      });
    }
    impl_->tasks.Cancel();
    Result<void> ended = co_await impl_->tasks.Join();
    (void)ended;
  }
  // What BeginStop posted to the loops must have run before the listeners may go.
  for (auto& listener : impl_->listeners) co_await async::WaitForPosted(listener->executor);
}

}  // namespace honryu::http
