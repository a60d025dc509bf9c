#pragma once

#include "honryu/base/time.h"
#include "honryu/codec/json.h"
#include "honryu/search/store.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace honryu::api::search {

/// What a scroll or a point in time holds on to.
struct SearchContext {
  std::shared_ptr<const honryu::search::Snapshot> snapshot;  // shared: a search may outlive the context
  Duration keep_alive{};
  codec::Json body;  ///< Of a scroll: its search, to be gone on with. Null for a point in time.
  std::vector<std::string> indices{};  ///< What it looks at.
};

/// Open scrolls and points in time by id. Those that nobody asked for within their keep_alive are forgotten.
/// Thread-safe.
class SearchContexts {
 public:
  SearchContexts(std::size_t most, const Clock& clock) : most_(most), clock_(clock) {}

  /// Its id. kOverloaded (too_many_scroll_contexts_exception) when there are too many.
  Result<std::string> Open(SearchContext context);
  /// kNotFound (search_context_missing_exception). Keeps it for `keep_alive` more (zero: as before).
  Result<SearchContext> Use(const std::string& id, Duration keep_alive);
  /// What a scroll goes on with.
  void Replace(const std::string& id, codec::Json body);
  bool Close(const std::string& id);
  std::size_t CloseAll();
  /// Those that look at any of these indices: what was erased there must not be read on.
  std::size_t CloseOver(const std::vector<std::string>& indices);
  /// Those that are open, by id.
  std::map<std::string, SearchContext> All() const;
  std::size_t size() const;

 private:
  struct Kept {
    SearchContext context;
    MonoTime until;
  };
  void Forget();

  const std::size_t most_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Kept> kept_;
};

}  // namespace honryu::api::search
