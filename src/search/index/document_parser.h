#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/search/readable.h"

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace honryu::search {

/// Parses documents, one at a time: a result lives until the next call.
class DocumentParser {
 public:
  /// kInvalidArgument when it is no JSON object. What RFC 8259 allows and the parser does not (see Readable)
  /// is read nevertheless: such documents were acknowledged.
  Result<simdjson::dom::object> Parse(BytesView source);

 private:
  simdjson::dom::parser parser_;
  std::string readable_;
};

/// Milliseconds of a string that looks like a date: "2026-11-21", with a time behind 'T' or a blank, with
/// fraction and offset. Other strings, and impossible dates, are none.
std::optional<std::int64_t> ParseDateString(std::string_view text);
/// Time of an event: the first of `fields` (dotted paths) that is a date string or a number of milliseconds.
std::optional<std::int64_t> EventTime(const simdjson::dom::object& document,
                                      std::span<const std::string> fields);
/// The value at a dotted path; a member whose own name has the dot goes first.
std::optional<simdjson::dom::element> FindPath(const simdjson::dom::object& document, std::string_view path);
/// Calls visit(element) for every scalar at a dotted path, arrays opened at every level.
template <class Visit>
void ForEachAt(const simdjson::dom::element& element, std::string_view path, Visit&& visit) {
  if (element.is_array()) {
    for (const auto item : element.get_array().value_unsafe()) ForEachAt(item, path, visit);
    return;
  }
  if (path.empty()) {
    if (!element.is_object()) visit(element);
    return;
  }
  if (!element.is_object()) return;
  for (const auto member : element.get_object().value_unsafe()) {
    if (!path.starts_with(member.key)) continue;
    if (path.size() == member.key.size())
      ForEachAt(member.value, std::string_view(), visit);
    else if (path[member.key.size()] == '.')
      ForEachAt(member.value, path.substr(member.key.size() + 1), visit);
  }
}

}  // namespace honryu::search
