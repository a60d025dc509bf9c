#include "tests/unit/api_kinesis/fixture.h"

#include <algorithm>
#include <functional>

namespace honryu::api::kinesis {
namespace {

using Records = KinesisApiTest;

TEST_F(Records, PutRecordsAnswersInOrder) {
  MakeStream("s", 2);
  const std::string body = Ok("PutRecords", R"({"StreamName":"s","Records":[)"
                                            R"({"Data":"YQ==","PartitionKey":"k","ExplicitHashKey":"0"},)"
                                            R"({"Data":"Yg==","PartitionKey":"k","ExplicitHashKey":)"
                                            R"("340282366920938463463374607431768211455"}]})");
  EXPECT_NE(body.find(R"("FailedRecordCount":0)"), std::string::npos);
  const codec::Json answer = codec::Json::Parse(body).value();
  const codec::Json::Array& records = answer.Find("Records")->array();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(Text(records[0], "ShardId"), "shardId-000000000000");
  EXPECT_EQ(Text(records[1], "ShardId"), "shardId-000000000001");
  EXPECT_EQ(Text(records[0], "SequenceNumber").size(), 56U);
  EXPECT_NE(registry_.Render().find(R"(honryu_kinesis_put_records_total{result="successful"} 2)"),
            std::string::npos);
}

TEST_F(Records, AnswersThatAreNotSentYetMakeFurtherOnesSmaller) {
  KinesisApiConfig config;
  config.max_answer_memory = 4 << 20;
  Configure(config);
  MakeStream("s", 1);
  const std::string data(100 << 10, 'x');
  for (int i = 0; i < 20; ++i) Put("s", "k", data);
  const std::string body = R"({"ShardIterator":")" + Iterator("s", "TRIM_HORIZON") + "\"}";
  std::vector<http::Response> unsent;
  std::vector<std::size_t> counts;
  for (int i = 0; i < 12; ++i) {
    const http::Response& answer = unsent.emplace_back(Call("Kinesis_20131202.GetRecords", body));
    ASSERT_EQ(answer.status, 200);
    counts.push_back(codec::Json::Parse(answer.body).value().Find("Records")->array().size());
  }
  EXPECT_EQ(counts.front(), 5U);  // an eighth of 4 MiB
  EXPECT_EQ(counts.back(), 1U);   // always something
  EXPECT_TRUE(std::ranges::is_sorted(counts, std::greater<>()));
  const std::string gauge = "\nhonryu_kinesis_answer_memory_bytes ";
  EXPECT_EQ(registry_.Render().find(gauge + "0\n"), std::string::npos);
  unsent.clear();
  EXPECT_NE(registry_.Render().find(gauge + "0\n"), std::string::npos);
  EXPECT_EQ(OkJson("GetRecords", body).Find("Records")->array().size(), 5U);
}

TEST_F(Records, PutsRefuseStrangersAndBadHashKeys) {
  EXPECT_EQ(Refused("PutRecord", R"({"StreamName":"none","Data":"","PartitionKey":"k"})"),
            "400 ResourceNotFoundException: Stream none under account 000000000000 not found.");
  MakeStream("s", 1);
  EXPECT_EQ(
      Refused("PutRecords", R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"},)"
                            R"({"Data":"","PartitionKey":"k","ExplicitHashKey":)"
                            R"("340282366920938463463374607431768211456"}]})"),
      "400 InvalidArgumentException: Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, "
      "2^128-1]. Specified value was 340282366920938463463374607431768211456");
  EXPECT_EQ(Read(Iterator("s", "TRIM_HORIZON")), "");
}

TEST_F(Records, ARecordAboveTheStreamsOwnLimitFailsTheWholeCallForGood) {
  MakeStream("s", 1);
  const Result<void> lowered =
      runtime_.BlockOn(broker_->ChangeAttributes(async::Context::WithTimeout(std::chrono::seconds(10)), "s",
                                                 [](broker::StreamAttributes& attributes) -> Result<void> {
                                                   attributes.max_record_kib = 1;
                                                   return honryu::Ok();
                                                 }));
  ASSERT_TRUE(lowered.ok());
  const std::string large = codec::Base64Encode(std::string(1024, 'x'));
  const std::string fault =
      "400 InvalidArgumentException: Record size of 1025 bytes (data and partition key) exceeds the limit of "
      "1024 bytes.";
  EXPECT_EQ(Refused("PutRecord", R"({"StreamName":"s","PartitionKey":"k","Data":")" + large + "\"}"), fault);
  EXPECT_EQ(Refused("PutRecords", R"({"StreamName":"s","Records":[{"PartitionKey":"k","Data":"YQ=="},)"
                                  R"({"PartitionKey":"k","Data":")" +
                                      large + "\"}]}"),
            fault);
  EXPECT_EQ(Read(Iterator("s", "TRIM_HORIZON")), "");
  Put("s", "k", std::string(1023, 'y'));
  EXPECT_EQ(OkJson("DescribeStreamSummary", R"({"StreamName":"s"})")
                .Find("StreamDescriptionSummary")
                ->Find("MaxRecordSizeInKiB")
                ->IntOr(0),
            1);
}

