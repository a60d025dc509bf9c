#include "api/search/filter_path.h"

#include "honryu/codec/json.h"
#include "honryu/search/name_pattern.h"
#include "honryu/search/readable.h"

#include <optional>
#include <vector>

namespace honryu::api::search {

namespace {

using codec::Json;
using Steps = std::vector<std::string>;

std::vector<std::string> Split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = text.find(at);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

/// A pattern and how many of its steps are behind us.
struct Place {
  const Steps* steps;
  std::size_t at = 0;
  bool done() const { return at >= steps->size(); }
};

/// Where the patterns stand after going into the member `name`.
std::vector<Place> Enter(const std::vector<Place>& places, std::string_view name) {
  std::vector<Place> next;
  for (const Place& place : places) {
    if (place.done()) continue;
    const std::string& step = (*place.steps)[place.at];
    if (step == "**") {
      next.push_back(place);
      if (place.at + 1 < place.steps->size() && honryu::search::NameFits((*place.steps)[place.at + 1], name))
        next.push_back({place.steps, place.at + 2});
      if (place.at + 1 == place.steps->size()) next.push_back({place.steps, place.at + 1});
    } else if (honryu::search::NameFits(step, name)) {
      next.push_back({place.steps, place.at + 1});
    }
  }
  return next;
}

bool AnyDone(const std::vector<Place>& places) {
  for (const Place& place : places)
    if (place.done()) return true;
  return false;
}

/// Without patterns for what to keep (`all`), everything is kept that nothing leaves out.
std::optional<Json> Kept(const Json& json, const std::vector<Place>& keep, const std::vector<Place>& drop,
                         bool all) {
  if (AnyDone(drop)) return std::nullopt;
  const bool whole = all || AnyDone(keep);
  if (whole && drop.empty()) return json;
  if (json.is_object()) {
    Json::Object members;
    for (const auto& [name, value] : json.object())
      if (auto part = Kept(value, Enter(keep, name), Enter(drop, name), whole))
        members.emplace_back(name, std::move(*part));
    if (members.empty() && !whole) return std::nullopt;
    return Json(std::move(members));
  }
  if (json.is_array()) {
    Json::Array items;
    for (const Json& item : json.array())
      if (auto part = Kept(item, keep, drop, whole)) items.push_back(std::move(*part));
    if (items.empty() && !whole) return std::nullopt;
    return Json(std::move(items));
  }
  if (!whole) return std::nullopt;
  return json;
}

}  // namespace

std::string FilterPath(std::string_view json, std::string_view patterns) {
  auto parsed = Json::Parse(json);
  if (!parsed.ok())
    parsed = Json::Parse(honryu::search::Readable(json));  // for sources with very long numbers
  if (!parsed.ok()) return std::string(json);
  std::vector<Steps> keep_steps, drop_steps;
  for (const std::string& pattern : Split(patterns, ',')) {
    if (pattern.starts_with('-'))
      drop_steps.push_back(Split(std::string_view(pattern).substr(1), '.'));
    else
      keep_steps.push_back(Split(pattern, '.'));
  }
  std::vector<Place> keep, drop;
  for (const Steps& steps : keep_steps) keep.push_back({&steps, 0});
  for (const Steps& steps : drop_steps) drop.push_back({&steps, 0});
  const auto kept = Kept(*parsed, keep, drop, keep.empty());
  return kept ? kept->Dump() : "{}";
}

std::string PrettyJson(std::string_view json) {
  std::string out;
  std::size_t level = 0;
  bool text = false, escaped = false;
  const auto line = [&] {
    out += '\n';
    out.append(2 * level, ' ');
  };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (text) {
      out += c;
      text = escaped || c != '"';
      escaped = !escaped && c == '\\';
      continue;
    }
    const bool empty = i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']');
    if (c == '}' || c == ']') {
      const bool opened = i > 0 && (json[i - 1] == '{' || json[i - 1] == '[');
      if (!opened) {
        --level;
        line();
      }
      out += c;
      continue;
    }
    out += c;
    if (c == '"') text = true;
    if (c == ':') out += ' ';
    if (c == ',') line();
    if ((c == '{' || c == '[') && !empty) {
      ++level;
      line();
    }
  }
  out += '\n';
  return out;
}

}  // namespace honryu::api::search
