// Operations that change or describe a stream rather than its records: shards, tags, consumers, flags.
#include "tests/unit/api_kinesis/fixture.h"

namespace honryu::api::kinesis {
namespace {

class Manage : public KinesisApiTest {
 protected:
  void Settle(const std::string& stream) {
    const Result<void> active =
        runtime_.BlockOn(broker_->WaitActive(async::Context::WithTimeout(std::chrono::seconds(10)), stream));
    ASSERT_TRUE(active.ok()) << active.error().ToString();
  }
  /// "first-last" shard ids' indices of the open shards, in list order.
  std::string OpenShards(const std::string& stream) {
    std::string text;
    const codec::Json answer = OkJson("ListShards", R"({"StreamName":")" + stream + R"("})");
    for (const codec::Json& shard : answer.Find("Shards")->array()) {
      if (shard.Find("SequenceNumberRange")->Find("EndingSequenceNumber") != nullptr) continue;
      text.append(Text(shard, "ShardId").substr(18)).append(" ");
    }
    return text;
  }
};

TEST_F(Manage, AShardIsSplitAndItsChildrenNameIt) {
  MakeStream("s", 1);
  const std::string before = Put("s", "k", "before");
  Ok("SplitShard",
     R"({"StreamName":"s","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"170141183460469231731687303715884105728"})");
  Settle("s");
  EXPECT_EQ(OpenShards("s"), "01 02 ");
  const codec::Json answer = OkJson("ListShards", R"({"StreamName":"s"})");
  const codec::Json::Array& shards = answer.Find("Shards")->array();
  ASSERT_EQ(shards.size(), 3U);
  EXPECT_EQ(Text(shards[1], "ParentShardId"), "shardId-000000000000");
  EXPECT_EQ(Text(*shards[2].Find("HashKeyRange"), "StartingHashKey"),
            "170141183460469231731687303715884105728");
  // The parent gives what it held, then says who its children are.
  const codec::Json read =
      OkJson("GetRecords", R"({"ShardIterator":")" + Iterator("s", "TRIM_HORIZON") + R"("})");
  ASSERT_EQ(read.Find("Records")->array().size(), 1U);
  EXPECT_EQ(Text(read.Find("Records")->array()[0], "SequenceNumber"), before);
  const std::string next = Text(read, "NextShardIterator");
  const codec::Json last =
      next.empty() ? read : OkJson("GetRecords", R"({"ShardIterator":")" + next + R"("})");
  ASSERT_NE(last.Find("ChildShards"), nullptr);
  EXPECT_EQ(last.Find("ChildShards")->array().size(), 2U);
}

TEST_F(Manage, RefusesSplitsThatKinesisRefuses) {
  MakeStream("s", 2);
  EXPECT_EQ(
      Refused("SplitShard",
              R"({"StreamName":"s","ShardToSplit":"shardId-000000000009","NewStartingHashKey":"5"})"),
      "400 ResourceNotFoundException: Could not find shard shardId-000000000009 in stream s under account "
      "000000000000.");
  EXPECT_EQ(
      Refused("SplitShard",
              R"({"StreamName":"s","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"1"})"),
      "400 InvalidArgumentException: NewStartingHashKey 1 used in SplitShard() on shard "
      "shardId-000000000000 in stream s under account 000000000000 is not both greater than one plus the "
      "shard's StartingHashKey 0 and less than the shard's EndingHashKey "
      "170141183460469231731687303715884105727.");
  EXPECT_EQ(
      Refused("SplitShard",
              R"({"StreamName":"s","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"007"})"),
      "400 ValidationException: 1 validation error detected: Value '007' at 'newStartingHashKey' failed to "
      "satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})");
}

TEST_F(Manage, NeighboursAreMerged) {
  MakeStream("s", 3);
  EXPECT_EQ(
      Refused(
          "MergeShards",
          R"({"StreamName":"s","ShardToMerge":"shardId-000000000000","AdjacentShardToMerge":"shardId-000000000002"})"),
      "400 InvalidArgumentException: Shards shardId-000000000000 and shardId-000000000002 in stream s under "
      "account 000000000000 are not an adjacent pair of shards eligible for merging");
  Ok("MergeShards",
     R"({"StreamName":"s","ShardToMerge":"shardId-000000000000","AdjacentShardToMerge":"shardId-000000000001"})");
  Settle("s");
  EXPECT_EQ(OpenShards("s"), "02 03 ");
  EXPECT_EQ(
      Refused(
          "MergeShards",
          R"({"StreamName":"s","ShardToMerge":"shardId-000000000000","AdjacentShardToMerge":"shardId-000000000001"})"),
      "400 InvalidArgumentException: Shard shardId-000000000000 in stream s under account 000000000000 has "
      "already been merged or split, and thus is not eligible for merging or splitting.");
}

