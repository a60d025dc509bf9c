#pragma once

#include "sql/state_io.h"

#include <cstdint>
#include <map>
#include <vector>

namespace honryu::sql {

/// Quantiles of numbers: exactly up to kExactLimit of them, beyond it with a relative error of at most 1 %
/// (DDSketch; Masson, Rim, Lee, VLDB 2019: bucket i holds what lies in (g^(i-1), g^i] with g = (1 + a) / (1 -
/// a), so that 2 g^i / (g + 1) is within a of all of it). Mergeable. Value type.
class QuantileSketch {
 public:
  static constexpr std::size_t kExactLimit = 4096;
  static constexpr double kRelativeError = 0.01;

  void Add(double value);
  void Merge(const QuantileSketch& other);
  /// `share` from 0 to 1; between two values by their distance (as PERCENTILE_CONT). Count() must be above 0.
  double Quantile(double share) const;
  std::uint64_t Count() const { return count_; }
  std::size_t Bytes() const;
  void Save(StateWriter& out) const;
  void Load(StateReader& in);

 private:
  void Spill();
  void AddToBuckets(double value, std::uint64_t count);

  std::uint64_t count_ = 0, zeros_ = 0;
  bool exact_ = true;
  std::vector<double> values_;
  std::map<std::int32_t, std::uint64_t> positive_, negative_;
};

}  // namespace honryu::sql
