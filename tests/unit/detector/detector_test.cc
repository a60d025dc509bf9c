#include "honryu/processors/detector/detector.h"

#include "honryu/base/random.h"
#include "honryu/codec/json.h"
#include "processors/detector/series_watch.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
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

/// Feeds one series, a row at a time.
struct Rows {
  explicit Rows(Watch config) : watch(std::move(config)) {}
  /// Causes of what the row is told for; "over" for the end.
  std::string Put(std::int64_t second, double value) {
    client::StreamRecord record;
    record.arrival = TimestampFromMs(kStart + second * 1000);
    const std::string json = R"({"VALUE":)" + std::to_string(value) + "}";
    record.data = Bytes(json);
    watch.Read(codec::Json::Parse(json).value(), record, "shard", true, found);
    return Causes();
  }
  std::string Wait(std::int64_t second) {
    watch.Advance(TimestampFromMs(kStart + second * 1000), true, found);
    return Causes();
  }
  std::string Causes() {
    std::string text;
    for (const Anomaly& anomaly : found) {
      last = anomaly;
      text += (text.empty() ? "" : " ") + (anomaly.score.grade > 0 ? anomaly.cause : std::string("over"));
    }
    found.clear();
    return text;
  }
  SeriesWatch watch;
  std::vector<Anomaly> found;
  std::optional<Anomaly> last;
};

Watch Plain() {
  Watch watch;
  watch.name = "plain";
  watch.series.value = "VALUE";
  watch.trees = 5;
  return watch;
}

TEST(SeriesWatch, StaticLimitsHoldFromTheFirstSampleOn) {
  Watch config = Plain();
  config.conditions.resize(2);
  config.conditions[0].is = alerting::ConditionKind::kAbove;
  config.conditions[0].limit = 10;
  config.conditions[0].hysteresis = 2;
  config.conditions[1].is = alerting::ConditionKind::kBelow;
  config.conditions[1].limit = 1;
  ASSERT_TRUE(config.Validate().ok());
  Rows rows(config);
  EXPECT_EQ(rows.Put(0, 11), "above");
  EXPECT_EQ(rows.last->score.grade, 1);
  EXPECT_TRUE(rows.last->score.above);
  EXPECT_EQ(rows.last->limit, 10);
  const codec::Json json = codec::Json::Parse(ToJson(*rows.last, "")).value();
  EXPECT_EQ(json.Find("attribution")->Find("cause")->StringOr(""), "above");
  EXPECT_EQ(json.Find("attribution")->Find("limit")->DoubleOr(0), 10);
  EXPECT_EQ(rows.Put(1, 9), "above");  // not back far enough
  EXPECT_EQ(rows.Put(2, 5), "over");
  EXPECT_EQ(rows.Put(3, 6), "");
  EXPECT_EQ(rows.Put(4, 0), "below");
  EXPECT_FALSE(rows.last->score.above);
}

TEST(SeriesWatch, ARateOfChangeIsMeasuredAgainstTheTimeBefore) {
  Watch config = Plain();
  config.conditions.resize(1);
  config.conditions[0].is = alerting::ConditionKind::kFall;
  config.conditions[0].limit = 0.5;
  config.conditions[0].against = minutes(1);
  Rows rows(config);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(rows.Put(i, 100 + i % 3), "") << i;
  EXPECT_EQ(rows.Put(50, 60), "");
  EXPECT_EQ(rows.Put(51, 40), "fall");
  EXPECT_NEAR(*rows.last->limit, 50, 2);
  EXPECT_EQ(rows.Put(52, 100), "over");
}

