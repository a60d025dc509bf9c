#include "search/aggs/percentile_sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace honryu::search {
namespace {

constexpr double kAccuracy = 0.005;
const double kLogGamma = std::log((1 + kAccuracy) / (1 - kAccuracy));
std::int32_t BinOf(double magnitude) {
  return static_cast<std::int32_t>(std::ceil(std::log(magnitude) / kLogGamma));
}

double ValueOf(std::int32_t bin) { return std::exp(bin * kLogGamma) * (1 - kAccuracy); }

}  // namespace

void PercentileSketch::Bins::Add(std::int32_t bin, std::uint64_t count) {
  if (counts.empty()) first = bin;
  if (bin < first) {
    counts.insert(counts.begin(), static_cast<std::size_t>(first - bin), 0);
    first = bin;
  }
  const auto at = static_cast<std::size_t>(bin - first);
  if (at >= counts.size()) counts.resize(at + 1);
  counts[at] += count;
}

void PercentileSketch::AddToBins(double value) {
  if (value == 0)
    ++zeros_;
  else
    (value < 0 ? below_ : above_).Add(BinOf(std::fabs(value)), 1);
}

void PercentileSketch::LeaveExact() {
  for (const auto held : exact_) AddToBins(held);
  exact_ = {};
}

void PercentileSketch::Add(double value) {
  if (!std::isfinite(value)) return;
  ++count_;
  if (count_ <= exact_limit_) {
    exact_.push_back(value);
    sorted_ = false;
    return;
  }
  if (!exact_.empty()) LeaveExact();
  AddToBins(value);
}

void PercentileSketch::Merge(const PercentileSketch& other) {
  if (count_ + other.count_ <= exact_limit_) {
    exact_.insert(exact_.end(), other.exact_.begin(), other.exact_.end());
    sorted_ = false;
  } else {
    LeaveExact();
    for (const auto value : other.exact_) AddToBins(value);
    zeros_ += other.zeros_;
    for (std::size_t i = 0; i < other.below_.counts.size(); ++i)
      if (other.below_.counts[i] > 0)
        below_.Add(other.below_.first + static_cast<std::int32_t>(i), other.below_.counts[i]);
    for (std::size_t i = 0; i < other.above_.counts.size(); ++i)
      if (other.above_.counts[i] > 0)
        above_.Add(other.above_.first + static_cast<std::int32_t>(i), other.above_.counts[i]);
  }
  count_ += other.count_;
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
  for (auto i = below_.counts.size(); i-- > 0;) {
    if (rank <= below_.counts[i]) return -ValueOf(below_.first + static_cast<std::int32_t>(i));
    rank -= below_.counts[i];
  }
  if (rank <= zeros_) return 0;
  rank -= zeros_;
  for (std::size_t i = 0; i < above_.counts.size(); ++i) {
    if (rank <= above_.counts[i]) return ValueOf(above_.first + static_cast<std::int32_t>(i));
    rank -= above_.counts[i];
  }
  return ValueOf(above_.first + static_cast<std::int32_t>(above_.counts.size()) - 1);
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
    const auto count_of = [&below](const Bins& bins, std::int32_t from, std::int32_t to) {
      for (std::size_t i = 0; i < bins.counts.size(); ++i)
        if (const auto bin = bins.first + static_cast<std::int32_t>(i); bin >= from && bin <= to)
          below += bins.counts[i];
    };
    constexpr auto kLeast = std::numeric_limits<std::int32_t>::min();
    constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
    count_of(below_, value < 0 ? BinOf(-value) : kLeast, kMost);
    if (value >= 0) below += zeros_;
    if (value > 0) count_of(above_, kLeast, BinOf(value));
  }
  return 100 * static_cast<double>(below) / static_cast<double>(count_);
}

}  // namespace honryu::search
