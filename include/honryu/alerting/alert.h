#pragma once

#include "honryu/alerting/condition.h"
#include "honryu/alerting/state.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/codec/json.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace honryu::alerting {

enum class Severity : std::uint8_t { kInfo, kWarning, kCritical };
/// "info", "warning", "critical".
std::string_view SeverityName(Severity severity);
/// kInvalidArgument for other words.
Result<Severity> ParseSeverity(std::string_view name);

/// One series under one rule, as it stands.
struct Alert {
  std::string rule;
  std::string key;
  AlertState state = AlertState::kOk;
  Severity severity = Severity::kWarning;
  Timestamp at;     ///< Of the last step.
  Timestamp since;  ///< Firing, and what came of it: when it began to fire; else as `at`.
  double value = 0;
  double limit = 0;  ///< What the value was compared with.
  std::string summary;
  std::string row;            ///< The record behind it, JSON.
  std::vector<Point> points;  ///< The series' last samples, oldest first.

  /// Names the series for as long as the rule keeps its name: "rule{key}".
  std::string Fingerprint() const { return rule + "{" + key + "}"; }
  friend bool operator==(const Alert&, const Alert&) = default;
};

/// A step from one state to another: the history. Its id is the same after a replay.
struct Change {
  std::string id;  ///< "<rule>{<key>}/<state>/<ms>"
  AlertState from = AlertState::kOk;
  Alert alert;
  bool silenced = false;
};

/// What people are told: alerts of one group together. Delivered at least once; `id` is the idempotency key.
struct Notification {
  std::string id;
  std::string group;
  std::string rule;
  Severity severity = Severity::kWarning;
  Timestamp at;
  bool reminder = false;
  bool test = false;
  std::vector<std::string> channels;  ///< Empty: all.
  std::vector<Alert> alerts;          ///< What is new, at most kMostAlerts.
  std::size_t more = 0;               ///< New ones left out.
  std::size_t firing = 0;             ///< Of the group, at the moment.

  static constexpr std::size_t kMostAlerts = 20;
  /// "firing" if any alert is, else "no_data" if any is, else "resolved".
  std::string_view Status() const;
};

/// Alerts that are recorded but not sent.
struct Silence {
  std::string id;
  std::string rule = "*";  ///< Pattern (* and ?) of rule names…
  std::string key = "*";   ///< …and of series keys.
  Timestamp from, until;
  std::string by, comment;

  bool Covers(const std::string& rule_name, const std::string& series, Timestamp at) const;
  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
  friend bool operator==(const Silence&, const Silence&) = default;
};

/// Records of the stream `alerts` (docs/formats/alerts.md). The partition key is the group's or rule's name.
std::string ToJson(const Change& change);
std::string ToJson(const Notification& notification);
std::string ToJson(const Silence& silence);
/// An object of the JSON that the functions above write, with the rest of an API answer around it.
void WriteAlert(const Alert& alert, bool with_points, codec::JsonWriter& json);
void WriteSilence(const Silence& silence, codec::JsonWriter& json);
/// kInvalidArgument says what is wrong.
Result<Change> ParseChange(const codec::Json& record);
Result<Notification> ParseNotification(const codec::Json& record);
Result<Silence> ParseSilence(const codec::Json& record);
/// The "type" of a record: "change", "notification", "silence", "status" (as a change, without a step).
std::string_view RecordType(const codec::Json& record);

}  // namespace honryu::alerting
