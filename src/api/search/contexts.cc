#include "api/search/contexts.h"

#include "honryu/base/random.h"

#include <algorithm>
#include <utility>

namespace honryu::api::search {

namespace {

Error Missing(const std::string& id) {
  return Error(ErrorCode::kNotFound, "search_context_missing_exception: No search context found for id [" +
                                         id.substr(0, 100) + "]");
}

/// Letters, digits, '-' and '_' only: clients put ids into paths. Not to be guessed.
std::string NewId() {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  unsigned char bytes[24];
  SecureRandomBytes(bytes, sizeof bytes);
  std::string id;
  for (const unsigned char byte : bytes) id += kLetters[byte % kLetters.size()];
  return id;
}

}  // namespace

void SearchContexts::Forget() {
  const MonoTime now = clock_.Mono();
  std::erase_if(kept_, [now](const auto& entry) { return entry.second.until <= now; });
}

Result<std::string> SearchContexts::Open(SearchContext context) {
  const std::lock_guard lock(mutex_);
  Forget();
  if (kept_.size() >= most_)
    return Error(
        ErrorCode::kOverloaded,
        "rejected_execution_exception: trying to create too many scroll contexts and points in time, at "
        "most " +
            std::to_string(most_) + " may be open");
  std::string id = NewId();
  const MonoTime until = clock_.Mono() + context.keep_alive;
  kept_.emplace(id, Kept{std::move(context), until});
  return id;
}

Result<SearchContext> SearchContexts::Use(const std::string& id, Duration keep_alive) {
  const std::lock_guard lock(mutex_);
  Forget();
  const auto found = kept_.find(id);
  if (found == kept_.end()) return Missing(id);
  Kept& kept = found->second;
  if (keep_alive > Duration::zero()) kept.context.keep_alive = keep_alive;
  kept.until = clock_.Mono() + kept.context.keep_alive;
  return kept.context;
}

void SearchContexts::Replace(const std::string& id, codec::Json body) {
  const std::lock_guard lock(mutex_);
  if (const auto found = kept_.find(id); found != kept_.end()) found->second.context.body = std::move(body);
}

bool SearchContexts::Close(const std::string& id) {
  const std::lock_guard lock(mutex_);
  return kept_.erase(id) > 0;
}

std::size_t SearchContexts::CloseOver(const std::vector<std::string>& indices) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(kept_, [&indices](const auto& one) {
    return std::any_of(indices.begin(), indices.end(),
                       [&own = one.second.context.indices](const auto& index) {
                         return std::find(own.begin(), own.end(), index) != own.end();
                       });
  });
}

std::size_t SearchContexts::CloseAll() {
  const std::lock_guard lock(mutex_);
  const std::size_t count = kept_.size();
  kept_.clear();
  return count;
}

std::map<std::string, SearchContext> SearchContexts::All() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, SearchContext> all;
  const MonoTime now = clock_.Mono();
  for (const auto& [id, kept] : kept_)
    if (kept.until > now) all.emplace(id, kept.context);
  return all;
}

std::size_t SearchContexts::size() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

}  // namespace honryu::api::search
