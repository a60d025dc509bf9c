#pragma once

#include "honryu/http/message.h"
#include "honryu/http/server.h"
#include "server_metrics.h"
#include "socket_stream.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace honryu::http {

/// What a connection needs of its server. Outlives every connection.
struct ConnectionContext {
  async::Runtime& runtime;
  const ServerConfig& config;
  const Handler& handler;
  ServerMetrics& metrics;
  const std::atomic<bool>& stopping;
  boost::asio::ssl::context* tls;  ///< Null: plain.
  BodyBudget* bodies;              ///< Null pointer: none.
};

class Http2Session;

/// One accepted connection, from its first request to its close. Runs on: the event loop that accepted it.
class Connection {
 public:
  Connection(ConnectionContext context, boost::asio::ip::tcp::socket socket);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Serves requests until the peer leaves, a limit is passed, or the server stops.
  async::Task<void> Run();
  /// The server stops: an idle or streaming connection ends now, a busy one after its answer.
  void BeginStop();
  /// The stop deadline has passed: ends now.
  void Abort();

 private:
  enum class Next { kKeepAlive, kClose };
  Error NoMemory();
  struct Head;  // what the header said

  async::Task<bool> WaitForFirstByte();
  async::Task<bool> Handshake();
  async::Task<bool> BeginsWithPreface();
  /// Serves the connection when it speaks HTTP/2, or fails to begin TLS; false: it is HTTP/1.1's.
  async::Task<bool> RunHttp2();
  async::Task<void> RunHttp1();
  async::Task<Result<Head>> ReadHead();
  async::Task<Result<Bytes>> ReadBody(Head& head);
  async::Task<Result<Bytes>> ReadSizedBody(Head& head);
  async::Task<Result<Bytes>> ReadChunkedBody(Head& head);
  async::Task<bool> Write(const Request& request, const Response& response, bool keep_alive, bool http10);
  async::Task<bool> WriteStream(const Response& response, std::string head);
  async::Task<void> Refuse(int status, std::string_view code, std::string_view message);

  ConnectionContext context_;
  SocketStream stream_;
  boost::beast::flat_buffer buffer_;
  std::string peer_;
  std::unique_ptr<Http2Session> http2_;
  bool speaks_http2_ = false;   ///< Agreed by ALPN.
  bool interruptible_ = false;  ///< Waiting for a request or streaming: BeginStop may cut it.
  int refuse_status_ =
      0;  ///< Set with an error by the Read functions: how to answer before closing. 0: just close.
};

}  // namespace honryu::http
