#include "search/request/search_request.h"

#include "honryu/search/api_error.h"
#include "search/aggs/parse_aggs.h"
#include "search/query/parse_query.h"

#include <algorithm>
#include <array>

namespace honryu::search {
namespace {

using codec::Json;

/// from + size beyond this is refused: use search_after.
constexpr std::int64_t kMaxWindow = 10'000;

Result<SortField> ParseSortField(const std::string& name, const Json* body) {
  SortField sort;
  sort.field = name;
  if (name == "_score") {
    sort.by = SortField::By::kScore;
    sort.descending = true;
  } else if (name == "_doc" || name == "_shard_doc") {
    sort.by = SortField::By::kDocument;
  }
  if (body == nullptr) return sort;
  if (body->is_string()) {
    sort.descending = body->StringOr("") == "desc";
    return sort;
  }
  for (const auto& [key, value] : body->object()) {
    if (key == "order") {
      sort.descending = value.StringOr("") == "desc";
    } else if (key == "missing") {
      if (value.StringOr("_last") != "_last" && value.StringOr("_last") != "_first")
        return Error(IllegalArgument("[missing] of a sort must be _first or _last"));
      sort.missing_first = value.StringOr("_last") == "_first";
    } else if (key == "mode") {
      if (value.StringOr("") == "min")
        sort.mode = SortField::Mode::kMin;
      else if (value.StringOr("") == "max")
        sort.mode = SortField::Mode::kMax;
      else
        return Error(IllegalArgument("unknown sort mode [" + std::string(value.StringOr("")) + "]"));
    } else if (key == "format") {
      sort.format = value.StringOr("");
    } else if (key != "unmapped_type" && key != "numeric_type" && key != "nested") {
      return Error(ParsingError("[field_sort] unknown field [" + key + "]"));
    }
  }
  return sort;
}

void ReadPatterns(const Json* json, std::vector<std::string>& out) {
  if (json == nullptr) return;
  if (json->is_string()) out.emplace_back(json->StringOr(""));
  for (const auto& pattern : json->array()) out.emplace_back(pattern.StringOr(""));
}

SourceFilter ParseSource(const Json& json) {
  SourceFilter filter;
  if (json.is_bool()) {
    filter.show = json.BoolOr(true);
  } else if (json.is_object()) {
    for (const auto* name : {"includes", "include"}) ReadPatterns(json.Find(name), filter.includes);
    for (const auto* name : {"excludes", "exclude"}) ReadPatterns(json.Find(name), filter.excludes);
  } else {
    ReadPatterns(&json, filter.includes);
  }
  return filter;
}

void ParseFields(const Json& json, std::vector<ShownField>& out) {
  for (const auto& field : json.array()) {
    ShownField shown;
    if (field.is_string()) {
      shown.name = field.StringOr("");
    } else {
      if (const auto* name = field.Find("field")) shown.name = name->StringOr("");
      if (const auto* format = field.Find("format")) shown.format = format->StringOr("");
    }
    if (!shown.name.empty()) out.push_back(std::move(shown));
  }
}

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
    HONRYU_TRY(request.aggs, ParseAggs(value, now_ms));
  } else if (name == "_source") {
    request.source = ParseSource(value);
  } else if (name == "fields" || name == "docvalue_fields") {
    ParseFields(value, request.fields);
  } else if (name == "timeout") {
    const auto ms = ParseFixedInterval(value.StringOr(""));
    if (!ms)
      return Error(IllegalArgument("failed to parse setting [timeout] with value [" + value.Dump() + "]"));
    request.timeout = std::chrono::milliseconds(*ms);
  } else if (name == "terminate_after") {
    hits.terminate_after = static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.IntOr(0)));
  } else if (name == "min_score") {
    hits.min_score = value.DoubleOr(0);
  } else if (name == "script_fields" || name == "runtime_mappings") {
    if (!value.object().empty()) return Error(ParsingError("[" + name + "] is not supported"));
  } else {
    // Change nothing in what is found.
    constexpr std::array<std::string_view, 12> kAccepted = {
        "version", "seq_no_primary_term", "track_scores", "stored_fields", "stats",     "preference",
        "routing", "indices_boost",       "explain",      "profile",       "highlight", "pit"};
    return std::find(kAccepted.begin(), kAccepted.end(), name) != kAccepted.end();
  }
  return true;
}

