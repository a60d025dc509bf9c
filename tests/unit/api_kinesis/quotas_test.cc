#include "tests/unit/api_kinesis/fixture.h"

namespace honryu::api::kinesis {
namespace {

class QuotaTexts : public KinesisApiTest {
 protected:
  QuotaTexts() {
    broker::BrokerConfig config;
    config.quotas = broker::QuotaProfile::kAws;
    StartBroker(config);
    MakeStream("s", 2);
  }
  // Puts `count` records into one of the two shards.
  codec::Json PutMany(int count, const std::string& data, bool high = false) {
    std::string body = R"({"StreamName":"s","Records":[)";
    for (int i = 0; i < count; ++i) {
      body.append(i == 0 ? "" : ",").append(R"({"PartitionKey":"k","ExplicitHashKey":")");
      body.append(high ? "340282366920938463463374607431768211455" : "0").append(R"(","Data":")");
      body.append(codec::Base64Encode(data)).append(R"("})");
    }
    return OkJson("PutRecords", body + "]}");
  }
  static std::int64_t Failed(const codec::Json& answer) {
    return static_cast<std::int64_t>(answer.Find("FailedRecordCount")->DoubleOr(-1));
  }
  static constexpr const char* kRate =
      "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000.";
};

TEST_F(QuotaTexts, OfEachRecordOfPutRecords) {
  EXPECT_EQ(Failed(PutMany(500, "x")), 0);
  EXPECT_EQ(Failed(PutMany(400, "x")), 0);
  const codec::Json answer = PutMany(101, "x");
  EXPECT_EQ(Failed(answer), 1);
  const auto& records = answer.Find("Records")->array();
  ASSERT_EQ(records.size(), 101U);
  EXPECT_EQ(Text(records[99], "ShardId"), "shardId-000000000000");
  EXPECT_EQ(Text(records[100], "ErrorCode"), "ProvisionedThroughputExceededException");
  EXPECT_EQ(Text(records[100], "ErrorMessage"), kRate);
  EXPECT_EQ(records[100].Find("SequenceNumber"), nullptr);
  EXPECT_EQ(Failed(PutMany(3, "x")), 3) << "and still status 200";
  EXPECT_EQ(Failed(PutMany(3, "x", true)), 0) << "the other shard";
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(Failed(PutMany(3, "x")), 0);
}

TEST_F(QuotaTexts, BytesCountDataAndKey) {
  // 16 times 64 KiB with their keys: the last byte is one too many.
  EXPECT_EQ(Failed(PutMany(16, std::string((64 << 10) - 1, 'x'))), 0);
  EXPECT_EQ(Failed(PutMany(1, "")), 1);
}

TEST_F(QuotaTexts, OfPutRecord) {
  EXPECT_EQ(Failed(PutMany(500, "x")), 0);
  EXPECT_EQ(Failed(PutMany(500, "x")), 0);
  EXPECT_EQ(
      Refused("PutRecord", R"({"StreamName":"s","PartitionKey":"k","ExplicitHashKey":"0","Data":"eA=="})"),
      std::string("400 ProvisionedThroughputExceededException: ") + kRate);
}

TEST_F(QuotaTexts, OfUpdateShardCount) {
  const auto to = [this](int target) {
    return Refused("UpdateShardCount", R"({"StreamName":"s","ScalingType":"UNIFORM_SCALING",)"
                                       R"("TargetShardCount":)" +
                                           std::to_string(target) + "}");
  };
  EXPECT_EQ(to(10001),
            "400 LimitExceededException: Target shard count or number of open shards cannot be greater than "
            "10000. Current open shard count: 2, Target shard count: 10001");
  EXPECT_EQ(
      to(5),
      "400 LimitExceededException: UpdateShardCount cannot scale up over double your current open shard "
      "count. Current open shard count: 2, Target shard count: 5");
  MakeStream("t", 5);
  EXPECT_EQ(
      Refused("UpdateShardCount",
              R"({"StreamName":"t","ScalingType":"UNIFORM_SCALING","TargetShardCount":2})"),
      "400 LimitExceededException: UpdateShardCount cannot scale down below half your current open shard "
      "count. Current open shard count: 5, Target shard count: 2");
  Ok("UpdateShardCount", R"({"StreamName":"s","ScalingType":"UNIFORM_SCALING","TargetShardCount":4})");
}

TEST_F(QuotaTexts, OfGetShardIterator) {
  const std::string body =
      R"({"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"LATEST"})";
  for (int i = 0; i < 5; ++i) Ok("GetShardIterator", body);
  EXPECT_EQ(Refused("GetShardIterator", body),
            std::string("400 ProvisionedThroughputExceededException: ") + kRate);
  clock_.Advance(std::chrono::milliseconds(200));
  Ok("GetShardIterator", body);
}

