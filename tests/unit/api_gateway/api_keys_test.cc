#include "api/gateway/api_keys.h"

#include "api/gateway/cors.h"

#include <gtest/gtest.h>

namespace honryu::api::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = ApiKeys::Verdict;

const ManualClock& Clock0() {
  static const ManualClock clock(TimestampFromMs(1763719200000));
  return clock;
}

std::vector<ApiKey> Keys() {
  ApiKey writer{"app", "secret-of-app", 10, {"write"}};
  ApiKey reader{"board", "secret-of-board", 0, {"read"}};
  return {writer, reader};
}

http::Request With(std::string name, std::string value) {
  http::Request request;
  request.headers.Add(std::move(name), std::move(value));
  return request;
}

TEST(ApiKeys, WithoutKeysEverybodyMayPost) {
  const ApiKeys keys({}, Clock0());
  EXPECT_FALSE(keys.in_use());
  EXPECT_EQ(keys.Identify(http::Request(), "write").verdict, Verdict::kAllowed);
}

TEST(ApiKeys, TakesTheKeyFromThreePlaces) {
  const ApiKeys keys(Keys(), Clock0());
  EXPECT_EQ(keys.Identify(With("Authorization", "Bearer secret-of-app"), "write").name, "app");
  EXPECT_EQ(keys.Identify(With("authorization", "bearer  secret-of-app"), "write").name, "app");
  EXPECT_EQ(keys.Identify(With("X-Api-Key", "secret-of-app"), "write").name, "app");
  http::Request query;
  query.query.emplace_back("api_key", "secret-of-app");
  const ApiKeys::Caller caller = keys.Identify(query, "write");
  EXPECT_EQ(caller.verdict, Verdict::kAllowed);
  EXPECT_NE(caller.limit, nullptr);
}

TEST(ApiKeys, RefusesMissingUnknownAndUnscoped) {
  const ApiKeys keys(Keys(), Clock0());
  EXPECT_EQ(keys.Identify(http::Request(), "write").verdict, Verdict::kMissing);
  EXPECT_EQ(keys.Identify(With("Authorization", "Basic secret-of-app"), "write").verdict, Verdict::kMissing);
  EXPECT_EQ(keys.Identify(With("X-Api-Key", "secret-of-ap"), "write").verdict, Verdict::kUnknown);
  EXPECT_EQ(keys.Identify(With("X-Api-Key", "secret-of-app2"), "write").verdict, Verdict::kUnknown);
  EXPECT_EQ(keys.Identify(With("X-Api-Key", "secret-of-board"), "write").verdict, Verdict::kForbidden);
}

TEST(TokenBucket, LimitsTheMeanRate) {
  const MonoTime start{};
  TokenBucket bucket(10, start);
  EXPECT_EQ(bucket.Take(10, start), Duration::zero());
  const Duration wait = bucket.Take(1, start);
  EXPECT_GE(wait, milliseconds(100));
  EXPECT_LT(wait, milliseconds(110));
  EXPECT_EQ(bucket.Take(1, start + milliseconds(100)), Duration::zero());
  // Nothing is saved beyond a second's worth.
  EXPECT_EQ(bucket.Take(10, start + seconds(100)), Duration::zero());
  EXPECT_GT(bucket.Take(1, start + seconds(100)), Duration::zero());
}

TEST(TokenBucket, ALargeBatchPassesAFullBucketAndIsPaidOff) {
  const MonoTime start{};
  TokenBucket bucket(10, start);
  EXPECT_EQ(bucket.Take(100, start), Duration::zero());
  EXPECT_GT(bucket.Take(1, start + seconds(9)), Duration::zero());
  EXPECT_EQ(bucket.Take(1, start + milliseconds(9200)), Duration::zero());
  TokenBucket slow(0.5, start);
  EXPECT_EQ(slow.Take(1, start), Duration::zero());
  EXPECT_GT(slow.Take(1, start + seconds(1)), Duration::zero());
  EXPECT_EQ(slow.Take(1, start + seconds(2)), Duration::zero());
}

