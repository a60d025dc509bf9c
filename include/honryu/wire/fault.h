#pragma once

#include "honryu/base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace honryu::wire {

/// The error names of the Kinesis surface; generated from src/wire/errors.def.
enum class FaultName : std::uint8_t {
#define X(name, status, retryable, code) k##name,
#include "honryu/wire/errors.def"
#undef X
};

struct FaultTraits {
  std::string_view name;   ///< As on the wire, e.g. "ResourceNotFoundException".
  int status = 400;        ///< HTTP status.
  bool retryable = false;  ///< Whether clients (AWS SDKs, ours) try again.
  ErrorCode code = ErrorCode::kInternal;
};

const FaultTraits& TraitsOf(FaultName name);
/// By the wire's name; a "prefix#" before it is dropped.
std::optional<FaultName> FindFault(std::string_view name);

/// A failed request as Kinesis reports it.
struct Fault {
  FaultName name = FaultName::kInternalFailure;
  std::string message;
};

/// The JSON body: {"__type":"Name","message":"text"}. Kinesis's own quirks: SerializationException spells the
/// key "Message", InternalFailure has no message, an empty message is left out.
std::string FaultBody(const Fault& fault);

/// What our own client makes of an error answer: the code of the named fault, or by HTTP status when the name
/// is unknown (5xx: kUnavailable, 429: kOverloaded, else kInternal).
Error ErrorFromAnswer(int http_status, std::string_view body);

}  // namespace honryu::wire
