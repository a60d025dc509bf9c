#include "honryu/base/random.h"
#include "honryu/broker/sequence.h"
#include "tests/unit/broker/fixture.h"

#include <map>
#include <thread>

namespace honryu::broker {
namespace {

TEST_F(BrokerTest, InitialShardsDivideTheWholeRangeAsKinesisDoes) {
  for (const int count : {1, 2, 3, 4, 7, 1000}) {
    const std::string name = "s" + std::to_string(count);
    MakeStream(name, count);
    const Stream stream = broker_->Describe(name).value();
    ASSERT_EQ(stream.shards.size(), static_cast<std::size_t>(count));
    EXPECT_EQ(stream.shards.front().hash_start, UInt128());
    EXPECT_EQ(stream.shards.back().hash_end, UInt128::Max());
    for (std::size_t i = 1; i < stream.shards.size(); ++i) {
      EXPECT_EQ(stream.shards[i].hash_start.native(), stream.shards[i - 1].hash_end.native() + 1);
    }
  }
  EXPECT_EQ(broker_->Describe("s2")->shards[0].hash_end.ToDecimal(),
            "170141183460469231731687303715884105727");
  EXPECT_EQ(broker_->Describe("s3")->shards[0].hash_end.ToDecimal(),
            "113427455640312821154458202477256070484");
}

TEST_F(BrokerTest, RoutesByMd5OrExplicitHashKeyAndKeepsOrder) {
  MakeStream("s", 4);
  const Stream stream = broker_->Describe("s").value();
  std::map<std::uint32_t, std::vector<std::string>> expected;
  SequenceNumber last[4];
  for (int i = 0; i < 200; ++i) {
    const std::string key = "key-" + std::to_string(i), data = std::to_string(i);
    const PutPlace place = PutOne("s", key, data);
    const UInt128 hash = Md5HashKey(key);
    EXPECT_LE(stream.shards[place.shard].hash_start, hash);
    EXPECT_GE(stream.shards[place.shard].hash_end, hash);
    EXPECT_GT(place.sequence, last[place.shard]);
    EXPECT_GT(place.sequence, stream.shards[place.shard].starting);
    last[place.shard] = place.sequence;
    expected[place.shard].push_back(data);
  }
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    EXPECT_FALSE(expected[shard].empty());
    EXPECT_EQ(Texts(Find("s", shard, IteratorType::kTrimHorizon).value()), expected[shard]);
  }
  const auto edges = Put("s", {{"k", "low", UInt128()}, {"k", "high", UInt128::Max()}});
  EXPECT_EQ(edges->at(0)->shard, 0u);
  EXPECT_EQ(edges->at(1)->shard, 3u);
}

TEST_F(BrokerTest, ABigRequestThatIsPackedOnTwoThreadsIsReadBackRecordByRecord) {
  constexpr std::size_t kShards = 5, kRecords = 1000;
  MakeStream("s", kShards);
  std::vector<std::string> keys, data;
  for (std::size_t i = 0; i < kRecords; ++i) {
    keys.push_back("key-" + std::to_string(i));
    data.push_back(std::to_string(i) + std::string(i % 700, 'x'));
  }
  std::vector<PutRecordEntry> entries;
  for (std::size_t i = 0; i < kRecords; ++i) entries.push_back({keys[i], data[i], std::nullopt});
  const auto put = Put("s", entries);
  ASSERT_TRUE(put.ok()) << put.error().message();
  std::map<std::pair<std::uint32_t, std::string>, std::string> stored;  // by shard and sequence number
  std::size_t read = 0;
  for (std::uint32_t shard = 0; shard < kShards; ++shard) {
    const Result<ReadResult> batch = Read(Find("s", shard, IteratorType::kTrimHorizon).value());
    ASSERT_TRUE(batch.ok());
    for (const ReadRecord& record : batch->records) {
      stored[{shard, record.sequence.ToDecimal()}] = std::string(record.data.view());
      ++read;
    }
  }
  EXPECT_EQ(read, kRecords);
  for (std::size_t i = 0; i < kRecords; ++i) {
    const PutPlace& place = (*put)[i].value();
    EXPECT_EQ((stored[{place.shard, place.sequence.ToDecimal()}]), data[i]);
  }
}

TEST_F(BrokerTest, ARecordThatIsTooLargeDoesNotHurtItsNeighbours) {
  MakeStream("s", 1);
  const std::string large(config_.max_record_bytes, 'x');
  const auto results =
      Put("s", {{"a", "one", std::nullopt}, {"b", large, std::nullopt}, {"c", "two", std::nullopt}});
  ASSERT_TRUE(results.ok());
  EXPECT_TRUE(results->at(0).ok());
  EXPECT_EQ(results->at(1).error().code(), ErrorCode::kTooLarge);
  EXPECT_TRUE(results->at(2).ok());
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kTrimHorizon).value()),
            (std::vector<std::string>{"one", "two"}));
}

