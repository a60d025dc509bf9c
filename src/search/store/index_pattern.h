#pragma once

#include "honryu/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// The indices that "a,b-*,-b-test", "_all", "*" or "" stand for, in the order of `names` (sorted).
/// kNotFound (index_not_found_exception) for a plain name that is missing, unless `ignore_missing`.
Result<std::vector<std::string>> ResolveIndices(std::string_view pattern,
                                                const std::vector<std::string>& names, bool ignore_missing,
                                                bool allow_none);
}  // namespace honryu::search
