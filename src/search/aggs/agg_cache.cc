#include "search/aggs/agg_cache.h"

namespace honryu::search {
namespace {

using codec::Json;

bool IsRange(const Json& clause) { return clause.object().size() == 1 && clause.Find("range") != nullptr; }

/// The query without the ranges of its filter and must.
Json WithoutRanges(const Json& query) {
  if (IsRange(query)) return Json(Json::Object{});
  const Json* clauses = query.object().size() == 1 ? query.Find("bool") : nullptr;
  if (clauses == nullptr) return query;
  Json::Object kept;
  for (const auto& [name, list] : clauses->object()) {
    if ((name != "filter" && name != "must") || !(list.is_array() || IsRange(list))) {
      kept.emplace_back(name, list);
      continue;
    }
    Json::Array others;
    for (const auto& clause : list.array())
      if (!IsRange(clause)) others.push_back(clause);
    kept.emplace_back(name, Json(std::move(others)));
  }
  Json::Object whole;
  whole.emplace_back("bool", Json(std::move(kept)));
  return Json(std::move(whole));
}

}  // namespace

std::shared_ptr<const AggPartial> AggCache::Find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->partial;
}

void AggCache::Put(const std::string& key, std::shared_ptr<const AggPartial> partial, std::size_t bytes) {
  bytes += 2 * key.size() + 256;
  if (bytes > limit_ / 4) return;  // one must not push out all others
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return;
  kept_.push_front({key, std::move(partial), bytes});
  by_key_.emplace(kept_.front().key, kept_.begin());
  bytes_ += bytes;
  while (bytes_ > limit_) {
    bytes_ -= kept_.back().bytes;
    by_key_.erase(kept_.back().key);
    kept_.pop_back();
  }
}

std::size_t AggCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::string AggCacheText(const Json* query, const Json* aggs) {
  if (aggs == nullptr) return {};
  auto text = (query != nullptr ? WithoutRanges(*query).Dump() : "{}") + aggs->Dump();
  // What depends on the time of asking is not remembered.
  if (text.find("now") != std::string::npos) text.clear();
  return text;
}

std::vector<const Query*> RangesOf(const Query& query) {
  std::vector<const Query*> ranges;
  if (std::holds_alternative<RangeQuery>(query.node)) ranges.push_back(&query);
  if (const auto* both = std::get_if<BoolQuery>(&query.node))
    for (const auto* clauses : {&both->filter, &both->must})
      for (const auto& clause : *clauses)
        if (std::holds_alternative<RangeQuery>(clause.node)) ranges.push_back(&clause);
  return ranges;
}

}  // namespace honryu::search
