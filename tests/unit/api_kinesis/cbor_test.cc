#include "honryu/codec/cbor.h"

#include "honryu/wire/format.h"
#include "tests/unit/api_kinesis/fixture.h"

#include <limits>

namespace honryu::api::kinesis {
namespace {

using codec::CborWriter;
using codec::Json;

constexpr std::string_view kCborType = "application/x-amz-cbor-1.1";

class Cbor : public KinesisApiTest {
 protected:
  http::Response CallCbor(std::string_view target, std::string body) {
    return Send(MakeRequest("POST",
                            {{"Content-Type", std::string(kCborType)}, {"X-Amz-Target", std::string(target)}},
                            std::move(body)));
  }
  /// Sends what `json` says in CBOR: Data as bytes, Timestamp as tagged milliseconds.
  Json Ask(const std::string& operation, const std::string& json) {
    Result<std::string> body = wire::EncodeBody(json, wire::Format::kCbor);
    EXPECT_TRUE(body.ok()) << json;
    const http::Response response = CallCbor("Kinesis_20131202." + operation, body.ok() ? *body : "");
    EXPECT_EQ(response.headers.Get("Content-Type"), kCborType);
    EXPECT_EQ(response.status, 200) << operation << ": " << response.body.view();
    if (response.body.empty()) return Json();
    Result<Json> answer = codec::ParseCbor(response.body);
    EXPECT_TRUE(answer.ok()) << operation;
    return answer.ok() ? std::move(*answer) : Json();
  }
  /// "400 Name: message" of a CBOR error.
  static std::string ShowCbor(const http::Response& response) {
    EXPECT_EQ(response.headers.Get("Content-Type"), kCborType);
    const Result<Json> body = codec::ParseCbor(response.body);
    if (!body.ok() || body->Find("__type") == nullptr) return "no fault";
    std::string text = std::to_string(response.status) + " " + Text(*body, "__type");
    EXPECT_EQ(response.headers.Get("x-amzn-ErrorType"), Text(*body, "__type"));
    if (body->Find("message") != nullptr) text.append(": ").append(Text(*body, "message"));
    return text;
  }
};

// JSON has no such numbers, CBOR has.
TEST_F(Cbor, NumbersThatAreNoneAreRefused) {
  MakeStream("s", 1);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity}) {
    std::string body;
    CborWriter cbor(body);
    cbor.BeginMap();
    for (const auto& [name, text] :
         {std::pair{"StreamName", "s"}, std::pair{"ShardId", "shardId-000000000000"},
          std::pair{"ShardIteratorType", "AT_TIMESTAMP"}}) {
      cbor.Text(name);
      cbor.Text(text);
    }
    cbor.Text("Timestamp");
    cbor.Tag(1);
    cbor.Double(value);
    cbor.End();
    EXPECT_EQ(ShowCbor(CallCbor("Kinesis_20131202.GetShardIterator", body)).substr(0, 26),
              "400 SerializationException")
        << value;
    body.clear();
    cbor.BeginMap(1);
    cbor.Text("Limit");
    cbor.Double(value);
    EXPECT_EQ(ShowCbor(CallCbor("Kinesis_20131202.ListStreams", body)).substr(0, 26),
              "400 SerializationException")
        << value;
  }
}

TEST_F(Cbor, EveryOperationAnswersAsInJson) {
  EXPECT_TRUE(Ask("CreateStream", R"({"StreamName":"s","ShardCount":2})").is_null());
  ASSERT_TRUE(
      runtime_.BlockOn(broker_->WaitActive(async::Context::WithTimeout(std::chrono::seconds(10)), "s")).ok());
  Ask("IncreaseStreamRetentionPeriod", R"({"StreamName":"s","RetentionPeriodHours":48})");
  Ask("DecreaseStreamRetentionPeriod", R"({"StreamName":"s","RetentionPeriodHours":24})");
  const std::pair<const char*, const char*> reads[] = {
      {"DescribeStream", R"({"StreamName":"s"})"},
      {"DescribeStreamSummary", R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s"})"},
      {"ListStreams", "{}"},
      {"ListShards", R"({"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":1795255200}})"},
  };
  for (const auto& [operation, request] : reads)
    EXPECT_EQ(Ask(operation, request).Dump(), OkJson(operation, request).Dump()) << operation;
  Ask("DeleteStream", R"({"StreamName":"s"})");
}

