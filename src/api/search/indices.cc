#include "api/search/impl.h"
#include "api/search/retention.h"
#include "api/search/uri_search.h"
#include "honryu/base/units.h"
#include "honryu/search/api_error.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace honryu::api::search {

namespace {

using codec::Json;
using codec::JsonWriter;

struct Leaf {
  std::string type;
  bool text_with_keyword = false;
};

/// Leaves of {"properties":…} by dotted path, with the exact views of strings ("name.keyword").
void Walk(const Json& mapping, const std::string& prefix, std::map<std::string, Leaf>& out) {
  const Json* properties = mapping.Find("properties");
  if (properties == nullptr) return;
  for (const auto& [name, field] : properties->object()) {
    const std::string path = prefix.empty() ? name : prefix + "." + name;
    const Json* type = field.Find("type");
    if (type != nullptr) {
      out[path].type = type->StringOr("");
      if (const Json* views = field.Find("fields"))
        for (const auto& [view, body] : views->object())
          if (const Json* view_type = body.Find("type"))
            out[path + "." + view].type = view_type->StringOr("");
    }
    Walk(field, path, out);
  }
}

std::map<std::string, Leaf> LeavesOf(std::string_view mapping) {
  std::map<std::string, Leaf> leaves;
  const auto parsed = Json::Parse(mapping);
  if (parsed.ok()) Walk(*parsed, "", leaves);
  return leaves;
}

/// {"mappings":…} and the like of an answer by index.
template <class Write>
std::string ByIndex(const std::vector<std::string>& names, Write&& write) {
  std::string body;
  JsonWriter out(body);
  out.BeginObject();
  for (const std::string& name : names) {
    out.Key(name);
    out.BeginObject();
    write(name, out);
    out.EndObject();
  }
  out.EndObject();
  return body;
}

/// The parts of a body that make an index: mappings without a type between.
std::string MappingsOf(const Json& body) {
  const Json* mappings = body.Find("mappings");
  if (mappings == nullptr) return "{}";
  if (const Json* typed = mappings->Find("_doc"); typed != nullptr) mappings = typed;
  return mappings->Dump();
}

Error NoIndex(std::string_view name) {
  return Error(ErrorCode::kNotFound, "index_not_found_exception: no such index [" + std::string(name) + "]");
}

}  // namespace

async::Task<Answer> SearchApi::Impl::CreateIndex(const Call& call) {
  const std::string index(call.Part(0));
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  const auto known = Names("*", kIgnoreMissing);
  if (settings.HasAlias(index) || (known.ok() && std::binary_search(known->begin(), known->end(), index)))
    co_return Answer::Failed(400, "resource_already_exists_exception", "index [" + index + "] already exists",
                             index);
  for (const auto& [name, value] : body->object())
    if (name != "settings" && name != "mappings" && name != "aliases")
      co_return Answer::Failed(400, "parse_exception", "unknown key [" + name + "] for create index");
  Result<void> made = co_await upkeep.RunInTurn([this, index, json = *body]() -> Result<void> {
    std::vector<IndexSettings::AliasChange> aliases;
    if (const Json* given = json.Find("aliases"))
      for (const auto& [alias, options] : given->object()) {
        HONRYU_TRY_VOID(CheckAliasOptions(alias, options));
        aliases.push_back({index, alias, options});
      }
    // All that may be refused is looked at first: a refusal leaves no index behind.
    HONRYU_TRY_VOID(settings.CheckAliases(aliases));
    const Json* given = json.Find("settings");
    if (given != nullptr) {
      const auto retention = RetentionIn(FlatSettings(*given));
      if (!retention.ok()) return retention.error();
    }
    engine::Mapping trial;
    (void)trial.Merge(settings.MappingFor(index)).ok();  // as the store begins an index
    if (const auto merged = trial.Merge(MappingsOf(json)); !merged.ok())
      return Error(ErrorCode::kInvalidArgument,
                   "mapper_parsing_exception: " + std::string(merged.error().message()));
    HONRYU_TRY_VOID(store.PutMapping(index, MappingsOf(json)));
    HONRYU_TRY_VOID(settings.ChangeAliases(aliases));
    if (given != nullptr) HONRYU_TRY_VOID(settings.Put("settings", index, *given));
    ApplyRetention();
    return Ok();
  });
  if (!made.ok()) co_return Answer::Failed(made.error(), index);
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("acknowledged");
  out.Bool(true);
  out.Key("shards_acknowledged");
  out.Bool(true);
  out.Key("index");
  out.String(index);
  out.EndObject();
  co_return Answer::Json(std::move(text));
}