TEST(SeriesWatch, AbsenceOfASeriesSeenBeforeIsToldOnce) {
  Watch config = Plain();
  config.absent_after = seconds(30);
  ASSERT_TRUE(config.Validate().ok());
  Rows rows(config);
  EXPECT_EQ(rows.Wait(100), "");  // never seen
  EXPECT_EQ(rows.Put(100, 1), "");
  EXPECT_EQ(rows.Wait(129), "");
  EXPECT_EQ(rows.Wait(130), "absent");
  EXPECT_EQ(rows.last->from, TimestampFromMs(kStart + 100'000));
  EXPECT_EQ(rows.last->to, TimestampFromMs(kStart + 130'000));
  EXPECT_EQ(rows.Wait(200), "");
  EXPECT_EQ(rows.Put(201, 1), "over");
  EXPECT_EQ(rows.Wait(230), "");
  EXPECT_EQ(rows.Wait(231), "absent");
}

TEST(SeriesWatch, KnowsTheHourOfTheWeek) {
  Watch config = Plain();
  config.season_slot = std::chrono::hours(1);
  config.trees = 30;
  Rows rows(config);
  Random random(3);
  constexpr int kHoursOfWeek = 7 * 24;
  const auto weekend = [](int hour) { return hour % kHoursOfWeek >= 5 * 24; };
  int told = 0;
  int hour = 0;
  for (; hour < 8 * kHoursOfWeek + 6 * 24; ++hour) {
    const std::string causes = rows.Put(hour * 3600LL, (weekend(hour) ? 20 : 100) + 2 * random.Unit());
    if (hour > 4 * kHoursOfWeek && !causes.empty()) ++told;
  }
  EXPECT_LE(told, 4);
  // As usual as can be on a weekday, and on a Sunday the contrary.
  ASSERT_TRUE(weekend(hour));
  EXPECT_EQ(rows.Put(hour * 3600LL, 101), "season");
  EXPECT_NEAR(rows.last->expected.median, 21, 3);
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
  /// The raw events in the ranges that an anomaly gives.
  std::vector<SequenceNumber> Named(const codec::Json& raw) {
    std::vector<SequenceNumber> named;
    const auto sequence = [](const codec::Json& shard, const char* name) -> std::optional<SequenceNumber> {
      const codec::Json* found = shard.Find(name);
      if (found == nullptr) return std::nullopt;
      return SequenceNumber::FromDecimal(found->StringOr("")).value();
    };
    for (const codec::Json& shard : raw.Find("shards")->array()) {
      client::ReadRequest request;
      request.stream = "events";
      request.shard_id = std::string(shard.Find("shard")->StringOr(""));
      request.from = client::FromTrimHorizon{};
      const client::ReadBatch batch = runtime_.BlockOn(client_.Read({}, request)).value();
      for (const client::StreamRecord& record : batch.records) {
        const std::optional<SequenceNumber> before = sequence(shard, "before"),
                                            last = sequence(shard, "last");
        if (record.sequence >= *sequence(shard, "first") && (!before || record.sequence < *before) &&
            (!last || record.sequence <= *last))
          named.push_back(record.sequence);
      }
    }
    std::sort(named.begin(), named.end());
    return named;
  }
  /// Those that arrived in [from, to).
  std::vector<SequenceNumber> Between(std::int64_t from, std::int64_t to) {
    std::vector<SequenceNumber> meant;
    for (const client::StreamRecord& record : client_.Records("events")) {
      if (ToMs(record.arrival) >= from && ToMs(record.arrival) < to) meant.push_back(record.sequence);
    }
    std::sort(meant.begin(), meant.end());
    return meant;
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
  // Some came before the rows that tell of them.
  EXPECT_EQ(json.Find("from")->IntOr(0) - raw->Find("from")->IntOr(0), 2000);
  EXPECT_EQ(json.Find("to")->IntOr(0), raw->Find("to")->IntOr(0));
  const std::vector<SequenceNumber> named = Named(*raw);
  EXPECT_GE(named.size(), 6u);
  EXPECT_EQ(named, Between(raw->Find("from")->IntOr(0), raw->Find("to")->IntOr(0)));
}

TEST_F(DetectorTest, ARowIsAboutTheEventsSinceItsWindowBegan) {
  Watch watch = Plain();
  watch.series.value = "value";
  watch.conditions.resize(1);
  watch.conditions[0].limit = 10;
  config_.watches = {watch};
  auto detector = Start();
  ASSERT_TRUE(Await([&] { return client_.LeaseOf("detector", "kpi", "shardId-000000000000").has_value(); }));
  const auto event = [this] {
    Put("events", std::to_string(ToMs(clock_.Now())), "{}");
    clock_.Advance(seconds(1));
  };
  for (int i = 0; i < 5; ++i) event();
  const Timestamp window = clock_.Now();
  for (int i = 0; i < 9; ++i) event();
  // Nothing comes behind it: the ranges end with their last records.
  Put("kpi", "g", R"({"start":)" + std::to_string(ToMs(window)) + R"(,"value":100})");
  ASSERT_TRUE(Await([&] { return !client_.Records("anomalies").empty(); }));
  Stop(*detector);
  const codec::Json json = codec::Json::Parse(client_.Records("anomalies")[0].data.view()).value();
  EXPECT_EQ(json.Find("from")->IntOr(0), ToMs(window));
  const codec::Json* raw = json.Find("raw");
  ASSERT_NE(raw, nullptr);
  for (const codec::Json& shard : raw->Find("shards")->array()) EXPECT_NE(shard.Find("last"), nullptr);
  EXPECT_EQ(Named(*raw).size(), 9u);
  EXPECT_EQ(Named(*raw), Between(ToMs(window), ToMs(clock_.Now())));
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
  watch = Traffic();
  watch.absent_after = seconds(30);  // increments are never absent
  EXPECT_FALSE(watch.Validate().ok());
  watch = Traffic();
  watch.conditions.resize(1);
  EXPECT_TRUE(watch.Validate().ok());
  watch.conditions[0].is = alerting::ConditionKind::kPresent;
  EXPECT_FALSE(watch.Validate().ok());
  watch.conditions[0].is = alerting::ConditionKind::kFall;
  watch.conditions[0].limit = 2;
  EXPECT_FALSE(watch.Validate().ok());
}

}  // namespace
}  // namespace honryu::processors::detector
