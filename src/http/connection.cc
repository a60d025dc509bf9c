#include "connection.h"

#include "ascii.h"
#include "error_response.h"
#include "exchange.h"
#include "honryu/base/random.h"
#include "honryu/obs/log.h"
#include "http2_session.h"
#include "tls.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http.hpp>
#include <poll.h>

#include <array>
#include <chrono>
#include <cstring>
#include <ctime>
#include <memory>

namespace honryu::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// The header buffer: small, so that the bulk of a body is read straight into its own place.
constexpr std::size_t kReadAhead = 16384;
// Memory for a body is taken as its bytes come, so that announcing a large one takes none from others.
constexpr std::size_t kBodyPiece = 256 << 10;

std::string ResponseHead(const Response& response, std::string_view request_id, bool keep_alive) {
  const std::string_view reason = bhttp::obsolete_reason(static_cast<bhttp::status>(response.status));
  std::string head;
  head.reserve(512);
  head += "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += reason;
  head += "\r\nServer: honryu\r\nDate: " + HttpDate() + "\r\n";
  for (const auto& [name, value] : response.headers.fields()) {
    head += name;
    head += ": ";
    head += value;
    head += "\r\n";
  }
  if (!response.headers.Has("X-Request-Id")) {
    head += "X-Request-Id: ";
    head += request_id;
    head += "\r\n";
  }
  if (!keep_alive) head += "Connection: close\r\n";
  return head;
}

// Chunked transfer coding over one connection; every piece is on the wire when Write returns. A peer that
// does not take a piece in time counts as gone: it must not hold its place for ever.
class ChunkWriter final : public BodyWriter {
 public:
  ChunkWriter(SocketStream& stream, Duration timeout)
      : stream_(stream), timer_(stream.get_executor()), timeout_(timeout) {}
  async::Task<Result<void>> Write(Bytes chunk) override {
    const bool cancelled = co_await async::Cancelled();
    if (cancelled || broken_) co_return Error(ErrorCode::kCancelled, "the peer has gone");
    if (chunk.empty()) co_return Ok();
    char size[20];
    const int length = std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    const std::array<asio::const_buffer, 3> buffers{asio::buffer(size, static_cast<std::size_t>(length)),
                                                    asio::buffer(chunk.data(), chunk.size()),
                                                    asio::buffer("\r\n", 2)};
    // The stream's own timeout will not do: the read that watches the peer would run into it.
    using asio::experimental::awaitable_operators::operator||;
    timer_.expires_after(timeout_);
    auto writing = asio::async_write(stream_, buffers, kAwait);
    auto outcome = co_await (std::move(writing) || timer_.async_wait(kAwait));
    if (outcome.index() == 1 || std::get<0>(std::get<0>(outcome))) {
      broken_ = true;
      co_return Error(ErrorCode::kCancelled, "the peer has gone");
    }
    co_return Ok();
  }
  bool broken() const { return broken_; }

 private:
  SocketStream& stream_;
  asio::steady_timer timer_;
  const Duration timeout_;
  bool broken_ = false;
};

// Ends when the peer closes, sends something unasked, or the connection is cut.
async::Task<void> WatchPeer(SocketStream* stream) {
  co_await asio::this_coro::throw_if_cancelled(false);
  char byte = 0;
  const auto [error, size] = co_await stream->async_read_some(asio::buffer(&byte, 1), kAwait);
  (void)error;
  (void)size;
}

}  // namespace

struct Connection::Head {
  Request request;
  bool keep_alive = true;
  bool http10 = false;
  bool expect_continue = false;
  std::size_t content_length = 0;
  BodyBudget::Share memory;
  std::unique_ptr<bhttp::request_parser<bhttp::empty_body>>
      chunked;  // the parser to go on with; null unless chunked
};

Connection::Connection(ConnectionContext context, asio::ip::tcp::socket socket)
    : context_(context), stream_(std::move(socket)), buffer_(context.config.max_header.bytes + kReadAhead) {
  boost::system::error_code ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  const auto endpoint = stream_.socket().remote_endpoint(ignored);
  if (!ignored) peer_ = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
}

Connection::~Connection() = default;

void Connection::BeginStop() {
  if (http2_ != nullptr) {
    http2_->BeginStop();
  } else if (interruptible_) {
    stream_.cancel();
  }
}

void Connection::Abort() {
  boost::system::error_code ignored;
  stream_.socket().close(ignored);
}

async::Task<bool> Connection::WaitForFirstByte() {
  if (buffer_.size() > 0) co_return true;
  if (context_.stopping) co_return false;
  interruptible_ = true;
  stream_.expires_after(context_.config.idle_timeout);
  const auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(kReadAhead), kAwait);
  interruptible_ = false;
  if (error) co_return false;
  buffer_.commit(size);
  co_return true;
}

