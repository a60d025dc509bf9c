#include "honryu/alerting/chart.h"

#include "honryu/codec/base64.h"
#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"

#include <png.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

namespace honryu::alerting {

namespace {

struct Colour {
  std::uint8_t r, g, b;
};
constexpr Colour kPaper{255, 255, 255}, kGrid{230, 230, 230}, kFiring{253, 232, 232}, kLimit{200, 30, 30},
    kLine{30, 90, 200};
constexpr int kMargin = 6;

class Canvas {
 public:
  Canvas(int width, int height)
      : width_(width),
        height_(height),
        pixels_(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3) {
    Fill(0, 0, width, height, kPaper);
  }
  void Put(int x, int y, Colour colour) {
    if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
    std::uint8_t* at = &pixels_[(static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) +
                                 static_cast<std::size_t>(x)) *
                                3];
    at[0] = colour.r;
    at[1] = colour.g;
    at[2] = colour.b;
  }
  void Fill(int left, int top, int right, int bottom, Colour colour) {
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) Put(x, y, colour);
    }
  }
  /// Two pixels thick.
  void Line(double x0, double y0, double x1, double y1, Colour colour) {
    const int steps =
        std::max(1, static_cast<int>(std::ceil(std::max(std::abs(x1 - x0), std::abs(y1 - y0)))));
    for (int i = 0; i <= steps; ++i) {
      const double share = static_cast<double>(i) / steps;
      const int x = static_cast<int>(std::lround(x0 + (x1 - x0) * share));
      const int y = static_cast<int>(std::lround(y0 + (y1 - y0) * share));
      Put(x, y, colour);
      Put(x + 1, y, colour);
      Put(x, y + 1, colour);
    }
  }
  Result<std::string> Png() const {
    png_image image;
    std::memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = static_cast<png_uint_32>(width_);
    image.height = static_cast<png_uint_32>(height_);
    image.format = PNG_FORMAT_RGB;
    std::string out(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
    png_alloc_size_t size = out.size();
    if (png_image_write_to_memory(&image, out.data(), &size, 0, pixels_.data(), 0, nullptr) == 0)
      return Error(ErrorCode::kInternal, std::string("the chart cannot be encoded: ") + image.message);
    out.resize(size);
    return out;
  }

 private:
  const int width_, height_;
  std::vector<std::uint8_t> pixels_;
};

// The bytes of a chart's text, in base64 for links: version, 1 if it fires, then varints: the time of the
// first point, since when it fires (after the first point, zigzag), the limit (f32), points: how many, and of
// each the time after the one before (zigzag) and the value (f32).
constexpr char kChartVersion = 1;
constexpr std::size_t kMostChartPoints = 60;
constexpr std::size_t kMostChartText = 1000;

