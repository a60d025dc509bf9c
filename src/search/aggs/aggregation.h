#pragma once

#include "honryu/codec/json.h"
#include "search/aggs/agg_cache.h"
#include "search/aggs/agg_spec.h"
#include "search/query/matcher.h"
#include "search/query/searcher.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// What the aggregations of one request may use, together.
struct AggLimits {
  std::size_t buckets = 65'535;             ///< In the answer, empty ones included.
  std::size_t memory_bytes = 256ull << 20;  ///< Held while collecting, about.
};

/// Shared by the aggregations of one request.
class AggContext {
 public:
  AggContext(const QueryContext& query, AggLimits limits) : query_(query), limits_(limits) {}
  const QueryContext& query() const { return query_; }
  /// kOverloaded (circuit_breaking_exception) beyond the limit.
  Result<void> Reserve(std::size_t bytes);
  /// Gives back what is not held any more.
  void Release(std::size_t bytes) { bytes_ -= std::min(bytes, bytes_); }
  /// kTooLarge (too_many_buckets_exception) beyond the limit.
  Result<void> CountBuckets(std::size_t buckets);
  std::size_t bytes() const { return bytes_; }

 private:
  const QueryContext& query_;
  AggLimits limits_;
  std::size_t bytes_ = 0, buckets_ = 0;
};

/// The segment being collected, with what its aggregations share.
class AggSegment {
 public:
  AggSegment(const IndexedSegment& indexed, const QueryContext& context)
      : indexed_(indexed), segment_(*indexed.segment), matcher_(segment_, context), source_(segment_) {}
  /// With the index it belongs to; outlives the search.
  const IndexedSegment& indexed() const { return indexed_; }
  const Segment& segment() const { return segment_; }
  SourceReader& source() { return source_; }
  /// Documents of a filter, evaluated once.
  Result<const DocSet*> Filter(const Query& query);
  /// Strings of a small dictionary, read once; null pointer for a large one.
  const std::vector<std::string>* SmallTerms(const KeywordColumn& column);

 private:
  const IndexedSegment& indexed_;
  const Segment& segment_;
  SegmentMatcher matcher_;
  SourceReader source_;
  std::map<const Query*, DocSet> filters_;
  std::map<const KeywordColumn*, std::vector<std::string>> terms_;
};

/// The state of one aggregation in one bucket.
class Aggregation {
 public:
  explicit Aggregation(const AggSpec& spec, AggContext& context) : spec_(spec), context_(context) {}
  virtual ~Aggregation() = default;
  /// Takes documents (rising) of a segment; called at most once per segment.
  virtual Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) = 0;
  /// Adds what another one of the same spec has collected.
  virtual Result<void> Absorb(const Aggregation& other);
  /// Makes it small and quick to absorb; nothing else comes after.
  virtual Result<void> Settle() { return Ok(); }
  /// Whether kinds like this, with all inside, can be absorbed.
  static bool Absorbs(const AggSpec& spec);
  /// The members of its result.
  virtual Result<void> Write(codec::JsonWriter& out) = 0;
  /// A number to order buckets by.
  virtual std::optional<double> Metric(std::string_view) { return std::nullopt; }
  const AggSpec& spec() const { return spec_; }

 protected:
  const AggSpec& spec_;
  AggContext& context_;
};

/// The aggregation of `spec`, empty. `spec` and `context` must outlive it.
std::unique_ptr<Aggregation> MakeAggregation(const AggSpec& spec, AggContext& context);

/// A bucket: its count and the aggregations inside it.
struct Bucket {
  std::uint64_t count = 0;
  std::vector<std::unique_ptr<Aggregation>> inner;
  /// Adds documents; makes the inner aggregations at first.
  Result<void> Add(const AggSpec& parent, AggContext& context, AggSegment& segment,
                   std::span<const std::uint32_t> docs);
  Result<void> Absorb(const AggSpec& parent, AggContext& context, const Bucket& other);
  Result<void> Settle();
  /// "doc_count" and the inner results.
  Result<void> Write(const AggSpec& parent, AggContext& context, codec::JsonWriter& out);
  /// The number at a path of AggSpec::Order; none where a bucket has none.
  std::optional<double> Metric(std::string_view path) const;
};
Result<void> WriteAggregations(std::vector<std::unique_ptr<Aggregation>>& all, codec::JsonWriter& out);

/// Collects all aggregations of a request.
class AggCollector final : public MatchCollector {
 public:
  /// `specs` and `context` must outlive it; so must `cache`, unless it is null, and what `key` refers to.
  AggCollector(const std::vector<AggSpec>& specs, const QueryContext& context, AggLimits limits = {},
               AggCache* cache = nullptr, AggCacheKey key = {});
  Result<void> Collect(const IndexedSegment& segment, const DocSet& docs) override;
  Result<std::optional<std::uint64_t>> Recall(const IndexedSegment& segment,
                                              SegmentMatcher& matcher) override;
  /// {"name":{…},…}. Once.
  Result<void> Write(codec::JsonWriter& out);

 private:
  const QueryContext& query_;
  AggContext context_;
  std::vector<std::unique_ptr<Aggregation>> all_;
  const std::vector<AggSpec>& specs_;
  AggCache* cache_;
  AggCacheKey key_;
  std::vector<std::uint32_t> numbers_;  ///< 0, 1, 2 …: the documents of a segment that matches whole.
  std::string pending_;                 ///< Under what the next segment's state is to be kept; empty: not.
};

// The families, each in its own file.
std::unique_ptr<Aggregation> MakeMetric(const AggSpec& spec, AggContext& context);
std::unique_ptr<Aggregation> MakeTerms(const AggSpec& spec, AggContext& context);
std::unique_ptr<Aggregation> MakeHistogram(const AggSpec& spec, AggContext& context);
std::unique_ptr<Aggregation> MakeFilters(const AggSpec& spec, AggContext& context);
std::unique_ptr<Aggregation> MakeTopHits(const AggSpec& spec, AggContext& context);
std::unique_ptr<Aggregation> MakeComposite(const AggSpec& spec, AggContext& context);
std::unique_ptr<Aggregation> MakeGeoGrid(const AggSpec& spec, AggContext& context);
std::unique_ptr<Aggregation> MakeMultiTerms(const AggSpec& spec, AggContext& context);
std::unique_ptr<Aggregation> MakeAutoHistogram(const AggSpec& spec, AggContext& context);
std::unique_ptr<Aggregation> MakeWeightedAvg(const AggSpec& spec, AggContext& context);

}  // namespace honryu::search
