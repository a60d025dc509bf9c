#include "honryu/http/client.h"

#include "socket_stream.h"
#include "tls.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace honryu::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using Tcp = asio::ip::tcp;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadAhead = 16384;

struct Link {
  explicit Link(const async::Executor& executor) : stream(Tcp::socket(executor)), buffer(1 << 20) {}
  SocketStream stream;
  beast::flat_buffer buffer;
};

// Connections stay on the event loop that made them, so the pool is keyed by it.
using PoolKey = std::pair<const void*, std::string>;

Error Translate(const boost::system::error_code& error, const char* what, const Endpoint& to) {
  const std::string where = to.host + ":" + std::to_string(to.port);
  if (error == beast::error::timeout)
    return Error(ErrorCode::kDeadlineExceeded, std::string(what) + " " + where + " took too long");
  if (error == asio::error::operation_aborted)
    return Error(ErrorCode::kCancelled, std::string(what) + " " + where + " cancelled");
  return Error(ErrorCode::kUnavailable, std::string(what) + " " + where + ": " + error.message());
}

std::string RequestHead(const ClientRequest& request) {
  std::string head =
      request.method + " " + request.endpoint.path + " HTTP/1.1\r\nHost: " + request.endpoint.host;
  if (request.endpoint.port != (request.endpoint.tls ? 443 : 80))
    head += ":" + std::to_string(request.endpoint.port);
  head += "\r\nUser-Agent: honryu\r\n";
  for (const auto& [name, value] : request.headers.fields()) head += name + ": " + value + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return head + "\r\n";
}

struct Exchange {
  Result<ClientResponse> response;
  bool reusable = false;
  bool nothing_sent = false;
  bool nothing_received = true;  // the peer broke off before any byte of the answer
};

// RFC 9110 section 9.2.2.
bool MayArriveTwice(const ClientRequest& request) {
  static constexpr std::string_view kIdempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return request.idempotent ||
         std::find(std::begin(kIdempotent), std::end(kIdempotent), request.method) != std::end(kIdempotent);
}

