#pragma once

#include "honryu/alerting/alert.h"
#include "honryu/alerting/series.h"
#include "honryu/alerting/state.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/config/schema.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace honryu::alerting {

enum class ConditionKind : std::uint8_t {
  kAbove,    ///< value > limit
  kBelow,    ///< value < limit
  kRise,     ///< value > (1 + limit) × mean of the time before
  kFall,     ///< value < (1 − limit) × mean of the time before
  kAbsent,   ///< No sample for `stale_after`, from a series seen before.
  kPresent,  ///< A record came.
  kAnomaly,  ///< A record of the stream `anomalies` with a grade of at least limit.
};

struct Condition {
  ConditionKind is = ConditionKind::kAbove;
  double limit = 0;
  double hysteresis =
      0;  ///< The value must be so far back over the limit to end it. kRise, kFall: share of the mean.
  Duration against = std::chrono::minutes(10);  ///< kRise, kFall: the time before.
  double least = 0;  ///< kRise: no breach by values below it; kFall: none while the mean is below it.
};

/// More notifications than `limit` in `window` are held back until there is room, then sent as one.
struct FloodLimit {
  std::size_t limit = 20;  ///< 1 or more.
  Duration window = std::chrono::minutes(10);
};

struct Rule {
  std::string name;
  std::string stream;
  std::string summary;  ///< {rule}, {key}, {value} and {limit} are filled in.
  Severity severity = Severity::kWarning;
  bool enabled = true;
  SeriesSpec series;
  Condition when;
  StateOptions state;
  Duration forget_after = std::chrono::hours(1);  ///< A quiet series is forgotten; it must be OK or NO_DATA.
  bool group_by_series = false;                   ///< A message for each series instead of one for the rule.
  Duration group_wait = std::chrono::seconds(1);  ///< A message waits so long for more alerts.
  Duration group_interval = std::chrono::seconds(10);  ///< Between two messages of a group.
  Duration repeat{};                                   ///< Says again what is still firing; 0: never.
  FloodLimit flood;
  bool notify_resolved = true;
  bool notify_no_data = false;
  std::vector<std::string> channels;  ///< Empty: all.

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Bind a series, and a rule, to configuration keys.
void DescribeSeries(SeriesSpec& series, config::Section& section);
void DescribeRule(Rule& rule, config::Section& section);
/// kInvalidArgument for two rules of one name.
Result<void> CheckRules(const std::vector<Rule>& rules);
/// Rules of a YAML text with the one key `rules`. kInvalidArgument with every fault, by file and line.
Result<std::vector<Rule>> ParseRules(const std::string& yaml, const std::string& file_name);

}  // namespace honryu::alerting
