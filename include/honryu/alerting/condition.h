#pragma once

#include "honryu/base/time.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>

namespace honryu::alerting {

/// One number in time.
struct Point {
  Timestamp time;
  double value = 0;
  friend bool operator==(const Point&, const Point&) = default;
};

enum class ConditionKind : std::uint8_t {
  kAbove,    ///< value > limit
  kBelow,    ///< value < limit
  kRise,     ///< value > (1 + limit) × mean of the time before
  kFall,     ///< value < (1 − limit) × mean of the time before
  kAbsent,   ///< No sample for `stale_after`, from a series seen before.
  kPresent,  ///< A record came.
  kAnomaly,  ///< A record of the stream `anomalies` with a grade of at least limit.
};
/// "above", "below", "rise", "fall", "absent", "present", "anomaly".
std::string_view ConditionName(ConditionKind kind);

struct Condition {
  ConditionKind is = ConditionKind::kAbove;
  double limit = 0;
  double hysteresis =
      0;  ///< The value must be so far back over the limit to end it. kRise, kFall: share of the mean.
  Duration against = std::chrono::minutes(10);  ///< kRise, kFall: the time before.
  double least = 0;  ///< kRise: no breach by values below it; kFall: none while the mean is below it.
};

/// Judges one series by a condition, sample by sample, with hysteresis. kRise and kFall need samples for half
/// of `against` before they say anything; what is odd is not learned, so that it does not become usual at
/// once; after `against` nothing else is left, and it does. Value type; not thread-safe.
class ConditionState {
 public:
  ConditionState() = default;
  /// As it was saved.
  ConditionState(bool breach, double limit, std::deque<Point> baseline)
      : breach_(breach), limit_(limit), baseline_(std::move(baseline)) {}

  /// Takes the next sample. True: the condition holds.
  bool Observe(const Condition& when, Timestamp time, double value);

  bool breach() const { return breach_; }
  /// What the last sample was compared with.
  double limit() const { return limit_; }
  /// kRise, kFall: samples that were no breach, oldest first.
  const std::deque<Point>& baseline() const { return baseline_; }

 private:
  std::optional<bool> Judge(const Condition& when, Timestamp time, double value);
  std::optional<bool> JudgeChange(const Condition& when, Timestamp time, double value);

  bool breach_ = false;
  double limit_ = 0;
  std::deque<Point> baseline_;
};

}  // namespace honryu::alerting
