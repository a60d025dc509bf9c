#include "honryu/auth/sigv4.h"
#include "honryu/codec/cbor.h"
#include "tests/unit/api_kinesis/fixture.h"

namespace honryu::api::kinesis {
namespace {

constexpr std::string_view kAdmin = "ADMIN";
constexpr std::string_view kWriter = "WRITER";
const std::string kSecret = "a secret for tests only";

class Access : public KinesisApiTest {
 protected:
  Access() {
    MakeStream("web-1", 1);
    MakeStream("mobile", 1);
    KinesisApiConfig config;
    config.access_keys = {
        auth::AccessKey{.id = std::string(kAdmin), .secret = kSecret},
        auth::AccessKey{.id = std::string(kWriter),
                        .secret = kSecret,
                        .allow = {{.actions = {"kinesis:Put*", "Get*", "List*"}, .streams = {"web-*"}}}}};
    Configure(config);
  }

  http::Request Prepared(const std::string& operation, std::string body,
                         const std::string& type = "application/x-amz-json-1.1") {
    return MakeRequest(
        "POST",
        {{"Host", "127.0.0.1:4567"},
         {"Content-Type", type},
         {"X-Amz-Target", (operation.find('.') == std::string::npos ? "Kinesis_20131202." : "") + operation}},
        std::move(body));
  }
  http::Request Sign(http::Request request, std::string_view key, const std::string& secret = kSecret) {
    const auth::Signer signer{.access_key = std::string(key), .secret = secret};
    const auth::RequestView view{request.method, request.target, request.headers.fields(), request.body};
    for (auth::HeaderField& field : auth::SignatureHeaders(signer, view, clock_.Now()))
      request.headers.Add(field.first, field.second);
    return request;
  }
  std::string As(std::string_view key, const std::string& operation, std::string body) {
    const http::Response response = Send(Sign(Prepared(operation, std::move(body)), key));
    return response.status == 200 ? "ok" : Show(response);
  }
  static std::string Denied(const std::string& action, const std::string& stream) {
    return "400 AccessDeniedException: User: arn:aws:iam::000000000000:user/WRITER is not authorized to "
           "perform: kinesis:" +
           action + " on resource: " +
           (stream == "*" ? stream : "arn:aws:kinesis:us-east-1:000000000000:stream/" + stream) +
           " because no identity-based policy allows the kinesis:" + action + " action";
  }
};

TEST_F(Access, SignedRequestsAreServed) {
  EXPECT_EQ(As(kAdmin, "ListStreams", "{}"), "ok");
  EXPECT_EQ(As(kAdmin, "PutRecord", R"({"StreamName":"mobile","PartitionKey":"k","Data":"eA=="})"), "ok");
  EXPECT_EQ(As(kAdmin, "DeleteStream", R"({"StreamName":"mobile"})"), "ok");
}

TEST_F(Access, UnsignedAndForgedRequestsAreRefused) {
  EXPECT_EQ(Show(Send(Prepared("ListStreams", "{}"))),
            "400 MissingAuthenticationTokenException: Missing Authentication Token");
  EXPECT_EQ(As("NOBODY", "ListStreams", "{}"),
            "400 UnrecognizedClientException: The security token included in the request is invalid.");
  const std::string mismatch =
      "400 InvalidSignatureException: The request signature we calculated does not match the signature you "
      "provided. "
      "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
  EXPECT_EQ(Show(Send(Sign(Prepared("ListStreams", "{}"), kAdmin, "another secret for tests"))), mismatch);
  http::Request changed = Sign(Prepared("DescribeStream", R"({"StreamName":"mobile"})"), kAdmin);
  const http::Request other = Prepared("DescribeStream", R"({"StreamName":"web-1"} )");
  changed.body = other.body;
  EXPECT_EQ(Show(Send(changed)), mismatch);
  changed = Sign(Prepared("DescribeStream", R"({"StreamName":"mobile"})"), kAdmin);
  changed.headers.Set("X-Amz-Target", "Kinesis_20131202.DeleteStream");
  EXPECT_EQ(Show(Send(changed)), mismatch);
}

TEST_F(Access, OldRequestsTellTheClockSkew) {
  const http::Request request = Sign(Prepared("ListStreams", "{}"), kAdmin);
  EXPECT_EQ(Send(request).status, 200);
  clock_.Advance(std::chrono::minutes(6));
  EXPECT_EQ(Show(Send(request)),
            "400 InvalidSignatureException: Signature expired: 20261121T100000Z is now earlier than "
            "20261121T100100Z "
            "(20261121T100600Z - 5 min.)");
}

TEST_F(Access, FaultsOfTheBodyComeFirst) {
  EXPECT_EQ(Show(Send(Prepared("ListStreams", "{"))), "400 SerializationException");
  EXPECT_EQ(Show(Send(Prepared("NoSuchThing", "{}"))), "400 UnknownOperationException");
  // Types and constraints come after it.
  EXPECT_EQ(Show(Send(Prepared("DescribeStream", R"({"StreamName":7})"))).substr(0, 39),
            "400 MissingAuthenticationTokenException");
}

TEST_F(Access, CborRequestsAndFaults) {
  const std::string type = "application/x-amz-cbor-1.1";
  EXPECT_EQ(Send(Sign(Prepared("ListStreams", "\xbf\xff", type), kAdmin)).status, 200);
  const http::Response refused = Send(Prepared("ListStreams", "\xbf\xff", type));
  const Result<codec::Json> body = codec::ParseCbor(refused.body);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(Text(*body, "__type"), "MissingAuthenticationTokenException");
}

TEST_F(Access, RulesJudgeActionAndStream) {
  const std::string put = R"(,"PartitionKey":"k","Data":"eA=="})";
  EXPECT_EQ(As(kWriter, "PutRecord", R"({"StreamName":"web-1")" + put), "ok");
  EXPECT_EQ(As(kWriter, "PutRecord", R"({"StreamName":"mobile")" + put), Denied("PutRecord", "mobile"));
  EXPECT_EQ(As(kWriter, "PutRecord", R"({"StreamName":"web-1","Unknown":1)" + put), "ok");
  EXPECT_EQ(As(kWriter, "PutRecord", R"({"StreamName":"mobile","Unknown":1)" + put),
            Denied("PutRecord", "mobile"));
  EXPECT_EQ(As(kWriter, "DeleteStream", R"({"StreamName":"web-1"})"), Denied("DeleteStream", "web-1"));
  EXPECT_EQ(As(kWriter, "ListStreams", "{}"), Denied("ListStreams", "*"));
  EXPECT_EQ(
      As(kWriter, "ListShards", R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/web-1"})"),
      "ok");
  EXPECT_EQ(
      As(kWriter, "ListShards", R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/mobile"})"),
      Denied("ListShards", "mobile"));
  EXPECT_EQ(As(kWriter, "Honryu_20261121.ListLeases", R"({"Application":"a","StreamName":"mobile"})"),
            Denied("ListLeases", "mobile"));
}

TEST_F(Access, MembersThatMeanNothingDoNotHelp) {
  EXPECT_EQ(As(kWriter, "ListStreams", R"({"StreamName":"web-1"})"), Denied("ListStreams", "*"));
  // A place in the ARN that only looks like its stream.
  const std::string arn = "arn:aws:kinesis:stream/web-1:000000000000:stream/mobile";
  EXPECT_EQ(As(kWriter, "ListShards", R"({"StreamARN":")" + arn + R"("})"), Denied("ListShards", "mobile"));
  EXPECT_EQ(As(kWriter, "ListTagsForResource", R"({"ResourceARN":")" + arn + R"("})"),
            Denied("ListTagsForResource", "mobile"));
  EXPECT_EQ(
      As(kWriter, "ListShards",
         R"({"StreamName":"web-1","StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/mobile"})"),
      Denied("ListShards", "mobile"));
}

TEST_F(Access, CallerIdentityIsSignedForItsOwnService) {
  const auto ask = [this](const std::string& service, const std::string& form) {
    http::Request request = MakeRequest(
        "POST", {{"Host", "127.0.0.1:4567"}, {"Content-Type", "application/x-www-form-urlencoded"}}, form);
    const auth::Signer signer{.access_key = std::string(kWriter), .secret = kSecret, .service = service};
    const auth::RequestView view{request.method, request.target, request.headers.fields(), request.body};
    for (auth::HeaderField& field : auth::SignatureHeaders(signer, view, clock_.Now()))
      request.headers.Add(field.first, field.second);
    const http::Response response = Send(request);
    return std::to_string(response.status) + " " + std::string(response.body.view());
  };
  const std::string form = "Action=GetCallerIdentity&Version=2011-06-15";
  EXPECT_EQ(ask("sts", form),
            "200 <GetCallerIdentityResponse "
            "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:aws:iam::"
            "000000000000:user/WRITER</Arn><UserId>WRITER</UserId><Account>000000000000</Account></"
            "GetCallerIdentityResult><ResponseMetadata><RequestId>11111111-2222-4333-8444-555555555555</"
            "RequestId></ResponseMetadata></GetCallerIdentityResponse>");
  EXPECT_EQ(ask("kinesis", form),
            "403 <ErrorResponse "
            "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</"
            "Type><Code>SignatureDoesNotMatch</Code><Message>Credential should be scoped to correct service: "
            "'sts'.</Message></Error><RequestId>11111111-2222-4333-8444-555555555555</RequestId></"
            "ErrorResponse>");
  EXPECT_EQ(ask("sts", "Action=AssumeRole").substr(0, 27), "403 <AccessDeniedException>");
  Configure(KinesisApiConfig());
  EXPECT_NE(ask("any", form).find("<Arn>arn:aws:iam::000000000000:root</Arn>"), std::string::npos);
}

TEST_F(Access, ConsumersBelongToTheirStream) {
  const auto consumer = [](const std::string& stream) {
    return R"({"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/)" + stream +
           R"(/consumer/c:1"})";
  };
  EXPECT_EQ(As(kWriter, "GetResourcePolicy", R"({"ResourceARN":)" + consumer("mobile").substr(15)),
            Denied("GetResourcePolicy", "mobile"));
  EXPECT_EQ(
      As(kWriter, "ListTagsForResource", R"({"ResourceARN":)" + consumer("web-1").substr(15)).substr(0, 29),
      "400 ResourceNotFoundException");
  EXPECT_EQ(As(kWriter, "DescribeStreamConsumer", consumer("web-1")),
            Denied("DescribeStreamConsumer", "web-1"));
}

