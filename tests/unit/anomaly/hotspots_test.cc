#include "honryu/anomaly/hotspots.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <string>

namespace honryu::anomaly {
namespace {

HotspotOptions Options(std::size_t window, double radius, std::size_t points) {
  HotspotOptions options;
  options.window_size = window;
  options.scan_radius = radius;
  options.minimum_points = points;
  return options;
}

using Point = std::array<double, 2>;

// DBSCAN as written in the paper, over all pairs.
std::vector<Hotspot> ByDefinition(const std::vector<Point>& points, const HotspotOptions& options) {
  const auto near = [&](std::size_t a, std::size_t b) {
    return std::hypot(points[a][0] - points[b][0], points[a][1] - points[b][1]) <= options.scan_radius;
  };
  std::vector<bool> core(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::size_t count = 0;
    for (std::size_t k = 0; k < points.size(); ++k) count += near(i, k) ? 1 : 0;
    core[i] = count >= options.minimum_points;
  }
  std::vector<Hotspot> found;
  std::vector<bool> done(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!core[i] || done[i]) continue;
    std::set<std::size_t> members{i};
    std::vector<std::size_t> open{i};
    done[i] = true;
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      for (std::size_t k = 0; k < points.size(); ++k) {
        if (!near(at, k)) continue;
        members.insert(k);
        if (core[k] && !done[k]) {
          done[k] = true;
          open.push_back(k);
        }
      }
    }
    Hotspot hotspot{static_cast<double>(members.size()), {1e9, 1e9}, {-1e9, -1e9}};
    for (const std::size_t m : members) {
      for (std::size_t d = 0; d < 2; ++d) {
        hotspot.min_values[d] = std::min(hotspot.min_values[d], points[m][d]);
        hotspot.max_values[d] = std::max(hotspot.max_values[d], points[m][d]);
      }
    }
    for (std::size_t d = 0; d < 2; ++d) {
      hotspot.density /= std::max(options.scan_radius, hotspot.max_values[d] - hotspot.min_values[d]);
    }
    found.push_back(hotspot);
  }
  std::sort(found.begin(), found.end(), [](const Hotspot& a, const Hotspot& b) {
    return a.density != b.density ? a.density > b.density : a.min_values < b.min_values;
  });
  return found;
}

TEST(Hotspots, BoxThePlantedCluster) {
  auto finder = HotspotFinder::Create(Options(1000, 0.01, 20)).value();
  Random random(1);
  std::vector<Hotspot> hotspots;
  for (int i = 0; i < 1500; ++i) {
    Point point{random.Unit(), random.Unit()};
    if (i % 5 == 0) point = {0.7 + 0.01 * random.Unit(), 0.2 + 0.01 * random.Unit()};
    hotspots = finder.Process(point);
  }
  ASSERT_EQ(hotspots.size(), 1U);
  EXPECT_NEAR(hotspots[0].min_values[0], 0.7, 0.01);
  EXPECT_NEAR(hotspots[0].max_values[0], 0.71, 0.01);
  EXPECT_NEAR(hotspots[0].min_values[1], 0.2, 0.01);
  EXPECT_NEAR(hotspots[0].max_values[1], 0.21, 0.01);
  EXPECT_GT(hotspots[0].density, 100 / 0.02 / 0.02);
}

TEST(Hotspots, AreThoseOfTheDefinitionWhileTheWindowSlides) {
  const HotspotOptions options = Options(70, 0.08, 4);
  auto finder = HotspotFinder::Create(options).value();
  Random random(3);
  std::vector<Point> window;
  for (int i = 0; i < 400; ++i) {
    // Corners of a coarse grid often: equal points and shared borders.
    Point point{random.Unit(), random.Unit()};
    if (random.Chance(0.4))
      point = {static_cast<double>(random.Below(8)) / 8, static_cast<double>(random.Below(2)) / 8};
    window.push_back(point);
    if (window.size() > options.window_size) window.erase(window.begin());
    const auto found = finder.Process(point);
    const auto expected = ByDefinition(window, options);
    ASSERT_EQ(found.size(), expected.size()) << "point " << i;
    for (std::size_t k = 0; k < found.size(); ++k) {
      EXPECT_DOUBLE_EQ(found[k].density, expected[k].density);
      EXPECT_EQ(found[k].min_values, expected[k].min_values);
      EXPECT_EQ(found[k].max_values, expected[k].max_values);
    }
  }
}

TEST(Hotspots, PointsThatAreNotFiniteAreLeftOut) {
  auto finder = HotspotFinder::Create(Options(10, 1, 2)).value();
  finder.Process(Point{1, 1});
  finder.Process(Point{std::numeric_limits<double>::quiet_NaN(), 1});
  EXPECT_TRUE(finder.Process(Point{std::numeric_limits<double>::infinity(), 1}).empty());
  EXPECT_EQ(finder.Process(Point{1, 1}).size(), 1U);
}

TEST(Hotspots, AsJson) {
  const Hotspot hotspot{12.5, {0.25, -1}, {0.5, 3}};
  EXPECT_EQ(HotspotsJson({}), R"({"hotspots":[]})");
  EXPECT_EQ(HotspotsJson(std::array{hotspot, hotspot}),
            R"({"hotspots":[{"density":12.5,"minValues":[0.25,-1],"maxValues":[0.5,3]},)"
            R"({"density":12.5,"minValues":[0.25,-1],"maxValues":[0.5,3]}]})");
}

TEST(Hotspots, RefuseOptionsOutOfRange) {
  for (const HotspotOptions& options : {Options(1, 1, 2), Options(100, 0, 2), Options(100, -1, 2),
                                        Options(100, 1, 1), Options(100, 1, 101), Options(20000, 1, 2)}) {
    EXPECT_EQ(HotspotFinder::Create(options).error().code(), ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace honryu::anomaly
