// HTTP/2 against nghttp2's own client side.
#include "honryu/codec/compression.h"
#include "tests/support/http2_client.h"
#include "tests/unit/http/fixture.h"

#include <vector>

namespace honryu::http {
namespace {

using honryu::testing::Http2Answer;
using honryu::testing::Http2Client;

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
  const Http2Answer opened =
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
    Http2Answer refused = client.Exchange("POST", "/echo", fits + fits + fits);
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

TEST_F(Http2Test, AHandlerCanTellThatNobodyWaitsForItsAnswer) {
  StartServer();
  Http2Client client(server_->port());
  const std::int32_t id = client.Request("GET", "/abandoned");
  ASSERT_TRUE(client.Send());
  EXPECT_TRUE(WaitForSignal(slow_entered_));
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

TEST_F(Http2Test, AnAnswerThatIsNotTakenIsGivenUp) {
  config_.write_timeout = std::chrono::milliseconds(300);
  StartServer();
  Http2Client client(server_->port(), false);
  const std::int32_t id = client.Request("POST", "/echo", std::string(200 << 10, 'x'));
  ASSERT_TRUE(client.Until([&] { return client.answers[id].closed; }));
  EXPECT_EQ(client.answers[id].error, static_cast<std::uint32_t>(NGHTTP2_CANCEL));
  EXPECT_EQ(client.answers[id].body.size(), 65535U);
}

TEST_F(Http2Test, TheAuthorityIsTheOnlyHost) {
  router_.Add("GET", "/host", [](async::Context, const Request& request) -> async::Task<Response> {
    std::string hosts;
    for (const auto& [name, value] : request.headers.fields()) {
      if (name == "host") hosts += value + " ";
    }
    co_return Response::Text(200, hosts);
  });
  StartServer();
  Http2Client client(server_->port());
  EXPECT_EQ(client.Exchange("GET", "/host", "", {{"host", "other"}}).body, "test ");
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
