#pragma once

#include "honryu/codec/json.h"
#include "honryu/search/name_pattern.h"
#include "honryu/search/store.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::search {

/// A template as it was put: its JSON, and what follows from it.
struct IndexTemplate {
  codec::Json body;
  std::vector<std::string> patterns;
  std::int64_t priority = 0;
};

/// Aliases, templates, policies and settings of indices: what the API knows beside the store. Kept as notes
/// in the store's catalogue. Thread-safe; calls that change something block.
class IndexSettings {
 public:
  explicit IndexSettings(honryu::search::Store& store);

  /// Index names that a list of names, patterns and aliases stands for, as such a list: aliases become their
  /// indices, a data stream or index stays as it is. "" and "_all" mean all.
  std::string Resolve(std::string_view indices) const;
  struct Resolved {
    std::string names;  ///< As Resolve gives them.
    /// Of the indices that the list reaches through aliases with filters only: the query (JSON) of what is to
    /// be seen of each. Of several such aliases what any of them shows.
    std::map<std::string, std::string> filters;
  };
  /// The names and their filters, both of one moment: no alias comes, goes or changes between them.
  Resolved Reach(std::string_view indices) const;
  /// Where writes to an alias go; the name itself when it is none. kInvalidArgument for an alias of several
  /// indices without one marked for writing.
  Result<std::string> WriteIndex(std::string_view name) const;
  /// True if one of the names is an alias.
  bool HasAlias(std::string_view name) const;

  struct Alias {
    std::string filter;  ///< JSON; empty: none.
    std::string index_routing, search_routing;
    std::optional<bool> write;  ///< "is_write_index", if given.
    std::string shown{};        ///< All of it, as GET _alias shows it.
  };
  /// Aliases of an index, by name.
  std::map<std::string, Alias> AliasesOf(std::string_view index) const;
  struct AliasChange {
    std::string index, alias;
    std::optional<codec::Json> options;  ///< "filter", "is_write_index", "routing" …; none: the alias goes.
    bool must_exist = false;             ///< kNotFound unless there is one to go.
  };
  /// Makes all the changes, or none and says why: kInvalidArgument for options that no alias has, a filter
  /// that is no query, and two indices to write to. Readers see all of them or none. `going`: indices that
  /// are about to be dropped, whose names aliases may have.
  Result<void> ChangeAliases(const std::vector<AliasChange>& changes,
                             const std::set<std::string>& going = {});
  /// The error that ChangeAliases would give.
  Result<void> CheckAliases(const std::vector<AliasChange>& changes) const;
  Result<void> ForgetIndex(const std::string& index);

  /// `kind`: "index_template" (composable), "template" (of the old kind), "component_template", "policy",
  /// "settings" (of an index).
  Result<void> Put(std::string_view kind, const std::string& name, const codec::Json& body);
  Result<bool> Remove(std::string_view kind, const std::string& name);
  std::map<std::string, codec::Json> All(std::string_view kind) const;

  /// The mapping of a new index by the templates that fit its name, as JSON for Store::PutMapping: of the
  /// composable ones the one of the greatest priority with its components before it; else all of the old
  /// kind, by their order.
  std::string MappingFor(std::string_view index) const;
  /// How long the index is kept: by its own settings, else by its templates', else by the lifetime policy
  /// that they name or that takes it by itself. None: as long as the store keeps all.
  std::optional<Duration> RetentionOf(std::string_view index) const;
  /// Its aliases by the same, but for those that it has already.
  void AddTemplateAliases(const std::string& index);

 private:
  std::vector<const codec::Json*> TemplatesFor(std::string_view index) const;
  /// Makes a change durable, then known; no body: removes it. `changing_` is held, `mutex_` is not: the store
  /// asks for mappings while it holds locks that its catalogue waits for.
  Result<void> Change(std::string_view kind, const std::string& name, std::optional<codec::Json> body);
  /// The aliases that change, as they are afterwards.
  Result<std::map<std::string, codec::Json::Object>> PlanAliases(const std::vector<AliasChange>& changes,
                                                                 const std::set<std::string>& going) const;
  Result<void> CommitAliases(std::map<std::string, codec::Json::Object> changed);
  /// Both with `mutex_` held.
  std::string NamesIn(std::string_view indices) const;
  std::map<std::string, std::string> FiltersIn(std::string_view indices) const;
  std::optional<codec::Json> Find(std::string_view kind, const std::string& name) const;

  honryu::search::Store& store_;
  std::mutex changing_;       // one change at a time; before the store's locks
  mutable std::mutex mutex_;  // a leaf
  std::map<std::string, std::map<std::string, codec::Json>, std::less<>> kinds_;  // kind -> name -> body
};

/// kInvalidArgument unless they are options of an alias ("aliases" of an index or a template).
Result<void> CheckAliasOptions(const std::string& alias, const codec::Json& options);

using honryu::search::NameFits;
/// Splits at commas.
std::vector<std::string> NamesOf(std::string_view list);

}  // namespace honryu::api::search
