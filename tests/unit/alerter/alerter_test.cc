#include "honryu/processors/alerter/alerter.h"

#include "honryu/alerting/alert.h"
#include "honryu/async/runtime.h"
#include "honryu/codec/compression.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace honryu::processors::alerter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AlerterTest : public ::testing::Test {
 protected:
  AlerterTest() {
    alerting::Rule rule;
    rule.name = "high";
    rule.stream = "kpi";
    rule.series.key = {"k"};
    rule.when.limit = 10;
    config_.rules = {rule};
    config_.tick = milliseconds(2);
    config_.settle = milliseconds(0);
    config_.poll_wait = milliseconds(10);
    config_.sync_interval = milliseconds(3);
    config_.checkpoint_interval = milliseconds(1);
    runtime_.BlockOn(client_.EnsureStream({}, "kpi", {})).value();
  }
  void Put(const std::string& stream, const std::string& key, const std::string& data) {
    std::vector<client::PutEntry> entries;
    entries.push_back({key, Bytes(data), std::nullopt});
    EXPECT_TRUE(runtime_.BlockOn(client_.Put({}, stream, std::move(entries))).ok());
  }
  void PutRow(const std::string& key, int value) {
    Put("kpi", key, R"({"k":")" + key + R"(","value":)" + std::to_string(value) + "}");
  }
  std::unique_ptr<Alerter> Start() {
    EXPECT_TRUE(config_.Validate().ok());
    auto made = std::make_unique<Alerter>(config_, client_, runtime_.executor(0), clock_, registry_);
    made->Start();
    return made;
  }
  void Stop(Alerter& alerter) {
    runtime_.BlockOn(alerter.Stop(std::chrono::steady_clock::now() + seconds(10)));
  }
  template <class F>
  bool Await(F condition) {
    const MonoTime until = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  /// Ids of the records of a type in the stream of alerts, repetitions included.
  std::multiset<std::string> Ids(const std::string& type) {
    std::multiset<std::string> ids;
    for (const client::StreamRecord& record : client_.Records("alerts")) {
      const codec::Json json = codec::Json::Parse(record.data.view()).value();
      if (alerting::RecordType(json) == type)
        ids.emplace(json.Find("id") == nullptr ? "" : json.Find("id")->StringOr(""));
    }
    return ids;
  }

  ManualClock clock_{TimestampFromMs(1'700'000'000'000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  AlerterConfig config_;
};

TEST_F(AlerterTest, WritesStepsAndNotifications) {
  auto alerter = Start();
  PutRow("a", 5);
  PutRow("a", 11);
  Put("kpi", "b", codec::Compress(codec::Compression::kGzip, R"({"k":"b","value":12})").value());
  Put("kpi", "x", "no json");
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 2; }));
  EXPECT_EQ(Ids("notification").size(), 0u);  // waits for more
  clock_.Advance(seconds(2));
  ASSERT_TRUE(Await([&] { return Ids("notification").size() == 1; }));
  PutRow("a", 5);
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 3; }));
  clock_.Advance(seconds(20));
  ASSERT_TRUE(Await([&] { return Ids("notification").size() == 2; }));
  EXPECT_TRUE(alerter->Ready().ok());
  Stop(*alerter);
  EXPECT_NE(registry_.Render().find("honryu_alerter_malformed_total 1"), std::string::npos);
}

TEST_F(AlerterTest, GoesOnWhereItStoppedAndTellsNothingTwice) {
  auto first = Start();
  PutRow("a", 11);
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 1; }));
  clock_.Advance(seconds(2));
  ASSERT_TRUE(Await([&] { return Ids("notification").size() == 1; }));
  Stop(*first);
  clock_.Advance(seconds(30));
  auto second = Start();
  PutRow("b", 11);
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 2; }));
  clock_.Advance(seconds(20));
  ASSERT_TRUE(Await([&] { return Ids("notification").size() == 2; }));
  PutRow("a", 1);  // known to fire although this process never saw it begin
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 3; }));
  Stop(*second);
  const auto changes = Ids("change");
  EXPECT_EQ(std::set<std::string>(changes.begin(), changes.end()).size(), 3u);
}