TEST_F(Access, IteratorsAndPageTokensNameTheirStream) {
  const auto iterator = [this](const std::string& stream) {
    const http::Response response =
        Send(Sign(Prepared("GetShardIterator", R"({"StreamName":")" + stream +
                                                   R"(","ShardId":"0","ShardIteratorType":"TRIM_HORIZON"})"),
                  kAdmin));
    return Text(codec::Json::Parse(response.body).value(), "ShardIterator");
  };
  const std::string web = iterator("web-1");
  const std::string mobile = iterator("mobile");
  ASSERT_FALSE(web.empty() || mobile.empty());
  EXPECT_EQ(As(kWriter, "GetRecords", R"({"ShardIterator":")" + web + R"("})"), "ok");
  EXPECT_EQ(As(kWriter, "GetRecords", R"({"ShardIterator":")" + mobile + R"("})"),
            Denied("GetRecords", "mobile"));
  EXPECT_EQ(As(kWriter, "GetRecords", R"({"ShardIterator":"\")" + mobile + R"(\""})"),
            Denied("GetRecords", "mobile"));
  // An allowed name beside it does not help.
  EXPECT_EQ(As(kWriter, "GetRecords",
               R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/web-1","ShardIterator":")" +
                   mobile + R"("})"),
            Denied("GetRecords", "mobile"));
  EXPECT_EQ(As(kWriter, "GetRecords", R"({"ShardIterator":"broken"})"), Denied("GetRecords", "*"));
}

}  // namespace
}  // namespace honryu::api::kinesis
