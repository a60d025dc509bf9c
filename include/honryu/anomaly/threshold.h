#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <array>
#include <cstdint>
#include <string>

namespace honryu::anomaly {

struct ThresholdOptions {
  /// How fast old scores lose weight: each new one takes this share. In (0, 1); the default looks back about
  /// 2,560 scores.
  double discount = 1.0 / 2560;
  /// Deviations above the mean at which a score becomes an anomaly; at least 2.
  double deviations = 3;
  /// No score below this is an anomaly (scaled down where scores are usually below 0.9).
  double floor = 0.8;
  /// The threshold until ten scores were seen; between ten and twenty it moves to the learned one.
  double initial = 1.5;
  /// Scores come from a forest with a shingle: neighbouring ones are alike, so their differences count too.
  bool shingled = false;
};

/// Turns the scores of a forest into grades: 0 below a threshold that follows the stream, up to 1 far above
/// it.
///
/// Follows AWS's basic thresholder: discounted mean and deviation of the scores, where scores above 2 count
/// as 2, so that a burst does not lift the threshold. Grades rise in steps of 1/16 and reach 1 at 0.8 spreads
/// above the threshold. Value type; not thread-safe.
class AdaptiveThreshold {
 public:
  explicit AdaptiveThreshold(const ThresholdOptions& options = {});

  /// The grade of `score` (0 to 1) by the scores before it; then learns it. A score of 0 or less, which a
  /// silent forest gives, has grade 0 and is not learned.
  double Grade(double score);
  /// What a score must reach to have a grade, as things stand.
  double threshold() const;
  /// Scores learned.
  std::uint64_t count() const { return count_; }

  /// State as bytes without a checksum of their own, for a larger snapshot; options are not part of it.
  void AppendState(std::string& out) const;
  /// Takes what AppendState wrote off the front of *in. kCorrupt when cut short or not finite.
  Result<void> TakeState(BytesView* in);

 private:
  // Discounted mean and deviation.
  struct Spread {
    double weight = 0;
    double sum = 0;
    double squares = 0;
    void Add(double value, double discount);
    double mean() const;
    double deviation() const;
  };

  double LongTermDeviation() const;
  double LearnedThreshold() const;
  double SpreadAbove() const;

  ThresholdOptions options_;
  std::uint64_t count_ = 0;
  double last_ = 0;
  std::array<Spread, 3> spreads_;  // of scores, of how far the lower ones lie below the mean, of differences
};

}  // namespace honryu::anomaly
