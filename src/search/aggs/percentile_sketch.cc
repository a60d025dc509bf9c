#include "search/aggs/percentile_sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace honryu::search {
namespace {

constexpr double kAccuracy = 0.005;
const double kLogGamma = std::log((1 + kAccuracy) / (1 - kAccuracy));
/// Bins of positive numbers are around +kZero, of negative ones around -kZero, mirrored; 0 is bin 0.
constexpr std::int32_t kZero = 1 << 20;

std::int32_t BinOf(double value) {
  if (value == 0) return 0;
  const auto bin = static_cast<std::int32_t>(std::ceil(std::log(std::fabs(value)) / kLogGamma)) + kZero;
  return value > 0 ? bin : -bin;
}

double ValueOf(std::int32_t bin) {
  if (bin == 0) return 0;
  const double magnitude = std::exp((std::abs(bin) - kZero) * kLogGamma) * (1 - kAccuracy);
  return bin > 0 ? magnitude : -magnitude;
}

}  // namespace

void PercentileSketch::Add(double value) {
  if (!std::isfinite(value)) return;
  ++count_;
  if (count_ <= exact_limit_) {
    exact_.push_back(value);
    sorted_ = false;
    return;
  }
  if (!exact_.empty()) {
    for (const auto held : exact_) ++bins_[BinOf(held)];
    exact_ = {};
  }
  ++bins_[BinOf(value)];
}

double PercentileSketch::Percentile(double percent) {
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto wanted = std::ceil(percent / 100 * static_cast<double>(count_));
  auto rank = static_cast<std::uint64_t>(std::clamp(wanted, 1.0, static_cast<double>(count_)));
  if (!exact_.empty()) {
    const auto at = exact_.begin() + static_cast<std::ptrdiff_t>(rank - 1);
    if (!sorted_) std::nth_element(exact_.begin(), at, exact_.end());
    return *at;
  }
  for (const auto& [bin, count] : bins_) {
    if (rank <= count) return ValueOf(bin);
    rank -= count;
  }
  return ValueOf(bins_.rbegin()->first);
}

double PercentileSketch::Rank(double value) {
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  std::uint64_t below = 0;
  if (!exact_.empty()) {
    if (!sorted_) std::sort(exact_.begin(), exact_.end());
    sorted_ = true;
    below =
        static_cast<std::uint64_t>(std::upper_bound(exact_.begin(), exact_.end(), value) - exact_.begin());
  } else {
    for (const auto& [bin, count] : bins_)
      if (bin <= BinOf(value)) below += count;
  }
  return 100 * static_cast<double>(below) / static_cast<double>(count_);
}

}  // namespace honryu::search