TEST_F(Manage, TheShardCountIsChanged) {
  MakeStream("s", 1);
  const codec::Json answer = OkJson(
      "UpdateShardCount", R"({"StreamName":"s","TargetShardCount":3,"ScalingType":"UNIFORM_SCALING"})");
  EXPECT_EQ(answer.Find("CurrentShardCount")->IntOr(0), 1);
  EXPECT_EQ(answer.Find("TargetShardCount")->IntOr(0), 3);
  Settle("s");
  EXPECT_EQ(OkJson("DescribeStreamSummary", R"({"StreamName":"s"})")
                .Find("StreamDescriptionSummary")
                ->Find("OpenShardCount")
                ->IntOr(0),
            3);
}

TEST_F(Manage, TagTextsAreJudged) {
  MakeStream("s", 1);
  const std::string invalid =
      "400 InvalidArgumentException: Some tags contain invalid characters. Valid characters: Unicode "
      "letters, "
      "digits, white space, _ . / = + - % @.";
  for (const char* text : {"a;b", "a,b", R"(a\tb)", R"(a\nb)"}) {
    const std::string quoted = "\"" + std::string(text) + "\"";
    EXPECT_EQ(Refused("AddTagsToStream", R"({"StreamName":"s","Tags":{)" + quoted + ":\"\"}}"), invalid);
    EXPECT_EQ(Refused("AddTagsToStream", R"({"StreamName":"s","Tags":{"a":)" + quoted + "}}"), invalid);
    EXPECT_EQ(Refused("RemoveTagsFromStream", R"({"StreamName":"s","TagKeys":[)" + quoted + "]}"), invalid);
  }
  const std::string length =
      "' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length "
      "less than or equal to 128, Member must have length greater than or equal to 1]";
  const std::string one = "400 ValidationException: 1 validation error detected: Value '";
  const std::string large(129, 'k');
  EXPECT_EQ(Refused("RemoveTagsFromStream", R"({"StreamName":"s","TagKeys":["a",")" + large + R"(","b"]})"),
            one + "[a, " + large + ", b]" + length);
  EXPECT_EQ(Refused("RemoveTagsFromStream", R"({"StreamName":"s","TagKeys":["a",""]})"),
            one + "[a, ]" + length);
}

TEST_F(Manage, TagsAreKeptListedInPagesAndTakenOff) {
  MakeStream("s", 1);
  Ok("AddTagsToStream", R"({"StreamName":"s","Tags":{"a":"1","b":"2","c":"3"}})");
  const codec::Json page = OkJson("ListTagsForStream", R"({"StreamName":"s","Limit":2})");
  EXPECT_EQ(page.Find("Tags")->Dump(), R"([{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}])");
  EXPECT_TRUE(page.Find("HasMoreTags")->BoolOr(false));
  const codec::Json rest = OkJson("ListTagsForStream", R"({"StreamName":"s","ExclusiveStartTagKey":"b"})");
  EXPECT_EQ(rest.Find("Tags")->Dump(), R"([{"Key":"c","Value":"3"}])");
  EXPECT_FALSE(rest.Find("HasMoreTags")->BoolOr(true));
  Ok("RemoveTagsFromStream", R"({"StreamName":"s","TagKeys":["a","c"]})");
  EXPECT_EQ(
      OkJson("ListTagsForResource", R"({"ResourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s"})")
          .Find("Tags")
          ->Dump(),
      R"([{"Key":"b","Value":"2"}])");
  EXPECT_EQ(Refused("AddTagsToStream", R"({"StreamName":"s","Tags":{"a;":"1"}})"),
            "400 InvalidArgumentException: Some tags contain invalid characters. Valid characters: Unicode "
            "letters, digits, white space, _ . / = + - % @.");
}