async::Task<Answer> SearchApi::Impl::DropIndex(const Call& call) {
  const std::string_view pattern = call.Part(0);
  if (settings.HasAlias(pattern))
    co_return Answer::Failed(400, "illegal_argument_exception",
                             "The provided expression [" + std::string(pattern) +
                                 "] matches an alias, specify the corresponding concrete indices instead.");
  const auto names = store.IndexNames(pattern);
  const bool ignore = call.Flag("ignore_unavailable");
  if (!names.ok() && !ignore) co_return Answer::Failed(names.error(), pattern);
  Result<void> dropped = co_await DropIndices(call.ctx, names.ok() ? *names : std::vector<std::string>());
  if (!dropped.ok()) co_return Answer::Failed(dropped.error(), pattern);
  co_return Acknowledged();
}

async::Task<Result<void>> SearchApi::Impl::DropIndices(async::Context ctx, std::vector<std::string> names) {
  // What was acknowledged for the index must not bring it back.
  Result<void> caught_up = co_await CatchUp(std::move(ctx));
  if (!caught_up.ok()) co_return caught_up;
  Result<void> dropped = co_await upkeep.RunInTurn(
      [this, list = std::set<std::string>(names.begin(), names.end())] { return DropInTurn(list); });
  co_return dropped;
}

Result<void> SearchApi::Impl::DropInTurn(const std::set<std::string>& names) {
  for (const std::string& name : names) {
    HONRYU_TRY_VOID(store.DropIndex(name));
    HONRYU_TRY_VOID(settings.ForgetIndex(name));
  }
  // The ids in it are free again.
  const std::lock_guard lock(unseen_mutex);
  if (!names.empty()) recent.clear();
  return Ok();
}

void SearchApi::Impl::WriteSettings(const std::string& index, JsonWriter& out) const {
  out.BeginObject();
  out.Key("index");
  out.BeginObject();
  const auto all = settings.All("settings");
  const auto found = all.find(index);
  std::set<std::string> given;
  if (found != all.end()) {
    const Json* inner = found->second.Find("index");
    for (const Json* part : {inner, static_cast<const Json*>(&found->second)}) {
      if (part == nullptr) continue;
      for (const auto& [name, value] : part->object()) {
        const std::string plain = name.starts_with("index.") ? name.substr(6) : name;
        if (plain == "index" || !given.insert(plain).second) continue;
        out.Key(plain);
        if (value.is_object() || value.is_array())
          value.DumpTo(out);
        else
          out.String(value.is_string() ? std::string(value.StringOr("")) : value.Dump());
      }
    }
  }
  const std::pair<const char*, std::string> own[] = {{"number_of_shards", "1"},
                                                     {"number_of_replicas", "0"},
                                                     {"uuid", index},
                                                     {"provided_name", index},
                                                     {"creation_date", "0"}};
  for (const auto& [name, value] : own)
    if (given.insert(name).second) {
      out.Key(name);
      out.String(value);
    }
  out.EndObject();
  out.EndObject();
}

async::Task<Answer> SearchApi::Impl::GetIndex(const Call& call) {
  const auto names = Names(call.Part(0), call.missing());
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  const bool none_fits = names->empty() && call.Part(0).find('*') == std::string_view::npos;
  if (call.method == "HEAD") co_return Answer{none_fits ? 404 : 200, "", false};
  if (none_fits) co_return Answer::Failed(NoIndex(call.Part(0)), call.Part(0));
  co_return Answer::Json(ByIndex(*names, [this](const std::string& name, JsonWriter& out) {
    out.Key("aliases");
    out.BeginObject();
    for (const auto& [alias, options] : settings.AliasesOf(name)) {
      out.Key(alias);
      out.Raw(options.shown);
    }
    out.EndObject();
    out.Key("mappings");
    const auto mapping = store.GetMapping(name);
    out.Raw(mapping.ok() ? *mapping : "{}");
    out.Key("settings");
    WriteSettings(name, out);
  }));
}

