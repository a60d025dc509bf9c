#include "honryu/client/aggregation.h"

#include "honryu/async/runtime.h"
#include "honryu/codec/kpl.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <map>

namespace honryu::client {
namespace {

class Aggregation : public ::testing::Test {
 protected:
  Aggregation() {
    StreamSettings settings;
    settings.shards = 2;
    EXPECT_TRUE(runtime_.BlockOn(fake_.EnsureStream(Soon(), "s", settings)).ok());
  }
  static async::Context Soon() { return async::Context::WithTimeout(std::chrono::seconds(20)); }
  static PutEntry Entry(std::string key, std::string data, std::optional<UInt128> hash = std::nullopt) {
    PutEntry entry;
    entry.partition_key = std::move(key);
    entry.data = Bytes(std::move(data));
    entry.explicit_hash_key = hash;
    return entry;
  }
  std::vector<Result<PutPosition>> Put(AggregatingWriter& writer, std::vector<PutEntry> entries) {
    auto results = runtime_.BlockOn(writer.Put(Soon(), std::move(entries)));
    EXPECT_TRUE(results.ok());
    return results.ok() ? std::move(*results) : std::vector<Result<PutPosition>>();
  }
  std::vector<ShardDescription> Shards() { return runtime_.BlockOn(fake_.ListShards(Soon(), "s")).value(); }
  std::vector<StreamRecord> Raw(const std::string& shard) {
    ReadRequest request;
    request.stream = "s";
    request.shard_id = shard;
    request.from = FromTrimHorizon{};
    return runtime_.BlockOn(fake_.Read(Soon(), request)).value().records;
  }
  // What consumers of all shards see, by partition key.
  std::map<std::string, std::string> SeenByKey() {
    std::map<std::string, std::string> seen;
    for (const ShardDescription& shard : Shards()) {
      for (const StreamRecord& record : OpenAggregates(Raw(shard.shard_id), shard))
        seen[record.partition_key].append(record.data.view()).append(" ");
    }
    return seen;
  }

  ManualClock clock_{TimestampFromMs(1'800'000'000'000)};
  async::Runtime runtime_{async::RuntimeOptions{1, 1}};
  testing::FakeStreamClient fake_{clock_};
};

TEST_F(Aggregation, OneRecordForEachShardAndOrderIsKept) {
  AggregatingWriter writer(fake_, "s");
  std::vector<PutEntry> entries;
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 500; ++i) {
    const std::string key = "key-" + std::to_string(i % 20);
    const std::string data = std::to_string(i);
    entries.push_back(Entry(key, data));
    expected[key].append(data).append(" ");
  }
  const auto results = Put(writer, entries);
  ASSERT_EQ(results.size(), 500U);
  for (const ShardDescription& shard : Shards()) EXPECT_EQ(Raw(shard.shard_id).size(), 1U);
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i].ok());
    EXPECT_EQ(results[i]->sequence, Raw(results[i]->shard_id).at(0).sequence);
  }
  EXPECT_EQ(SeenByKey(), expected);
}

TEST_F(Aggregation, OpenedRecordsShareNumberArrivalAndMemory) {
  AggregatingWriter writer(fake_, "s");
  Put(writer, {Entry("k", "one", UInt128(0, 5)), Entry("l", "two", UInt128(0, 6))});
  const ShardDescription shard = Shards()[0];
  const std::vector<StreamRecord> raw = Raw(shard.shard_id);
  ASSERT_EQ(raw.size(), 1U);
  EXPECT_EQ(raw[0].partition_key, "a");
  EXPECT_TRUE(MayHoldAggregates(raw));
  const std::vector<StreamRecord> opened = OpenAggregates(raw, shard);
  ASSERT_EQ(opened.size(), 2U);
  for (std::uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(opened[i].sequence, raw[0].sequence);
    EXPECT_EQ(opened[i].arrival, raw[0].arrival);
    EXPECT_EQ(opened[i].sub_sequence, i);
    EXPECT_EQ(opened[i].data.owner(), raw[0].data.owner());
  }
  EXPECT_EQ(opened[1].partition_key, "l");
  EXPECT_EQ(opened[1].data.view(), "two");
}