TEST_F(Manage, OneCallAddsListsAndTakesOffAsManyTagsAsAStreamMayHave) {
  MakeStream("s", 1);
  const auto tags = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text.append(i > 0 ? "," : "").append("\"k" + std::to_string(i) + "\":\"v\"");
    return R"({"StreamName":"s","Tags":{)" + text + "}}";
  };
  const auto keys = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text.append(i > 0 ? "," : "").append("\"k" + std::to_string(i) + "\"");
    return R"({"StreamName":"s","TagKeys":[)" + text + "]}";
  };
  Ok("AddTagsToStream", tags(50));
  EXPECT_TRUE(
      Refused("AddTagsToStream", tags(200)).starts_with("400 InvalidArgumentException: Failed to add"));
  EXPECT_TRUE(Refused("AddTagsToStream", tags(201)).starts_with("400 ValidationException: "));
  EXPECT_EQ(OkJson("ListTagsForStream", R"({"StreamName":"s","Limit":50})").Find("Tags")->array().size(),
            50U);
  EXPECT_EQ(Refused("ListTagsForStream", R"({"StreamName":"s","Limit":51})"),
            "400 ValidationException: 1 validation error detected: Value '51' at 'limit' failed to satisfy "
            "constraint: Member must have value less than or equal to 50");
  EXPECT_TRUE(Refused("RemoveTagsFromStream", keys(51)).starts_with("400 ValidationException: "));
  Ok("RemoveTagsFromStream", keys(50));
  EXPECT_TRUE(OkJson("ListTagsForStream", R"({"StreamName":"s"})").Find("Tags")->array().empty());
}

TEST_F(Manage, ConsumersAreRegisteredDescribedAndTakenOff) {
  MakeStream("s", 1);
  const std::string arn = R"("StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s")";
  const codec::Json made = OkJson("RegisterStreamConsumer", "{" + arn + R"(,"ConsumerName":"c"})");
  const std::string consumer_arn = Text(*made.Find("Consumer"), "ConsumerARN");
  EXPECT_EQ(consumer_arn, "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1795255200");
  EXPECT_EQ(
      Refused("RegisterStreamConsumer", "{" + arn + R"(,"ConsumerName":"c"})"),
      "400 ResourceInUseException: Consumer c under stream s under account 000000000000 already exists.");
  Ok("RegisterStreamConsumer", "{" + arn + R"(,"ConsumerName":"d"})");
  const codec::Json page = OkJson("ListStreamConsumers", "{" + arn + R"(,"MaxResults":1})");
  EXPECT_EQ(Text(page.Find("Consumers")->array().at(0), "ConsumerName"), "c");
  const codec::Json rest =
      OkJson("ListStreamConsumers", "{" + arn + R"(,"NextToken":")" + Text(page, "NextToken") + R"("})");
  EXPECT_EQ(Text(rest.Find("Consumers")->array().at(0), "ConsumerName"), "d");
  EXPECT_EQ(Text(*OkJson("DescribeStreamConsumer", R"({"ConsumerARN":")" + consumer_arn + R"("})")
                      .Find("ConsumerDescription"),
                 "ConsumerStatus"),
            "ACTIVE");
  // Deleting the stream needs a word about its consumers.
  EXPECT_EQ(Refused("DeleteStream", R"({"StreamName":"s"})").substr(0, 26), "400 ResourceInUseException");
  Ok("DeregisterStreamConsumer", R"({"ConsumerARN":")" + consumer_arn + R"("})");
  EXPECT_EQ(Refused("DescribeStreamConsumer", R"({"ConsumerARN":")" + consumer_arn + R"("})"),
            "400 ResourceNotFoundException: Consumer c, account 000000000000 not found.");
  Ok("DeleteStream", R"({"StreamName":"s","EnforceConsumerDeletion":true})");
}

