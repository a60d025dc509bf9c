#include "tests/unit/api_kinesis/fixture.h"

namespace honryu::api::kinesis {
namespace {

constexpr std::string_view kDenied =
    "403 <AccessDeniedException>\n  <Message>Unable to determine service/operation name to be "
    "authorized</Message>\n</AccessDeniedException>\n";
const Fields kJson = {{"Content-Type", "application/x-amz-json-1.1"}};

Fields WithTarget(std::string type, std::string target = "Kinesis_20131202.ListStreams") {
  return {{"Content-Type", std::move(type)}, {"X-Amz-Target", std::move(target)}};
}

class Protocol : public KinesisApiTest {
 protected:
  void AllowAllOrigins() {
    KinesisApiConfig config;
    config.cors_origins = {"*"};
    Configure(config);
  }
};

TEST_F(Protocol, OtherMethodsAreDeniedInXml) {
  const http::Response response = Send(MakeRequest("GET", {}, ""));
  EXPECT_EQ(Show(response), kDenied);
  EXPECT_FALSE(response.headers.Has("Content-Type"));
  EXPECT_EQ(Show(Send(MakeRequest("OPTIONS", {}, ""))), kDenied);
}

TEST_F(Protocol, OtherContentTypes) {
  EXPECT_EQ(Show(Send(MakeRequest("POST", {}, "{}"))), kDenied);
  EXPECT_EQ(Show(Send(MakeRequest("POST", WithTarget("text/plain"), "{}"))),
            "404 <UnknownOperationException/>\n");
  EXPECT_EQ(Show(Send(MakeRequest("POST", WithTarget("application/x-amz-cbor-1.0"), "\xbf\xff"))),
            "404 <UnknownOperationException/>\n");
  EXPECT_EQ(
      Show(Send(MakeRequest("POST", WithTarget("application/json"), "{}"))),
      R"(404 {"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"})");
  EXPECT_EQ(Show(Send(MakeRequest("POST", WithTarget("application/json"), "{"))),
            R"(400 {"Output":{"__type":"com.amazon.coral.service#SerializationException"},"Version":"1.0"})");
}

TEST_F(Protocol, ContentTypeParametersAreIgnored) {
  EXPECT_EQ(Send(MakeRequest("POST", WithTarget("application/x-amz-json-1.1; charset=utf-8"), "{}")).status,
            200);
}

TEST_F(Protocol, BodiesThatAreNoObject) {
  for (const char* body : {"", "{", "[]", "3", "null", "\"x\""}) {
    EXPECT_EQ(Show(Call("Kinesis_20131202.ListStreams", body)), "400 SerializationException") << body;
  }
  EXPECT_EQ(Show(Call("Kinesis_20131202.PutRecords", R"({"StreamName":)")), "400 SerializationException");
}

TEST_F(Protocol, MoreValuesThanAnyRequestHasAreRefused) {
  const auto body = [](int values) {
    std::string text = R"({"StreamNames":[0)";
    for (int i = 1; i < values; ++i) text += ",0";
    return text + "]}";
  };
  EXPECT_EQ(Call("Kinesis_20131202.ListStreams", body(199'998)).status, 200);
  EXPECT_EQ(Show(Call("Kinesis_20131202.ListStreams", body(199'999))), "400 SerializationException");
  EXPECT_EQ(Send(MakeRequest("POST", WithTarget("application/json"), body(199'999))).status, 400);
}

TEST_F(Protocol, UnknownOperations) {
  EXPECT_EQ(Show(Call("Kinesis_20131202.SplitShards", "{}")), "400 UnknownOperationException");
  EXPECT_EQ(Show(Call("Kinesis_20131202.SplitShards", "")), "400 UnknownOperationException");
  EXPECT_EQ(Show(Call("DynamoDB_20120810.ListStreams", "{}")), "400 UnknownOperationException");
  EXPECT_EQ(Show(Send(MakeRequest("POST", kJson, "{}"))), "400 UnknownOperationException");
  EXPECT_EQ(Show(Call("Kinesis_20131202.SplitShards", "{")), "400 SerializationException");
}

TEST_F(Protocol, EveryAnswerIsIdentified) {
  const http::Response response = Call("Kinesis_20131202.ListStreams", "{}");
  EXPECT_EQ(response.headers.Get("x-amzn-RequestId"), "11111111-2222-4333-8444-555555555555");
  EXPECT_EQ(response.headers.Get("x-amz-id-2").size(), 96U);
  EXPECT_EQ(response.headers.Get("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_FALSE(response.headers.Has("Access-Control-Allow-Origin"));
}

class CrossOrigin : public KinesisApiTest {
 protected:
  http::Response From(const std::string& origin, const std::string& method = "POST") {
    Fields headers = WithTarget("application/x-amz-json-1.1");
    headers.emplace_back("Origin", origin);
    headers.emplace_back("Access-Control-Request-Method", "POST");
    return Send(MakeRequest(method, headers, method == "POST" ? "{}" : ""));
  }
};

TEST_F(CrossOrigin, PagesMayNotCallUnlessTheyAreListed) {
  for (const char* method : {"POST", "OPTIONS"}) {
    for (const char* origin : {"https://evil.example", "http://localhost:3000", "null"}) {
      const http::Response response = From(origin, method);
      EXPECT_EQ(response.status, 403) << method << origin;
      EXPECT_FALSE(response.headers.Has("Access-Control-Allow-Origin"));
      EXPECT_FALSE(response.headers.Has("Access-Control-Allow-Methods"));
    }
  }
  KinesisApiConfig config;
  config.cors_origins = {"loopback", "https://app.example.com"};
  // A signature that nobody verifies is no reason to trust a page.
  config.require_auth_header = true;
  Configure(config);
  for (const char* origin : {"http://localhost:3000", "https://app.example.com"}) {
    const http::Response preflight = From(origin, "OPTIONS");
    EXPECT_EQ(preflight.status, 200);
    EXPECT_EQ(preflight.headers.Get("Access-Control-Allow-Methods"), "POST");
    EXPECT_EQ(preflight.headers.Get("Access-Control-Allow-Origin"), origin);
    EXPECT_EQ(preflight.headers.Get("Vary"), "Origin");
    EXPECT_EQ(From(origin).headers.Get("Access-Control-Allow-Origin"), origin);
  }
  EXPECT_EQ(From("https://evil.example").status, 403);
  config.cors_origins.clear();
  Configure(config);
  EXPECT_EQ(From("https://evil.example").status, 403);
}

TEST_F(CrossOrigin, KeysLetPagesOfAllOriginsAskAsKinesisDoes) {
  KinesisApiConfig config;
  auth::AccessKey key;
  key.id = "AKIDEXAMPLE";
  key.secret = "secret-secret-secret";
  config.access_keys.push_back(key);
  Configure(config);
  const http::Response response = From("https://a.example");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.headers.Get("Access-Control-Allow-Origin"), "*");
}

TEST_F(Protocol, Preflight) {
  AllowAllOrigins();
  const http::Response response = Send(MakeRequest("OPTIONS",
                                                   {{"Origin", "http://a"},
                                                    {"Access-Control-Request-Headers", "x-amz-target"},
                                                    {"Access-Control-Request-Method", "POST"}},
                                                   ""));
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body.empty());
  EXPECT_EQ(response.headers.Get("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(response.headers.Get("Access-Control-Allow-Headers"), "x-amz-target");
  EXPECT_EQ(response.headers.Get("Access-Control-Allow-Methods"), "POST");
  EXPECT_EQ(response.headers.Get("Access-Control-Max-Age"), "172800");
  EXPECT_FALSE(response.headers.Has("Content-Type"));
  EXPECT_FALSE(response.headers.Has("x-amz-id-2"));
}

TEST_F(Protocol, CrossOriginAnswersExposeTheirHeaders) {
  AllowAllOrigins();
  Fields headers = WithTarget("application/x-amz-json-1.1");
  headers.emplace_back("Origin", "http://a");
  const http::Response response = Send(MakeRequest("POST", headers, "{}"));
  EXPECT_EQ(response.headers.Get("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(response.headers.Get("Access-Control-Expose-Headers"),
            "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date");
}

class Authorization : public KinesisApiTest {
 protected:
  Authorization() {
    KinesisApiConfig config;
    config.require_auth_header = true;
    Configure(config);
  }
  std::string With(const Fields& more, std::vector<std::pair<std::string, std::string>> query = {}) {
    Fields headers = WithTarget("application/x-amz-json-1.1");
    headers.insert(headers.end(), more.begin(), more.end());
    http::Request request = MakeRequest("POST", headers, "{}");
    request.query = std::move(query);
    const http::Response response = Send(request);
    return response.status == 200 ? "ok" : Show(response);
  }
};

TEST_F(Authorization, HeaderOrQueryMustBeThere) {
  EXPECT_EQ(With({}), "400 MissingAuthenticationTokenException: Missing Authentication Token");
  EXPECT_EQ(With({{"Authorization", "Basic x"}, {"Date", "d"}}),
            "400 IncompleteSignatureException: Authorization header requires 'Credential' parameter. "
            "Authorization header requires 'Signature' parameter. Authorization header requires "
            "'SignedHeaders' parameter. Authorization=Basic x");
  EXPECT_EQ(With({{"Authorization", "AWS4-HMAC-SHA256 x"}}, {{"X-Amz-Algorithm", "a"}}),
            "400 InvalidSignatureException: Found both 'X-Amz-Algorithm' as a query-string param and "
            "'Authorization' "
            "as HTTP header.");
}

TEST_F(Authorization, HeaderMustBeComplete) {
  EXPECT_EQ(
      With({{"Authorization", "AWS4-HMAC-SHA256 Credential=a/b"}}),
      "400 IncompleteSignatureException: Authorization header requires 'Signature' parameter. Authorization "
      "header requires 'SignedHeaders' parameter. Authorization header requires existence of either a "
      "'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256 Credential=a/b");
  EXPECT_EQ(With({{"Authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00"},
                  {"X-Amz-Date", "20261121T000000Z"}}),
            "ok");
}

TEST_F(Authorization, QueryMustBeComplete) {
  EXPECT_EQ(
      With({}, {{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"}, {"X-Amz-Date", "d"}}),
      "400 IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-Credential'. AWS "
      "query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include "
      "'X-Amz-SignedHeaders'. Re-examine the query-string parameters.");
}

TEST_F(Protocol, RequestsAreCounted) {
  Ok("ListStreams", "{}");
  Refused("DescribeStream", R"({"StreamName":"none"})");
  const std::string text = registry_.Render();
  EXPECT_NE(text.find(R"(honryu_kinesis_requests_total{operation="ListStreams",status="ok"} 1)"),
            std::string::npos);
  EXPECT_NE(
      text.find(
          R"(honryu_kinesis_requests_total{operation="DescribeStream",status="ResourceNotFoundException"} 1)"),
      std::string::npos);
}

}  // namespace
}  // namespace honryu::api::kinesis
