#include "honryu/processors/detector/detector.h"

#include "honryu/base/random.h"
#include "honryu/codec/json.h"
#include "processors/detector/series_watch.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace honryu::processors::detector {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t kStart = 1'700'000'040'000;

Watch Traffic() {
  Watch watch;
  watch.name = "traffic";
  watch.series.key = {"group"};
  watch.series.reading = alerting::Reading::kIncrement;
  watch.silent_rows = 30;
  return watch;
}

/// What the aggregator writes once a second: the value so far of the open window of a minute.
struct Traces {
  Random random{7};
  double in_window = 0;
  std::int64_t window = kStart;
  std::string Second(std::int64_t now_ms, double per_second) {
    if (now_ms - window >= 60'000) {
      window += 60'000;
      in_window = 0;
    }
    in_window += per_second * (0.9 + 0.2 * random.Unit());
    return R"({"metric":"events","group":"g","start":)" + std::to_string(window) + R"(,"value":)" +
           std::to_string(in_window) + "}";
  }
};

TEST(SeriesWatch, FindsADropWithinSecondsFromRowsOfOpenWindows) {
  SeriesWatch watch(Traffic());
  Traces traces;
  std::vector<Anomaly> found;
  client::StreamRecord record;
  std::int64_t t = 0;
  const auto second = [&](double rate) {
    record.arrival = TimestampFromMs(kStart + t * 1000 + 500);
    const std::string json = traces.Second(kStart + t * 1000, rate);
    record.data = Bytes(json);
    watch.Read(codec::Json::Parse(json).value(), record, "shard", true, found);
    ++t;
  };
  for (int i = 0; i < 1800; ++i) second(100);
  const std::size_t before = found.size();
  EXPECT_LE(before, 1u);
  const std::int64_t dropped = t;
  while (found.size() == before && t < dropped + 60) second(30);
  ASSERT_GT(found.size(), before);
  EXPECT_LE(t - dropped, 15);
  const Anomaly anomaly = found.back();
  EXPECT_FALSE(anomaly.score.above);
  EXPECT_GT(anomaly.score.grade, 0.3);
  EXPECT_NEAR(anomaly.expected.median, 500, 60);
  const codec::Json json = codec::Json::Parse(ToJson(anomaly, R"({"stream":"events"})")).value();
  EXPECT_EQ(json.Find("direction")->StringOr(""), "low");
  EXPECT_EQ(json.Find("shard")->StringOr(""), "shard");
  EXPECT_EQ(json.Find("key")->StringOr(""), "group=g");
  EXPECT_EQ(json.Find("raw")->Find("stream")->StringOr(""), "events");
  EXPECT_EQ(json.Find("to")->IntOr(0) - json.Find("from")->IntOr(0), 5000);
  const std::int64_t mended = t;
  while (found.back().score.grade > 0 && t < mended + 60) second(100);
  EXPECT_EQ(found.back().score.grade, 0);  // the end is told, once
  const std::size_t told = found.size();
  for (int i = 0; i < 60; ++i) second(100);
  EXPECT_EQ(found.size(), told);
}

TEST(SeriesWatch, TheSeriesNotSeenForLongestMakesRoom) {
  Watch config = Traffic();
  config.series.reading = alerting::Reading::kRow;
  config.max_series = 3;
  config.trees = 5;
  SeriesWatch watch(config);
  std::vector<Anomaly> found;
  client::StreamRecord record;
  for (int i = 0; i < 20; ++i) {
    const std::string json = R"({"group":")" + std::to_string(i % 2 == 0 ? 0 : i) + R"(","value":1})";
    record.data = Bytes(json);
    record.arrival = TimestampFromMs(kStart + i);
    watch.Read(codec::Json::Parse(json).value(), record, "s", true, found);
  }
  EXPECT_EQ(watch.series(), 3u);
  EXPECT_EQ(watch.evicted(), 8u);  // "0" stayed all the time
}

