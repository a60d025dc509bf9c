#include "search/aggs/parse_aggs.h"

#include "honryu/search/api_error.h"
#include "search/aggs/pipeline.h"
#include "search/query/field_view.h"
#include "search/query/parse_query.h"
#include "search/query/pattern.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace honryu::search {
namespace {

using codec::Json;
using Kind = AggSpec::Kind;

constexpr std::size_t kMaxDepth = 20;
/// 65,535 buckets of an answer by the 30 units that the widest of a width may hold.
constexpr std::int64_t kMostAutoBuckets = 2184;

struct KindName {
  std::string_view name;
  Kind kind;
};
constexpr std::array<KindName, 26> kKinds = {{{"global", Kind::kGlobal},
                                              {"multi_terms", Kind::kMultiTerms},
                                              {"auto_date_histogram", Kind::kAutoDateHistogram},
                                              {"weighted_avg", Kind::kWeightedAvg},
                                              {"top_hits", Kind::kTopHits},
                                              {"composite", Kind::kComposite},
                                              {"geohash_grid", Kind::kGeohashGrid},
                                              {"geotile_grid", Kind::kGeotileGrid},
                                              {"terms", Kind::kTerms},
                                              {"date_histogram", Kind::kDateHistogram},
                                              {"histogram", Kind::kHistogram},
                                              {"range", Kind::kRange},
                                              {"date_range", Kind::kDateRange},
                                              {"filter", Kind::kFilter},
                                              {"filters", Kind::kFilters},
                                              {"missing", Kind::kMissing},
                                              {"cardinality", Kind::kCardinality},
                                              {"percentiles", Kind::kPercentiles},
                                              {"percentile_ranks", Kind::kPercentileRanks},
                                              {"stats", Kind::kStats},
                                              {"extended_stats", Kind::kExtendedStats},
                                              {"min", Kind::kMin},
                                              {"max", Kind::kMax},
                                              {"avg", Kind::kAvg},
                                              {"sum", Kind::kSum},
                                              {"value_count", Kind::kValueCount}}};

bool HasBuckets(Kind kind) {
  switch (kind) {
    case Kind::kTerms:
    case Kind::kDateHistogram:
    case Kind::kHistogram:
    case Kind::kRange:
    case Kind::kDateRange:
    case Kind::kFilter:
    case Kind::kFilters:
    case Kind::kMissing:
    case Kind::kGlobal:
    case Kind::kComposite:
    case Kind::kGeohashGrid:
    case Kind::kGeotileGrid:
    case Kind::kMultiTerms:
    case Kind::kAutoDateHistogram:
      return true;
    default:
      return false;
  }
}

class Reader {
 public:
  explicit Reader(std::int64_t now_ms) : now_ms_(now_ms) {}

  Result<std::vector<AggSpec>> ReadAll(const Json& json, std::size_t depth,
                                       std::vector<NamedPipeline>& pipelines) {
    if (depth == 0) return ParsingError("aggregations are nested too deeply");
    if (!json.is_object()) return ParsingError("aggregations must be an object");
    std::vector<AggSpec> specs;
    for (const auto& [name, body] : json.object()) {
      HONRYU_TRY(const bool pipeline, ReadPipeline(name, body, pipelines));
      if (pipeline) continue;
      HONRYU_TRY(auto spec, ReadOne(name, body, depth));
      specs.push_back(std::move(spec));
    }
    return specs;
  }

 private:
  static Result<bool> ReadPipeline(const std::string& name, const Json& json,
                                   std::vector<NamedPipeline>& pipelines) {
    for (const auto& [type, body] : json.object()) {
      const auto kind = PipelineKind(type);
      if (!kind) continue;
      NamedPipeline pipeline;
      pipeline.name = name;
      HONRYU_TRY(pipeline.spec, ParsePipeline(*kind, name, type, body));
      if (const auto* meta = json.Find("meta")) pipeline.spec.meta = meta->Dump();
      for (const auto& [other, unused] : json.object())
        if (other != type && other != "meta")
          return Error(ParsingError("unexpected [" + other + "] beside [" + type + "] in [" + name + "]"));
      pipelines.push_back(std::move(pipeline));
      return true;
    }
    return false;
  }

