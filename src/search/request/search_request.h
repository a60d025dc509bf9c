#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/codec/json.h"
#include "search/aggs/aggregation.h"
#include "search/query/searcher.h"

#include <string>
#include <vector>

namespace honryu::search {

/// Which parts of the source an answer shows. Patterns may hold `*`; a path covers everything below it.
struct SourceFilter {
  bool show = true;
  std::vector<std::string> includes, excludes;
  bool whole() const { return show && includes.empty() && excludes.empty(); }
};

/// A field to show as an array of values; dates by `format`.
struct ShownField {
  std::string name;
  std::string format;
};

/// The body of _search.
struct SearchRequest {
  HitsRequest hits;
  bool show_total = true;  ///< track_total_hits was not false.
  std::vector<AggSpec> aggs;
  SourceFilter source;
  std::vector<ShownField> fields;
  Duration timeout{0};  ///< 0: none.
};

/// kInvalidArgument with a type of the API in front of the message names what is unknown or malformed.
Result<SearchRequest> ParseSearchRequest(const codec::Json& body, std::int64_t now_ms);
/// "f", {"f":"desc"}, {"f":{"order":…}}, or a list of these.
Result<std::vector<SortField>> ParseSort(const codec::Json& json);

/// The answer of _search as JSON: {"took","timed_out","_shards","hits","aggregations"}. `limits.clock` also
/// measures "took".
Result<std::string> RunSearch(const std::vector<IndexedSegment>& segments, const SearchRequest& request,
                              const QueryContext& context, SearchLimits limits);

}  // namespace honryu::search
