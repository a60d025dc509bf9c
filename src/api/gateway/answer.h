#pragma once

#include "api/gateway/intake.h"
#include "honryu/http/message.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::gateway {

/// What became of a request's events.
struct Outcome {
  struct Failed {
    std::uint32_t index = 0;
    UInt128 event_id;
    Error error;
  };
  std::uint64_t accepted = 0;
  std::uint64_t duplicates = 0;
  const std::vector<Rejected>* rejected = nullptr;  ///< Not null.
  std::vector<Failed> failed;
  std::uint64_t dead_letters_lost = 0;  ///< Refused events that could not be put aside.
};

/// 200: every event is settled (stored, repeated or refused, at least one not refused, or none sent). 400:
/// all refused. 429: the log pushed back. 503: it cannot take writes now. 500: an error that waiting will not
/// heal.
int StatusOf(const Outcome& outcome);
/// The answer to a request whose events were looked at (docs/http-api.md). `retry_after` is set with 429 and
/// 503.
http::Response MakeAnswer(const Outcome& outcome, std::string_view request_id, Duration retry_after);
/// {"error":"…","message":"…","request_id":"…"}; a non-zero `retry_after` becomes Retry-After in whole
/// seconds.
http::Response MakeError(int status, std::string_view error, std::string_view message,
                         std::string_view request_id, Duration retry_after = Duration::zero());

}  // namespace honryu::api::gateway