/// True when `path` or what stands above it fits the pattern.
bool Covers(const std::string& pattern, std::string_view path) {
  if (NameFits(pattern, path)) return true;
  for (auto dot = path.rfind('.'); dot != std::string_view::npos; dot = path.substr(0, dot).rfind('.'))
    if (NameFits(pattern, path.substr(0, dot))) return true;
  return false;
}
bool AnyCovers(const std::vector<std::string>& patterns, std::string_view path) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return Covers(pattern, path); });
}

/// The part of a value that the filter shows; none when that is nothing.
std::optional<Json> Filtered(const Json& json, const std::string& path, const SourceFilter& filter) {
  if (AnyCovers(filter.excludes, path)) return std::nullopt;
  if (json.is_object()) {
    Json::Object kept;
    for (const auto& [name, value] : json.object())
      if (auto part = Filtered(value, path.empty() ? name : path + "." + name, filter))
        kept.emplace_back(name, std::move(*part));
    if (kept.empty() && !path.empty() && !(filter.includes.empty() || AnyCovers(filter.includes, path)))
      return std::nullopt;
    return Json(std::move(kept));
  }
  if (json.is_array() && !json.array().empty() && json.array()[0].is_object()) {
    Json::Array kept;
    for (const auto& item : json.array())
      if (auto part = Filtered(item, path, filter)) kept.push_back(std::move(*part));
    if (kept.empty()) return std::nullopt;
    return Json(std::move(kept));
  }
  if (!filter.includes.empty() && !AnyCovers(filter.includes, path)) return std::nullopt;
  return json;
}

/// Scalars of a document by path.
void Flatten(const Json& json, const std::string& path,
             std::vector<std::pair<std::string, const Json*>>& out) {
  if (json.is_object()) {
    for (const auto& [name, value] : json.object())
      Flatten(value, path.empty() ? name : path + "." + name, out);
  } else if (json.is_array()) {
    for (const auto& item : json.array()) Flatten(item, path, out);
  } else if (!json.is_null()) {
    out.emplace_back(path, &json);
  }
}

void WriteFields(const Json& document, const Segment& segment, const std::vector<ShownField>& fields,
                 codec::JsonWriter& out) {
  std::vector<std::pair<std::string, const Json*>> values;
  Flatten(document, "", values);
  std::vector<std::pair<std::string, std::vector<std::string>>> shown;
  for (const auto& field : fields) {
    auto pattern = field.name;
    const bool exact = pattern.ends_with(".keyword");
    if (exact) pattern.resize(pattern.size() - 8);
    for (const auto& [path, value] : values) {
      if (!NameFits(pattern, path)) continue;
      const auto name = exact ? path + ".keyword" : path;
      auto found = std::find_if(shown.begin(), shown.end(),
                                [&n = name](const auto& entry) { return entry.first == n; });
      if (found == shown.end()) found = shown.insert(shown.end(), {name, {}});
      const auto* column = segment.Find(path);
      const bool date = column != nullptr && column->dates;
      std::optional<std::int64_t> ms;
      if (date && value->is_string()) {
        if (const auto parsed = ParseDate(value->StringOr(""), {}); parsed.ok()) ms = *parsed;
      } else if (date && value->is_number()) {
        ms = value->IntOr(0);
      }
      std::string text;
      codec::JsonWriter writer(text);
      if (ms)
        writer.String(FormatDate(*ms, field.format, TimeZone()));
      else
        value->DumpTo(writer);
      found->second.push_back(std::move(text));
    }
  }
  out.Key("fields");
  out.BeginObject();
  for (const auto& [name, list] : shown) {
    out.Key(name);
    out.BeginArray();
    for (const auto& value : list) out.Raw(value);
    out.EndArray();
  }
  out.EndObject();
}

void WriteSortValue(const SortValue& value, codec::JsonWriter& out) {
  if (const auto* whole = std::get_if<std::int64_t>(&value))
    out.Int(*whole);
  else if (const auto* number = std::get_if<double>(&value))
    out.Double(*number);
  else if (const auto* text = std::get_if<std::string>(&value))
    out.String(*text);
  else
    out.Null();
}

