#include "honryu/analytics/window.h"

#include "honryu/analytics/watermark.h"
#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace honryu::analytics {
namespace {

TEST(WindowStart, FloorsAlsoBeforeTheEpoch) {
  EXPECT_EQ(WindowStart(0, 60000), 0);
  EXPECT_EQ(WindowStart(59999, 60000), 0);
  EXPECT_EQ(WindowStart(60000, 60000), 60000);
  EXPECT_EQ(WindowStart(-1, 60000), -60000);
  EXPECT_EQ(WindowStart(-60000, 60000), -60000);
  EXPECT_EQ(WindowStart(-60001, 60000), -120000);
}

TEST(TimeSpans, HoldExactlyWhatWasAdded) {
  Random random(7);
  for (int round = 0; round < 50; ++round) {
    TimeSpans spans;
    std::set<std::int64_t> points;
    for (int i = 0; i < 12; ++i) {
      const auto start = static_cast<std::int64_t>(random.Below(120)) - 60;
      const auto end = start + static_cast<std::int64_t>(random.Below(15));
      spans.Add(start, end);
      for (std::int64_t t = start; t < end; ++t) points.insert(t);
    }
    for (std::int64_t t = -70; t < 90; ++t) EXPECT_EQ(spans.Contains(t), points.contains(t)) << t;
    for (std::size_t i = 1; i < spans.spans().size(); ++i)
      EXPECT_LT(spans.spans()[i - 1].second, spans.spans()[i].first);
  }
}

TEST(TimeSpans, BeyondTheLimitTheSmallestGapIsGivenUp) {
  TimeSpans spans(2);
  spans.Add(0, 10);
  spans.Add(100, 110);
  spans.Add(15, 20);
  EXPECT_EQ(spans.spans().size(), 2u);
  EXPECT_TRUE(spans.Contains(12));
  EXPECT_FALSE(spans.Contains(50));
  EXPECT_TRUE(spans.Contains(105));
}

TEST(Watermark, IsTheSlowestSourceLessTheLateness) {
  WatermarkTracker tracker(60);
  tracker.Add("a");
  tracker.Add("b");
  tracker.Observe("a", 1000);
  EXPECT_EQ(tracker.Advance(), WatermarkTracker::kNone);  // b has said nothing
  tracker.Observe("b", 500);
  EXPECT_EQ(tracker.Advance(), 440);
  tracker.Observe("b", 400);  // out of order: no step back
  EXPECT_EQ(tracker.Advance(), 440);
  tracker.Observe("b", 2000);
  EXPECT_EQ(tracker.Advance(), 940);
}

TEST(Watermark, IdleSourcesDoNotHoldItBack) {
  WatermarkTracker tracker(60);
  tracker.Add("a");
  tracker.Add("b");
  tracker.Observe("a", 1000);
  tracker.SetIdle("b");
  EXPECT_EQ(tracker.Advance(), 940);
  EXPECT_FALSE(tracker.AllIdle());
  tracker.Observe("b", 100);  // back, and behind: the joint one does not go back
  EXPECT_EQ(tracker.Advance(), 940);
  tracker.SetIdle("a");
  tracker.SetIdle("b");
  EXPECT_TRUE(tracker.AllIdle());
  tracker.AdvanceTo(5000);
  EXPECT_EQ(tracker.Advance(), 5000);
  tracker.Remove("b");
  tracker.Observe("a", 10000);
  EXPECT_EQ(tracker.Advance(), 9940);
}

TEST(Watermark, AfterAResetTimeBeginsAnew) {
  WatermarkTracker tracker(0);
  tracker.Observe("a", 1000);
  EXPECT_EQ(tracker.Advance(), 1000);
  tracker.Reset();
  EXPECT_EQ(tracker.watermark(), WatermarkTracker::kNone);
  tracker.Observe("a", 10);
  EXPECT_EQ(tracker.Advance(), 10);
}

TEST(Watermark, NoSourcesAreNotAllIdle) { EXPECT_FALSE(WatermarkTracker(0).AllIdle()); }

}  // namespace
}  // namespace honryu::analytics
