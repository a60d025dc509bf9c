#include "tests/unit/wire/parse.h"

#include <gtest/gtest.h>

namespace honryu::wire {
namespace {

TEST(StreamSelectors, NameOrArnOrBoth) {
  DescribeStreamSummaryRequest request;
  EXPECT_EQ(Judge(R"({"StreamARN":"arn:aws:kinesis:us-east-1:123456789012:stream/orders"})", request), "ok");
  EXPECT_EQ(request.stream.name, "orders");
  EXPECT_EQ(request.stream.account, "123456789012");
  EXPECT_EQ(Judge(R"({"StreamName":"orders","StreamARN":"arn:aws-cn:kinesis:x:123456789012:stream/orders"})",
                  request),
            "ok");
  EXPECT_EQ(
      Judge(R"({"StreamName":"other","StreamARN":"arn:aws:kinesis:x:123456789012:stream/orders"})", request),
      "InvalidArgumentException: StreamName other and StreamARN arn:aws:kinesis:x:123456789012:stream/orders "
      "do "
      "not name the same stream.");
  for (const char* arn :
       {"orders", "arn:aws:sqs:x:123456789012:stream/orders", "arn:aws:kinesis:x:12345:stream/orders",
        "arn:aws:kinesis:x:123456789012:stream/", "arn:aws:kinesis:x:123456789012:stream/a b"}) {
    EXPECT_NE(Judge(std::string(R"({"StreamARN":")") + arn + R"("})", request), "ok") << arn;
  }
}

TEST(GetShardIteratorRequests, SequenceNumberGoesWithItsTypes) {
  GetShardIteratorRequest request;
  const std::string head = R"({"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":")";
  EXPECT_EQ(Judge(head + R"(LATEST"})", request), "ok");
  EXPECT_EQ(
      Judge(head + R"(LATEST","StartingSequenceNumber":"5"})", request),
      "InvalidArgumentException: Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and "
      "StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified "
      "LATEST "
      "and also a StartingSequenceNumber.");
  EXPECT_EQ(
      Judge(head + R"(AT_SEQUENCE_NUMBER"})", request),
      "InvalidArgumentException: Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and "
      "StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified "
      "AT_SEQUENCE_NUMBER and no StartingSequenceNumber.");
  EXPECT_EQ(
      Judge(head + R"(AT_TIMESTAMP"})", request),
      "InvalidArgumentException: Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. "
      "Current request has no timestamp parameter.");
  EXPECT_EQ(Judge(head + R"(AT_TIMESTAMP","Timestamp":1.7000000001234E9})", request), "ok");
  EXPECT_EQ(request.time, TimestampFromMs(1700000000123));
}

TEST(GetRecordsRequests, TakeQuotedTokensAndLongPolls) {
  GetRecordsRequest request;
  EXPECT_EQ(Judge(R"({"ShardIterator":"\"abc\"","Limit":5,"HonryuWaitMillis":1500})", request), "ok");
  EXPECT_EQ(request.shard_iterator, "abc");
  EXPECT_EQ(request.limit, 5);
  EXPECT_EQ(request.wait, std::chrono::milliseconds(1500));
  EXPECT_EQ(Judge(R"({"ShardIterator":"abc","HonryuWaitMillis":30001})", request),
            "ValidationException: 1 validation error detected: Value '30001' at 'honryuWaitMillis' failed to "
            "satisfy "
            "constraint: Member must have value less than or equal to 30000");
}

TEST(ListShardsRequests, TokenAndNameExcludeEachOther) {
  ListShardsRequest request;
  EXPECT_EQ(Judge("{}", request),
            "InvalidArgumentException: Either NextToken or StreamName should be provided.");
  EXPECT_EQ(Judge(R"({"NextToken":"t","StreamName":"s"})", request),
            "InvalidArgumentException: NextToken and StreamName cannot be provided together.");
  ListShardsRequest filtered;
  EXPECT_EQ(
      Judge(R"({"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":12},"MaxResults":9999})",
            filtered),
      "ok");
  EXPECT_EQ(filtered.filter.type, ShardFilterType::kAtTimestamp);
  EXPECT_EQ(filtered.filter.time, TimestampFromMs(12000));
  EXPECT_EQ(filtered.max_results, 1000);
  EXPECT_EQ(
      Judge(R"({"StreamName":"s","ShardFilter":{}})", filtered),
      "ValidationException: 1 validation error detected: Value null at 'shardFilter.type' failed to satisfy "
      "constraint: Member must not be null");
}

