#include "http2_session.h"

#include "ascii.h"
#include "error_response.h"
#include "exchange.h"
#include "honryu/base/random.h"
#include "honryu/obs/log.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <vector>

namespace honryu::http {

namespace asio = boost::asio;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t kMaxStreams = 128;
// Handlers that may still run for streams which the peer has reset: beyond it the peer is misusing resets.
constexpr std::size_t kMaxTasks = 4 * kMaxStreams;
constexpr std::uint32_t kStreamWindow = 1 << 20;
// Bodies that wait to be complete or to be taken by a handler share this much per connection.
constexpr std::int32_t kConnectionWindow = 32 << 20;
constexpr std::size_t kReadSize = 64 << 10;
constexpr std::size_t kWriteSize = 128 << 10;
// A streamed answer's writer waits while more than this is unsent.
constexpr std::size_t kStreamBacklog = 64 << 10;
constexpr Duration kWatchEvery = std::chrono::milliseconds(500);

MonoTime Now() { return std::chrono::steady_clock::now(); }

nghttp2_nv Field(std::string_view name, std::string_view value) {
  // nghttp2 copies both: the flags say nothing else. It does not write through the pointers.
  auto* n = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
  auto* v = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
  return {n, v, name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string LowerCase(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

bool IsConnectionHeader(std::string_view lower_name) {
  static constexpr std::array<std::string_view, 5> kNames = {"connection", "keep-alive", "proxy-connection",
                                                             "transfer-encoding", "upgrade"};
  return std::find(kNames.begin(), kNames.end(), lower_name) != kNames.end();
}

}  // namespace

struct Http2Session::Exchange {
  Exchange(std::int32_t i, const async::Executor& executor, BodyBudget* bodies)
      : id(i),
        began(Now()),
        memory(bodies),
        changed(executor, MonoTime::max()),
        gone(executor, MonoTime::max()) {}
  const std::int32_t id;
  const MonoTime began;
  BodyBudget::Share memory;  // of the body
  Request request;
  std::string received;          // of the body, as sent
  std::size_t header_bytes = 0;  // names and values
  std::size_t held = 0;          // of the connection's window
  int refuse_status = 0;         // of a request that is over a limit
  bool complete = false;         // the whole request is there
  bool closed = false;           // the HTTP/2 stream is gone

  Response response;
  std::size_t sent = 0;  // of response.body
  MonoTime moved =
      MonoTime::max();         // when the peer last took some of response.body, once there is one to take
  std::deque<Bytes> pieces;    // of a streamed body
  std::size_t unsent = 0;      // in pieces
  bool ended = false;          // no further pieces come
  bool broken = false;         // the peer took no piece in time
  asio::steady_timer changed;  // cancelled when pieces were sent
  asio::steady_timer gone;     // cancelled when the answer can no longer reach the peer

  void Close() {
    closed = true;
    changed.cancel();
    gone.cancel();
  }
  void Break() {
    broken = true;
    changed.cancel();
    gone.cancel();
  }
};

// Writes a streamed body piece by piece; at most kStreamBacklog wait to be sent.
class Http2Session::Writer final : public BodyWriter {
 public:
  Writer(Http2Session& session, ExchangePtr exchange) : session_(session), exchange_(std::move(exchange)) {}
  async::Task<Result<void>> Write(Bytes chunk) override {
    const Error gone(ErrorCode::kCancelled, "the peer has gone");
    Exchange& e = *exchange_;
    const bool cancelled = co_await async::Cancelled();
    if (cancelled || e.closed || e.broken) co_return gone;
    if (chunk.empty()) co_return Ok();
    e.unsent += chunk.size();
    e.pieces.push_back(std::move(chunk));
    nghttp2_session_resume_data(session_.session_, e.id);
    session_.Wake();
    const MonoTime deadline = Now() + session_.context_.config.write_timeout;
    while (e.unsent > kStreamBacklog && !e.closed && !e.broken) {
      e.changed.expires_at(deadline);
      const auto [error] = co_await e.changed.async_wait(kAwait);
      const bool stopped = co_await async::Cancelled();
      if (!error) e.Break();
      if (!error || stopped) co_return gone;
    }
    if (e.closed || e.broken) co_return gone;
    co_return Ok();
  }

 private:
  Http2Session& session_;
  const ExchangePtr exchange_;
};

// What nghttp2 calls while it is fed with bytes and asked for bytes. None of these waits.
struct Http2Session::Callbacks {
  static Http2Session& Self(void* user) { return *static_cast<Http2Session*>(user); }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& self = Self(user);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (self.tasks_.running() > kMaxTasks) return NGHTTP2_ERR_CALLBACK_FAILURE;
    const std::int32_t id = frame->hd.stream_id;
    auto exchange = std::make_shared<Exchange>(id, self.stream_.get_executor(), self.context_.bodies);
    exchange->request.peer = self.peer_;
    exchange->request.request_id = RandomUuid();
    self.exchanges_[id] = std::move(exchange);
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name_data,
                      std::size_t name_size, const std::uint8_t* value_data, std::size_t value_size,
                      std::uint8_t, void* user) {
    Http2Session& self = Self(user);
    const ExchangePtr exchange = self.Find(frame->hd.stream_id);
    if (exchange == nullptr || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    exchange->header_bytes += name_size + value_size + 32;
    if (exchange->header_bytes > self.context_.config.max_header.bytes) {
      exchange->refuse_status = 431;
      return 0;
    }
    const std::string_view name(reinterpret_cast<const char*>(name_data), name_size);
    std::string value(reinterpret_cast<const char*>(value_data), value_size);
    Request& request = exchange->request;
    if (name == ":method") {
      request.method = std::move(value);
    } else if (name == ":path") {
      request.target = std::move(value);
    } else if (name == ":authority") {
      request.headers.Set("host", value);
    } else if (name == "host" && request.headers.Has("host")) {
      // :authority stands for it (RFC 9113 §8.3.1): nobody must see two.
    } else if (!name.starts_with(":")) {
      request.headers.Add(std::string(name), std::move(value));
    }
    return 0;
  }

  // Makes room for so many bytes more of the body.
  static bool TakeMemory(Exchange& exchange, std::size_t size) {
    const std::size_t needed = exchange.received.size() + size;
    if (needed <= exchange.received.capacity()) return true;
    const std::size_t room = std::max(needed, 2 * exchange.received.capacity());
    if (!exchange.memory.Grow(room - exchange.memory.held())) return false;
    exchange.received.reserve(room);
    return true;
  }

  static int OnData(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                    std::size_t size, void* user) {
    Http2Session& self = Self(user);
    const ExchangePtr exchange = self.Find(id);
    nghttp2_session_consume_stream(session, id, size);
    const std::uint64_t limit = self.context_.config.max_body.bytes;
    if (exchange != nullptr && exchange->refuse_status == 0) {
      if (exchange->received.size() + size > limit) {
        exchange->refuse_status = 413;
      } else if (!TakeMemory(*exchange, size)) {
        exchange->refuse_status = 503;
      }
      if (exchange->refuse_status != 0) {
        exchange->received = std::string();
        exchange->memory.ShrinkTo(0);
        nghttp2_session_consume_connection(session, std::exchange(exchange->held, 0));
      }
    }
    if (exchange == nullptr || exchange->refuse_status != 0) {
      nghttp2_session_consume_connection(session, size);
      return 0;
    }
    exchange->received.append(reinterpret_cast<const char*>(data), size);
    exchange->held += size;
    return 0;
  }

  static int OnFrame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Http2Session& self = Self(user);
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
    const ExchangePtr exchange = self.Find(frame->hd.stream_id);
    if (exchange == nullptr || exchange->complete) return 0;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
      if (frame->hd.type == NGHTTP2_HEADERS &&
          EqualsIgnoreCase(exchange->request.headers.Get("Expect"), "100-continue")) {
        const nghttp2_nv status = Field(":status", "100");
        nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, nullptr, &status, 1, nullptr);
      }
      return 0;
    }
    exchange->complete = true;
    self.ready_.push_back(exchange);
    return 0;
  }

