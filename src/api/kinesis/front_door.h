#pragma once

#include "honryu/http/message.h"
#include "honryu/wire/fault.h"

#include <optional>
#include <string_view>

namespace honryu::api::kinesis {

/// The content type of every answer made from JSON.
inline constexpr std::string_view kJsonType = "application/x-amz-json-1.1";

/// Headers that every answer carries (x-amzn-RequestId, x-amz-id-2, CORS).
void AddCommonHeaders(const http::Request& request, http::Response& response);

/// What is answered without looking at the operation: preflights, other methods, other content types, no
/// body. `known_operation`: whether X-Amz-Target names an operation that is served.
std::optional<http::Response> JudgeProtocol(const http::Request& request, bool known_operation);

/// The presence and form of a signature (not its truth), in Kinesis's words.
std::optional<wire::Fault> JudgeAuthorization(const http::Request& request);

/// 200 with a JSON body, or with an empty one.
http::Response JsonAnswer(std::string body);
http::Response FaultAnswer(const wire::Fault& fault);

}  // namespace honryu::api::kinesis
