#include "honryu/base/random.h"
#include "honryu/broker/sequence.h"
#include "tests/unit/broker/fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

namespace honryu::broker {
namespace {

const UInt128 kHalf = UInt128::FromNative(static_cast<UInt128::Native>(1) << 127);

class ReshardingTest : public BrokerTest {
 protected:
  Result<void> Split(std::uint32_t shard, const UInt128& at) {
    return runtime_.BlockOn(broker_->SplitShard(Soon(), "s", shard, at));
  }
  Result<void> Merge(std::uint32_t first, std::uint32_t second) {
    return runtime_.BlockOn(broker_->MergeShards(Soon(), "s", first, second));
  }
  Result<void> SetCount(int count) { return runtime_.BlockOn(broker_->SetShardCount(Soon(), "s", count)); }
  void AwaitActive() { ASSERT_TRUE(runtime_.BlockOn(broker_->WaitActive(Soon(), "s")).ok()); }
  std::vector<Shard> OpenShards() {
    std::vector<Shard> open;
    const Stream stream = broker_->Describe("s").value();
    for (const Shard& shard : stream.shards) {
      if (!shard.ending) open.push_back(shard);
    }
    std::sort(open.begin(), open.end(),
              [](const Shard& a, const Shard& b) { return a.hash_start < b.hash_start; });
    return open;
  }
  void ExpectWholeRange() {
    const std::vector<Shard> open = OpenShards();
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(open.front().hash_start, UInt128());
    EXPECT_EQ(open.back().hash_end, UInt128::Max());
    for (std::size_t i = 1; i < open.size(); ++i)
      EXPECT_EQ(open[i].hash_start, UInt128::FromNative(open[i - 1].hash_end.native() + 1));
  }
  /// Reads the whole stream as a consumer does: a shard after all its parents. Appends each key's data in
  /// order.
  std::map<std::string, std::vector<std::string>> ReadAll() {
    std::map<std::string, std::vector<std::string>> by_key;
    std::map<std::string, SequenceNumber> newest;
    std::set<std::uint32_t> finished;
    const std::vector<Shard> shards = broker_->Describe("s")->shards;
    for (bool progress = true; progress;) {
      progress = false;
      for (const Shard& shard : shards) {
        const bool ready = (!shard.parent || finished.contains(*shard.parent)) &&
                           (!shard.adjacent_parent || finished.contains(*shard.adjacent_parent));
        if (finished.contains(shard.index) || !ready) continue;
        std::optional<ShardPlace> place = Find("s", shard.index, IteratorType::kTrimHorizon).value();
        while (place) {
          const Result<ReadResult> read = runtime_.BlockOn(broker_->Read(Soon(), *place, 100, 1 << 20, {}));
          EXPECT_TRUE(read.ok());
          if (!read.ok()) return by_key;
          for (const ReadRecord& record : read->records) {
            const std::string key(record.partition_key);
            EXPECT_LT(newest[key], record.sequence) << "sequence numbers fall along a key";
            newest[key] = record.sequence;
            by_key[key].emplace_back(record.data.view());
          }
          EXPECT_EQ(!read->next.has_value(), !read->children.empty())
              << "the end of a shard names its children";
          place = read->next;
          if (place && read->records.empty() && !shard.ending) break;
        }
        finished.insert(shard.index);
        progress = true;
      }
    }
    EXPECT_EQ(finished.size(), shards.size());
    return by_key;
  }
};

TEST_F(ReshardingTest, ASplitClosesTheParentAndOpensTwoChildren) {
  MakeStream("s", 1);
  PutOne("s", "k", "last words");
  ASSERT_TRUE(Split(0, kHalf).ok());
  AwaitActive();
  const std::vector<Shard> shards = broker_->Describe("s")->shards;
  ASSERT_EQ(shards.size(), 3u);
  const SequenceParts end = DecodeSequence(shards[0].ending.value()).value();
  EXPECT_EQ(end.counter, kEndCounter);
  for (const std::size_t child : {1u, 2u}) {
    EXPECT_EQ(shards[child].parent, 0u);
    EXPECT_FALSE(shards[child].adjacent_parent.has_value());
    const SequenceParts start = DecodeSequence(shards[child].starting).value();
    EXPECT_EQ(start.shard_created_s, end.record_time_s + 1);
    EXPECT_EQ(start.counter, 0u);
  }
  EXPECT_EQ(shards[1].hash_end, UInt128::FromNative(kHalf.native() - 1));
  EXPECT_EQ(shards[2].hash_start, kHalf);
  const Result<ReadResult> read = Read(Find("s", 0, IteratorType::kTrimHorizon).value());
  ASSERT_EQ(read->records.size(), 1u);
  EXPECT_FALSE(read->next.has_value());
  ASSERT_EQ(read->children.size(), 2u);
  const std::uint32_t child = PutOne("s", "k", "child").shard;
  EXPECT_TRUE(child == 1 || child == 2);
  EXPECT_EQ(ReadAll()["k"], (std::vector<std::string>{"last words", "child"}));
}

TEST_F(ReshardingTest, AWaitingReaderLearnsAtOnceThatItsShardHasClosed) {
  MakeStream("s", 1);
  const ShardPlace place = Find("s", 0, IteratorType::kLatest).value();
  std::thread splitter([this] { EXPECT_TRUE(Split(0, kHalf).ok()); });
  const Result<ReadResult> read = Read(place, std::chrono::seconds(20));
  splitter.join();
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_TRUE(read->records.empty());
  EXPECT_FALSE(read->next);
  EXPECT_EQ(read->children.size(), 2U);
  EXPECT_FALSE(Read(place, std::chrono::seconds(20))->next);
}

TEST_F(ReshardingTest, AMergeHasTwoParents) {
  MakeStream("s", 3);
  ASSERT_TRUE(Merge(1, 2).ok());
  AwaitActive();
  const std::vector<Shard> shards = broker_->Describe("s")->shards;
  ASSERT_EQ(shards.size(), 4u);
  EXPECT_TRUE(shards[1].ending.has_value() && shards[2].ending.has_value());
  EXPECT_EQ(shards[3].parent, 1u);
  EXPECT_EQ(shards[3].adjacent_parent, 2u);
  EXPECT_EQ(shards[3].hash_start, shards[1].hash_start);
  EXPECT_EQ(shards[3].hash_end, shards[2].hash_end);
  ExpectWholeRange();
}

TEST_F(ReshardingTest, WhatCannotBeSplitOrMergedIsRefused) {
  MakeStream("s", 3);
  EXPECT_EQ(Split(7, kHalf).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Split(0, UInt128()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Split(0, UInt128::Max()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Merge(0, 2).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Merge(1, 0).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Merge(0, 0).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(SetCount(0).error().code(), ErrorCode::kTooLarge);
  ASSERT_TRUE(Merge(0, 1).ok());
  AwaitActive();
  EXPECT_EQ(Merge(0, 1).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(broker_->Describe("s")->shards.size(), 4u);
}

TEST_F(ReshardingTest, UpdatingIsSeenAndTakesRecordsAndNoOtherChange) {
  Close();
  config_.update_delay = std::chrono::seconds(30);
  Open();
  MakeStream("s", 1);
  ASSERT_TRUE(Split(0, kHalf).ok());
  EXPECT_EQ(broker_->Describe("s")->status, StreamStatus::kUpdating);
  EXPECT_EQ(Split(0, kHalf).error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(PutOne("s", "k", "x").shard, 0u);
  // A stop before the change: the next start makes it.
  Close();
  config_.update_delay = Duration::zero();
  Open();
  AwaitActive();
  EXPECT_EQ(OpenShards().size(), 2u);
  EXPECT_EQ(ReadAll()["k"], std::vector<std::string>{"x"});
}

TEST_F(ReshardingTest, EveryShardCountIsReachedFromEveryOther) {
  MakeStream("s", 1);
  for (const int count : {3, 7, 2, 5, 4, 8, 1, 6, 6}) {
    ASSERT_TRUE(SetCount(count).ok());
    AwaitActive();
    const std::vector<Shard> open = OpenShards();
    ASSERT_EQ(open.size(), static_cast<std::size_t>(count));
    ExpectWholeRange();
    const UInt128::Native width = open[0].hash_end.native() - open[0].hash_start.native();
    for (std::size_t i = 0; i + 1 < open.size(); ++i)
      EXPECT_TRUE(open[i].hash_end.native() - open[i].hash_start.native() == width);
  }
}

TEST_F(ReshardingTest, AttributesArePartOfTheStream) {
  MakeStream("s", 1);
  const auto change = [this](std::function<Result<void>(StreamAttributes&)> what) {
    return runtime_.BlockOn(broker_->ChangeAttributes(Soon(), "s", std::move(what)));
  };
  ASSERT_TRUE(change([this](StreamAttributes& a) -> Result<void> {
                a.mode = StreamMode::kOnDemand;
                a.tags["名前"] = "値";
                a.monitored = 5;
                a.max_record_kib = 2048;
                a.warm_throughput_mibps = 7;
                a.policy = "{}";
                a.consumers.push_back({"c", clock_.Now(), {{"a", "b"}}, "p"});
                return Ok();
              }).ok());
  EXPECT_EQ(change([](StreamAttributes& a) -> Result<void> {
              a.tags.clear();
              return Error(ErrorCode::kConflict, "no");
            })
                .error()
                .code(),
            ErrorCode::kConflict);
  Close();
  Open();
  const StreamAttributes kept = broker_->Describe("s")->attributes;
  EXPECT_EQ(kept.mode, StreamMode::kOnDemand);
  EXPECT_EQ(kept.tags, (std::map<std::string, std::string>{{"名前", "値"}}));
  EXPECT_EQ(kept.monitored, 5u);
  EXPECT_EQ(kept.max_record_kib, 2048u);
  EXPECT_EQ(kept.warm_throughput_mibps, 7u);
  EXPECT_EQ(kept.policy, "{}");
  ASSERT_EQ(kept.consumers.size(), 1u);
  EXPECT_EQ(kept.consumers[0].name, "c");
  EXPECT_EQ(kept.consumers[0].created, clock_.Now());
  EXPECT_EQ(kept.consumers[0].tags.at("a"), "b");
  EXPECT_EQ(kept.consumers[0].policy, "p");
}

TEST_F(ReshardingTest, ClosedShardsAreRetiredAfterTheRetentionPeriod) {
  Close();
  config_.retention_check = std::chrono::milliseconds(5);
  Open();
  MakeStream("s", 2);
  ASSERT_TRUE(Put("s", {{"k", "before", UInt128()}}).ok());
  ASSERT_TRUE(SetCount(1).ok());
  AwaitActive();
  EXPECT_EQ(broker_->Describe("s")->shards.size(), 3u);
  PutOne("s", "k", "behind");
  const std::string incoming = "shard_incoming_records_total{shard=\"shardId-00000000000";
  EXPECT_EQ(metrics_.Render().find(incoming + "0"), std::string::npos);  // closed: it gets no more
  EXPECT_NE(metrics_.Render().find(incoming + "2"), std::string::npos);
  const std::string parent = "iterator_age_milliseconds{shard=\"shardId-000000000000\"";
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kTrimHorizon).value()), std::vector<std::string>{"before"});
  EXPECT_NE(metrics_.Render().find(parent), std::string::npos);
  clock_.Advance(std::chrono::hours(25));
  const MonoTime until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (broker_->Describe("s")->shards.size() > 1 && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  ASSERT_EQ(broker_->Describe("s")->shards.size(), 1u);
  EXPECT_EQ(broker_->Describe("s")->shards[0].index, 2u);
  EXPECT_EQ(PutOne("s", "k", "x").shard, 2u);
  EXPECT_EQ(metrics_.Render().find(parent), std::string::npos);
  // Indexes are never used again, not even after a restart.
  Close();
  Open();
  ASSERT_TRUE(Split(2, kHalf).ok());
  AwaitActive();
  EXPECT_EQ(broker_->Describe("s")->shards.back().index, 4u);
}

// Writers go on while the stream is split and merged at random: nothing is lost, doubled or out of a key's
// order.
TEST_F(ReshardingTest, NothingIsLostOrReorderedWhileShardsChange) {
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  MakeStream("s", 2);
  constexpr int kWriters = 3, kKeys = 5;
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0};
  std::vector<std::map<std::string, std::vector<std::string>>> written(kWriters);
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      Random random(seed + static_cast<std::uint64_t>(w));
      for (int n = 0; !stop; ++n) {
        std::vector<std::string> keys, data;
        for (std::uint64_t i = 0; i <= random.Below(4); ++i) {
          keys.push_back("w" + std::to_string(w) + "k" + std::to_string(random.Below(kKeys)));
          data.push_back(std::to_string(n) + "." + std::to_string(i));
        }
        std::vector<PutRecordEntry> entries;
        for (std::size_t i = 0; i < keys.size(); ++i) entries.push_back({keys[i], data[i], std::nullopt});
        const auto put = Put("s", entries);
        if (!put.ok()) {
          ++refused;
          continue;
        }
        for (std::size_t i = 0; i < keys.size(); ++i)
          written[static_cast<std::size_t>(w)][keys[i]].push_back(data[i]);
      }
    });
  }
  Random random(seed);
  for (int change = 0; change < 25; ++change) {
    const std::vector<Shard> open = OpenShards();
    const std::size_t i = random.Below(open.size());
    const UInt128::Native width = open[i].hash_end.native() - open[i].hash_start.native();
    if (open.size() < 3 || random.Below(2) == 0) {
      ASSERT_TRUE(Split(open[i].index, UInt128::FromNative(open[i].hash_start.native() + width / 2)).ok());
    } else if (i + 1 < open.size()) {
      ASSERT_TRUE(Merge(open[i].index, open[i + 1].index).ok());
    } else {
      ASSERT_TRUE(SetCount(static_cast<int>(1 + random.Below(6))).ok());
    }
    AwaitActive();
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(refused, 0) << "a change of shards is no reason to refuse a record";
  ExpectWholeRange();
  std::map<std::string, std::vector<std::string>> expected;
  for (const auto& one : written) expected.insert(one.begin(), one.end());
  EXPECT_EQ(ReadAll(), expected);
}

}  // namespace
}  // namespace honryu::broker
