#include "search/store/index_pattern.h"

#include "honryu/search/store.h"
#include "search/query/matcher.h"

#include <algorithm>

namespace honryu::search {

Result<std::vector<std::string>> ResolveIndices(std::string_view pattern,
                                                const std::vector<std::string>& names, bool ignore_missing,
                                                bool allow_none) {
  if (pattern.empty() || (allow_none && (pattern == "_all" || pattern == "*"))) return names;
  std::vector<bool> chosen(names.size());
  while (!pattern.empty()) {
    const auto end = std::min(pattern.find(','), pattern.size());
    auto part = pattern.substr(0, end);
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
    if (part.empty()) continue;
    const bool without = part.starts_with('-');
    if (without) part.remove_prefix(1);
    if (part == "_all") part = "*";
    bool found = false;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (NameFits(part, names[i])) {
        chosen[i] = !without;
        found = true;
      }
    const bool is_pattern = part.find('*') != std::string_view::npos;
    if (!found && !without && (is_pattern ? !allow_none : !ignore_missing))
      return Error(ErrorCode::kNotFound,
                   "index_not_found_exception: no such index [" + std::string(part) + "]");
  }
  std::vector<std::string> resolved;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (chosen[i]) resolved.push_back(names[i]);
  return resolved;
}

Result<void> CheckIndexName(std::string_view name) {
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument, "invalid_index_name_exception: Invalid index name [" +
                                                  std::string(name) + "], " + std::string(why));
  };
  if (name.empty() || name == "." || name == "..") return refuse("must not be empty, '.' or '..'");
  if (name.size() > 255) return refuse("index name is too long, (" + std::to_string(name.size()) + " > 255)");
  if (name[0] == '_' || name[0] == '-' || name[0] == '+')
    return refuse("must not start with '_', '-', or '+'");
  if (name.find_first_of("\\/*?\"<>| ,#:") != std::string_view::npos)
    return refuse("must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?, #, :]");
  if (std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
    return refuse("must be lowercase");
  return Ok();
}

}  // namespace honryu::search