  static int OnClose(nghttp2_session* session, std::int32_t id, std::uint32_t, void* user) {
    Http2Session& self = Self(user);
    const ExchangePtr exchange = self.Find(id);
    if (exchange == nullptr) return 0;
    exchange->Close();
    nghttp2_session_consume_connection(session, std::exchange(exchange->held, 0));
    self.exchanges_.erase(id);
    return 0;
  }

  // The next part of an answer's body.
  static ssize_t ReadBody(nghttp2_session*, std::int32_t id, std::uint8_t* out, std::size_t size,
                          std::uint32_t* flags, nghttp2_data_source*, void* user) {
    const ExchangePtr exchange = Self(user).Find(id);
    if (exchange == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    Exchange& e = *exchange;
    if (!e.response.stream) {
      const std::size_t part = std::min(size, e.response.body.size() - e.sent);
      if (part > 0) std::memcpy(out, e.response.body.data() + e.sent, part);
      e.sent += part;
      e.moved = Now();
      if (e.sent == e.response.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(part);
    }
    std::size_t filled = 0;
    while (filled < size && !e.pieces.empty()) {
      Bytes& piece = e.pieces.front();
      const std::size_t part = std::min(size - filled, piece.size());
      std::memcpy(out + filled, piece.data(), part);
      filled += part;
      if (part == piece.size()) {
        e.pieces.pop_front();
      } else {
        piece = piece.Slice(part);
      }
    }
    e.unsent -= filled;
    if (filled > 0) e.changed.cancel();
    if (e.pieces.empty() && e.ended) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (filled == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(filled);
  }
};

Http2Session::Http2Session(const ConnectionContext& context, SocketStream& stream, std::string peer)
    : context_(context),
      stream_(stream),
      peer_(std::move(peer)),
      wake_(stream.get_executor(), MonoTime::max()),
      last_active_(Now()) {}

Http2Session::~Http2Session() {
  if (session_ != nullptr) nghttp2_session_del(session_);
}

bool Http2Session::Open() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) return false;
  if (nghttp2_option_new(&option) != 0) {
    nghttp2_session_callbacks_del(callbacks);
    return false;
  }
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnClose);
  nghttp2_option_set_no_auto_window_update(option, 1);
  const int made = nghttp2_session_server_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0) return false;
  const std::array<nghttp2_settings_entry, 3> settings = {
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                             static_cast<std::uint32_t>(context_.config.max_header.bytes)}};
  const std::uint64_t two_bodies = std::min<std::uint64_t>(context_.config.max_body.bytes * 2, 1U << 30);
  window_ = std::max(kConnectionWindow, static_cast<std::int32_t>(two_bodies));
  return nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0 &&
         nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, window_) == 0;
}

