// HTTP/2 against nghttp2's own client side.
#include "honryu/codec/compression.h"
#include "tests/unit/http/fixture.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

namespace honryu::http {
namespace {

struct Answer {
  std::map<std::string, std::string> headers;
  std::string body;
  bool closed = false;
  std::uint32_t error = 0;
};

/// A blocking client on one connection.
class Http2Client {
 public:
  explicit Http2Client(std::uint16_t port) : socket_(port) {
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
    nghttp2_session_client_new(&session_, callbacks, this);
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
  Answer Exchange(const std::string& method, const std::string& path, const std::string& body = "",
                  const std::map<std::string, std::string>& headers = {}) {
    const std::int32_t id = Request(method, path, body, headers);
    EXPECT_TRUE(Until([&] { return answers[id].closed; }));
    return answers[id];
  }

  std::map<std::int32_t, Answer> answers;
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

  honryu::testing::RawSocket socket_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::string> bodies_;
};

using Http2Test = HttpTest;

TEST_F(Http2Test, AnswersSeveralRequestsAtATimeOnTheSamePort) {
  StartServer();
  Http2Client client(server_->port());
  const std::string big(200 * 1024, 'b');
  const std::int32_t a = client.Request("POST", "/echo", big);
  const std::int32_t b = client.Request("GET", "/target?x=1%202");
  const std::int32_t c = client.Request("GET", "/throw");
  ASSERT_TRUE(client.Until(
      [&] { return client.answers[a].closed && client.answers[b].closed && client.answers[c].closed; }));
  EXPECT_EQ(client.answers[a].headers[":status"], "200");
  EXPECT_EQ(client.answers[a].body, big);
  EXPECT_EQ(client.answers[b].body, "/target|x=1 2");
  EXPECT_EQ(client.answers[b].headers["server"], "honryu");
  EXPECT_FALSE(client.answers[b].headers["x-request-id"].empty());
  EXPECT_EQ(client.answers[c].headers[":status"], "500");
  EXPECT_TRUE(
      Exchange("GET /target HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST_F(Http2Test, OneSlowAnswerHoldsNoOtherBack) {
  StartServer();
  Http2Client client(server_->port());
  const std::int32_t slow = client.Request("GET", "/slow");
  EXPECT_EQ(client.Exchange("POST", "/echo", "quick").body, "quick");
  EXPECT_FALSE(client.answers[slow].closed);
  slow_release_.Set(true);
  ASSERT_TRUE(client.Until([&] { return client.answers[slow].closed; }));
  EXPECT_EQ(client.answers[slow].body, "released");
}

TEST_F(Http2Test, LimitsAreThoseOfHttp1) {
  StartServer();
  Http2Client client(server_->port());
  EXPECT_EQ(client.Exchange("POST", "/echo", std::string(300 * 1024, 'x')).headers[":status"], "413");
  EXPECT_EQ(client.Exchange("POST", "/echo", "x", {{"content-encoding", "br"}}).headers[":status"], "415");
  EXPECT_EQ(client.Exchange("GET", "/%zz").headers[":status"], "400");
  const std::string plain(300000, 'z');
  const Answer opened =
      client.Exchange("POST", "/echo", codec::Compress(codec::Compression::kGzip, plain).value(),
                      {{"content-encoding", "gzip"}});
  EXPECT_EQ(opened.body, plain);
  const std::string bomb = codec::Compress(codec::Compression::kGzip, std::string(600000, 'z')).value();
  EXPECT_EQ(client.Exchange("POST", "/echo", bomb, {{"content-encoding", "gzip"}}).headers[":status"], "413");
  // The connection has served all of these and goes on.
  EXPECT_EQ(client.Exchange("POST", "/echo", "still here").body, "still here");
}

TEST_F(Http2Test, BodiesShareTheBudgetOfTheProcess) {
  config_.max_body = ByteSize::MiB(2);
  budget_ = std::make_unique<BodyBudget>(ByteSize::MiB(1), metrics_);
  StartServer();
  Http2Client client(server_->port());
  const std::string fits(500 << 10, 'x');
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.Exchange("POST", "/echo", fits).body, fits) << i;
    Answer refused = client.Exchange("POST", "/echo", fits + fits + fits);
    EXPECT_EQ(refused.headers[":status"], "503") << i;
    EXPECT_EQ(refused.headers["retry-after"], "1") << i;
  }
}

TEST_F(Http2Test, ManyBodiesReuseTheWindow) {
  StartServer();
  Http2Client client(server_->port());
  const std::string body(250 * 1024, 'w');
  for (int i = 0; i < 300; ++i) ASSERT_EQ(client.Exchange("POST", "/echo", body).body.size(), body.size());
}

TEST_F(Http2Test, AStreamedAnswerComesPieceByPieceAndEndsWithItsReader) {
  StartServer();
  Http2Client client(server_->port());
  const std::int32_t id = client.Request("GET", "/stream");
  ASSERT_TRUE(client.Until([&] { return client.answers[id].body.size() >= 27; }));
  EXPECT_EQ(client.answers[id].body, "data: 0\n\ndata: 1\n\ndata: 2\n\n");
  EXPECT_FALSE(client.answers[id].closed);
  client.Reset(id);
  ASSERT_TRUE(client.Send());
  EXPECT_TRUE(WaitForSignal(stream_ended_));
}

TEST_F(Http2Test, AnEndlessAnswerWaitsForItsReader) {
  config_.write_timeout = std::chrono::milliseconds(300);
  StartServer();
  Http2Client client(server_->port());
  client.Request("GET", "/flood");
  ASSERT_TRUE(client.Send());
  // Nobody reads: the writer gives up, the memory that waits is bounded all the while.
  EXPECT_TRUE(WaitForSignal(stream_ended_));
}

TEST_F(Http2Test, AStopEndsStreamsAndFinishesWhatRuns) {
  StartServer();
  Http2Client client(server_->port());
  const std::int32_t slow = client.Request("GET", "/slow");
  const std::int32_t stream = client.Request("GET", "/stream");
  ASSERT_TRUE(client.Until([&] { return client.answers[stream].body.size() >= 27; }));
  ASSERT_TRUE(WaitForSignal(slow_entered_));
  server_->BeginStop();
  EXPECT_TRUE(client.Until([&] { return client.goaway && client.answers[stream].closed; }));
  slow_release_.Set(true);
  EXPECT_TRUE(client.Until([&] { return client.answers[slow].closed; }));
  EXPECT_EQ(client.answers[slow].body, "released");
  StopServer(std::chrono::seconds(5));
}

TEST_F(Http2Test, ASilentUploadIsCutOff) {
  config_.body_timeout = std::chrono::milliseconds(200);
  StartServer();
  Http2Client client(server_->port());
  client.never_ends = true;
  const std::int32_t id = client.Request("POST", "/echo", "never");
  ASSERT_TRUE(client.Until([&] { return client.answers[id].closed; }));
  EXPECT_EQ(client.answers[id].error, static_cast<std::uint32_t>(NGHTTP2_CANCEL));
}

TEST_F(Http2Test, AFloodOfResetsEndsTheConnection) {
  StartServer();
  Http2Client client(server_->port());
  bool alive = true;
  for (int round = 0; round < 200 && alive; ++round) {
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(client.Request("GET", "/slow"));
    alive = client.Send();
    for (const std::int32_t reset : ids) client.Reset(reset);
    alive = alive && client.Send();
    if (!alive) break;
    const std::int32_t id = client.Request("POST", "/echo", "x");
    alive = client.Until([&] { return client.answers[id].closed || client.goaway; }) && !client.goaway;
  }
  EXPECT_FALSE(alive);
  slow_release_.Set(true);
}

TEST_F(Http2Test, NonsenseAfterThePrefaceEndsTheConnection) {
  StartServer();
  const std::string answer = Exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame of any kind at all");
  EXPECT_FALSE(answer.empty());  // settings and GOAWAY
  EXPECT_TRUE(Exchange("PRI * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 "));
}

}  // namespace
}  // namespace honryu::http