  Result<AggSpec> ReadOne(const std::string& name, const Json& json, std::size_t depth) {
    AggSpec spec;
    spec.name = name;
    bool found = false;
    for (const auto& [member, body] : json.object()) {
      if (member == "aggs" || member == "aggregations") {
        HONRYU_TRY(spec.children, ReadAll(body, depth - 1, spec.pipelines));
        continue;
      }
      if (member == "meta") {
        spec.meta = body.Dump();
        continue;
      }
      const auto kind =
          std::find_if(kKinds.begin(), kKinds.end(), [&m = member](const auto& k) { return k.name == m; });
      if (kind == kKinds.end()) return ParsingError("unknown aggregation type [" + member + "]");
      if (found) return ParsingError("found two aggregation type definitions in [" + name + "]");
      found = true;
      spec.kind = kind->kind;
      HONRYU_TRY_VOID(ReadBody(spec, member, body));
    }
    if (!found) return ParsingError("missing definition for aggregation [" + name + "]");
    if (!HasBuckets(spec.kind) && (!spec.children.empty() || !spec.pipelines.empty()))
      return IllegalArgument("aggregator [" + name + "] cannot accept sub-aggregations");
    for (const auto& order : spec.order) HONRYU_TRY_VOID(CheckOrder(spec, order.path));
    return spec;
  }

  Result<void> ReadBody(AggSpec& spec, const std::string& type, const Json& body) {
    if (spec.kind == Kind::kFilter) {
      HONRYU_TRY(auto query, ParseQuery(body));
      spec.filters.emplace_back("", std::move(query));
      return Ok();
    }
    if (spec.kind == Kind::kFilters) return ReadFilters(spec, body);
    if (spec.kind == Kind::kTopHits) return ReadTopHits(spec, body);
    if (spec.kind == Kind::kComposite) return ReadComposite(spec, body);
    if (spec.kind == Kind::kMultiTerms) return ReadMultiTerms(spec, body);
    if (spec.kind == Kind::kWeightedAvg) return ReadWeightedAvg(spec, body);
    if (spec.kind == Kind::kGlobal) {
      if (!body.object().empty()) return ParsingError("[global] takes no parameters");
      return Ok();
    }
    if (spec.kind == Kind::kGeohashGrid || spec.kind == Kind::kGeotileGrid) spec.size = 10'000;
    if (spec.kind == Kind::kGeotileGrid) spec.precision = 7;
    if (spec.kind == Kind::kDateHistogram) spec.min_doc_count = 0;
    if (spec.kind == Kind::kHistogram) spec.min_doc_count = 0;
    if (spec.kind == Kind::kPercentiles) spec.percents = {1, 5, 25, 50, 75, 95, 99};
    if (spec.kind == Kind::kPercentiles || spec.kind == Kind::kPercentileRanks) spec.keyed = true;
    if (const auto* zone = body.Find("time_zone")) {
      HONRYU_TRY(spec.zone, TimeZone::Parse(zone->StringOr("")));
    }
    if (const auto* format = body.Find("format")) spec.format = format->StringOr("");
    for (const auto& [name, value] : body.object()) {
      if (value.is_null()) continue;
      HONRYU_TRY(const bool known, ReadMember(spec, name, value));
      if (!known) return ParsingError("[" + type + "] unknown field [" + name + "]");
    }
    return Check(spec, type);
  }

