#include "search/store/index_pattern.h"

#include "honryu/search/api_error.h"
#include "honryu/search/store.h"
#include "search/query/date_math.h"
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

namespace {

/// "now/d" or "now/d{yyyy.MM.dd|+09:00}", the inside of the braces.
Result<std::string> ExpandDate(std::string_view inside, std::int64_t now_ms) {
  std::string_view format = "yyyy.MM.dd";
  DateReading reading;
  reading.now_ms = now_ms;
  if (const auto open = inside.find('{'); open != std::string_view::npos) {
    if (!inside.ends_with('}'))
      return IllegalArgument("invalid date in an index name: [" + std::string(inside) + "]");
    format = inside.substr(open + 1, inside.size() - open - 2);
    inside = inside.substr(0, open);
    if (const auto bar = format.find('|'); bar != std::string_view::npos) {
      HONRYU_TRY(reading.zone, TimeZone::Parse(format.substr(bar + 1)));
      format = format.substr(0, bar);
    }
  }
  HONRYU_TRY(const auto ms, ParseDate(inside, reading));
  return FormatDate(ms, format, reading.zone);
}

/// The inside of "<…>".
Result<std::string> ExpandName(std::string_view name, std::int64_t now_ms) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\\' && i + 1 < name.size()) {
      out += name[++i];
      continue;
    }
    if (name[i] != '{') {
      out += name[i];
      continue;
    }
    const auto begin = i + 1;
    std::size_t depth = 1;
    while (depth > 0 && ++i < name.size())
      depth = depth + (name[i] == '{' ? 1 : 0) - (name[i] == '}' ? 1 : 0);
    if (depth > 0) return IllegalArgument("invalid date in an index name: [" + std::string(name) + "]");
    HONRYU_TRY(const auto date, ExpandDate(name.substr(begin, i - begin), now_ms));
    out += date;
  }
  return out;
}

}  // namespace

Result<std::string> ExpandIndexDates(std::string_view names, std::int64_t now_ms) {
  std::string out;
  for (std::size_t i = 0; i < names.size();) {
    const bool begins =
        i == 0 || names[i - 1] == ',' || (names[i - 1] == '-' && (i == 1 || names[i - 2] == ','));
    const auto end = names[i] == '<' && begins ? names.find('>', i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += names[i++];
      continue;
    }
    HONRYU_TRY(const auto name, ExpandName(names.substr(i + 1, end - i - 1), now_ms));
    out += name;
    i = end + 1;
  }
  return out;
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
