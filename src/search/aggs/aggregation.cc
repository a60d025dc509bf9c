#include "search/aggs/aggregation.h"

#include "honryu/codec/endian.h"

#include <algorithm>

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

Result<void> Aggregation::Absorb(const Aggregation&) {
  return Error(ErrorCode::kInternal, "an aggregation of this kind cannot be absorbed");
}

bool Aggregation::Absorbs(const AggSpec& spec) {
  using Kind = AggSpec::Kind;
  switch (spec.kind) {
    case Kind::kTerms:
    case Kind::kDateHistogram:
    case Kind::kHistogram:
    case Kind::kFilter:
    case Kind::kFilters:
    case Kind::kMissing:
    case Kind::kMin:
    case Kind::kMax:
    case Kind::kAvg:
    case Kind::kSum:
    case Kind::kStats:
    case Kind::kExtendedStats:
    case Kind::kValueCount:
    case Kind::kCardinality:
    case Kind::kPercentiles:
    case Kind::kPercentileRanks:
      return std::all_of(spec.children.begin(), spec.children.end(), Absorbs);
    default:
      return false;
  }
}

Result<void> Bucket::Absorb(const AggSpec& parent, AggContext& context, const Bucket& other) {
  count += other.count;
  if (other.inner.empty()) return Ok();
  if (inner.empty()) {
    HONRYU_TRY_VOID(context.Reserve(kInnerBytes * parent.children.size()));
    for (const auto& child : parent.children) inner.push_back(MakeAggregation(child, context));
  }
  for (std::size_t i = 0; i < inner.size(); ++i) HONRYU_TRY_VOID(inner[i]->Absorb(*other.inner[i]));
  return Ok();
}

Result<void> Bucket::Settle() {
  for (auto& aggregation : inner) HONRYU_TRY_VOID(aggregation->Settle());
  return Ok();
}

/// The state of a request's aggregations for one segment, with all that it refers to.
struct AggPartial {
  AggPartial(const std::vector<AggSpec>& of, const QueryContext& at, std::uint64_t matches)
      : specs(of), query(at), context(query, AggLimits{}), matched(matches) {
    for (const auto& spec : specs) all.push_back(MakeAggregation(spec, context));
  }
  const std::vector<AggSpec> specs;
  QueryContext query;  ///< Without the limits of the request once it is kept.
  AggContext context;
  std::vector<std::unique_ptr<Aggregation>> all;
  std::uint64_t matched;
};

AggCollector::AggCollector(const std::vector<AggSpec>& specs, const QueryContext& context, AggLimits limits,
                           AggCache* cache, AggCacheKey key)
    : query_(context), context_(context, limits), specs_(specs), cache_(cache), key_(std::move(key)) {
  for (const auto& spec : specs) all_.push_back(MakeAggregation(spec, context_));
  if (key_.text.empty() || !std::all_of(specs.begin(), specs.end(), Aggregation::Absorbs)) cache_ = nullptr;
}

Result<std::optional<std::uint64_t>> AggCollector::Recall(const IndexedSegment& segment,
                                                          SegmentMatcher& matcher) {
  pending_.clear();
  if (cache_ == nullptr) return std::optional<std::uint64_t>();
  std::string key;
  codec::AppendU64(key, segment.segment->number());
  codec::AppendU32(key, segment.deleted != nullptr ? segment.deleted->size() : 0);
  if (segment.filter != nullptr) {
    // What depends on the time of asking is not remembered.
    if (segment.filter->text.find("now") != std::string::npos) return std::optional<std::uint64_t>();
    codec::AppendU32(key, static_cast<std::uint32_t>(segment.filter->text.size()));
    key += segment.filter->text;
  }
  for (const auto* range : key_.ranges) {
    HONRYU_TRY(const auto docs, matcher.Match(*range));
    if (docs.empty()) return std::optional<std::uint64_t>(0);
    codec::AppendU32(key, docs.size());
    if (!docs.all()) codec::AppendU64(key, docs.Hash());
  }
  key += key_.text;
  const auto found = cache_->Find(key);
  if (found == nullptr) {
    pending_ = std::move(key);
    return std::optional<std::uint64_t>();
  }
  for (std::size_t i = 0; i < all_.size(); ++i) HONRYU_TRY_VOID(all_[i]->Absorb(*found->all[i]));
  return std::optional<std::uint64_t>(found->matched);
}

Result<void> AggCollector::Collect(const IndexedSegment& segment, const DocSet& docs) {
  AggSegment shared(segment, query_);
  std::vector<std::uint32_t> some;
  std::span<const std::uint32_t> list;
  if (docs.all()) {
    for (auto i = static_cast<std::uint32_t>(numbers_.size()); i < docs.size(); ++i) numbers_.push_back(i);
    list = std::span(numbers_).first(docs.size());
  } else {
    some = docs.ToVector();
    list = some;
  }
  if (!pending_.empty()) {
    const auto partial = std::make_shared<AggPartial>(specs_, query_, list.size());
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (!list.empty()) HONRYU_TRY_VOID(partial->all[i]->Collect(shared, list));
      HONRYU_TRY_VOID(all_[i]->Absorb(*partial->all[i]));
    }
    // What takes too much memory to be kept is not kept, and has been counted already.
    const bool settled = std::all_of(partial->all.begin(), partial->all.end(),
                                     [](const auto& aggregation) { return aggregation->Settle().ok(); });
    partial->query.limits = {};
    if (settled && !segment.segment->damaged())
      cache_->Put(pending_, partial, partial->context.bytes() + 1024 * specs_.size());
    pending_.clear();
    return Ok();
  }
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
