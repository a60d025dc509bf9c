#include "honryu/sqlapp/feed.h"

#include <gtest/gtest.h>

namespace honryu::sqlapp {
namespace {

client::ShardDescription Shard(const std::string& id, const std::string& parent = "") {
  client::ShardDescription shard;
  shard.shard_id = id;
  shard.parent_id = parent;
  return shard;
}

std::vector<client::StreamRecord> Records(std::uint64_t from, std::uint64_t to) {
  std::vector<client::StreamRecord> records;
  for (std::uint64_t i = from; i < to; ++i) {
    client::StreamRecord record;
    record.sequence.words[2] = i;
    record.data = Bytes(std::string("{}"));
    records.push_back(std::move(record));
  }
  return records;
}

class FeedTest : public ::testing::Test {
 protected:
  FeedTest() {
    feed_.OnShards(0, {Shard("a"), Shard("b")});
    feed_.OnStart(0, "a", 0);
    feed_.OnStart(0, "b", 0);
  }
  Feed feed_{Feed::Config()};
  CutRecords records_;
};

TEST_F(FeedTest, NobodyRunsAheadOfASilentShard) {
  feed_.OnEmpty(0, "a", 40);
  feed_.OnEmpty(0, "b", 40);
  const auto first = feed_.Next(50, records_);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->now_ms, 40);
  ASSERT_EQ(first->steps.size(), 2u);
  EXPECT_TRUE(first->steps[0].added);
  EXPECT_EQ(first->steps[0].behind, false);

  feed_.OnRecords(0, "a", Records(1, 4), true, 100);
  const auto waiting = feed_.Next(110, records_);
  ASSERT_TRUE(waiting.has_value());
  EXPECT_EQ(waiting->now_ms, 40) << "b has not answered since";
  ASSERT_EQ(waiting->steps.size(), 1u);
  EXPECT_EQ(waiting->steps[0].behind, true);
  EXPECT_FALSE(waiting->steps[0].upto.has_value());
  EXPECT_TRUE(records_.empty());
  EXPECT_FALSE(feed_.Next(120, records_).has_value()) << "nothing has changed";

