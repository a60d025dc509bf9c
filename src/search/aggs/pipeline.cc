#include "search/aggs/pipeline.h"

#include "honryu/search/api_error.h"
#include "search/aggs/expression.h"
#include "search/query/date_math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

namespace honryu::search {
namespace {

using codec::Json;
using Kind = PipelineSpec::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 13> kKinds = {
    {{"derivative", Kind::kDerivative},
     {"cumulative_sum", Kind::kCumulativeSum},
     {"moving_avg", Kind::kMovingAverage},
     {"moving_fn", Kind::kMovingFunction},
     {"serial_diff", Kind::kSerialDifference},
     {"bucket_script", Kind::kBucketScript},
     {"bucket_selector", Kind::kBucketSelector},
     {"bucket_sort", Kind::kBucketSort},
     {"avg_bucket", Kind::kAvgBucket},
     {"sum_bucket", Kind::kSumBucket},
     {"min_bucket", Kind::kMinBucket},
     {"max_bucket", Kind::kMaxBucket},
     {"stats_bucket", Kind::kStatsBucket}}};
bool BesideItsBuckets(Kind kind) { return kind >= Kind::kAvgBucket; }

constexpr std::array<std::string_view, 7> kFunctions = {
    "max", "min", "sum", "stdDev", "unweightedAvg", "linearWeightedAvg", "ewma"};

void Set(Json& object, const std::string& name, Json value) {
  Json::Object members = object.object();
  std::erase_if(members, [&name](const auto& member) { return member.first == name; });
  members.emplace_back(name, std::move(value));
  object = Json(std::move(members));
}

Json Number(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return Json();
  return Json(Json::Value(*value));
}

std::optional<double> Plain(const Json* json) {
  if (json == nullptr || !json->is_number()) return std::nullopt;
  return json->DoubleOr(0);
}

/// A metric's number: its "value", or the property asked for.
std::optional<double> MetricOf(const Json& metric, const std::string& property) {
  if (property.empty()) return Plain(metric.Find("value"));
  if (const auto direct = Plain(metric.Find(property))) return direct;
  const Json* values = metric.Find("values");
  if (values == nullptr) return std::nullopt;
  for (const std::string& name : {property, property + ".0"})
    if (const auto found = Plain(values->Find(name))) return found;
  return std::nullopt;
}

/// The number at a path below a bucket; none where there is none.
std::optional<double> ValueAt(const Json& bucket, std::string_view path) {
  if (path == "_count") return Plain(bucket.Find("doc_count"));
  if (path == "_key") return Plain(bucket.Find("key"));
  const auto arrow = path.find('>');
  const std::string step(path.substr(0, arrow));
  if (arrow != std::string_view::npos) {
    const Json* inner = bucket.Find(step);
    return inner == nullptr ? std::nullopt : ValueAt(*inner, path.substr(arrow + 1));
  }
  if (const Json* metric = bucket.Find(step)) return MetricOf(*metric, "");
  // "NAME.PROPERTY" or "NAME[PROPERTY]"; the name may hold dots itself.
  const bool bracket = step.ends_with(']') && step.find('[') != std::string::npos;
  for (auto cut = bracket ? step.find('[') : step.find('.'); cut != std::string::npos;
       cut = bracket ? std::string::npos : step.find('.', cut + 1)) {
    const Json* metric = bucket.Find(step.substr(0, cut));
    if (metric == nullptr) continue;
    auto property = step.substr(cut + 1);
    if (bracket) property.pop_back();
    return MetricOf(*metric, property);
  }
  return std::nullopt;
}

std::string FirstName(std::string_view path) {
  return std::string(path.substr(0, std::min({path.find('>'), path.find('['), path.size()})));
}

/// Computes the pipelines inside one aggregation over its buckets.
class OverBuckets {
 public:
  explicit OverBuckets(std::vector<Json>& buckets) : buckets_(buckets) {}

