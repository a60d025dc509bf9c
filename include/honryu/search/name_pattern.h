#pragma once

#include <string_view>

namespace honryu::search {

/// Whether a name of a field, an index or the like fits a pattern, in which `*` stands for any characters.
bool NameFits(std::string_view pattern, std::string_view name);

}  // namespace honryu::search
