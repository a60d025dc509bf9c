#pragma once

#include "honryu/base/result.h"
#include "honryu/codec/json.h"
#include "search/aggs/agg_spec.h"

#include <cstdint>
#include <vector>

namespace honryu::search {

/// Reads the object under "aggs". kInvalidArgument (parsing_exception, illegal_argument_exception) names what
/// is unknown. `now_ms` is what "now" in date ranges and bounds means.
/// `pipelines` gets those of the outermost level.
Result<std::vector<AggSpec>> ParseAggs(const codec::Json& json, std::int64_t now_ms,
                                       std::vector<NamedPipeline>* pipelines);

}  // namespace honryu::search
