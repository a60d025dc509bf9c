#pragma once

#include "honryu/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sqlapp {

/// Takes one record of CSV (RFC 4180) off `text`; false at the end. A quoted field may run over several
/// lines; `lines` rises by those that were read. kInvalidArgument: a quoted field has no end.
Result<bool> TakeCsv(std::string_view& text, std::vector<std::string>& fields, std::size_t& lines);

}  // namespace honryu::sqlapp
