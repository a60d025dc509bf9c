#include "honryu/api/gateway/gateway_api.h"

#include "honryu/codec/base64.h"
#include "honryu/codec/compression.h"
#include "honryu/codec/json.h"
#include "honryu/http/client.h"
#include "honryu/http/server.h"
#include "tests/support/fake_stream_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

namespace honryu::api::gateway {
namespace {

using codec::Json;
using ::testing::HasSubstr;

constexpr const char* kId1 = "1b4e28ba-2fa1-4d3b-883f-0016d3cca421";
constexpr const char* kId2 = "1b4e28ba-2fa1-4d3b-883f-0016d3cca422";

std::string Event(const char* id, const char* more = "") {
  return std::string("{\"event_id\":\"") + id + "\",\"event_type\":\"t\"" + more + "}";
}

class Gateway : public ::testing::Test {
 protected:
  void Make(GatewayConfig config = {}) {
    ASSERT_TRUE(config.Validate().ok());
    if (gateway_ != nullptr) runtime_.BlockOn(gateway_->Stop(MonoTime::max()));
    gateway_ = std::make_unique<GatewayApi>(std::move(config), client_, clock_, runtime_, registry_);
    router_ = http::Router();
    gateway_->Register(router_);
  }
  void Start(GatewayConfig config = {}) {
    Make(std::move(config));
    const Result<void> started = runtime_.BlockOn(gateway_->Start({}));
    ASSERT_TRUE(started.ok());
  }
  void TearDown() override {
    if (gateway_ != nullptr) runtime_.BlockOn(gateway_->Stop(MonoTime::max()));
  }

  http::Response Post(std::string body, http::Headers headers = {}) {
    http::Request request;
    request.method = "POST";
    request.path = "/v1/events";
    request.headers = std::move(headers);
    const std::size_t size = body.size();
    body.append(http::kBodyPadding, ' ');
    request.body = Bytes(std::move(body)).Slice(0, size);
    request.peer = "127.0.0.1:9";
    request.request_id = "req-1";
    return runtime_.BlockOn(router_.Handle({}, request));
  }
  /// Gives what runs in the background time to do it.
  static bool Eventually(const std::function<bool()>& check) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!check()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  static Json Parse(BytesView text) {
    Result<Json> parsed = Json::Parse(text);
    EXPECT_TRUE(parsed.ok()) << text;
    return parsed.ok() ? *parsed : Json();
  }
  static std::int64_t Number(const http::Response& response, std::string_view name) {
    const Json json = Parse(response.body);
    const Json* found = json.Find(name);
    return found == nullptr ? -1 : found->IntOr(-1);
  }

