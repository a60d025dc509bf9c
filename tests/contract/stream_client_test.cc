#include "tests/support/stream_client_fixture.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

// What every StreamClient promises (honryu/client/stream_client.h), asked of each implementation.
namespace honryu::client {
namespace {

/// The parameter: true for the remote client.
class StreamClientContract : public StreamClientFixture, public ::testing::TestWithParam<bool> {
 protected:
  StreamClientContract() : StreamClientFixture(GetParam()) {}
};

TEST_P(StreamClientContract, EnsureStreamCreatesOnceWithItsRetention) {
  MakeStream("s", 3, 48);
  MakeStream("s", 5, 24);
  const auto stream = server_.broker().Describe("s");
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ(stream->shards.size(), 3U);
  EXPECT_EQ(stream->retention_hours, 48);
}

/// The same, where new streams keep their records for three days.
class StreamClientOnPatientServer : public StreamClientFixture, public ::testing::TestWithParam<bool> {
 protected:
  StreamClientOnPatientServer() : StreamClientFixture(GetParam(), Patient()) {}
  static broker::BrokerConfig Patient() {
    broker::BrokerConfig config;
    config.default_retention_hours = 72;
    return config;
  }
};

TEST_P(StreamClientOnPatientServer, EnsureStreamGivesTheRetentionAskedForWhateverTheServersDefault) {
  for (const int hours : {24, 48, 72, 96}) {
    const std::string name = "s" + std::to_string(hours);
    MakeStream(name, 1, hours);
    EXPECT_EQ(server_.broker().Snapshot(name).value()->retention_hours, hours);
  }
}

TEST_P(StreamClientContract, ListShardsReadsEveryPage) {
  MakeStream("s", 1001);
  const auto shards = Await(client_->ListShards(Soon(), "s"));
  ASSERT_TRUE(shards.ok()) << shards.error().ToString();
  ASSERT_EQ(shards->size(), 1001U);
  EXPECT_EQ((*shards)[0].hash_start, UInt128());
  EXPECT_EQ((*shards)[1000].hash_end, UInt128::Max());
  EXPECT_EQ((*shards)[1000].shard_id, "shardId-000000001000");
  EXPECT_TRUE((*shards)[1000].open);
  EXPECT_TRUE((*shards)[1000].parent_id.empty());
}

TEST_P(StreamClientContract, PutSplitsLargeCallsAndKeepsOrder) {
  MakeStream("s", 2);
  std::vector<PutEntry> entries;
  std::vector<std::string> data;
  for (int i = 0; i < 1201; ++i) {
    data.push_back("record " + std::to_string(i));
    entries.push_back(Entry("key " + std::to_string(i % 7), data.back()));
  }
  const auto results = Await(client_->Put(Soon(), "s", std::move(entries)));
  ASSERT_TRUE(results.ok()) << results.error().ToString();
  ASSERT_EQ(results->size(), data.size());
  std::map<std::string, std::vector<std::pair<SequenceNumber, std::string>>> expected;
  for (std::size_t i = 0; i < data.size(); ++i) {
    ASSERT_TRUE((*results)[i].ok());
    expected[(*results)[i]->shard_id].emplace_back((*results)[i]->sequence, data[i]);
  }
  ASSERT_EQ(expected.size(), 2U);
  for (const auto& [shard_id, records] : expected) {
    ReadRequest request;
    request.stream = "s";
    request.shard_id = shard_id;
    request.from = FromTrimHorizon{};
    std::vector<std::pair<SequenceNumber, std::string>> got;
    for (int i = 0; i < 100 && got.size() < records.size(); ++i) {
      Result<ReadBatch> batch = Await(client_->Read(Soon(), request));
      ASSERT_TRUE(batch.ok()) << batch.error().ToString();
      for (const StreamRecord& record : batch->records) got.emplace_back(record.sequence, record.data.view());
      request.from = FromCursor{batch->next};
      request.max_records = 100;
    }
    EXPECT_EQ(got, records);
  }
}

TEST_P(StreamClientContract, PutSplitsByBytes) {
  MakeStream("s", 1);
  std::vector<PutEntry> entries;
  for (int i = 0; i < 12; ++i)
    entries.push_back(Entry("k", std::string(1000000, static_cast<char>('a' + i))));
  const auto results = Await(client_->Put(Soon(), "s", std::move(entries)));
  ASSERT_TRUE(results.ok()) << results.error().ToString();
  ASSERT_EQ(results->size(), 12U);
  SequenceNumber last;
  for (const auto& result : *results) {
    ASSERT_TRUE(result.ok());
    EXPECT_LT(last, result->sequence);
    last = result->sequence;
  }
}

TEST_P(StreamClientContract, ErrorsKeepTheirCode) {
  MakeStream("s", 1);
  std::vector<PutEntry> one;
  one.push_back(Entry("k", "x"));
  EXPECT_EQ(Await(client_->Put(Soon(), "none", std::move(one))).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Await(client_->ListShards(Soon(), "none")).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Read("none", FromTrimHorizon{}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Read("s", FromCursor{"x"}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Read("s", FromCursor{"H|x"}).error().code(), ErrorCode::kInvalidArgument);
}

TEST_P(StreamClientContract, ARecordThatIsTooLargeDoesNotHurtItsNeighbours) {
  MakeStream("s", 1);
  std::vector<PutEntry> entries;
  for (int i = 0; i < 20; ++i) entries.push_back(Entry("k", "small " + std::to_string(i)));
  entries[7] = Entry("k", std::string((1 << 20) + 1, 'x'));
  entries[19] = Entry("k", std::string(2 << 20, 'x'));
  const auto results = Await(client_->Put(Soon(), "s", std::move(entries)));
  ASSERT_TRUE(results.ok()) << results.error().ToString();
  ASSERT_EQ(results->size(), 20U);
  std::string stored;
  for (std::size_t i = 0; i < 20; ++i) {
    const Result<PutPosition>& one = (*results)[i];
    if (i != 7 && i != 19) {
      EXPECT_TRUE(one.ok()) << one.error().ToString();
      stored += "small " + std::to_string(i) + " ";
      continue;
    }
    ASSERT_FALSE(one.ok());
    EXPECT_TRUE(one.error().code() == ErrorCode::kTooLarge ||
                one.error().code() == ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(Data(Read("s", FromTrimHorizon{})), stored);
}

TEST_P(StreamClientContract, EveryStartPositionFindsItsPlace) {
  MakeStream("s", 1);
  const Result<ReadBatch> tip = Read("s", FromLatest{});
  ASSERT_TRUE(tip.ok());
  PutOne("s", "a");
  clock_.Advance(std::chrono::seconds(10));
  const Timestamp middle = clock_.Now();
  PutOne("s", "b");
  PutOne("s", "c");
  const Result<ReadBatch> all = Read("s", FromTrimHorizon{});
  EXPECT_EQ(Data(all), "a b c ");
  EXPECT_EQ(all->records[0].partition_key, "k");
  EXPECT_EQ(all->records[0].arrival, TimestampFromMs(1795255200000));
  EXPECT_EQ(Data(Read("s", FromTimestamp{middle})), "b c ");
  EXPECT_EQ(Data(Read("s", AfterSequence{all->records[1].sequence})), "c ");
  EXPECT_EQ(Data(Read("s", FromCursor{tip->next})), "a b c ");
  EXPECT_EQ(Data(Read("s", FromCursor{all->next})), "");
}

TEST_P(StreamClientContract, AnExpiredCursorGoesOnWhereItWas) {
  MakeStream("s", 1);
  const Result<ReadBatch> untouched = Read("s", FromTrimHorizon{});
  ASSERT_TRUE(untouched.ok());
  for (const char* data : {"a", "b", "c"}) PutOne("s", data);
  const Result<ReadBatch> first = Read("s", FromTrimHorizon{}, 2);
  EXPECT_EQ(Data(first), "a b ");
  clock_.Advance(std::chrono::minutes(6));
  EXPECT_EQ(Data(Read("s", FromCursor{first->next})), "c ");
  EXPECT_EQ(Data(Read("s", FromCursor{untouched->next})), "a b c ");
}

TEST_P(StreamClientContract, LeasesArePassedOnAndFenced) {
  MakeStream("s", 1);
  const Duration life = std::chrono::seconds(10);
  const auto acquire = [&](const char* owner) {
    return Await(client_->AcquireLease(Soon(), "app", "s", "shardId-000000000000", owner, life));
  };
  Result<Lease> held = acquire("w1");
  ASSERT_TRUE(held.ok()) << held.error().ToString();
  EXPECT_EQ(held->owner, "w1");
  EXPECT_EQ(acquire("w2").error().code(), ErrorCode::kConflict);
  held = Await(client_->RenewLease(Soon(), *held, life));
  ASSERT_TRUE(held.ok());
  held->checkpoint = SequenceNumber();
  held->checkpoint->words[2] = 77;
  held->state = std::string("\0\xff state", 8);
  held->finished = true;
  ASSERT_TRUE(Await(client_->SaveCheckpoint(Soon(), *held)).ok());
  const auto listed = Await(client_->ListLeases(Soon(), "app", "s"));
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ((*listed)[0].state, held->state);
  EXPECT_EQ((*listed)[0].checkpoint, held->checkpoint);
  EXPECT_TRUE((*listed)[0].finished);
  EXPECT_EQ((*listed)[0].counter, held->counter);
  clock_.Advance(std::chrono::seconds(11));
  const Result<Lease> stolen = acquire("w2");
  ASSERT_TRUE(stolen.ok());
  EXPECT_GT(stolen->counter, held->counter);
  EXPECT_EQ(Await(client_->SaveCheckpoint(Soon(), *held)).error().code(), ErrorCode::kFenced);
  EXPECT_EQ(Await(client_->RenewLease(Soon(), *held, life)).error().code(), ErrorCode::kFenced);
  EXPECT_TRUE(Await(client_->ReleaseLease(Soon(), *stolen)).ok());
  EXPECT_TRUE(acquire("w3").ok());
}

TEST_P(StreamClientContract, ARecordAboveTheStreamsOwnLimitDoesNotHurtItsNeighbours) {
  MakeStream("s", 1);
  const Result<void> lowered = Await(server_.broker().ChangeAttributes(
      Soon(), "s", [](broker::StreamAttributes& attributes) -> Result<void> {
        attributes.max_record_kib = 1;
        return Ok();
      }));
  ASSERT_TRUE(lowered.ok());
  std::vector<PutEntry> entries;
  for (const char* data : {"a", "", "c"}) entries.push_back(Entry("k", data));
  entries[1] = Entry("k", std::string(1024, 'x'));
  const auto results = Await(client_->Put(Soon(), "s", std::move(entries)));
  ASSERT_TRUE(results.ok()) << results.error().ToString();
  ASSERT_EQ(results->size(), 3U);
  EXPECT_TRUE((*results)[0].ok() && (*results)[2].ok());
  ASSERT_FALSE((*results)[1].ok());
  EXPECT_FALSE((*results)[1].error().retryable());
  EXPECT_EQ(Data(Read("s", FromTrimHorizon{})), "a c ");
}

std::string NameOf(const ::testing::TestParamInfo<bool>& one) { return one.param ? "Remote" : "Local"; }
INSTANTIATE_TEST_SUITE_P(Clients, StreamClientContract, ::testing::Values(false, true), NameOf);
INSTANTIATE_TEST_SUITE_P(Clients, StreamClientOnPatientServer, ::testing::Values(false, true), NameOf);

}  // namespace
}  // namespace honryu::client