  feed_.OnRecords(0, "b", Records(1, 2), true, 130);
  const auto both = feed_.Next(140, records_);
  ASSERT_TRUE(both.has_value());
  EXPECT_EQ(both->now_ms, 140);
  EXPECT_EQ(records_[0].size(), 3u);
  EXPECT_EQ(records_[1].size(), 1u);
  EXPECT_EQ(both->steps[0].behind, false);
}

TEST_F(FeedTest, ASilentShardKeepsNobodyFromCatchingUp) {
  feed_.OnEmpty(0, "a", 10'000);
  feed_.OnEmpty(0, "b", 10'000);
  ASSERT_TRUE(feed_.Next(10'000, records_).has_value());
  std::vector<client::StreamRecord> old = Records(1, 3), young = Records(3, 4);
  for (client::StreamRecord& record : old) record.arrival = TimestampFromMs(6'000);
  young[0].arrival = TimestampFromMs(9'000);
  feed_.OnRecords(0, "a", old, false, 10'100);
  feed_.OnRecords(0, "a", young, false, 10'200);
  ASSERT_TRUE(feed_.Next(10'300, records_).has_value());
  ASSERT_EQ(records_[0].size(), 2u) << "b had answered after they came";
  EXPECT_EQ(records_[0].back().sequence.words[2], 2u);
  feed_.OnEmpty(0, "b", 10'250);
  records_.clear();
  ASSERT_TRUE(feed_.Next(10'300, records_).has_value());
  EXPECT_EQ(records_[0].size(), 1u);
}

TEST_F(FeedTest, AShardThatGivesNoAnswerHoldsTimeBackButNotTheOthersRecords) {
  feed_.OnEmpty(0, "a", 10);
  feed_.OnEmpty(0, "b", 10);
  ASSERT_TRUE(feed_.Next(10, records_).has_value());
  feed_.OnRecords(0, "a", Records(1, 2), true, 6000);
  const auto cut = feed_.Next(6000, records_);
  ASSERT_TRUE(cut.has_value());
  EXPECT_EQ(records_[0].size(), 1u);
  ASSERT_EQ(cut->steps.size(), 2u);
  EXPECT_EQ(cut->steps[1].behind, true);
}

TEST_F(FeedTest, AnEndedShardIsClosedOnlyWhenItsChildrenAreKnown) {
  feed_.OnEmpty(0, "b", 5);
  feed_.OnRecords(0, "a", Records(1, 3), true, 5);
  feed_.OnEnd(0, "a");
  auto cut = feed_.Next(5, records_);
  ASSERT_TRUE(cut.has_value());
  EXPECT_FALSE(cut->steps[0].closed);
  feed_.OnShards(0, {Shard("a"), Shard("b"), Shard("c", "a"), Shard("d", "a")});
  cut = feed_.Next(6, records_);
  ASSERT_TRUE(cut.has_value());
  ASSERT_EQ(cut->steps.size(), 3u);
  EXPECT_TRUE(cut->steps[0].closed);
  EXPECT_TRUE(cut->steps[1].added && cut->steps[2].added);
  EXPECT_EQ(cut->steps[1].behind, true) << "it was not read yet";
}

TEST_F(FeedTest, RecordsAreTakenOnceAndReadingWaitsWhenThereAreMany) {
  Feed::Config config;
  config.max_records = 3;
  Feed feed(config);
  feed.OnShards(0, {Shard("a")});
  EXPECT_FALSE(feed.OnStart(0, "a", 0).has_value());
  feed.OnRecords(0, "a", Records(1, 3), true, 1);
  EXPECT_FALSE(feed.Full(0, "a"));
  feed.OnRecords(0, "a", Records(1, 5), true, 2);
  EXPECT_TRUE(feed.Full(0, "a"));
  feed.OnLost(0, "a");
  EXPECT_EQ(feed.OnStart(0, "a", 3)->words[2], 4u) << "what is here need not be read again";
  ASSERT_TRUE(feed.Next(3, records_).has_value());
  ASSERT_EQ(records_[0].size(), 4u);
  EXPECT_FALSE(feed.Full(0, "a"));
}

TEST_F(FeedTest, ACutOfAnEarlierRunTakesJustItsRecords) {
  Cut cut;
  cut.number = 7;
  cut.now_ms = 9;
  for (std::uint32_t i = 0; i < 2; ++i) {
    ShardStep step;
    step.shard = i;
    step.added = true;
    step.id = i == 0 ? "a" : "b";
    step.upto.emplace().words[2] = 2;
    cut.steps.push_back(step);
  }
  std::string bytes;
  AppendCut(cut, bytes);
  std::string_view rest = bytes;
  EXPECT_EQ(TakeCut(rest), cut);
  EXPECT_FALSE(feed_.Has(cut));
  feed_.Await(cut);
  feed_.OnRecords(0, "a", Records(1, 9), true, 5);
  EXPECT_FALSE(feed_.Has(cut));
  feed_.OnRecords(0, "b", Records(1, 2), true, 5);
  EXPECT_TRUE(feed_.Has(cut)) << "the other records of b are no more";
  feed_.Take(cut, records_);
  EXPECT_EQ(records_[0].size(), 2u);
  EXPECT_EQ(records_[1].size(), 1u);
  records_.clear();
  const auto next = feed_.Next(20, records_);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->number, 8u);
  EXPECT_EQ(records_[0].size(), 6u);
}

TEST(Cut, SaysWhichTablesChange) {
  Cut cut;
  cut.number = 3;
  cut.tables = {{1, ~std::uint64_t{0} >> 1}, {0, 7}};
  ShardStep step;
  step.shard = 2;
  step.closed = true;
  cut.steps.push_back(step);
  std::string bytes;
  AppendCut(cut, bytes);
  std::string_view rest = bytes;
  EXPECT_EQ(TakeCut(rest), cut);
  EXPECT_TRUE(rest.empty());
}

TEST(Cut, DamagedBytesAreNone) {
  for (const std::string_view bytes : {"", "\xff", "\x01\x02\x05", "\x01\x02\x01\x00\x01\x00\x7f"}) {
    std::string_view rest = bytes;
    EXPECT_FALSE(TakeCut(rest).has_value());
  }
}

TEST(Lanes, TakeRunsOfShardsOfAboutTheSameSizeWhereItIsWorthIt) {
  const auto lanes = [](std::size_t most, const std::vector<std::uint64_t>& sizes) {
    Feed::Config config;
    config.lanes = most;
    config.min_lane_bytes = 9800;  // a hundred records
    Feed feed(config);
    std::vector<client::ShardDescription> shards;
    for (std::size_t i = 0; i < sizes.size(); ++i) shards.push_back(Shard(std::to_string(i)));
    feed.OnShards(0, shards);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      feed.OnStart(0, shards[i].shard_id, 0);
      if (sizes[i] > 0) feed.OnRecords(0, shards[i].shard_id, Records(1, 1 + sizes[i]), true, 10);
      if (sizes[i] == 0) feed.OnEmpty(0, shards[i].shard_id, 10);
    }
    CutRecords records;
    const std::optional<Cut> cut = feed.Next(10, records);
    std::string text;
    for (const ShardStep& step : cut->steps)
      text += (step.next_lane ? "|" : "") + std::string(step.upto.has_value() ? "x" : "-");
    return text;
  };
  EXPECT_EQ(lanes(1, {500, 500}), "xx");
  EXPECT_EQ(lanes(2, {500, 500}), "x|x");
  EXPECT_EQ(lanes(2, {100, 300, 200}), "xx|x");
  EXPECT_EQ(lanes(2, {100, 0, 100, 100, 100}), "x-x|xx");
  EXPECT_EQ(lanes(4, {500, 500}), "x|x");
  EXPECT_EQ(lanes(4, {500, 500, 500, 500, 500}), "x|x|xx|x");
  EXPECT_EQ(lanes(2, {99, 99}), "xx") << "too little to gain";
  EXPECT_EQ(lanes(3, {100, 100, 50}), "x|xx");
  EXPECT_EQ(lanes(2, {1000, 1}), "xx") << "a lane of nearly nothing gains nothing";
}

}  // namespace
}  // namespace honryu::sqlapp