TEST_F(BrokerTest, EveryIteratorTypeBeginsWhereItShould) {
  MakeStream("s", 1);
  std::vector<PutPlace> places;
  std::vector<Timestamp> times;
  for (int i = 0; i < 5; ++i) {
    times.push_back(clock_.Now());
    places.push_back(PutOne("s", "k", std::to_string(i)));
    clock_.Advance(std::chrono::seconds(10));
  }
  using Texts5 = std::vector<std::string>;
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kTrimHorizon).value()).size(), 5u);
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kLatest).value()).size(), 0u);
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kAtSequenceNumber, places[2].sequence).value()),
            (Texts5{"2", "3", "4"}));
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kAfterSequenceNumber, places[2].sequence).value()),
            (Texts5{"3", "4"}));
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kAtTimestamp, std::nullopt, times[3]).value()),
            (Texts5{"3", "4"}));
  EXPECT_EQ(
      Texts(Find("s", 0, IteratorType::kAtTimestamp, std::nullopt, times[3] + std::chrono::milliseconds(1))
                .value()),
      (Texts5{"4"}));
  EXPECT_EQ(
      Texts(Find("s", 0, IteratorType::kAtSequenceNumber, broker_->Describe("s")->shards[0].starting).value())
          .size(),
      5u);
  EXPECT_EQ(Find("s", 0, IteratorType::kAtTimestamp, std::nullopt, clock_.Now() + std::chrono::hours(1))
                .error()
                .code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(Find("s", 7, IteratorType::kLatest).error().code(), ErrorCode::kNotFound);
  const SequenceNumber foreign = EncodeSequence({1'800'000'000, 3, 1'800'000'000, 9});
  EXPECT_EQ(Find("s", 0, IteratorType::kAtSequenceNumber, foreign).error().code(),
            ErrorCode::kInvalidArgument);
}

TEST_F(BrokerTest, NothingOlderThanTheRetentionIsRead) {
  MakeStream("s", 1);
  PutOne("s", "k", "old");
  clock_.Advance(std::chrono::hours(23));
  PutOne("s", "k", "young");
  clock_.Advance(std::chrono::hours(2));
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kTrimHorizon).value()), (std::vector<std::string>{"young"}));
  ASSERT_TRUE(runtime_.BlockOn(broker_->SetRetention(Soon(), "s", 48)).ok());
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kTrimHorizon).value()).size(), 2u);
}

TEST_F(BrokerTest, TokensExpireCannotBeForgedAndDieWithTheirStream) {
  MakeStream("s", 1);
  PutOne("s", "k", "a");
  const std::string token = broker_->EncodeIterator(Find("s", 0, IteratorType::kTrimHorizon).value());
  EXPECT_LE(token.size(), 512u);
  EXPECT_TRUE(broker_->DecodeIterator(token).ok());
  EXPECT_TRUE(broker_->DecodeIterator("\"" + token + "\"").ok());
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string forged = token;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(broker_->DecodeIterator(forged).ok()) << i;
  }
  const ShardPlace place = broker_->DecodeIterator(token).value();
  Close();
  Open();
  EXPECT_TRUE(broker_->DecodeIterator(token).ok()) << "tokens must survive a restart";
  clock_.Advance(std::chrono::minutes(6));
  EXPECT_EQ(broker_->DecodeIterator(token).error().code(), ErrorCode::kExpired);
  ASSERT_TRUE(runtime_.BlockOn(broker_->DeleteStream(Soon(), "s")).ok());
  while (broker_->Describe("s").ok()) std::this_thread::yield();
  MakeStream("s", 1);
  EXPECT_EQ(Read(place).error().code(), ErrorCode::kNotFound);
}