TEST(CreateStreamRequests, RefuseWhatCannotBeKept) {
  CreateStreamRequest request;
  EXPECT_EQ(Judge(R"({"StreamName":"s","ShardCount":3.7})", request, Limits()), "ok");
  EXPECT_EQ(request.shard_count, 3);
  EXPECT_EQ(
      Judge(R"({"StreamName":"s","ShardCount":100001})", request, Limits()),
      "ValidationException: 1 validation error detected: Value '100001' at 'shardCount' failed to satisfy "
      "constraint: Member must have value less than or equal to 100000");
  EXPECT_EQ(
      Judge(R"({"StreamName":"s","StreamModeDetails":{"StreamMode":"PROVISIONED"}})", request, Limits()),
      "ok");
  EXPECT_FALSE(request.on_demand);
  EXPECT_EQ(Judge(R"({"StreamName":"s","StreamModeDetails":{"StreamMode":"ON_DEMAND"}})", request, Limits()),
            "ok");
  EXPECT_TRUE(request.on_demand);
  EXPECT_EQ(Judge(R"({"StreamName":"s","Tags":{"a":"b"}})", request, Limits()), "ok");
  ASSERT_EQ(request.tags.size(), 1U);
  EXPECT_EQ(request.tags[0].second, "b");
  EXPECT_NE(Judge(R"({"StreamName":"s","MaxRecordSizeInKiB":2048})", request, Limits()), "ok");
  EXPECT_EQ(Judge(R"({"StreamName":"s","MaxRecordSizeInKiB":1024})", request, Limits()), "ok");
}

TEST(PutRecordRequests, ExplicitHashKeysStayBelow2To128) {
  PutRecordsRequest request;
  const std::string head = R"({"StreamName":"s","Data":"aGk=","PartitionKey":"k","ExplicitHashKey":")";
  EXPECT_EQ(Show(ParsePutRecord(MustParse(head + R"(340282366920938463463374607431768211455"})"), request,
                                Limits())),
            "ok");
  EXPECT_EQ(request.entries.at(0).explicit_hash_key, UInt128::Max());
  EXPECT_EQ(request.entries.at(0).data, "hi");
  PutRecordsRequest beyond;
  EXPECT_EQ(Show(ParsePutRecord(MustParse(head + R"(340282366920938463463374607431768211456"})"), beyond,
                                Limits())),
            "InvalidArgumentException: Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, "
            "2^128-1]. "
            "Specified value was 340282366920938463463374607431768211456");
}

TEST(LeaseRequests, CarryAllMembers) {
  LeaseRequest request;
  EXPECT_EQ(
      Judge(R"({"Application":"a","StreamName":"s","ShardId":"shardId-000000000001","Owner":"w",)"
            R"("Counter":"18446744073709551615","DurationMillis":2500,"Checkpoint":"77","Finished":true,)"
            R"("State":"AAE="})",
            request, Operation::kRenewLease),
      "ok");
  EXPECT_EQ(request.lease.counter, ~0ULL);
  EXPECT_EQ(request.duration, std::chrono::milliseconds(2500));
  EXPECT_EQ(request.lease.checkpoint->ToDecimal(), "77");
  EXPECT_TRUE(request.lease.finished);
  EXPECT_EQ(request.lease.state, std::string("\0\1", 2));
  LeaseRequest untimed;
  EXPECT_EQ(Judge(R"({"Application":"a","StreamName":"s","ShardId":"x","Owner":"w"})", untimed,
                  Operation::kAcquireLease),
            "InvalidArgumentException: DurationMillis should be provided.");
}

}  // namespace
}  // namespace honryu::wire
