#pragma once

#include "honryu/base/result.h"

#include <string>
#include <string_view>

namespace honryu::codec {

/// Standard alphabet, padded (RFC 4648 §4). Appends to `out`.
void AppendBase64(std::string_view bytes, std::string& out);
std::string Base64Encode(std::string_view bytes);
/// Size that Base64Decode writes for a well-formed text of `length` characters, at most.
constexpr std::size_t Base64DecodedBound(std::size_t length) { return length / 4 * 3; }
/// Strict decoding into `out` (at least Base64DecodedBound(text.size()) bytes); returns the size written.
/// kInvalidArgument: length not a multiple of 4, a character outside the alphabet, '=' not at the end, or
/// stray bits in the last character.
Result<std::size_t> Base64Decode(std::string_view text, char* out);
Result<std::string> Base64Decode(std::string_view text);

}  // namespace honryu::codec