TEST_F(Aggregation, ASingleRecordALargeOneAndAnAggregateGoPlain) {
  AggregatingWriter writer(fake_, "s", AggregationConfig{.max_bytes = 1000});
  Put(writer, {Entry("k", "alone", UInt128())});
  codec::KplAggregateWriter made;
  made.Add({"x", UInt128(), "inside"});
  const std::string aggregate = made.Finish();
  const std::string large(1001, 'x');
  Put(writer, {Entry("k", "1", UInt128()), Entry("k", "2", UInt128()), Entry("k", large, UInt128()),
               Entry("k", aggregate, UInt128()), Entry("k", "3", UInt128()), Entry("k", "4", UInt128())});
  const std::vector<StreamRecord> raw = Raw(Shards()[0].shard_id);
  ASSERT_EQ(raw.size(), 5U);
  EXPECT_EQ(raw[0].data.view(), "alone");
  EXPECT_EQ(raw[0].partition_key, "k");
  EXPECT_EQ(raw[2].data.view(), large);
  EXPECT_EQ(raw[3].data.view(), aggregate);
  std::string order;
  for (const StreamRecord& record : OpenAggregates(raw, Shards()[0]))
    order.append(record.data.size() > 100 ? "large" : record.data.view()).append(" ");
  EXPECT_EQ(order, "alone 1 2 large inside 3 4 ");
}

TEST_F(Aggregation, FullAggregatesAreSentAndANewOneBegins) {
  AggregatingWriter writer(fake_, "s", AggregationConfig{.max_bytes = 1000});
  std::vector<PutEntry> entries;
  for (int i = 0; i < 50; ++i) entries.push_back(Entry("k", std::string(100, 'x'), UInt128()));
  Put(writer, entries);
  const std::vector<StreamRecord> raw = Raw(Shards()[0].shard_id);
  EXPECT_EQ(raw.size(), 6U);
  for (const StreamRecord& record : raw) EXPECT_LE(record.data.size(), 1000U);
  EXPECT_EQ(OpenAggregates(raw, Shards()[0]).size(), 50U);
}

TEST_F(Aggregation, AfterASplitEveryRecordIsSeenOnce) {
  AggregatingWriter writer(fake_, "s");
  std::vector<PutEntry> entries;
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key-" + std::to_string(i);
    entries.push_back(Entry(key, "data"));
    expected[key] = "data data ";
  }
  Put(writer, entries);
  fake_.Split("s", Shards()[0].shard_id);
  for (const Result<PutPosition>& result : Put(writer, entries)) EXPECT_TRUE(result.ok());
  EXPECT_EQ(SeenByKey(), expected);
}

TEST_F(Aggregation, RecordsOfAnotherShardAreLeftOut) {
  codec::KplAggregateWriter made;
  made.Add({"low", UInt128(), "1"});
  made.Add({"high", UInt128::Max(), "2"});
  StreamRecord record;
  record.data = Bytes(made.Finish());
  const std::vector<ShardDescription> shards = Shards();
  const auto low = OpenAggregates({record}, shards[0]);
  ASSERT_EQ(low.size(), 1U);
  EXPECT_EQ(low[0].data.view(), "1");
  const auto high = OpenAggregates({record}, shards[1]);
  ASSERT_EQ(high.size(), 1U);
  EXPECT_EQ(high[0].data.view(), "2");
  EXPECT_EQ(high[0].sub_sequence, 1U);
}

TEST_F(Aggregation, ErrorsReachEveryRecordOfTheirAggregate) {
  AggregatingWriter writer(fake_, "s");
  fake_.FailEntries([](const PutEntry& entry) -> std::optional<Error> {
    if (entry.explicit_hash_key != UInt128(0, 1)) return std::nullopt;
    return Error(ErrorCode::kOverloaded, "on purpose");
  });
  const auto results = Put(writer, {Entry("a", "1", UInt128(0, 1)), Entry("b", "2", UInt128(0, 2)),
                                    Entry("c", "3", UInt128::Max())});
  EXPECT_EQ(results[0].error().code(), ErrorCode::kOverloaded);
  EXPECT_EQ(results[1].error().code(), ErrorCode::kOverloaded);
  EXPECT_TRUE(results[2].ok());
  fake_.FailPuts(1, Error(ErrorCode::kUnavailable, "gone"));
  const auto failed = runtime_.BlockOn(writer.Put(Soon(), {Entry("a", "1")}));
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace honryu::client