  ManualClock clock_{TimestampFromMs(1763719200000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{2, 1}};
  honryu::testing::FakeStreamClient client_{clock_};
  http::Router router_;
  std::unique_ptr<GatewayApi> gateway_;
};

TEST_F(Gateway, StoresAnEventAndSaysSo) {
  Start();
  const http::Response response = Post(Event(kId1, ",\"user_id\":\"u\",\"x\": [1,  2]"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Number(response, "accepted"), 1);
  EXPECT_EQ(response.headers.Get("X-Request-Id"), "req-1");
  const auto records = client_.Records("events");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].partition_key, "u");
  EXPECT_EQ(
      records[0].data.view(),
      std::string(
          "{\"received_at\":\"2025-11-21T10:00:00.000Z\",\"event_time\":\"2025-11-21T10:00:00.000Z\",") +
          Event(kId1, ",\"user_id\":\"u\",\"x\": [1,  2]").substr(1));
}

TEST_F(Gateway, MakesIdsThatAreAlsoTheKey) {
  Start();
  EXPECT_EQ(Number(Post("[{\"event_type\":\"a\"},{\"event_type\":\"a\"}]"), "accepted"), 2);
  const auto records = client_.Records("events");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_NE(records[0].partition_key, records[1].partition_key);
  EXPECT_EQ(Parse(records[0].data).Find("event_id")->StringOr(""), records[0].partition_key);
}

TEST_F(Gateway, BadEventsDoNotHarmTheirNeighbours) {
  Start();
  const std::string bad = "{\"event_type\":\"日本\",\"location\":{\"latitude\":91}}";
  const http::Response response = Post("[" + Event(kId1) + "," + bad + "," + Event(kId2) + "]");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Number(response, "accepted"), 2);
  const Json answer = Parse(response.body);
  const auto& rejected = answer.Find("rejected")->array();
  ASSERT_EQ(rejected.size(), 1u);
  EXPECT_EQ(rejected[0].Find("index")->IntOr(-1), 1);
  EXPECT_EQ(rejected[0].Find("field")->StringOr(""), "location.latitude");
  EXPECT_EQ(rejected[0].Find("reason")->StringOr(""), "expected -90 to 90");
  const auto letters = client_.Records("events-dlq");
  ASSERT_EQ(letters.size(), 1u);
  const Json letter = Parse(letters[0].data);
  EXPECT_EQ(letter.Find("original")->StringOr(""), bad);
  EXPECT_EQ(letter.Find("reason")->StringOr(""), "value");
  EXPECT_EQ(letter.Find("request_id")->StringOr(""), "req-1");
  EXPECT_EQ(letter.Find("peer")->StringOr(""), "127.0.0.1:9");
  EXPECT_EQ(letter.Find("index")->IntOr(-1), 1);
  EXPECT_THAT(registry_.Render(), HasSubstr("honryu_gateway_rejected_events_total{reason=\"value\"} 1"));
  EXPECT_THAT(registry_.Render(), HasSubstr("honryu_gateway_events_total{result=\"accepted\"} 2"));
}

TEST_F(Gateway, AnswersBadRequestWhenNothingIsGood) {
  Start();
  EXPECT_EQ(Post("{\"event_type\":1}").status, 400);
  EXPECT_EQ(Post("rubbish").status, 400);
  EXPECT_EQ(Post(" \n").status, 400);
  EXPECT_EQ(Post("[]").status, 200);
  EXPECT_EQ(client_.Records("events").size(), 0u);
  EXPECT_EQ(client_.Records("events-dlq").size(), 2u);
}

TEST_F(Gateway, ABrokenObjectInAnArrayKeepsItsNeighbours) {
  Start();
  const http::Response response = Post("[" + Event(kId1) + ",{\"event_type\":}," + Event(kId2) + "]");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Number(response, "accepted"), 2);
  const auto letters = client_.Records("events-dlq");
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_THAT(std::string(letters[0].data.view()), HasSubstr(R"("original":"{\"event_type\":}")"));
}

TEST_F(Gateway, ABrokenArrayIsAnsweredUpToTheBreak) {
  Start();
  const http::Response response = Post("[" + Event(kId1) + ",{\"event_type\":," + Event(kId2) + "]");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Number(response, "accepted"), 1);
  EXPECT_THAT(std::string(response.body.view()), HasSubstr("nothing behind it was read"));
  const auto letters = client_.Records("events-dlq");
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_THAT(std::string(letters[0].data.view()), HasSubstr("0016d3cca422"));
}

TEST_F(Gateway, DeadLettersKeepBytesThatAreNoText) {
  Start();
  const std::string bad = "{\"event_type\":\"\xff\xfe\"}";
  EXPECT_EQ(Post(bad).status, 400);
  const auto letters = client_.Records("events-dlq");
  ASSERT_EQ(letters.size(), 1u);
  const Json letter = Parse(letters[0].data);
  EXPECT_EQ(codec::Base64Decode(letter.Find("original_base64")->StringOr("")).value(), bad);
}

TEST_F(Gateway, AnEventTooLargeForTheStreamIsPutAsideInParts) {
  Start();
  const std::string bad = Event(kId1, (",\"x\":\"" + std::string(2 << 20, 'y') + "\"").c_str());
  const http::Response response = Post(bad);
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(std::string(response.body.view()), HasSubstr("\"code\":\"too_large\""));
  std::string joined;
  for (const auto& letter : client_.Records("events-dlq")) {
    EXPECT_LE(letter.data.size(), std::size_t{1} << 20);
    joined += codec::Base64Decode(Parse(letter.data).Find("original_base64")->StringOr("")).value();
  }
  EXPECT_EQ(joined, bad);
}

TEST_F(Gateway, LostDeadLettersAreReported) {
  Start();
  client_.FailStream("events-dlq", Error(ErrorCode::kUnavailable, "disk full"));
  const http::Response response = Post("[" + Event(kId1) + ",{}]");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Number(response, "dead_letters_lost"), 1);
  EXPECT_THAT(registry_.Render(), HasSubstr("honryu_gateway_dead_letters_total{result=\"lost\"} 1"));
}

