#include "honryu/api/dynamodb/dynamodb_api.h"

#include "honryu/async/runtime.h"
#include "honryu/auth/sigv4.h"
#include "honryu/base/random.h"
#include "honryu/codec/json.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace honryu::api::dynamodb {
namespace {

class DynamoDbApiTest : public ::testing::Test {
 protected:
  DynamoDbApiTest() : runtime_(async::RuntimeOptions{1, 2}) {
    store_config_.path =
        (std::filesystem::temp_directory_path() / ("honryu-dynamodb-" + RandomUuid())).string();
    store_config_.max_bytes = 100000;
    store_ = tables::TableStore::Open(store_config_, clock_, runtime_, metrics_).value();
    Configure({});
  }
  ~DynamoDbApiTest() override {
    api_.reset();
    store_.reset();
    runtime_.JoinBlocking();
    std::filesystem::remove_all(store_config_.path);
  }
  void Configure(DynamoDbApiConfig config) {
    api_ = std::make_unique<DynamoDbApi>(std::move(config), *store_, clock_, metrics_);
  }
  static http::Request Request(const std::string& operation, std::string body) {
    http::Request request;
    request.method = "POST";
    request.target = request.path = "/";
    request.headers.Add("Content-Type", "application/x-amz-json-1.0");
    request.headers.Add("X-Amz-Target", "DynamoDB_20120810." + operation);
    const std::size_t size = body.size();
    body.append(http::kBodyPadding, '\0');
    request.body = Bytes(std::move(body)).Slice(0, size);
    request.request_id = "11111111-2222-4333-8444-555555555555";
    return request;
  }
  http::Response Send(const http::Request& request) {
    return runtime_.BlockOn(api_->Handle(async::Context::WithTimeout(std::chrono::seconds(10)), request));
  }
  /// The body of an answer with its status before it, unless that is 200.
  std::string Call(const std::string& operation, std::string body) {
    const http::Response response = Send(Request(operation, std::move(body)));
    return (response.status == 200 ? "" : std::to_string(response.status) + " ") +
           std::string(response.body.view());
  }
  void CreateLeases() {
    const std::string made =
        Call("CreateTable", R"({"TableName":"leases","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],)"
                            R"("AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}],)"
                            R"("BillingMode":"PAY_PER_REQUEST"})");
    ASSERT_NE(made.find(R"("TableStatus":"CREATING")"), std::string::npos) << made;
  }

  ManualClock clock_{TimestampFromMs(1790000000000)};
  obs::Registry metrics_;
  async::Runtime runtime_;
  tables::TableStoreConfig store_config_;
  std::unique_ptr<tables::TableStore> store_;
  std::unique_ptr<DynamoDbApi> api_;
};

TEST_F(DynamoDbApiTest, TakesItsOwnRequestsOnly) {
  EXPECT_TRUE(DynamoDbApi::Takes(Request("Nonsense", "{}")));
  http::Request other = Request("GetItem", "{}");
  other.headers.Set("X-Amz-Target", "Kinesis_20131202.PutRecord");
  EXPECT_FALSE(DynamoDbApi::Takes(other));
}

TEST_F(DynamoDbApiTest, AnswersCarryTheirChecksumAndRequestId) {
  const http::Response response = Send(Request("ListTables", "{}"));
  const std::string body(response.body.view());
  EXPECT_EQ(body, R"({"TableNames":[]})");
  EXPECT_EQ(
      response.headers.Get("x-amz-crc32"),
      std::to_string(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()))));
  EXPECT_EQ(response.headers.Get("Content-Type"), "application/x-amz-json-1.0");
  EXPECT_EQ(response.headers.Get("x-amzn-RequestId"), "11111111-2222-4333-8444-555555555555");
}

TEST_F(DynamoDbApiTest, FaultsAreInDynamoDbsShape) {
  EXPECT_EQ(Call("Nonsense", "{}"), R"(400 {"__type":"com.amazon.coral.service#UnknownOperationException"})");
  EXPECT_EQ(
      Call("GetItem", "{"),
      R"(400 {"__type":"com.amazon.coral.service#SerializationException","Message":"the body is no JSON object"})");
  EXPECT_EQ(
      Call("GetItem", R"({"TableName":7})"),
      R"(400 {"__type":"com.amazon.coral.service#SerializationException","Message":"a member of another type where a )"
      R"(string is expected"})");
  EXPECT_EQ(
      Call("GetItem", R"({"TableName":"ab"})"),
      R"(400 {"__type":"com.amazon.coral.validate#ValidationException","message":"1 validation error detected: Value )"
      R"('ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3"})");
  EXPECT_EQ(
      Call("DescribeTable", R"({"TableName":"none"})"),
      R"(400 {"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource )"
      R"(not found: Table: none not found"})");
  EXPECT_EQ(
      Call("GetItem", R"({"TableName":"none","Key":{"k":{"S":"a"}}})"),
      R"(400 {"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource )"
      R"(not found"})");
}

TEST_F(DynamoDbApiTest, AbsurdBodiesAreRefusedNotFatal) {
  CreateLeases();
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += R"({"L":[)";
  for (const std::string& body : {std::string(), std::string("null"), std::string("[]"), deep,
                                  std::string("\xff\xfe{}"), R"({"TableName":"leases","Item":)" + deep}) {
    const std::string answer = Call("PutItem", body);
    EXPECT_TRUE(answer.starts_with("400 ")) << answer;
  }
}