void AppendSigned(std::string& out, std::int64_t value) {
  codec::AppendVarint(out,
                      (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}
bool TakeSigned(std::string_view* in, std::int64_t* value) {
  std::uint64_t raw = 0;
  if (!codec::TakeVarint(in, &raw)) return false;
  *value = static_cast<std::int64_t>(raw >> 1) ^ -static_cast<std::int64_t>(raw & 1);
  return true;
}
void AppendFloat(std::string& out, double value) {
  codec::AppendU32(out, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
}
bool TakeFloat(std::string_view* in, double* value) {
  if (in->size() < 4) return false;
  *value = static_cast<double>(std::bit_cast<float>(codec::LoadU32(in->data())));
  in->remove_prefix(4);
  return std::isfinite(*value);
}
// A time of this chart: not so far away that sums of them overflow.
bool TakeTime(std::string_view* in, std::int64_t from, Timestamp* time) {
  constexpr std::int64_t kFar = 1LL << 50;
  std::int64_t ms = 0;
  if (!TakeSigned(in, &ms) || ms > kFar || ms < -kFar) return false;
  *time = TimestampFromMs(from + ms);
  return ToMs(*time) <= kFar && ToMs(*time) >= -kFar;
}

}  // namespace

std::string ChartText(const Alert& alert) {
  std::string bytes{kChartVersion, static_cast<char>(alert.state == AlertState::kFiring ? 1 : 0)};
  const std::size_t skipped = alert.points.size() - std::min(alert.points.size(), kMostChartPoints);
  Timestamp last = alert.points.empty() ? alert.at : alert.points[skipped].time;
  AppendSigned(bytes, ToMs(last));
  AppendSigned(bytes, ToMs(alert.since - last));
  AppendFloat(bytes, alert.limit);
  codec::AppendVarint(bytes, alert.points.size() - skipped);
  for (std::size_t i = skipped; i < alert.points.size(); ++i) {
    AppendSigned(bytes, ToMs(alert.points[i].time - last));
    AppendFloat(bytes, std::isfinite(alert.points[i].value) ? alert.points[i].value : 0);
    last = alert.points[i].time;
  }
  std::string text = codec::Base64Encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

Result<Alert> ParseChartText(std::string_view text) {
  const Error wrong(ErrorCode::kInvalidArgument, "not the text of a chart");
  if (text.size() > kMostChartText || text.find_first_of("+/=") != std::string_view::npos) return wrong;
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '-', '+');
  std::replace(plain.begin(), plain.end(), '_', '/');
  plain.append((4 - plain.size() % 4) % 4, '=');
  const Result<std::string> bytes = codec::Base64Decode(plain);
  if (!bytes.ok() || bytes->size() < 2 || bytes->front() != kChartVersion) return wrong;
  std::string_view rest = std::string_view(*bytes).substr(2);
  Alert alert;
  alert.state = (*bytes)[1] == 1 ? AlertState::kFiring : AlertState::kResolved;
  std::uint64_t count = 0;
  Timestamp last;
  if (!TakeTime(&rest, 0, &last) || !TakeTime(&rest, ToMs(last), &alert.since) ||
      !TakeFloat(&rest, &alert.limit) || !codec::TakeVarint(&rest, &count) || count > kMostChartPoints)
    return wrong;
  alert.at = last;
  for (std::uint64_t i = 0; i < count; ++i) {
    Point point;
    if (!TakeTime(&rest, ToMs(last), &point.time) || !TakeFloat(&rest, &point.value)) return wrong;
    last = point.time;
    alert.points.push_back(point);
  }
  if (!rest.empty()) return wrong;
  return alert;
}

Result<std::string> DrawChart(const Alert& alert, const ChartOptions& options) {
  const auto width = static_cast<int>(std::clamp(options.width, 32U, 4096U));
  const auto height = static_cast<int>(std::clamp(options.height, 32U, 4096U));
  Canvas canvas(width, height);
  double low = std::min(0.0, alert.limit);
  double high = std::max(0.0, alert.limit);
  for (const Point& point : alert.points) {
    if (!std::isfinite(point.value)) continue;
    low = std::min(low, point.value);
    high = std::max(high, point.value);
  }
  if (!(high - low > 0)) high = low + 1;
  const Timestamp first = alert.points.empty() ? alert.at : alert.points.front().time;
  const Timestamp last = alert.points.empty() ? alert.at : alert.points.back().time;
  const double span = std::max<double>(1, static_cast<double>(ToMs(last - first)));
  const auto x_of = [&](Timestamp time) {
    const double share = std::clamp(static_cast<double>(ToMs(time - first)) / span, 0.0, 1.0);
    return kMargin + share * (width - 2 * kMargin - 1);
  };
  const auto y_of = [&](double value) {
    return height - kMargin - 1 - (value - low) / (high - low) * (height - 2 * kMargin - 1);
  };
  if (alert.state == AlertState::kFiring && alert.since <= last)
    canvas.Fill(static_cast<int>(x_of(alert.since)), 0, width, height, kFiring);
  for (int i = 0; i <= 4; ++i) {
    const int y = kMargin + i * (height - 2 * kMargin - 1) / 4;
    canvas.Fill(0, y, width, y + 1, kGrid);
  }
  const int limit = static_cast<int>(std::lround(y_of(alert.limit)));
  for (int x = 0; x < width; x += 10) canvas.Fill(x, limit, std::min(width, x + 6), limit + 1, kLimit);
  for (std::size_t i = 0; i + 1 < alert.points.size(); ++i) {
    const Point& a = alert.points[i];
    const Point& b = alert.points[i + 1];
    if (std::isfinite(a.value) && std::isfinite(b.value))
      canvas.Line(x_of(a.time), y_of(a.value), x_of(b.time), y_of(b.value), kLine);
  }
  return canvas.Png();
}

}  // namespace honryu::alerting
