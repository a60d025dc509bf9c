#include "processors/aggregator/event_fields.h"

#include "honryu/analytics/distinct_counter.h"
#include "honryu/codec/json.h"

#include <algorithm>

namespace honryu::processors::aggregator {

namespace {

constexpr std::size_t kMaxType = 200;

std::optional<std::int64_t> TimeOf(const codec::Json* member) {
  if (member == nullptr) return std::nullopt;
  if (member->is_number()) return member->IntOr(0);
  if (!member->is_string()) return std::nullopt;
  const Result<Timestamp> time = ParseTimestamp(member->StringOr(""));
  if (!time.ok()) return std::nullopt;
  return ToMs(*time);
}

bool Holds(const std::vector<std::string>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

bool IsError(const ErrorRule& rule, std::string_view type, const codec::Json* properties) {
  if (Holds(rule.event_types, type)) return true;
  if (properties == nullptr) return false;
  for (const std::string& name : rule.severity_properties) {
    const codec::Json* member = properties->Find(name);
    if (member != nullptr && member->is_string() && Holds(rule.severity_values, member->StringOr("")))
      return true;
  }
  return std::any_of(rule.status_properties.begin(), rule.status_properties.end(),
                     [&](const std::string& name) {
                       const codec::Json* member = properties->Find(name);
                       return member != nullptr && member->is_number() &&
                              member->DoubleOr(0) >= static_cast<double>(rule.status_from);
                     });
}

}  // namespace

Result<EventFields> ReadEventFields(const client::StreamRecord& record, const AggregatorConfig& config) {
  HONRYU_TRY(const codec::Json event, codec::Json::Parse(record.data.view()));
  if (!event.is_object()) return Error(ErrorCode::kInvalidArgument, "an event must be a JSON object");
  EventFields fields;
  const codec::Json* type = event.Find("event_type");
  fields.type = type == nullptr ? "" : std::string(type->StringOr(""));
  if (fields.type.empty()) fields.type = "__none__";
  if (fields.type.size() > kMaxType) fields.type = "__other__";
  std::optional<std::int64_t> time = TimeOf(event.Find("event_time"));
  if (!time.has_value()) time = TimeOf(event.Find("timestamp"));
  const std::int64_t arrival = ToMs(record.arrival);
  fields.time_ms = time.value_or(arrival);
  if (fields.time_ms > arrival + ToMs(config.max_future)) fields.time_ms = arrival;
  if (const codec::Json* user = event.Find("user_id"); user != nullptr) {
    if (user->is_string()) {
      if (!user->StringOr("").empty()) fields.user_hash = analytics::DistinctHash(user->StringOr(""));
    } else if (user->is_number()) {
      fields.user_hash = analytics::DistinctHash(user->Dump());
    }
  }
  fields.error = IsError(config.errors, fields.type, event.Find("properties"));
  return fields;
}

}  // namespace honryu::processors::aggregator
