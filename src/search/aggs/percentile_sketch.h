#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace honryu::search {

/// Percentiles of numbers: exact (nearest rank) up to a bound, then by logarithmic bins with a relative error
/// of at most 0.5 % (DDSketch: Masson, Rim, Lee 2019, without its collapsing of bins). Value type.
class PercentileSketch {
 public:
  explicit PercentileSketch(std::size_t exact_limit = 262'144) : exact_limit_(exact_limit) {}
  void Add(double value) { Add(value, 1); }
  /// The same value `times` times.
  void Add(double value, std::uint64_t times);
  /// Makes it small and quick to merge into others, for keeping. Only Merge into others, count and bytes come
  /// after it.
  void Settle();
  /// Afterwards this holds the numbers of both.
  void Merge(const PercentileSketch& other);
  std::uint64_t count() const { return count_; }
  /// The value at rank ceil(percent / 100 * count); NaN of nothing.
  double Percentile(double percent);
  /// Share of values <= `value`, in percent.
  double Rank(double value);
  std::size_t bytes() const {
    return (exact_.capacity() + repeated_.capacity() + times_.capacity()) * sizeof(double) +
           (below_.counts.capacity() + above_.counts.capacity()) * 8;
  }

 private:
  /// Counts of bins next to each other.
  struct Bins {
    std::int32_t first = 0;
    std::vector<std::uint64_t> counts;
    void Add(std::int32_t bin, std::uint64_t count);
  };
  void AddToBins(double value, std::uint64_t times);
  void LeaveExact();
  std::size_t exact_limit_;
  std::uint64_t count_ = 0;
  bool sorted_ = false;
  std::vector<double> exact_;
  /// Settled: values that stand here so many times instead of in exact_.
  std::vector<double> repeated_;
  std::vector<std::uint64_t> times_;
  bool settled_ = false;
  bool binned_ = false;  ///< Settled, and the bins hold all values, those of exact_ and repeated_ too.
  std::uint64_t zeros_ = 0;
  Bins below_, above_;  ///< Of the logarithms of negative and of positive numbers.
};

}  // namespace honryu::search
