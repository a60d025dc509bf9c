#pragma once

#include "tests/support/raw_socket.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace honryu::testing {

/// What came back on one stream.
struct Http2Answer {
  std::map<std::string, std::string> headers;
  std::string body;
  bool closed = false;
  std::uint32_t error = 0;
};

/// A blocking HTTP/2 client on one connection to 127.0.0.1, over nghttp2's own client side.
class Http2Client {
 public:
  /// `opens_window`: gives back what bodies have taken of the flow-control windows; without, the server may
  /// send 65,535 bytes of bodies in all.
  explicit Http2Client(std::uint16_t port, bool opens_window = true) : socket_(port) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t n,
                      const std::uint8_t* value, std::size_t v, std::uint8_t, void* self) {
          Of(self).answers[frame->hd.stream_id].headers[Text(name, n)] = Text(value, v);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                      std::size_t size, void* self) {
          Of(self).answers[id].body += Text(data, size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t error, void* self) {
          Of(self).answers[id].closed = true;
          Of(self).answers[id].error = error;
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          if (frame->hd.type == NGHTTP2_GOAWAY) Of(self).goaway = true;
          return 0;
        });
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, opens_window ? 0 : 1);
    nghttp2_session_client_new2(&session_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Http2Client() { nghttp2_session_del(session_); }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  /// Queues a request; its stream id.
  std::int32_t Request(const std::string& method, const std::string& path, const std::string& body = "",
                       const std::map<std::string, std::string>& headers = {}) {
    // nghttp2 wants the pseudo-headers first; it copies all of them at the submission.
    std::vector<std::pair<std::string, std::string>> fields = {
        {":method", method}, {":scheme", "http"}, {":path", path}, {":authority", "test"}};
    fields.insert(fields.end(), headers.begin(), headers.end());
    std::vector<nghttp2_nv> block;
    for (const auto& [name, value] : fields) block.push_back(Field(name, value));
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session*, std::int32_t id, std::uint8_t* out, std::size_t size,
                                std::uint32_t* flags, nghttp2_data_source*, void* self) -> ssize_t {
      std::string& left = Of(self).bodies_[id];
      const std::size_t part = std::min(size, left.size());
      std::memcpy(out, left.data(), part);
      left.erase(0, part);
      if (part == 0 && Of(self).never_ends) return NGHTTP2_ERR_DEFERRED;
      if (left.empty() && !Of(self).never_ends) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(part);
    };
    const std::int32_t id = nghttp2_submit_request(session_, nullptr, block.data(), block.size(),
                                                   body.empty() ? nullptr : &provider, nullptr);
    bodies_[id] = body;
    return id;
  }
  void Reset(std::int32_t id) { nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL); }
  bool Send() {
    const std::uint8_t* data = nullptr;
    for (;;) {
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) return size == 0;
      if (!socket_.Send(
              std::string_view(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size))))
        return false;
    }
  }
  /// Sends and receives until `done`; false when the connection ended before.
  template <class F>
  bool Until(F done) {
    while (!done()) {
      if (!Send()) return false;
      if (done()) return true;
      std::string bytes;
      if (!socket_.Receive(&bytes)) return false;
      if (nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                   bytes.size()) < 0)
        return false;
    }
    return true;
  }
  Http2Answer Exchange(const std::string& method, const std::string& path, const std::string& body = "",
                       const std::map<std::string, std::string>& headers = {}) {
    const std::int32_t id = Request(method, path, body, headers);
    EXPECT_TRUE(Until([&] { return answers[id].closed; }));
    return answers[id];
  }

  std::map<std::int32_t, Http2Answer> answers;
  bool goaway = false;
  bool never_ends = false;  // bodies

 private:
  static Http2Client& Of(void* self) { return *static_cast<Http2Client*>(self); }
  static std::string Text(const std::uint8_t* data, std::size_t size) {
    return std::string(reinterpret_cast<const char*>(data), size);
  }
  static nghttp2_nv Field(const std::string& name, const std::string& value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
            NGHTTP2_NV_FLAG_NONE};
  }

  RawSocket socket_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::string> bodies_;
};

}  // namespace honryu::testing
