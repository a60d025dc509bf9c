#include "honryu/base/random.h"
#include "honryu/codec/compression.h"
#include "tests/unit/http/fixture.h"

namespace honryu::http {
namespace {

using honryu::testing::RawSocket;

std::string Post(const std::string& body, const std::string& extra = "") {
  return "POST /echo HTTP/1.1\r\nHost: x\r\n" + extra + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

int Count(const std::string& text, std::string_view what) {
  int n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

bool Status(const std::string& answer, int status) {
  return answer.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
}

TEST_F(HttpTest, AnswersPipelinedRequestsInOrderWhereverTheSegmentsBreak) {
  StartServer();
  const std::string three = Post("first") + Post("second, chunky", "X-Y: z\r\n") +
                            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                            "chunked\r\n\r\n3\r\nthi\r\n2;ext=1\r\nrd\r\n0\r\nTrailer: t\r\n\r\n" +
                            "GET /target?last=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  for (std::size_t split = 1; split < three.size(); split += 3) {
    RawSocket socket(server_->port());
    ASSERT_TRUE(socket.Send(three.substr(0, split)));
    ASSERT_TRUE(socket.Send(three.substr(split)));
    const std::string answer = socket.ReadAll();
    ASSERT_EQ(Count(answer, "HTTP/1.1 200 OK"), 4) << split << answer;
    const std::size_t a = answer.find("\r\n\r\nfirst"), b = answer.find("second, chunky"),
                      c = answer.find("\r\n\r\nthird"), d = answer.find("/target|last=1");
    ASSERT_TRUE(a < b && b < c && c < d && d != std::string::npos) << split << answer;
  }
}

TEST_F(HttpTest, SaysContinueBeforeAnExpectedBody) {
  StartServer();
  RawSocket socket(server_->port());
  socket.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: "
      "4\r\n\r\n");
  EXPECT_EQ(socket.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.Send("body");
  EXPECT_TRUE(socket.ReadAll().ends_with("\r\n\r\nbody"));
}

TEST_F(HttpTest, OpensCompressedBodiesWithinTheLimit) {
  StartServer();
  const std::string plain(300000, 'z');
  for (const auto& [name, codec] :
       {std::pair{"gzip", codec::Compression::kGzip}, std::pair{"zstd", codec::Compression::kZstd}}) {
    const std::string packed = codec::Compress(codec, plain).value();
    const std::string answer =
        Exchange(Post(packed, std::string("Connection: close\r\nContent-Encoding: ") + name + "\r\n"));
    EXPECT_TRUE(Status(answer, 200)) << name;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + plain)) << name;
    const std::string bomb = codec::Compress(codec, std::string(600000, 'z')).value();
    EXPECT_TRUE(Status(Exchange(Post(bomb, std::string("Content-Encoding: ") + name + "\r\n")), 413)) << name;
    EXPECT_TRUE(Status(Exchange(Post("not packed", std::string("Content-Encoding: ") + name + "\r\n")), 400))
        << name;
  }
  EXPECT_TRUE(Status(Exchange(Post("x", "Content-Encoding: br\r\n")), 415));
}

TEST_F(HttpTest, KeepsACompressedBodyAsItCameForItsSignature) {
  StartServer();
  const std::string plain(3000, 'z');
  const std::string packed = codec::Compress(codec::Compression::kGzip, plain).value();
  const auto body_of = [&](const std::string& extra) {
    std::string post = Post(packed, "Connection: close\r\nContent-Encoding: gzip\r\n" + extra);
    post.replace(post.find("/echo"), 5, "/signed");
    const std::string answer = Exchange(post);
    return answer.substr(answer.find("\r\n\r\n") + 4);
  };
  EXPECT_EQ(body_of("Authorization: AWS4-HMAC-SHA256 Credential=x\r\n"), packed);
  EXPECT_EQ(body_of("Authorization: Bearer x\r\n"), plain) << "nobody needs it: not kept";
  EXPECT_EQ(body_of(""), plain);
}

TEST_F(HttpTest, BodiesOfAllConnectionsShareOneBudget) {
  config_.max_body = ByteSize::MiB(2);
  config_.max_decompressed_body = ByteSize::MiB(2);
  budget_ = std::make_unique<BodyBudget>(ByteSize::MiB(1), metrics_);
  StartServer();
  const std::string fits(900 << 10, 'x');
  const std::string close = "Connection: close\r\n";
  const auto refused = [](const std::string& answer) {
    return Status(answer, 503) && answer.find("Retry-After: 1\r\n") != std::string::npos;
  };
  // What was taken comes back with every answer, also with refusals.
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Status(Exchange(Post(fits, close)), 200)) << i;
    EXPECT_TRUE(refused(Exchange(Post(fits + fits)))) << i;
    const std::string bomb = codec::Compress(codec::Compression::kGzip, fits + fits).value();
    EXPECT_TRUE(refused(Exchange(Post(bomb, "Content-Encoding: gzip\r\n")))) << i;
    const std::string packed =
        codec::Compress(codec::Compression::kGzip, std::string(250 << 10, 'x')).value();
    EXPECT_TRUE(Status(Exchange(Post(packed, close + "Content-Encoding: gzip\r\n")), 200)) << i;
    std::string chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int n = 0; n < 9; ++n) chunked += "20000\r\n" + std::string(128 << 10, 'c') + "\r\n";
    EXPECT_TRUE(refused(Exchange(chunked + "0\r\n\r\n"))) << i;
  }
  // A body that is only announced takes a piece; one that has come takes all of itself until it is answered.
  RawSocket announced(server_->port());
  announced.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  RawSocket held(server_->port());
  held.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 600001\r\n\r\n" + std::string(600000, 'h'));
  const auto gauge = metrics_.MakeGauge("honryu_http_request_memory_bytes",
                                        "Memory held by request bodies, as received and as decompressed.");
  while (gauge.Value() < (256 << 10) + 600001) ::usleep(1000);
  EXPECT_TRUE(refused(Exchange(Post(fits))));
  EXPECT_TRUE(Status(Exchange(Post("small", close)), 200));
  held.Send("!");
  EXPECT_EQ(held.ReadUntil("!").size() > 600000, true);
  while (gauge.Value() > 256 << 10) ::usleep(1000);
  EXPECT_TRUE(Status(Exchange(Post(std::string(600 << 10, 'x'), close)), 200));
}

