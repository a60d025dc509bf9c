#include "honryu/api/gateway/gateway_config.h"

#include "api/gateway/partition_key.h"
#include "honryu/http/origin_list.h"

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
  expect(shards >= 1 && shards <= kMostShards && dead_letter_shards >= 1 && dead_letter_shards <= kMostShards,
         "shards: expected 1 to 10000");
  expect(retention_hours >= kLeastRetentionHours && retention_hours <= kMostRetentionHours,
         "retention_hours: expected 24 to 8760");
  expect(max_body >= kLeastBody && max_body <= kMostBody, "max_body: expected 1KiB to 64MiB");
  expect(max_events >= 1 && max_events <= kMostEvents, "max_events: expected 1 to 100000");
  expect(max_depth >= 2 && max_depth <= 256, "max_depth: expected 2 to 256");
  expect(max_record.bytes >= 1024 && max_record <= ByteSize::MiB(10), "max_record: expected 1KiB to 10MiB");
  expect(max_in_flight >= max_body, "max_in_flight: expected at least max_body");
  expect(skew_threshold >= Duration::zero(), "skew_threshold: expected 0 or more");
  expect(future_tolerance >= Duration::zero(), "future_tolerance: expected 0 or more");
  expect(dedup_window >= Duration::zero() && dedup_window <= kMostDedupWindow,
         "dedup_window: expected 0 to 24h");
  expect(dedup_max_entries >= kLeastDedupEntries && dedup_max_entries <= kMostDedupEntries,
         "dedup_max_entries: expected 1000 to 1000000000");
  expect(put_timeout >= kLeastPutTimeout && put_timeout <= kMostPutTimeout,
         "put_timeout: expected 10ms to 1h");
  if (auto parsed = PartitionKeyExpression::Parse(partition_key); !parsed.ok()) {
    expect(false, "partition_key: " + parsed.error().message());
  }
  for (const std::string& origin : cors_origins) {
    if (auto checked = http::OriginList::CheckPattern(origin); !checked.ok()) {
      expect(false, "cors_origins: " + checked.error().message());
    }
  }
  if (auto checked = keys::CheckApiKeys(api_keys); !checked.ok()) expect(false, checked.error().message());
  if (!faults.empty()) return Error(ErrorCode::kInvalidArgument, faults);
  return Ok();
}

}  // namespace honryu::api::gateway