async::Task<Result<Connection::Head>> Connection::ReadHead() {
  auto parser = std::make_unique<bhttp::request_parser<bhttp::empty_body>>();
  parser->header_limit(static_cast<std::uint32_t>(context_.config.max_header.bytes));
  parser->body_limit(boost::none);
  stream_.expires_after(context_.config.header_timeout);
  const auto [error, size] = co_await bhttp::async_read_header(stream_, buffer_, *parser, kAwait);
  (void)size;
  if (error) {
    if (error == beast::error::timeout) {
      context_.metrics.Refused(
          "timeout");  // the expired stream has closed its socket: nothing more can be sent
      co_return Error(ErrorCode::kDeadlineExceeded, "the request header took too long");
    }
    if (error == bhttp::error::header_limit || error == bhttp::error::buffer_overflow) {
      refuse_status_ = 431;
      co_return Error(ErrorCode::kTooLarge, "the request header is too large");
    }
    if (error.category() == bhttp::make_error_code(bhttp::error::bad_method).category() &&
        error != bhttp::error::end_of_stream && error != bhttp::error::partial_message) {
      refuse_status_ = 400;
      co_return Error(ErrorCode::kInvalidArgument, "malformed request: " + error.message());
    }
    co_return Error(ErrorCode::kCancelled, "the peer has gone");
  }
  Head head;
  head.memory = BodyBudget::Share(context_.bodies);
  const auto& message = parser->get();
  head.keep_alive = message.keep_alive();
  head.http10 = message.version() < 11;
  Request& request = head.request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.peer = peer_;
  request.request_id = RandomUuid();
  for (const auto& field : message)
    request.headers.Add(std::string(field.name_string()), std::string(field.value()));
  if (const Result<void> parsed = ParseTarget(request); !parsed.ok()) {
    refuse_status_ = 400;
    co_return parsed.error();
  }
  const std::string_view expect = request.headers.Get("Expect");
  if (!expect.empty() && !EqualsIgnoreCase(expect, "100-continue")) {
    refuse_status_ = 417;
    co_return Error(ErrorCode::kInvalidArgument, "expectation not supported");
  }
  head.expect_continue = !expect.empty() && !head.http10;
  if (parser->chunked()) {
    head.chunked = std::move(parser);
  } else if (request.headers.Has("Transfer-Encoding")) {
    refuse_status_ = 501;
    co_return Error(ErrorCode::kUnimplemented, "transfer encoding not supported");
  } else if (const auto length = parser->content_length(); length) {
    if (*length > context_.config.max_body.bytes) {
      refuse_status_ = 413;
      co_return Error(ErrorCode::kTooLarge, "the request body is too large: " + std::to_string(*length) +
                                                " bytes, limit " +
                                                std::to_string(context_.config.max_body.bytes));
    }
    head.content_length = static_cast<std::size_t>(*length);
  }
  co_return head;
}

Error Connection::NoMemory() {
  refuse_status_ = 503;
  return NoMemoryForBody();
}

// ReadBody has taken memory for the first piece.
async::Task<Result<Bytes>> Connection::ReadSizedBody(Head& head) {
  const std::size_t length = head.content_length;
  const auto body = PaddedBuffer(length);
  std::size_t have = std::min({length, kBodyPiece, buffer_.size()});
  if (have > 0) std::memcpy(body.get(), buffer_.data().data(), have);
  buffer_.consume(have);
  for (std::size_t piece_end = std::min(length, kBodyPiece);;) {
    if (have < piece_end) {
      const auto [error, size] =
          co_await asio::async_read(stream_, asio::buffer(body.get() + have, piece_end - have), kAwait);
      (void)size;
      if (error == beast::error::timeout) {
        context_.metrics.Refused(
            "timeout");  // the expired stream has closed its socket: nothing more can be sent
        co_return Error(ErrorCode::kDeadlineExceeded, "the request body took too long");
      }
      if (error) co_return Error(ErrorCode::kCancelled, "the peer has gone");
      have = piece_end;
    }
    if (have == length) break;
    piece_end = std::min(length, have + kBodyPiece);
    if (!head.memory.Grow(piece_end - have)) co_return NoMemory();
  }
  co_return Bytes(body, std::string_view(body.get(), length));
}

