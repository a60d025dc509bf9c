#include "api/search/retention.h"

#include "api/search/uri_search.h"
#include "honryu/search/api_error.h"
#include "honryu/search/name_pattern.h"

#include <charconv>
#include <set>
#include <string_view>
#include <vector>

namespace honryu::api::search {

namespace {

namespace engine = honryu::search;
using codec::Json;

constexpr std::int64_t kMostDays = 36'500;

void Flatten(const Json& json, const std::string& path, std::map<std::string, std::string>& out) {
  for (const auto& [name, value] : json.object()) {
    const std::string full = path.empty() ? name : path + "." + name;
    if (value.is_object())
      Flatten(value, full, out);
    else
      out[full.starts_with("index.") ? full.substr(6) : full] =
          value.is_string() ? std::string(value.StringOr("")) : value.Dump();
  }
}

const Json* At(const Json* json, std::initializer_list<std::string_view> path) {
  for (const std::string_view name : path)
    if (json != nullptr) json = json->Find(name);
  return json;
}

std::optional<Duration> Age(const Json* json) {
  if (json == nullptr) return std::nullopt;
  const auto parsed = ParseKeepAlive(json->StringOr(""));
  return parsed.ok() ? std::optional(*parsed) : std::nullopt;
}

/// A policy, with or without {"policy":…} around it.
const Json& Inner(const Json& policy) {
  const Json* inner = policy.Find("policy");
  return inner != nullptr ? *inner : policy;
}

}  // namespace

std::map<std::string, std::string> FlatSettings(const Json& settings) {
  std::map<std::string, std::string> flat;
  Flatten(settings, "", flat);
  return flat;
}

Result<std::optional<Duration>> RetentionIn(const std::map<std::string, std::string>& settings) {
  const auto found = settings.find("retention.days");
  if (found == settings.end() || found->second == "null") return std::optional<Duration>();
  std::int64_t days = -1;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), days);
  if (error != std::errc() || end != text.data() + text.size() || days < 0 || days > kMostDays)
    return engine::IllegalArgument("failed to parse value [" + text +
                                   "] for setting [index.retention.days]: a number from 0 (for ever) to " +
                                   std::to_string(kMostDays));
  return std::optional<Duration>(std::chrono::hours(24 * days));
}

std::string PolicyIn(const std::map<std::string, std::string>& settings) {
  for (const char* name : {"lifecycle.name", "plugins.index_state_management.policy_id",
                           "opendistro.index_state_management.policy_id"})
    if (const auto found = settings.find(name); found != settings.end()) return found->second;
  return {};
}

std::optional<Duration> DeleteAgeOf(const Json& policy) {
  const Json& inner = Inner(policy);
  if (const Json* phase = At(&inner, {"phases", "delete"})) {
    const auto age = Age(phase->Find("min_age"));
    return age ? age : std::optional<Duration>(Duration::zero());
  }
  const Json* states = inner.Find("states");
  if (states == nullptr) return std::nullopt;
  std::set<std::string, std::less<>> deleting;
  for (const Json& state : states->array()) {
    const Json* actions = state.Find("actions");
    const Json* name = state.Find("name");
    if (actions == nullptr || name == nullptr) continue;
    for (const Json& action : actions->array())
      for (const auto& [kind, options] : action.object())
        if (kind == "delete") deleting.emplace(name->StringOr(""));
  }
  for (const Json& state : states->array()) {
    const Json* transitions = state.Find("transitions");
    if (transitions == nullptr) continue;
    for (const Json& transition : transitions->array()) {
      const Json* to = transition.Find("state_name");
      if (to == nullptr || !deleting.contains(to->StringOr(""))) continue;
      if (const auto age = Age(At(&transition, {"conditions", "min_index_age"}))) return age;
    }
  }
  return std::nullopt;
}

bool PolicyTakes(const Json& policy, std::string_view index) {
  const Json* rule = Inner(policy).Find("ism_template");
  if (rule == nullptr) return false;
  const auto fits = [index](const Json& one) {
    const Json* patterns = one.Find("index_patterns");
    if (patterns == nullptr) return false;
    for (const Json& pattern : patterns->array())
      if (engine::NameFits(pattern.StringOr(""), index)) return true;
    return false;
  };
  if (!rule->is_array()) return fits(*rule);
  for (const Json& one : rule->array())
    if (fits(one)) return true;
  return false;
}

}  // namespace honryu::api::search