  Result<void> Compute(const NamedPipeline& pipeline) {
    const PipelineSpec& spec = pipeline.spec;
    switch (spec.kind) {
      case Kind::kDerivative:
        return Derivative(pipeline);
      case Kind::kCumulativeSum: {
        double sum = 0;
        for (Json& bucket : buckets_) {
          sum += ValueAt(bucket, spec.paths[0].path).value_or(0);
          Put(bucket, pipeline, sum);
        }
        return Ok();
      }
      case Kind::kMovingAverage:
      case Kind::kMovingFunction:
        return Moving(pipeline);
      case Kind::kSerialDifference: {
        const auto values = Values(spec);
        for (std::size_t i = spec.lag; i < buckets_.size(); ++i)
          if (values[i] && values[i - spec.lag])
            Put(buckets_[i], pipeline, *values[i] - *values[i - spec.lag]);
        return Ok();
      }
      case Kind::kBucketScript:
      case Kind::kBucketSelector:
        return Script(pipeline);
      case Kind::kBucketSort:
        Sort(spec);
        return Ok();
      default:
        return IllegalArgument("[" + pipeline.name +
                               "] must stand beside the aggregation whose buckets it reads");
    }
  }

 private:
  static void Put(Json& bucket, const NamedPipeline& pipeline, std::optional<double> value) {
    Json::Object result;
    if (!pipeline.spec.meta.empty())
      if (auto meta = Json::Parse(pipeline.spec.meta); meta.ok())
        result.emplace_back("meta", std::move(*meta));
    result.emplace_back("value", Number(value));
    Set(bucket, pipeline.name, Json(std::move(result)));
  }

  std::vector<std::optional<double>> Values(const PipelineSpec& spec) const {
    std::vector<std::optional<double>> values;
    for (const Json& bucket : buckets_) {
      auto value = ValueAt(bucket, spec.paths[0].path);
      if (!value && spec.insert_zeros) value = 0;
      values.push_back(value);
    }
    return values;
  }

  Result<void> Derivative(const NamedPipeline& pipeline) {
    const auto values = Values(pipeline.spec);
    std::optional<std::size_t> last;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if (!values[i]) continue;
      if (last) {
        const double change = *values[i] - *values[*last];
        Put(buckets_[i], pipeline, change);
        const auto from = Plain(buckets_[*last].Find("key")), to = Plain(buckets_[i].Find("key"));
        if (pipeline.spec.unit_ms > 0 && from && to && *to > *from) {
          Json result = *buckets_[i].Find(pipeline.name);
          Set(result, "normalized_value", Number(change / ((*to - *from) / pipeline.spec.unit_ms)));
          Set(buckets_[i], pipeline.name, std::move(result));
        }
      }
      last = i;
    }
    return Ok();
  }

  static std::optional<double> Average(const PipelineSpec& spec, const std::vector<double>& window) {
    const std::string& how = spec.kind == Kind::kMovingAverage ? spec.model : spec.function;
    if (window.empty() && how != "sum") return std::nullopt;
    const double sum = std::accumulate(window.begin(), window.end(), 0.0);
    const auto count = static_cast<double>(window.size());
    if (how == "sum") return sum;
    if (how == "max") return *std::max_element(window.begin(), window.end());
    if (how == "min") return *std::min_element(window.begin(), window.end());
    if (how == "stdDev") {
      double squares = 0;
      for (const double value : window) squares += (value - sum / count) * (value - sum / count);
      return std::sqrt(squares / count);
    }
    if (how == "linear" || how == "linearWeightedAvg") {
      double total = 0, weights = 0, weight = 1;
      for (const double value : window) {
        total += value * weight;
        weights += weight;
        weight += 1;
      }
      return total / weights;
    }
    if (how == "ewma") {
      double average = window[0];
      for (std::size_t i = 1; i < window.size(); ++i)
        average = spec.alpha * window[i] + (1 - spec.alpha) * average;
      return average;
    }
    return sum / count;
  }