TEST_F(HttpTest, RefusesWhatPassesALimitWithTheRightStatus) {
  StartServer();
  EXPECT_TRUE(Status(Exchange(Post(std::string(300 * 1024, 'x'))), 413));
  EXPECT_TRUE(Status(Exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"), 413));
  EXPECT_TRUE(
      Status(Exchange("GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + std::string(40000, 'h') + "\r\n\r\n"), 431));
  std::string chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 300; ++i) chunked += "400\r\n" + std::string(1024, 'c') + "\r\n";
  EXPECT_TRUE(Status(Exchange(chunked + "0\r\n\r\n"), 413));
}

TEST_F(HttpTest, RefusesMalformedAndAmbiguousRequests) {
  StartServer();
  for (const char* bad :
       {"NONSENSE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    EXPECT_TRUE(Status(Exchange(bad), 400)) << bad;
  }
}

TEST_F(HttpTest, CutsSlowHeadersAndBodies) {
  config_.header_timeout = std::chrono::milliseconds(50);
  config_.body_timeout = std::chrono::milliseconds(50);
  config_.idle_timeout = std::chrono::milliseconds(50);
  StartServer();
  EXPECT_EQ(Exchange("GET / HT"), "");
  EXPECT_EQ(Exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"), "");
  EXPECT_EQ(Exchange(""), "");  // idle: just closed
  // A timed-out stream closes its socket before its connection counts: the count stands once all have ended.
  StopServer(std::chrono::seconds(5));
  EXPECT_EQ(
      metrics_.MakeCounter("honryu_http_rejected_total", "", {{"listener", "test"}, {"reason", "timeout"}})
          .Value(),
      2);
}

TEST_F(HttpTest, RoutesMethodsAndPaths) {
  StartServer();
  const std::string close = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_TRUE(Status(Exchange("GET /nowhere" + close), 404));
  const std::string wrong = Exchange("DELETE /echo" + close);
  EXPECT_TRUE(Status(wrong, 405));
  EXPECT_NE(wrong.find("Allow: POST"), std::string::npos);
  const std::string head = Exchange("HEAD /target?a=%E6%B8%8B" + close);
  EXPECT_TRUE(Status(head, 200));
  EXPECT_NE(head.find("Content-Length: "), std::string::npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  EXPECT_TRUE(Exchange("GET /target?a=%E6%B8%8B+x" + close).ends_with("/target|a=渋 x"));
  EXPECT_TRUE(Status(Exchange("GET /throw" + close), 500));
}

TEST_F(HttpTest, Http10ClosesUnlessAskedToKeep) {
  StartServer();
  EXPECT_TRUE(Exchange("GET /target HTTP/1.0\r\n\r\n").ends_with("/target"));
}

TEST_F(HttpTest, TurnsAwayConnectionsOverTheLimit) {
  config_.max_connections = 1;
  StartServer();
  RawSocket first(server_->port());
  first.Send("GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(Status(first.ReadUntil("/target"), 200));
  EXPECT_TRUE(Status(Exchange(""), 503));
}

TEST_F(HttpTest, StreamsAndNoticesThatThePeerHasGone) {
  StartServer();
  {
    RawSocket socket(server_->port());
    socket.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string text = socket.ReadUntil("data: 2");
    EXPECT_NE(text.find("Transfer-Encoding: chunked"), std::string::npos);
    EXPECT_NE(text.find("9\r\ndata: 0\n\n\r\n"), std::string::npos) << text;
  }
  EXPECT_TRUE(WaitForSignal(stream_ended_));
}

TEST_F(HttpTest, AHandlerCanTellThatNobodyWaitsForItsAnswer) {
  StartServer();
  {
    RawSocket socket(server_->port());
    socket.Send("GET /abandoned HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(WaitForSignal(slow_entered_));
    EXPECT_FALSE(stream_ended_.ready());
  }
  EXPECT_TRUE(WaitForSignal(stream_ended_));
}

TEST_F(HttpTest, AStreamEndsWhenThePeerStopsReading) {
  config_.write_timeout = std::chrono::milliseconds(50);
  StartServer();
  RawSocket deaf(server_->port());
  deaf.Send("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(WaitForSignal(stream_ended_));
}

TEST_F(HttpTest, ASilentStreamOutlivesTheWriteTimeout) {
  config_.write_timeout = std::chrono::milliseconds(1);
  StartServer();
  RawSocket socket(server_->port());
  socket.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(socket.ReadUntil("data: 2").find("data: 2"), std::string::npos);
  const async::OneShot<bool> ended = stream_ended_;
  EXPECT_FALSE(
      runtime_.BlockOn(ended.Wait(std::chrono::steady_clock::now() + std::chrono::milliseconds(30))).ok());
}

TEST_F(HttpTest, StopFinishesWhatIsInFlightAndEndsStreamsAndIdleConnections) {
  StartServer();
  RawSocket busy(server_->port()), idle(server_->port()), stream(server_->port());
  idle.Send("GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
  idle.ReadUntil("/target");
  stream.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  stream.ReadUntil("data: 2");
  busy.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(WaitForSignal(slow_entered_));
  server_->BeginStop();
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_TRUE(WaitForSignal(stream_ended_));
  slow_release_.Set(true);
  const std::string answer = busy.ReadAll();
  EXPECT_TRUE(answer.ends_with("released"));
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

TEST_F(HttpTest, StopCancelsWhatIsStillBusyAtTheDeadline) {
  StartServer();
  RawSocket busy(server_->port());
  busy.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(WaitForSignal(slow_entered_));
  StopServer(std::chrono::milliseconds(20));
  EXPECT_FALSE(busy.ReadAll().ends_with("released"));
}

TEST_F(HttpTest, ATakenPortIsAnError) {
  StartServer();
  ServerConfig same = config_;
  same.port = server_->port();
  Server second(runtime_, metrics_, same, router_.AsHandler());
  EXPECT_EQ(second.Start().error().code(), ErrorCode::kUnavailable);
  runtime_.BlockOn(second.Stop(std::chrono::steady_clock::now() + std::chrono::seconds(1)));
}

}  // namespace
}  // namespace honryu::http