async::Task<Answer> SearchApi::Impl::GetMapping(const Call& call) {
  const std::string_view list = call.Part(0).starts_with('_') && call.Part(0) != "_all" ? "" : call.Part(0);
  const auto names = Names(list, call.missing());
  if (!names.ok()) co_return Answer::Failed(names.error(), list);
  co_return Answer::Json(ByIndex(*names, [this](const std::string& name, JsonWriter& out) {
    out.Key("mappings");
    const auto mapping = store.GetMapping(name);
    out.Raw(mapping.ok() ? *mapping : "{}");
  }));
}

async::Task<Answer> SearchApi::Impl::GetFieldMapping(const Call& call) {
  const bool global = call.Part(0).starts_with('_');
  const auto names = Names(global ? std::string_view() : call.Part(0), call.missing());
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  const auto patterns = NamesOf(call.Part(global ? 2 : 3));
  co_return Answer::Json(ByIndex(*names, [&](const std::string& name, JsonWriter& out) {
    out.Key("mappings");
    out.BeginObject();
    const auto mapping = store.GetMapping(name);
    for (const auto& [path, leaf] : LeavesOf(mapping.ok() ? *mapping : "{}")) {
      if (std::none_of(patterns.begin(), patterns.end(),
                       [&p = path](const std::string& pattern) { return NameFits(pattern, p); }))
        continue;
      out.Key(path);
      out.BeginObject();
      out.Key("full_name");
      out.String(path);
      out.Key("mapping");
      out.BeginObject();
      out.Key(path.substr(path.rfind('.') + 1));
      out.BeginObject();
      out.Key("type");
      out.String(leaf.type);
      out.EndObject();
      out.EndObject();
      out.EndObject();
    }
    out.EndObject();
  }));
}

async::Task<Answer> SearchApi::Impl::PutMapping(const Call& call) {
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  const auto names = Names(call.Part(0), {});
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  Result<void> put = co_await upkeep.RunInTurn([this, list = *names, text = body->Dump()]() -> Result<void> {
    for (const std::string& name : list) HONRYU_TRY_VOID(store.PutMapping(name, text));
    return Ok();
  });
  if (!put.ok()) co_return Answer::Failed(put.error(), call.Part(0));
  co_return Acknowledged();
}

async::Task<Answer> SearchApi::Impl::FieldCaps(const Call& call) {
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  std::vector<std::string> patterns = NamesOf(call.Param("fields"));
  if (const Json* fields = body->Find("fields")) {
    if (fields->is_string()) patterns.emplace_back(fields->StringOr(""));
    for (const Json& field : fields->array()) patterns.emplace_back(field.StringOr(""));
  }
  if (patterns.empty())
    co_return Answer::Failed(400, "action_request_validation_exception",
                             "Validation Failed: 1: no fields specified;");
  const std::string_view list = call.Part(0).starts_with('_') && call.Part(0) != "_all" ? "" : call.Part(0);
  const auto names = Names(list, call.missing());
  if (!names.ok()) co_return Answer::Failed(names.error(), list);
  std::map<std::string, std::map<std::string, std::vector<std::string>>> fields;  // path, type, indices
  for (const std::string& name : *names) {
    const auto mapping = store.GetMapping(name);
    for (const auto& [path, leaf] : LeavesOf(mapping.ok() ? *mapping : "{}"))
      if (std::any_of(patterns.begin(), patterns.end(),
                      [&p = path](const std::string& pattern) { return NameFits(pattern, p); }))
        fields[path][leaf.type].push_back(name);
  }
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("indices");
  out.BeginArray();
  for (const std::string& name : *names) out.String(name);
  out.EndArray();
  out.Key("fields");
  out.BeginObject();
  for (const auto& [path, types] : fields) {
    out.Key(path);
    out.BeginObject();
    for (const auto& [type, indices] : types) {
      out.Key(type);
      out.BeginObject();
      out.Key("type");
      out.String(type);
      out.Key("metadata_field");
      out.Bool(false);
      out.Key("searchable");
      out.Bool(type != "object");
      out.Key("aggregatable");
      out.Bool(type != "text" && type != "object");
      if (types.size() > 1) {
        out.Key("indices");
        out.BeginArray();
        for (const std::string& index : indices) out.String(index);
        out.EndArray();
      }
      out.EndObject();
    }
    out.EndObject();
  }
  out.EndObject();
  out.EndObject();
  co_return Answer::Json(std::move(text));
}