// Eight bytes that count to 1, then whole blocks of 16: some clients look at that.
TEST_F(BrokerTest, TokensHaveTheShapeOfKinesisOnes) {
  for (const std::size_t size : {1U, 13U, 14U, 29U, 30U, 128U}) {
    const std::string name(size, 'n');
    const ShardPlace place{name, 7, 3, 99, clock_.Now()};
    const std::string token = broker_->EncodeIterator(place);
    EXPECT_TRUE(token.starts_with("AAAAAAAAAAE")) << token;
    EXPECT_EQ(token.size(), (152 + (size + 2) / 16 * 16 + 2) / 3 * 4) << size;
    const Result<ShardPlace> back = broker_->DecodeIterator(token);
    ASSERT_TRUE(back.ok()) << size;
    EXPECT_EQ(back->stream, name);
    EXPECT_EQ(back->incarnation, 7U);
    EXPECT_EQ(back->shard, 3U);
    EXPECT_EQ(back->offset, 99U);
  }
}

TEST_F(BrokerTest, CreatingAndDeletingAreSeenByThoseWhoAsk) {
  Close();
  config_.update_delay = std::chrono::hours(1);
  Open();
  ASSERT_TRUE(runtime_.BlockOn(broker_->CreateStream(Soon(), "s", 1, {}, true)).ok());
  EXPECT_EQ(broker_->Describe("s")->status, StreamStatus::kCreating);
  EXPECT_FALSE(Put("s", {{"k", "d", std::nullopt}}).ok());
  ASSERT_TRUE(runtime_.BlockOn(broker_->DeleteStream(Soon(), "s", true)).ok());
  EXPECT_EQ(broker_->Describe("s")->status, StreamStatus::kDeleting);
  EXPECT_TRUE(broker_->Describe("s")->shards.empty());
  // A stop does not wait for the hour; the next start finishes what was begun.
  Close();
  Open();
  while (broker_->Describe("s").ok()) std::this_thread::yield();
}

TEST_F(BrokerTest, OnlyRecordsThatWereTakenAreCounted) {
  MakeStream("s", 1000);
  const std::string large(config_.max_record_bytes, 'x');
  const auto results =
      Put("s", {{"a", "1", std::nullopt}, {"b", large, std::nullopt}, {"c", "3", std::nullopt}});
  ASSERT_TRUE(results.ok());
  EXPECT_TRUE(results->at(0).ok() && results->at(2).ok());
  EXPECT_EQ(results->at(1).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(Put("s", {{"b", large, std::nullopt}})->at(0).error().code(), ErrorCode::kTooLarge);
  for (const std::size_t i : {0u, 2u}) {
    const std::uint32_t shard = results->at(i)->shard;
    EXPECT_EQ(Texts(Find("s", shard, IteratorType::kTrimHorizon).value()),
              std::vector<std::string>{i == 0 ? "1" : "3"});
  }
  EXPECT_NE(results->at(0)->shard, results->at(2)->shard);
  const std::string text = metrics_.Render();
  EXPECT_NE(text.find(R"(honryu_broker_incoming_records_total{stream="s"} 2)"), std::string::npos);
  EXPECT_NE(text.find(R"(honryu_broker_incoming_bytes_total{stream="s"} 4)"), std::string::npos);
  // By shard too, those that got nothing included.
  const auto by_shard = [&text](std::uint32_t shard, int records) {
    return text.find("honryu_broker_shard_incoming_records_total{shard=\"" + ShardIdText(shard) +
                     "\",stream=\"s\"} " + std::to_string(records) + "\n") != std::string::npos;
  };
  EXPECT_TRUE(by_shard(results->at(0)->shard, 1));
  EXPECT_TRUE(by_shard(results->at(2)->shard, 1));
  for (std::uint32_t shard = 0; shard < 1000; ++shard) {
    const bool met = shard == results->at(0)->shard || shard == results->at(2)->shard;
    if (!met) EXPECT_TRUE(by_shard(shard, 0)) << shard;
  }
}

TEST_F(BrokerTest, SeriesOfAStreamGoWithIt) {
  MakeStream("s", 1);
  PutOne("s", "k", "x");
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kTrimHorizon).value()).size(), 1u);
  // A change of the stream keeps its counts.
  ASSERT_TRUE(runtime_.BlockOn(broker_->SetRetention(Soon(), "s", 48)).ok());
  PutOne("s", "k", "y");
  const std::string before = metrics_.Render();
  EXPECT_NE(before.find(R"(honryu_broker_incoming_records_total{stream="s"} 2)"), std::string::npos);
  EXPECT_NE(before.find("honryu_broker_get_records_iterator_age_milliseconds{shard=\"shardId-000000000000\""),
            std::string::npos);
  ASSERT_TRUE(runtime_.BlockOn(broker_->DeleteStream(Soon(), "s")).ok());
  const MonoTime until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (metrics_.Render().find(R"(stream="s")") != std::string::npos &&
         std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  EXPECT_EQ(metrics_.Render().find(R"(stream="s")"), std::string::npos);
  EXPECT_NE(metrics_.Render().find("\nhonryu_broker_open_shards 0\n"), std::string::npos);
  MakeStream("s", 1);
  PutOne("s", "k", "z");
  EXPECT_NE(metrics_.Render().find(R"(honryu_broker_incoming_records_total{stream="s"} 1)"),
            std::string::npos);
}