TEST_F(Manage, FlagsAndLimitsAreKept) {
  MakeStream("s", 2);
  const codec::Json monitored =
      OkJson("EnableEnhancedMonitoring", R"({"StreamName":"s","ShardLevelMetrics":["IncomingBytes"]})");
  EXPECT_EQ(monitored.Find("CurrentShardLevelMetrics")->Dump(), "[]");
  EXPECT_EQ(monitored.Find("DesiredShardLevelMetrics")->Dump(), R"(["IncomingBytes"])");
  const codec::Json unmonitored =
      OkJson("DisableEnhancedMonitoring", R"({"StreamName":"s","ShardLevelMetrics":["ALL"]})");
  EXPECT_EQ(unmonitored.Find("CurrentShardLevelMetrics")->Dump(), R"(["IncomingBytes"])");
  EXPECT_EQ(unmonitored.Find("DesiredShardLevelMetrics")->Dump(), "[]");
  const std::string arn = R"("StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s")";
  Ok("UpdateStreamMode", "{" + arn + R"(,"StreamModeDetails":{"StreamMode":"ON_DEMAND"}})");
  EXPECT_EQ(Text(*OkJson("DescribeStreamSummary", R"({"StreamName":"s"})")
                      .Find("StreamDescriptionSummary")
                      ->Find("StreamModeDetails"),
                 "StreamMode"),
            "ON_DEMAND");
  EXPECT_EQ(
      Refused("UpdateShardCount",
              R"({"StreamName":"s","TargetShardCount":3,"ScalingType":"UNIFORM_SCALING"})"),
      "400 ValidationException: Request is invalid. Stream s under account 000000000000 is in On-Demand "
      "mode.");
  const codec::Json limits = OkJson("DescribeLimits", "{}");
  EXPECT_EQ(limits.Find("OpenShardCount")->IntOr(0), 2);
  EXPECT_EQ(limits.Find("OnDemandStreamCount")->IntOr(0), 1);
  // Encryption that does not happen, for want of keys, is not claimed.
  EXPECT_EQ(Refused("StartStreamEncryption", R"({"StreamName":"s","EncryptionType":"KMS","KeyId":"alias/k"})")
                .substr(0, 28),
            "400 InvalidArgumentException");
  EXPECT_EQ(
      Text(*OkJson("DescribeStream", R"({"StreamName":"s"})").Find("StreamDescription"), "EncryptionType"),
      "NONE");
}

TEST_F(Manage, StreamsAreEncryptedWithConfiguredKeys) {
  broker::BrokerConfig config;
  config.keys = keys_;
  StartBroker(config);
  MakeStream("s", 1);
  const auto start = [this](const std::string& key) {
    return Refused("StartStreamEncryption",
                   R"({"StreamName":"s","EncryptionType":"KMS","KeyId":")" + key + "\"}");
  };
  EXPECT_EQ(start("alias/none"), "400 KMSNotFoundException: Key 'alias/none' does not exist");
  const std::string one = R"({"StreamName":"s","PartitionKey":"p","Data":"YQ=="})";
  EXPECT_EQ(OkJson("PutRecord", one).Find("EncryptionType"), nullptr);
  const std::pair<const char*, const char*> names[] = {
      {"alias/aws/kinesis", "alias/k"},
      {"arn:aws:kms:us-east-1:000000000000:alias/k", "alias/k"},
      {"arn:aws:kms:us-east-1:000000000000:key/0c2b-key", "0c2b-key"},
      {"0c2b-key", "0c2b-key"}};
  for (const auto& [asked, used] : names) {
    Ok("StartStreamEncryption",
       R"({"StreamName":"s","EncryptionType":"KMS","KeyId":")" + std::string(asked) + "\"}");
    const codec::Json stream = OkJson("DescribeStreamSummary", R"({"StreamName":"s"})");
    EXPECT_EQ(Text(*stream.Find("StreamDescriptionSummary"), "EncryptionType"), "KMS");
    EXPECT_EQ(Text(*stream.Find("StreamDescriptionSummary"), "KeyId"), used);
  }
  EXPECT_EQ(Text(OkJson("PutRecord", one), "EncryptionType"), "KMS");
  EXPECT_EQ(Text(OkJson("PutRecords", R"({"StreamName":"s","Records":[{"PartitionKey":"p","Data":"YQ=="}]})"),
                 "EncryptionType"),
            "KMS");
  const codec::Json iterator =
      OkJson("GetShardIterator",
             R"({"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"TRIM_HORIZON"})");
  const codec::Json read =
      OkJson("GetRecords", R"({"ShardIterator":")" + Text(iterator, "ShardIterator") + "\"}");
  const auto records = read.Find("Records")->array();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].Find("EncryptionType"), nullptr);
  EXPECT_EQ(Text(records[2], "EncryptionType"), "KMS");
  EXPECT_EQ(Text(records[2], "Data"), "YQ==");

  // The operator took the key away: nothing is stored in the open.
  StartBroker(broker::BrokerConfig());
  EXPECT_EQ(Refused("PutRecord", one).substr(0, 22), "503 ServiceUnavailable");
  StartBroker(config);
  Ok("StopStreamEncryption", R"({"StreamName":"s","EncryptionType":"KMS","KeyId":"0c2b-key"})");
  EXPECT_EQ(OkJson("PutRecord", one).Find("EncryptionType"), nullptr);
}

