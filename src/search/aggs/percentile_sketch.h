#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace honryu::search {

/// Percentiles of numbers: exact (nearest rank) up to a bound, then by logarithmic bins with a relative error
/// of at most 0.5 % (DDSketch: Masson, Rim, Lee 2019, without its collapsing of bins). Value type.
class PercentileSketch {
 public:
  explicit PercentileSketch(std::size_t exact_limit = 262'144) : exact_limit_(exact_limit) {}
  void Add(double value);
  std::uint64_t count() const { return count_; }
  /// The value at rank ceil(percent / 100 * count); NaN of nothing.
  double Percentile(double percent);
  /// Share of values <= `value`, in percent.
  double Rank(double value);
  std::size_t bytes() const { return exact_.capacity() * sizeof(double) + bins_.size() * 48; }

 private:
  std::size_t exact_limit_;
  std::uint64_t count_ = 0;
  bool sorted_ = false;
  std::vector<double> exact_;
  std::map<std::int32_t, std::uint64_t> bins_;  ///< By sign and logarithm; see Bin.
};

}  // namespace honryu::search
