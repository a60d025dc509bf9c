#include "settings.h"

#include "honryu/base/units.h"
#include "honryu/config/load.h"
#include "honryu/obs/log.h"
#include "settings/describe.h"

namespace honryu::app {
namespace {

using config::Section;

bool IsLoopback(const std::string& address) { return address.starts_with("127.") || address == "::1"; }

Result<void> CheckPublic(const Settings& settings) {
  for (const auto& [listener, has_keys] :
       {std::pair(&settings.http, !settings.gateway.api_keys.empty()),
        std::pair(&settings.kinesis, !settings.kinesis_api.access_keys.empty()),
        std::pair(&settings.search_listener, !settings.gateway.api_keys.empty()),
        std::pair(&settings.admin, false)}) {
    if (settings.allow_public || IsLoopback(listener->address)) continue;
    if (!listener->tls.certificate.empty() && has_keys) continue;
    return Error(ErrorCode::kInvalidArgument, listener->name + ".address: " + listener->address +
                                                  " is reachable from outside without both TLS and keys; "
                                                  "set allow_public: true if something protects it");
  }
  return Ok();
}

Result<void> CheckRequestMemory(const Settings& settings) {
  // A body and what it decompresses to are held at a time; a request that never fits would be tried for
  // ever.
  for (const http::ServerConfig* listener :
       {&settings.http, &settings.kinesis, &settings.search_listener, &settings.admin}) {
    const ByteSize most{listener->max_body.bytes + listener->max_decompressed_body.bytes};
    if (most > settings.request_memory) {
      return Error(ErrorCode::kInvalidArgument,
                   "runtime.request_memory: " + FormatByteSize(settings.request_memory) + " is less than " +
                       listener->name + ".max_body and " + listener->name +
                       ".max_decompressed_body together (" + FormatByteSize(most) + ")");
    }
  }
  return Ok();
}

Result<void> CheckEventBodies(const Settings& settings) {
  const ByteSize body = settings.gateway.max_body;
  for (const auto& [key, limit] : {std::pair("max_body", settings.http.max_body),
                                   std::pair("max_decompressed_body", settings.http.max_decompressed_body)}) {
    if (body > limit) {
      return Error(ErrorCode::kInvalidArgument, "gateway.max_body: " + FormatByteSize(body) +
                                                    " is more than http." + key + " (" +
                                                    FormatByteSize(limit) + ") lets in; raise that as well");
    }
  }
  return Ok();
}

}  // namespace

Settings::Settings() {
  broker.update_delay = std::chrono::milliseconds(250);
  http.name = "http";
  http.port = 8080;
  kinesis.name = "kinesis";
  kinesis.port = 4567;
  admin.name = "admin";
  admin.port = 9600;
  admin.max_connections = 100;
  search_listener.name = "search";
  search_listener.port = 9200;
  search_listener.max_body = ByteSize::MiB(32);  // shippers send bulks of up to 20 MiB
  search_listener.max_decompressed_body = ByteSize::MiB(64);
  search_store.time_fields = {"event_time", "@timestamp", "timestamp", "time", "date"};
}

void Settings::Complete() {
  storage.path = data_dir + "/log";
  tables.path = data_dir + "/tables";
  tables.max_bytes = tables_bytes.bytes;
  const auto share = [this](auto& api) {
    api.access_keys = kinesis_api.access_keys;
    api.allow_unsigned_payload = kinesis_api.allow_unsigned_payload;
    api.require_auth_header = kinesis_api.require_auth_header;
    api.cors_origins = kinesis_api.cors_origins;
  };
  share(dynamodb_api);
  share(cloudwatch_api);
  dynamodb_api.account_id = kinesis_api.account_id;
  dynamodb_api.region = kinesis_api.region;
  broker.max_record_bytes = max_record.bytes;
  broker.keys = storage.keys;
  gateway.max_record = max_record;
  query.api_keys = gateway.api_keys;
  notifier.alerts_stream = alerter.alerts_stream;
  aggregator.spill_path = data_dir + "/sql-spill";
  query_path = data_dir + "/views/kpi";
  search_store.path = data_dir + "/search";
  search_store.refresh_interval = indexer.refresh_interval;
  search.api_keys = gateway.api_keys;
  search.document_stream = indexer.document_stream;
  search.erasure_stream = indexer.erasure_stream;
  search.max_document = max_record;
  if (retention_bytes) broker.retention_bytes = retention_bytes->bytes;
}

void DescribeSettings(Settings& settings, Section& section) {
  DescribeProcess(settings, section);
  section.Sub("log", "The process's own log.", [&](Section& s) { DescribeLog(settings.log, s); });
  section.Sub("runtime", "Threads and memory.", [&](Section& s) { DescribeRuntime(settings, s); });
  section.Sub("http", "Ingest, queries and live numbers.",
              [&](Section& s) { DescribeListener(settings.http, s); });
  section.Sub("kinesis", "The Kinesis API.", [&](Section& s) { DescribeKinesis(settings, s); });
  section.Sub("tables", "Tables of the DynamoDB API, for the leases of client libraries.",
              [&](Section& s) { DescribeTables(settings, s); });
  section.Sub("cloudwatch", "Metrics that client libraries send to CloudWatch.",
              [&](Section& s) { DescribeCloudWatch(settings.cloudwatch_api, s); });
  section.Sub("admin", "Health pages and metrics of this process.",
              [&](Section& s) { DescribeListener(settings.admin, s); });
  section.Sub("storage", "The log on disk.",
              [&](Section& s) { DescribeStorage(settings.storage, settings.encryption_keys, s); });
  section.Sub("broker", "Streams and their limits.", [&](Section& s) { DescribeBroker(settings, s); });
  section.Sub("gateway", "Ingest of events.", [&](Section& s) { DescribeGateway(settings.gateway, s); });
  section.Sub("aggregator", "SQL applications: key figures and whatever else programs of stream SQL compute.",
              [&](Section& s) { DescribeAggregator(settings.aggregator, s); });
  section.Sub("query", "Key figures kept and served.",
              [&](Section& s) { DescribeQuery(settings.materializer, settings.query, s); });
  section.Sub("detector", "Finds what is odd in key figures.",
              [&](Section& s) { DescribeDetector(settings.detector, s); });
  section.Sub("alerts", "Rules, and who is told.", [&](Section& s) { DescribeAlerts(settings, s); });
  section.Sub("search", "Full-text search of events, and its API.",
              [&](Section& s) { DescribeSearch(settings, s); });
  section.Check([&settings] { return CheckPublic(settings); });
  section.Check([&settings] { return CheckRequestMemory(settings); });
  section.Check([&settings] { return CheckEventBodies(settings); });
}

Result<Settings> LoadSettings(const std::string& file, const std::vector<std::string>& overrides) {
  Settings settings;
  HONRYU_TRY(const config::LoadNotes notes,
             config::LoadFile(file, config::ProcessEnvironment(), overrides,
                              [&settings](Section& section) { DescribeSettings(settings, section); }));
  for (const std::string& warning : notes.warnings) LOG(warn, "deprecated setting", {"what", warning});
  HONRYU_TRY_VOID(ReadAlertFiles(settings.alert_files, settings.alerter.rules, settings.detector.watches));
  HONRYU_TRY_VOID(settings.detector.Validate());
  settings.Complete();
  return settings;
}

}  // namespace honryu::app
