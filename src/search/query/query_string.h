#pragma once

#include "honryu/base/result.h"
#include "search/query/query.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

struct QueryStringOptions {
  MatchQuery::Fields fields;  ///< For words without a field; empty: every string field.
  bool all = false;           ///< Words without an operator between them must all match.
  std::string time_zone;      ///< Of dates in ranges.
  std::uint32_t phrase_slop = 0;
};

/// Reads Lucene's query syntax:
///   words "phrases"~2 field:value field:(a OR b) AND OR NOT && || ! + - ( ) prefix* wi?d /regex/ fuzzy~1
///   [a TO b] {a TO b} field:>=10 field:* _exists_:field boost^2 \escapes
/// kInvalidArgument (parsing_exception) where it is malformed.
Result<Query> ParseQueryString(std::string_view text, const QueryStringOptions& options);
/// Reads the simple syntax (+ | - "…" * ( ) ~N), in which nothing is an error.
Query ParseSimpleQueryString(std::string_view text, const QueryStringOptions& options);

}  // namespace honryu::search
