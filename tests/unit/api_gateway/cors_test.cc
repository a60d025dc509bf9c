#include "api/gateway/cors.h"

#include "honryu/api/gateway/gateway_config.h"

#include <gtest/gtest.h>

namespace honryu::api::gateway {
namespace {

using std::chrono::seconds;

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
  config.api_keys = {{"app", "secret-of-app", 10, {"write"}}, {"board", "secret-of-board", 0, {"read"}}};
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