  /// What buckets are ordered by must be a number of one of the aggregations inside.
  static Result<void> CheckOrder(const AggSpec& spec, std::string_view path) {
    if (path == "_count" || path == "_key" || path == "_term") return Ok();
    const auto refuse = [path](std::string_view why) {
      return IllegalArgument("Invalid aggregation order path [" + std::string(path) + "]. " +
                             std::string(why));
    };
    for (const auto& child : spec.children) {
      if (!path.starts_with(child.name)) continue;
      const char next = path.size() == child.name.size() ? '\0' : path[child.name.size()];
      if (next != '\0' && next != '>' && next != '.' && next != '[') continue;
      const bool single =
          child.kind == Kind::kFilter || child.kind == Kind::kMissing || child.kind == Kind::kGlobal;
      if (next == '>')
        return single ? CheckOrder(child, path.substr(child.name.size() + 1))
                      : refuse(
                            "Buckets can only be sorted on a sub-aggregator path that is built out of zero "
                            "or more single-bucket aggregations within the path and a final "
                            "single-bucket or a metrics aggregation at the path end.");
      if (single || (!HasBuckets(child.kind) && child.kind != Kind::kTopHits)) return Ok();
      return refuse("The aggregation [" + child.name + "] is no single number to sort by.");
    }
    return refuse("The provided aggregation [" + std::string(path.substr(0, path.find_first_of(">.["))) +
                  "] either does not exist, or is a pipeline aggregation and cannot be used to sort the "
                  "buckets.");
  }

  Result<void> ReadMultiTerms(AggSpec& spec, const Json& body) {
    for (const auto& [name, value] : body.object()) {
      if (name == "terms") {
        for (const auto& item : value.array()) {
          AggSpec source;
          source.kind = Kind::kTerms;
          source.name = spec.name;
          HONRYU_TRY_VOID(ReadBody(source, "multi_terms", item));
          spec.sources.push_back(std::move(source));
        }
      } else if (name == "size") {
        if (value.IntOr(0) < 1)
          return IllegalArgument("[size] must be greater than 0. Found [" + value.Dump() + "] in [" +
                                 spec.name + "]");
        spec.size = static_cast<std::size_t>(value.IntOr(10));
      } else {
        HONRYU_TRY(const bool known, ReadMember(spec, name, value));
        if (!known || name == "field" || name == "missing")
          return ParsingError("[multi_terms] unknown field [" + name + "]");
      }
    }
    if (spec.sources.size() < 2)
      return IllegalArgument("multi term aggregation must has at least 2 terms. Found [" +
                             std::to_string(spec.sources.size()) + "] in [" + spec.name +
                             "]. Use terms aggregation for single term aggregation");
    if (spec.order.empty()) spec.order.push_back({"_count", true});
    return Ok();
  }

  Result<void> ReadWeightedAvg(AggSpec& spec, const Json& body) {
    spec.sources.resize(2);
    for (const auto& [name, value] : body.object()) {
      if (name == "format" || name == "value_type") continue;
      if (name != "value" && name != "weight")
        return ParsingError("[weighted_avg] unknown field [" + name + "]");
      AggSpec& source = spec.sources[name == "value" ? 0 : 1];
      source.kind = Kind::kAvg;
      HONRYU_TRY_VOID(ReadBody(source, "weighted_avg", value));
    }
    if (spec.sources[0].field.empty() || spec.sources[1].field.empty())
      return IllegalArgument("[weighted_avg] needs [value] and [weight] in [" + spec.name + "]");
    return Ok();
  }

