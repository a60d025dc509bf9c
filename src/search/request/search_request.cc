#include "search/request/search_request.h"

#include "honryu/search/api_error.h"
#include "search/aggs/agg_cache.h"
#include "search/aggs/parse_aggs.h"
#include "search/aggs/pipeline.h"
#include "search/query/parse_query.h"

#include <algorithm>
#include <array>

namespace honryu::search {
namespace {

using codec::Json;

/// from + size beyond this is refused: use search_after.
constexpr std::int64_t kMaxWindow = 10'000;

SortValue ToSortValue(const Json& json) {
  if (json.is_string()) return std::string(json.StringOr(""));
  if (const auto* whole = std::get_if<std::int64_t>(&json.value())) return *whole;
  if (json.is_number()) return json.DoubleOr(0);
  if (json.is_bool()) return std::int64_t{json.BoolOr(false) ? 1 : 0};
  return {};
}

/// A search_after value of a sort by date may come as a string.
void ReadDates(SearchRequest& request, std::int64_t now_ms) {
  for (std::size_t i = 0; i < request.hits.search_after.size() && i < request.hits.sort.size(); ++i) {
    auto& value = request.hits.search_after[i];
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr || request.hits.sort[i].format.empty()) continue;
    DateReading reading;
    reading.format = request.hits.sort[i].format;
    reading.now_ms = now_ms;
    if (const auto ms = ParseDate(*text, reading); ms.ok()) value = *ms;
  }
}

Result<bool> ReadMember(SearchRequest& request, const std::string& name, const Json& value,
                        std::int64_t now_ms) {
  auto& hits = request.hits;
  if (name == "query") {
    HONRYU_TRY(hits.query, ParseQuery(value));
  } else if (name == "post_filter") {
    HONRYU_TRY(hits.post_filter, ParseQuery(value));
  } else if (name == "from" || name == "size") {
    const auto number = value.IntOr(-1);
    if (number < 0)
      return Error(
          IllegalArgument("[" + name + "] parameter cannot be negative, found [" + value.Dump() + "]"));
    (name == "from" ? hits.from : hits.size) = static_cast<std::size_t>(number);
  } else if (name == "sort") {
    HONRYU_TRY(hits.sort, ParseSort(value));
  } else if (name == "search_after") {
    for (const auto& key : value.array()) hits.search_after.push_back(ToSortValue(key));
  } else if (name == "track_total_hits") {
    if (value.is_bool()) {
      request.show_total = value.BoolOr(true);
      hits.track_total = request.show_total ? std::numeric_limits<std::uint64_t>::max() : 0;
    } else {
      hits.track_total = static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.IntOr(10'000)));
    }
  } else if (name == "aggs" || name == "aggregations") {
    HONRYU_TRY(request.aggs, ParseAggs(value, now_ms, &request.pipelines));
  } else if (name == "_source") {
    request.view.source = ParseSource(value);
  } else if (name == "fields" || name == "docvalue_fields") {
    ParseFields(value, request.view.fields);
  } else if (name == "timeout") {
    const auto ms = ParseFixedInterval(value.StringOr(""));
    if (!ms)
      return Error(IllegalArgument("failed to parse setting [timeout] with value [" + value.Dump() + "]"));
    request.timeout = std::chrono::milliseconds(*ms);
  } else if (name == "terminate_after") {
    hits.terminate_after = static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.IntOr(0)));
  } else if (name == "min_score") {
    hits.min_score = value.DoubleOr(0);
  } else if (name == "highlight") {
    HONRYU_TRY(request.view.highlight, ParseHighlight(value));
  } else if (name == "script_fields" || name == "runtime_mappings") {
    if (!value.object().empty()) return Error(ParsingError("[" + name + "] is not supported"));
  } else {
    // Change nothing in what is found.
    constexpr std::array<std::string_view, 10> kAccepted = {
        "version", "seq_no_primary_term", "track_scores", "stored_fields", "stats", "preference",
        "routing", "indices_boost",       "explain",      "profile"};
    return std::find(kAccepted.begin(), kAccepted.end(), name) != kAccepted.end();
  }
  return true;
}

/// How many corrupt segments an answer names; the others are only counted.
constexpr std::size_t kNamedFailures = 5;

void WriteShards(const std::vector<LostSegment>& lost, codec::JsonWriter& out) {
  out.BeginObject();
  out.Key("total");
  out.Uint(1 + lost.size());
  out.Key("successful");
  out.Int(1);
  out.Key("skipped");
  out.Int(0);
  out.Key("failed");
  out.Uint(lost.size());
  if (!lost.empty()) {
    out.Key("failures");
    out.BeginArray();
    for (std::size_t i = 0; i < std::min(lost.size(), kNamedFailures); ++i) {
      out.BeginObject();
      out.Key("shard");
      out.Int(0);
      out.Key("index");
      out.String(lost[i].index);
      out.Key("reason");
      out.BeginObject();
      out.Key("type");
      out.String("corrupt_index_exception");
      out.Key("reason");
      out.String("segment " + std::to_string(lost[i].number) +
                 " is corrupt and not rebuilt from the log yet: " + lost[i].reason);
      out.EndObject();
      out.EndObject();
    }
    out.EndArray();
  }
  out.EndObject();
}

}  // namespace

