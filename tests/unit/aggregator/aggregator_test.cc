#include "honryu/processors/aggregator/aggregator.h"

#include "honryu/async/runtime.h"
#include "honryu/codec/json.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <thread>

namespace honryu::processors::aggregator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kBase = 1442018700000;  // 2015-09-12T00:45:00Z

class AggregatorTest : public ::testing::Test {
 protected:
  AggregatorTest() {
    config_.emit_interval = milliseconds(5);
    config_.checkpoint_interval = milliseconds(5);
    config_.poll_wait = milliseconds(10);
    config_.sync_interval = milliseconds(3);
    client::StreamSettings settings;
    settings.shards = 3;
    runtime_.BlockOn(client_.EnsureStream({}, "events", settings)).value();
  }
  std::unique_ptr<Aggregator> Start() {
    EXPECT_TRUE(config_.Validate().ok());
    auto aggregator = MakeAggregator(config_, client_, runtime_.executor(0), clock_, registry_);
    aggregator->Start();
    return aggregator;
  }
  void Put(int from, int to) {
    std::vector<client::PutEntry> entries;
    for (int i = from; i < to; ++i) {
      const std::string time = FormatTimestamp(TimestampFromMs(kBase + i * 1000));
      const std::string user = "u" + std::to_string(i % 7);
      entries.push_back(
          {user, Bytes(R"({"event_time":")" + time + R"(","event_type":"edit","user_id":")" + user + "\"}"),
           std::nullopt});
    }
    const auto results = runtime_.BlockOn(client_.Put({}, "events", std::move(entries)));
    for (const auto& result : results.value()) EXPECT_TRUE(result.ok());
  }
  std::map<std::string, std::int64_t> FinalRows() const {
    std::map<std::string, std::int64_t> rows;
    for (const client::StreamRecord& record : client_.Records("kpi")) {
      const codec::Json row = codec::Json::Parse(record.data.view()).value();
      if (!row.Find("final")->BoolOr(false)) continue;
      const auto [place, fresh] = rows.emplace(row.Find("id")->StringOr(""), row.Find("value")->IntOr(-1));
      if (!fresh) EXPECT_EQ(place->second, row.Find("value")->IntOr(-1)) << place->first;
    }
    return rows;
  }
  bool Await(const std::function<bool()>& condition) {
    const MonoTime until = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  void ExpectTenMinutes() {
    const auto rows = FinalRows();
    EXPECT_EQ(rows.at("1m/2015-09-12T00:45:00.000Z/events/"), 60);
    EXPECT_EQ(rows.at("1m/2015-09-12T00:54:00.000Z/events/event_type=edit"), 60);
    EXPECT_EQ(rows.at("5m/2015-09-12T00:50:00.000Z/events/"), 300);
    EXPECT_EQ(rows.at("5m/2015-09-12T00:50:00.000Z/users/"), 7);
    EXPECT_EQ(rows.at("1h/2015-09-12T00:00:00.000Z/events/"), 600);
    EXPECT_EQ(rows.size(), (10u + 2 + 1) * 2 * 3);
    EXPECT_TRUE(client_.Records("late-events").empty());
  }

  ManualClock clock_{TimestampFromMs(1790000000000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  AggregatorConfig config_;
};

TEST_F(AggregatorTest, CountsAReplayAndClosesItsLastWindowsWhenIdle) {
  auto aggregator = Start();
  Put(0, 300);
  Put(300, 600);
  EXPECT_TRUE(Await([&] {
    clock_.Advance(seconds(1));
    return FinalRows().size() == 78;
  }));
  EXPECT_TRUE(aggregator->Ready().ok());
  runtime_.BlockOn(aggregator->Stop(std::chrono::steady_clock::now() + seconds(10)));
  ExpectTenMinutes();
  for (const char* shard : {"shardId-000000000000", "shardId-000000000001", "shardId-000000000002"})
    EXPECT_TRUE(client_.LeaseOf("aggregator", "events", shard)->owner.empty());
}

TEST_F(AggregatorTest, AfterAKillAnotherGoesOnAndTheResultIsTheSame) {
  config_.idle_timeout = seconds(30);
  auto killed = Start();
  Put(0, 250);
  EXPECT_TRUE(Await([&] { return !FinalRows().empty(); }));
  runtime_.BlockOn(killed->Abandon());
  Put(250, 600);
  auto heir = Start();
  clock_.Advance(seconds(11));  // the leases of the killed one expire
  EXPECT_TRUE(Await([&] { return FinalRows().contains("1m/2015-09-12T00:52:00.000Z/events/"); }));
  EXPECT_TRUE(Await([&] {
    clock_.Advance(seconds(5));
    return FinalRows().size() == 78;
  }));
  runtime_.BlockOn(heir->Stop(std::chrono::steady_clock::now() + seconds(10)));
  ExpectTenMinutes();
}

TEST_F(AggregatorTest, ResultsThatCannotBeStoredAreStoredLater) {
  auto aggregator = Start();
  Put(0, 600);
  client_.FailPuts(30, Error(ErrorCode::kUnavailable, "disk full"));
  client_.FailSaves(3, Error(ErrorCode::kUnavailable, "disk full"));
  EXPECT_TRUE(Await([&] {
    clock_.Advance(milliseconds(100));
    return FinalRows().size() == 78;
  }));
  runtime_.BlockOn(aggregator->Stop(std::chrono::steady_clock::now() + seconds(10)));
  ExpectTenMinutes();
}

TEST_F(AggregatorTest, AClosedShardIsFinishedWhenItsWindowsAreFinal) {
  auto aggregator = Start();
  Put(0, 300);
  client_.Split("events", "shardId-000000000001");
  Put(300, 600);
  // The clock stands still until the children are read, or all shards known would be idle before.
  EXPECT_TRUE(Await([&] {
    return client_.LeaseOf("aggregator", "events", "shardId-000000000003").has_value() &&
           client_.LeaseOf("aggregator", "events", "shardId-000000000004").has_value();
  }));
  EXPECT_TRUE(Await([&] {
    clock_.Advance(milliseconds(100));
    return FinalRows().size() == 78 &&
           client_.LeaseOf("aggregator", "events", "shardId-000000000001")->finished;
  }));
  runtime_.BlockOn(aggregator->Stop(std::chrono::steady_clock::now() + seconds(10)));
  ExpectTenMinutes();
}

TEST_F(AggregatorTest, WithLittleMemoryShardsWaitForEachOtherAndNothingIsLost) {
  config_.max_window_memory = {1};
  Put(0, 600);
  auto aggregator = Start();
  EXPECT_TRUE(Await([&] {
    clock_.Advance(milliseconds(100));
    return FinalRows().size() == 78;
  }));
  runtime_.BlockOn(aggregator->Stop(std::chrono::steady_clock::now() + seconds(10)));
  ExpectTenMinutes();
  EXPECT_NE(registry_.Render().find("honryu_aggregator_waiting_shards 0"), std::string::npos);
}

TEST_F(AggregatorTest, AStreamMadeAnewIsReadFromItsBeginning) {
  config_.lease_duration = milliseconds(30);  // the loss of the leases is seen at the next renewal
  config_.windows = {std::chrono::minutes(1)};
  auto aggregator = Start();
  Put(0, 300);
  EXPECT_TRUE(Await([&] {
    const auto lease = client_.LeaseOf("aggregator", "events", "shardId-000000000000");
    return lease.has_value() && lease->checkpoint.has_value() &&
           FinalRows().contains("1m/2015-09-12T00:46:00.000Z/events/");
  }));
  client_.DeleteStream("events");
  client::StreamSettings settings;
  settings.shards = 3;
  runtime_.BlockOn(client_.EnsureStream({}, "events", settings)).value();
  Put(300, 600);
  EXPECT_TRUE(Await([&] { return FinalRows().contains("1m/2015-09-12T00:52:00.000Z/events/"); }));
  EXPECT_EQ(FinalRows().at("1m/2015-09-12T00:50:00.000Z/events/"), 60);
  EXPECT_EQ(FinalRows().at("1m/2015-09-12T00:52:00.000Z/events/"), 60);
  runtime_.BlockOn(aggregator->Stop(std::chrono::steady_clock::now() + seconds(10)));
}

TEST(AggregatorConfig, NamesWhatIsWrong) {
  AggregatorConfig config;
  EXPECT_TRUE(config.Validate().ok());
  config.windows = {milliseconds(1500)};
  EXPECT_NE(config.Validate().error().message().find("windows"), std::string::npos);
  config.windows = {seconds(60), seconds(60)};
  EXPECT_NE(config.Validate().error().message().find("twice"), std::string::npos);
  config = AggregatorConfig();
  config.late_stream = config.kpi_stream;
  EXPECT_FALSE(config.Validate().ok());
}

TEST(WindowName, UsesTheLargestWholeUnit) {
  EXPECT_EQ(WindowName(seconds(60)), "1m");
  EXPECT_EQ(WindowName(seconds(90)), "90s");
  EXPECT_EQ(WindowName(seconds(7200)), "2h");
}

}  // namespace
}  // namespace honryu::processors::aggregator