TEST_F(Gateway, RetriesAreAcknowledgedAndNotStoredTwice) {
  Start();
  Post(Event(kId1));
  const http::Response response = Post("[" + Event(kId1) + "," + Event(kId2) + "]");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Number(response, "accepted"), 1);
  EXPECT_EQ(Number(response, "duplicates"), 1);
  EXPECT_EQ(client_.Records("events").size(), 2u);
}

TEST_F(Gateway, ARetryAcrossARestartIsNotStoredTwice) {
  Start();
  Post(Event(kId1));
  clock_.Advance(std::chrono::minutes(5));
  Start();  // a new gateway on the same stream
  EXPECT_EQ(Number(Post(Event(kId1)), "duplicates"), 1);
  clock_.Advance(std::chrono::minutes(11));
  Start();
  EXPECT_EQ(Number(Post(Event(kId1)), "accepted"), 1);
}

TEST_F(Gateway, PushesBackWhenTheLogDoes) {
  Start();
  client_.FailPuts(1, Error(ErrorCode::kOverloaded, "queue full"));
  http::Response response = Post(Event(kId1));
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.headers.Get("Retry-After"), "1");
  EXPECT_THAT(std::string(response.body.view()), HasSubstr("\"retryable\":true"));
  client_.FailEntries([](const client::PutEntry& entry) -> std::optional<Error> {
    if (entry.partition_key != "busy") return std::nullopt;
    return Error(ErrorCode::kOverloaded, "shard is busy");
  });
  response = Post("[" + Event(kId1) + "," + Event(kId2, ",\"user_id\":\"busy\"") + "]");
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(Number(response, "accepted"), 1);
  client_.FailEntries(nullptr);
  response = Post("[" + Event(kId1) + "," + Event(kId2, ",\"user_id\":\"busy\"") + "]");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Number(response, "accepted"), 1);
  EXPECT_EQ(Number(response, "duplicates"), 1);
  client_.FailStream("events", Error(ErrorCode::kUnavailable, "disk full"));
  response = Post("{\"event_type\":\"x\"}");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.headers.Get("Retry-After"), "1");
  EXPECT_EQ(client_.Records("events").size(), 2u);
}

TEST_F(Gateway, LimitsBodyAndCount) {
  GatewayConfig config;
  config.max_body = ByteSize::KiB(1);
  config.max_events = 3;
  Start(config);
  EXPECT_EQ(Post("{\"event_type\":\"" + std::string(2000, 'x') + "\"}").status, 413);
  const std::string three = "{\"event_type\":\"a\"}\n{\"event_type\":\"a\"}\n{\"event_type\":\"a\"}\n";
  EXPECT_EQ(Post(three).status, 200);
  const http::Response response = Post(three + "{\"event_type\":\"a\"}");
  EXPECT_EQ(response.status, 413);
  EXPECT_THAT(std::string(response.body.view()), HasSubstr("more than 3 events"));
  EXPECT_EQ(client_.Records("events").size(), 3u);
}

