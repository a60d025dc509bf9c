#pragma once

#include "honryu/api/cloudwatch/cloudwatch_api.h"
#include "honryu/api/dynamodb/dynamodb_api.h"
#include "honryu/api/gateway/gateway_config.h"
#include "honryu/api/kinesis/kinesis_api.h"
#include "honryu/api/query/query_api.h"
#include "honryu/api/search/search_api.h"
#include "honryu/async/runtime.h"
#include "honryu/broker/broker.h"
#include "honryu/client/remote_client.h"
#include "honryu/config/schema.h"
#include "honryu/http/origin_list.h"
#include "honryu/http/server.h"
#include "honryu/log/rocksdb_engine.h"
#include "honryu/obs/log.h"
#include "honryu/processors/alerter/alerter.h"
#include "honryu/processors/alerter/metrics_source.h"
#include "honryu/processors/detector/detector.h"
#include "honryu/processors/indexer/indexer.h"
#include "honryu/processors/materializer/materializer.h"
#include "honryu/processors/notifier/notifier.h"
#include "honryu/processors/sql/config.h"
#include "honryu/search/store.h"
#include "honryu/tables/table_store.h"

#include <string>
#include <vector>

namespace honryu::app {

/// Everything that can be configured, by section. Modules get their own struct, never this.
struct Settings {
  std::string data_dir = ".honryu/data";
  Duration stop_grace = std::chrono::seconds(20);
  Duration start_timeout = std::chrono::seconds(60);
  bool allow_public = false;
  obs::LogOptions log;
  async::RuntimeOptions runtime;
  http::ServerConfig http, kinesis, admin, search_listener;
  ByteSize request_memory = ByteSize::MiB(256);  ///< Of request bodies, all listeners together.
  api::kinesis::KinesisApiConfig kinesis_api;
  api::dynamodb::DynamoDbApiConfig dynamodb_api;
  api::cloudwatch::CloudWatchApiConfig cloudwatch_api;
  tables::TableStoreConfig tables;
  ByteSize tables_bytes = ByteSize::MiB(64);
  log::RocksdbEngineConfig storage;
  std::vector<log::EncryptionKey> encryption_keys;  ///< Their secrets in base64.
  std::optional<ByteSize> retention_bytes;
  ByteSize max_record = ByteSize::MiB(1);
  broker::BrokerConfig broker;
  client::RemoteClientConfig broker_client;
  std::string broker_ca_file;
  api::gateway::GatewayConfig gateway;
  processors::sql_app::SqlConfig aggregator;
  processors::materializer::MaterializerConfig materializer;
  api::query::QueryConfig query;
  processors::detector::DetectorConfig detector;
  processors::alerter::AlerterConfig alerter;
  processors::alerter::MetricsSourceConfig metrics_source;
  processors::notifier::NotifierConfig notifier;
  std::vector<std::string> alert_files;  ///< With more rules and watches.
  search::StoreConfig search_store;
  processors::indexer::IndexerConfig indexer;
  api::search::SearchConfig search;
  std::string query_path;  ///< Folder of the stored key figures, below data_dir.

  Settings();
  /// Fills in what follows from other settings (paths below data_dir, the record limit). Call after loading.
  void Complete();
};

/// Binds `settings` to configuration keys.
void DescribeSettings(Settings& settings, config::Section& section);

/// File (may be empty), environment and overrides, the later winning.
Result<Settings> LoadSettings(const std::string& file, const std::vector<std::string>& overrides);

}  // namespace honryu::app