TEST(Cors, DefaultsAreSafe) {
  const CorsPolicy open({}, true, seconds(60));
  EXPECT_TRUE(open.Allows("https://anywhere.example"));
  const CorsPolicy local({}, false, seconds(60));
  EXPECT_TRUE(local.Allows(""));
  EXPECT_TRUE(local.Allows("http://localhost:3000"));
  EXPECT_TRUE(local.Allows("http://127.0.0.1"));
  EXPECT_TRUE(local.Allows("http://[::1]:80"));
  EXPECT_FALSE(local.Allows("https://anywhere.example"));
  EXPECT_FALSE(local.Allows("http://localhost.evil.example"));
  EXPECT_FALSE(local.Allows("null"));
}

TEST(Cors, MatchesOriginsAndSubdomains) {
  const CorsPolicy cors({"https://app.example.com", "https://*.example.org"}, false, seconds(60));
  EXPECT_TRUE(cors.Allows("https://app.example.com"));
  EXPECT_FALSE(cors.Allows("http://app.example.com"));
  EXPECT_FALSE(cors.Allows("https://app.example.com:8443"));
  EXPECT_TRUE(cors.Allows("https://a.b.example.org"));
  EXPECT_FALSE(cors.Allows("https://example.org"));
  EXPECT_FALSE(cors.Allows("https://evil.example/.example.org"));
  EXPECT_FALSE(cors.Allows("https://evilexample.org"));
}

TEST(Cors, AnswersPreflights) {
  const CorsPolicy cors({"https://app.example.com"}, false, seconds(600));
  const http::Response good = cors.Preflight("https://app.example.com");
  EXPECT_EQ(good.status, 204);
  EXPECT_EQ(good.headers.Get("Access-Control-Allow-Origin"), "https://app.example.com");
  EXPECT_EQ(good.headers.Get("Access-Control-Max-Age"), "600");
  EXPECT_EQ(good.headers.Get("Vary"), "Origin");
  EXPECT_EQ(good.headers.Get("Access-Control-Allow-Credentials"), "true");
  const http::Response bad = cors.Preflight("https://evil.example");
  EXPECT_EQ(bad.status, 403);
  EXPECT_FALSE(bad.headers.Has("Access-Control-Allow-Origin"));
  EXPECT_FALSE(bad.headers.Has("Access-Control-Allow-Credentials"));
}

TEST(Cors, CredentialedRequestsOfAnyOriginGetTheirOwnOriginBack) {
  // navigator.sendBeacon is always credentialed; browsers then refuse "*".
  const CorsPolicy cors({}, true, seconds(600));
  http::Response answer;
  cors.Decorate("https://shop.example", &answer);
  for (const http::Response& response : {answer, cors.Preflight("https://shop.example")}) {
    EXPECT_EQ(response.headers.Get("Access-Control-Allow-Origin"), "https://shop.example");
    EXPECT_EQ(response.headers.Get("Access-Control-Allow-Credentials"), "true");
    EXPECT_EQ(response.headers.Get("Vary"), "Origin");
  }
}

TEST(GatewayConfig, ReportsAllFaultsAndNoSecret) {
  GatewayConfig config;
  EXPECT_TRUE(config.Validate().ok());
  config.partition_key = ",";
  config.stream = "a b";
  config.cors_origins = {"example.com", "https://*", "https://app.example.com/path"};
  config.api_keys = Keys();
  config.api_keys[1].key = config.api_keys[0].key;
  const Result<void> result = config.Validate();
  ASSERT_FALSE(result.ok());
  for (const char* part :
       {"partition_key", "stream:", "\"example.com\"", "\"https://*\"", "/path", "same key"}) {
    EXPECT_NE(result.error().message().find(part), std::string::npos) << part;
  }
  EXPECT_EQ(result.error().message().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace honryu::api::gateway
