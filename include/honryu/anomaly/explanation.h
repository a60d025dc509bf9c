#pragma once

#include "honryu/anomaly/random_cut_forest.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace honryu::anomaly {

/// What is usual in each column of a stream of rows, for saying how strongly a value deviates. Value type.
class ColumnSpread {
 public:
  /// `time_decay`: rows looked back over, as in ForestOptions (0: all).
  ColumnSpread(std::size_t columns, std::uint64_t time_decay);
  /// How many usual distances (mean absolute ones) `value` lies from the column's mean; 0 until two values
  /// were learned.
  double Strength(std::size_t column, double value) const;
  /// Learns a row; values that are not finite are left out.
  void Learn(std::span<const double> row);

  /// State as bytes without a checksum of their own, for a larger snapshot; the arguments of the constructor
  /// are not part of it.
  void AppendState(std::string& out) const;
  /// Takes what AppendState wrote off the front of *in. kCorrupt when cut short or not finite.
  Result<void> TakeState(BytesView* in);

 private:
  struct Column {
    double count = 0;
    double mean = 0;
    double distance = 0;  ///< Mean absolute distance to the mean.
  };
  double memory_;
  std::vector<Column> columns_;
};

/// The ANOMALY_EXPLANATION column of RANDOM_CUT_FOREST_WITH_EXPLANATION: an object with a member a column,
/// numbers as texts of four decimals, for example
/// {"load":{"DIRECTION":"HIGH","STRENGTH":"0.8567","ATTRIBUTION_SCORE":"1.7447"},"temp":{…}}
/// ATTRIBUTION_SCOREs add up to the score; DIRECTION is the larger side, left out unless `with_direction`.
/// Kinesis does not publish its formula of STRENGTH; here it is ColumnSpread::Strength. `columns`,
/// `strengths`: one a column of `attribution`.
std::string ExplanationJson(std::span<const std::string> columns, const Attribution& attribution,
                            std::span<const double> strengths, bool with_direction);

}  // namespace honryu::anomaly