// An idle connection has nothing to read: a byte would belong to no request, and its end is the peer's close.
bool IsQuiet(Tcp::socket& socket) {
  char byte = 0;
  const auto got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

Result<Endpoint> ParseUrl(std::string_view url) {
  const Error bad(ErrorCode::kInvalidArgument,
                  "expected http[s]://host[:port][/path], found '" + std::string(url.substr(0, 128)) + "'");
  constexpr std::string_view kScheme = "http://", kTlsScheme = "https://";
  Endpoint endpoint;
  endpoint.tls = url.starts_with(kTlsScheme);
  if (!endpoint.tls && !url.starts_with(kScheme)) return bad;
  if (endpoint.tls) endpoint.port = 443;
  url.remove_prefix(endpoint.tls ? kTlsScheme.size() : kScheme.size());
  const std::size_t slash = url.find_first_of("/?");
  std::string_view authority = url.substr(0, slash);
  if (slash != std::string_view::npos)
    endpoint.path = (url[slash] == '?' ? "/" : "") + std::string(url.substr(slash));
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad;
    endpoint.host = std::string(authority.substr(1, close - 1));
    authority.remove_prefix(close + 1);
  } else {
    const std::size_t colon = authority.find(':');
    endpoint.host = std::string(authority.substr(0, colon));
    authority = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  if (endpoint.host.empty() || endpoint.host.find('@') != std::string::npos) return bad;
  if (!authority.empty()) {
    if (authority.front() != ':') return bad;
    authority.remove_prefix(1);
    const auto [end, error] =
        std::from_chars(authority.data(), authority.data() + authority.size(), endpoint.port);
    if (error != std::errc() || end != authority.data() + authority.size() || endpoint.port == 0) return bad;
  }
  return endpoint;
}

struct Client::Impl {
  Impl(async::Runtime& r, ClientConfig c)
      : runtime(r), config(std::move(c)), tls(MakeTlsClientContext(config.ca_file)) {}

  std::unique_ptr<Link> TakeIdle(const PoolKey& key);
  void GiveBack(const PoolKey& key, std::unique_ptr<Link> link);
  async::Task<Result<std::unique_ptr<Link>>> Connect(Endpoint to, MonoTime deadline);
  async::Task<Result<void>> BeginTls(Link* link, Endpoint to);
  async::Task<Exchange> RunOnce(Link* link, const ClientRequest* request, MonoTime deadline,
                                std::function<bool(BytesView)> on_chunk);
  async::Task<Result<ClientResponse>> Send(async::Context ctx, ClientRequest request,
                                           std::function<bool(BytesView)> on_chunk);

  async::Runtime& runtime;
  const ClientConfig config;
  const Result<std::shared_ptr<asio::ssl::context>> tls;  // an error meets whoever wants TLS
  std::mutex mutex;                                       // guards idle; leaf
  std::map<PoolKey, std::vector<std::unique_ptr<Link>>> idle;
};

std::unique_ptr<Link> Client::Impl::TakeIdle(const PoolKey& key) {
  for (;;) {
    std::unique_ptr<Link> link;
    {
      const std::lock_guard lock(mutex);
      const auto found = idle.find(key);
      if (found == idle.end() || found->second.empty()) return nullptr;
      link = std::move(found->second.back());
      found->second.pop_back();
    }
    if (IsQuiet(link->stream.socket())) return link;
  }
}

void Client::Impl::GiveBack(const PoolKey& key, std::unique_ptr<Link> link) {
  link->stream.expires_never();
  const std::lock_guard lock(mutex);
  auto& pool = idle[key];
  if (pool.size() < config.max_idle_per_host) pool.push_back(std::move(link));
}

async::Task<Result<std::unique_ptr<Link>>> Client::Impl::Connect(Endpoint to, MonoTime deadline) {
  const async::Executor executor = co_await async::CurrentExecutor();
  auto link = std::make_unique<Link>(executor);
  std::vector<Tcp::endpoint> targets;
  boost::system::error_code not_numeric;
  const auto address = asio::ip::make_address(to.host, not_numeric);
  if (!not_numeric) {
    targets.emplace_back(address, to.port);
  } else {
    Tcp::resolver resolver(executor);
    const auto [error, results] = co_await resolver.async_resolve(to.host, std::to_string(to.port), kAwait);
    if (error) co_return Translate(error, "resolving", to);
    for (const auto& entry : results) targets.push_back(entry.endpoint());
  }
  const MonoTime connect_by =
      std::min(deadline, MonoTime(std::chrono::steady_clock::now() + config.connect_timeout));
  link->stream.tcp().expires_at(connect_by);
  const auto [error, endpoint] = co_await link->stream.tcp().async_connect(targets, kAwait);
  (void)endpoint;
  if (error) {
    Error failure = Translate(error, "connecting to", to);
    // A connection that does not come about says nothing about the request: always retryable.
    if (failure.code() == ErrorCode::kDeadlineExceeded)
      failure = Error(ErrorCode::kUnavailable, failure.message());
    co_return failure;
  }
  boost::system::error_code ignored;
  link->stream.socket().set_option(Tcp::no_delay(true), ignored);
  if (to.tls) {
    Result<void> begun = co_await BeginTls(link.get(), to);
    if (!begun.ok()) co_return begun.error();
  }
  co_return link;
}

async::Task<Result<void>> Client::Impl::BeginTls(Link* link, Endpoint to) {
  if (!tls.ok()) co_return tls.error();
  SocketStream::Tls& stream = link->stream.BeginTls(**tls);
  boost::system::error_code numeric;
  asio::ip::make_address(to.host, numeric);
  if (numeric) SSL_set_tlsext_host_name(stream.native_handle(), to.host.c_str());
  stream.set_verify_callback(asio::ssl::host_name_verification(to.host));
  const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::client, kAwait);
  if (error) co_return Error(ErrorCode::kUnavailable, Translate(error, "TLS with", to).message());
  co_return Ok();
}

