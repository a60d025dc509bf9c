#include "honryu/client/remote_client.h"

#include "honryu/async/task_group.h"
#include "tests/unit/client/broker_server.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

namespace honryu::client {
namespace {

class RemoteClientTest : public ::testing::Test {
 protected:
  RemoteClientTest() {
    RemoteClientConfig config;
    config.endpoint = server_.endpoint();
    client_ = MakeRemoteClient(server_.http(), config);
  }

  static async::Context Soon() { return async::Context::WithTimeout(std::chrono::seconds(10)); }
  template <class T>
  T Run(async::Task<T> task) {
    return server_.runtime().BlockOn(std::move(task));
  }
  void MakeStream(const std::string& name, int shards, int hours = 24) {
    StreamSettings settings;
    settings.shards = shards;
    settings.retention_hours = hours;
    const Result<void> made = Run(client_->EnsureStream(Soon(), name, settings));
    ASSERT_TRUE(made.ok()) << made.error().ToString();
  }
  static PutEntry Entry(std::string key, std::string data) {
    PutEntry entry;
    entry.partition_key = std::move(key);
    entry.data = Bytes(std::move(data));
    return entry;
  }
  void PutOne(const std::string& stream, std::string data) {
    std::vector<PutEntry> entries;
    entries.push_back(Entry("k", std::move(data)));
    const auto results = Run(client_->Put(Soon(), stream, std::move(entries)));
    ASSERT_TRUE(results.ok());
    ASSERT_TRUE(results->at(0).ok());
  }
  Result<ReadBatch> Read(const std::string& stream, StartPosition from, std::uint32_t max = 10000) {
    ReadRequest request;
    request.stream = stream;
    request.shard_id = "shardId-000000000000";
    request.from = std::move(from);
    request.max_records = max;
    return Run(client_->Read(Soon(), std::move(request)));
  }
  static std::string Data(const Result<ReadBatch>& batch) {
    if (!batch.ok()) return batch.error().ToString();
    std::string text;
    for (const StreamRecord& record : batch->records) text.append(record.data.view()).append(" ");
    return text;
  }

  ManualClock clock_{TimestampFromMs(1795255200000)};
  BrokerServer server_{clock_};
  std::unique_ptr<StreamClient> client_;
};

TEST_F(RemoteClientTest, EnsureStreamCreatesOnceWithItsRetention) {
  MakeStream("s", 3, 48);
  MakeStream("s", 5, 24);
  const auto stream = server_.broker().Describe("s");
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ(stream->shards.size(), 3U);
  EXPECT_EQ(stream->retention_hours, 48);
}

TEST_F(RemoteClientTest, ListShardsReadsEveryPage) {
  MakeStream("s", 1001);
  const auto shards = Run(client_->ListShards(Soon(), "s"));
  ASSERT_TRUE(shards.ok()) << shards.error().ToString();
  ASSERT_EQ(shards->size(), 1001U);
  EXPECT_EQ((*shards)[0].hash_start, UInt128());
  EXPECT_EQ((*shards)[1000].hash_end, UInt128::Max());
  EXPECT_EQ((*shards)[1000].shard_id, "shardId-000000001000");
  EXPECT_TRUE((*shards)[1000].open);
  EXPECT_TRUE((*shards)[1000].parent_id.empty());
}

TEST_F(RemoteClientTest, PutSplitsLargeCallsAndKeepsOrder) {
  MakeStream("s", 2);
  std::vector<PutEntry> entries;
  std::vector<std::string> data;
  for (int i = 0; i < 1201; ++i) {
    data.push_back("record " + std::to_string(i));
    entries.push_back(Entry("key " + std::to_string(i % 7), data.back()));
  }
  const auto results = Run(client_->Put(Soon(), "s", std::move(entries)));
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
      Result<ReadBatch> batch = Run(client_->Read(Soon(), request));
      ASSERT_TRUE(batch.ok()) << batch.error().ToString();
      for (const StreamRecord& record : batch->records) got.emplace_back(record.sequence, record.data.view());
      request.from = FromCursor{batch->next};
      request.max_records = 100;
    }
    EXPECT_EQ(got, records);
  }
}

TEST_F(RemoteClientTest, PutSplitsByBytes) {
  MakeStream("s", 1);
  std::vector<PutEntry> entries;
  for (int i = 0; i < 12; ++i)
    entries.push_back(Entry("k", std::string(1000000, static_cast<char>('a' + i))));
  const auto results = Run(client_->Put(Soon(), "s", std::move(entries)));
  ASSERT_TRUE(results.ok()) << results.error().ToString();
  ASSERT_EQ(results->size(), 12U);
  SequenceNumber last;
  for (const auto& result : *results) {
    ASSERT_TRUE(result.ok());
    EXPECT_LT(last, result->sequence);
    last = result->sequence;
  }
}

