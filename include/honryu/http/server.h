#pragma once

#include "honryu/async/runtime.h"
#include "honryu/base/units.h"
#include "honryu/http/body_budget.h"
#include "honryu/http/message.h"
#include "honryu/obs/metrics.h"

#include <cstdint>
#include <memory>
#include <string>

namespace honryu::http {

/// Files in PEM: the certificate with its chain, and its key. Empty: no TLS.
struct TlsConfig {
  std::string certificate;
  std::string key;
};

struct ServerConfig {
  std::string name;  ///< Label of this listener in metrics and logs: "gateway", "kinesis", "admin".
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                               ///< 0: the system picks one (see Server::port).
  Duration header_timeout = std::chrono::seconds(10);   ///< From the first byte to the end of the header.
  Duration body_timeout = std::chrono::seconds(60);     ///< From the header to the end of the body.
  Duration idle_timeout = std::chrono::seconds(75);     ///< Between two requests of a connection.
  Duration request_timeout = std::chrono::seconds(60);  ///< Deadline that handlers get in their Context.
  Duration write_timeout =
      std::chrono::seconds(60);  ///< The peer must take an answer, or a piece of a streamed one, within it.
  ByteSize max_header = ByteSize::KiB(32);
  ByteSize max_body = ByteSize::MiB(16);               ///< As sent.
  ByteSize max_decompressed_body = ByteSize::MiB(16);  ///< After Content-Encoding.
  std::uint32_t max_connections = 10000;               ///< Further ones get 503 and are closed.
  TlsConfig tls;                                       ///< When set, the port speaks TLS only.
};

/// A server of HTTP/1.1 (Beast) and HTTP/2 (nghttp2; with prior knowledge, or by ALPN under TLS) on one port:
/// one acceptor per event loop (SO_REUSEPORT), a connection lives on one loop.
/// Keep-alive, pipelining in order, Expect: 100-continue, chunked bodies, HEAD, deadlines and limits of
/// ServerConfig (431, 413, 415, 400 as fits; a deadline passed closes the
/// connection). A body for which the process has no memory left is refused with 503 and Retry-After. A
/// handler that throws answers 500 and is logged.
class Server {
 public:
  /// `bodies`: shared by the listeners of a process; null pointer: only each body is bounded. References and
  /// the budget must outlive the server.
  Server(async::Runtime& runtime, obs::Registry& metrics, ServerConfig config, Handler handler,
         BodyBudget* bodies = nullptr);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds and begins to accept. kUnavailable when the address is taken.
  Result<void> Start();
  /// The bound port.
  std::uint16_t port() const;
  /// Closes the acceptors; idle connections close at once, busy ones after their answer ("Connection:
  /// close").
  void BeginStop();
  /// Waits for connections to end until the deadline, then cancels them. Call once, also if never started.
  async::Task<void> Stop(MonoTime deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::http
