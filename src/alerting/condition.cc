#include "honryu/alerting/condition.h"

#include <algorithm>
#include <cstddef>

namespace honryu::alerting {

namespace {

constexpr std::size_t kMostBaseline = 720;  // samples of the time before
constexpr std::size_t kLeastBaseline = 5;   // fewer say nothing
constexpr std::string_view kNames[] = {"above", "below", "rise", "fall", "absent", "present", "anomaly"};

std::chrono::milliseconds Ms(Duration d) { return std::chrono::milliseconds(ToMs(d)); }

// Between `holds` and `over` lies the hysteresis.
std::optional<bool> Verdict(bool holds, bool over) {
  if (holds) return true;
  if (over) return false;
  return std::nullopt;
}

}  // namespace

std::string_view ConditionName(ConditionKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

bool ConditionState::Observe(const Condition& when, Timestamp time, double value) {
  const std::optional<bool> verdict = Judge(when, time, value);
  breach_ = verdict.value_or(breach_);
  return breach_;
}

// True: the condition holds; empty: within the hysteresis, so it is as before.
std::optional<bool> ConditionState::Judge(const Condition& when, Timestamp time, double value) {
  limit_ = when.limit;
  switch (when.is) {
    case ConditionKind::kAbsent:
      return false;
    case ConditionKind::kPresent:
      return true;
    case ConditionKind::kAbove:
      return Verdict(value > when.limit, value <= when.limit - when.hysteresis);
    case ConditionKind::kAnomaly:
      return Verdict(value >= when.limit, value <= when.limit - when.hysteresis);
    case ConditionKind::kBelow:
      return Verdict(value < when.limit, value >= when.limit + when.hysteresis);
    case ConditionKind::kRise:
    case ConditionKind::kFall:
      return JudgeChange(when, time, value);
  }
  return std::nullopt;
}

std::optional<bool> ConditionState::JudgeChange(const Condition& when, Timestamp time, double value) {
  while (!baseline_.empty() && baseline_.front().time < time - Ms(when.against)) baseline_.pop_front();
  std::optional<bool> verdict = false;
  const bool known =
      baseline_.size() >= kLeastBaseline && baseline_.front().time <= time - Ms(when.against) / 2;
  if (known) {
    double sum = 0;
    for (const Point& point : baseline_) sum += point.value;
    const double mean = sum / static_cast<double>(baseline_.size());
    const double share = std::max(0.0, when.limit - when.hysteresis);
    if (when.is == ConditionKind::kRise) {
      limit_ = mean * (1 + when.limit);
      const bool counts = value >= when.least;
      verdict = Verdict(counts && value > limit_, !counts || value <= mean * (1 + share));
    } else {
      limit_ = mean * (1 - when.limit);
      const bool counts = mean >= when.least;
      verdict = Verdict(counts && value < limit_, !counts || value >= mean * (1 - share));
    }
  }
  if (!verdict.value_or(breach_)) {
    baseline_.push_back({time, value});
    if (baseline_.size() > kMostBaseline) baseline_.pop_front();
  }
  return verdict;
}

}  // namespace honryu::alerting