Result<void> WriteHit(const IndexedSegment& indexed, const Hit& hit, const SearchRequest& request,
                      SourceBlocks::Cache& cache, codec::JsonWriter& out) {
  const auto& segment = *indexed.segment;
  out.BeginObject();
  out.Key("_index");
  out.String(indexed.index);
  out.Key("_id");
  out.String(segment.Id(hit.doc));
  const bool scored = request.hits.sort.empty() ||
                      std::any_of(request.hits.sort.begin(), request.hits.sort.end(),
                                  [](const auto& sort) { return sort.by == SortField::By::kScore; });
  out.Key("_score");
  if (scored)
    out.Double(hit.score);
  else
    out.Null();
  HONRYU_TRY(const auto source, segment.source().Get(hit.doc, cache));
  if (request.source.whole()) {
    out.Key("_source");
    out.Raw(source);
  }
  const bool filtered = request.source.show && !request.source.whole();
  if (filtered || !request.fields.empty()) {
    HONRYU_TRY(const auto document, Json::Parse(source));
    if (filtered) {
      out.Key("_source");
      const auto kept = Filtered(document, "", request.source);
      if (kept)
        kept->DumpTo(out);
      else
        out.Raw("{}");
    }
    if (!request.fields.empty()) WriteFields(document, segment, request.fields, out);
  }
  if (!request.hits.sort.empty()) {
    out.Key("sort");
    out.BeginArray();
    for (std::size_t i = 0; i < hit.sort.size(); ++i) {
      const auto* ms = std::get_if<std::int64_t>(&hit.sort[i]);
      if (ms != nullptr && !request.hits.sort[i].format.empty())
        out.String(FormatDate(*ms, request.hits.sort[i].format, TimeZone()));
      else
        WriteSortValue(hit.sort[i], out);
    }
    out.EndArray();
  }
  out.EndObject();
  return Ok();
}

}  // namespace

Result<std::vector<SortField>> ParseSort(const Json& json) {
  std::vector<SortField> all;
  const auto one = [&all](const Json& item) -> Result<void> {
    if (item.is_string()) {
      HONRYU_TRY(auto sort, ParseSortField(std::string(item.StringOr("")), nullptr));
      all.push_back(std::move(sort));
      return Ok();
    }
    if (!item.is_object()) return ParsingError("malformed sort format");
    for (const auto& [name, body] : item.object()) {
      HONRYU_TRY(auto sort, ParseSortField(name, &body));
      all.push_back(std::move(sort));
    }
    return Ok();
  };
  if (!json.is_array()) {
    HONRYU_TRY_VOID(one(json));
    return all;
  }
  for (const auto& item : json.array()) HONRYU_TRY_VOID(one(item));
  return all;
}

Result<SearchRequest> ParseSearchRequest(const Json& body, std::int64_t now_ms) {
  SearchRequest request;
  if (body.is_null()) return request;
  if (!body.is_object()) return ParsingError("the request body must be an object");
  for (const auto& [name, value] : body.object()) {
    if (value.is_null()) continue;
    HONRYU_TRY(const bool known, ReadMember(request, name, value, now_ms));
    if (!known) return ParsingError("unknown key for a value in [" + name + "]");
  }
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
  return request;
}

Result<std::string> RunSearch(const std::vector<IndexedSegment>& segments, const SearchRequest& request,
                              const QueryContext& context, SearchLimits limits) {
  const auto begin = limits.clock != nullptr ? limits.clock->Mono() : MonoTime{};
  const Clock* clock = limits.clock;
  if (clock != nullptr && request.timeout > Duration{0}) {
    const auto until = begin + request.timeout;
    limits.deadline = limits.deadline == MonoTime{} ? until : std::min(limits.deadline, until);
  }
  if (limits.deadline == MonoTime{}) limits.clock = nullptr;
  std::optional<AggCollector> aggs;
  if (!request.aggs.empty()) aggs.emplace(request.aggs, context);
  HONRYU_TRY(const auto result,
             SearchSegments(segments, request.hits, context, limits, aggs ? &*aggs : nullptr));

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
  out.Raw(R"({"total":1,"successful":1,"skipped":0,"failed":0})");
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
  SourceBlocks::Cache cache;
  std::size_t cached = SIZE_MAX;
  for (const auto& hit : result.hits) {
    if (hit.segment != cached) {
      cache = {};
      cached = hit.segment;
    }
    HONRYU_TRY_VOID(WriteHit(segments[hit.segment], hit, request, cache, out));
  }
  out.EndArray();
  out.EndObject();
  if (aggs) {
    out.Key("aggregations");
    HONRYU_TRY_VOID(aggs->Write(out));
  }
  out.EndObject();
  return text;
}

}  // namespace honryu::search