TEST_F(Gateway, LargeBodiesAreReadInSlices) {
  Start();
  std::string body;
  for (int i = 0; i < 9000; ++i)
    body += "{\"event_type\":\"a\",\"pad\":\"" + std::string(900, 'x') + "\"}\r\n";
  http::Headers headers;
  headers.Add("Content-Type", "application/x-ndjson");
  EXPECT_EQ(Number(Post(body, headers), "accepted"), 9000);
  EXPECT_EQ(client_.Records("events").size(), 9000u);
}

TEST_F(Gateway, AsksForKeysAndKeepsTheirLimits) {
  GatewayConfig config;
  ApiKey key;
  key.name = "app";
  key.key = "secret-of-app";
  key.events_per_second = 2;
  config.api_keys.push_back(key);
  Start(config);
  EXPECT_EQ(Post(Event(kId1)).status, 401);
  http::Headers headers;
  headers.Add("X-Api-Key", "secret-of-app");
  EXPECT_EQ(Post("[" + Event(kId1) + "," + Event(kId2) + "]", headers).status, 200);
  const http::Response response = Post(Event(kId1), headers);
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.headers.Get("Retry-After"), "1");
  EXPECT_EQ(Parse(response.body).Find("error")->StringOr(""), "rate_limited");
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(Post(Event(kId1), headers).status, 200);
}

TEST_F(Gateway, TurnsForeignPagesAway) {
  Start();
  http::Headers headers;
  headers.Add("Origin", "https://evil.example");
  EXPECT_EQ(Post(Event(kId1), headers).status, 403);
  headers.Set("Origin", "http://localhost:3000");
  const http::Response response = Post(Event(kId1), headers);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.Get("Access-Control-Allow-Origin"), "http://localhost:3000");
}

TEST_F(Gateway, HeaderSentAtServesTheWholeRequest) {
  Start();
  http::Headers headers;
  headers.Add("X-Sent-At", std::to_string(1763719200000 - 3600000));
  EXPECT_EQ(Post(Event(kId1, ",\"timestamp\":\"2025-11-21T08:30:00Z\""), headers).status, 200);
  EXPECT_THAT(std::string(client_.Records("events").at(0).data.view()),
              HasSubstr("\"event_time\":\"2025-11-21T09:30:00.000Z\",\"clock_skew_ms\":3600000"));
  headers.Set("X-Sent-At", "2025-11-21T09:00:00Z");
  EXPECT_EQ(Post(Event(kId2, ",\"timestamp\":\"2025-11-21T08:30:00Z\""), headers).status, 200);
  EXPECT_EQ(client_.Records("events").size(), 2u);
  // No scanner has seen a header: escapes in it, whole or broken, are plain text.
  for (const char* bad :
       {"soon", "\\u", "\\", "\\u00", "\\ud800\\u", "\"", "2025-11-21T09:00:00\\u005a", "-1", "1e3"}) {
    headers.Set("X-Sent-At", bad);
    EXPECT_EQ(Post(Event(kId2), headers).status, 400) << bad;
  }
}

TEST_F(Gateway, BytesInProgressAreBounded) {
  GatewayConfig config;
  config.max_body = ByteSize::KiB(1);
  config.max_in_flight = ByteSize::KiB(1);
  Start(config);
  client_.HoldPuts();
  http::Response first;
  std::thread held([this, &first] { first = Post(Event(kId1)); });
  client_.AwaitHeldPuts(1);
  const std::string large = Event(kId2, (",\"x\":\"" + std::string(700, 'y') + "\"").c_str());
  const http::Response refused = Post(large);
  client_.ReleasePuts();
  held.join();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.Get("Retry-After"), "1");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(Post(large).status, 200);
}

