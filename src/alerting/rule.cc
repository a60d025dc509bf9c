#include "honryu/alerting/rule.h"

#include "honryu/config/load.h"

#include <set>

namespace honryu::alerting {

namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;

Error Wrong(const Rule& rule, const std::string& message) {
  return Error(ErrorCode::kInvalidArgument, "rule " + rule.name + ": " + message);
}

}  // namespace

void DescribeCondition(Condition& when, Section& section) {
  section.Enum("is", &when.is, {.doc = "What the value is compared with.", .required = true},
               {{"above", ConditionKind::kAbove},
                {"below", ConditionKind::kBelow},
                {"rise", ConditionKind::kRise},
                {"fall", ConditionKind::kFall},
                {"absent", ConditionKind::kAbsent},
                {"present", ConditionKind::kPresent},
                {"anomaly", ConditionKind::kAnomaly}});
  section.Field(
      "limit", &when.limit,
      {.doc = "The number; for rise and fall a share of the mean (0.5: by half); for anomaly a grade."});
  section.Field("hysteresis", &when.hysteresis,
                {.doc = "The condition ends only this far back over the limit (rise, fall: in shares)."},
                {0, 1e300});
  section.Field("against", &when.against, {.doc = "For rise and fall: the time before, whose mean counts."},
                {std::chrono::seconds(1), hours(24)});
  section.Field("least", &when.least,
                {.doc = "For rise: lower values do not count; for fall: lower means do not."}, {0, 1e300});
}

void DescribeSeries(SeriesSpec& series, Section& section) {
  section.Field("match", &series.match,
                {.doc = "Records that count: field=value or field!=value, with * and ?; all must hold."});
  section.Field("key", &series.key, {.doc = "Fields that tell series apart; none: one series."});
  section.Field("value", &series.value, {.doc = "Field of the number; empty: each record counts as 1."});
  section.Field("per_match", &series.per_match,
                {.doc = "When given, the value is divided by that of the record of the same key and window "
                        "which this matches."});
  section.Field("per_value", &series.per_value, {.doc = "Field of the divisor."});
  section.Field("per_least", &series.per_least, {.doc = "No number while the divisor is below it."},
                {0, 1e300});
  section.Enum("reading", &series.reading,
               {.doc = "row: every record; final: final rows; increment: what rows add to their windows, by "
                       "time of arrival."},
               {{"row", Reading::kRow}, {"final", Reading::kFinal}, {"increment", Reading::kIncrement}});
  section.Field("window_start", &series.window_start, {.doc = "Field of the window's start."});
  section.Field("final_field", &series.final_field, {.doc = "Field that is true in final rows."});
  section.Field("resolution", &series.resolution, {.doc = "Length of a bucket of increments."},
                {milliseconds(100), hours(1)});
  section.Field("max_keys", &series.max_keys, {.doc = "Series; the one not seen for longest makes room."},
                {1, 1'000'000});
}

