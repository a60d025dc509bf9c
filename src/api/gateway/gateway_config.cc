#include "honryu/api/gateway/gateway_config.h"

#include "api/gateway/cors.h"
#include "api/gateway/partition_key.h"

#include <set>

namespace honryu::api::gateway {

namespace {

/// Kinesis's stream name: [a-zA-Z0-9_.-]{1,128}.
bool IsStreamName(std::string_view name) {
  return !name.empty() && name.size() <= 128 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
             std::string_view::npos;
}

}  // namespace

Result<void> GatewayConfig::Validate() const {
  std::string faults;
  const auto expect = [&faults](bool good, std::string_view fault) {
    if (good) return;
    if (!faults.empty()) faults += "; ";
    faults += fault;
  };
  expect(IsStreamName(stream), "stream: expected 1 to 128 letters, digits, '_', '.' or '-'");
  expect(IsStreamName(dead_letter_stream),
         "dead_letter_stream: expected 1 to 128 letters, digits, '_', '.' or '-'");
  expect(stream != dead_letter_stream, "dead_letter_stream: must differ from stream");
  expect(shards >= 1 && dead_letter_shards >= 1, "shards: expected at least 1");
  expect(max_body.bytes >= 1024 && max_body <= ByteSize::MiB(64), "max_body: expected 1KiB to 64MiB");
  expect(max_events >= 1 && max_events <= 100000, "max_events: expected 1 to 100000");
  expect(max_depth >= 2 && max_depth <= 256, "max_depth: expected 2 to 256");
  expect(max_record.bytes >= 1024 && max_record <= ByteSize::MiB(10), "max_record: expected 1KiB to 10MiB");
  expect(max_in_flight >= max_body, "max_in_flight: expected at least max_body");
  expect(skew_threshold >= Duration::zero(), "skew_threshold: expected 0 or more");
  expect(future_tolerance >= Duration::zero(), "future_tolerance: expected 0 or more");
  expect(dedup_window >= Duration::zero() && dedup_window <= std::chrono::hours(168),
         "dedup_window: expected 0 to 7 days");
  expect(dedup_max_entries >= 1000, "dedup_max_entries: expected at least 1000");
  expect(put_timeout >= std::chrono::milliseconds(10), "put_timeout: expected at least 10ms");
  if (auto parsed = PartitionKeyExpression::Parse(partition_key); !parsed.ok()) {
    expect(false, "partition_key: " + parsed.error().message());
  }
  for (const std::string& origin : cors_origins) {
    if (auto checked = CorsPolicy::CheckPattern(origin); !checked.ok()) {
      expect(false, "cors_origins: " + checked.error().message());
    }
  }
  std::set<std::string_view> names, secrets;
  for (const ApiKey& key : api_keys) {
    expect(!key.name.empty() && key.name.size() <= 64, "api_keys: a name has 1 to 64 characters");
    expect(key.key.size() >= 8 && key.key.size() <= 256,
           "api_keys: the key of \"" + key.name + "\" must have 8 to 256 characters");
    expect(key.events_per_second >= 0,
           "api_keys: events_per_second of \"" + key.name + "\" must not be negative");
    expect(names.insert(key.name).second, "api_keys: two keys have the name \"" + key.name + "\"");
    expect(secrets.insert(key.key).second, "api_keys: \"" + key.name + "\" has the same key as another one");
  }
  if (!faults.empty()) return Error(ErrorCode::kInvalidArgument, faults);
  return Ok();
}

}  // namespace honryu::api::gateway
