#include "search/query/hit_writer.h"

#include "honryu/search/api_error.h"
#include "search/geo/geo_columns.h"
#include "search/index/document_parser.h"
#include "search/query/date_math.h"
#include "search/query/matcher.h"
#include "search/query/parse_query.h"

#include <algorithm>

namespace honryu::search {
namespace {

using codec::Json;

/// {"location": where from, "order":…, "unit":…, "mode":…}.
Result<SortField> ParseDistanceSort(const Json& body) {
  SortField sort;
  sort.by = SortField::By::kDistance;
  for (const auto& [key, value] : body.object()) {
    if (key == "order") {
      sort.descending = value.StringOr("") == "desc";
    } else if (key == "unit") {
      const auto unit = DistanceUnit(value.StringOr("m"));
      if (!unit)
        return Error(IllegalArgument("unknown unit of distance [" + std::string(value.StringOr("")) + "]"));
      sort.unit = *unit;
    } else if (key == "mode") {
      const auto mode = value.StringOr("");
      if (mode != "min" && mode != "max")
        return Error(IllegalArgument("unknown sort mode [" + std::string(mode) + "]"));
      sort.mode = mode == "min" ? SortField::Mode::kMin : SortField::Mode::kMax;
    } else if (key != "distance_type" && key != "ignore_unmapped" && key != "validation_method" &&
               key != "nested") {
      if (!sort.field.empty())
        return Error(ParsingError("[_geo_distance] has two fields, [" + sort.field + "] and [" + key + "]"));
      sort.field = key;
      // [longitude, latitude] is one place, a list of anything else several.
      const bool several = value.is_array() && !(value.array().size() >= 2 && value.array()[0].is_number());
      for (const auto& place : several ? value.array() : Json::Array{value}) {
        HONRYU_TRY(const auto point, ParsePoint(place));
        sort.places.push_back(point);
      }
    }
  }
  if (sort.field.empty() || sort.places.empty())
    return Error(ParsingError("[_geo_distance] needs a field and a place"));
  return sort;
}

Result<SortField> ParseSortField(const std::string& name, const Json* body) {
  SortField sort;
  if (name == "_geo_distance" && body != nullptr) return ParseDistanceSort(*body);
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

/// A document's places, as GeoJSON.
std::vector<std::string> PlacesOf(const Segment& segment, const std::string& field, std::uint32_t doc) {
  std::vector<std::string> places;
  GeoColumns points(segment, field, 1);
  if (points.empty()) return places;
  points.Of(doc, [&places](const GeoPoint& point) {
    codec::JsonWriter out(places.emplace_back());
    out.BeginObject();
    out.Key("type");
    out.String("Point");
    out.Key(kGeoCoordinates);
    out.BeginArray();
    out.Double(point.lon);
    out.Double(point.lat);
    out.EndArray();
    out.EndObject();
  });
  return places;
}

void WriteFields(const Json& document, const Segment& segment, std::uint32_t doc,
                 const std::vector<ShownField>& fields, codec::JsonWriter& out) {
  std::vector<std::pair<std::string, const Json*>> values;
  Flatten(document, "", values);
  std::vector<std::pair<std::string, std::vector<std::string>>> shown;
  for (const auto& field : fields) {
    auto pattern = field.name;
    const bool exact = pattern.ends_with(".keyword");
    if (exact) pattern.resize(pattern.size() - 8);
    if (pattern.find('*') == std::string::npos)
      if (auto places = PlacesOf(segment, pattern, doc); !places.empty()) {
        shown.emplace_back(pattern, std::move(places));
        continue;
      }
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

}  // namespace

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

Result<void> WriteHit(const IndexedSegment& indexed, const Hit& hit, const std::vector<SortField>& sorts,
                      const HitView& view, Segment::SourceCache& cache, codec::JsonWriter& out) {
  const auto& segment = *indexed.segment;
  out.BeginObject();
  out.Key("_index");
  out.String(indexed.index);
  out.Key("_id");
  out.String(segment.Id(hit.doc));
  const bool scored = sorts.empty() || std::any_of(sorts.begin(), sorts.end(), [](const auto& sort) {
                        return sort.by == SortField::By::kScore;
                      });
  out.Key("_score");
  if (scored)
    out.Double(hit.score);
  else
    out.Null();
  HONRYU_TRY(const auto source, segment.Source(hit.doc, cache));
  if (view.source.whole()) {
    out.Key("_source");
    out.Raw(source);
  }
  const bool filtered = view.source.show && !view.source.whole();
  if (filtered || !view.fields.empty() || view.highlight) {
    auto parsed = Json::Parse(source);
    if (!parsed.ok()) parsed = Json::Parse(Readable(source));
    // One document that is too deep for this must not fail the search: it has no members to choose from.
    const Json document = parsed.ok() ? std::move(*parsed) : Json(Json::Object{});
    if (filtered) {
      out.Key("_source");
      const auto kept = Filtered(document, "", view.source);
      if (kept)
        kept->DumpTo(out);
      else
        out.Raw("{}");
    }
    if (!view.fields.empty()) WriteFields(document, segment, hit.doc, view.fields, out);
    if (view.highlight) WriteHighlights(document, segment, *view.highlight, out);
  }
  if (!sorts.empty()) {
    out.Key("sort");
    out.BeginArray();
    for (std::size_t i = 0; i < hit.sort.size(); ++i) {
      const auto* ms = std::get_if<std::int64_t>(&hit.sort[i]);
      if (ms != nullptr && !sorts[i].format.empty())
        out.String(FormatDate(*ms, sorts[i].format, TimeZone()));
      else
        WriteSortValue(hit.sort[i], out);
    }
    out.EndArray();
  }
  out.EndObject();
  return Ok();
}

}  // namespace honryu::search
