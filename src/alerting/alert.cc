#include "honryu/alerting/alert.h"

#include "honryu/alerting/series.h"

#include <algorithm>
#include <cmath>

namespace honryu::alerting {

namespace {

constexpr std::string_view kSeverities[] = {"info", "warning", "critical"};

Error Wrong(const std::string& message) { return Error(ErrorCode::kInvalidArgument, message); }

std::string TextOf(const codec::Json& object, std::string_view key) {
  const codec::Json* member = object.Find(key);
  return member == nullptr ? std::string() : std::string(member->StringOr(""));
}
Timestamp TimeOf(const codec::Json& object, std::string_view key) {
  const codec::Json* member = object.Find(key);
  return TimestampFromMs(member == nullptr ? 0 : member->IntOr(0));
}
double DoubleOf(const codec::Json& object, std::string_view key) {
  const codec::Json* member = object.Find(key);
  return member == nullptr ? 0 : member->DoubleOr(0);
}
bool BoolOf(const codec::Json& object, std::string_view key) {
  const codec::Json* member = object.Find(key);
  return member != nullptr && member->BoolOr(false);
}

void Member(codec::JsonWriter& json, std::string_view key, std::string_view text) {
  json.Key(key);
  json.String(text);
}
void Member(codec::JsonWriter& json, std::string_view key, Timestamp time) {
  json.Key(key);
  json.Int(ToMs(time));
}

Result<Alert> ParseAlert(const codec::Json& object) {
  Alert alert;
  alert.rule = TextOf(object, "rule");
  if (alert.rule.empty()) return Wrong("an alert without a rule");
  alert.key = TextOf(object, "key");
  HONRYU_TRY(alert.state, ParseAlertState(TextOf(object, "state")));
  HONRYU_TRY(alert.severity, ParseSeverity(TextOf(object, "severity")));
  alert.at = TimeOf(object, "at");
  alert.since = TimeOf(object, "since");
  alert.value = DoubleOf(object, "value");
  alert.limit = DoubleOf(object, "limit");
  alert.summary = TextOf(object, "summary");
  if (const codec::Json* row = object.Find("row"); row != nullptr) alert.row = row->Dump();
  if (const codec::Json* points = object.Find("points"); points != nullptr) {
    for (const codec::Json& point : points->array()) {
      const codec::Json::Array& pair = point.array();
      if (pair.size() == 2) alert.points.push_back({TimestampFromMs(pair[0].IntOr(0)), pair[1].DoubleOr(0)});
    }
  }
  return alert;
}

}  // namespace

Result<Severity> ParseSeverity(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kSeverities); ++i) {
    if (kSeverities[i] == name) return static_cast<Severity>(i);
  }
  return Wrong("no severity: " + std::string(name));
}

std::string_view SeverityName(Severity severity) { return kSeverities[static_cast<std::size_t>(severity)]; }

std::string_view Notification::Status() const {
  bool no_data = false;
  for (const Alert& alert : alerts) {
    if (alert.state == AlertState::kFiring) return "firing";
    no_data = no_data || alert.state == AlertState::kNoData;
  }
  return no_data ? "no_data" : "resolved";
}

bool Silence::Covers(const std::string& rule_name, const std::string& series, Timestamp at) const {
  return from <= at && at < until && GlobMatch(rule, rule_name) && GlobMatch(key, series);
}

Result<void> Silence::Validate() const {
  if (id.empty() || id.size() > 100) return Wrong("silence: the id must have 1 to 100 characters");
  if (rule.empty() || rule.size() > 200 || key.empty() || key.size() > 1000)
    return Wrong("silence: rule and key must be patterns of at most 200 and 1000 characters");
  if (until < from) return Wrong("silence: it ends before it begins");
  if (by.size() > 200 || comment.size() > 1000)
    return Wrong("silence: by and comment may have 200 and 1000 characters");
  return Ok();
}

void WriteAlert(const Alert& alert, bool with_points, codec::JsonWriter& json) {
  json.BeginObject();
  Member(json, "rule", alert.rule);
  Member(json, "key", alert.key);
  Member(json, "state", AlertStateName(alert.state));
  Member(json, "severity", SeverityName(alert.severity));
  Member(json, "at", alert.at);
  Member(json, "since", alert.since);
  json.Key("value");
  json.Double(alert.value);
  json.Key("limit");
  json.Double(alert.limit);
  Member(json, "summary", alert.summary);
  if (!alert.row.empty()) {
    json.Key("row");
    json.Raw(alert.row);
  }
  if (with_points && !alert.points.empty()) {
    json.Key("points");
    json.BeginArray();
    for (const Point& point : alert.points) {
      json.BeginArray();
      json.Int(ToMs(point.time));
      json.Double(point.value);
      json.EndArray();
    }
    json.EndArray();
  }
  json.EndObject();
}