void DescribeRule(Rule& rule, Section& section) {
  section.Field("name", &rule.name, {.doc = "Name of the rule; a new name is a new rule.", .required = true},
                {.min_length = 1, .max_length = 100});
  section.Field("stream", &rule.stream, {.doc = "Stream whose records are watched.", .required = true},
                {.min_length = 1, .max_length = 128});
  section.Field("summary", &rule.summary,
                {.doc = "What people read; {rule}, {key}, {value} and {limit} are filled in."});
  section.Enum(
      "severity", &rule.severity, {.doc = "How bad it is."},
      {{"info", Severity::kInfo}, {"warning", Severity::kWarning}, {"critical", Severity::kCritical}});
  section.Field("enabled", &rule.enabled, {.doc = "False: as if it were not here."});
  section.Sub("series", "Which numbers are watched.", [&](Section& s) { DescribeSeries(rule.series, s); });
  section.Field("name_from", &rule.name_from,
                {.doc = "Field that names rules written in SQL: each is as this one, by its own name."});
  section.Field("severity_from", &rule.severity_from,
                {.doc = "Field that says how bad it is; without it, or for other words: severity."});
  section.Field("summary_from", &rule.summary_from,
                {.doc = "Field with what people read; without it: summary."});
  section.Field("limit_from", &rule.limit_from,
                {.doc = "Field of the number that the value was compared with, for {limit} and charts."});
  section.Sub("when", "When it is an alert.", [&](Section& s) { DescribeCondition(rule.when, s); });
  section.Field("for", &rule.state.for_duration, {.doc = "The condition must hold for so long."},
                {Duration::zero(), hours(24)});
  section.Field("clear_for", &rule.state.clear_duration, {.doc = "It must not hold for so long to resolve."},
                {Duration::zero(), hours(24)});
  section.Field("resolved_hold", &rule.state.resolved_hold, {.doc = "Resolved alerts are shown so long."},
                {Duration::zero(), hours(24)});
  section.Field("stale_after", &rule.state.stale_after,
                {.doc = "Without a sample for so long on_stale happens; 0: never."},
                {Duration::zero(), hours(720)});
  section.Enum("on_stale", &rule.state.on_stale,
               {.doc = "no_data: the state NO_DATA; resolve: as if the condition had ceased; keep: nothing."},
               {{"no_data", OnStale::kNoData},
                {"resolve", OnStale::kResolve},
                {"keep", OnStale::kKeep},
                {"breach", OnStale::kBreach}});
  section.Field("forget_after", &rule.forget_after, {.doc = "A series quiet for so long is forgotten."},
                {std::chrono::minutes(1), hours(720)});
  section.Field("group_by_series", &rule.group_by_series,
                {.doc = "A message for each series instead of one for the rule."});
  section.Field("group_wait", &rule.group_wait, {.doc = "A message waits so long for more alerts."},
                {Duration::zero(), hours(1)});
  section.Field("group_interval", &rule.group_interval,
                {.doc = "Least time between two messages of a group."}, {Duration::zero(), hours(24)});
  section.Field("repeat", &rule.repeat, {.doc = "Says again what still fires; 0: never."},
                {Duration::zero(), hours(720)});
  section.Sub("flood", "Most messages of the rule; what is held back comes later as one.", [&](Section& s) {
    s.Field("limit", &rule.flood.limit, {.doc = "Messages…"}, {1, 1000});
    s.Field("window", &rule.flood.window, {.doc = "…in so long."}, {std::chrono::seconds(1), hours(24)});
  });
  section.Field("notify_resolved", &rule.notify_resolved, {.doc = "Tells of the end too."});
  section.Field("notify_no_data", &rule.notify_no_data, {.doc = "Tells when data cease to come."});
  section.Field("channels", &rule.channels, {.doc = "Names of channels; none: all."});
  section.Check([&rule]() -> Result<void> {
    if (rule.when.is == ConditionKind::kAbsent) rule.state.on_stale = OnStale::kBreach;
    return rule.Validate();
  });
}

bool IsRuleName(std::string_view name) {
  return !name.empty() && name.size() <= 100 && name.find_first_of("{}/*?") == std::string_view::npos;
}

Result<void> Rule::Validate() const {
  if (!IsRuleName(name))
    return Wrong(*this, "the name must have 1 to 100 characters, none of them one of {}/*?");
  if (stream.empty()) return Wrong(*this, "stream is missing");
  if (const Result<void> valid = series.Validate(); !valid.ok()) return Wrong(*this, valid.error().message());
  if (when.is == ConditionKind::kAbsent) {
    if (state.stale_after <= Duration::zero()) return Wrong(*this, "absent needs stale_after");
    if (series.reading == Reading::kIncrement)
      return Wrong(*this, "absent does not go with increments, which are 0 then: use below");
  }
  if ((when.is == ConditionKind::kAbsent) != (state.on_stale == OnStale::kBreach))
    return Wrong(*this, "on_stale: breach is what absent means");
  if (when.is == ConditionKind::kPresent &&
      (state.stale_after <= Duration::zero() || state.on_stale != OnStale::kResolve))
    return Wrong(*this, "present needs stale_after and on_stale: resolve, or it would never end");
  const bool relative = when.is == ConditionKind::kRise || when.is == ConditionKind::kFall;
  if (relative && (!(when.limit > 0) || (when.is == ConditionKind::kFall && when.limit > 1)))
    return Wrong(*this, "limit must be a share above 0, for fall at most 1");
  if (when.is == ConditionKind::kAnomaly && !(when.limit >= 0 && when.limit <= 1))
    return Wrong(*this, "limit must be a grade from 0 to 1");
  if (!(when.hysteresis >= 0)) return Wrong(*this, "hysteresis must not be negative");
  if (forget_after < state.stale_after) return Wrong(*this, "forget_after must not be below stale_after");
  if (flood.limit < 1 || flood.window <= Duration::zero())
    return Wrong(*this, "flood needs a limit and a window");
  return Ok();
}

Result<void> CheckRules(const std::vector<Rule>& rules) {
  std::set<std::string> names;
  for (const Rule& rule : rules) {
    HONRYU_TRY_VOID(rule.Validate());
    if (!names.insert(rule.name).second) return Wrong(rule, "the name is used twice");
  }
  return Ok();
}

Result<std::vector<Rule>> ParseRules(const std::string& yaml, const std::string& file_name) {
  std::vector<Rule> rules;
  config::Sources sources;
  sources.text = yaml;
  sources.file_name = file_name;
  HONRYU_TRY(const config::LoadNotes notes, config::Load(sources, [&rules](Section& section) {
               section.List("rules", &rules, {.doc = "Rules."}, DescribeRule);
               section.Check([&rules] { return CheckRules(rules); });
             }));
  return rules;
}

}  // namespace honryu::alerting
