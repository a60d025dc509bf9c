#pragma once

#include "honryu/api/gateway/gateway_config.h"
#include "honryu/api/query/query_api.h"
#include "honryu/auth/access_key.h"
#include "honryu/config/schema.h"
#include "honryu/processors/aggregator/config.h"
#include "honryu/processors/materializer/materializer.h"

#include <string>
#include <vector>

namespace honryu::app {

// Keys, ranges and meanings of the settings of the roles that stand on a broker.
void DescribeGateway(api::gateway::GatewayConfig& gateway, config::Section& section);
/// `windows` are the sizes as texts; they become aggregator.windows when the section is checked.
void DescribeAggregator(processors::aggregator::AggregatorConfig& aggregator,
                        std::vector<std::string>& windows, config::Section& section);
void DescribeQuery(processors::materializer::MaterializerConfig& materializer, api::query::QueryConfig& query,
                   config::Section& section);
/// One item of kinesis.access_keys.
void DescribeAccessKey(auth::AccessKey& key, config::Section& section);

}  // namespace honryu::app
