#pragma once

#include "search/query/date_math.h"
#include "search/query/hit_writer.h"
#include "search/query/query.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace honryu::search {

/// A pipeline aggregation: one that is computed from the results of others.
struct PipelineSpec {
  enum class Kind : std::uint8_t {
    kDerivative,
    kCumulativeSum,
    kMovingAverage,
    kMovingFunction,
    kSerialDifference,
    kBucketScript,
    kBucketSelector,
    kBucketSort,
    kAvgBucket,  // from here on: beside the aggregation whose buckets they read
    kSumBucket,
    kMinBucket,
    kMaxBucket,
    kStatsBucket,
  };
  struct Path {
    std::string variable;  ///< Of a script; else empty.
    std::string path;      ///< "_count", "NAME", "NAME.PROPERTY", "NAME[PROPERTY]", "OUTER>INNER…"
  };
  Kind kind = Kind::kDerivative;
  std::vector<Path> paths;
  bool insert_zeros = false;  ///< gap_policy: what a bucket without a value counts as; else it is skipped.
  std::string meta;           ///< JSON, echoed.
  double unit_ms = 0;         ///< derivative: also per this much of the key.
  std::size_t window = 5;
  std::int64_t shift = 0;
  std::size_t lag = 1;
  std::string model = "simple", function;
  double alpha = 0.3;
  std::string script;
  struct SortKey {
    std::string path;
    bool descending = false;
  };
  std::vector<SortKey> sort;
  std::size_t from = 0;
  std::optional<std::size_t> size;
};
struct NamedPipeline {
  std::string name;
  PipelineSpec spec;
};

/// One aggregation of a request, with those inside it.
struct AggSpec {
  enum class Kind : std::uint8_t {
    kTerms,
    kDateHistogram,
    kHistogram,
    kRange,
    kDateRange,
    kFilter,
    kFilters,
    kMissing,
    kGlobal,
    kTopHits,
    kComposite,
    kGeohashGrid,
    kGeotileGrid,
    kMultiTerms,
    kAutoDateHistogram,
    kCardinality,
    kPercentiles,
    kPercentileRanks,
    kStats,
    kExtendedStats,
    kMin,
    kMax,
    kAvg,
    kSum,
    kValueCount,
    kWeightedAvg,
  };
  struct Order {
    /// "_count", "_key", or "NAME", "NAME.METRIC" or "FILTER>NAME" of an aggregation inside.
    std::string path;
    bool descending = true;
  };
  struct Range {
    std::string key;  ///< Empty: made from the bounds.
    std::optional<double> from, to;
  };
  struct Bounds {
    double min = 0, max = 0;
  };

  std::string name;
  Kind kind = Kind::kTerms;
  std::string field;
  std::optional<Scalar> missing;  ///< Counts for documents without a value.
  std::string meta;               ///< JSON, echoed.
  std::string format;
  bool keyed = false;
  // terms
  std::size_t size = 10;
  std::uint64_t min_doc_count = 1;
  std::vector<Order> order;
  std::vector<std::string> include, exclude;     ///< Exact keys,
  std::string include_pattern, exclude_pattern;  ///< or regular expressions.
  // histograms
  double interval = 0;
  std::int64_t interval_ms = 0;
  std::optional<CalendarUnit> calendar;
  double offset = 0;
  TimeZone zone;
  std::optional<Bounds> extended_bounds, hard_bounds;
  std::optional<CalendarUnit> least_unit;  ///< auto_date_histogram: no finer than this; `size` is its target.
  // ranges and filters
  std::vector<Range> ranges;
  std::vector<std::pair<std::string, Query>> filters;
  std::string other_key;   ///< Empty: no bucket for what no filter takes.
  bool anonymous = false;  ///< filters without keys: an array of buckets
  // top_hits
  std::size_t from = 0;
  HitView view;
  std::vector<SortField> sort;
  /// composite: each source is an aggregation of its own kind and name; order[0] tells its direction.
  /// multi_terms: its fields. weighted_avg: the value and the weight.
  std::vector<AggSpec> sources;
  std::vector<SortValue> after;  ///< Empty: from the beginning.
  bool missing_bucket = false;
  // grids
  unsigned precision = 5;
  // metrics
  std::vector<double> percents;
  double sigma = 2;
  std::vector<AggSpec> children;
  std::vector<NamedPipeline> pipelines;  ///< Beside the children, computed when all is collected.
};

}  // namespace honryu::search
