#include "api/search/index_settings.h"

#include "api/search/retention.h"
#include "honryu/obs/log.h"
#include "honryu/search/api_error.h"

#include <algorithm>
#include <utility>

namespace honryu::api::search {

namespace {

namespace engine = honryu::search;
using codec::Json;

/// Notes are named "KIND/NAME"; aliases are of the kind "alias", named "ALIAS" with
/// {"INDEX":{"filter":…,"index_routing":…,"search_routing":…,"is_write_index":b}}. Those of older versions
/// have
/// {"INDEX":{"write":b}}.
constexpr std::string_view kAlias = "alias";

std::vector<std::string> Strings(const Json* json) {
  std::vector<std::string> all;
  if (json == nullptr) return all;
  if (json->is_string()) all.emplace_back(json->StringOr(""));
  for (const Json& item : json->array()) all.emplace_back(item.StringOr(""));
  return all;
}

bool IsWriteIndex(const Json& options, bool otherwise) {
  for (const auto* name : {"is_write_index", "write"})
    if (const Json* write = options.Find(name)) return write->BoolOr(otherwise);
  return otherwise;
}

std::string RoutingOf(const Json& options, std::string_view name) {
  const Json* value = options.Find(name);
  return value == nullptr     ? std::string()
         : value->is_string() ? std::string(value->StringOr(""))
                              : value->Dump();
}

/// null and {} are none.
bool IsNoFilter(const Json& filter) {
  return filter.is_null() || (filter.is_object() && filter.object().empty());
}

/// The members of an alias that are kept, in OpenSearch's order.
Json KeptOptions(const Json& options) {
  Json::Object kept;
  if (const Json* filter = options.Find("filter"); filter != nullptr && !IsNoFilter(*filter))
    kept.emplace_back("filter", *filter);
  const std::string both = RoutingOf(options, "routing");
  for (const auto* name : {"index_routing", "search_routing"}) {
    const std::string own = RoutingOf(options, name);
    if (!own.empty() || !both.empty()) kept.emplace_back(name, Json(Json::Value(own.empty() ? both : own)));
  }
  for (const auto* name : {"is_write_index", "is_hidden"})
    if (const Json* value = options.Find(name); value != nullptr && value->is_bool())
      kept.emplace_back(name, *value);
  return Json(std::move(kept));
}

std::int64_t NumberOf(const Json* json) { return json == nullptr ? 0 : json->IntOr(0); }

}  // namespace

std::vector<std::string> NamesOf(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const auto end = list.find(',');
    if (end != 0) names.emplace_back(list.substr(0, end));
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
  }
  return names;
}

IndexSettings::IndexSettings(engine::Store& store) : store_(store) {
  for (const auto& [key, text] : store.Notes()) {
    const auto slash = key.find('/');
    auto parsed = Json::Parse(text);
    if (slash == std::string::npos || !parsed.ok()) continue;
    kinds_[key.substr(0, slash)][key.substr(slash + 1)] = std::move(*parsed);
  }
}

Result<void> IndexSettings::Change(std::string_view kind, const std::string& name, std::optional<Json> body) {
  const std::string key = std::string(kind) + "/" + name;
  HONRYU_TRY_VOID(body ? store_.PutNote(key, body->Dump()) : store_.RemoveNote(key));
  const std::lock_guard lock(mutex_);
  if (body)
    kinds_[std::string(kind)][name] = std::move(*body);
  else
    kinds_[std::string(kind)].erase(name);
  return Ok();
}

std::optional<Json> IndexSettings::Find(std::string_view kind, const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto all = kinds_.find(kind);
  if (all == kinds_.end()) return std::nullopt;
  const auto found = all->second.find(name);
  if (found == all->second.end()) return std::nullopt;
  return found->second;
}

std::string IndexSettings::Resolve(std::string_view indices) const {
  const std::lock_guard lock(mutex_);
  return NamesIn(indices);
}

IndexSettings::Resolved IndexSettings::Reach(std::string_view indices) const {
  const std::lock_guard lock(mutex_);
  return {NamesIn(indices), FiltersIn(indices)};
}

std::string IndexSettings::NamesIn(std::string_view indices) const {
  const auto aliases = kinds_.find(kAlias);
  if (aliases == kinds_.end() || aliases->second.empty()) return std::string(indices);
  std::string resolved;
  const auto add = [&resolved](std::string_view name) {
    if (!resolved.empty()) resolved += ',';
    resolved += name;
  };
  for (const std::string& part : NamesOf(indices)) {
    const bool without = part.starts_with('-');
    const std::string_view pattern = std::string_view(part).substr(without ? 1 : 0);
    bool exact = false;
    for (const auto& [alias, body] : aliases->second) {
      if (!NameFits(pattern, alias)) continue;
      exact = exact || alias == pattern;
      for (const auto& [index, options] : body.object()) add((without ? "-" : "") + index);
    }
    if (!exact) add(part);
  }
  // A list that names nothing is not the empty one, which stands for all.
  if (resolved.empty() && !indices.empty()) return ",";
  return resolved;
}