TEST_F(Gateway, ServesCompressedBodiesOverTheWire) {
  Start();
  http::ServerConfig server_config;
  server_config.name = "gateway";
  http::Server server(runtime_, registry_, server_config, router_.AsHandler());
  ASSERT_TRUE(server.Start().ok());
  {
    http::Client sender(runtime_, http::ClientConfig());
    for (const auto& [encoding, codec] :
         {std::pair{"gzip", codec::Compression::kGzip}, std::pair{"zstd", codec::Compression::kZstd}}) {
      http::ClientRequest request;
      request.method = "POST";
      request.endpoint.host = "127.0.0.1";
      request.endpoint.port = server.port();
      request.endpoint.path = "/events?api_key=unused";
      request.headers.Add("Content-Encoding", encoding);
      request.headers.Add("Content-Type", "text/plain;charset=UTF-8");
      std::string body;
      for (int i = 0; i < 1000; ++i) body += "{\"event_type\":\"é\",\"n\":" + std::to_string(i) + "}\n";
      request.body = Bytes(codec::Compress(codec, body).value());
      const auto response = runtime_.BlockOn(
          sender.Send(async::Context::WithTimeout(std::chrono::seconds(30)), std::move(request)));
      ASSERT_TRUE(response.ok()) << response.error().ToString();
      EXPECT_EQ(response->status, 200);
      EXPECT_EQ(Parse(response->body).Find("accepted")->IntOr(-1), 1000);
    }
  }
  server.BeginStop();
  runtime_.BlockOn(server.Stop(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  EXPECT_EQ(client_.Records("events").size(), 2000u);
}

TEST_F(Gateway, ADeletedStreamIsMadeAnew) {
  Start();
  client_.DeleteStream("events");
  const http::Response refused = Post(Event(kId1));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.Get("Retry-After"), "1");
  ASSERT_TRUE(Eventually([this] { return gateway_->Ready().ok(); }));
  EXPECT_EQ(Number(Post(Event(kId1)), "accepted"), 1);
}

TEST_F(Gateway, AStreamThatIsNotActiveYetIsWorthARetry) {
  Start();
  client_.FailPuts(1, Error(ErrorCode::kFailedPrecondition, "CREATING"));
  const http::Response refused = Post(Event(kId1));
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(std::string(refused.body.view()), HasSubstr("\"retryable\":true"));
  ASSERT_TRUE(Eventually([this] { return gateway_->Ready().ok(); }));
  EXPECT_EQ(Post(Event(kId1)).status, 200);
}

TEST_F(Gateway, ADeletedDeadLetterStreamIsMadeAnew) {
  Start();
  client_.DeleteStream("events-dlq");
  EXPECT_EQ(Number(Post("{}"), "dead_letters_lost"), 1);
  EXPECT_TRUE(gateway_->Ready().ok());
  EXPECT_TRUE(Eventually([this] { return Number(Post("{}"), "dead_letters_lost") == -1; }));
  EXPECT_GE(client_.Records("events-dlq").size(), 1u);
}

TEST_F(Gateway, WhatTheLogFindsTooLargeIsPutAside) {
  Start();
  client_.FailEntries([](const client::PutEntry& entry) -> std::optional<Error> {
    if (entry.partition_key != "big") return std::nullopt;
    return Error(ErrorCode::kTooLarge, "record too large: 7 bytes, limit 6");
  });
  const std::string big = Event(kId1, ",\"user_id\":\"big\"");
  const http::Response response = Post("[{}," + big + "," + Event(kId2) + ",7]");
  client_.FailEntries(nullptr);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Number(response, "accepted"), 1);
  const Json answer = Parse(response.body);
  EXPECT_TRUE(answer.Find("failed")->array().empty());
  const auto& rejected = answer.Find("rejected")->array();
  ASSERT_EQ(rejected.size(), 3u);
  for (const std::int64_t i : {0, 1, 2})
    EXPECT_EQ(rejected[static_cast<std::size_t>(i)].Find("index")->IntOr(-1), i == 2 ? 3 : i);
  EXPECT_EQ(rejected[1].Find("code")->StringOr(""), "too_large");
  EXPECT_EQ(rejected[1].Find("event_id")->StringOr(""), kId1);
  const auto letters = client_.Records("events-dlq");
  ASSERT_EQ(letters.size(), 3u);
  EXPECT_EQ(Parse(letters[1].data).Find("original")->StringOr(""), big);
  EXPECT_EQ(Number(Post(big), "accepted"), 1);  // its id is free
}