async::Task<Result<Bytes>> Connection::ReadBody(Head& head) {
  stream_.expires_after(context_.config.body_timeout);
  if (!head.memory.Grow(std::min(head.content_length, kBodyPiece))) co_return NoMemory();
  if (head.expect_continue && buffer_.size() == 0) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto [error, size] = co_await asio::async_write(stream_, asio::buffer(kContinue), kAwait);
    (void)size;
    if (error) co_return Error(ErrorCode::kCancelled, "the peer has gone");
  }
  Result<Bytes> body = PaddedCopy({});
  if (head.chunked != nullptr) {
    body = co_await ReadChunkedBody(head);
  } else if (head.content_length > 0) {
    body = co_await ReadSizedBody(head);
  }
  co_return body;
}

async::Task<Result<Bytes>> Connection::ReadChunkedBody(Head& head) {
  bhttp::request_parser<bhttp::string_body> parser(std::move(*head.chunked));
  parser.body_limit(context_.config.max_body.bytes);
  parser.eager(true);
  while (!parser.is_done()) {
    const auto [error, size] = co_await bhttp::async_read_some(stream_, buffer_, parser, kAwait);
    (void)size;
    if (error == beast::error::timeout) {
      context_.metrics.Refused(
          "timeout");  // the expired stream has closed its socket: nothing more can be sent
      co_return Error(ErrorCode::kDeadlineExceeded, "the request body took too long");
    }
    if (error == bhttp::error::body_limit) {
      refuse_status_ = 413;
      co_return Error(ErrorCode::kTooLarge, "the request body is too large, limit " +
                                                std::to_string(context_.config.max_body.bytes) + " bytes");
    }
    if (error && error.category() == bhttp::make_error_code(bhttp::error::bad_chunk).category() &&
        error != bhttp::error::partial_message && error != bhttp::error::end_of_stream) {
      refuse_status_ = 400;
      co_return Error(ErrorCode::kInvalidArgument, "malformed body: " + error.message());
    }
    if (error) co_return Error(ErrorCode::kCancelled, "the peer has gone");
    const std::size_t taken = parser.get().body().capacity();
    if (taken > head.memory.held() && !head.memory.Grow(taken - head.memory.held())) co_return NoMemory();
  }
  co_return Padded(std::move(parser.get().body()));
}

async::Task<bool> Connection::WriteStream(const Response& response, std::string head) {
  head += "Transfer-Encoding: chunked\r\n\r\n";
  const auto [error, size] = co_await asio::async_write(stream_, asio::buffer(head), kAwait);
  (void)size;
  if (error) co_return false;
  stream_.expires_never();
  ChunkWriter writer(stream_, context_.config.write_timeout);
  interruptible_ = true;
  {
    using asio::experimental::awaitable_operators::operator||;
    co_await (RunStream(&response, &writer) || WatchPeer(&stream_));
  }
  interruptible_ = false;
  if (writer.broken() || context_.stopping) co_return false;
  stream_.expires_after(context_.config.write_timeout);
  static constexpr std::string_view kLast = "0\r\n\r\n";
  const auto [last_error, last_size] = co_await asio::async_write(stream_, asio::buffer(kLast), kAwait);
  (void)last_error;
  (void)last_size;
  co_return false;  // a byte of a following request may have been eaten by WatchPeer
}

async::Task<bool> Connection::Write(const Request& request, const Response& response, bool keep_alive,
                                    bool http10) {
  const bool streams = static_cast<bool>(response.stream) && request.method != "HEAD";
  std::string head = ResponseHead(response, request.request_id, keep_alive && !streams);
  if (http10 && keep_alive) head += "Connection: keep-alive\r\n";
  stream_.expires_after(context_.config.write_timeout);
  if (streams) {
    const bool again = co_await WriteStream(response, std::move(head));
    co_return again;
  }
  const bool no_body = response.status == 204 || response.status == 304 || response.status < 200;
  if (!no_body) head += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  head += "\r\n";
  const std::size_t body_size = request.method == "HEAD" || no_body ? 0 : response.body.size();
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(head),
                                                  asio::buffer(response.body.data(), body_size)};
  const auto [error, size] = co_await asio::async_write(stream_, buffers, kAwait);
  (void)size;
  if (error) co_return false;
  context_.metrics.bytes_out.Add(static_cast<double>(body_size));
  co_return keep_alive;
}

async::Task<void> Connection::Refuse(int status, std::string_view code, std::string_view message) {
  context_.metrics.by_class[static_cast<std::size_t>(status / 100)].Add();
  Request none;
  none.request_id = RandomUuid();
  Response response = ErrorResponse(status, code, message, none.request_id);
  if (status == 503) response.headers.Set("Retry-After", "1");
  const bool again = co_await Write(none, response, false, false);
  (void)again;
  // Let the peer read the answer although it may still be sending: close our half, then swallow what comes
  // for a moment.
  boost::system::error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  stream_.expires_after(std::chrono::seconds(1));
  const std::unique_ptr<char[]> sink = std::make_unique_for_overwrite<char[]>(kReadAhead);
  for (int i = 0; i < 256; ++i) {
    const auto [error, size] = co_await stream_.async_read_some(asio::buffer(sink.get(), kReadAhead), kAwait);
    if (error || size == 0) break;
  }
}

