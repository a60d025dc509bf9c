#include "broker/autoscale.h"

#include "broker/stream_state.h"
#include "tests/unit/broker/fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <thread>
#include <vector>

namespace honryu::broker {
namespace {

using std::chrono::seconds;

UInt128 Top(std::uint64_t high) { return UInt128::FromNative(static_cast<UInt128::Native>(high) << 64); }

Shard Whole() {
  Shard shard;
  shard.hash_end = UInt128::Max();
  return shard;
}

TEST(MedianSplit, HalvesTheLoadNotTheRange) {
  std::vector<UInt128> low;
  for (std::uint64_t i = 0; i < 100; ++i) low.push_back(Top(1000 + i));
  EXPECT_EQ(MedianSplit(low, Whole()), Top(1050));
  // Half of the load is one key: it goes to one side, everything else to the other.
  std::vector<UInt128> one_key(100, Top(7));
  for (std::uint64_t i = 0; i < 80; ++i) one_key.push_back(Top(10 + i));
  EXPECT_EQ(MedianSplit(one_key, Whole()), UInt128::FromNative(Top(7).native() + 1));
  // Nothing helps against a single key, nor against one that has nearly everything.
  EXPECT_EQ(MedianSplit(std::vector<UInt128>(100, Top(7)), Whole()), std::nullopt);
  one_key.assign(500, Top(7));
  one_key.push_back(Top(9));
  EXPECT_EQ(MedianSplit(one_key, Whole()), std::nullopt);
  EXPECT_EQ(MedianSplit({}, Whole()), std::nullopt);
}

TEST(Traffic, CountsAndDrawsAnEvenSample) {
  Traffic traffic;
  std::vector<Traffic::Entry> entries;
  for (std::uint64_t i = 0; i < 100000; ++i) entries.push_back({3, Top(i), 10});
  traffic.Add(entries);
  const std::map<std::uint32_t, ShardTraffic> taken = traffic.Take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken.at(3).records, 100000U);
  EXPECT_EQ(taken.at(3).bytes, 1000000U);
  ASSERT_EQ(taken.at(3).sample.size(), Traffic::kSample);
  const auto low = std::count_if(taken.at(3).sample.begin(), taken.at(3).sample.end(),
                                 [](const UInt128& hash) { return hash < Top(50000); });
  EXPECT_NEAR(static_cast<double>(low), Traffic::kSample / 2.0, 70);
  EXPECT_TRUE(traffic.Take().empty());
}

class AutoscalerTest : public ::testing::Test {
 protected:
  AutoscalerTest() {
    config_.min_shards = 1;
    shards_ = InitialShards(2, now_);
    for (const Shard& shard : shards_) open_.push_back(&shard);
  }
  static ShardTraffic Load(double of_a_shard, const Shard& shard, const OnDemandConfig& config) {
    ShardTraffic traffic;
    traffic.bytes = static_cast<std::uint64_t>(of_a_shard * static_cast<double>(config.shard_bytes) * 10);
    traffic.records = 100;
    for (std::uint64_t i = 0; i < 100; ++i)
      traffic.sample.push_back(UInt128::FromNative(shard.hash_start.native() + i));
    return traffic;
  }
  std::optional<std::vector<UInt128>> Look(double first, double second) {
    now_ += seconds(10);
    return scaler_.Look(open_,
                        {{0, Load(first, shards_[0], config_)}, {1, Load(second, shards_[1], config_)}},
                        seconds(10), now_);
  }
  OnDemandConfig config_;
  Timestamp now_ = TimestampFromMs(1'800'000'000'000);
  std::vector<Shard> shards_;
  std::vector<const Shard*> open_;
  Autoscaler scaler_{[] {
    OnDemandConfig config;
    config.min_shards = 1;
    return config;
  }()};
};

TEST_F(AutoscalerTest, SplitsWhatStaysHot) {
  EXPECT_EQ(Look(0.9, 0.4), std::nullopt);
  EXPECT_EQ(Look(0.4, 0.4), std::nullopt);  // it was a moment
  EXPECT_EQ(Look(0.9, 0.4), std::nullopt);
  const auto starts = Look(0.9, 0.4);
  ASSERT_TRUE(starts);
  ASSERT_EQ(starts->size(), 3U);
  EXPECT_EQ((*starts)[1], UInt128::FromNative(50));
}

TEST_F(AutoscalerTest, MergesNeighboursThatStayCold) {
  for (Duration waited = seconds(10); waited < config_.merge_after; waited += seconds(10))
    ASSERT_EQ(Look(0.05, 0.05), std::nullopt);
  ASSERT_EQ(Look(0.05, 0.9), std::nullopt);  // not cold any more: from the start again
  for (Duration waited = seconds(0); waited < config_.merge_after; waited += seconds(10))
    ASSERT_EQ(Look(0.05, 0.05), std::nullopt);
  const auto starts = Look(0.05, 0.05);
  ASSERT_TRUE(starts);
  EXPECT_EQ(*starts, std::vector<UInt128>{UInt128()});
}

TEST_F(AutoscalerTest, KeepsTheLeastNumberOfShards) {
  OnDemandConfig config;
  config.min_shards = 2;
  Autoscaler scaler(config);
  for (int i = 0; i < 1000; ++i) {
    now_ += seconds(10);
    ASSERT_EQ(scaler.Look(open_, {}, seconds(10), now_), std::nullopt);
  }
}

class OnDemandTest : public BrokerTest {
 protected:
  OnDemandTest() {
    config_.on_demand.interval = std::chrono::milliseconds(50);
    config_.on_demand.shard_bytes = 20000;
    config_.on_demand.min_shards = 1;
  }
};

TEST_F(OnDemandTest, AStreamUnderLoadGetsShards) {
  StreamAttributes attributes;
  attributes.mode = StreamMode::kOnDemand;
  ASSERT_TRUE(runtime_.BlockOn(broker_->CreateStream(Soon(), "s", 1, attributes)).ok());
  ASSERT_TRUE(runtime_.BlockOn(broker_->WaitActive(Soon(), "s")).ok());
  const auto open_shards = [&] {
    const Stream stream = broker_->Describe("s").value();
    return std::count_if(stream.shards.begin(), stream.shards.end(),
                         [](const Shard& shard) { return !shard.ending; });
  };
  const std::string data(500, 'x');
  for (int i = 0; i < 4000 && open_shards() < 3; ++i) {
    PutOne("s", "key" + std::to_string(i % 100), data);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_GE(open_shards(), 3);
}

}  // namespace
}  // namespace honryu::broker
