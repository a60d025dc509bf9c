#pragma once

#include "honryu/codec/json.h"
#include "search/aggs/agg_spec.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// The pipeline that "derivative" and the like stand for; none for other names.
std::optional<PipelineSpec::Kind> PipelineKind(std::string_view type);
/// kInvalidArgument names what is missing or unknown.
Result<PipelineSpec> ParsePipeline(PipelineSpec::Kind kind, const std::string& name, const std::string& type,
                                   const codec::Json& body);

/// True if there are any pipelines, here or inside the aggregations.
bool AnyPipeline(const std::vector<AggSpec>& specs, const std::vector<NamedPipeline>& pipelines);
/// `results` ({"name":{…},…}) with all pipelines computed and put in. kInvalidArgument for a path that leads
/// nowhere.
Result<codec::Json> ApplyPipelines(const codec::Json& results, const std::vector<AggSpec>& specs,
                                   const std::vector<NamedPipeline>& pipelines);

}  // namespace honryu::search
