#include "search/index/document_parser.h"

#include "honryu/base/time.h"

namespace honryu::search {

Result<simdjson::dom::object> DocumentParser::Parse(BytesView source) {
  simdjson::dom::object object;
  const auto error = parser_.parse(source.data(), source.size()).get_object().get(object);
  if (error == simdjson::SUCCESS) return object;
  return Error(
      ErrorCode::kInvalidArgument,
      std::string("failed to parse the document: ") +
          (error == simdjson::INCORRECT_TYPE ? "it is no JSON object" : simdjson::error_message(error)));
}

std::optional<std::int64_t> ParseDateString(std::string_view text) {
  // "dddd-dd-dd" before anything else is tried: almost every string ends here.
  if (text.size() < 10 || text.size() > 40 || text[4] != '-' || text[7] != '-') return std::nullopt;
  for (const std::size_t i : {0, 1, 2, 3, 5, 6, 8, 9})
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  if (text.size() > 10 && text[10] != 'T' && text[10] != ' ') return std::nullopt;
  const auto parsed = ParseTimestamp(text);
  if (!parsed.ok()) return std::nullopt;
  return ToMs(*parsed);
}

std::optional<simdjson::dom::element> FindPath(const simdjson::dom::object& document, std::string_view path) {
  for (const auto member : document) {
    if (!path.starts_with(member.key)) continue;
    if (member.key.size() == path.size()) return member.value;
    if (path[member.key.size()] != '.' || !member.value.is_object()) continue;
    if (const auto inner =
            FindPath(member.value.get_object().value_unsafe(), path.substr(member.key.size() + 1)))
      return inner;
  }
  return std::nullopt;
}

std::optional<std::int64_t> EventTime(const simdjson::dom::object& document,
                                      std::span<const std::string> fields) {
  for (const auto& field : fields) {
    const auto value = FindPath(document, field);
    if (!value) continue;
    if (value->is_string()) {
      if (const auto time = ParseDateString(value->get_string().value_unsafe())) return time;
    } else if (value->is_int64()) {
      return value->get_int64().value_unsafe();
    }
  }
  return std::nullopt;
}

}  // namespace honryu::search
