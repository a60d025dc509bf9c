#include "api/gateway/event.h"

#include "honryu/base/random.h"

#include <charconv>
#include <cmath>

namespace honryu::api::gateway {

namespace {

constexpr std::int64_t kMaxEpochMs = 253402300799999;  // 9999-12-31T23:59:59.999Z
constexpr std::size_t kMaxText = 256;

Reject Refuse(RejectReason reason, std::string_view field, std::string message) {
  return {reason, std::string(field), std::move(message)};
}

Reject RuleBroken(JsonRule rule, const std::string& field) {
  switch (rule) {
    case JsonRule::kDuplicateKey:
      return Refuse(RejectReason::kDuplicateKey, field, "this member appears twice");
    case JsonRule::kTooDeep:
      return Refuse(RejectReason::kTooDeep, field, "objects and arrays are nested too deep");
    case JsonRule::kTooManyMembers:
      return Refuse(RejectReason::kTooLarge, field, "too many members in one object");
    case JsonRule::kLoneSurrogate:
      return Refuse(RejectReason::kEncoding, field, "unpaired surrogate in a \\u escape");
    default:
      return Refuse(RejectReason::kEncoding, field, "invalid UTF-8");
  }
}

bool IsIntegerText(BytesView value) { return value.find_first_of(".eE") == BytesView::npos; }

/// The known members of an event, by place; null pointers when absent or JSON null.
struct Known {
  const JsonMember* event_id = nullptr;
  const JsonMember* event_type = nullptr;
  const JsonMember* timestamp = nullptr;
  const JsonMember* sent_at = nullptr;
  const JsonMember* user_id = nullptr;
  const JsonMember* session_id = nullptr;
  const JsonMember* device = nullptr;
  const JsonMember* location = nullptr;
  const JsonMember* properties = nullptr;
};

const JsonMember** KnownSlot(Known* known, BytesView key) {
  switch (key.size()) {
    case 6:
      return key == "device" ? &known->device : nullptr;
    case 7:
      return key == "user_id" ? &known->user_id : key == "sent_at" ? &known->sent_at : nullptr;
    case 8:
      return key == "event_id" ? &known->event_id : key == "location" ? &known->location : nullptr;
    case 9:
      return key == "timestamp" ? &known->timestamp : nullptr;
    case 10:
      return key == "event_type"   ? &known->event_type
             : key == "session_id" ? &known->session_id
             : key == "properties" ? &known->properties
                                   : nullptr;
    default:
      return nullptr;
  }
}

/// user_id and session_id: a string or a whole number, at most 256 characters.
std::optional<Reject> CheckName(const JsonMember* member, std::string_view field) {
  if (member == nullptr) return std::nullopt;
  if (member->kind == JsonKind::kNumber && IsIntegerText(member->value)) {
    if (member->value.size() <= kMaxText) return std::nullopt;
    return Refuse(RejectReason::kValue, field, "longer than 256 characters");
  }
  if (member->kind != JsonKind::kString) {
    return Refuse(RejectReason::kType, field, "expected a string or a whole number");
  }
  std::string buffer;
  if (CountCharacters(JsonStringView(member->value, &buffer)) > kMaxText) {
    return Refuse(RejectReason::kValue, field, "longer than 256 characters");
  }
  return std::nullopt;
}

std::optional<Reject> CheckType(const JsonMember* member) {
  if (member == nullptr) return Refuse(RejectReason::kMissing, "event_type", "event_type is required");
  if (member->kind != JsonKind::kString)
    return Refuse(RejectReason::kType, "event_type", "expected a string");
  std::string buffer;
  const std::size_t length = CountCharacters(JsonStringView(member->value, &buffer));
  if (length < 1 || length > kMaxText) {
    return Refuse(RejectReason::kValue, "event_type",
                  "expected 1 to 256 characters, found " + std::to_string(length));
  }
  return std::nullopt;
}

/// Scanner for the inside of device and location, which was checked already as a part of the event.
JsonScanner& InnerScanner() {
  thread_local JsonScanner scanner{JsonLimits{}};
  return scanner;
}

std::optional<Reject> CheckDevice(const JsonMember* device) {
  if (device == nullptr) return std::nullopt;
  if (device->kind != JsonKind::kObject) return Refuse(RejectReason::kType, "device", "expected an object");
  JsonScanner& scanner = InnerScanner();
  if (!scanner.Scan(device->value, 0)) return Refuse(RejectReason::kSyntax, "device", "not an object");
  for (const JsonMember& member : scanner.members()) {
    const bool known = member.key == "type" || member.key == "os_version" || member.key == "app_version" ||
                       member.key == "device_model";
    if (!known || member.kind == JsonKind::kNull) continue;
    const std::string field = "device." + std::string(member.key);
    if (member.kind != JsonKind::kString) return Refuse(RejectReason::kType, field, "expected a string");
    std::string buffer;
    if (CountCharacters(JsonStringView(member.value, &buffer)) > kMaxText) {
      return Refuse(RejectReason::kValue, field, "longer than 256 characters");
    }
  }
  return std::nullopt;
}

std::optional<Reject> CheckLocation(const JsonMember* location) {
  if (location == nullptr) return std::nullopt;
  if (location->kind != JsonKind::kObject)
    return Refuse(RejectReason::kType, "location", "expected an object");
  JsonScanner& scanner = InnerScanner();
  if (!scanner.Scan(location->value, 0)) return Refuse(RejectReason::kSyntax, "location", "not an object");
  for (const JsonMember& member : scanner.members()) {
    double low = 0, high = HUGE_VAL;
    std::string_view range = "at least 0";
    if (member.key == "latitude") {
      low = -90, high = 90, range = "-90 to 90";
    } else if (member.key == "longitude") {
      low = -180, high = 180, range = "-180 to 180";
    } else if (member.key != "accuracy") {
      continue;
    }
    if (member.kind == JsonKind::kNull) continue;
    const std::string field = "location." + std::string(member.key);
    if (member.kind != JsonKind::kNumber) return Refuse(RejectReason::kType, field, "expected a number");
    double value = 0;
    const char* const end = member.value.data() + member.value.size();
    const auto parsed = std::from_chars(member.value.data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || !(value >= low && value <= high)) {
      return Refuse(RejectReason::kValue, field, "expected " + std::string(range));
    }
  }
  return std::nullopt;
}

Result<Timestamp> TimeOfNumber(std::string_view text) {
  double ms = 0;  // Exact up to 2^53, far beyond year 9999.
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (parsed.ec != std::errc() || !(ms >= 0 && ms <= static_cast<double>(kMaxEpochMs))) {
    return Error(ErrorCode::kInvalidArgument, "expected milliseconds since 1970, up to year 9999");
  }
  return TimestampFromMs(static_cast<std::int64_t>(ms));
}

Result<Timestamp> TimeOfText(std::string_view text) {
  HONRYU_TRY(const Timestamp time, ParseTimestamp(text));
  if (ToMs(time) < 0 || ToMs(time) > kMaxEpochMs) {
    return Error(ErrorCode::kInvalidArgument, "expected a time from 1970 to 9999");
  }
  return time;
}

std::uint64_t HexDigit(char c) {
  return static_cast<std::uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

}  // namespace

std::string_view RejectReasonName(RejectReason reason) {
  switch (reason) {
    case RejectReason::kSyntax:
      return "syntax";
    case RejectReason::kNotObject:
      return "not_object";
    case RejectReason::kEncoding:
      return "encoding";
    case RejectReason::kDuplicateKey:
      return "duplicate_key";
    case RejectReason::kTooDeep:
      return "too_deep";
    case RejectReason::kTooLarge:
      return "too_large";
    case RejectReason::kReserved:
      return "reserved";
    case RejectReason::kMissing:
      return "missing";
    case RejectReason::kType:
      return "type";
    case RejectReason::kValue:
      return "value";
  }
  return "unknown";
}

bool IsReservedMember(std::string_view key) {
  switch (key.size()) {
    case 10:
      return key == "event_time";
    case 11:
      return key == "received_at";
    case 13:
      return key == "clock_skew_ms";
    case 17:
      return key == "timestamp_clamped";
    default:
      return false;
  }
}

UInt128 ParseUuid(std::string_view text) {
  UInt128 id;
  int digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    std::uint64_t& half = digits < 16 ? id.high : id.low;
    half = half << 4 | HexDigit(c);
    ++digits;
  }
  return id;
}

Result<Timestamp> ParseEventTime(BytesView value, JsonKind kind) {
  if (kind == JsonKind::kNumber) return TimeOfNumber(value);
  if (kind == JsonKind::kString) {
    std::string buffer;
    return TimeOfText(JsonStringView(value, &buffer));
  }
  return Error(ErrorCode::kInvalidArgument,
               "expected an ISO-8601 time or a number of milliseconds since 1970");
}

Result<Timestamp> ParseHeaderTime(std::string_view value) {
  const bool digits = !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
  return digits ? TimeOfNumber(value) : TimeOfText(value);
}

EventChecker::EventChecker(const GatewayConfig& config) : config_(config) {
  auto expression = PartitionKeyExpression::Parse(config.partition_key);
  HONRYU_CHECK(expression.ok(), "the configuration was not validated");
  partition_key_ = std::move(expression).value();
}

std::optional<Reject> EventChecker::Check(BytesView body, const JsonScanner& scanner,
                                          const EventContext& context, CheckedEvent* event) const {
  *event = CheckedEvent{};
  event->text = body.substr(scanner.begin(), scanner.end() - scanner.begin());
  if (scanner.rule() != JsonRule::kNone) return RuleBroken(scanner.rule(), scanner.rule_field());
  if (scanner.kind() != JsonKind::kObject)
    return Refuse(RejectReason::kNotObject, "", "expected a JSON object");

  Known known;
  for (const JsonMember& member : scanner.members()) {
    if (IsReservedMember(member.key)) {
      return Refuse(RejectReason::kReserved, member.key, "only the server writes this member");
    }
    const JsonMember** slot = KnownSlot(&known, member.key);
    if (slot == nullptr) continue;
    if (member.kind != JsonKind::kNull) {
      *slot = &member;
    } else if (slot == &known.event_id) {
      event->null_event_id = member.value;
    }
  }

  if (known.event_id != nullptr) {
    std::string buffer;
    if (known.event_id->kind != JsonKind::kString)
      return Refuse(RejectReason::kType, "event_id", "expected a UUID string");
    const BytesView id = JsonStringView(known.event_id->value, &buffer);
    if (!IsUuid(id))
      return Refuse(RejectReason::kValue, "event_id",
                    "expected a UUID such as 1b4e28ba-2fa1-4d3b-883f-0016d3cca427");
    event->event_id = ParseUuid(id);
  } else if (config_.require_event_id) {
    return Refuse(RejectReason::kMissing, "event_id", "event_id is required");
  }
  if (auto reject = CheckType(known.event_type)) return reject;
  if (auto reject = CheckName(known.user_id, "user_id")) return reject;
  if (auto reject = CheckName(known.session_id, "session_id")) return reject;
  if (auto reject = CheckDevice(known.device)) return reject;
  if (auto reject = CheckLocation(known.location)) return reject;

  std::optional<Timestamp> sent = context.sent;
  if (known.sent_at != nullptr) {
    Result<Timestamp> parsed = ParseEventTime(known.sent_at->value, known.sent_at->kind);
    if (!parsed.ok()) return Refuse(RejectReason::kValue, "sent_at", parsed.error().message());
    sent = *parsed;
  }
  event->event_time = context.received;
  if (known.timestamp != nullptr) {
    Result<Timestamp> parsed = ParseEventTime(known.timestamp->value, known.timestamp->kind);
    if (!parsed.ok()) return Refuse(RejectReason::kValue, "timestamp", parsed.error().message());
    event->event_time = *parsed;
    if (sent.has_value()) {
      // The device's clock is off by what the clocks differ at the moment of sending (the way took a little
      // as well, which is why small differences are left alone). Counted in milliseconds: year 9999 does not
      // fit nanoseconds.
      const std::int64_t skew_ms = ToMs(context.received) - ToMs(*sent);
      const std::int64_t threshold_ms = ToMs(config_.skew_threshold);
      if (skew_ms > threshold_ms || skew_ms < -threshold_ms) {
        event->clock_skew_ms = skew_ms;
        event->event_time += std::chrono::milliseconds(skew_ms);
        if (ToMs(event->event_time) < 0) event->event_time = Timestamp{};
      }
    }
    if (ToMs(event->event_time) - ToMs(context.received) > ToMs(config_.future_tolerance)) {
      event->event_time = context.received;
      event->timestamp_clamped = true;
    }
  }
  event->partition_key = partition_key_.Evaluate(scanner.members());
  return std::nullopt;
}

std::optional<UInt128> EventIdOf(BytesView record, JsonScanner* scanner) {
  if (record.empty() || record.front() != '{' || !scanner->Scan(record, 0)) return std::nullopt;
  for (const JsonMember& member : scanner->members()) {
    if (member.key != "event_id" || member.kind != JsonKind::kString) continue;
    std::string buffer;
    const BytesView id = JsonStringView(member.value, &buffer);
    if (IsUuid(id)) return ParseUuid(id);
  }
  return std::nullopt;
}

}  // namespace honryu::api::gateway
