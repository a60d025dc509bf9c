#pragma once

#include "search/query/date_math.h"
#include "search/query/query.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace honryu::search {

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
  };
  struct Order {
    std::string path;  ///< "_count", "_key", or "NAME" or "NAME.METRIC" of an aggregation inside.
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
  // ranges and filters
  std::vector<Range> ranges;
  std::vector<std::pair<std::string, Query>> filters;
  std::string other_key;   ///< Empty: no bucket for what no filter takes.
  bool anonymous = false;  ///< filters without keys: an array of buckets
  // metrics
  std::vector<double> percents;
  double sigma = 2;
  std::vector<AggSpec> children;
};

}  // namespace honryu::search
