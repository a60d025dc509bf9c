#include "honryu/alerting/series.h"

#include <gtest/gtest.h>

namespace honryu::alerting {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kStart = 1'700'000'040'000;  // a whole minute

Timestamp At(double second) { return TimestampFromMs(kStart + static_cast<std::int64_t>(second * 1000)); }

struct Source {
  explicit Source(SeriesSpec spec) : reader(std::move(spec)) {}
  std::vector<Sample> Put(double second, const std::string& json) {
    std::vector<Sample> out;
    reader.Read(codec::Json::Parse(json).value(), json, At(second), out);
    return out;
  }
  std::vector<Sample> Wait(double second) {
    std::vector<Sample> out;
    reader.Advance(At(second), out);
    return out;
  }
  SeriesReader reader;
};

std::string Kpi(const std::string& metric, int minute, double value, bool final = false,
                const std::string& group = "") {
  return R"({"metric":")" + metric + R"(","window":"1m","group":")" + group + R"(","start":)" +
         std::to_string(kStart + minute * 60000) + R"(,"value":)" + std::to_string(value) + R"(,"final":)" +
         (final ? "true" : "false") + "}";
}

TEST(GlobMatch, StarsAndQuestionMarks) {
  EXPECT_TRUE(GlobMatch("*", ""));
  EXPECT_TRUE(GlobMatch("a*c", "abbc"));
  EXPECT_TRUE(GlobMatch("*b?d*", "abcd"));
  EXPECT_TRUE(GlobMatch("*aab", "aaab"));
  EXPECT_FALSE(GlobMatch("a*c", "abcd"));
  EXPECT_FALSE(GlobMatch("?", ""));
}

TEST(SeriesReader, TakesMatchingRowsAndTellsKeysApart) {
  SeriesSpec spec;
  spec.match = {"metric=err*", "group!=event_type=internal"};
  spec.key = {"group", "device.type"};
  Source source(spec);
  EXPECT_TRUE(source.Put(0, Kpi("events", 0, 5)).empty());
  EXPECT_TRUE(source.Put(0, Kpi("errors", 0, 5, false, "event_type=internal")).empty());
  const auto found =
      source.Put(1, R"({"metric":"errors","group":"g","device":{"type":"ios"},"value":"7.5"})");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].key, "group=g,device.type=ios");
  EXPECT_EQ(found[0].value, 7.5);
  EXPECT_EQ(found[0].time, At(1));
  EXPECT_TRUE(source.Put(2, R"({"metric":"errors","value":"many"})").empty());
}

TEST(SeriesReader, FinalRowsOnlyWhenAsked) {
  SeriesSpec spec;
  spec.reading = Reading::kFinal;
  Source source(spec);
  EXPECT_TRUE(source.Put(0, Kpi("events", 0, 5)).empty());
  EXPECT_EQ(source.Put(60, Kpi("events", 0, 9, true)).size(), 1u);
}

TEST(SeriesReader, DividesRowsOfOneWindow) {
  SeriesSpec spec;
  spec.match = {"metric=errors"};
  spec.per_match = {"metric=events"};
  spec.per_least = 10;
  Source source(spec);
  EXPECT_TRUE(source.Put(0, Kpi("errors", 0, 5)).empty());
  EXPECT_TRUE(source.Put(1, Kpi("events", 0, 9)).empty());  // too few
  auto found = source.Put(2, Kpi("events", 0, 20));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].value, 0.25);
  found = source.Put(3, Kpi("events", 1, 50));  // no errors yet in this window
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].value, 0);
}

TEST(SeriesReader, DividesOnlyRowsOfOneRevision) {
  SeriesSpec spec;
  spec.match = {"metric=whole"};
  spec.per_match = {"metric=all"};
  Source source(spec);
  const auto row = [](const std::string& metric, int value, int revision) {
    return R"({"metric":")" + metric + R"(","group":"","start":0,"value":)" + std::to_string(value) +
           R"(,"revision":)" + std::to_string(revision) + "}";
  };
  EXPECT_TRUE(source.Put(0, row("all", 100, 1)).empty());  // a share of 0 would be a false alarm
  auto found = source.Put(1, row("whole", 99, 1));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].value, 0.99);
  EXPECT_TRUE(source.Put(2, row("all", 900, 2)).empty());  // not 99 of 900
  found = source.Put(3, row("whole", 891, 2));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].value, 0.99);
  EXPECT_TRUE(source.Put(4, row("whole", 990, 3)).empty());  // in either order
  EXPECT_EQ(source.Put(5, row("all", 1000, 3)).at(0).value, 0.99);
}