TEST_F(Gateway, IsNotReadyWhileWritesFail) {
  GatewayConfig config;
  config.probe_interval = std::chrono::hours(1);
  Start(config);
  client_.FailStream("events", Error(ErrorCode::kUnavailable, "connection refused"));
  EXPECT_EQ(Post(Event(kId1)).status, 503);
  const Result<void> ready = gateway_->Ready();
  ASSERT_FALSE(ready.ok());
  EXPECT_THAT(ready.error().message(), HasSubstr("connection refused"));
  client_.HealStream("events");
  EXPECT_EQ(Post(Event(kId1)).status, 200);
  EXPECT_TRUE(gateway_->Ready().ok());
}

TEST_F(Gateway, NoticesADeadBrokerWithoutTraffic) {
  GatewayConfig config;
  config.probe_interval = std::chrono::milliseconds(1);
  Start(config);
  client_.FailLists(Error(ErrorCode::kUnavailable, "connection refused"));
  EXPECT_TRUE(Eventually([this] { return !gateway_->Ready().ok(); }));
  client_.FailLists(Error());
  EXPECT_TRUE(Eventually([this] { return gateway_->Ready().ok(); }));
}

TEST_F(Gateway, AStartGoesOnWhereItStopped) {
  Start();
  http::Headers headers;
  headers.Add("Content-Type", "application/x-ndjson");
  constexpr int kEvents = 30000;  // of one shard: three reads
  for (int i = 0; i < kEvents; i += 10000) {
    std::string body;
    for (int k = i; k < i + 10000; ++k)
      body += "{\"event_id\":\"00000000-0000-4000-8000-" + std::to_string(100000000000 + k) +
              "\",\"event_type\":\"t\",\"user_id\":\"u\"}\n";
    ASSERT_EQ(Number(Post(body, headers), "accepted"), 10000);
  }
  Make();
  std::uint64_t progress = gateway_->start_progress();
  int attempts = 0;
  for (;; ++attempts) {
    ASSERT_LT(attempts, 100);
    client_.FailReads(1, Error(ErrorCode::kUnavailable, "broker away"), 1);  // every second one fails
    if (runtime_.BlockOn(gateway_->Start({})).ok()) break;
    EXPECT_FALSE(gateway_->Ready().ok());
    EXPECT_GE(gateway_->start_progress(), progress);
    progress = gateway_->start_progress();
  }
  client_.FailReads(0, Error());
  EXPECT_GT(attempts, 2);
  // Every record once: progress counts records, and a handful of slices.
  EXPECT_GE(gateway_->start_progress(), static_cast<std::uint64_t>(kEvents));
  EXPECT_LE(gateway_->start_progress(), static_cast<std::uint64_t>(kEvents + 20));
  EXPECT_EQ(Number(Post(Event("00000000-0000-4000-8000-100000000000")), "duplicates"), 1);
  EXPECT_EQ(Number(Post(Event("00000000-0000-4000-8000-100000029999")), "duplicates"), 1);
}