TEST_F(QuotaTexts, OfManagingOperations) {
  const std::string limited = "400 LimitExceededException: Rate exceeded for account 000000000000.";
  Ok("DescribeLimits", "{}");
  EXPECT_EQ(Refused("DescribeLimits", "{}"), limited);
  for (int i = 0; i < 10; ++i) Ok("DescribeStream", R"({"StreamName":"s"})");
  EXPECT_EQ(Refused("DescribeStream", R"({"StreamName":"s"})"), limited);
  clock_.Advance(std::chrono::seconds(1));
  Ok("DescribeLimits", "{}");
  Ok("DescribeStream", R"({"StreamName":"s"})");
}

TEST_F(QuotaTexts, OfADayCountWhatSucceeds) {
  const auto to = [this](int target) {
    const std::string body = R"({"StreamName":"s","ScalingType":"UNIFORM_SCALING","TargetShardCount":)" +
                             std::to_string(target) + "}";
    const std::string shown = Show(Call("Kinesis_20131202.UpdateShardCount", body));
    const Result<void> active =
        runtime_.BlockOn(broker_->WaitActive(async::Context::WithTimeout(std::chrono::seconds(10)), "s"));
    EXPECT_TRUE(active.ok());
    return shown;
  };
  for (int i = 0; i < 20; ++i) EXPECT_NE(to(9).find("over double"), std::string::npos);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(to(2 + (i + 1) % 2).starts_with("200")) << i;
  EXPECT_EQ(to(3), "400 LimitExceededException: Rate exceeded for stream s under account 000000000000.");
  MakeStream("t", 1);
  Ok("UpdateShardCount", R"({"StreamName":"t","ScalingType":"UNIFORM_SCALING","TargetShardCount":2})");
  clock_.Advance(std::chrono::hours(3));
  EXPECT_TRUE(to(3).starts_with("200")) << "ten in a day";
}

TEST_F(QuotaTexts, OfSubscriptions) {
  const std::string arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
  const codec::Json made =
      OkJson("RegisterStreamConsumer", R"({"StreamARN":")" + arn + R"(","ConsumerName":"c"})");
  const std::string consumer = Text(*made.Find("Consumer"), "ConsumerARN");
  const std::string body = R"({"ConsumerARN":")" + consumer +
                           R"(","ShardId":"shardId-000000000000","StartingPosition":{"Type":"LATEST"}})";
  EXPECT_EQ(Call("Kinesis_20131202.SubscribeToShard", body).status, 200);
  EXPECT_EQ(Refused("SubscribeToShard", body), "400 LimitExceededException: Rate exceeded for consumer " +
                                                   consumer + " of shard shardId-000000000000.");
}

TEST_F(QuotaTexts, OfGetRecords) {
  const std::string iterator = Iterator("s", "TRIM_HORIZON");
  const std::string body = R"({"ShardIterator":")" + iterator + R"("})";
  for (int i = 0; i < 5; ++i) Ok("GetRecords", body);
  EXPECT_EQ(Refused("GetRecords", body), std::string("400 ProvisionedThroughputExceededException: ") + kRate);
  clock_.Advance(std::chrono::milliseconds(200));
  Ok("GetRecords", body);
}

}  // namespace
}  // namespace honryu::api::kinesis