  Result<void> Check(AggSpec& spec, const std::string& type) {
    if (spec.field.empty())
      return IllegalArgument("required one of fields [field, script], but none were specified");
    if (spec.kind == Kind::kDateHistogram && !spec.calendar && spec.interval_ms <= 0)
      return IllegalArgument("invalid interval specified, must be non-null and positive");
    if (spec.kind == Kind::kHistogram && !(spec.interval > 0))
      return IllegalArgument("[interval] must be >0 for histogram aggregation [" + spec.name + "]");
    if ((spec.kind == Kind::kRange || spec.kind == Kind::kDateRange) && spec.ranges.empty())
      return IllegalArgument("no [ranges] specified for the [" + spec.name + "] aggregation");
    if (spec.kind == Kind::kPercentileRanks && spec.percents.empty())
      return IllegalArgument("[values] must not be null: [" + spec.name + "]");
    if (spec.kind == Kind::kTerms) {
      if (spec.size == 0)
        return IllegalArgument("[size] must be greater than 0. Found [0] in [" + spec.name + "]");
      if (spec.order.empty()) spec.order.push_back({"_count", true});
      for (const auto* pattern : {&spec.include_pattern, &spec.exclude_pattern})
        if (!pattern->empty()) {
          HONRYU_TRY(const auto compiled, Pattern::Regexp(*pattern, false));
          (void)compiled;
        }
    }
    (void)type;
    return Ok();
  }

  Result<void> ReadTopHits(AggSpec& spec, const Json& body) {
    spec.size = 3;
    for (const auto& [name, value] : body.object()) {
      if (name == "size" || name == "from") {
        if (value.IntOr(-1) < 0 || value.IntOr(0) > 100)
          return IllegalArgument("Top hits result window is too large, [" + name + "] must be from 0 to 100");
        (name == "size" ? spec.size : spec.from) = static_cast<std::size_t>(value.IntOr(0));
      } else if (name == "sort") {
        HONRYU_TRY(spec.sort, ParseSort(value));
      } else if (name == "_source") {
        spec.view.source = ParseSource(value);
      } else if (name == "docvalue_fields" || name == "fields") {
        ParseFields(value, spec.view.fields);
      } else if (name == "highlight") {
        HONRYU_TRY(spec.view.highlight, ParseHighlight(value));
      } else if (name != "explain" && name != "version" && name != "track_scores" &&
                 name != "seq_no_primary_term" && name != "stored_fields") {
        return ParsingError("[top_hits] unknown field [" + name + "]");
      }
    }
    // Aggregations know no scores: without a sort the newest ones are on top.
    if (spec.sort.empty())
      spec.sort.push_back({SortField::By::kField, std::string(kTimeField), true, false, {}, {}});
    for (const auto& sort : spec.sort)
      if (sort.by == SortField::By::kScore)
        return IllegalArgument("[top_hits] cannot sort by [_score] here: sort by a field");
    return Ok();
  }

