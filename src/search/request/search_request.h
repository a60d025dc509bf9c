#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/codec/json.h"
#include "search/aggs/aggregation.h"
#include "search/query/hit_writer.h"
#include "search/query/searcher.h"

#include <string>
#include <vector>

namespace honryu::search {

/// The body of _search.
struct SearchRequest {
  HitsRequest hits;
  bool show_total = true;  ///< track_total_hits was not false.
  std::vector<AggSpec> aggs;
  std::vector<NamedPipeline> pipelines;  ///< Beside the outermost aggregations.
  HitView view;
  std::string agg_text;  ///< See AggCacheText.
  Duration timeout{0};   ///< 0: none.
};

/// kInvalidArgument with a type of the API in front of the message names what is unknown or malformed.
Result<SearchRequest> ParseSearchRequest(const codec::Json& body, std::int64_t now_ms);
/// The answer of _search as JSON: {"took","timed_out","_shards","hits","aggregations"}. `limits.clock` also
/// measures "took". Each of `lost` is counted as a shard that failed.
Result<std::string> RunSearch(const std::vector<IndexedSegment>& segments, const SearchRequest& request,
                              const QueryContext& context, SearchLimits limits,
                              const std::vector<LostSegment>& lost = {});

}  // namespace honryu::search
