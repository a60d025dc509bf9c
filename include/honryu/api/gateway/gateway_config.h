#pragma once

#include "honryu/api/keys/api_keys.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/base/units.h"

#include <cstdint>
#include <string>
#include <vector>

namespace honryu::api::gateway {

using keys::ApiKey;

/// What a gateway does with events. Checked by Validate() before use.
struct GatewayConfig {
  // Bounds, for Validate() and whoever reads a configuration.
  static constexpr ByteSize kLeastBody = ByteSize::KiB(1);
  static constexpr ByteSize kMostBody = ByteSize::MiB(64);
  static constexpr std::uint32_t kMostEvents = 100'000;
  static constexpr Duration kMostDedupWindow = std::chrono::hours(24);
  static constexpr std::uint64_t kLeastDedupEntries = 1000;
  static constexpr std::uint64_t kMostDedupEntries = 1'000'000'000;
  static constexpr Duration kLeastPutTimeout = std::chrono::milliseconds(10);
  static constexpr Duration kMostPutTimeout = std::chrono::hours(1);
  static constexpr int kLeastRetentionHours = 24;
  static constexpr int kMostRetentionHours = 8760;
  static constexpr int kMostShards = 10'000;

  std::string stream = "events";                  ///< Where events go.
  int shards = 4;                                 ///< Of `stream`, when it must be created.
  int retention_hours = 24;                       ///< Of `stream`, when it must be created.
  std::string dead_letter_stream = "events-dlq";  ///< Where refused events go, with the reason.
  int dead_letter_shards = 1;
  int dead_letter_retention_hours = 168;

  ByteSize max_body = ByteSize::MiB(10);        ///< Of a request, after decompression.
  std::uint32_t max_events = 10000;             ///< Of a request.
  int max_depth = 32;                           ///< Of an event's objects and arrays.
  ByteSize max_record = ByteSize::MiB(1);       ///< Stored event plus partition key.
  ByteSize max_in_flight = ByteSize::MiB(256);  ///< Bodies being worked on; beyond it requests get 429.

  bool require_event_id = false;  ///< Reject events without event_id instead of making one.
  Duration skew_threshold =
      std::chrono::seconds(5);  ///< sent_at may differ this much before times are corrected.
  Duration future_tolerance = std::chrono::seconds(60);  ///< Times further ahead become the arrival time.
  /// Dotted paths; the first that is present and not empty is the partition key. event_id is always the last
  /// resort.
  std::string partition_key = "user_id, session_id, event_id";

  Duration dedup_window =
      std::chrono::minutes(10);  ///< Retries with the same event_id are recognised this long; 0: off.
  /// Ids remembered at most, 21 to 43 bytes each, as needed. The window is kept whole up to two thirds of
  /// them: the default, 192 MiB when it is full, holds ten minutes of 10,000 events a second.
  std::uint64_t dedup_max_entries = 9'400'000;

  std::vector<ApiKey> api_keys;  ///< Empty: everybody may post. Posting needs the scope "write".
  /// Web origins that may post: "*", "https://app.example.com", "https://*.example.com", "loopback". Empty:
  /// any origin when api_keys are set, else only pages served from this machine ("loopback").
  std::vector<std::string> cors_origins;
  Duration cors_max_age = std::chrono::hours(24);

  Duration put_timeout = std::chrono::seconds(10);  ///< Of one write to the log.
  Duration retry_after = std::chrono::seconds(1);   ///< Advice to clients that are pushed back.
  Duration probe_interval =
      std::chrono::seconds(2);  ///< Between two looks at the broker while nothing is written.

  /// kInvalidArgument with every fault found, or ok.
  Result<void> Validate() const;
};

}  // namespace honryu::api::gateway
