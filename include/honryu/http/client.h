#pragma once

#include "honryu/async/runtime.h"
#include "honryu/base/units.h"
#include "honryu/http/message.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace honryu::http {

struct ClientConfig {
  Duration connect_timeout = std::chrono::seconds(5);
  Duration request_timeout = std::chrono::seconds(60);  ///< Used when the Context has no deadline.
  ByteSize max_body = ByteSize::MiB(64);
  std::uint32_t max_idle_per_host = 16;  ///< Kept-alive connections per host and event loop.
  std::string ca_file;  ///< For https: certificates to trust, PEM; empty: those that the system trusts.
};

/// "http://host:port" or "https://host:port" taken apart.
struct Endpoint {
  bool tls = false;
  std::string host;
  std::uint16_t port = 80;  ///< Unless said otherwise, 443 with TLS.
  std::string path = "/";   ///< With the query.
};
Result<Endpoint> ParseUrl(std::string_view url);

struct ClientRequest {
  std::string method = "GET";
  Endpoint endpoint;
  Headers headers;  ///< Host, Content-Length and User-Agent are set by the client.
  Bytes body;
  /// That the server obeys it twice does no harm, although its method does not say so (see Client).
  bool idempotent = false;
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  Bytes body;  ///< kBodyPadding readable bytes follow its end.
};

/// An HTTP/1.1 client, plain or over TLS with the peer's certificate verified, with a pool of kept-alive
/// connections per event loop. Callable from any event loop of the runtime. kUnavailable when the peer cannot
/// be reached or breaks off, kDeadlineExceeded, kCancelled, kTooLarge. An idle connection that the peer has
/// closed is replaced silently. When that shows only after something was sent, and no byte of an answer came,
/// the request is sent once more over another connection only if it may arrive twice (RFC 9110
/// section 9.2.2): GET, HEAD, PUT, DELETE, OPTIONS, TRACE, and what the caller marks as idempotent. Others
/// fail with kUnavailable: nobody knows whether they were obeyed.
class Client {
 public:
  Client(async::Runtime& runtime, ClientConfig config);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  async::Task<Result<ClientResponse>> Send(async::Context ctx, ClientRequest request);
  /// The same for a streamed answer: `on_chunk` gets body pieces as they come; returning false ends the call.
  async::Task<Result<ClientResponse>> SendStreaming(async::Context ctx, ClientRequest request,
                                                    std::function<bool(BytesView)> on_chunk);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::http
