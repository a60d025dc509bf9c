#include "processors/aggregator/event_fields.h"

#include "honryu/analytics/distinct_counter.h"
#include "honryu/codec/json_scan.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace honryu::processors::aggregator {

namespace {

using codec::JsonKind;
using codec::JsonMember;

constexpr std::size_t kMaxType = 200;
constexpr double kFirstMs = -62135596800000;  // 0001-01-01T00:00:00Z
constexpr double kLastMs = 253402300799999;   // 9999-12-31T23:59:59.999Z

/// The gateway's scanner, so that whatever it accepts is counted: numbers that no machine type holds too. Not
/// its limits: what else is written to the stream is an event when it is a JSON object that can be quoted.
codec::JsonScanner MakeScanner() {
  codec::JsonLimits limits;
  limits.max_depth = std::numeric_limits<int>::max();
  limits.max_members = std::numeric_limits<std::size_t>::max();
  limits.max_value_bytes = 0;  // no search for duplicate keys: the first one counts
  return codec::JsonScanner(limits);
}

std::optional<double> NumberOf(const JsonMember& member) {
  if (member.kind != JsonKind::kNumber) return std::nullopt;
  double number = 0;
  const char* const end = member.value.data() + member.value.size();
  const auto [rest, error] = std::from_chars(member.value.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

/// Milliseconds since the epoch; nullopt for what names no time between the years 1 and 9999.
std::optional<std::int64_t> TimeOf(const JsonMember& member) {
  if (member.kind == JsonKind::kString) {
    std::string buffer;
    const Result<Timestamp> time = ParseTimestamp(codec::JsonStringView(member.value, &buffer));
    if (!time.ok()) return std::nullopt;
    return ToMs(*time);
  }
  const std::optional<double> number = NumberOf(member);
  if (!number.has_value() || *number < kFirstMs || *number > kLastMs) return std::nullopt;
  return static_cast<std::int64_t>(*number);  // exact: below 2^53
}

bool Holds(const std::vector<std::string>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

bool HasErrorProperty(const ErrorRule& rule, BytesView properties) {
  if (rule.severity_properties.empty() && rule.status_properties.empty()) return false;
  thread_local codec::JsonScanner scanner = MakeScanner();
  if (!scanner.Scan(properties, 0)) return false;
  return std::any_of(scanner.members().begin(), scanner.members().end(), [&rule](const JsonMember& member) {
    if (member.kind == JsonKind::kString && Holds(rule.severity_properties, member.key)) {
      std::string buffer;
      return Holds(rule.severity_values, codec::JsonStringView(member.value, &buffer));
    }
    if (member.kind != JsonKind::kNumber || !Holds(rule.status_properties, member.key)) return false;
    const std::optional<double> status = NumberOf(member);
    return status.has_value() && *status >= static_cast<double>(rule.status_from);
  });
}

/// The members that count, by name; null pointers when absent or null. Of equal names the first counts.
struct Known {
  const JsonMember* event_type = nullptr;
  const JsonMember* event_time = nullptr;
  const JsonMember* timestamp = nullptr;
  const JsonMember* user_id = nullptr;
  const JsonMember* properties = nullptr;

  void Take(const JsonMember& member) {
    const auto slot = [&]() -> const JsonMember** {
      switch (member.key.size()) {
        case 7:
          return member.key == "user_id" ? &user_id : nullptr;
        case 9:
          return member.key == "timestamp" ? &timestamp : nullptr;
        case 10:
          return member.key == "event_type"   ? &event_type
                 : member.key == "event_time" ? &event_time
                 : member.key == "properties" ? &properties
                                              : nullptr;
        default:
          return nullptr;
      }
    }();
    if (slot != nullptr && *slot == nullptr && member.kind != JsonKind::kNull) *slot = &member;
  }
};

}  // namespace

Result<EventFields> ReadEventFields(const client::StreamRecord& record, const AggregatorConfig& config) {
  const auto wrong = [](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument, "not an event: " + std::string(why));
  };
  thread_local codec::JsonScanner scanner = MakeScanner();
  const BytesView text = record.data.view();
  if (!scanner.Scan(text, 0)) return wrong(scanner.error_reason());
  if (text.find_first_not_of(" \t\r\n", scanner.end()) != BytesView::npos)
    return wrong("more than one JSON value");
  if (scanner.rule() == codec::JsonRule::kInvalidUtf8) return wrong("invalid UTF-8");
  if (scanner.rule() == codec::JsonRule::kLoneSurrogate) return wrong("unpaired surrogate in a \\u escape");
  if (scanner.kind() != JsonKind::kObject) return wrong("no JSON object");
  Known known;
  for (const JsonMember& member : scanner.members()) known.Take(member);

  EventFields fields;
  std::string buffer;
  if (known.event_type != nullptr && known.event_type->kind == JsonKind::kString)
    fields.type = codec::JsonStringView(known.event_type->value, &buffer);
  if (fields.type.empty()) fields.type = "__none__";
  if (fields.type.size() > kMaxType) fields.type = "__other__";
  std::optional<std::int64_t> time;
  if (known.event_time != nullptr) time = TimeOf(*known.event_time);
  if (!time.has_value() && known.timestamp != nullptr) time = TimeOf(*known.timestamp);
  const std::int64_t arrival = ToMs(record.arrival);
  fields.time_ms = time.value_or(arrival);
  if (fields.time_ms > arrival + ToMs(config.max_future)) fields.time_ms = arrival;
  if (known.user_id != nullptr) {
    BytesView user;
    if (known.user_id->kind == JsonKind::kString) user = codec::JsonStringView(known.user_id->value, &buffer);
    if (known.user_id->kind == JsonKind::kNumber) user = known.user_id->value;  // as written
    if (!user.empty()) fields.user_hash = analytics::DistinctHash(user);
  }
  fields.error = Holds(config.errors.event_types, fields.type) ||
                 (known.properties != nullptr && known.properties->kind == JsonKind::kObject &&
                  HasErrorProperty(config.errors, known.properties->value));
  return fields;
}

}  // namespace honryu::processors::aggregator