  /// The window of a bucket ends before it, as in OpenSearch; moving_fn moves it by `shift`.
  Result<void> Moving(const NamedPipeline& pipeline) {
    const PipelineSpec& spec = pipeline.spec;
    const auto values = Values(spec);
    std::vector<double> known;        // the values that are there
    std::vector<std::size_t> bucket;  // and whose they are
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i]) {
        known.push_back(*values[i]);
        bucket.push_back(i);
      }
    for (std::size_t i = 0; i < known.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i) + spec.shift,
                 size = static_cast<std::int64_t>(known.size());
      const auto end = std::clamp<std::int64_t>(at, 0, size);
      const auto begin = std::clamp<std::int64_t>(at - static_cast<std::int64_t>(spec.window), 0, size);
      const std::vector<double> window(known.begin() + begin, known.begin() + end);
      if (window.empty() && spec.kind == Kind::kMovingAverage) continue;
      Put(buckets_[bucket[i]], pipeline, Average(spec, window));
    }
    return Ok();
  }

  Result<void> Script(const NamedPipeline& pipeline) {
    const PipelineSpec& spec = pipeline.spec;
    HONRYU_TRY(const auto expression, Expression::Parse(spec.script));
    std::vector<Json> kept;
    for (Json& bucket : buckets_) {
      std::map<std::string, double, std::less<>> params;
      bool whole = true;
      for (const auto& path : spec.paths) {
        auto value = ValueAt(bucket, path.path);
        if (!value && spec.insert_zeros) value = 0;
        whole = whole && value.has_value();
        if (value) params[path.variable] = *value;
      }
      if (spec.kind == Kind::kBucketScript) {
        if (whole) Put(bucket, pipeline, expression.Evaluate(params));
      } else if (whole && expression.Evaluate(params) != 0) {
        kept.push_back(std::move(bucket));
      }
    }
    if (spec.kind == Kind::kBucketSelector) buckets_ = std::move(kept);
    return Ok();
  }

  void Sort(const PipelineSpec& spec) {
    struct Keyed {
      std::vector<std::optional<double>> keys;
      std::size_t place = 0;
    };
    std::vector<Keyed> order(buckets_.size());
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      order[i].place = i;
      for (const auto& key : spec.sort) order[i].keys.push_back(ValueAt(buckets_[i], key.path));
    }
    std::sort(order.begin(), order.end(), [&spec](const Keyed& a, const Keyed& b) {
      for (std::size_t k = 0; k < spec.sort.size(); ++k) {
        if (a.keys[k].has_value() != b.keys[k].has_value()) return a.keys[k].has_value();
        if (a.keys[k] && *a.keys[k] != *b.keys[k])
          return spec.sort[k].descending ? *a.keys[k] > *b.keys[k] : *a.keys[k] < *b.keys[k];
      }
      return a.place < b.place;
    });
    std::vector<Json> sorted;
    for (std::size_t i = spec.from; i < order.size() && sorted.size() < spec.size.value_or(order.size()); ++i)
      sorted.push_back(std::move(buckets_[order[i].place]));
    buckets_ = std::move(sorted);
  }

  std::vector<Json>& buckets_;
};

