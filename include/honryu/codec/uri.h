#pragma once

#include "honryu/base/result.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace honryu::codec {

/// Opens %XX escapes (RFC 3986 §2.1); '+' becomes a blank if asked for (form encoding). kInvalidArgument on a
/// broken escape.
Result<std::string> PercentDecode(std::string_view text, bool plus_is_blank);
/// "a=1&b=%20" -> {{"a","1"},{"b"," "}}, in order; a name without '=' has an empty value.
Result<std::vector<std::pair<std::string, std::string>>> ParseQuery(std::string_view query);

}  // namespace honryu::codec
