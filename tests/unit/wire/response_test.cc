#include "honryu/wire/reader.h"
#include "tests/unit/wire/parse.h"

#include <gtest/gtest.h>

namespace honryu::wire {
namespace {

std::string Seconds(std::int64_t ms) {
  std::string text;
  AppendSeconds(TimestampFromMs(ms), text);
  return text;
}

TEST(Answers, TimesAreSecondsWithFractions) {
  EXPECT_EQ(Seconds(1763692800000), "1763692800");
  EXPECT_EQ(Seconds(1763692800120), "1763692800.12");
  EXPECT_EQ(Seconds(1763692800007), "1763692800.007");
  EXPECT_EQ(Seconds(0), "0");
  EXPECT_EQ(Seconds(-1500), "-1.5");
}

TEST(Answers, ShardIdsHaveTwelveDigits) {
  EXPECT_EQ(ShardIdOf(0), "shardId-000000000000");
  EXPECT_EQ(ShardIdOf(7), "shardId-000000000007");
  EXPECT_EQ(ShardIdOf(4294967295U), "shardId-004294967295");
}

PutResultShape Stored(std::uint32_t shard, std::uint64_t sequence) {
  PutResultShape result;
  result.shard = shard;
  result.sequence.words[2] = sequence;
  return result;
}

TEST(Answers, PutRecordsIsCompactAndExact) {
  PutResultShape failed;
  failed.error = FaultName::kProvisionedThroughputExceededException;
  failed.message = "Rate exceeded";
  EXPECT_EQ(PutRecordsBody({Stored(1, 5)}),
            R"({"FailedRecordCount":0,"Records":[{"SequenceNumber":"5","ShardId":"shardId-000000000001"}]})");
  const std::string mixed = PutRecordsBody({Stored(0, 7), failed});
  EXPECT_EQ(mixed,
            R"({"FailedRecordCount":1,"Records":[{"SequenceNumber":"7","ShardId":"shardId-000000000000"},)"
            R"({"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded"}]})");
  const Padded padded(mixed);
  const auto read = ReadPutRecords(padded.view());
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[0].shard_id, "shardId-000000000000");
  EXPECT_EQ((*read)[0].sequence.ToDecimal(), "7");
  ASSERT_TRUE((*read)[1].error);
  EXPECT_EQ((*read)[1].error->code(), ErrorCode::kOverloaded);
}

TEST(Answers, GetRecordsSurvivesTheRoundTrip) {
  GetRecordsAnswer answer;
  const std::string data("\x00\xff\x10zz", 5);
  RecordShape record;
  record.sequence.words[2] = 99;
  record.arrival = TimestampFromMs(1763692800123);
  record.partition_key = "k\"\n\xE6\xB5\x81";
  record.data = data;
  answer.records = {record, record};
  answer.records[1].data = "";
  answer.next_iterator = "AAA=";
  answer.behind_ms = 42;
  const std::string body = GetRecordsBody(answer);
  EXPECT_EQ(body.find(' '), std::string::npos);
  const Padded padded(body);
  const auto read = ReadGetRecords(padded.view());
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->records.size(), 2U);
  EXPECT_EQ(read->records[0].data.view(), data);
  EXPECT_EQ(read->records[0].partition_key, record.partition_key);
  EXPECT_EQ(read->records[0].arrival, record.arrival);
  EXPECT_EQ(read->records[0].sequence, record.sequence);
  EXPECT_TRUE(read->records[1].data.empty());
  EXPECT_EQ(read->next_iterator, "AAA=");
  EXPECT_EQ(read->behind_ms, 42);
}

TEST(Answers, TheEndOfAShardNamesItsChildren) {
  GetRecordsAnswer answer;
  ChildShardShape child;
  child.shard_id = ShardIdOf(2);
  child.parents = {ShardIdOf(0), ShardIdOf(1)};
  child.hash_end = UInt128::Max();
  answer.children = {child};
  const std::string body = GetRecordsBody(answer);
  EXPECT_EQ(
      body,
      R"({"Records":[],"MillisBehindLatest":0,"ChildShards":[{"ShardId":"shardId-000000000002",)"
      R"("ParentShards":["shardId-000000000000","shardId-000000000001"],"HashKeyRange":{"StartingHashKey":"0",)"
      R"("EndingHashKey":"340282366920938463463374607431768211455"}}]})");
  const Padded padded(body);
  const auto read = ReadGetRecords(padded.view());
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->next_iterator.empty());
  EXPECT_EQ(read->children, std::vector<std::string>{"shardId-000000000002"});
}

TEST(Readers, RefuseBrokenAnswers) {
  for (const char* body : {"", "[]", "{", R"({"Records":[{}]})", R"({"Records":[{"SequenceNumber":"x"}]})",
                           R"({"Records":[{"SequenceNumber":"1","Data":"a"}]})", R"({"Records":[]}{})"}) {
    const Padded padded{std::string(body)};
    EXPECT_FALSE(ReadGetRecords(padded.view()).ok()) << body;
  }
  for (const char* body : {"", "{}", R"({"Records":3})", R"({"Records":[{"ShardId":"s"}]})"}) {
    const Padded padded{std::string(body)};
    EXPECT_FALSE(ReadPutRecords(padded.view()).ok()) << body;
  }
}

TEST(Leases, SurviveTheRoundTrip) {
  LeaseShape lease;
  lease.application = "app";
  lease.stream = "s";
  lease.shard_id = ShardIdOf(3);
  lease.owner = "worker-1";
  lease.counter = ~0ULL;
  lease.expires = TimestampFromMs(1763692800123);
  lease.checkpoint = SequenceNumber();
  lease.checkpoint->words[1] = 17;
  lease.finished = true;
  lease.state = std::string("\0\xff", 2);
  const codec::Json json = MustParse(LeaseBody(lease));
  ASSERT_NE(json.Find("Lease"), nullptr);
  const auto read = ReadLease(*json.Find("Lease"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->application, lease.application);
  EXPECT_EQ(read->counter, lease.counter);
  EXPECT_EQ(read->expires, lease.expires);
  EXPECT_EQ(read->checkpoint, lease.checkpoint);
  EXPECT_EQ(read->finished, true);
  EXPECT_EQ(read->state, lease.state);
}

TEST(Answers, DescriptionsHaveKinesisMembers) {
  StreamShape stream;
  stream.name = "s";
  stream.arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
  stream.status = "ACTIVE";
  stream.created = TimestampFromMs(1000);
  ShardShape shard;
  shard.shard_id = ShardIdOf(0);
  shard.hash_end = UInt128::Max();
  EXPECT_EQ(
      DescribeStreamBody(stream, {shard}, false),
      R"({"StreamDescription":{"StreamName":"s","StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s",)"
      R"("StreamStatus":"ACTIVE","StreamModeDetails":{"StreamMode":"PROVISIONED"},"StreamCreationTimestamp":1,)"
      R"("RetentionPeriodHours":24,"EnhancedMonitoring":[{"ShardLevelMetrics":[]}],"EncryptionType":"NONE",)"
      R"("Shards":[{"ShardId":"shardId-000000000000","HashKeyRange":{"StartingHashKey":"0","EndingHashKey":)"
      R"("340282366920938463463374607431768211455"},"SequenceNumberRange":{"StartingSequenceNumber":"0"}}],)"
      R"("HasMoreShards":false}})");
  EXPECT_EQ(ListStreamsBody({}, ""), R"({"StreamNames":[],"HasMoreStreams":false,"StreamSummaries":[]})");
}

}  // namespace
}  // namespace honryu::wire
