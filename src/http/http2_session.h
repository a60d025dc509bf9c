#pragma once

#include "connection.h"
#include "honryu/async/task_group.h"
#include "socket_stream.h"

#include <boost/asio/steady_timer.hpp>
#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::http {

/// The opening bytes of every HTTP/2 connection.
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// HTTP/2 (RFC 9113) on one connection, by nghttp2: requests are collected whole, within the limits of the
/// listener, and answered by the same handlers as HTTP/1.1; several at a time. Runs on: the connection's
/// event loop.
class Http2Session {
 public:
  Http2Session(const ConnectionContext& context, SocketStream& stream, std::string peer);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  /// Serves until the peer leaves or the server stops. `received`: bytes of the peer that were read already.
  async::Task<void> Run(std::string received);
  /// Tells the peer to begin nothing new; streamed answers end, others are finished.
  void BeginStop();

 private:
  struct Exchange;  // one request and its answer
  class Writer;
  struct Callbacks;
  using ExchangePtr = std::shared_ptr<Exchange>;

  bool Open();
  async::Task<void> ReadLoop(std::string received);
  async::Task<void> WriteLoop();
  async::Task<void> WatchLoop();
  async::Task<void> Serve(ExchangePtr exchange);
  async::Task<void> Stream(ExchangePtr exchange);
  void Submit(Exchange& exchange);
  bool Feed(std::string_view bytes);
  void RelieveWindow();
  bool done() const;
  bool Stalled(const Exchange& exchange, MonoTime now) const;
  /// Lets the write loop look whether there is something to send.
  void Wake();
  ExchangePtr Find(std::int32_t id) const;

  ConnectionContext context_;
  SocketStream& stream_;
  const std::string peer_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, ExchangePtr> exchanges_;  // until their HTTP/2 stream is closed
  boost::asio::steady_timer wake_;                 // cancelled to wake the write loop
  std::vector<ExchangePtr> ready_;                 // complete since the last Feed
  std::int32_t window_ = 0;                        // bytes of bodies that may be held
  bool awake_ = true;
  bool broken_ = false;
  bool stopping_ = false;
  MonoTime last_active_;
  MonoTime write_began_ = MonoTime::max();
  async::TaskGroup tasks_;  // last: joined before the rest goes
};

}  // namespace honryu::http