TEST_F(Records, SequenceNumberForOrderingMustBeFromThePast) {
  MakeStream("s", 1);
  const std::string first = Put("s", "k", "a");
  const std::string head = R"({"StreamName":"s","Data":"","PartitionKey":"k","SequenceNumberForOrdering":")";
  Ok("PutRecord", head + first + "\"}");
  EXPECT_EQ(Refused("PutRecord", head + std::string(58, '9') + "\"}"),
            "400 InvalidArgumentException: ExclusiveMinimumSequenceNumber " + std::string(58, '9') +
                " used in PutRecord on stream s under account 000000000000 is invalid.");
}

TEST_F(Records, AllFiveIteratorTypesFindTheirPlace) {
  MakeStream("s", 1);
  const std::string latest = Iterator("s", "LATEST");
  const std::string a = Put("s", "k", "a");
  clock_.Advance(std::chrono::seconds(10));
  const std::string middle = std::to_string(ToMs(clock_.Now()) / 1000);
  const std::string b = Put("s", "k", "b");
  Put("s", "k", "c");
  EXPECT_EQ(Read(Iterator("s", "TRIM_HORIZON")), "a b c ");
  EXPECT_EQ(Read(latest), "a b c ");
  EXPECT_EQ(Read(Iterator("s", "LATEST")), "");
  EXPECT_EQ(Read(Iterator("s", "AT_SEQUENCE_NUMBER", R"(,"StartingSequenceNumber":")" + b + "\"")), "b c ");
  EXPECT_EQ(Read(Iterator("s", "AFTER_SEQUENCE_NUMBER", R"(,"StartingSequenceNumber":")" + a + "\"")),
            "b c ");
  EXPECT_EQ(Read(Iterator("s", "AT_TIMESTAMP", R"(,"Timestamp":)" + middle)), "b c ");
}

TEST_F(Records, EveryReadGivesTheNextIterator) {
  MakeStream("s", 1);
  for (const char* data : {"a", "b", "c"}) Put("s", "k", data);
  std::string iterator = Iterator("s", "TRIM_HORIZON");
  std::string seen;
  for (int i = 0; i < 4; ++i) {
    const codec::Json answer = OkJson("GetRecords", R"({"ShardIterator":")" + iterator + R"(","Limit":1})");
    for (const codec::Json& record : answer.Find("Records")->array()) {
      seen.append(codec::Base64Decode(Text(record, "Data")).value());
      EXPECT_EQ(Text(record, "PartitionKey"), "k");
      EXPECT_EQ(record.Find("ApproximateArrivalTimestamp")->DoubleOr(0), 1795255200.0);
    }
    iterator = Text(answer, "NextShardIterator");
    ASSERT_FALSE(iterator.empty());
  }
  EXPECT_EQ(seen, "abc");
  Put("s", "k", "d");
  EXPECT_EQ(Read(iterator), "d ");
}

