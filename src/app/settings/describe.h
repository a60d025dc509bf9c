#pragma once

#include "app/settings.h"
#include "honryu/config/schema.h"

#include <string>
#include <vector>

namespace honryu::app {

// Keys, ranges and meanings of the settings, a file a section. A section whose settings all stand in one
// struct of a module takes that; one whose settings are spread takes them all.

/// The keys outside of any section.
void DescribeProcess(Settings& settings, config::Section& section);
void DescribeLog(obs::LogOptions& log, config::Section& section);
void DescribeRuntime(Settings& settings, config::Section& section);
/// What all listeners have in common.
void DescribeListener(http::ServerConfig& server, config::Section& section);
void DescribeKinesis(Settings& settings, config::Section& section);
void DescribeTables(Settings& settings, config::Section& section);
void DescribeCloudWatch(api::cloudwatch::CloudWatchApiConfig& cloudwatch, config::Section& section);
/// `keys` as texts; they become storage.keys when the section is checked.
void DescribeStorage(log::RocksdbEngineConfig& storage, std::vector<log::EncryptionKey>& keys,
                     config::Section& section);
void DescribeBroker(Settings& settings, config::Section& section);
void DescribeGateway(api::gateway::GatewayConfig& gateway, config::Section& section);
void DescribeDetector(processors::detector::DetectorConfig& detector, config::Section& section);
void DescribeAlerts(Settings& settings, config::Section& section);
/// Adds what the files hold. kInvalidArgument or kIo. Blocking.
Result<void> ReadAlertFiles(const std::vector<std::string>& files, std::vector<alerting::Rule>& rules,
                            std::vector<processors::detector::Watch>& watches);
void DescribeAggregator(processors::sql_app::SqlConfig& aggregator, config::Section& section);
void DescribeQuery(processors::materializer::MaterializerConfig& materializer, api::query::QueryConfig& query,
                   config::Section& section);
void DescribeSearch(Settings& settings, config::Section& section);

}  // namespace honryu::app