TEST_F(DynamoDbApiTest, AFailedConditionShowsTheItemWhereAsked) {
  CreateLeases();
  EXPECT_EQ(Call("PutItem", R"({"TableName":"leases","Item":{"k":{"S":"a"},"v":{"N":"1"}}})"), "{}");
  EXPECT_EQ(
      Call("PutItem",
           R"({"TableName":"leases","Item":{"k":{"S":"a"}},"ConditionExpression":"attribute_not_exists(k) ",)"
           R"("ReturnValuesOnConditionCheckFailure":"ALL_OLD"})"),
      R"(400 {"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional )"
      R"(request failed","Item":{"k":{"S":"a"},"v":{"N":"1"}}})");
}

TEST_F(DynamoDbApiTest, CancellationReasonsStandInTheOrderOfTheWrites) {
  CreateLeases();
  const std::string put = R"({"Put":{"TableName":"leases","Item":{"k":{"S":"a"}}}})";
  const std::string check =
      R"({"ConditionCheck":{"TableName":"leases","Key":{"k":{"S":"b"}},"ConditionExpression":"attribute_exists(k) "}})";
  EXPECT_EQ(
      Call("TransactWriteItems", R"({"TransactItems":[)" + put + "," + check + "]}"),
      R"(400 {"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction )"
      R"(cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]",)"
      R"("CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Message":"The conditional request )"
      R"(failed"}]})");
  EXPECT_EQ(Call("TransactWriteItems", R"({"TransactItems":[)" + put + "]}"), "{}");
}

TEST_F(DynamoDbApiTest, LegacyAndModernParametersDoNotMix) {
  CreateLeases();
  const std::string answer =
      Call("PutItem", R"({"TableName":"leases","Item":{"k":{"S":"a"}},"Expected":{"k":{"Exists":false}},)"
                      R"("ConditionExpression":"attribute_not_exists(k) "})");
  EXPECT_NE(answer.find("Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"),
            std::string::npos)
      << answer;
}

TEST_F(DynamoDbApiTest, AFullStoreIsToldHonestly) {
  CreateLeases();
  std::string answer;
  for (int i = 0; i < 100 && answer.find("400") != 0; ++i) {
    answer = Call("PutItem", R"({"TableName":"leases","Item":{"k":{"S":")" + std::to_string(i) +
                                 R"("},"v":{"S":")" + std::string(5000, 'x') + R"("}}})");
  }
  EXPECT_NE(answer.find("#LimitExceededException\",\"message\":\"the table store is full"), std::string::npos)
      << answer;
}

TEST_F(DynamoDbApiTest, PagesOfOtherOriginsMayNotCall) {
  http::Request request = Request("ListTables", "{}");
  request.headers.Add("Origin", "https://evil.example");
  EXPECT_EQ(Send(request).status, 403);
  DynamoDbApiConfig config;
  config.cors_origins = {"https://evil.example"};
  Configure(config);
  const http::Response allowed = Send(request);
  EXPECT_EQ(allowed.status, 200);
  EXPECT_EQ(allowed.headers.Get("Access-Control-Allow-Origin"), "https://evil.example");
}

TEST_F(DynamoDbApiTest, SignaturesAreForThisServiceAndRulesForItsActions) {
  DynamoDbApiConfig config;
  auth::AccessKey key;
  key.id = "KEY";
  key.secret = "a secret for tests only";
  key.allow = {{{"dynamodb:GetItem", "dynamodb:ConditionCheckItem"}, {"leases"}},
               {{"kinesis:*", "Put*"}, {"*"}}};
  config.access_keys = {key};
  CreateLeases();
  Configure(config);
  const auto signed_call = [&](const std::string& operation, const std::string& body,
                               const std::string& service) {
    http::Request request = Request(operation, body);
    request.headers.Add("Host", "127.0.0.1:4567");
    auth::Signer signer;
    signer.access_key = key.id;
    signer.secret = key.secret;
    signer.service = service;
    const auth::RequestView view{request.method, request.target, request.headers.fields(), request.body};
    for (const auto& [name, value] : auth::SignatureHeaders(signer, view, clock_.Now()))
      request.headers.Add(name, value);
    const http::Response response = Send(request);
    return response.status == 200 ? "ok" : std::string(response.headers.Get("x-amzn-ErrorType"));
  };
  const std::string get = R"({"TableName":"leases","Key":{"k":{"S":"a"}}})";
  EXPECT_EQ(signed_call("GetItem", get, "dynamodb"), "ok");
  EXPECT_EQ(signed_call("GetItem", get, "kinesis"), "InvalidSignatureException");
  EXPECT_EQ(signed_call("GetItem", R"({"TableName":"others","Key":{"k":{"S":"a"}}})", "dynamodb"),
            "AccessDeniedException");
  EXPECT_EQ(signed_call("ListTables", "{}", "dynamodb"), "AccessDeniedException");
  // Rules for Kinesis, with or without its prefix, say nothing about tables.
  EXPECT_EQ(signed_call("PutItem", R"({"TableName":"leases","Item":{"k":{"S":"a"}}})", "dynamodb"),
            "AccessDeniedException");
  const std::string check =
      R"({"ConditionCheck":{"TableName":"leases","Key":{"k":{"S":"b"}},"ConditionExpression":"attribute_not_exists(k) "}})";
  EXPECT_EQ(signed_call("TransactWriteItems", R"({"TransactItems":[)" + check + "]}", "dynamodb"), "ok");
  EXPECT_EQ(signed_call("TransactWriteItems",
                        R"({"TransactItems":[)" + check +
                            R"(,{"Put":{"TableName":"leases","Item":{"k":{"S":"a"}}}}]})",
                        "dynamodb"),
            "AccessDeniedException");
  EXPECT_EQ(Send(Request("ListTables", "{}")).headers.Get("x-amzn-ErrorType"),
            "MissingAuthenticationTokenException");
}

}  // namespace
}  // namespace honryu::api::dynamodb