async::Task<Answer> SearchApi::Impl::GetSettings(const Call& call) {
  const bool global = call.Part(0).starts_with('_') && call.Part(0) != "_all";
  const auto names = Names(global ? std::string_view() : call.Part(0), call.missing());
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  const bool flat = call.Flag("flat_settings");
  const auto patterns = NamesOf(call.Part(global ? 1 : 2));
  co_return Answer::Json(ByIndex(*names, [&](const std::string& name, JsonWriter& out) {
    out.Key("settings");
    std::string nested;
    JsonWriter writer(nested);
    WriteSettings(name, writer);
    const auto parsed = Json::Parse(nested);
    const Json* inner = parsed.ok() ? parsed->Find("index") : nullptr;
    const auto wanted = [&patterns](const std::string& setting) {
      return patterns.empty() ||
             std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
               return pattern == "_all" || NameFits(pattern, "index." + setting);
             });
    };
    out.BeginObject();
    if (!flat) {
      out.Key("index");
      out.BeginObject();
    }
    if (inner != nullptr)
      for (const auto& [setting, value] : inner->object()) {
        if (!wanted(setting)) continue;
        out.Key(flat ? "index." + setting : setting);
        value.DumpTo(out);
      }
    if (!flat) out.EndObject();
    out.EndObject();
  }));
}

async::Task<Answer> SearchApi::Impl::PutSettings(const Call& call) {
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  const auto names = Names(call.Part(0), {});
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  Result<void> put = co_await upkeep.RunInTurn([this, list = *names, json = *body]() -> Result<void> {
    for (const std::string& name : list) {
      Json merged{Json::Object{}};
      const auto all = settings.All("settings");
      if (const auto known = all.find(name); known != all.end()) merged = known->second;
      const Json* outer = json.Find("settings");
      for (const auto& [setting, value] : (outer != nullptr ? *outer : json).object())
        SetMember(merged, setting, value);
      const auto retention = RetentionIn(FlatSettings(outer != nullptr ? *outer : json));
      if (!retention.ok()) return retention.error();
      HONRYU_TRY_VOID(settings.Put("settings", name, merged));
    }
    ApplyRetention();
    return Ok();
  });
  if (!put.ok()) co_return Answer::Failed(put.error());
  co_return Acknowledged();
}

/// Days are kept apart inside an index, and dropped one by one: there is nothing to roll over.
async::Task<Answer> SearchApi::Impl::Rollover(const Call& call) {
  const auto index = settings.WriteIndex(call.Part(0));
  if (!index.ok()) co_return Answer::Failed(index.error());
  const auto names = Names(*index, {});
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  for (const char* flag : {"acknowledged", "shards_acknowledged"}) {
    out.Key(flag);
    out.Bool(false);
  }
  for (const char* name : {"old_index", "new_index"}) {
    out.Key(name);
    out.String(*index);
  }
  out.Key("rolled_over");
  out.Bool(false);
  out.Key("dry_run");
  out.Bool(call.Flag("dry_run"));
  out.Key("conditions");
  out.Raw("{}");
  out.EndObject();
  co_return Answer::Json(std::move(text));
}

async::Task<Answer> SearchApi::Impl::GetAlias(const Call& call) {
  const bool global = call.Part(0).starts_with('_') && call.Part(0) != "_all";
  const auto names = Names(global ? std::string_view() : call.Part(0), call.missing());
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  const auto patterns = NamesOf(call.Part(global ? 1 : 2));
  std::vector<std::string> shown;
  const auto fits = [&patterns](const std::string& alias) {
    return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
             return pattern == "_all" || NameFits(pattern, alias);
           });
  };
  for (const std::string& name : *names) {
    const auto aliases = settings.AliasesOf(name);
    if (patterns.empty() ||
        std::any_of(aliases.begin(), aliases.end(), [&](const auto& entry) { return fits(entry.first); }))
      shown.push_back(name);
  }
  const bool missing =
      shown.empty() && !patterns.empty() && call.Part(global ? 1 : 2).find('*') == std::string_view::npos;
  if (call.method == "HEAD") co_return Answer{missing ? 404 : 200, "", false};
  if (missing)
    co_return Answer::Json(Json(Json::Object{{"error", JsonString("alias [" + patterns[0] + "] missing")},
                                             {"status", Json(Json::Value(std::int64_t{404}))}})
                               .Dump(),
                           404);
  co_return Answer::Json(ByIndex(shown, [&](const std::string& name, JsonWriter& out) {
    out.Key("aliases");
    out.BeginObject();
    for (const auto& [alias, options] : settings.AliasesOf(name)) {
      if (!fits(alias)) continue;
      out.Key(alias);
      out.Raw(options.shown);
    }
    out.EndObject();
  }));
}