Http2Session::ExchangePtr Http2Session::Find(std::int32_t id) const {
  const auto found = exchanges_.find(id);
  return found == exchanges_.end() ? nullptr : found->second;
}

bool Http2Session::done() const {
  return broken_ || (stopping_ && exchanges_.empty()) ||
         (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

void Http2Session::Wake() {
  awake_ = true;
  wake_.cancel();
}

void Http2Session::BeginStop() {
  if (session_ == nullptr || stopping_) return;
  stopping_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  for (const auto& [id, exchange] : exchanges_) {
    if (exchange->response.stream) exchange->Break();
  }
  Wake();
}

bool Http2Session::Feed(std::string_view bytes) {
  last_active_ = Now();
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const ssize_t taken = nghttp2_session_mem_recv(session_, data, bytes.size());
  for (ExchangePtr& exchange : ready_)
    tasks_.Spawn(stream_.get_executor(), "http/2 request", Serve(std::move(exchange)));
  ready_.clear();
  RelieveWindow();
  Wake();
  if (taken >= 0) return true;
  context_.metrics.Refused("bad_request");
  nghttp2_session_terminate_session(
      session_, taken == NGHTTP2_ERR_CALLBACK_FAILURE ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  return false;
}

// Bodies that arrive side by side may fill the connection's window before one of them is whole: then the
// newest is sent back, to be tried again, so that the others come to their end.
void Http2Session::RelieveWindow() {
  constexpr std::size_t kMargin = 64 << 10;
  std::size_t held = 0;
  int incomplete = 0;
  std::int32_t newest = 0;
  for (const auto& [id, exchange] : exchanges_) {
    held += exchange->held;
    if (exchange->complete || exchange->held == 0) continue;
    ++incomplete;
    newest = id;
  }
  if (incomplete < 2 || held + kMargin < static_cast<std::size_t>(window_)) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, newest, NGHTTP2_REFUSED_STREAM);
}

async::Task<void> Http2Session::ReadLoop(std::string received) {
  bool well = Feed(received);
  const std::unique_ptr<char[]> buffer = std::make_unique_for_overwrite<char[]>(kReadSize);
  while (well && !done()) {
    const auto [error, size] =
        co_await stream_.async_read_some(asio::buffer(buffer.get(), kReadSize), kAwait);
    if (error) {
      broken_ = true;
      break;
    }
    well = Feed(std::string_view(buffer.get(), size));
  }
  Wake();
}

async::Task<void> Http2Session::WriteLoop() {
  co_await asio::this_coro::throw_if_cancelled(false);
  std::string out;
  for (;;) {
    out.clear();
    while (out.size() < kWriteSize) {
      const std::uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) broken_ = true;
      if (size <= 0) break;
      out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
    if (!out.empty()) {
      write_began_ = Now();
      const auto [error, size] = co_await asio::async_write(stream_, asio::buffer(out), kAwait);
      (void)size;
      write_began_ = MonoTime::max();
      last_active_ = Now();
      if (error) broken_ = true;
      if (!broken_) continue;
    }
    if (done()) co_return;
    if (!awake_) {
      wake_.expires_at(MonoTime::max());
      const auto [error] = co_await wake_.async_wait(kAwait);
      (void)error;
      const bool cancelled = co_await async::Cancelled();
      if (cancelled) co_return;
    }
    awake_ = false;
  }
}

// An answer whose peer keeps the stream's window shut would hold its memory for ever. Streamed ones have
// their writer, which waits no longer than this.
bool Http2Session::Stalled(const Exchange& exchange, MonoTime now) const {
  return exchange.moved != MonoTime::max() && now - exchange.moved > context_.config.write_timeout;
}

// Deadlines: a peer that says nothing, does not finish a request, or takes no answer.
async::Task<void> Http2Session::WatchLoop() {
  co_await asio::this_coro::throw_if_cancelled(false);
  for (;;) {
    Result<void> slept = co_await async::SleepFor(kWatchEvery);
    if (!slept.ok() || broken_) co_return;
    const MonoTime now = Now();
    if (write_began_ != MonoTime::max() && now - write_began_ > context_.config.write_timeout) co_return;
    if (exchanges_.empty() && now - last_active_ > context_.config.idle_timeout) co_return;
    for (const auto& [id, exchange] : exchanges_) {
      const bool late =
          exchange->complete ? Stalled(*exchange, now) : now - exchange->began > context_.config.body_timeout;
      if (!late) continue;
      context_.metrics.Refused("timeout");
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
      Wake();
    }
  }
}

void Http2Session::Submit(Exchange& exchange) {
  Response& response = exchange.response;
  const std::string status = std::to_string(response.status);
  const std::string date = HttpDate();
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [name, value] : response.headers.fields()) {
    std::string lower = LowerCase(name);
    if (!IsConnectionHeader(lower)) fields.emplace_back(std::move(lower), value);
  }
  const bool no_body = response.status == 204 || response.status == 304;
  const bool streams = static_cast<bool>(response.stream) && exchange.request.method != "HEAD";
  if (!response.headers.Has("X-Request-Id")) fields.emplace_back("x-request-id", exchange.request.request_id);
  if (!no_body && !streams) fields.emplace_back("content-length", std::to_string(response.body.size()));
  std::vector<nghttp2_nv> block = {Field(":status", status), Field("server", "honryu"), Field("date", date)};
  for (const auto& [name, value] : fields) block.push_back(Field(name, value));
  if (exchange.request.method == "HEAD" || no_body) response.body = Bytes();
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::ReadBody;
  const bool has_body = streams || !response.body.empty();
  if (!streams) exchange.moved = Now();
  const int submitted = nghttp2_submit_response(session_, exchange.id, block.data(), block.size(),
                                                has_body ? &provider : nullptr);
  if (submitted != 0)
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, exchange.id, NGHTTP2_INTERNAL_ERROR);
  Wake();
}

