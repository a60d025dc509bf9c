#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/codec/json.h"
#include "honryu/wire/fault.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace honryu::wire {

/// The two spellings of one protocol. An answer is in the format of its request.
enum class Format : std::uint8_t {
  kJson,  ///< JSON 1.1: blobs in base64, times in seconds.
  kCbor,  ///< CBOR 1.1: blobs as bytes, times as tag 1 around integer milliseconds.
};

/// "application/x-amz-json-1.1"
std::string_view ContentType(Format format);
/// By a Content-Type header; parameters behind ';' are ignored.
std::optional<Format> FindFormat(std::string_view content_type);

/// Reads a request's body into the tree that the parsers of kinesis.h take: blobs are base64 strings from
/// JSON and Json::Blob from CBOR, times are numbers of seconds from both. Errors: those of Json::Parse and
/// codec::ParseCbor; kTooLarge beyond 200,000 values.
Result<codec::Json> ParseBody(BytesView body, Format format);

/// An answer made as JSON (kinesis.h), in that format. For CBOR members are turned by name: Data and State
/// into bytes, those that are times into times; maps and arrays are of indefinite length, as AWS writes them.
/// Empty stays empty. kInternal when `json` is not valid JSON.
Result<std::string> EncodeBody(std::string json, Format format);

/// FaultBody(fault) in that format.
std::string FaultBody(const Fault& fault, Format format);

}  // namespace honryu::wire