async::Task<Answer> SearchApi::Impl::Template(const Call& call, std::string_view kind,
                                              std::string_view list) {
  const std::string name(call.Part(1));
  if (call.method == "GET" || call.method == "HEAD") {
    std::map<std::string, Json> found;
    for (auto& [known, body] : settings.All(kind)) {
      const auto wanted = NamesOf(name);
      if (wanted.empty() ||
          std::any_of(wanted.begin(), wanted.end(),
                      [&k = known](const std::string& pattern) { return NameFits(pattern, k); }))
        found.emplace(known, body);
    }
    const bool missing = found.empty() && !name.empty() && name.find('*') == std::string::npos;
    if (call.method == "HEAD") co_return Answer{missing ? 404 : 200, "", false};
    // The old kind answers {} with 404.
    if (missing && list.empty()) co_return Answer::Json("{}", 404);
    if (missing)
      co_return Answer::Failed(404, "resource_not_found_exception",
                               "template matching [" + name + "] not found");
    std::string text;
    JsonWriter out(text);
    out.BeginObject();
    if (!list.empty()) {
      out.Key(list);
      out.BeginArray();
    }
    for (const auto& [known, body] : found) {
      if (list.empty()) {
        out.Key(known);
        body.DumpTo(out);
        continue;
      }
      out.BeginObject();
      out.Key("name");
      out.String(known);
      out.Key(kind);
      body.DumpTo(out);
      out.EndObject();
    }
    if (!list.empty()) out.EndArray();
    out.EndObject();
    co_return Answer::Json(std::move(text));
  }
  if (name.empty())
    co_return Answer::Failed(400, "illegal_argument_exception", "the template's name is missing");
  if (name.starts_with('_'))
    co_return Answer::Failed(400, "illegal_argument_exception",
                             "_" + std::string(kind) + "/" + name + " is not supported");
  if (call.method == "DELETE") {
    Result<bool> removed = co_await upkeep.RunInTurn(
        [this, what = std::string(kind), name] { return settings.Remove(what, name); });
    if (!removed.ok()) co_return Answer::Failed(removed.error());
    if (!*removed)
      co_return Answer::Failed(404, "index_template_missing_exception",
                               "index_template [" + name + "] missing");
    co_return Acknowledged();
  }
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  if (kind != "component_template" && body->Find("index_patterns") == nullptr)
    co_return Answer::Failed(400, "action_request_validation_exception",
                             "Validation Failed: 1: index patterns are missing;");
  const Json* inner = body->Find("template");
  const Json& parts = inner != nullptr ? *inner : *body;
  // A mapping that no index could have is refused now rather than when its first document comes.
  engine::Mapping trial;
  if (const auto merged = trial.Merge(MappingsOf(parts)); !merged.ok())
    co_return Answer::Failed(400, "mapper_parsing_exception", merged.error().message());
  if (const Json* aliases = parts.Find("aliases"))
    for (const auto& [alias, options] : aliases->object())
      if (const auto sound = CheckAliasOptions(alias, options); !sound.ok())
        co_return Answer::Failed(sound.error());
  Result<void> put = co_await upkeep.RunInTurn(
      [this, what = std::string(kind), name, json = *body] { return settings.Put(what, name, json); });
  if (!put.ok()) co_return Answer::Failed(put.error());
  co_return Acknowledged();
}