Result<std::string> IndexSettings::WriteIndex(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto aliases = kinds_.find(kAlias);
  if (aliases == kinds_.end()) return std::string(name);
  const auto found = aliases->second.find(std::string(name));
  if (found == aliases->second.end()) return std::string(name);
  const auto& indices = found->second.object();
  for (const auto& [index, options] : indices)
    if (IsWriteIndex(options, false)) return index;
  if (indices.size() == 1 && IsWriteIndex(indices[0].second, true)) return indices[0].first;
  return engine::IllegalArgument(
      "no write index is defined for alias [" + std::string(name) +
      "]. The write index may be explicitly disabled using is_write_index=false or the "
      "alias points to multiple indices without one being designated as a write index");
}

bool IndexSettings::HasAlias(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto aliases = kinds_.find(kAlias);
  return aliases != kinds_.end() && aliases->second.contains(std::string(name));
}

std::map<std::string, IndexSettings::Alias> IndexSettings::AliasesOf(std::string_view index) const {
  std::map<std::string, Alias> all;
  const std::lock_guard lock(mutex_);
  const auto aliases = kinds_.find(kAlias);
  if (aliases == kinds_.end()) return all;
  for (const auto& [alias, body] : aliases->second)
    if (const Json* options = body.Find(index)) {
      Alias& one = all[alias];
      if (const Json* filter = options->Find("filter")) one.filter = filter->Dump();
      one.index_routing = RoutingOf(*options, "index_routing");
      one.search_routing = RoutingOf(*options, "search_routing");
      if (options->Find("is_write_index") != nullptr || IsWriteIndex(*options, false))
        one.write = IsWriteIndex(*options, false);
      Json shown = *options;
      if (options->Find("write") != nullptr)
        shown = one.write ? Json(Json::Object{{"is_write_index", Json(Json::Value(true))}})
                          : Json(Json::Object{});
      one.shown = shown.Dump();
    }
  return all;
}

std::map<std::string, std::string> IndexSettings::FiltersIn(std::string_view indices) const {
  const auto aliases = kinds_.find(kAlias);
  if (aliases == kinds_.end() || aliases->second.empty()) return {};
  const auto parts = NamesOf(indices);
  std::set<std::string> behind;  // indices of any alias
  for (const auto& [alias, body] : aliases->second)
    for (const auto& [index, options] : body.object()) behind.insert(index);
  std::map<std::string, std::string> filters;
  for (const std::string& index : behind) {
    // As the list is read for names: part by part, an exclusion takes away what came before it.
    bool whole = false;
    std::vector<const Json*> shown;
    for (const std::string& part : parts) {
      const bool without = part.starts_with('-');
      std::string_view pattern = std::string_view(part).substr(without ? 1 : 0);
      if (pattern == "_all") pattern = "*";
      if (NameFits(pattern, index)) {
        whole = !without;
        if (without) shown.clear();
      }
      for (const auto& [alias, body] : aliases->second) {
        const Json* options = NameFits(pattern, alias) ? body.Find(index) : nullptr;
        if (options == nullptr) continue;
        const Json* filter = options->Find("filter");
        if (without) {
          whole = false;
          shown.clear();
        } else if (filter != nullptr) {
          shown.push_back(filter);
        } else {
          whole = true;
        }
      }
    }
    if (whole || shown.empty()) continue;
    if (shown.size() == 1) {
      filters[index] = shown[0]->Dump();
      continue;
    }
    Json::Array any;
    for (const Json* filter : shown) any.push_back(*filter);
    Json::Object should;
    should.emplace_back("should", Json(std::move(any)));
    filters[index] = Json(Json::Object{{"bool", Json(std::move(should))}}).Dump();
  }
  return filters;
}

Result<void> CheckAliasOptions(const std::string& alias, const Json& options) {
  if (!options.is_object())
    return engine::IllegalArgument("the options of alias [" + alias + "] must be an object");
  for (const auto& [name, value] : options.object()) {
    const bool routing = name == "routing" || name == "index_routing" || name == "search_routing";
    const bool flag = name == "is_write_index" || name == "is_hidden";
    if (name == "filter" && !IsNoFilter(value)) {
      if (const auto checked = engine::Store::CheckQuery(value.Dump()); !checked.ok()) {
        const auto error = engine::ToApiError(checked.error());
        return engine::IllegalArgument("failed to parse filter for alias [" + alias + "]: " + error.reason);
      }
    } else if (!(name == "filter" || routing || (flag && value.is_bool()))) {
      return engine::IllegalArgument("Unknown field [" + name + "] in alias [" + alias + "]");
    }
  }
  return Ok();
}