async::Task<void> Http2Session::Serve(ExchangePtr exchange) {
  Request& request = exchange->request;
  Error failure;
  int status = exchange->refuse_status;
  if (status == 413) failure = Error(ErrorCode::kTooLarge, "the request body is too large");
  if (status == 503) failure = NoMemoryForBody();
  if (status == 431) failure = Error(ErrorCode::kTooLarge, "the request header is too large");
  if (status == 0) {
    if (const Result<void> parsed = ParseTarget(request); !parsed.ok()) {
      status = 400;
      failure = parsed.error();
    }
  }
  if (status == 0) {
    context_.metrics.bytes_in.Add(static_cast<double>(exchange->received.size()));
    Bytes body = Padded(std::exchange(exchange->received, std::string()));
    OpenedBody opened = co_await OpenBody(context_, request.headers, std::move(body), exchange->memory);
    status = opened.refuse_status;
    if (opened.plain.ok()) {
      request.body = std::move(*opened.plain);
      request.received_body = std::move(opened.received);
    } else {
      failure = opened.plain.error();
    }
  }
  const MonoTime begin = Now();
  Response response;
  if (status != 0) {
    response = ErrorResponse(status, RefusalCode(status), failure.message(), request.request_id);
    if (status == 503) response.headers.Set("Retry-After", "1");
    context_.metrics.Refused(RefusalCode(status));
  } else {
    request.peer_gone = [gone = std::weak_ptr<Exchange>(exchange)] {
      const auto living = gone.lock();
      return living == nullptr || living->closed || living->broken;
    };
    response = co_await AnswerRequest(context_, request);
  }
  if (!exchange->closed) {
    nghttp2_session_consume_connection(session_, std::exchange(exchange->held, 0));
    exchange->response = std::move(response);
    context_.metrics.by_class[static_cast<std::size_t>(std::clamp(exchange->response.status / 100, 1, 5))]
        .Add();
    context_.metrics.bytes_out.Add(static_cast<double>(exchange->response.body.size()));
    Submit(*exchange);
    if (exchange->response.stream && request.method != "HEAD") co_await Stream(exchange);
  }
  context_.metrics.request_seconds.Observe(std::chrono::duration<double>(Now() - begin).count());
}