/// Policies of index lifetime are kept and given back; days are dropped by search.retention alone.
async::Task<Answer> SearchApi::Impl::Policy(const Call& call) {
  if (call.Part(1) != "policy" && call.Part(1) != "_ism")
    co_return call.Part(1) == "status" ? Answer::Json(R"({"operation_mode":"RUNNING"})")
                                       : Answer::Failed(400, "illegal_argument_exception",
                                                        "no handler found for uri [" + call.request.target +
                                                            "] and method [" + call.method + "]");
  const bool ism = call.Part(1) == "_ism";
  const std::string name(call.Part(ism ? 3 : 2));
  if (call.method == "GET" || call.method == "HEAD") {
    const auto all = settings.All("policy");
    const auto found = all.find(name);
    if (!name.empty() && found == all.end())
      co_return Answer::Failed(404, "resource_not_found_exception", "Lifecycle policy not found: " + name);
    if (ism && !name.empty()) {
      Json::Object shown{{"_id", JsonString(name)}};
      for (const auto& member : found->second.object()) shown.push_back(member);
      co_return Answer::Json(Json(std::move(shown)).Dump());
    }
    std::string text;
    JsonWriter out(text);
    out.BeginObject();
    for (const auto& [known, body] : all) {
      if (!name.empty() && known != name) continue;
      out.Key(known);
      body.DumpTo(out);
    }
    out.EndObject();
    co_return Answer::Json(std::move(text));
  }
  if (name.empty())
    co_return Answer::Failed(400, "illegal_argument_exception", "the policy's name is missing");
  if (call.method == "DELETE") {
    Result<bool> removed = co_await upkeep.RunInTurn([this, name]() -> Result<bool> {
      HONRYU_TRY(const bool there, settings.Remove("policy", name));
      ApplyRetention();
      return there;
    });
    if (!removed.ok()) co_return Answer::Failed(removed.error());
    co_return Acknowledged();
  }
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  Result<void> put = co_await upkeep.RunInTurn([this, name, json = *body]() -> Result<void> {
    HONRYU_TRY_VOID(settings.Put("policy", name, json));
    ApplyRetention();
    return Ok();
  });
  if (!put.ok()) co_return Answer::Failed(put.error());
  co_return Acknowledged();
}

async::Task<Answer> SearchApi::Impl::Resolve(const Call& call) {
  const auto names = Names(call.Part(2), kIgnoreMissing);
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(2));
  std::map<std::string, std::vector<std::string>> aliases;
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("indices");
  out.BeginArray();
  for (const std::string& name : *names) {
    out.BeginObject();
    out.Key("name");
    out.String(name);
    const auto own = settings.AliasesOf(name);
    if (!own.empty()) {
      out.Key("aliases");
      out.BeginArray();
      for (const auto& [alias, options] : own) {
        out.String(alias);
        aliases[alias].push_back(name);
      }
      out.EndArray();
    }
    out.Key("attributes");
    out.Raw(R"(["open"])");
    out.EndObject();
  }
  out.EndArray();
  out.Key("aliases");
  out.BeginArray();
  for (const auto& [alias, indices] : aliases) {
    out.BeginObject();
    out.Key("name");
    out.String(alias);
    out.Key("indices");
    out.BeginArray();
    for (const std::string& index : indices) out.String(index);
    out.EndArray();
    out.EndObject();
  }
  out.EndArray();
  out.Key("data_streams");
  out.Raw("[]");
  out.EndObject();
  co_return Answer::Json(std::move(text));
}

/// A data stream is an index of that name here: days are kept apart inside.
async::Task<Answer> SearchApi::Impl::DataStream(const Call& call) {
  const std::string name(call.Part(1));
  if (call.method == "PUT") {
    Result<void> made = co_await upkeep.RunInTurn([this, name] { return store.PutMapping(name, "{}"); });
    if (!made.ok()) co_return Answer::Failed(made.error(), name);
    co_return Acknowledged();
  }
  const bool drops = call.method == "DELETE";
  if (drops && name.empty())
    co_return Answer::Failed(400, "illegal_argument_exception", "the data stream's name is missing");
  // An alias is not dropped, nor what is behind it.
  const auto names = drops ? store.IndexNames(name) : Names(name, {});
  if (!names.ok()) co_return Answer::Failed(names.error(), name);
  if (drops) {
    Result<void> dropped = co_await DropIndices(call.ctx, *names);
    if (!dropped.ok()) co_return Answer::Failed(dropped.error(), name);
    co_return Acknowledged();
  }
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("data_streams");
  out.BeginArray();
  for (const std::string& one : *names) {
    out.BeginObject();
    out.Key("name");
    out.String(one);
    out.Key("timestamp_field");
    out.Raw(R"({"name":"@timestamp"})");
    out.Key("indices");
    out.BeginArray();
    out.BeginObject();
    out.Key("index_name");
    out.String(one);
    out.Key("index_uuid");
    out.String(one);
    out.EndObject();
    out.EndArray();
    out.Key("generation");
    out.Int(1);
    out.Key("status");
    out.String("GREEN");
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
  co_return Answer::Json(std::move(text));
}

}  // namespace honryu::api::search