class DetectorTest : public ::testing::Test {
 protected:
  DetectorTest() {
    config_.watches = {Traffic()};
    config_.tick = milliseconds(2);
    config_.settle = milliseconds(0);
    config_.poll_wait = milliseconds(10);
    config_.sync_interval = milliseconds(3);
    config_.checkpoint_interval = milliseconds(1);
    runtime_.BlockOn(client_.EnsureStream({}, "kpi", {1, 24})).value();
    runtime_.BlockOn(client_.EnsureStream({}, "events", {2, 24})).value();
  }
  void Put(const std::string& stream, const std::string& key, const std::string& data) {
    std::vector<client::PutEntry> entries;
    entries.push_back({key, Bytes(data), std::nullopt});
    EXPECT_TRUE(runtime_.BlockOn(client_.Put({}, stream, std::move(entries))).ok());
  }
  void Second(double rate) {
    clock_.Advance(seconds(1));
    Put("events", std::to_string(ToMs(clock_.Now())), "{}");
    Put("kpi", "g", traces_.Second(ToMs(clock_.Now()) - 1000, rate));
  }
  std::unique_ptr<Detector> Start() {
    EXPECT_TRUE(config_.Validate().ok());
    auto made =
        std::make_unique<Detector>(config_, client_, runtime_, runtime_.executor(0), clock_, registry_);
    made->Start();
    return made;
  }
  void Stop(Detector& detector) {
    runtime_.BlockOn(detector.Stop(std::chrono::steady_clock::now() + seconds(20)));
  }
  template <class F>
  bool Await(F condition) {
    const MonoTime until = std::chrono::steady_clock::now() + seconds(40);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  ManualClock clock_{TimestampFromMs(kStart)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  Traces traces_;
  DetectorConfig config_;
};

TEST_F(DetectorTest, WarmStartsFromTheLogAndTellsOfTheRawEvents) {
  for (int i = 0; i < 900; ++i) Second(i == 450 ? 2000 : 100);  // history, with something odd in it
  clock_.Advance(milliseconds(1));
  auto detector = Start();
  ASSERT_TRUE(
      Await([&] { return registry_.Render().find("honryu_detector_series 1") != std::string::npos; }));
  EXPECT_TRUE(client_.Records("anomalies").empty());  // history is only learned
  for (int i = 0; i < 20; ++i) Second(1500);
  ASSERT_TRUE(Await([&] { return !client_.Records("anomalies").empty(); }));
  EXPECT_TRUE(detector->Ready().ok());
  Stop(*detector);
  const codec::Json json = codec::Json::Parse(client_.Records("anomalies")[0].data.view()).value();
  EXPECT_EQ(json.Find("direction")->StringOr(""), "high");
  const codec::Json* raw = json.Find("raw");
  ASSERT_NE(raw, nullptr);
  EXPECT_EQ(raw->Find("stream")->StringOr(""), "events");
  // Every raw event of the time that the anomaly names lies in the ranges, and no other.
  const Timestamp from = TimestampFromMs(json.Find("from")->IntOr(0));
  const Timestamp to = TimestampFromMs(json.Find("to")->IntOr(0));
  std::size_t within = 0, meant = 0;
  for (const client::StreamRecord& record : client_.Records("events")) {
    if (record.arrival >= from && record.arrival < to) ++meant;
    for (const codec::Json& shard : raw->Find("shards")->array()) {
      const SequenceNumber first = SequenceNumber::FromDecimal(shard.Find("first")->StringOr("")).value();
      const codec::Json* end = shard.Find("before");
      if (record.arrival >= from && record.arrival < to && record.sequence >= first &&
          (end == nullptr || record.sequence < SequenceNumber::FromDecimal(end->StringOr("")).value())) {
        ++within;
        break;
      }
    }
  }
  EXPECT_GT(meant, 3u);
  EXPECT_EQ(within, meant);
}

TEST_F(DetectorTest, GoesOnAfterARestartWithoutTellingAgain) {
  for (int i = 0; i < 600; ++i) Second(100);
  auto first = Start();
  ASSERT_TRUE(
      Await([&] { return registry_.Render().find("honryu_detector_series 1") != std::string::npos; }));
  for (int i = 0; i < 20; ++i) Second(1500);
  ASSERT_TRUE(Await([&] { return !client_.Records("anomalies").empty(); }));
  ASSERT_TRUE(Await([&] {
    const auto lease = client_.LeaseOf("detector", "kpi", "shardId-000000000000");
    return lease.has_value() && lease->checkpoint == client_.Records("kpi").back().sequence;
  }));
  Stop(*first);
  const std::size_t told = client_.Records("anomalies").size();
  for (int i = 0; i < 30; ++i) Second(100);
  auto second = Start();
  for (int i = 0; i < 20; ++i) Second(3000);
  ASSERT_TRUE(Await([&] { return client_.Records("anomalies").size() > told; }));
  Stop(*second);
  std::set<std::string> ids;
  for (const client::StreamRecord& record : client_.Records("anomalies"))
    EXPECT_TRUE(ids.emplace(codec::Json::Parse(record.data.view()).value().Find("id")->StringOr("")).second);
}

TEST(DetectorConfig, IsChecked) {
  DetectorConfig config;
  config.watches = {Traffic()};
  EXPECT_TRUE(config.Validate().ok());
  config.watches.push_back(Traffic());
  EXPECT_FALSE(config.Validate().ok());
  Watch watch = Traffic();
  watch.trees = 0;
  EXPECT_FALSE(watch.Validate().ok());
  watch = Traffic();
  watch.name = "a/b";
  EXPECT_FALSE(watch.Validate().ok());
  watch = Traffic();
  watch.season_slot = seconds(7);
  EXPECT_FALSE(watch.Validate().ok());
}

}  // namespace
}  // namespace honryu::processors::detector
