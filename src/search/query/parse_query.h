#pragma once

#include "honryu/base/result.h"
#include "honryu/codec/json.h"
#include "search/query/query.h"

#include <string_view>

namespace honryu::search {

/// Reads {"match":{…}} and the like. kInvalidArgument (parsing_exception) names what is unknown or malformed;
/// nothing is ignored silently. Nesting beyond 50 queries is refused.
Result<Query> ParseQuery(const codec::Json& json);
/// A JSON value as a scalar of a query; kInvalidArgument for objects, arrays and null.
Result<Scalar> ParseScalar(const codec::Json& json);

/// "name" or "name^boost".
MatchQuery::Field ParseWeightedField(std::string_view text);

}  // namespace honryu::search