Result<std::map<std::string, Json::Object>> IndexSettings::PlanAliases(
    const std::vector<AliasChange>& changes, const std::set<std::string>& going) const {
  HONRYU_TRY(const auto names, store_.IndexNames("*"));
  std::map<std::string, Json::Object> changed;
  for (const auto& [index, alias, options, must_exist] : changes) {
    const auto [found, fresh] = changed.try_emplace(alias);
    if (fresh) found->second = Find(kAlias, alias).value_or(Json()).object();
    const auto gone =
        std::erase_if(found->second, [&i = index](const auto& member) { return member.first == i; });
    if (!options) {
      if (gone == 0 && must_exist)
        return Error(ErrorCode::kNotFound, "aliases_not_found_exception: aliases [" + alias + "] missing");
      continue;
    }
    HONRYU_TRY_VOID(CheckAliasOptions(alias, *options));
    if (alias == index || (std::binary_search(names.begin(), names.end(), alias) && !going.contains(alias)))
      return Error(ErrorCode::kInvalidArgument,
                   "invalid_alias_name_exception: Invalid alias name [" + alias +
                       "]: an index or data stream exists with the same name as the alias");
    HONRYU_TRY_VOID(engine::CheckIndexName(alias));
    found->second.emplace_back(index, KeptOptions(*options));
  }
  for (const auto& [alias, members] : changed) {
    std::string writers;
    std::size_t count = 0;
    for (const auto& [index, options] : members)
      if (IsWriteIndex(options, false)) {
        writers += (count++ == 0 ? "" : ",") + index;
      }
    if (count > 1)
      return engine::IllegalArgument("alias [" + alias + "] has more than one write index [" + writers + "]");
  }
  return changed;
}

Result<void> IndexSettings::CheckAliases(const std::vector<AliasChange>& changes) const {
  const auto planned = PlanAliases(changes, {});
  if (!planned.ok()) return planned.error();
  return Ok();
}

Result<void> IndexSettings::ChangeAliases(const std::vector<AliasChange>& changes,
                                          const std::set<std::string>& going) {
  const std::lock_guard lock(changing_);
  HONRYU_TRY(auto changed, PlanAliases(changes, going));
  return CommitAliases(std::move(changed));
}

Result<void> IndexSettings::CommitAliases(std::map<std::string, Json::Object> changed) {
  std::map<std::string, std::string> notes;
  for (const auto& [alias, members] : changed)
    notes[std::string(kAlias) + "/" + alias] = members.empty() ? std::string() : Json(members).Dump();
  if (notes.empty()) return Ok();
  HONRYU_TRY_VOID(store_.PutNotes(std::move(notes)));
  const std::lock_guard lock(mutex_);
  auto& aliases = kinds_[std::string(kAlias)];
  for (auto& [alias, members] : changed) {
    if (members.empty())
      aliases.erase(alias);
    else
      aliases[alias] = Json(std::move(members));
  }
  return Ok();
}

Result<void> IndexSettings::ForgetIndex(const std::string& index) {
  std::vector<AliasChange> changes;
  for (const auto& [alias, options] : AliasesOf(index)) changes.push_back({index, alias, std::nullopt});
  HONRYU_TRY_VOID(ChangeAliases(changes));
  const auto removed = Remove("settings", index);
  if (!removed.ok()) return removed.error();
  return Ok();
}

Result<void> IndexSettings::Put(std::string_view kind, const std::string& name, const Json& body) {
  const std::lock_guard lock(changing_);
  return Change(kind, name, body);
}

Result<bool> IndexSettings::Remove(std::string_view kind, const std::string& name) {
  const std::lock_guard lock(changing_);
  if (!Find(kind, name)) return false;
  HONRYU_TRY_VOID(Change(kind, name, std::nullopt));
  return true;
}

std::map<std::string, Json> IndexSettings::All(std::string_view kind) const {
  const std::lock_guard lock(mutex_);
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? std::map<std::string, Json>() : found->second;
}

