#include "honryu/alerting/chart.h"

#include <gtest/gtest.h>
#include <png.h>

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace honryu::alerting {
namespace {

struct Picture {
  std::uint32_t width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
  std::array<int, 3> At(std::uint32_t x, std::uint32_t y) const {
    const std::uint8_t* p = &pixels[(static_cast<std::size_t>(y) * width + x) * 3];
    return {p[0], p[1], p[2]};
  }
};

Picture Decode(const std::string& png) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_memory(&image, png.data(), png.size()), 0);
  image.format = PNG_FORMAT_RGB;
  Picture picture;
  picture.width = image.width;
  picture.height = image.height;
  picture.pixels.resize(PNG_IMAGE_SIZE(image));
  EXPECT_NE(png_image_finish_read(&image, nullptr, picture.pixels.data(), 0, nullptr), 0);
  return picture;
}

TEST(DrawChart, ShowsValuesLimitAndTheTimeOfFiring) {
  Alert alert;
  alert.limit = 50;
  alert.state = AlertState::kFiring;
  for (int i = 0; i <= 10; ++i) alert.points.push_back({TimestampFromMs(i * 1000), i < 8 ? 0.0 : 100.0});
  alert.since = TimestampFromMs(8000);
  const std::string png = DrawChart(alert, {200, 100}).value();
  EXPECT_LT(png.size(), 4000u);
  const Picture picture = Decode(png);
  ASSERT_EQ(picture.width, 200u);
  ASSERT_EQ(picture.height, 100u);
  EXPECT_EQ(picture.At(20, 20), (std::array<int, 3>{255, 255, 255}));   // before: paper
  EXPECT_EQ(picture.At(190, 70), (std::array<int, 3>{253, 232, 232}));  // shaded
  EXPECT_EQ(picture.At(20, 93), (std::array<int, 3>{30, 90, 200}));     // the line at 0
  EXPECT_EQ(picture.At(180, 6), (std::array<int, 3>{30, 90, 200}));     // and at 100
  EXPECT_EQ(picture.At(21, 50), (std::array<int, 3>{200, 30, 30}));     // the limit half-way up
}

TEST(ChartText, HoldsWhatIsDrawnAndNothingElse) {
  Alert alert;
  alert.rule = "secret-rule";
  alert.limit = 50;
  alert.state = AlertState::kFiring;
  for (int i = 0; i < 90; ++i)
    alert.points.push_back({TimestampFromMs(1'700'000'000'000 + i * 5000), i % 7 * 1234.5});
  alert.since = alert.points[70].time;
  const std::string text = ChartText(alert);
  EXPECT_LE(text.size(), 1000u);
  EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  const Alert read = ParseChartText(text).value();
  EXPECT_TRUE(read.rule.empty());
  EXPECT_EQ(read.limit, 50);
  EXPECT_EQ(read.state, AlertState::kFiring);
  EXPECT_EQ(read.since, alert.since);
  EXPECT_EQ(read.points, (std::vector<Point>{alert.points.begin() + 30, alert.points.end()}));
  alert.points.erase(alert.points.begin(), alert.points.begin() + 30);
  EXPECT_EQ(DrawChart(read).value(), DrawChart(alert).value());
  EXPECT_TRUE(ParseChartText(ChartText(Alert())).ok());
}

TEST(ChartText, TakesNoTextOfOthers) {
  Alert alert;
  alert.at = TimestampFromMs(1'700'000'000'000);
  for (int i = 0; i < 3; ++i) alert.points.push_back({alert.at, 1.0});
  const std::string good = ChartText(alert);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ParseChartText(good.substr(0, size)).ok()) << size;
  }
  for (const std::string& bad : {good + "AAAA", good + "=", std::string("AgAA"), std::string(5000, 'A'),
                                 std::string("AQD//////////w8"), std::string("*")})
    EXPECT_FALSE(ParseChartText(bad).ok()) << bad;
  // Whatever else is changed is read as another picture or refused, and can be drawn.
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string other = good;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    if (const Result<Alert> read = ParseChartText(other); read.ok()) EXPECT_TRUE(DrawChart(*read).ok());
  }
}

TEST(DrawChart, TakesAnything) {
  Alert alert;
  EXPECT_TRUE(DrawChart(alert, {1, 100000}).ok());
  alert.points = {
      {TimestampFromMs(5), std::nan("")}, {TimestampFromMs(5), 1e300}, {TimestampFromMs(5), -1e300}};
  EXPECT_TRUE(DrawChart(alert).ok());
}

}  // namespace
}  // namespace honryu::alerting