Result<SearchRequest> ParseSearchRequest(const Json& body, std::int64_t now_ms) {
  SearchRequest request;
  if (body.is_null()) return request;
  if (!body.is_object()) return ParsingError("the request body must be an object");
  for (const auto& [name, value] : body.object()) {
    if (value.is_null()) continue;
    HONRYU_TRY(const bool known, ReadMember(request, name, value, now_ms));
    if (!known) return ParsingError("unknown key for a value in [" + name + "]");
  }
  const auto* aggs = body.Find("aggs");
  request.agg_text = AggCacheText(body.Find("query"), aggs != nullptr ? aggs : body.Find("aggregations"));
  const auto& hits = request.hits;
  if (hits.from + hits.size > kMaxWindow)
    return IllegalArgument(
        "result window is too large, from + size must be less than or equal to: [10000] but was [" +
        std::to_string(hits.from + hits.size) + "]; use search_after");
  if (!hits.search_after.empty() && hits.search_after.size() != hits.sort.size())
    return IllegalArgument("search_after has " + std::to_string(hits.search_after.size()) +
                           " value(s) but sort has " + std::to_string(hits.sort.size()) + ".");
  if (!hits.search_after.empty() && hits.from > 0)
    return IllegalArgument("`from` parameter must be set to 0 when `search_after` is used.");
  ReadDates(request, now_ms);
  if (request.view.highlight) request.view.highlight->CollectTerms(hits.query);
  return request;
}

Result<std::string> RunSearch(const std::vector<IndexedSegment>& segments, const SearchRequest& request,
                              const QueryContext& context, SearchLimits limits,
                              const std::vector<LostSegment>& lost) {
  const auto begin = limits.clock != nullptr ? limits.clock->Mono() : MonoTime{};
  const Clock* clock = limits.clock;
  if (clock != nullptr && request.timeout > Duration{0}) {
    const auto until = begin + request.timeout;
    limits.deadline = limits.deadline == MonoTime{} ? until : std::min(limits.deadline, until);
  }
  if (limits.deadline == MonoTime{}) limits.clock = nullptr;
  QueryContext bounded{context.now_ms, limits};
  std::optional<AggCollector> aggs;
  if (!request.aggs.empty() || !request.pipelines.empty())
    aggs.emplace(request.aggs, bounded, AggLimits{}, limits.aggs,
                 AggCacheKey{request.agg_text, RangesOf(request.hits.query)});
  HONRYU_TRY(const auto result,
             SearchSegments(segments, request.hits, bounded, limits, aggs ? &*aggs : nullptr));
  bounded.limits.clock = nullptr;  // what was found is shown, also when the time is over

  std::string text;
  codec::JsonWriter out(text);
  out.BeginObject();
  out.Key("took");
  out.Int(clock != nullptr ? ToMs(clock->Mono() - begin) : 0);
  out.Key("timed_out");
  out.Bool(result.timed_out);
  if (result.terminated_early) {
    out.Key("terminated_early");
    out.Bool(true);
  }
  out.Key("_shards");
  WriteShards(lost, out);
  out.Key("hits");
  out.BeginObject();
  if (request.show_total) {
    out.Key("total");
    out.BeginObject();
    out.Key("value");
    out.Uint(result.total);
    out.Key("relation");
    out.String(result.total_is_least ? "gte" : "eq");
    out.EndObject();
  }
  out.Key("max_score");
  if (result.max_score && request.hits.sort.empty())
    out.Double(*result.max_score);
  else
    out.Null();
  out.Key("hits");
  out.BeginArray();
  Segment::SourceCache cache;
  std::size_t cached = SIZE_MAX;
  for (const auto& hit : result.hits) {
    if (hit.segment != cached) {
      cache = {};
      cached = hit.segment;
    }
    HONRYU_TRY_VOID(WriteHit(segments[hit.segment], hit, request.hits.sort, request.view, cache, out));
  }
  out.EndArray();
  out.EndObject();
  if (aggs) {
    out.Key("aggregations");
    if (AnyPipeline(request.aggs, request.pipelines)) {
      std::string collected;
      codec::JsonWriter inner(collected);
      HONRYU_TRY_VOID(aggs->Write(inner));
      HONRYU_TRY(const auto results, Json::Parse(collected));
      HONRYU_TRY(const auto computed, ApplyPipelines(results, request.aggs, request.pipelines));
      computed.DumpTo(out);
    } else {
      HONRYU_TRY_VOID(aggs->Write(out));
    }
  }
  out.EndObject();
  return text;
}

}  // namespace honryu::search
