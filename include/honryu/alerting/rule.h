#pragma once

#include "honryu/alerting/alert.h"
#include "honryu/alerting/condition.h"
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
  /// Set: a rule for rules that SQL writes. Each text in this field of the records names a rule of its own,
  /// which is this one in all else; what the other fields hold takes the place of severity, summary and
  /// limit.
  std::string name_from;
  std::string severity_from, summary_from, limit_from;
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

/// May a rule be called so?
bool IsRuleName(std::string_view name);

/// Bind a series, a condition, and a rule, to configuration keys.
void DescribeSeries(SeriesSpec& series, config::Section& section);
void DescribeCondition(Condition& when, config::Section& section);
void DescribeRule(Rule& rule, config::Section& section);
/// kInvalidArgument for two rules of one name.
Result<void> CheckRules(const std::vector<Rule>& rules);
/// Rules of a YAML text with the one key `rules`. kInvalidArgument with every fault, by file and line.
Result<std::vector<Rule>> ParseRules(const std::string& yaml, const std::string& file_name);

}  // namespace honryu::alerting
