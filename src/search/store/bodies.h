#pragma once

#include "honryu/codec/json.h"
#include "search/query/query.h"

#include <string_view>

namespace honryu::search {

/// The body of a request: a JSON object; nothing at all is {}. kInvalidArgument (parsing_exception).
Result<codec::Json> ParseBody(std::string_view body);
/// The query of a body that may hold nothing else; without one, that for everything.
Result<Query> OnlyQuery(std::string_view body);

}  // namespace honryu::search