TEST(SeriesReader, IncrementsOfOpenWindowsGoOnOverTheirEdges) {
  SeriesSpec spec;
  spec.reading = Reading::kIncrement;
  spec.resolution = seconds(5);
  Source source(spec);
  // 10 a second in a window of a minute, told once a second half a second late; windows change at 60.
  std::vector<Sample> found;
  for (int t = 1; t <= 125; ++t) {
    const double after = t + 0.5;
    const int minute = t / 60;
    for (const Sample& sample : source.Put(after, Kpi("events", minute, 10.0 * (t % 60))))
      found.push_back(sample);
    if (t % 60 == 0) {  // the last second of the window before
      for (const Sample& sample : source.Put(after, Kpi("events", minute - 1, 600, true)))
        found.push_back(sample);
    }
  }
  ASSERT_GE(found.size(), 22u);
  for (const Sample& sample : found) EXPECT_NEAR(sample.value, 50, 6) << ToMs(sample.time) - kStart;
  EXPECT_EQ(found[0].time, At(10));  // the first bucket was not whole
  EXPECT_EQ(found[1].time, At(15));
  EXPECT_GT(found.back().time, At(115));
}

TEST(SeriesReader, SilenceGivesEmptyBuckets) {
  SeriesSpec spec;
  spec.reading = Reading::kIncrement;
  Source source(spec);
  for (int t = 0; t < 20; ++t) source.Put(t, Kpi("events", 0, t));
  const auto found = source.Wait(31.6);
  ASSERT_GE(found.size(), 2u);
  EXPECT_EQ(found.back().time, At(30));
  EXPECT_EQ(found.back().value, 0);
  EXPECT_EQ(source.reader.NextBucket(), At(36.5));
}

TEST(SeriesReader, IncrementsDivide) {
  SeriesSpec spec;
  spec.match = {"metric=errors"};
  spec.per_match = {"metric=events"};
  spec.reading = Reading::kIncrement;
  Source source(spec);
  std::vector<Sample> found;
  double errors = 0;
  for (int t = 0; t < 40; ++t) {
    errors += t < 20 ? 1 : 25;
    for (const Sample& sample : source.Put(t, Kpi("errors", 0, errors))) found.push_back(sample);
    for (const Sample& sample : source.Put(t, Kpi("events", 0, 100.0 * (t + 1)))) found.push_back(sample);
  }
  ASSERT_GE(found.size(), 5u);
  EXPECT_NEAR(found.front().value, 0.01, 0.002);
  EXPECT_NEAR(found.back().value, 0.25, 0.03);
}

TEST(SeriesReader, RewrittenAndLateRowsAddNothingTwice) {
  SeriesSpec spec;
  spec.reading = Reading::kIncrement;
  Source source(spec);
  double total = 0;
  for (int t = 0; t <= 60; ++t) {
    source.Put(t, Kpi("events", 0, 3.0 * t));
    for (const Sample& sample : source.Put(t, Kpi("events", 0, 3.0 * t))) total += sample.value;
    // An old window that is written again after a crash.
    for (const Sample& sample : source.Put(t, Kpi("events", -1, 500))) total += sample.value;
  }
  for (const Sample& sample : source.Wait(70)) total += sample.value;
  EXPECT_LE(total, 500 + 3 * 60 + 1e-6);
  SeriesSpec one = spec;
  Source lone(one);
  lone.Put(0, Kpi("events", 0, 0));
  double sum = 0;
  for (int t = 1; t <= 61; ++t) {
    for (const Sample& sample : lone.Put(t, Kpi("events", 0, 3.0 * std::min(t, 60)))) sum += sample.value;
  }
  for (const Sample& sample : lone.Wait(80)) sum += sample.value;
  EXPECT_NEAR(sum, 3 * 55, 1e-6);  // all but the first five seconds
}

TEST(SeriesReader, TheKeyNotSeenForLongestMakesRoom) {
  SeriesSpec spec;
  spec.reading = Reading::kIncrement;
  spec.key = {"group"};
  spec.max_keys = 2;
  Source source(spec);
  source.Put(0, Kpi("events", 0, 1, false, "a"));
  source.Put(1, Kpi("events", 0, 1, false, "b"));
  source.Put(2, Kpi("events", 0, 1, false, "c"));
  EXPECT_EQ(source.reader.keys(), 2u);
  EXPECT_EQ(source.reader.evicted(), 1u);
}

}  // namespace
}  // namespace honryu::alerting
