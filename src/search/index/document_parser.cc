#include "search/index/document_parser.h"

#include "honryu/base/time.h"

#include <algorithm>
#include <charconv>

namespace honryu::search {

namespace {

/// The code unit of "\\uXXXX" at `at`; none when there is none.
std::optional<std::uint32_t> CodeUnit(BytesView json, std::size_t at) {
  if (at + 6 > json.size() || json[at] != '\\' || json[at + 1] != 'u') return std::nullopt;
  std::uint32_t unit = 0;
  const auto [end, error] = std::from_chars(json.data() + at + 2, json.data() + at + 6, unit, 16);
  if (error != std::errc() || end != json.data() + at + 6) return std::nullopt;
  return unit;
}

void AppendReadableNumber(BytesView number, std::string& out) {
  std::uint64_t whole = 0;
  const bool negative = number.starts_with('-');
  const auto digits = number.substr(negative ? 1 : 0);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), whole);
  const bool fits = error == std::errc() && (!negative || whole <= 1ULL << 63);
  if (fits && end == digits.data() + digits.size()) {
    out += number;
    return;
  }
  double value = 0;
  const auto [number_end, range] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (range == std::errc::result_out_of_range) {
    // Too small is 0; too large is nothing that can be compared.
    out += number.find("e-") != BytesView::npos || number.find("E-") != BytesView::npos ? "0.0" : "null";
    return;
  }
  if (range != std::errc() || number_end != number.data() + number.size()) {
    out += number;  // no number: the parser says so
    return;
  }
  char text[40];
  const auto written = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
  out.append(text, written.ptr);
}

}  // namespace

std::string Readable(BytesView json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (in_string && c == '\\') {
      const auto unit = CodeUnit(json, at);
      if (!unit) {
        out += json.substr(at, 2);
        at += 2;
      } else if (*unit >= 0xd800 && *unit < 0xe000) {
        const auto second = CodeUnit(json, at + 6);
        const bool pair = *unit < 0xdc00 && second && *second >= 0xdc00 && *second < 0xe000;
        out += pair ? json.substr(at, 12) : BytesView("\\ufffd");
        at += pair ? 12 : 6;
      } else {
        out += json.substr(at, 6);
        at += 6;
      }
    } else if (!in_string && (c == '-' || (c >= '0' && c <= '9'))) {
      const auto end = std::min(json.find_first_not_of("+-.eE0123456789", at), json.size());
      AppendReadableNumber(json.substr(at, end - at), out);
      at = end;
    } else {
      if (c == '"') in_string = !in_string;
      out += c;
      ++at;
    }
  }
  return out;
}

Result<simdjson::dom::object> DocumentParser::Parse(BytesView source) {
  simdjson::dom::object object;
  auto error = parser_.parse(source.data(), source.size()).get_object().get(object);
  if (error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR || error == simdjson::TAPE_ERROR) {
    readable_ = Readable(source);
    error = parser_.parse(readable_).get_object().get(object);
  }
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