/// avg_bucket and the like: over the buckets of an aggregation beside it.
Result<Json> OverSibling(const Json& results, const NamedPipeline& pipeline) {
  const std::string& path = pipeline.spec.paths[0].path;
  const auto arrow = path.find('>');
  const Json* sibling = results.Find(path.substr(0, arrow));
  const Json* list = sibling != nullptr ? sibling->Find("buckets") : nullptr;
  if (arrow == std::string::npos || list == nullptr)
    return Error(IllegalArgument("no aggregation with buckets found for path [" + path + "]"));
  std::vector<std::pair<std::string, double>> values;
  const auto take = [&](const std::string& name, const Json& bucket) {
    auto value = ValueAt(bucket, std::string_view(path).substr(arrow + 1));
    if (!value && pipeline.spec.insert_zeros) value = 0;
    if (!value) return;
    const Json* text = bucket.Find("key_as_string");
    const Json* key = bucket.Find("key");
    values.emplace_back(text != nullptr  ? std::string(text->StringOr(""))
                        : key != nullptr ? (key->is_string() ? std::string(key->StringOr("")) : key->Dump())
                                         : name,
                        *value);
  };
  for (const Json& bucket : list->array()) take("", bucket);
  for (const auto& [name, bucket] : list->object()) take(name, bucket);
  Json::Object result;
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  std::optional<double> least, greatest;
  for (const auto& [key, value] : values) {
    sum += value;
    least = std::min(least.value_or(value), value);
    greatest = std::max(greatest.value_or(value), value);
  }
  const auto average = values.empty() ? std::nullopt : std::optional<double>(sum / count);
  switch (pipeline.spec.kind) {
    case Kind::kAvgBucket:
      result.emplace_back("value", Number(average));
      break;
    case Kind::kSumBucket:
      result.emplace_back("value", Number(sum));
      break;
    case Kind::kStatsBucket:
      result.emplace_back("count", Json(Json::Value(static_cast<std::int64_t>(values.size()))));
      result.emplace_back("min", Number(least));
      result.emplace_back("max", Number(greatest));
      result.emplace_back("avg", Number(average));
      result.emplace_back("sum", Number(sum));
      break;
    default: {
      const auto wanted = pipeline.spec.kind == Kind::kMinBucket ? least : greatest;
      Json::Array keys;
      for (const auto& [key, value] : values)
        if (value == wanted) keys.emplace_back(Json::Value(key));
      result.emplace_back("value", Number(wanted));
      result.emplace_back("keys", Json(std::move(keys)));
    }
  }
  return Json(std::move(result));
}

Result<Json> Apply(const Json& results, const std::vector<AggSpec>& specs,
                   const std::vector<NamedPipeline>& pipelines);

/// The pipelines inside one aggregation, in the order that their paths ask for.
Result<void> ApplyInside(const AggSpec& spec, std::vector<Json>& buckets) {
  std::vector<const NamedPipeline*> left;
  for (const auto& pipeline : spec.pipelines)
    if (!BesideItsBuckets(pipeline.spec.kind)) left.push_back(&pipeline);
  const auto waits_for = [&left](const NamedPipeline& pipeline) {
    return std::any_of(pipeline.spec.paths.begin(), pipeline.spec.paths.end(), [&](const auto& path) {
      return std::any_of(left.begin(), left.end(), [&](const auto* other) {
        return other != &pipeline && other->name == FirstName(path.path);
      });
    });
  };
  const auto known = [&spec](const std::string& path) {
    if (path == "_count" || path == "_key" || path == "_bucket_count") return true;
    const auto starts = [&path](const std::string& name) {
      return path == name || path.starts_with(name + ".") || path.starts_with(name + ">") ||
             path.starts_with(name + "[");
    };
    return std::any_of(spec.children.begin(), spec.children.end(),
                       [&](const auto& c) { return starts(c.name); }) ||
           std::any_of(spec.pipelines.begin(), spec.pipelines.end(),
                       [&](const auto& p) { return starts(p.name); });
  };
  while (!left.empty()) {
    const auto next = std::find_if(left.begin(), left.end(), [&](const auto* p) { return !waits_for(*p); });
    if (next == left.end()) return IllegalArgument("Cyclical dependency found with [" + left[0]->name + "]");
    const NamedPipeline& pipeline = **next;
    for (const auto& path : pipeline.spec.paths)
      if (!known(path.path))
        return IllegalArgument("No aggregation found for path [" + path.path + "] of [" + pipeline.name +
                               "]");
    HONRYU_TRY_VOID(OverBuckets(buckets).Compute(pipeline));
    left.erase(next);
  }
  return Ok();
}

std::vector<NamedPipeline> Beside(const std::vector<NamedPipeline>& pipelines) {
  std::vector<NamedPipeline> beside;
  for (const auto& pipeline : pipelines)
    if (BesideItsBuckets(pipeline.spec.kind)) beside.push_back(pipeline);
  return beside;
}