async::Task<Exchange> Client::Impl::RunOnce(Link* link, const ClientRequest* request, MonoTime deadline,
                                            std::function<bool(BytesView)> on_chunk) {
  Exchange out;
  const Endpoint& to = request->endpoint;
  link->stream.tcp().expires_at(deadline);
  const std::string head = RequestHead(*request);
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(head),
                                                  asio::buffer(request->body.data(), request->body.size())};
  const auto [write_error, written] = co_await asio::async_write(link->stream, buffers, kAwait);
  out.nothing_sent = written == 0;
  // A write error may hide an early answer (413 and the like): try to read it all the same.
  bhttp::response_parser<bhttp::empty_body> parser;
  parser.body_limit(boost::none);
  if (request->method == "HEAD") parser.skip(true);
  const auto [head_error, head_size] =
      co_await bhttp::async_read_header(link->stream, link->buffer, parser, kAwait);
  out.nothing_received = head_size == 0 && link->buffer.size() == 0;
  if (head_error) {
    out.response = Translate(write_error ? write_error : head_error, "talking to", to);
    co_return out;
  }
  out.nothing_received = false;
  ClientResponse response;
  response.status = parser.get().result_int();
  const bool keep_alive = parser.get().keep_alive();
  for (const auto& field : parser.get())
    response.headers.Add(std::string(field.name_string()), std::string(field.value()));
  const auto length = parser.content_length();
  if (parser.is_done()) {
    out.reusable = keep_alive && !write_error;
    response.body = Bytes(std::string(kBodyPadding, '\0')).Slice(0, 0);
    out.response = std::move(response);
    co_return out;
  }
  if (length && !on_chunk) {
    if (*length > config.max_body.bytes) {
      out.response =
          Error(ErrorCode::kTooLarge, "answer of " + std::to_string(*length) + " bytes is above the limit");
      co_return out;
    }
    const auto size = static_cast<std::size_t>(*length);
    const auto body = std::make_shared_for_overwrite<char[]>(size + kBodyPadding);
    std::memset(body.get() + size, 0, kBodyPadding);
    const std::size_t buffered = std::min(size, link->buffer.size());
    if (buffered > 0) std::memcpy(body.get(), link->buffer.data().data(), buffered);
    link->buffer.consume(buffered);
    if (buffered < size) {
      const auto [error, got] = co_await asio::async_read(
          link->stream, asio::buffer(body.get() + buffered, size - buffered), kAwait);
      (void)got;
      if (error) {
        out.response = Translate(error, "reading from", to);
        co_return out;
      }
    }
    response.body = Bytes(body, std::string_view(body.get(), size));
    out.reusable = keep_alive && !write_error;
    out.response = std::move(response);
    co_return out;
  }
  bhttp::response_parser<bhttp::buffer_body> reader(std::move(parser));
  reader.body_limit(boost::none);
  std::string collected;
  const std::unique_ptr<char[]> piece = std::make_unique_for_overwrite<char[]>(kReadAhead);
  while (!reader.is_done()) {
    reader.get().body().data = piece.get();
    reader.get().body().size = kReadAhead;
    const auto [error, got] = co_await bhttp::async_read_some(link->stream, link->buffer, reader, kAwait);
    (void)got;
    if (error && error != bhttp::error::need_buffer) {
      out.response = Translate(error, "reading from", to);
      co_return out;
    }
    const BytesView chunk(piece.get(), kReadAhead - reader.get().body().size);
    if (on_chunk) {
      if (!chunk.empty() && !on_chunk(chunk)) {
        out.response = std::move(response);
        co_return out;
      }
    } else {
      collected += chunk;
      if (collected.size() > config.max_body.bytes) {
        out.response = Error(ErrorCode::kTooLarge, "answer is above the limit of " +
                                                       std::to_string(config.max_body.bytes) + " bytes");
        co_return out;
      }
    }
  }
  const std::size_t size = collected.size();
  collected.append(kBodyPadding, '\0');
  response.body = Bytes(std::move(collected)).Slice(0, size);
  out.reusable = keep_alive && !write_error;
  out.response = std::move(response);
  co_return out;
}

async::Task<Result<ClientResponse>> Client::Impl::Send(async::Context ctx, ClientRequest request,
                                                       std::function<bool(BytesView)> on_chunk) {
  const bool cancelled = co_await async::Cancelled();
  if (cancelled) co_return Error(ErrorCode::kCancelled, "request cancelled");
  const async::Executor executor = co_await async::CurrentExecutor();
  const MonoTime deadline = ctx.deadline != MonoTime::max()
                                ? ctx.deadline
                                : MonoTime(std::chrono::steady_clock::now() + config.request_timeout);
  const PoolKey key(&asio::query(executor, asio::execution::context),
                    (request.endpoint.tls ? "https://" : "http://") + request.endpoint.host + ":" +
                        std::to_string(request.endpoint.port));
  for (;;) {
    std::unique_ptr<Link> link = TakeIdle(key);
    const bool reused = link != nullptr;
    if (!reused) {
      Result<std::unique_ptr<Link>> fresh = co_await Connect(request.endpoint, deadline);
      if (!fresh.ok()) co_return fresh.error();
      link = std::move(*fresh);
    }
    Exchange exchange = co_await RunOnce(link.get(), &request, deadline, on_chunk);
    // The peer may close a kept-alive connection at any time; if nothing of the answer came, take another
    // one. That the peer has seen nothing of the request is not known, though.
    const bool stale = reused && !exchange.response.ok() && exchange.nothing_received &&
                       exchange.response.error().code() == ErrorCode::kUnavailable &&
                       (exchange.nothing_sent || MayArriveTwice(request));
    if (stale) continue;
    if (exchange.reusable) GiveBack(key, std::move(link));
    co_return std::move(exchange.response);
  }
}

Client::Client(async::Runtime& runtime, ClientConfig config)
    : impl_(std::make_unique<Impl>(runtime, std::move(config))) {}
Client::~Client() = default;

async::Task<Result<ClientResponse>> Client::Send(async::Context ctx, ClientRequest request) {
  return impl_->Send(std::move(ctx), std::move(request), nullptr);
}

async::Task<Result<ClientResponse>> Client::SendStreaming(async::Context ctx, ClientRequest request,
                                                          std::function<bool(BytesView)> on_chunk) {
  return impl_->Send(std::move(ctx), std::move(request), std::move(on_chunk));
}

}  // namespace honryu::http
