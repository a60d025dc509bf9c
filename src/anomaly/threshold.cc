#include "honryu/anomaly/threshold.h"

#include "honryu/base/check.h"
#include "honryu/codec/endian.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace honryu::anomaly {
namespace {

constexpr std::size_t kScores = 0;
constexpr std::size_t kGaps = 1;
constexpr std::size_t kDifferences = 2;

// Sources of these: AWS's basic thresholder.
constexpr double kClip = 2.0;            // a score counts at most this much
constexpr double kUsualMean = 0.9;       // the floor is meant for scores around this
constexpr std::uint64_t kFirstUse = 10;  // scores before the learned threshold counts at all
constexpr std::uint64_t kFullUse = 20;   // and before it counts alone
constexpr double kSteps = 20;            // grades: floor(kSteps x excess / spread) / kFullGrade
constexpr double kFullGrade = 16;
constexpr double kLeastSpread = 0.01;  // of scores that are all the same

}  // namespace

void AdaptiveThreshold::Spread::Add(double value, double discount) {
  weight = weight * (1 - discount) + 1;
  sum = sum * (1 - discount) + value;
  squares = squares * (1 - discount) + value * value;
}

double AdaptiveThreshold::Spread::mean() const { return weight > 0 ? sum / weight : 0; }

double AdaptiveThreshold::Spread::deviation() const {
  return weight > 0 ? std::sqrt(std::max(0.0, squares / weight - mean() * mean())) : 0;
}

AdaptiveThreshold::AdaptiveThreshold(const ThresholdOptions& options) : options_(options) {
  HONRYU_CHECK(options.discount > 0 && options.discount < 1, "the discount lies between 0 and 1");
  options_.deviations = std::max(2.0, options.deviations);
}

double AdaptiveThreshold::LongTermDeviation() const {
  const double below = std::numbers::sqrt2 * spreads_[kGaps].deviation();
  const double lasting = std::min(spreads_[kScores].deviation(), below);
  return options_.shingled ? (lasting + spreads_[kDifferences].deviation()) / 2 : lasting;
}

double AdaptiveThreshold::SpreadAbove() const {
  return std::max(kLeastSpread,
                  spreads_[kScores].deviation() + (options_.deviations - 1) * LongTermDeviation());
}

double AdaptiveThreshold::LearnedThreshold() const {
  const double mean = spreads_[kScores].mean();
  const double floor = options_.floor * std::min(1.0, mean / kUsualMean);
  return std::max(floor, mean + SpreadAbove());
}

double AdaptiveThreshold::threshold() const {
  if (count_ < kFirstUse) return options_.initial;
  if (count_ >= kFullUse) return LearnedThreshold();
  const double share = static_cast<double>(count_ - kFirstUse) / static_cast<double>(kFullUse - kFirstUse);
  return (1 - share) * options_.initial + share * LearnedThreshold();
}

double AdaptiveThreshold::Grade(double score) {
  if (!(score > 0)) return 0;
  const double at_least = threshold();
  double grade = 0;
  if (score >= at_least) {
    grade = std::min(1.0, std::floor(kSteps * (score - at_least) / SpreadAbove()) / kFullGrade);
  }
  const double mean = spreads_[kScores].mean();
  const double counted = std::min(score, kClip);
  if (count_ > 0) {
    if (counted < mean) spreads_[kGaps].Add(mean - counted, options_.discount);
    spreads_[kDifferences].Add(counted - last_, options_.discount);
  }
  spreads_[kScores].Add(counted, options_.discount);
  last_ = counted;
  ++count_;
  return grade;
}

void AdaptiveThreshold::AppendState(std::string& out) const {
  codec::AppendU64(out, count_);
  codec::AppendU64(out, std::bit_cast<std::uint64_t>(last_));
  for (const Spread& spread : spreads_) {
    for (const double value : {spread.weight, spread.sum, spread.squares}) {
      codec::AppendU64(out, std::bit_cast<std::uint64_t>(value));
    }
  }
}

Result<void> AdaptiveThreshold::TakeState(BytesView* in) {
  constexpr std::size_t kWords = 11;
  if (in->size() < 8 * kWords) return Error(ErrorCode::kCorrupt, "threshold state: cut short");
  count_ = codec::LoadU64(in->data());
  std::array<double, kWords - 1> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::bit_cast<double>(codec::LoadU64(in->data() + 8 * (i + 1)));
    if (!std::isfinite(values[i])) return Error(ErrorCode::kCorrupt, "threshold state: a value is no number");
  }
  last_ = values[0];
  for (std::size_t i = 0; i < spreads_.size(); ++i) {
    spreads_[i] = {values[3 * i + 1], values[3 * i + 2], values[3 * i + 3]};
  }
  in->remove_prefix(8 * kWords);
  return Ok();
}

}  // namespace honryu::anomaly