async::Task<bool> Connection::Handshake() {
  const std::string_view first(static_cast<const char*>(buffer_.data().data()), 1);
  constexpr char kClientHello = 0x16;
  if (first[0] != kClientHello) {
    co_await Refuse(400, RefusalCode(400), "this port speaks TLS: use https");
    co_return false;
  }
  stream_.expires_after(context_.config.header_timeout);
  SocketStream::Tls& tls = stream_.BeginTls(*context_.tls);
  const auto [error, used] =
      co_await tls.async_handshake(asio::ssl::stream_base::server, buffer_.data(), kAwait);
  if (error) {
    context_.metrics.Refused("tls");
    co_return false;
  }
  buffer_.consume(used);
  if (NegotiatedHttp2(tls.native_handle())) speaks_http2_ = true;
  co_return true;
}

// HTTP/2 begins with a fixed text, which is no request of HTTP/1.1.
async::Task<bool> Connection::BeginsWithPreface() {
  for (;;) {
    const std::string_view have(static_cast<const char*>(buffer_.data().data()), buffer_.size());
    const std::size_t part = std::min(have.size(), kHttp2Preface.size());
    if (have.substr(0, part) != kHttp2Preface.substr(0, part)) co_return false;
    if (part == kHttp2Preface.size()) co_return true;
    stream_.expires_after(context_.config.header_timeout);
    const auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(kReadAhead), kAwait);
    if (error) co_return false;
    buffer_.commit(size);
  }
}

async::Task<bool> Connection::RunHttp2() {
  if (context_.tls != nullptr) {
    const bool well = co_await Handshake();
    if (!well) co_return true;
    const bool more = co_await WaitForFirstByte();
    if (!more) co_return true;
  }
  const bool http2 = speaks_http2_ || co_await BeginsWithPreface();
  if (!http2) co_return false;
  std::string received(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  buffer_.consume(received.size());
  http2_ = std::make_unique<Http2Session>(context_, stream_, peer_);
  if (context_.stopping) http2_->BeginStop();
  co_await http2_->Run(std::move(received));
  co_return true;
}

async::Task<void> Connection::Run() {
  const bool first = co_await WaitForFirstByte();
  const bool finished = !first || co_await RunHttp2();
  if (!finished) co_await RunHttp1();
  boost::system::error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.close();
}

async::Task<void> Connection::RunHttp1() {
  for (;;) {
    const bool more = co_await WaitForFirstByte();
    if (!more) break;
    refuse_status_ = 0;
    Result<Head> head = co_await ReadHead();
    Error failure;
    bool failed = false;
    if (head.ok()) {
      Result<Bytes> body = co_await ReadBody(*head);
      if (body.ok()) {
        context_.metrics.bytes_in.Add(static_cast<double>(body->size()));
        OpenedBody opened =
            co_await OpenBody(context_, head->request.headers, std::move(*body), head->memory);
        refuse_status_ = opened.refuse_status;
        if (opened.plain.ok()) {
          head->request.body = std::move(*opened.plain);
          head->request.received_body = std::move(opened.received);
        } else {
          failed = true;
          failure = opened.plain.error();
        }
      } else {
        failed = true;
        failure = body.error();
      }
    } else {
      failed = true;
      failure = head.error();
    }
    if (failed) {
      if (refuse_status_ == 0) break;
      if (head.ok()) head->memory.ShrinkTo(0);  // what has come of the body is gone
      context_.metrics.Refused(RefusalCode(refuse_status_));
      co_await Refuse(refuse_status_, RefusalCode(refuse_status_), failure.message());
      break;
    }
    const auto begin = std::chrono::steady_clock::now();
    stream_.expires_never();
    head->request.peer_gone = [fd = stream_.socket().native_handle()] {
      pollfd peer{fd, POLLRDHUP, 0};
      return ::poll(&peer, 1, 0) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
    };
    Response response = co_await AnswerRequest(context_, head->request);
    const bool keep = head->keep_alive && !context_.stopping;
    const bool again = co_await Write(head->request, response, keep, head->http10);
    context_.metrics.by_class[static_cast<std::size_t>(std::clamp(response.status / 100, 1, 5))].Add();
    context_.metrics.request_seconds.Observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (!again) break;
  }
}

}  // namespace honryu::http
