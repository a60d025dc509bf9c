#include "api/search/impl.h"
#include "api/search/uri_search.h"
#include "honryu/search/api_error.h"

#include <set>
#include <utility>

namespace honryu::api::search {

namespace {

using codec::Json;

/// What the actions of an _aliases request come to.
struct AliasActions {
  std::vector<IndexSettings::AliasChange> changes;
  std::set<std::string> dropped;
  std::string missing;  ///< The last alias that was to be removed from an index and is not there.
};

/// Takes an action of _aliases apart: {"add":{"index":…,"alias":…,"filter":…}}.
Result<void> ReadAliasAction(const engine::Store& store, const IndexSettings& settings,
                             const std::string& what, const Json& options, AliasActions& actions) {
  if (what != "add" && what != "remove" && what != "remove_index")
    return engine::IllegalArgument("[alias_action] unknown field [" + what + "]");
  std::vector<std::string> indices, aliases;
  Json::Object rest;
  bool must_exist = false;
  for (const auto& [name, value] : options.object()) {
    auto* into = name == "index" || name == "indices"   ? &indices
                 : name == "alias" || name == "aliases" ? &aliases
                                                        : nullptr;
    if (into != nullptr) {
      if (value.is_array())
        for (const Json& one : value.array()) into->emplace_back(one.StringOr(""));
      else
        into->emplace_back(value.StringOr(""));
    } else if (name == "must_exist") {
      must_exist = value.BoolOr(false);
    } else {
      rest.emplace_back(name, value);
    }
  }
  if (indices.empty()) return engine::IllegalArgument("One of [index] or [indices] is required");
  if (aliases.empty() && what != "remove_index")
    return engine::IllegalArgument("One of [alias] or [aliases] is required");
  for (const std::string& pattern : indices) {
    // It would stand for every index.
    if (pattern.empty()) return engine::IllegalArgument("[index] can't be empty string");
    HONRYU_TRY(const auto names, store.IndexNames(pattern));
    if (what == "remove_index") {
      actions.dropped.insert(names.begin(), names.end());
      continue;
    }
    for (const std::string& name : names)
      for (const std::string& alias : aliases) {
        if (what == "add") {
          actions.changes.push_back({name, alias, Json(rest)});
          continue;
        }
        // Those that it has, or that an action before this one gives it.
        std::set<std::string> known;
        for (const auto& [own, shown] : settings.AliasesOf(name)) known.insert(own);
        for (const auto& change : actions.changes)
          if (change.index == name && change.options) known.insert(change.alias);
        std::erase_if(known, [&alias](const std::string& one) {
          return !NameFits(alias == "_all" ? "*" : std::string_view(alias), one);
        });
        if (known.empty()) actions.missing = alias;
        if (known.empty() && must_exist) known.insert(alias);
        for (const std::string& one : known) actions.changes.push_back({name, one, std::nullopt, must_exist});
      }
  }
  return Ok();
}

}  // namespace

bool RemovesIndex(const Json& body) {
  const Json* actions = body.Find("actions");
  if (actions == nullptr) return false;
  for (const Json& action : actions->array())
    for (const auto& [what, options] : action.object())
      if (what == "remove_index") return true;
  return false;
}

async::Task<Answer> SearchApi::Impl::Aliases(const Call& call) {
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  const Json* actions = body->Find("actions");
  if (actions == nullptr || !actions->is_array())
    co_return Answer::Failed(400, "action_request_validation_exception",
                             "Validation Failed: 1: Must specify at least one alias action;");
  if (RemovesIndex(*body)) {
    // What was acknowledged for an index must not bring it back.
    Result<void> caught_up = co_await CatchUp(call.ctx);
    if (!caught_up.ok()) co_return Answer::Failed(caught_up.error());
  }
  Result<void> done = co_await upkeep.RunInTurn([this, list = *actions]() -> Result<void> {
    AliasActions parsed;
    for (const Json& action : list.array())
      for (const auto& [what, options] : action.object())
        HONRYU_TRY_VOID(ReadAliasAction(store, settings, what, options, parsed));
    if (parsed.changes.empty() && parsed.dropped.empty() && !parsed.missing.empty())
      return Error(ErrorCode::kNotFound,
                   "aliases_not_found_exception: aliases [" + parsed.missing + "] missing");
    std::erase_if(parsed.changes,
                  [&parsed](const auto& change) { return parsed.dropped.contains(change.index); });
    HONRYU_TRY_VOID(settings.ChangeAliases(parsed.changes, parsed.dropped));
    return DropInTurn(parsed.dropped);
  });
  if (!done.ok()) co_return Answer::Failed(done.error());
  co_return Acknowledged();
}

async::Task<Answer> SearchApi::Impl::ChangeAlias(const Call& call) {
  const std::string alias(call.Part(2));
  const auto names = Names(call.Part(0), {});
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  const bool remove = call.method == "DELETE";
  Result<bool> done =
      co_await upkeep.RunInTurn([this, alias, remove, list = *names, options = *body]() -> Result<bool> {
        std::vector<IndexSettings::AliasChange> changes;
        for (const std::string& name : list) {
          if (!remove) changes.push_back({name, alias, options});
          if (remove)
            for (const auto& [known, shown] : settings.AliasesOf(name))
              if (NameFits(alias == "_all" ? "*" : alias, known))
                changes.push_back({name, known, std::nullopt});
        }
        HONRYU_TRY_VOID(settings.ChangeAliases(changes));
        return !changes.empty();
      });
  if (!done.ok()) co_return Answer::Failed(done.error());
  if (!*done) co_return Answer::Failed(404, "aliases_not_found_exception", "aliases [" + alias + "] missing");
  co_return Acknowledged();
}

}  // namespace honryu::api::search
