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

TEST(DrawChart, TakesAnything) {
  Alert alert;
  EXPECT_TRUE(DrawChart(alert, {1, 100000}).ok());
  alert.points = {
      {TimestampFromMs(5), std::nan("")}, {TimestampFromMs(5), 1e300}, {TimestampFromMs(5), -1e300}};
  EXPECT_TRUE(DrawChart(alert).ok());
}

}  // namespace
}  // namespace honryu::alerting
