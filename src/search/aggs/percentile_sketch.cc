#include "search/aggs/percentile_sketch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace honryu::search {
namespace {

constexpr double kAccuracy = 0.005;
const double kLogGamma = std::log((1 + kAccuracy) / (1 - kAccuracy));

/// Bins of numbers from 2^kFirst to 2^kEnd without a logarithm each. A bin is a hundredth wide, a cell of
/// this table at most a 128th: it holds the end of one bin at most.
class BinTable {
 public:
  static constexpr int kFirst = -24, kEnd = 40;
  BinTable() {
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const double begin = std::ldexp(1 + static_cast<double>(i % kPerOctave) / kPerOctave,
                                      kFirst + static_cast<int>(i / kPerOctave));
      const auto bin = static_cast<std::int32_t>(std::ceil(std::log(begin) / kLogGamma));
      cells_[i] = {std::exp(bin * kLogGamma), bin};
    }
  }
  /// False: outside of the table.
  bool Find(double magnitude, std::int32_t* bin) const {
    const auto bits = std::bit_cast<std::uint64_t>(magnitude);
    const auto at = (bits >> (52 - kBits)) - (std::uint64_t{1023 + kFirst} << kBits);
    if (at >= cells_.size()) return false;
    const auto& cell = cells_[at];
    *bin = cell.bin + (magnitude > cell.end ? 1 : 0);
    return true;
  }

 private:
  static constexpr int kBits = 7;
  static constexpr std::size_t kPerOctave = 1u << kBits;
  struct Cell {
    double end = 0;  ///< Of its first bin.
    std::int32_t bin = 0;
  };
  std::array<Cell, kPerOctave*(kEnd - kFirst)> cells_;
};

std::int32_t BinOf(double magnitude) {
  static const BinTable table;
  std::int32_t bin;
  if (table.Find(magnitude, &bin)) return bin;
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

void PercentileSketch::AddToBins(double value, std::uint64_t times) {
  if (value == 0)
    zeros_ += times;
  else
    (value < 0 ? below_ : above_).Add(BinOf(std::fabs(value)), times);
}

void PercentileSketch::LeaveExact() {
  for (const auto held : exact_) AddToBins(held, 1);
  exact_ = std::vector<double>();  // not {}, which would keep the memory
}

void PercentileSketch::Add(double value, std::uint64_t times) {
  if (!std::isfinite(value)) return;
  count_ += times;
  if (count_ <= exact_limit_) {
    exact_.insert(exact_.end(), times, value);
    sorted_ = false;
    return;
  }
  if (!exact_.empty()) LeaveExact();
  AddToBins(value, times);
}

void PercentileSketch::Settle() {
  if (settled_) return;
  settled_ = true;
  constexpr std::size_t kWorthBins = 4096;  // fewer are smaller than bins, and soon added
  binned_ = exact_.empty() || exact_.size() >= kWorthBins;
  if (binned_)
    for (const auto value : exact_) AddToBins(value, 1);
  std::sort(exact_.begin(), exact_.end());
  std::size_t different = 0;
  for (std::size_t i = 0; i < exact_.size(); ++i) different += i == 0 || exact_[i] != exact_[i - 1] ? 1 : 0;
  if (different * 2 < exact_.size()) {
    repeated_.reserve(different);
    times_.reserve(different);
    for (const auto value : exact_) {
      if (repeated_.empty() || repeated_.back() != value) {
        repeated_.push_back(value);
        times_.push_back(0);
      }
      ++times_.back();
    }
    exact_ = std::vector<double>();
  } else {
    exact_.shrink_to_fit();
  }
}

void PercentileSketch::Merge(const PercentileSketch& other) {
  if (count_ + other.count_ <= exact_limit_) {
    exact_.insert(exact_.end(), other.exact_.begin(), other.exact_.end());
    for (std::size_t i = 0; i < other.repeated_.size(); ++i)
      exact_.insert(exact_.end(), other.times_[i], other.repeated_[i]);
    sorted_ = false;
  } else {
    LeaveExact();
    if (!other.binned_) {
      for (const auto value : other.exact_) AddToBins(value, 1);
      for (std::size_t i = 0; i < other.repeated_.size(); ++i) AddToBins(other.repeated_[i], other.times_[i]);
    }
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
