#pragma once

#include <string>
#include <string_view>

namespace honryu::api::search {

/// What `filter_path` leaves of an answer: patterns with commas between them, `*` for any member or part of a
/// name, `**` for any way down, `-` in front for what is left out ("errors,items.*.status").
std::string FilterPath(std::string_view json, std::string_view patterns);

/// Compact JSON with line breaks and two blanks for each level (`pretty`).
std::string PrettyJson(std::string_view json);

}  // namespace honryu::api::search
