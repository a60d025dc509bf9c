#include "search_tail.h"

#include <algorithm>
#include <utility>

namespace honryu::app {

using codec::Json;

namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  codec::AppendJsonString(text, out);
  return out;
}

Result<void> WholeAnswer(const Json& answer) {
  if (const Json* late = answer.Find("timed_out"); late != nullptr && late->BoolOr(false))
    return Error(ErrorCode::kUnavailable, "the search came to its time limit");
  return Ok();
}

const Json::Array& HitsOf(const Json& json) {
  static const Json::Array kNone;
  const Json* hits = json.Find("hits");
  if (hits != nullptr) hits = hits->Find("hits");
  return hits != nullptr ? hits->array() : kNone;
}

}  // namespace

std::string SearchTail::BeginBody() {
  return R"({"size":0,"aggs":{"s":{"terms":{"field":"_shard","size":10000},"aggs":{"l":{"top_hits":{"size":1,)"
         R"("_source":false,"sort":[{"_sequence":"desc"},{"_part":"desc"}]}}}}}})";
}

Result<void> SearchTail::Begin(const Json& answer) {
  HONRYU_TRY_VOID(WholeAnswer(answer));
  const Json* shards = answer.Find("aggregations");
  if (shards != nullptr) shards = shards->Find("s");
  if (shards != nullptr) shards = shards->Find("buckets");
  if (shards == nullptr) return Ok();
  for (const Json& bucket : shards->array()) {
    const Json *name = bucket.Find("key"), *newest = bucket.Find("l");
    if (name == nullptr || newest == nullptr || HitsOf(*newest).empty()) continue;
    const Json* sort = HitsOf(*newest)[0].Find("sort");
    if (sort != nullptr && sort->array().size() == 2)
      last_[std::string(name->StringOr(""))] = {sort->array()[0].IntOr(0), sort->array()[1].IntOr(0)};
  }
  return Ok();
}

std::string SearchTail::Body(std::string_view query, std::string_view more) const {
  std::string newer, known;
  for (const auto& [shard, place] : last_) {
    const auto sequence = std::to_string(place.sequence);
    newer += R"({"bool":{"filter":[{"term":{"_shard":)" + Quoted(shard) +
             R"(}},{"bool":{"should":[{"range":{"_sequence":{"gt":)" + sequence +
             R"(}}},{"bool":{"filter":[{"term":{"_sequence":)" + sequence + R"(}},{"range":{"_part":{"gt":)" +
             std::to_string(place.part) + "}}}]}}]}}]}},";
    known += (known.empty() ? "" : ",") + Quoted(shard);
  }
  return R"({"size":)" + std::to_string(kBatch) +
         R"(,"track_total_hits":false,"sort":[{"_sequence":"asc"},{"_shard":"asc"},)"
         R"({"_part":{"order":"asc","missing":"_first"}},{"_time":"asc"}],"query":{"bool":{"must":[)" +
         std::string(query) + R"(],"filter":[{"bool":{"should":[)" + newer +
         R"({"bool":{"must_not":[{"terms":{"_shard":[)" + known + "]}}]}}]}}]}}," + std::string(more) + "}";
}

Result<SearchTail::Events> SearchTail::Take(const Json& answer) {
  HONRYU_TRY_VOID(WholeAnswer(answer));
  std::multimap<std::int64_t, Json> by_time;  // those of one moment in the order of their shards
  for (const Json& hit : HitsOf(answer)) {
    const Json* sort = hit.Find("sort");
    if (sort == nullptr || sort->array().size() != 4) continue;
    const auto& values = sort->array();
    auto& last = last_[std::string(values[1].StringOr(""))];
    last = std::max(last, {values[0].IntOr(0), values[2].IntOr(0)});
    Json::Object members = hit.object();
    for (auto& [name, value] : members)
      if (name == "sort") value = Json(Json::Array{values[3]});
    by_time.emplace(values[3].IntOr(0), Json(std::move(members)));
  }
  Events events;
  events.full = HitsOf(answer).size() >= kBatch;
  for (auto& [time, event] : by_time) events.hits.push_back(std::move(event));
  return events;
}

}  // namespace honryu::app
