#include "bench/load/subscriber.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace honryu::bench {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// What one connection's callbacks share.
struct Session {
  std::string unsent;  // of the request's body
  wire::EventStreamDecoder decoder;
  const std::function<void(const std::string&)>* on_frame = nullptr;
  std::atomic<std::uint64_t>* bytes = nullptr;
  std::atomic<bool>* stop = nullptr;
};

Session& Of(void* user) { return *static_cast<Session*>(user); }

nghttp2_nv Field(const char* name, const std::string& value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), std::strlen(name), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

int OnHeader(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
             const std::uint8_t* value, std::size_t value_size, std::uint8_t, void*) {
  const std::string_view n(reinterpret_cast<const char*>(name), name_size),
      v(reinterpret_cast<const char*>(value), value_size);
  if (n == ":status" && v != "200") {
    std::fprintf(stderr, "SubscribeToShard: status %.*s\n", static_cast<int>(v.size()), v.data());
    std::exit(1);
  }
  return 0;
}

int OnData(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data, std::size_t size,
           void* user) {
  Session& self = Of(user);
  *self.bytes += size;
  if (!*self.on_frame) return 0;
  self.decoder.Feed(BytesView(reinterpret_cast<const char*>(data), size));
  for (;;) {
    Result<std::optional<wire::EventFrame>> frame = self.decoder.Next();
    if (!frame.ok()) {
      std::fprintf(stderr, "%s\n", frame.error().message().c_str());
      std::exit(1);
    }
    if (!*frame) return 0;
    (*self.on_frame)((*frame)->payload);
  }
}

int OnClose(nghttp2_session*, std::int32_t, std::uint32_t, void* user) {
  if (*Of(user).stop) return 0;
  std::fprintf(stderr, "the server ended a subscription\n");
  std::exit(1);
}

ssize_t ReadBody(nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t size, std::uint32_t* flags,
                 nghttp2_data_source*, void* user) {
  std::string& left = Of(user).unsent;
  const std::size_t part = std::min(size, left.size());
  std::memcpy(out, left.data(), part);
  left.erase(0, part);
  if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(part);
}

void SendAll(nghttp2_session* session, int fd) {
  const std::uint8_t* data = nullptr;
  for (;;) {
    const ssize_t size = nghttp2_session_mem_send(session, &data);
    if (size < 0) Die("http/2");
    if (size == 0) return;
    if (::send(fd, data, static_cast<std::size_t>(size), MSG_NOSIGNAL) != size) return;
  }
}

nghttp2_session* Open(Session& state) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
  nghttp2_session* session = nullptr;
  nghttp2_session_client_new(&session, callbacks, &state);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 4 << 20};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &window, 1);
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, 4 << 20);
  return session;
}

}  // namespace

Subscriber::Subscriber(std::uint16_t port, std::string body, wire::Format format,
                       std::function<void(const std::string&)> on_frame)
    : on_frame_(std::move(on_frame)),
      thread_([this, port, body = std::move(body), format] { Run(port, body, format); }) {}

Subscriber::~Subscriber() { Stop(); }

void Subscriber::AwaitStart() const {
  while (bytes_ == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

double Subscriber::Stop() {
  stop_ = true;
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  return cpu_seconds_;
}

void Subscriber::Run(std::uint16_t port, const std::string& body, wire::Format format) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("connect");
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fd_ = fd;
  Session state{body, {}, &on_frame_, &bytes_, &stop_};
  nghttp2_session* session = Open(state);
  const std::string method = "POST", scheme = "http", path = "/", authority = "127.0.0.1",
                    target = "Kinesis_20131202.SubscribeToShard", type(wire::ContentType(format));
  const nghttp2_nv fields[] = {Field(":method", method),    Field(":scheme", scheme),
                               Field(":path", path),        Field(":authority", authority),
                               Field("content-type", type), Field("x-amz-target", target)};
  nghttp2_data_provider provider{};
  provider.read_callback = ReadBody;
  nghttp2_submit_request(session, nullptr, fields, std::size(fields), &provider, nullptr);
  constexpr std::size_t kPiece = 256 << 10;
  const auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(kPiece);
  while (!stop_) {
    SendAll(session, fd);
    const ssize_t size = ::recv(fd, buffer.get(), kPiece, 0);
    if (size <= 0) break;
    if (nghttp2_session_mem_recv(session, buffer.get(), static_cast<std::size_t>(size)) < 0) Die("http/2");
  }
  if (!stop_) Die("the connection of a subscription ended");
  nghttp2_session_del(session);
  ::close(fd);
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  cpu_seconds_ = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                 static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

}  // namespace honryu::bench
