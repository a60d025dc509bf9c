#pragma once

#include "api/gateway/json_scan.h"
#include "api/gateway/partition_key.h"
#include "honryu/api/gateway/gateway_config.h"
#include "honryu/base/time.h"
#include "honryu/base/uint128.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace honryu::api::gateway {

/// Why an event was refused; label of a metric.
enum class RejectReason : std::uint8_t {
  kSyntax,     ///< Not JSON.
  kNotObject,  ///< JSON, but no object.
  kEncoding,   ///< Invalid UTF-8 or an unpaired surrogate.
  kDuplicateKey,
  kTooDeep,
  kTooLarge,
  kReserved,  ///< A member that only the server may write.
  kMissing,   ///< A required member is absent.
  kType,      ///< A member has the wrong type.
  kValue,     ///< A member has a value out of its range or form.
};
inline constexpr std::size_t kRejectReasons = 10;
std::string_view RejectReasonName(RejectReason reason);

struct Reject {
  RejectReason reason = RejectReason::kSyntax;
  std::string field;    ///< Dotted path; empty: the event as a whole.
  std::string message;  ///< For people.
};

/// What belongs to a whole request.
struct EventContext {
  Timestamp received;
  std::optional<Timestamp> sent;  ///< X-Sent-At; an event's own sent_at goes first.
};

/// What the gateway knows of an event that passed. Views point into the request's body or the scanner.
struct CheckedEvent {
  BytesView text;                   ///< The object as it was sent.
  std::optional<UInt128> event_id;  ///< Absent: the server makes one.
  BytesView null_event_id;          ///< Where `text` says "event_id":null, the word null; else empty.
  Timestamp event_time;
  std::optional<std::int64_t> clock_skew_ms;  ///< Set when the time was corrected by it.
  bool timestamp_clamped = false;
  std::string partition_key;  ///< Empty: the event_id that the server makes.
};

/// The members that the server writes into stored events (docs/formats/event.md).
bool IsReservedMember(std::string_view key);
/// 32 hexadecimal digits of a canonical UUID as a number. `text` must be a UUID.
UInt128 ParseUuid(std::string_view text);

/// Checks events against docs/formats/event.md. Thread-safe (holds configuration only).
class EventChecker {
 public:
  /// `config` must have passed Validate() and outlive the checker.
  explicit EventChecker(const GatewayConfig& config);

  /// Checks the value that `scanner` has just read from `body`.
  std::optional<Reject> Check(BytesView body, const JsonScanner& scanner, const EventContext& context,
                              CheckedEvent* event) const;

 private:
  const GatewayConfig& config_;
  PartitionKeyExpression partition_key_;
};

/// A time as events may give it: ISO-8601 with any offset in quotes, or a number of milliseconds since 1970.
Result<Timestamp> ParseEventTime(BytesView value, JsonKind kind);

/// The same as a header's value: ISO-8601 without quotes, or digits only. Any text is safe: unlike a value in
/// a body it has passed no scanner.
Result<Timestamp> ParseHeaderTime(std::string_view value);

/// The event_id of a stored or posted event, when it has a usable one.
std::optional<UInt128> EventIdOf(BytesView record, JsonScanner* scanner);

}  // namespace honryu::api::gateway
