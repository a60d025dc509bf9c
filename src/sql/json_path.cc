#include "sql/json_path.h"

#include <simdjson.h>

#include <cstring>

namespace honryu::sql {
namespace {

Error Bad(std::string_view text) {
  return Error(ErrorCode::kInvalidArgument, "'" + std::string(text) + "' is no JSON path, such as $.a.b[0]");
}

std::optional<std::uint32_t> TakeIndex(std::string_view* rest) {
  std::uint64_t value = 0;
  std::size_t digits = 0;
  while (digits < rest->size() && digits < 9 && (*rest)[digits] >= '0' && (*rest)[digits] <= '9')
    value = value * 10 + static_cast<std::uint64_t>((*rest)[digits++] - '0');
  if (digits == 0) return {};
  rest->remove_prefix(digits);
  return static_cast<std::uint32_t>(value);
}

}  // namespace

Result<JsonPath> ParseJsonPath(std::string_view text) {
  constexpr std::size_t kDeepest = 32;
  JsonPath path;
  std::string_view rest = text;
  if (!rest.empty() && rest[0] == '$') {
    rest.remove_prefix(1);
  } else if (!rest.empty() && rest[0] != '[' && rest[0] != '.') {
    const std::size_t end = std::min(rest.find_first_of(".["), rest.size());
    path.push_back({JsonStep::Kind::kMember, std::string(rest.substr(0, end)), 0});
    rest.remove_prefix(end);
  }
  while (!rest.empty()) {
    if (path.size() == kDeepest) return Bad(text);
    if (rest[0] == '.') {
      rest.remove_prefix(1);
      const std::size_t end = std::min(rest.find_first_of(".["), rest.size());
      if (end == 0) return Bad(text);
      path.push_back({JsonStep::Kind::kMember, std::string(rest.substr(0, end)), 0});
      rest.remove_prefix(end);
      continue;
    }
    if (rest[0] != '[' || rest.size() < 3) return Bad(text);
    rest.remove_prefix(1);
    JsonStep step;
    if (rest[0] == '\'' || rest[0] == '"') {
      const std::size_t end = rest.find(rest[0], 1);
      if (end == std::string_view::npos) return Bad(text);
      step.member = rest.substr(1, end - 1);
      rest.remove_prefix(end + 1);
    } else if (rest[0] == '*') {
      step.kind = JsonStep::Kind::kEach;
      rest.remove_prefix(1);
    } else {
      const auto index = TakeIndex(&rest);
      if (!index.has_value()) return Bad(text);
      step.index = *index;
      step.kind = !rest.empty() && rest[0] == ':' ? JsonStep::Kind::kEach : JsonStep::Kind::kIndex;
      if (step.kind == JsonStep::Kind::kEach) rest.remove_prefix(1);
    }
    if (rest.empty() || rest[0] != ']') return Bad(text);
    rest.remove_prefix(1);
    path.push_back(std::move(step));
  }
  return path;
}

std::optional<std::string> FollowJsonPath(std::string_view json, const JsonPath& path) {
  if (path.empty()) return std::string(json);
  thread_local simdjson::ondemand::parser parser;
  thread_local std::string padded;
  padded.assign(json);
  padded.resize(json.size() + simdjson::SIMDJSON_PADDING, '\0');
  simdjson::ondemand::document document;
  if (parser.iterate(padded.data(), json.size(), padded.size()).get(document) != simdjson::SUCCESS) return {};
  simdjson::ondemand::value value;
  bool first = true;
  for (const JsonStep& step : path) {
    simdjson::error_code error = simdjson::SUCCESS;
    if (step.kind == JsonStep::Kind::kMember) {
      error = first ? document.find_field_unordered(step.member).get(value)
                    : value.find_field_unordered(step.member).get(value);
    } else if (step.kind == JsonStep::Kind::kIndex) {
      error = first ? document.at(step.index).get(value) : value.at(step.index).get(value);
    } else {
      return {};
    }
    if (error != simdjson::SUCCESS) return {};
    first = false;
  }
  std::string_view raw;
  if (simdjson::to_json_string(value).get(raw) != simdjson::SUCCESS) return {};
  while (!raw.empty() && static_cast<unsigned char>(raw.back()) <= ' ') raw.remove_suffix(1);
  return std::string(raw);
}

}  // namespace honryu::sql