  Result<void> ReadComposite(AggSpec& spec, const Json& body) {
    const Json* after = nullptr;
    for (const auto& [name, value] : body.object()) {
      if (name == "size") {
        if (value.IntOr(0) < 1) return IllegalArgument("[size] must be a positive integer");
        spec.size = static_cast<std::size_t>(std::min<std::int64_t>(value.IntOr(10), 65'535));
      } else if (name == "after") {
        after = &value;
      } else if (name == "sources") {
        const auto one = [&](const Json& item) -> Result<void> {
          for (const auto& [source_name, definition] : item.object()) {
            HONRYU_TRY(auto source, ReadSource(source_name, definition));
            spec.sources.push_back(std::move(source));
          }
          return Ok();
        };
        if (!value.is_array()) HONRYU_TRY_VOID(one(value));
        for (const auto& item : value.array()) HONRYU_TRY_VOID(one(item));
      } else {
        return ParsingError("[composite] unknown field [" + name + "]");
      }
    }
    if (spec.sources.empty()) return IllegalArgument("Composite [sources] cannot be null or empty");
    if (after == nullptr) return Ok();
    for (const auto& source : spec.sources) {
      const Json* value = after->Find(source.name);
      SortValue key;
      if (value != nullptr && value->is_string())
        key = std::string(value->StringOr(""));
      else if (value != nullptr && std::holds_alternative<std::int64_t>(value->value()))
        key = value->IntOr(0);
      else if (value != nullptr && value->is_number())
        key = value->DoubleOr(0);
      else if (value != nullptr && value->is_bool())
        key = std::int64_t{value->BoolOr(false) ? 1 : 0};
      if (source.kind == Kind::kDateHistogram && key.index() == 3) {
        HONRYU_TRY(const auto ms, DateBound(source, *value, false));
        key = static_cast<std::int64_t>(ms);
      }
      if (source.kind == Kind::kHistogram && key.index() == 1)
        key = static_cast<double>(std::get<std::int64_t>(key));
      spec.after.push_back(std::move(key));
    }
    return Ok();
  }

  Result<AggSpec> ReadSource(const std::string& name, const Json& definition) {
    AggSpec source;
    source.name = name;
    for (const auto& [type, body] : definition.object()) {
      if (type != "terms" && type != "histogram" && type != "date_histogram")
        return Error(ParsingError("[composite] sources may be terms, histogram or date_histogram, found [" +
                                  type + "]"));
      source.kind = type == "terms"       ? Kind::kTerms
                    : type == "histogram" ? Kind::kHistogram
                                          : Kind::kDateHistogram;
      bool descending = false;
      Json::Object rest;
      for (const auto& [member, value] : body.object()) {
        if (member == "order")
          descending = value.StringOr("asc") == "desc";
        else if (member == "missing_bucket")
          source.missing_bucket = value.BoolOr(false);
        else if (member != "missing_order")
          rest.emplace_back(member, value);
      }
      HONRYU_TRY_VOID(ReadBody(source, type, Json(std::move(rest))));
      source.order = {{"_key", descending}};
    }
    if (source.field.empty())
      return Error(ParsingError("[composite] source [" + name + "] has no definition"));
    return source;
  }

  Result<void> ReadFilters(AggSpec& spec, const Json& body) {
    bool other = false;
    std::string other_key = "_other_";
    for (const auto& [name, value] : body.object()) {
      if (name == "filters") {
        spec.anonymous = value.is_array();
        for (const auto& query : value.array()) {
          HONRYU_TRY(auto parsed, ParseQuery(query));
          spec.filters.emplace_back("", std::move(parsed));
        }
        for (const auto& [key, query] : value.object()) {
          HONRYU_TRY(auto parsed, ParseQuery(query));
          spec.filters.emplace_back(key, std::move(parsed));
        }
      } else if (name == "other_bucket") {
        other = value.BoolOr(false);
      } else if (name == "other_bucket_key") {
        other = true;
        other_key = value.StringOr("_other_");
      } else {
        return ParsingError("[filters] unknown field [" + name + "]");
      }
    }
    if (other) spec.other_key = other_key;
    return Ok();
  }

  Result<bool> ReadMember(AggSpec& spec, const std::string& name, const Json& value) {
    if (name == "field") {
      spec.field = value.StringOr("");
    } else if (name == "missing") {
      HONRYU_TRY(spec.missing, ParseScalar(value));
      if ((spec.kind == Kind::kDateHistogram || spec.kind == Kind::kAutoDateHistogram) &&
          std::holds_alternative<std::string>(*spec.missing)) {
        HONRYU_TRY(const auto ms, DateBound(spec, value, false));
        spec.missing = static_cast<std::int64_t>(ms);
      }
    } else if (name == "keyed") {
      spec.keyed = value.BoolOr(spec.keyed);
    } else if (name == "precision" && (spec.kind == Kind::kGeohashGrid || spec.kind == Kind::kGeotileGrid)) {
      const auto precision = static_cast<std::int64_t>(ToDoubleOf(value));
      const std::int64_t least = spec.kind == Kind::kGeohashGrid ? 1 : 0;
      const std::int64_t most = spec.kind == Kind::kGeohashGrid ? 12 : 29;
      if (precision < least || precision > most)
        return Error(IllegalArgument("Invalid precision of " + std::to_string(precision) +
                                     ". Must be between " + std::to_string(least) + " and " +
                                     std::to_string(most)));
      spec.precision = static_cast<unsigned>(precision);
    } else if (name == "size" && (spec.kind == Kind::kTerms || spec.kind == Kind::kGeohashGrid ||
                                  spec.kind == Kind::kGeotileGrid)) {
      if (value.IntOr(-1) < 0) return Error(IllegalArgument("[size] must be greater than 0"));
      spec.size = static_cast<std::size_t>(value.IntOr(10));
    } else if (name == "buckets" && spec.kind == Kind::kAutoDateHistogram) {
      if (value.IntOr(0) < 1 || value.IntOr(0) >= kMostAutoBuckets)
        return Error(IllegalArgument("buckets must be greater than 0 and less than " +
                                     std::to_string(kMostAutoBuckets) + " for [" + spec.name + "]"));
      spec.size = static_cast<std::size_t>(value.IntOr(10));
    } else if (name == "minimum_interval" && spec.kind == Kind::kAutoDateHistogram) {
      spec.least_unit = ParseCalendarUnit(value.StringOr(""));
      if (!spec.least_unit || *spec.least_unit == CalendarUnit::kWeek ||
          *spec.least_unit == CalendarUnit::kQuarter)
        return Error(
            IllegalArgument("minimum_interval must be one of [year, month, day, hour, minute, "
                            "second]"));
    } else if (name == "min_doc_count") {
      spec.min_doc_count = static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.IntOr(1)));
    } else if (name == "order") {
      ReadOrder(spec, value);
    } else if (name == "include" || name == "exclude") {
      auto& list = name == "include" ? spec.include : spec.exclude;
      if (value.is_string())
        (name == "include" ? spec.include_pattern : spec.exclude_pattern) = value.StringOr("");
      if (value.is_object())
        return Error(ParsingError("[terms] [" + name + "] by partition is not supported"));
      for (const auto& key : value.array())
        list.push_back(key.is_string() ? std::string(key.StringOr("")) : key.Dump());
    } else if (name == "interval" || name == "fixed_interval" || name == "calendar_interval") {
      return ReadInterval(spec, name, value);
    } else if (name == "offset") {
      return ReadOffset(spec, value);
    } else if (name == "extended_bounds" || name == "hard_bounds") {
      AggSpec::Bounds bounds;
      const auto* low = value.Find("min");
      const auto* high = value.Find("max");
      if (low == nullptr || high == nullptr) return Error(ParsingError("[" + name + "] needs min and max"));
      HONRYU_TRY(bounds.min, BoundOf(spec, *low));
      HONRYU_TRY(bounds.max, BoundOf(spec, *high));
      (name == "extended_bounds" ? spec.extended_bounds : spec.hard_bounds) = bounds;
    } else if (name == "ranges") {
      return ReadRanges(spec, value);
    } else if (name == "percents" || name == "values") {
      spec.percents.clear();
      for (const auto& percent : value.array()) spec.percents.push_back(ToDoubleOf(percent));
    } else if (name == "sigma") {
      spec.sigma = value.DoubleOr(2);
    } else {
      // Hints that change no answer here: results are exact.
      constexpr std::array<std::string_view, 15> kHints = {"shard_size",
                                                           "shard_min_doc_count",
                                                           "execution_hint",
                                                           "collect_mode",
                                                           "show_term_doc_count_error",
                                                           "time_zone",
                                                           "format",
                                                           "precision_threshold",
                                                           "rehash",
                                                           "tdigest",
                                                           "hdr",
                                                           "compression",
                                                           "value_type",
                                                           "min_bucket_count",
                                                           "number_of_significant_value_digits"};
      return std::find(kHints.begin(), kHints.end(), name) != kHints.end();
    }
    return true;
  }