TEST_F(Cbor, RecordsPassAsBytes) {
  MakeStream("s", 1);
  const std::string bytes("\0\xff\x80raw", 6);
  const Json one = Ask("PutRecord", R"({"StreamName":"s","PartitionKey":"k1","Data":")" +
                                        codec::Base64Encode(bytes) + R"("})");
  EXPECT_EQ(Text(one, "ShardId"), "shardId-000000000000");
  const Json many = Ask("PutRecords", R"({"StreamName":"s","Records":[{"PartitionKey":"k2","Data":""},)"
                                      R"({"PartitionKey":"k3","Data":"eA==","ExplicitHashKey":"5"}]})");
  EXPECT_EQ(many.Find("FailedRecordCount")->IntOr(-1), 0);
  ASSERT_EQ(many.Find("Records")->array().size(), 2U);
  const Json iterator = Ask(
      "GetShardIterator",
      R"({"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AT_TIMESTAMP","Timestamp":1})");
  const Json read = Ask("GetRecords", R"({"ShardIterator":")" + Text(iterator, "ShardIterator") + R"("})");
  const Json::Array& records = read.Find("Records")->array();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].Find("Data")->BlobOr("no bytes"), bytes);
  EXPECT_EQ(records[1].Find("Data")->BlobOr("no bytes"), "");
  EXPECT_EQ(records[2].Find("Data")->BlobOr("no bytes"), "x");
  EXPECT_EQ(Text(records[0], "SequenceNumber"), Text(one, "SequenceNumber"));
  EXPECT_EQ(records[0].Find("ApproximateArrivalTimestamp")->DoubleOr(0), 1795255200.0);
  EXPECT_EQ(read.Find("MillisBehindLatest")->IntOr(-1), 0);
}

// The very bytes of a PutRecord call, as the AWS SDK for Java sends them.
TEST_F(Cbor, ARequestByteByByte) {
  MakeStream("s", 1);
  const std::string body(
      "\xbf\x6aStreamName\x61s\x64"
      "Data\x43"
      "abc\x6cPartitionKey\x61k\xff");
  EXPECT_EQ(CallCbor("Kinesis_20131202.PutRecord", body).status, 200);
  EXPECT_EQ(Read(Iterator("s", "TRIM_HORIZON")), "abc ");
}

TEST_F(Cbor, TimesOnTheWireAreTaggedMilliseconds) {
  MakeStream("s", 1);
  const http::Response response =
      CallCbor("Kinesis_20131202.DescribeStreamSummary", "\xbf\x6aStreamName\x61s\xff");
  std::string time;
  CborWriter writer(time);
  writer.Text("StreamCreationTimestamp");
  writer.Tag(1);
  writer.Int(1795255200000);
  EXPECT_NE(response.body.view().find(time), BytesView::npos);
}

TEST_F(Cbor, FaultsAreCborToo) {
  EXPECT_EQ(ShowCbor(CallCbor("Kinesis_20131202.DescribeStream", "\xbf\x6aStreamName\x61s\xff")),
            "400 ResourceNotFoundException: Stream s under account 000000000000 not found.");
  EXPECT_EQ(
      ShowCbor(CallCbor("Kinesis_20131202.DescribeStream", "\xbf\xff")),
      "400 ValidationException: 1 validation error detected: Value null at 'streamName' failed to satisfy "
      "constraint: Member must not be null");
  EXPECT_EQ(ShowCbor(CallCbor("Kinesis_20131202.NoSuchThing", "\xbf\xff")), "400 UnknownOperationException");
  for (const std::string body : {"", "\x80", "\x01", "\xbf", "\xf6", "{}", "\x1f", "\xa1\x61"})
    EXPECT_EQ(ShowCbor(CallCbor("Kinesis_20131202.ListStreams", body)), "400 SerializationException");
  EXPECT_EQ(ShowCbor(CallCbor("Kinesis_20131202.PutRecords", std::string(100000, '\x9f'))),
            "400 SerializationException");
}

TEST_F(Cbor, NoBodyIsAnsweredInCborUnlessTheTypeIsJson) {
  const Fields target = {{"X-Amz-Target", "Kinesis_20131202.ListStreams"}};
  EXPECT_EQ(ShowCbor(Send(MakeRequest("POST", target, ""))), "400 SerializationException");
  EXPECT_EQ(ShowCbor(Send(MakeRequest("POST", {}, ""))), "400 UnknownOperationException");
  EXPECT_EQ(Show(Call("Kinesis_20131202.ListStreams", "")), "400 SerializationException");
}

TEST_F(Cbor, LeasesKeepTheirState) {
  MakeStream("s", 1);
  const auto ask = [this](const std::string& operation, const std::string& json) {
    const http::Response response =
        CallCbor("Honryu_20261121." + operation, wire::EncodeBody(json, wire::Format::kCbor).value());
    EXPECT_EQ(response.status, 200) << operation;
    return response.body.empty() ? Json() : codec::ParseCbor(response.body).value();
  };
  const std::string lease =
      R"("Application":"a","StreamName":"s","ShardId":"shardId-000000000000","Owner":"w")";
  const Json taken = ask("AcquireLease", "{" + lease + R"(,"DurationMillis":10000})");
  const std::string counter = Text(*taken.Find("Lease"), "Counter");
  ask("SaveCheckpoint", "{" + lease + R"(,"Counter":")" + counter + R"(","State":"AAH/"})");
  const Json listed = ask("ListLeases", R"({"Application":"a","StreamName":"s"})");
  EXPECT_EQ(listed.Find("Leases")->array().at(0).Find("State")->BlobOr("no bytes"),
            std::string("\0\x01\xff", 3));
}

}  // namespace
}  // namespace honryu::api::kinesis