/// Parts that hold "mappings" and "aliases", the later over the earlier. `mutex_` is held.
std::vector<const Json*> IndexSettings::TemplatesFor(std::string_view index) const {
  const auto fits = [index](const Json& body) {
    const auto patterns = Strings(body.Find("index_patterns"));
    return std::any_of(patterns.begin(), patterns.end(),
                       [index](const std::string& pattern) { return NameFits(pattern, index); });
  };
  std::vector<const Json*> parts;
  const Json* best = nullptr;
  if (const auto composable = kinds_.find(std::string_view("index_template")); composable != kinds_.end())
    for (const auto& [name, body] : composable->second)
      if (fits(body) &&
          (best == nullptr || NumberOf(body.Find("priority")) > NumberOf(best->Find("priority"))))
        best = &body;
  if (best != nullptr) {
    const auto components = kinds_.find(std::string_view("component_template"));
    for (const std::string& name : Strings(best->Find("composed_of"))) {
      if (components == kinds_.end()) continue;
      const auto found = components->second.find(name);
      if (found == components->second.end()) continue;
      if (const Json* part = found->second.Find("template")) parts.push_back(part);
    }
    if (const Json* part = best->Find("template")) parts.push_back(part);
    return parts;
  }
  if (const auto old = kinds_.find(std::string_view("template")); old != kinds_.end()) {
    std::vector<std::pair<std::int64_t, const Json*>> ordered;
    for (const auto& [name, body] : old->second)
      if (fits(body)) ordered.emplace_back(NumberOf(body.Find("order")), &body);
    // Those of one order stay in the order of their names.
    for (std::size_t i = 1; i < ordered.size(); ++i)
      for (std::size_t j = i; j > 0 && ordered[j].first < ordered[j - 1].first; --j)
        std::swap(ordered[j], ordered[j - 1]);
    for (const auto& [order, body] : ordered) parts.push_back(body);
  }
  return parts;
}

namespace {

/// `over` laid over `under`, objects member by member.
Json Merged(const Json& under, const Json& over) {
  if (!under.is_object() || !over.is_object()) return over;
  Json::Object members = under.object();
  for (const auto& [name, value] : over.object()) {
    const auto found = std::find_if(members.begin(), members.end(),
                                    [&n = name](const auto& member) { return member.first == n; });
    if (found == members.end())
      members.emplace_back(name, value);
    else
      found->second = Merged(found->second, value);
  }
  return Json(std::move(members));
}

}  // namespace

std::string IndexSettings::MappingFor(std::string_view index) const {
  const std::lock_guard lock(mutex_);
  Json mapping{Json::Object{}};
  for (const Json* part : TemplatesFor(index)) {
    const Json* mappings = part->Find("mappings");
    if (mappings == nullptr) continue;
    // Of the old kind there may be a type between: {"_doc":{"properties":…}}.
    if (const Json* typed = mappings->Find("_doc"); typed != nullptr) mappings = typed;
    mapping = Merged(mapping, *mappings);
  }
  return mapping.Dump();
}

std::optional<Duration> IndexSettings::RetentionOf(std::string_view index) const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> flat;
  for (const Json* part : TemplatesFor(index))
    if (const Json* given = part->Find("settings"))
      for (auto& [name, value] : FlatSettings(*given)) flat[name] = std::move(value);
  if (const auto all = kinds_.find(std::string_view("settings")); all != kinds_.end())
    if (const auto own = all->second.find(std::string(index)); own != all->second.end())
      for (auto& [name, value] : FlatSettings(own->second)) flat[name] = std::move(value);
  const auto days = RetentionIn(flat);
  if (days.ok() && days->has_value()) return *days;
  const auto policies = kinds_.find(std::string_view("policy"));
  if (policies == kinds_.end()) return std::nullopt;
  const std::string named = PolicyIn(flat);
  if (const auto policy = policies->second.find(named); !named.empty() && policy != policies->second.end())
    return DeleteAgeOf(policy->second);
  for (const auto& [name, policy] : policies->second)
    if (PolicyTakes(policy, index))
      if (const auto age = DeleteAgeOf(policy)) return age;
  return std::nullopt;
}

void IndexSettings::AddTemplateAliases(const std::string& index) {
  std::vector<AliasChange> changes;
  const auto own = AliasesOf(index);  // what a request gave it counts more than a template
  {
    const std::lock_guard lock(mutex_);
    for (const Json* part : TemplatesFor(index))
      if (const Json* aliases = part->Find("aliases"))
        for (const auto& [name, options] : aliases->object()) {
          std::string alias = name;
          constexpr std::string_view kIndex = "{index}";
          if (const auto at = alias.find(kIndex); at != std::string::npos)
            alias.replace(at, kIndex.size(), index);
          if (!own.contains(alias)) changes.push_back({index, std::move(alias), options});
        }
  }
  for (const auto& change : changes)
    if (const auto put = ChangeAliases({change}); !put.ok())
      LOG(warn, "alias of a template not made", {"index", index}, {"alias", change.alias},
          {"error", put.error()});
}

}  // namespace honryu::api::search