  static double ToDoubleOf(const Json& json) {
    if (json.is_number()) return json.DoubleOr(0);
    return ToDouble(Scalar(std::string(json.StringOr("")))).value_or(0);
  }

  static void ReadOrder(AggSpec& spec, const Json& value) {
    const auto one = [&spec](const Json& order) {
      for (const auto& [path, direction] : order.object())
        spec.order.push_back(
            {path, direction.StringOr("desc") != "asc" && direction.StringOr("desc") != "ASC"});
    };
    spec.order.clear();
    one(value);
    for (const auto& order : value.array()) one(order);
  }

  static Result<bool> ReadInterval(AggSpec& spec, const std::string& name, const Json& value) {
    if (spec.kind == Kind::kHistogram) {
      spec.interval = ToDoubleOf(value);
      return true;
    }
    const auto text = value.is_string() ? std::string(value.StringOr("")) : value.Dump() + "ms";
    if (name != "fixed_interval") spec.calendar = ParseCalendarUnit(text);
    // Minutes and less are the same everywhere, whatever the calendar.
    if (!spec.calendar || name == "interval") {
      if (const auto fixed = ParseFixedInterval(text)) {
        spec.interval_ms = *fixed;
        if (name == "interval" && *fixed < 3'600'000) spec.calendar.reset();
      }
    }
    if (!spec.calendar && spec.interval_ms == 0)
      return Error(
          IllegalArgument("failed to parse setting [date_histogram." + name + "] with value [" + text + "]"));
    return true;
  }

