#pragma once

#include "honryu/http/message.h"
#include "honryu/http/origin_list.h"
#include "honryu/wire/fault.h"
#include "honryu/wire/format.h"

#include <optional>
#include <string_view>

namespace honryu::api::kinesis {

/// Headers that every answer carries (x-amzn-RequestId, x-amz-id-2, CORS).
void AddCommonHeaders(const http::Request& request, const http::OriginList& origins,
                      http::Response& response);

/// What is answered without looking at the operation: pages of origins that may not call, preflights, other
/// methods, other content types, no body. `known_operation`: whether X-Amz-Target names an operation that is
/// served.
std::optional<http::Response> JudgeProtocol(const http::Request& request, const http::OriginList& origins,
                                            bool known_operation);

/// The presence and form of a signature (not its truth), in Kinesis's words.
std::optional<wire::Fault> JudgeAuthorization(const http::Request& request);

/// The format that the request's Content-Type names; where it names none: CBOR, as Kinesis answers then.
wire::Format FormatOf(const http::Request& request);

/// 200 with a body made as JSON, in that format, or with an empty one.
http::Response Answer(std::string json, wire::Format format);
http::Response FaultAnswer(const wire::Fault& fault, wire::Format format);

}  // namespace honryu::api::kinesis