TEST_F(Records, IteratorErrors) {
  MakeStream("s", 1);
  const std::string a = Put("s", "k", "a");
  const std::string at = R"("ShardIteratorType":"AT_SEQUENCE_NUMBER","StartingSequenceNumber":")";
  EXPECT_EQ(
      Refused("GetShardIterator", R"({"StreamName":"s","ShardId":"shard-x","ShardIteratorType":"LATEST"})"),
      "400 ResourceNotFoundException: Could not find shard shard-x in stream s under account 000000000000.");
  EXPECT_EQ(
      Refused("GetShardIterator", R"({"StreamName":"s","ShardId":"5","ShardIteratorType":"LATEST"})"),
      "400 ResourceNotFoundException: Shard shardId-000000000005 in stream s under account 000000000000 does "
      "not exist");
  EXPECT_EQ(
      Refused("GetShardIterator", R"({"StreamName":"none","ShardId":"0","ShardIteratorType":"LATEST"})"),
      "400 ResourceNotFoundException: Shard shardId-000000000000 in stream none under account 000000000000 "
      "does "
      "not exist");
  EXPECT_EQ(
      Refused("GetShardIterator", R"({"StreamName":"s","ShardId":"0",)" + at + std::string(60, '9') + "\"}"),
      "400 InvalidArgumentException: StartingSequenceNumber " + std::string(60, '9') +
          " used in GetShardIterator on shard shardId-000000000000 in stream s under account 000000000000 is "
          "invalid.");
  EXPECT_EQ(Refused("GetShardIterator", R"({"StreamName":"s","ShardId":"0",)" + at + "5\"}"),
            "400 InvalidArgumentException: Invalid StartingSequenceNumber. It encodes shardId-000000000005, "
            "while it "
            "was used in a call to a shard with shardId-000000000000");
  EXPECT_EQ(
      Refused(
          "GetShardIterator",
          R"({"StreamName":"s","ShardId":"0","ShardIteratorType":"AT_TIMESTAMP","Timestamp":1795255200.5})"),
      "400 InvalidArgumentException: The timestampInMillis parameter cannot be greater than the "
      "currentTimestampInMillis. timestampInMillis: 1795255200500, currentTimestampInMillis: 1795255200000");
  EXPECT_EQ(Refused("GetRecords", R"({"ShardIterator":"AAAA"})"),
            "400 InvalidArgumentException: Invalid ShardIterator.");
}

TEST_F(Records, ShardsOfForeignNumbersAreNamedAsKinesisReadsThem) {
  MakeStream("s", 1);
  EXPECT_EQ(
      Refused("GetShardIterator",
              R"({"StreamName":"s","ShardId":"0","ShardIteratorType":"AT_SEQUENCE_NUMBER",)"
              R"("StartingSequenceNumber":"49039857307708443467467104868809893875799651944235008002"})"),
      "400 InvalidArgumentException: Invalid StartingSequenceNumber. It encodes shardId--02147483648, "
      "while it was used in a call to a shard with shardId-000000000000")
      << "shard 0x80000000";
}

TEST_F(Records, IteratorsExpire) {
  MakeStream("s", 1);
  const std::string iterator = Iterator("s", "TRIM_HORIZON");
  clock_.Advance(std::chrono::minutes(5) + std::chrono::seconds(1));
  EXPECT_EQ(Refused("GetRecords", R"({"ShardIterator":")" + iterator + R"("})").substr(0, 28),
            "400 ExpiredIteratorException");
}

TEST_F(Records, IteratorsOfAnEarlierStreamOfThatNameFail) {
  MakeStream("s", 1);
  const std::string iterator = Iterator("s", "TRIM_HORIZON");
  Ok("DeleteStream", R"({"StreamName":"s"})");
  EXPECT_EQ(
      Refused("GetRecords", R"({"ShardIterator":")" + iterator + R"("})"),
      "400 ResourceNotFoundException: Shard shardId-000000000000 in stream s under account 000000000000 does "
      "not exist");
}

TEST_F(Records, LongPollsAnswerAtOnceWhenThereIsSomething) {
  MakeStream("s", 1);
  const std::string iterator = Iterator("s", "TRIM_HORIZON");
  Put("s", "k", "a");
  const codec::Json answer =
      OkJson("GetRecords", R"({"ShardIterator":")" + iterator + R"(","HonryuWaitMillis":30000})");
  EXPECT_EQ(answer.Find("Records")->array().size(), 1U);
}

}  // namespace
}  // namespace honryu::api::kinesis