TEST_F(Gateway, AStartReadsNoMoreThanTheNewestIdsThatFit) {
  GatewayConfig config;
  config.dedup_max_entries = 4800;
  Start(config);
  http::Headers headers;
  headers.Add("Content-Type", "application/x-ndjson");
  std::uint64_t id = 100000000000;
  for (int second = 0; second < 300; ++second) {  // 100 events a second, five minutes
    std::string body;
    for (int k = 0; k < 100; ++k, ++id)
      body += "{\"event_id\":\"00000000-0000-4000-8000-" + std::to_string(id) +
              "\",\"event_type\":\"t\",\"user_id\":\"u" + std::to_string(k) + "\"}\n";
    ASSERT_EQ(Number(Post(body, headers), "accepted"), 100);
    clock_.Advance(std::chrono::seconds(1));
  }
  client_.TakeReadSizes();
  Start(config);
  std::size_t read = 0;
  for (const std::size_t size : client_.TakeReadSizes()) read += size;
  EXPECT_LT(read, 25000u);
  // 16 shards of 200 hold about the last thirty seconds, in all shards of the stream.
  for (std::uint64_t back = 1; back <= 2500; back += 7) {
    const std::string text = "00000000-0000-4000-8000-" + std::to_string(id - back);
    ASSERT_EQ(Number(Post(Event(text.c_str())), "duplicates"), 1) << back;
  }
}

TEST_F(Gateway, ARetryAfterALostAnswerIsNotStoredTwice) {
  Start();
  client_.LoseAnswers(1, Error(ErrorCode::kUnavailable, "connection reset"));
  EXPECT_EQ(Post("[" + Event(kId1) + "," + Event(kId2) + "]").status, 503);
  clock_.Advance(std::chrono::seconds(30));
  client_.FailReads(1, Error(ErrorCode::kUnavailable, "broker away"));
  const http::Response unknown = Post(Event(kId1));
  EXPECT_EQ(unknown.status, 503);  // not known yet: not stored on suspicion
  EXPECT_THAT(std::string(unknown.body.view()), HasSubstr("ended without an answer"));
  const http::Response again = Post("[" + Event(kId1) + "," + Event(kId2) + "]");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(Number(again, "duplicates"), 2);
  EXPECT_EQ(client_.Records("events").size(), 2u);
  EXPECT_THAT(registry_.Render(), HasSubstr("honryu_gateway_uncertain_stored_total 2"));
  EXPECT_THAT(registry_.Render(), HasSubstr("honryu_gateway_uncertain_ids 0"));
}

TEST_F(Gateway, ARetryOfWhatWasNotStoredIsStored) {
  Start();
  client_.FailPuts(1, Error(ErrorCode::kUnavailable, "the log could not write"));
  EXPECT_EQ(Post(Event(kId1)).status, 503);
  EXPECT_EQ(Number(Post(Event(kId1)), "accepted"), 1);
  EXPECT_EQ(Number(Post(Event(kId1)), "duplicates"), 1);
  EXPECT_EQ(client_.Records("events").size(), 1u);
}

TEST_F(Gateway, ABatchThatRecoveryKeptLaterIsFound) {
  Start();
  Post("{\"event_type\":\"before\"}");
  client_.FailPuts(2, Error(ErrorCode::kUnavailable, "fsync failed"));
  EXPECT_EQ(Post(Event(kId1)).status, 503);
  clock_.Advance(std::chrono::seconds(60));
  EXPECT_EQ(Post(Event(kId1)).status, 503);  // looked for in vain, and failed again
  // The log is opened anew and keeps the first attempt's batch, behind all that was there.
  client::PutEntry kept;
  kept.partition_key = "k";
  kept.data = Bytes(Event(kId1));
  std::vector<client::PutEntry> entries;
  entries.push_back(std::move(kept));
  ASSERT_TRUE(runtime_.BlockOn(client_.Put({}, "events", std::move(entries))).ok());
  EXPECT_EQ(Number(Post(Event(kId1)), "duplicates"), 1);
  EXPECT_EQ(client_.Records("events").size(), 2u);
}

TEST_F(Gateway, RefusesBeforeStartAndAfterStop) {
  Make();
  EXPECT_EQ(Post(Event(kId1)).status, 503);
  EXPECT_FALSE(gateway_->Ready().ok());
  ASSERT_TRUE(runtime_.BlockOn(gateway_->Start({})).ok());
  EXPECT_TRUE(gateway_->Ready().ok());
  gateway_->BeginStop();
  EXPECT_EQ(Post(Event(kId1)).status, 503);
}

}  // namespace
}  // namespace honryu::api::gateway