TEST_F(Manage, ResourcePoliciesAreKept) {
  MakeStream("s", 1);
  const std::string arn = R"("ResourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s")";
  Ok("PutResourcePolicy", "{" + arn + R"(,"Policy":"{\"Version\":\"2012-10-17\"}"})");
  EXPECT_EQ(Text(OkJson("GetResourcePolicy", "{" + arn + "}"), "Policy"), R"({"Version":"2012-10-17"})");
  Ok("DeleteResourcePolicy", "{" + arn + "}");
  EXPECT_EQ(Refused("DeleteResourcePolicy", "{" + arn + "}"),
            "400 ResourceNotFoundException: No resource policy is set.");
}

TEST_F(Manage, ResourcesAreTaggedByArn) {
  MakeStream("s", 1);
  const std::string stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
  const codec::Json made =
      OkJson("RegisterStreamConsumer", R"({"StreamARN":")" + stream + R"(","ConsumerName":"c"})");
  for (const std::string& arn : {stream, Text(*made.Find("Consumer"), "ConsumerARN")}) {
    const std::string resource = R"({"ResourceARN":")" + arn + "\"";
    Ok("TagResource", resource + R"(,"Tags":{"a":"1","b":"2"}})");
    Ok("UntagResource", resource + R"(,"TagKeys":["a"]})");
    EXPECT_EQ(OkJson("ListTagsForResource", resource + "}").Find("Tags")->Dump(),
              R"([{"Key":"b","Value":"2"}])");
  }
}

TEST_F(Manage, TheRecordSizeOfAStreamIsBoundedByTheServers) {
  MakeStream("s", 1);
  const std::string arn = R"("StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s")";
  Ok("UpdateMaxRecordSize", "{" + arn + R"(,"MaxRecordSizeInKiB":1024})");
  EXPECT_EQ(Refused("UpdateMaxRecordSize", "{" + arn + R"(,"MaxRecordSizeInKiB":2048})"),
            "400 InvalidArgumentException: MaxRecordSizeInKiB may be at most 1024, the record size that this "
            "server is configured for.");
  EXPECT_EQ(Refused("UpdateMaxRecordSize", "{" + arn + R"(,"MaxRecordSizeInKiB":1})").substr(0, 23),
            "400 ValidationException");
}

TEST_F(Manage, WarmThroughputIsForOnDemandStreams) {
  MakeStream("s", 1);
  const std::string arn = R"("StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s")";
  const std::string warm = "{" + arn + R"(,"WarmThroughputMiBps":10})";
  EXPECT_EQ(Refused("UpdateStreamWarmThroughput", warm).substr(0, 23), "400 ValidationException");
  Ok("UpdateStreamMode", "{" + arn + R"(,"StreamModeDetails":{"StreamMode":"ON_DEMAND"}})");
  EXPECT_EQ(Text(OkJson("UpdateStreamWarmThroughput", warm), "StreamName"), "s");
}

TEST_F(Manage, WhatThereIsNothingOfIsSaidSo) {
  MakeStream("s", 1);
  Ok("StopStreamEncryption", R"({"StreamName":"s","EncryptionType":"KMS","KeyId":"alias/k"})");
  const codec::Json settings = OkJson("DescribeAccountSettings", "{}");
  EXPECT_EQ(Text(*settings.Find("MinimumThroughputBillingCommitment"), "Status"), "DISABLED");
  Ok("UpdateAccountSettings", R"({"MinimumThroughputBillingCommitment":{"Status":"DISABLED"}})");
  EXPECT_EQ(Refused("UpdateAccountSettings", R"({"MinimumThroughputBillingCommitment":{"Status":"ENABLED"}})")
                .substr(0, 28),
            "400 InvalidArgumentException");
}

}  // namespace
}  // namespace honryu::api::kinesis