void WriteSilence(const Silence& silence, codec::JsonWriter& json) {
  json.BeginObject();
  Member(json, "id", silence.id);
  Member(json, "rule", silence.rule);
  Member(json, "key", silence.key);
  Member(json, "from", silence.from);
  Member(json, "until", silence.until);
  Member(json, "by", silence.by);
  Member(json, "comment", silence.comment);
  json.EndObject();
}

std::string ToJson(const Change& change) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  Member(json, "type", "change");
  Member(json, "id", change.id);
  Member(json, "from", AlertStateName(change.from));
  json.Key("silenced");
  json.Bool(change.silenced);
  json.Key("alert");
  WriteAlert(change.alert, true, json);
  json.EndObject();
  return text;
}

std::string ToJson(const Notification& notification) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  Member(json, "type", "notification");
  Member(json, "id", notification.id);
  Member(json, "status", notification.Status());
  Member(json, "group", notification.group);
  Member(json, "rule", notification.rule);
  Member(json, "severity", SeverityName(notification.severity));
  Member(json, "at", notification.at);
  json.Key("reminder");
  json.Bool(notification.reminder);
  json.Key("test");
  json.Bool(notification.test);
  json.Key("channels");
  json.BeginArray();
  for (const std::string& channel : notification.channels) json.String(channel);
  json.EndArray();
  json.Key("firing");
  json.Uint(notification.firing);
  json.Key("more");
  json.Uint(notification.more);
  json.Key("alerts");
  json.BeginArray();
  for (const Alert& alert : notification.alerts) WriteAlert(alert, true, json);
  json.EndArray();
  json.EndObject();
  return text;
}

std::string ToJson(const Silence& silence) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  Member(json, "type", "silence");
  json.Key("silence");
  WriteSilence(silence, json);
  json.EndObject();
  return text;
}

std::string_view RecordType(const codec::Json& record) {
  const codec::Json* type = record.Find("type");
  return type == nullptr ? std::string_view{} : type->StringOr("");
}

Result<Change> ParseChange(const codec::Json& record) {
  Change change;
  change.id = TextOf(record, "id");
  HONRYU_TRY(change.from, ParseAlertState(TextOf(record, "from")));
  change.silenced = BoolOf(record, "silenced");
  const codec::Json* alert = record.Find("alert");
  if (alert == nullptr) return Wrong("a change without an alert");
  HONRYU_TRY(change.alert, ParseAlert(*alert));
  return change;
}

Result<Notification> ParseNotification(const codec::Json& record) {
  Notification notification;
  notification.id = TextOf(record, "id");
  if (notification.id.empty()) return Wrong("a notification without an id");
  notification.group = TextOf(record, "group");
  notification.rule = TextOf(record, "rule");
  HONRYU_TRY(notification.severity, ParseSeverity(TextOf(record, "severity")));
  notification.at = TimeOf(record, "at");
  notification.reminder = BoolOf(record, "reminder");
  notification.test = BoolOf(record, "test");
  notification.firing = static_cast<std::size_t>(std::max(0.0, DoubleOf(record, "firing")));
  notification.more = static_cast<std::size_t>(std::max(0.0, DoubleOf(record, "more")));
  if (const codec::Json* channels = record.Find("channels"); channels != nullptr) {
    for (const codec::Json& channel : channels->array())
      notification.channels.emplace_back(channel.StringOr(""));
  }
  const codec::Json* alerts = record.Find("alerts");
  if (alerts == nullptr || alerts->array().empty()) return Wrong("a notification without alerts");
  for (const codec::Json& one : alerts->array()) {
    HONRYU_TRY(Alert alert, ParseAlert(one));
    notification.alerts.push_back(std::move(alert));
  }
  return notification;
}

Result<Silence> ParseSilence(const codec::Json& record) {
  const codec::Json* found = record.Find("silence");
  const codec::Json& object = found == nullptr ? record : *found;
  Silence silence;
  silence.id = TextOf(object, "id");
  silence.rule = TextOf(object, "rule");
  silence.key = TextOf(object, "key");
  silence.from = TimeOf(object, "from");
  silence.until = TimeOf(object, "until");
  silence.by = TextOf(object, "by");
  silence.comment = TextOf(object, "comment");
  HONRYU_TRY_VOID(silence.Validate());
  return silence;
}

}  // namespace honryu::alerting