Result<Json> ApplyToOne(const Json& result, const AggSpec& spec) {
  const Json* list = result.Find("buckets");
  const auto beside = Beside(spec.pipelines);
  if (list == nullptr) return Apply(result, spec.children, beside);  // a single bucket, or a metric
  Json changed = result;
  if (list->is_object()) {
    Json::Object members;
    for (const auto& [name, bucket] : list->object()) {
      HONRYU_TRY(auto inner, Apply(bucket, spec.children, beside));
      members.emplace_back(name, std::move(inner));
    }
    std::vector<Json> buckets;
    for (auto& member : members) buckets.push_back(member.second);
    HONRYU_TRY_VOID(ApplyInside(spec, buckets));
    for (std::size_t i = 0; i < members.size() && i < buckets.size(); ++i) members[i].second = buckets[i];
    Set(changed, "buckets", Json(std::move(members)));
    return changed;
  }
  std::vector<Json> buckets;
  for (const Json& bucket : list->array()) {
    HONRYU_TRY(auto inner, Apply(bucket, spec.children, beside));
    buckets.push_back(std::move(inner));
  }
  HONRYU_TRY_VOID(ApplyInside(spec, buckets));
  Set(changed, "buckets", Json(Json::Array(std::move(buckets))));
  return changed;
}

Result<Json> Apply(const Json& results, const std::vector<AggSpec>& specs,
                   const std::vector<NamedPipeline>& pipelines) {
  Json::Object members;
  for (const auto& [name, value] : results.object()) {
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&n = name](const auto& s) { return s.name == n; });
    if (spec == specs.end()) {
      members.emplace_back(name, value);
      continue;
    }
    HONRYU_TRY(auto changed, ApplyToOne(value, *spec));
    members.emplace_back(name, std::move(changed));
  }
  Json whole(std::move(members));
  for (const auto& pipeline : pipelines) {
    if (!BesideItsBuckets(pipeline.spec.kind))
      return Error(IllegalArgument("[" + pipeline.name + "] must stand inside an aggregation with buckets"));
    HONRYU_TRY(auto result, OverSibling(whole, pipeline));
    Set(whole, pipeline.name, std::move(result));
  }
  return whole;
}

Result<void> ReadScript(PipelineSpec& spec, const Json& value) {
  const Json* source = value.Find("source");
  if (source == nullptr) source = value.Find("inline");
  spec.script = source != nullptr ? source->StringOr("") : value.StringOr("");
  if (spec.kind != Kind::kMovingFunction) {
    const auto parsed = Expression::Parse(spec.script);
    if (!parsed.ok()) return parsed.error();
    return Ok();
  }
  // "MovingFunctions.NAME(values…)"
  constexpr std::string_view kBefore = "MovingFunctions.";
  const auto at = spec.script.find(kBefore);
  if (at != std::string::npos) {
    const auto begin = at + kBefore.size();
    spec.function = spec.script.substr(begin, spec.script.find('(', begin) - begin);
  }
  if (spec.function == "ewma") {
    const auto comma = spec.script.find(',');
    if (comma != std::string::npos) spec.alpha = std::strtod(spec.script.c_str() + comma + 1, nullptr);
  }
  if (std::find(kFunctions.begin(), kFunctions.end(), spec.function) == kFunctions.end())
    return IllegalArgument("moving_fn: unsupported script [" + spec.script +
                           "]: expected MovingFunctions.NAME(values)");
  return Ok();
}

}  // namespace

std::optional<Kind> PipelineKind(std::string_view type) {
  for (const auto& [name, kind] : kKinds)
    if (name == type) return kind;
  return std::nullopt;
}