TEST_F(RemoteClientTest, ErrorsKeepTheirCode) {
  MakeStream("s", 1);
  std::vector<PutEntry> large;
  large.push_back(Entry("k", std::string((1 << 20) + 1, 'x')));
  EXPECT_EQ(Run(client_->Put(Soon(), "s", std::move(large))).error().code(), ErrorCode::kInvalidArgument);
  std::vector<PutEntry> one;
  one.push_back(Entry("k", "x"));
  EXPECT_EQ(Run(client_->Put(Soon(), "none", std::move(one))).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Run(client_->ListShards(Soon(), "none")).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Read("none", FromTrimHorizon{}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Read("s", FromCursor{"x"}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Read("s", FromCursor{"H|x"}).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(RemoteClientTest, EveryStartPositionFindsItsPlace) {
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

TEST_F(RemoteClientTest, AnExpiredCursorGoesOnWhereItWas) {
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

TEST_F(RemoteClientTest, LeasesArePassedOnAndFenced) {
  MakeStream("s", 1);
  const Duration life = std::chrono::seconds(10);
  const auto acquire = [&](const char* owner) {
    return Run(client_->AcquireLease(Soon(), "app", "s", "shardId-000000000000", owner, life));
  };
  Result<Lease> held = acquire("w1");
  ASSERT_TRUE(held.ok()) << held.error().ToString();
  EXPECT_EQ(held->owner, "w1");
  EXPECT_EQ(acquire("w2").error().code(), ErrorCode::kConflict);
  held = Run(client_->RenewLease(Soon(), *held, life));
  ASSERT_TRUE(held.ok());
  held->checkpoint = SequenceNumber();
  held->checkpoint->words[2] = 77;
  held->state = std::string("\0\xff state", 8);
  held->finished = true;
  ASSERT_TRUE(Run(client_->SaveCheckpoint(Soon(), *held)).ok());
  const auto listed = Run(client_->ListLeases(Soon(), "app", "s"));
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
  EXPECT_EQ(Run(client_->SaveCheckpoint(Soon(), *held)).error().code(), ErrorCode::kFenced);
  EXPECT_EQ(Run(client_->RenewLease(Soon(), *held, life)).error().code(), ErrorCode::kFenced);
  EXPECT_TRUE(Run(client_->ReleaseLease(Soon(), *stolen)).ok());
  EXPECT_TRUE(acquire("w3").ok());
}

async::Task<void> PutInto(StreamClient* client, std::string stream, int* stored) {
  std::vector<PutEntry> entries(1);
  entries[0].partition_key = "k";
  entries[0].data = Bytes::Copy("x");
  Result<std::vector<Result<PutPosition>>> results = co_await client->Put(
      async::Context::WithTimeout(std::chrono::seconds(10)), std::move(stream), std::move(entries));
  if (results.ok() && results->at(0).ok()) ++*stored;
}

// All on one event loop, so that `stored` needs no lock.
async::Task<void> PutManyAtOnce(StreamClient* client, int count, int* stored) {
  async::TaskGroup group;
  const async::Executor here = co_await async::CurrentExecutor();
  for (int i = 0; i < count; ++i) group.Spawn(here, "put", PutInto(client, "s", stored));
  Result<void> joined = co_await group.Join();
  EXPECT_TRUE(joined.ok());
}

TEST_F(RemoteClientTest, PutsBeyondTheLimitWaitTheirTurn) {
  MakeStream("s", 1);
  RemoteClientConfig config;
  config.endpoint = server_.endpoint();
  config.max_concurrent_puts = 2;
  const auto narrow = MakeRemoteClient(server_.http(), config);
  int stored = 0;
  server_.runtime().BlockOn(PutManyAtOnce(narrow.get(), 20, &stored));
  EXPECT_EQ(stored, 20);
}

TEST_F(RemoteClientTest, AnUnreachableBrokerIsUnavailable) {
  std::string endpoint;
  {
    const BrokerServer gone(clock_);
    endpoint = gone.endpoint();
  }
  RemoteClientConfig config;
  config.endpoint = endpoint;
  const auto lost = MakeRemoteClient(server_.http(), config);
  std::vector<PutEntry> entries;
  entries.push_back(Entry("k", "x"));
  const auto results = Run(lost->Put(Soon(), "s", std::move(entries)));
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(results.error().retryable());
}

}  // namespace
}  // namespace honryu::client
