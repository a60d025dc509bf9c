// Streams that no one would wish for: whatever numbers come, what goes out is finite, in range, and its state
// can be saved and read again.

#include "honryu/anomaly/explanation.h"
#include "honryu/anomaly/hotspots.h"
#include "honryu/anomaly/random_cut_forest.h"
#include "honryu/anomaly/series_detector.h"
#include "honryu/base/random.h"
#include "honryu/codec/json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

namespace honryu::anomaly {
namespace {

using Limits = std::numeric_limits<double>;

struct Stream {
  const char* name;
  std::function<double(int, Random&)> value;
};

const std::vector<Stream>& Streams() {
  static const std::vector<Stream> streams = {
      {"constant", [](int, Random&) { return 7.0; }},
      {"zero of both signs", [](int i, Random&) { return i % 2 == 0 ? 0.0 : -0.0; }},
      {"two values", [](int i, Random&) { return i % 2 == 0 ? 1.0 : 2.0; }},
      {"steps", [](int i, Random&) { return i / 100 * 5.0; }},
      {"negative counts",
       [](int i, Random& random) { return -1e15 - i * static_cast<double>(random.Below(9)); }},
      {"neighbouring floats",
       [](int, Random& random) { return 1.0 + static_cast<double>(random.Below(4)) * 1e-9; }},
      {"denormal",
       [](int, Random& random) { return Limits::denorm_min() * static_cast<double>(random.Below(99)); }},
      {"the largest of both signs",
       [](int i, Random&) { return i % 2 == 0 ? Limits::max() : Limits::lowest(); }},
      {"one giant among the small",
       [](int i, Random& random) { return i % 300 == 299 ? 1e308 : random.Unit(); }},
      {"infinities",
       [](int i, Random& random) {
         return i % 7 == 0 ? Limits::infinity() : i % 7 == 3 ? -Limits::infinity() : random.Unit();
       }},
      {"mostly missing",
       [](int i, Random& random) { return i % 10 == 0 ? random.Unit() : Limits::quiet_NaN(); }},
      {"every power",
       [](int i, Random& random) {
         return std::ldexp(i % 3 - 1, static_cast<int>(random.Below(2000)) - 1000);
       }},
  };
  return streams;
}

class Edge : public testing::TestWithParam<std::size_t> {
 protected:
  const Stream& stream() const { return Streams()[GetParam()]; }
  Random random_{5};
};

TEST_P(Edge, ForestScoresStayInRange) {
  for (const std::size_t shingle : {1U, 4U}) {
    for (const std::size_t dimensions : {1U, 3U}) {
      ForestOptions options;
      options.dimensions = dimensions;
      options.shingle = shingle;
      options.trees = 20;
      options.sample_size = 64;
      options.time_decay = 500;
      auto forest = RandomCutForest::Create(options).value();
      Attribution parts;
      for (int i = 0; i < 700; ++i) {
        std::vector<double> row(dimensions, 3.0);  // the other columns never move
        row[0] = stream().value(i, random_);
        const double score = forest.Process(row, &parts);
        ASSERT_TRUE(score >= 0 && score <= std::log2(65.0) + 1e-9) << score << " in row " << i;
        ASSERT_NEAR(parts.Total(), score, 1e-6) << "row " << i;
      }
      const ExpectedValue next = forest.Expect(std::vector<double>(dimensions, Limits::quiet_NaN()), 0);
      EXPECT_TRUE(std::isfinite(next.low) && std::isfinite(next.high));
      const auto restored = RandomCutForest::Restore(forest.Snapshot());
      ASSERT_TRUE(restored.ok()) << restored.error().message();
      EXPECT_EQ(restored->Snapshot(), forest.Snapshot());
    }
  }
}

TEST_P(Edge, DetectorsGoOnAndCanBeSaved) {
  SeriesOptions options;
  options.trees = 10;
  options.sample_size = 64;
  auto detector = SeriesDetector::Create(options).value();
  const auto at = [](int i) { return TimestampFromMs(std::int64_t{i} * 600'000 - 200'000'000); };
  for (int i = 0; i < 700; ++i) {
    const SeriesScore score = detector.Process(at(i), stream().value(i, random_));
    ASSERT_TRUE(std::isfinite(score.score)) << "row " << i;
    ASSERT_TRUE(score.grade >= 0 && score.grade <= 1) << "row " << i;
  }
  const ExpectedValue next = detector.Expect(at(700));
  EXPECT_TRUE(std::isfinite(next.low) && std::isfinite(next.median) && std::isfinite(next.high));
  auto restored = SeriesDetector::Restore(options, detector.Snapshot());
  ASSERT_TRUE(restored.ok()) << restored.error().message();
  EXPECT_EQ(restored->Process(at(700), 1.0).score, detector.Process(at(700), 1.0).score);
}

TEST_P(Edge, SpreadsAndHotspotsCanBeToldAndSaved) {
  ColumnSpread spread(1, 100);
  HotspotOptions options;
  options.dimensions = 2;
  options.window_size = 100;
  options.scan_radius = 1e-200;
  options.minimum_points = 3;
  auto finder = HotspotFinder::Create(options).value();
  std::vector<Hotspot> hotspots;
  for (int i = 0; i < 300; ++i) {
    const double value = stream().value(i, random_);
    ASSERT_TRUE(std::isfinite(spread.Strength(0, value))) << "row " << i;
    spread.Learn(std::array{value});
    hotspots = finder.Process(std::array{value, 1.0});
    for (const Hotspot& hotspot : hotspots) ASSERT_TRUE(std::isfinite(hotspot.density)) << "row " << i;
  }
  EXPECT_TRUE(codec::Json::Parse(HotspotsJson(hotspots)).ok());
  std::string state;
  spread.AppendState(state);
  BytesView rest = state;
  EXPECT_TRUE(ColumnSpread(1, 100).TakeState(&rest).ok());
}

INSTANTIATE_TEST_SUITE_P(Streams, Edge, testing::Range(std::size_t{0}, Streams().size()),
                         [](const auto& info) {
                           std::string name = Streams()[info.param].name;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST(Edge, AJumpOutOfAConstantSeriesHasTheHighestGrade) {
  SeriesOptions options;
  options.trees = 10;
  auto detector = SeriesDetector::Create(options).value();
  for (int i = 0; i < 500; ++i) EXPECT_EQ(detector.Process(TimestampFromMs(i * 1000), 0).grade, 0) << i;
  EXPECT_EQ(detector.Process(TimestampFromMs(500'000), 1).grade, 1);
}

}  // namespace
}  // namespace honryu::anomaly
