#pragma once

#include "honryu/base/bytes.h"

#include <string>

namespace honryu::search {

/// A copy of well-formed JSON that simdjson reads: whole numbers beyond 64 bits are the nearest double, those
/// beyond doubles null, halves of surrogate pairs U+FFFD.
///   {"n":123456789012345678901234567890,"s":"\ud800"} -> {"n":1.2345678901234568e+29,"s":"\ufffd"}
std::string Readable(BytesView json);

}  // namespace honryu::search
