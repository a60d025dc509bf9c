#include "tests/unit/api_kinesis/fixture.h"

namespace honryu::api::kinesis {
namespace {

using Streams = KinesisApiTest;

TEST_F(Streams, AreCreatedDescribedAndDeleted) {
  EXPECT_EQ(Refused("DescribeStream", R"({"StreamName":"s"})"),
            "400 ResourceNotFoundException: Stream s under account 000000000000 not found.");
  EXPECT_EQ(Ok("CreateStream", R"({"StreamName":"s","ShardCount":2})"), "");
  EXPECT_EQ(Refused("CreateStream", R"({"StreamName":"s","ShardCount":2})"),
            "400 ResourceInUseException: Stream s under account 000000000000 already exists.");
  ASSERT_TRUE(
      runtime_.BlockOn(broker_->WaitActive(async::Context::WithTimeout(std::chrono::seconds(10)), "s")).ok());
  const codec::Json answer = OkJson("DescribeStream", R"({"StreamName":"s"})");
  const codec::Json* description = answer.Find("StreamDescription");
  ASSERT_NE(description, nullptr);
  EXPECT_EQ(Text(*description, "StreamARN"), "arn:aws:kinesis:us-east-1:000000000000:stream/s");
  EXPECT_EQ(Text(*description, "StreamStatus"), "ACTIVE");
  EXPECT_FALSE(description->Find("HasMoreShards")->BoolOr(true));
  const codec::Json::Array& shards = description->Find("Shards")->array();
  ASSERT_EQ(shards.size(), 2U);
  EXPECT_EQ(Text(shards[0], "ShardId"), "shardId-000000000000");
  EXPECT_EQ(Text(*shards[0].Find("HashKeyRange"), "EndingHashKey"),
            "170141183460469231731687303715884105727");
  EXPECT_EQ(Text(*shards[1].Find("HashKeyRange"), "StartingHashKey"),
            "170141183460469231731687303715884105728");
  EXPECT_EQ(Ok("DeleteStream", R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s"})"), "");
}

TEST_F(Streams, GetFourShardsByDefault) {
  Ok("CreateStream", R"({"StreamName":"s"})");
  ASSERT_TRUE(
      runtime_.BlockOn(broker_->WaitActive(async::Context::WithTimeout(std::chrono::seconds(10)), "s")).ok());
  const codec::Json answer = OkJson("DescribeStreamSummary", R"({"StreamName":"s"})");
  EXPECT_EQ(answer.Find("StreamDescriptionSummary")->Find("OpenShardCount")->IntOr(0), 4);
}

TEST_F(Streams, TooManyShardsAreRefusedInKinesisWords) {
  MakeStream("s", 3);
  EXPECT_EQ(Refused("CreateStream", R"({"StreamName":"t","ShardCount":10001})"),
            "400 LimitExceededException: This request would exceed the shard limit for the account "
            "000000000000 in us-east-1. Current shard count for the account: 3. Limit: 10000. Number of "
            "additional shards that would have resulted from this request: 10001. Refer to the AWS Service "
            "Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current "
            "limits and how to request higher limits.");
}

TEST_F(Streams, ACountIsMissedOnlyWhereTheNameIsTooOrNoModeIsGiven) {
  EXPECT_EQ(Refused("CreateStream", "{}"),
            "400 ValidationException: 2 validation errors detected: Value null at 'shardCount' failed to "
            "satisfy constraint: Member must not be null; Value null at 'streamName' failed to satisfy "
            "constraint: Member must not be null");
  EXPECT_EQ(Refused("CreateStream", R"({"StreamModeDetails":{"StreamMode":"ON_DEMAND"}})"),
            "400 ValidationException: 1 validation error detected: Value null at 'streamName' failed to "
            "satisfy constraint: Member must not be null");
}

TEST_F(Streams, DescribeStreamPages) {
  MakeStream("s", 3);
  const codec::Json first = OkJson("DescribeStream", R"({"StreamName":"s","Limit":2})");
  EXPECT_TRUE(first.Find("StreamDescription")->Find("HasMoreShards")->BoolOr(false));
  EXPECT_EQ(first.Find("StreamDescription")->Find("Shards")->array().size(), 2U);
  const codec::Json second = OkJson(
      "DescribeStream", R"({"StreamName":"s","Limit":2,"ExclusiveStartShardId":"shardId-000000000001"})");
  EXPECT_FALSE(second.Find("StreamDescription")->Find("HasMoreShards")->BoolOr(true));
  EXPECT_EQ(second.Find("StreamDescription")->Find("Shards")->array().size(), 1U);
}

TEST_F(Streams, OfAnotherAccountDoNotExist) {
  MakeStream("s", 1);
  EXPECT_EQ(Refused("DescribeStream", R"({"StreamARN":"arn:aws:kinesis:us-east-1:123456789012:stream/s"})"),
            "400 ResourceNotFoundException: Stream s under account 123456789012 not found.");
}

TEST_F(Streams, AreListedInPages) {
  for (const char* name : {"c", "a", "b"}) MakeStream(name, 1);
  const codec::Json first = OkJson("ListStreams", R"({"Limit":2})");
  EXPECT_TRUE(first.Find("HasMoreStreams")->BoolOr(false));
  EXPECT_EQ(first.Find("StreamNames")->Dump(), R"(["a","b"])");
  EXPECT_EQ(Text(first.Find("StreamSummaries")->array().at(0), "StreamName"), "a");
  const codec::Json second = OkJson("ListStreams", R"({"NextToken":")" + Text(first, "NextToken") + R"("})");
  EXPECT_EQ(second.Find("StreamNames")->Dump(), R"(["c"])");
  EXPECT_FALSE(second.Find("HasMoreStreams")->BoolOr(true));
  EXPECT_EQ(OkJson("ListStreams", R"({"ExclusiveStartStreamName":"a"})").Find("StreamNames")->Dump(),
            R"(["b","c"])");
}

TEST_F(Streams, ShardsAreListedInPages) {
  MakeStream("s", 3);
  const codec::Json first = OkJson("ListShards", R"({"StreamName":"s","MaxResults":2})");
  EXPECT_EQ(first.Find("Shards")->array().size(), 2U);
  const std::string token = Text(first, "NextToken");
  const codec::Json second = OkJson("ListShards", R"({"NextToken":")" + token + R"("})");
  ASSERT_EQ(second.Find("Shards")->array().size(), 1U);
  EXPECT_EQ(Text(second.Find("Shards")->array()[0], "ShardId"), "shardId-000000000002");
  EXPECT_EQ(second.Find("NextToken"), nullptr);
  // The last three: forged times, of issue and of the filter, that no clock can hold.
  for (const char* forged :
       {"AAAA", "v1|1", "v1|-9223372036854775808|1|0||||s", "v1|9223372036854775807|1|0||||s",
        "v1|1795255200000|1|4|-9223372036854775808|||s"}) {
    EXPECT_EQ(Refused("ListShards", R"({"NextToken":")" + codec::Base64Encode(forged) + R"("})"),
              "400 InvalidArgumentException: Invalid NextToken.")
        << forged;
  }
  clock_.Advance(std::chrono::seconds(301));
  EXPECT_EQ(Refused("ListShards", R"({"NextToken":")" + token + R"("})"),
            "400 ExpiredNextTokenException: NextToken has expired: it lives 300 seconds.");
}

TEST_F(Streams, ShardFiltersHold) {
  MakeStream("s", 2);
  const auto count = [this](const std::string& filter) {
    return OkJson("ListShards", R"({"StreamName":"s","ShardFilter":)" + filter + "}")
        .Find("Shards")
        ->array()
        .size();
  };
  EXPECT_EQ(count(R"({"Type":"AT_LATEST"})"), 2U);
  EXPECT_EQ(count(R"({"Type":"AT_TRIM_HORIZON"})"), 2U);
  EXPECT_EQ(count(R"({"Type":"FROM_TRIM_HORIZON"})"), 2U);
  EXPECT_EQ(count(R"({"Type":"AFTER_SHARD_ID","ShardId":"shardId-000000000000"})"), 1U);
  EXPECT_EQ(count(R"({"Type":"AT_TIMESTAMP","Timestamp":1795255201})"), 2U);
  EXPECT_EQ(
      Refused("ListShards", R"({"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP"}})"),
      "400 InvalidArgumentException: Timestamp must be provided in the ShardFilter of type AT_TIMESTAMP or "
      "FROM_TIMESTAMP.");
}

TEST_F(Streams, RetentionMovesInTheNamedDirection) {
  MakeStream("s", 1);
  const auto hours = [this] {
    return OkJson("DescribeStreamSummary", R"({"StreamName":"s"})")
        .Find("StreamDescriptionSummary")
        ->Find("RetentionPeriodHours")
        ->IntOr(0);
  };
  EXPECT_EQ(Ok("IncreaseStreamRetentionPeriod", R"({"StreamName":"s","RetentionPeriodHours":48})"), "");
  EXPECT_EQ(hours(), 48);
  EXPECT_EQ(Refused("IncreaseStreamRetentionPeriod", R"({"StreamName":"s","RetentionPeriodHours":36})"),
            "400 InvalidArgumentException: Requested retention period (36 hours) for stream s can not be "
            "shorter than "
            "existing retention period (48 hours). Use DecreaseRetentionPeriod API.");
  EXPECT_EQ(Refused("DecreaseStreamRetentionPeriod", R"({"StreamName":"s","RetentionPeriodHours":72})"),
            "400 InvalidArgumentException: Requested retention period (72 hours) for stream s can not be "
            "longer than "
            "existing retention period (48 hours). Use IncreaseRetentionPeriod API.");
  EXPECT_EQ(Ok("DecreaseStreamRetentionPeriod", R"({"StreamName":"s","RetentionPeriodHours":48})"), "");
  EXPECT_EQ(Ok("DecreaseStreamRetentionPeriod", R"({"StreamName":"s","RetentionPeriodHours":24})"), "");
  EXPECT_EQ(hours(), 24);
  for (const char* way : {"IncreaseStreamRetentionPeriod", "DecreaseStreamRetentionPeriod"}) {
    EXPECT_EQ(
        Refused(way, R"({"StreamName":"s","RetentionPeriodHours":23})"),
        "400 InvalidArgumentException: Minimum allowed retention period is 24 hours. Requested retention "
        "period (23 hours) is too short.");
    EXPECT_EQ(Refused(way, R"({"StreamName":"s","RetentionPeriodHours":8761})"),
              "400 InvalidArgumentException: Maximum allowed retention period is 8760 hours. Requested "
              "retention period (8761 hours) is too long.");
    EXPECT_EQ(Refused(way, R"({"StreamName":"none","RetentionPeriodHours":23})"),
              "400 ResourceNotFoundException: Stream none under account 000000000000 not found.");
  }
}

}  // namespace
}  // namespace honryu::api::kinesis