  static Result<bool> ReadOffset(AggSpec& spec, const Json& value) {
    if (spec.kind == Kind::kHistogram || value.is_number()) {
      spec.offset = ToDoubleOf(value);
      return true;
    }
    auto text = value.StringOr("");
    const bool back = text.starts_with('-');
    if (back || text.starts_with('+')) text.remove_prefix(1);
    const auto ms = text == "0" ? std::optional<std::int64_t>(0) : ParseFixedInterval(text);
    if (!ms) return Error(IllegalArgument("failed to parse [offset] with value [" + std::string(text) + "]"));
    spec.offset = static_cast<double>(back ? -*ms : *ms);
    return true;
  }

  Result<double> DateBound(const AggSpec& spec, const Json& value, bool round_up) const {
    if (value.is_number()) return value.DoubleOr(0);
    DateReading reading;
    reading.format =
        spec.format.empty() || spec.format == "epoch_millis" ? "" : std::string_view(spec.format);
    reading.zone = spec.zone;
    reading.now_ms = now_ms_;
    reading.round_up = round_up;
    HONRYU_TRY(const auto ms, ParseDate(value.StringOr(""), reading));
    return static_cast<double>(ms);
  }
  Result<double> BoundOf(const AggSpec& spec, const Json& value) const {
    if (spec.kind == Kind::kDateHistogram) return DateBound(spec, value, false);
    return ToDoubleOf(value);
  }

  Result<bool> ReadRanges(AggSpec& spec, const Json& value) const {
    for (const auto& json : value.array()) {
      AggSpec::Range range;
      if (const auto* key = json.Find("key")) range.key = key->StringOr("");
      for (const auto* name : {"from", "to"}) {
        const auto* bound = json.Find(name);
        if (bound == nullptr) continue;
        auto& place = std::string_view(name) == "from" ? range.from : range.to;
        if (spec.kind == Kind::kDateRange) {
          HONRYU_TRY(place, DateBound(spec, *bound, false));
        } else {
          place = ToDoubleOf(*bound);
        }
      }
      spec.ranges.push_back(std::move(range));
    }
    return true;
  }

  std::int64_t now_ms_;
};

}  // namespace

Result<std::vector<AggSpec>> ParseAggs(const Json& json, std::int64_t now_ms,
                                       std::vector<NamedPipeline>* pipelines) {
  return Reader(now_ms).ReadAll(json, kMaxDepth, *pipelines);
}

}  // namespace honryu::search