TEST_F(AlerterTest, AfterACrashWhatIsWrittenAgainHasTheSameIds) {
  config_.checkpoint_interval = std::chrono::hours(1);
  config_.lease_duration = milliseconds(50);
  client_.FailSaves(1000000, Error(ErrorCode::kUnavailable, "no saves"));
  auto first = Start();
  for (int i = 0; i < 50; ++i) PutRow("k" + std::to_string(i % 7), i % 3 == 0 ? 5 : 11 + i);
  ASSERT_TRUE(Await([&] { return Ids("change").size() > 10; }));
  clock_.Advance(seconds(2));
  ASSERT_TRUE(Await([&] { return !Ids("notification").empty(); }));
  runtime_.BlockOn(first->Abandon());
  const auto before = Ids("change");
  const auto told = Ids("notification");
  client_.FailSaves(0, Error());
  clock_.Advance(seconds(20));  // the leases run out
  auto second = Start();
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 2 * before.size(); }));
  ASSERT_TRUE(Await([&] { return Ids("notification").size() == 2 * told.size(); }));
  Stop(*second);
  const auto all = Ids("change");
  const std::set<std::string> once(all.begin(), all.end());
  EXPECT_EQ(once, std::set<std::string>(before.begin(), before.end()));
  for (const std::string& id : once) EXPECT_EQ(all.count(id), 2u) << id;
  for (const std::string& id : told) EXPECT_EQ(Ids("notification").count(id), 2u) << id;
}

TEST_F(AlerterTest, SilencesInTheStreamHoldNotificationsBack) {
  runtime_.BlockOn(client_.EnsureStream({}, "alerts", {})).value();
  alerting::Silence silence;
  silence.id = "s";
  silence.from = clock_.Now();
  silence.until = clock_.Now() + std::chrono::minutes(10);
  Put("alerts", "s", alerting::ToJson(silence));
  auto alerter = Start();
  PutRow("a", 11);
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 1; }));
  clock_.Advance(seconds(60));
  PutRow("b", 1);
  PutRow("b", 11);
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 2; }));
  EXPECT_TRUE(Ids("notification").empty());
  silence.until = silence.from;  // taken back
  Put("alerts", "s", alerting::ToJson(silence));
  ASSERT_TRUE(Await([&] {
    clock_.Advance(milliseconds(100));
    return Ids("notification").size() == 1;
  }));
  Stop(*alerter);
}

TEST_F(AlerterTest, WritesThatFailAreTriedAgain) {
  auto alerter = Start();
  ASSERT_TRUE(Await([&] { return runtime_.BlockOn(client_.ListShards({}, "alerts")).ok(); }));
  client_.FailStream("alerts", Error(ErrorCode::kUnavailable, "full"));
  PutRow("a", 11);
  ASSERT_TRUE(Await([&] { return !alerter->Ready().ok(); }));
  client_.HealStream("alerts");
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 1; }));
  ASSERT_TRUE(Await([&] { return alerter->Ready().ok(); }));
  Stop(*alerter);
}

TEST_F(AlerterTest, NothingIsAbsentWhileReadingLagsBehind) {
  alerting::Rule rule = config_.rules[0];
  rule.when.is = alerting::ConditionKind::kAbsent;
  rule.state.on_stale = alerting::OnStale::kBreach;
  rule.state.stale_after = seconds(30);
  config_.rules = {rule};
  auto alerter = Start();
  PutRow("a", 1);
  clock_.Advance(seconds(29));
  PutRow("a", 1);
  clock_.Advance(seconds(29));
  PutRow("a", 1);
  clock_.Advance(seconds(40));
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 1; }));
  Stop(*alerter);
  EXPECT_EQ(*Ids("change").begin(), "high{k=a}/firing/" + std::to_string(1'700'000'000'000 + 88'000));
}

TEST_F(AlerterTest, ReshardingLosesNothing) {
  auto alerter = Start();
  PutRow("a", 11);
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 1; }));
  for (int i = 0; i < 4; ++i) client_.Split("kpi", "shardId-00000000000" + std::to_string(i));
  PutRow("a", 1);
  PutRow("b", 11);
  ASSERT_TRUE(Await([&] { return Ids("change").size() == 3; }));
  Stop(*alerter);
}

TEST(AlerterConfig, IsChecked) {
  AlerterConfig config;
  EXPECT_TRUE(config.Validate().ok());
  config.application = "a/b";
  EXPECT_FALSE(config.Validate().ok());
  config = AlerterConfig();
  config.rules.resize(1);
  EXPECT_FALSE(config.Validate().ok());
}

}  // namespace
}  // namespace honryu::processors::alerter
