#include "search/aggs/aggregation.h"

namespace honryu::search {
namespace {

constexpr std::uint32_t kSmallDictionary = 4096;
/// What an empty aggregation takes, about: a bucket with aggregations inside is charged it for each.
constexpr std::size_t kInnerBytes = 256;

}  // namespace

Result<void> AggContext::Reserve(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ <= limits_.memory_bytes) return Ok();
  return Error(ErrorCode::kOverloaded, "circuit_breaking_exception: aggregations would need more than " +
                                           std::to_string(limits_.memory_bytes) + " bytes");
}

Result<void> AggContext::CountBuckets(std::size_t buckets) {
  buckets_ += buckets;
  if (buckets_ <= limits_.buckets) return Ok();
  return Error(
      ErrorCode::kTooLarge,
      "too_many_buckets_exception: trying to create too many buckets, must be less than or equal to: [" +
          std::to_string(limits_.buckets) + "]");
}

Result<const DocSet*> AggSegment::Filter(const Query& query) {
  const auto found = filters_.find(&query);
  if (found != filters_.end()) return &found->second;
  HONRYU_TRY(auto docs, matcher_.Match(query));
  return &filters_.emplace(&query, std::move(docs)).first->second;
}

const std::vector<std::string>* AggSegment::SmallTerms(const KeywordColumn& column) {
  if (column.terms.size() > kSmallDictionary) return nullptr;
  auto [found, fresh] = terms_.try_emplace(&column);
  if (fresh) {
    found->second.resize(column.terms.size());
    column.terms.Scan(0, [&terms = found->second](BytesView term, const TermEntry& entry) {
      if (entry.ordinal < terms.size()) terms[entry.ordinal] = term;
      return true;
    });
  }
  return &found->second;
}

std::unique_ptr<Aggregation> MakeAggregation(const AggSpec& spec, AggContext& context) {
  switch (spec.kind) {
    case AggSpec::Kind::kTerms:
      return MakeTerms(spec, context);
    case AggSpec::Kind::kDateHistogram:
    case AggSpec::Kind::kHistogram:
      return MakeHistogram(spec, context);
    case AggSpec::Kind::kRange:
    case AggSpec::Kind::kDateRange:
    case AggSpec::Kind::kFilter:
    case AggSpec::Kind::kFilters:
    case AggSpec::Kind::kMissing:
    case AggSpec::Kind::kGlobal:
      return MakeFilters(spec, context);
    case AggSpec::Kind::kTopHits:
      return MakeTopHits(spec, context);
    case AggSpec::Kind::kComposite:
      return MakeComposite(spec, context);
    case AggSpec::Kind::kGeohashGrid:
    case AggSpec::Kind::kGeotileGrid:
      return MakeGeoGrid(spec, context);
    case AggSpec::Kind::kMultiTerms:
      return MakeMultiTerms(spec, context);
    case AggSpec::Kind::kAutoDateHistogram:
      return MakeAutoHistogram(spec, context);
    case AggSpec::Kind::kWeightedAvg:
      return MakeWeightedAvg(spec, context);
    default:
      return MakeMetric(spec, context);
  }
}

Result<void> Bucket::Add(const AggSpec& parent, AggContext& context, AggSegment& segment,
                         std::span<const std::uint32_t> docs) {
  HONRYU_TRY_VOID(context.query().limits.Check());
  count += docs.size();
  if (inner.empty() && !parent.children.empty()) {
    HONRYU_TRY_VOID(context.Reserve(kInnerBytes * parent.children.size()));
    for (const auto& child : parent.children) inner.push_back(MakeAggregation(child, context));
  }
  for (auto& aggregation : inner) HONRYU_TRY_VOID(aggregation->Collect(segment, docs));
  return Ok();
}

Result<void> Bucket::Write(const AggSpec& parent, AggContext& context, codec::JsonWriter& out) {
  out.Key("doc_count");
  out.Uint(count);
  if (inner.empty())
    for (const auto& child : parent.children) inner.push_back(MakeAggregation(child, context));
  return WriteAggregations(inner, out);
}

std::optional<double> Bucket::Metric(std::string_view path) const {
  if (path == "_count") return static_cast<double>(count);
  for (const auto& aggregation : inner)
    if (aggregation->spec().name == path) return aggregation->Metric({});
  for (const auto& aggregation : inner) {
    const std::string& name = aggregation->spec().name;
    if (!path.starts_with(name) || path.size() <= name.size()) continue;
    const char next = path[name.size()];
    std::string_view rest = path.substr(name.size() + 1);
    if (next == '[' && rest.ends_with(']')) rest.remove_suffix(1);
    if (next == '>' || next == '.' || next == '[') return aggregation->Metric(rest);
  }
  return std::nullopt;
}

Result<void> WriteAggregations(std::vector<std::unique_ptr<Aggregation>>& all, codec::JsonWriter& out) {
  for (auto& aggregation : all) {
    out.Key(aggregation->spec().name);
    out.BeginObject();
    if (!aggregation->spec().meta.empty()) {
      out.Key("meta");
      out.Raw(aggregation->spec().meta);
    }
    HONRYU_TRY_VOID(aggregation->Write(out));
    out.EndObject();
  }
  return Ok();
}

AggCollector::AggCollector(const std::vector<AggSpec>& specs, const QueryContext& context, AggLimits limits)
    : query_(context), context_(context, limits) {
  for (const auto& spec : specs) all_.push_back(MakeAggregation(spec, context_));
}

Result<void> AggCollector::Collect(const IndexedSegment& segment, const DocSet& docs) {
  AggSegment shared(segment, query_);
  const auto list = docs.ToVector();
  for (auto& aggregation : all_)
    if (!list.empty() || aggregation->spec().kind == AggSpec::Kind::kGlobal)
      HONRYU_TRY_VOID(aggregation->Collect(shared, list));
  return Ok();
}

Result<void> AggCollector::Write(codec::JsonWriter& out) {
  out.BeginObject();
  HONRYU_TRY_VOID(WriteAggregations(all_, out));
  out.EndObject();
  return Ok();
}

}  // namespace honryu::search