Result<PipelineSpec> ParsePipeline(Kind kind, const std::string& name, const std::string& type,
                                   const Json& body) {
  PipelineSpec spec;
  spec.kind = kind;
  for (const auto& [member, value] : body.object()) {
    if (value.is_null()) continue;
    if (member == "buckets_path") {
      if (value.is_string()) spec.paths.push_back({"", std::string(value.StringOr(""))});
      for (const Json& path : value.array()) spec.paths.push_back({"", std::string(path.StringOr(""))});
      for (const auto& [variable, path] : value.object())
        spec.paths.push_back({variable, std::string(path.StringOr(""))});
    } else if (member == "gap_policy") {
      spec.insert_zeros = value.StringOr("skip") == "insert_zeros";
    } else if (member == "unit" && kind == Kind::kDerivative) {
      const auto text = std::string(value.StringOr(""));
      const auto ms = ParseFixedInterval(text);
      if (!ms) return IllegalArgument("failed to parse setting [derivative.unit] with value [" + text + "]");
      spec.unit_ms = static_cast<double>(*ms);
    } else if (member == "window") {
      if (value.IntOr(0) < 1) return IllegalArgument("[window] must be a positive, non-zero integer.");
      spec.window = static_cast<std::size_t>(value.IntOr(5));
    } else if (member == "shift") {
      spec.shift = std::clamp<std::int64_t>(value.IntOr(0), -1'000'000, 1'000'000);
    } else if (member == "lag") {
      const auto lag = value.is_string() ? std::strtol(std::string(value.StringOr("")).c_str(), nullptr, 10)
                                         : value.IntOr(0);
      if (lag < 1) return IllegalArgument("[lag] must be a positive integer");
      spec.lag = static_cast<std::size_t>(lag);
    } else if (member == "model") {
      spec.model = value.StringOr("simple");
      if (spec.model != "simple" && spec.model != "linear" && spec.model != "ewma")
        return IllegalArgument("moving_avg: unsupported model [" + spec.model +
                               "]: expected simple, linear or ewma");
    } else if (member == "settings") {
      if (const Json* alpha = value.Find("alpha")) spec.alpha = alpha->DoubleOr(0.3);
    } else if (member == "script") {
      HONRYU_TRY_VOID(ReadScript(spec, value));
    } else if (member == "sort" && kind == Kind::kBucketSort) {
      const auto one = [&spec](const Json& sort) {
        if (sort.is_string()) spec.sort.push_back({std::string(sort.StringOr("")), false});
        for (const auto& [path, order] : sort.object()) {
          const Json* direction = order.Find("order");
          spec.sort.push_back({path, (direction != nullptr ? *direction : order).StringOr("asc") == "desc"});
        }
      };
      if (!value.is_array()) one(value);
      for (const Json& sort : value.array()) one(sort);
    } else if ((member == "from" || member == "size") && kind == Kind::kBucketSort) {
      if (value.IntOr(-1) < 0) return IllegalArgument("[" + member + "] must not be negative");
      if (member == "from")
        spec.from = static_cast<std::size_t>(value.IntOr(0));
      else
        spec.size = static_cast<std::size_t>(value.IntOr(0));
    } else if (member != "format" && member != "minimize" && member != "predict") {
      return ParsingError("[" + type + "] unknown field [" + member + "]");
    }
  }
  if (spec.paths.empty() && kind != Kind::kBucketSort)
    return ParsingError("Required [buckets_path] for [" + name + "]");
  if ((kind == Kind::kBucketScript || kind == Kind::kBucketSelector || kind == Kind::kMovingFunction) &&
      spec.script.empty())
    return ParsingError("Required [script] for [" + name + "]");
  return spec;
}

bool AnyPipeline(const std::vector<AggSpec>& specs, const std::vector<NamedPipeline>& pipelines) {
  return !pipelines.empty() || std::any_of(specs.begin(), specs.end(), [](const AggSpec& spec) {
    return AnyPipeline(spec.children, spec.pipelines);
  });
}

Result<Json> ApplyPipelines(const Json& results, const std::vector<AggSpec>& specs,
                            const std::vector<NamedPipeline>& pipelines) {
  return Apply(results, specs, pipelines);
}

}  // namespace honryu::search