TEST_F(BrokerTest, ASnapshotStaysAsItWas) {
  EXPECT_EQ(broker_->Snapshot("s").error().code(), ErrorCode::kNotFound);
  MakeStream("s", 2);
  const StreamSnapshot before = broker_->Snapshot("s").value();
  ASSERT_TRUE(runtime_.BlockOn(broker_->SetRetention(Soon(), "s", 48)).ok());
  EXPECT_EQ(before->retention_hours, 24);
  EXPECT_EQ(broker_->Snapshot("s").value()->retention_hours, 48);
  MakeStream("a", 1);
  const std::vector<StreamSnapshot> all = broker_->Snapshots();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]->name, "a");
}

TEST_F(BrokerTest, ALongPollAnswersWithTheNextRecord) {
  MakeStream("s", 1);
  const ShardPlace latest = Find("s", 0, IteratorType::kLatest).value();
  EXPECT_TRUE(Read(latest, std::chrono::milliseconds(5))->records.empty());
  std::thread writer([this] { PutOne("s", "k", "now"); });
  const Result<ReadResult> read = Read(latest, std::chrono::seconds(20));
  writer.join();
  ASSERT_EQ(read->records.size(), 1u);
  EXPECT_EQ(read->records[0].partition_key, "k");
  EXPECT_EQ(read->behind_latest, Duration::zero());
}

TEST_F(BrokerTest, WhatACrashCutShortIsFinishedAtTheNextStart) {
  MakeStream("s", 2);
  Close();
  log::MetaStore::Entry row = meta_->Get("stream/s").value();
  const auto with_status = [&](int status) {
    std::string text = row.value;
    const std::size_t at = text.find("\"status\":") + 9;
    text[at] = static_cast<char>('0' + status);
    row.version = meta_->Get("stream/s")->version;
    ASSERT_TRUE(meta_->Commit({{"stream/s", text, row.version}}).ok());
  };
  with_status(static_cast<int>(StreamStatus::kCreating));
  Open();
  ASSERT_TRUE(runtime_.BlockOn(broker_->WaitActive(Soon(), "s")).ok());
  PutOne("s", "k", "works");
  Close();
  with_status(static_cast<int>(StreamStatus::kDeleting));
  Open();
  while (broker_->Describe("s").ok()) std::this_thread::yield();  // the test's time limit is the bound
  EXPECT_EQ(broker_->Describe("s").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(engine_->ListPartitions().empty());
}

TEST(ShardId, IsReadLeniently) {
  EXPECT_EQ(ShardIdText(12), "shardId-000000000012");
  EXPECT_EQ(ParseShardId("shardId-000000000012"), 12u);
  EXPECT_EQ(ParseShardId("anything-7"), 7u);
  EXPECT_EQ(ParseShardId("2147483647"), 2147483647u);
  for (const char* bad : {"", "shardId-", "shardId-x", "2147483648", "1 ", "shardId-99999999999999999999"})
    EXPECT_FALSE(ParseShardId(bad)) << bad;
}

}  // namespace
}  // namespace honryu::broker