async::Task<void> Http2Session::Stream(ExchangePtr exchange) {
  Writer writer(*this, exchange);
  const auto until_gone = [](ExchangePtr e) -> async::Task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!e->closed && !e->broken) {
      e->gone.expires_at(MonoTime::max());
      const auto [error] = co_await e->gone.async_wait(kAwait);
      (void)error;
      const bool cancelled = co_await async::Cancelled();
      if (cancelled) co_return;
    }
  };
  {
    using asio::experimental::awaitable_operators::operator||;
    co_await (RunStream(&exchange->response, &writer) || until_gone(exchange));
  }
  if (exchange->closed) co_return;
  exchange->ended = true;
  if (exchange->broken && !stopping_) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, exchange->id, NGHTTP2_CANCEL);
  } else {
    nghttp2_session_resume_data(session_, exchange->id);
  }
  Wake();
}

async::Task<void> Http2Session::Run(std::string received) {
  if (!Open()) co_return;
  stream_.expires_never();
  {
    using asio::experimental::awaitable_operators::operator||;
    const auto read_then_wait = [](Http2Session* self, std::string bytes) -> async::Task<void> {
      co_await asio::this_coro::throw_if_cancelled(false);
      co_await self->ReadLoop(std::move(bytes));
      // What is still to be sent (a GOAWAY) goes out; the write loop ends by itself.
      Result<void> slept = co_await async::SleepFor(std::chrono::seconds(1));
      (void)slept;
    };
    co_await (read_then_wait(this, std::move(received)) || WriteLoop() || WatchLoop());
  }
  broken_ = true;
  for (const auto& [id, exchange] : exchanges_) exchange->Close();
  // Handlers come to their end, within their deadline, as over HTTP/1.1; unless the server waits no longer.
  Result<void> joined = co_await tasks_.Join();
  if (!joined.ok()) {
    tasks_.Cancel();
    co_await async::ClearCancellation();
    joined = co_await tasks_.Join();
  }
}

}  // namespace honryu::http
