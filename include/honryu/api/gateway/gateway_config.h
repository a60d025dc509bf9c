#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/base/units.h"

#include <cstdint>
#include <string>
#include <vector>

namespace honryu::api::gateway {

/// One secret that lets its holder in.
struct ApiKey {
  std::string name;                          ///< Shown in logs and answers; 1..64 characters.
  std::string key;                           ///< The secret, 8..256 characters. Never logged.
  double events_per_second = 0;              ///< Rate limit of this key; 0: none.
  std::vector<std::string> scopes{"write"};  ///< Posting events needs "write".
};

/// What a gateway does with events. Checked by Validate() before use.
struct GatewayConfig {
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
  std::uint64_t dedup_max_entries =
      4'000'000;  ///< Ids remembered at most (about 16..32 bytes each, as needed).

  std::vector<ApiKey> api_keys;  ///< Empty: everybody may post.
  /// Web origins that may post: "*", "https://app.example.com", "https://*.example.com", "loopback". Empty:
  /// any origin when api_keys are set, else only pages served from this machine ("loopback").
  std::vector<std::string> cors_origins;
  Duration cors_max_age = std::chrono::hours(24);

  Duration put_timeout = std::chrono::seconds(10);  ///< Of one write to the log.
  Duration retry_after = std::chrono::seconds(1);   ///< Advice to clients that are pushed back.

  /// kInvalidArgument with every fault found, or ok.
  Result<void> Validate() const;
};

}  // namespace honryu::api::gateway
