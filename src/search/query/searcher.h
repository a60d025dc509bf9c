#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "search/query/doc_set.h"
#include "search/query/query.h"
#include "search/query/sort.h"
#include "search/segment/segment.h"

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::search {

/// A query that hides all else, and its JSON.
struct SegmentFilter {
  Query query;
  std::string text;
};

/// A segment with the index that it belongs to.
struct IndexedSegment {
  std::string index;
  std::shared_ptr<const Segment> segment;  // shared: searches keep what retention or merging drops
  std::shared_ptr<const DocSet> deleted =
      nullptr;               ///< Documents that are not there any more; null: none. Shared alike.
  std::uint64_t number = 0;  ///< Names its file; 0: in memory only.
  /// Only its matches are there; null: all. Shared by the segments of an index.
  std::shared_ptr<const SegmentFilter> filter = nullptr;
};

/// A corrupt segment, which no search looks into.
struct LostSegment {
  std::string index;
  std::uint64_t number = 0;
  std::string reason;
};

/// What to find, in which order, and how much of it.
struct HitsRequest {
  Query query{MatchAllQuery{}, 1};
  std::optional<Query> post_filter;  ///< Narrows the hits, not the aggregations.
  std::vector<SortField> sort;       ///< Empty: by score.
  std::vector<SortValue> search_after;
  std::size_t from = 0, size = 10;
  std::uint64_t track_total = 10'000;  ///< Count at least up to here; max(): exactly; 0: not at all.
  std::uint64_t terminate_after = 0;   ///< Matches to look at in all; 0: no limit.
  double min_score = -std::numeric_limits<double>::infinity();
};

struct Hit {
  std::size_t segment = 0;  ///< Place among the segments that were searched.
  std::uint32_t doc = 0;
  float score = 0;
  std::vector<SortValue> sort;
};

struct SearchResult {
  std::vector<Hit> hits;
  std::uint64_t total = 0;
  bool total_is_least = false;  ///< There may be more than `total`.
  std::optional<float> max_score;
  bool timed_out = false;  ///< The deadline passed: what was found until then.
  bool terminated_early = false;
};

/// Sees the matches of each segment: aggregations.
class MatchCollector {
 public:
  virtual ~MatchCollector() = default;
  /// `segment` outlives the search.
  virtual Result<void> Collect(const IndexedSegment& segment, const DocSet& docs) = 0;
  /// Takes what is known of the segment's matches from before, and says how many they are; none: they are to
  /// be found, and Collect comes next.
  virtual Result<std::optional<std::uint64_t>> Recall(const IndexedSegment&, class SegmentMatcher&) {
    return std::optional<std::uint64_t>();
  }
};

/// Searches segments one after the other. Newest-first (any sort by a number or date that every document
/// has once): segments and blocks of 1,024 documents that cannot hold better hits are not read, once enough
/// have been counted. Blocking; thread-safe for different calls.
Result<SearchResult> SearchSegments(const std::vector<IndexedSegment>& segments, const HitsRequest& request,
                                    const QueryContext& context, const SearchLimits& limits,
                                    MatchCollector* collector);
/// Number of matches.
Result<std::uint64_t> CountMatches(const std::vector<IndexedSegment>& segments, const Query& query,
                                   const QueryContext& context, const SearchLimits& limits);

}  // namespace honryu::search
