#include "settings.h"

#include "describe.h"
#include "honryu/config/load.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

void DescribeListener(http::ServerConfig& server, Section& section) {
  section.Field("address", &server.address, {.doc = "IP address to listen on."});
  section.Field("port", &server.port, {.doc = "Port to listen on; 0 picks a free one."});
  section.Field("max_connections", &server.max_connections,
                {.doc = "Connections beyond it are turned away with 503."}, {1, 1'000'000});
  section.Field("max_body", &server.max_body, {.doc = "Largest request body, as sent."},
                {ByteSize::KiB(1), ByteSize::GiB(1)});
  section.Field("max_decompressed_body", &server.max_decompressed_body,
                {.doc = "Largest request body after Content-Encoding."},
                {ByteSize::KiB(1), ByteSize::GiB(4)});
  section.Field("max_header", &server.max_header, {.doc = "Largest request header."},
                {ByteSize::KiB(1), ByteSize::MiB(1)});
  section.Field("header_timeout", &server.header_timeout,
                {.doc = "From the first byte of a request to the end of its header."},
                {milliseconds(10), hours(1)});
  section.Field("body_timeout", &server.body_timeout,
                {.doc = "From the end of the header to the end of the body."}, {milliseconds(10), hours(1)});
  section.Field("idle_timeout", &server.idle_timeout, {.doc = "Closes connections that send no request."},
                {milliseconds(10), hours(24)});
  section.Field("request_timeout", &server.request_timeout, {.doc = "Deadline of a request's work."},
                {milliseconds(10), hours(1)});
  section.Field("write_timeout", &server.write_timeout,
                {.doc = "A client must take an answer, or each piece of a live one, within it."},
                {milliseconds(10), hours(1)});
  section.Sub("tls", "Encryption; the port then speaks nothing else. HTTP/2 is offered by ALPN.",
              [&](Section& tls) {
                tls.Field("certificate", &server.tls.certificate,
                          {.doc = "PEM file with the certificate and its chain; empty: no TLS.",
                           .example = "/etc/honryu/tls.crt"});
                tls.Field("key", &server.tls.key,
                          {.doc = "PEM file with its private key.", .example = "/etc/honryu/tls.key"});
              });
  section.Check([&server]() -> Result<void> {
    if (server.tls.certificate.empty() == server.tls.key.empty()) return Ok();
    return Error(ErrorCode::kInvalidArgument,
                 server.name + ".tls: certificate and key belong together, only one of them is set");
  });
}

void DescribeLog(obs::LogOptions& log, Section& section) {
  section.Enum("level", &log.level, {.doc = "Least severe lines that are written."},
               {{"trace", obs::LogLevel::kTrace},
                {"debug", obs::LogLevel::kDebug},
                {"info", obs::LogLevel::kInfo},
                {"warn", obs::LogLevel::kWarn},
                {"error", obs::LogLevel::kError}});
  section.Field("json", &log.json, {.doc = "One JSON object a line instead of text."});
  section.Field("file", &log.file,
                {.doc = "File to append to; empty: standard error.", .example = "/var/log/honryu.log"});
}

void DescribeStorage(log::RocksdbEngineConfig& storage, Section& section) {
  section.Enum("durability", &storage.durability,
               {.doc = "fsync: acknowledged means on disk; interval: a power cut may lose sync_interval; "
                       "none: the operating system decides."},
               {{"fsync", log::Durability::kFsync},
                {"interval", log::Durability::kInterval},
                {"none", log::Durability::kNone}});
  section.Field("sync_interval", &storage.sync_interval,
                {.doc = "Time between two syncs with durability interval."}, {milliseconds(1), seconds(60)});
  section.Field("segment_bytes", &storage.segment_bytes,
                {.doc = "A stream's segment is closed at this size; retention drops whole segments."},
                {ByteSize::KiB(64), ByteSize::GiB(1)});
  section.Field("segment_age", &storage.segment_age, {.doc = "A stream's segment is closed at this age."},
                {seconds(1), hours(24 * 30)});
  section.Field("tail_cache", &storage.tail_cache,
                {.doc = "Newest records kept in memory for readers, all streams together."},
                {ByteSize{0}, ByteSize::GiB(64)});
  section.Field("max_queued", &storage.max_queued,
                {.doc = "Appends that wait for the disk; beyond it puts get "
                        "ProvisionedThroughputExceededException or 429."},
                {ByteSize::MiB(1), ByteSize::GiB(16)});
  section.Field("max_commit", &storage.max_commit,
                {.doc = "Most that one fsync covers.", .audience = config::Audience::kTunable},
                {ByteSize::MiB(1), ByteSize::MiB(256)});
  section.Field("min_free_disk", &storage.min_free_disk,
                {.doc = "Below this free space puts are refused until there is room again."},
                {ByteSize{0}, ByteSize::GiB(1024)});
}

void DescribeBroker(Settings& settings, Section& section) {
  section.Field("endpoint", &settings.broker_client.endpoint,
                {.doc = "Where processes without the broker role find it."});
  section.Field(
      "ca_file", &settings.broker_ca_file,
      {.doc = "For an https endpoint: PEM file with the certificates to trust; empty: the system's."});
  section.Field("access_key_id", &settings.broker_client.access_key_id,
                {.doc = "One of the broker's kinesis.access_keys, with which they sign; empty: unsigned."});
  section.Field("secret_access_key", &settings.broker_client.secret_access_key,
                {.doc = "Its secret.", .secret = true});
  section.Field("retention_bytes", &settings.retention_bytes,
                {.doc = "Per stream, as stored; null: no limit.", .example = "100GiB"});
  section.Field("default_retention_hours", &settings.broker.default_retention_hours,
                {.doc = "Of new streams."}, {24, 8760});
  section.Field("max_record", &settings.max_record, {.doc = "Largest record: data plus partition key."},
                {ByteSize::KiB(1), ByteSize::MiB(10)});
  section.Field("max_streams", &settings.broker.max_streams, {.doc = "Streams at most."}, {1, 100'000});
  section.Field("iterator_lifetime", &settings.broker.iterator_lifetime,
                {.doc = "Shard iterators expire after it."}, {seconds(1), hours(24)});
  section.Field("retention_check", &settings.broker.retention_check,
                {.doc = "Time between two rounds of retention."}, {milliseconds(100), hours(1)});
  section.Enum(
      "quotas", &settings.broker.quotas,
      {.doc = "unlimited: what memory and disk bear; aws: the limits of a Kinesis shard, 1 MiB/s and "
              "1,000 records/s in, 2 MiB/s and 5 reads/s out (long polls of this server's own roles "
              "do not count)."},
      {{"unlimited", broker::QuotaProfile::kUnlimited}, {"aws", broker::QuotaProfile::kAws}});
  section.Field("update_delay", &settings.broker.update_delay,
                {.doc = "A stream is UPDATING at least as long before its shards are split or merged."},
                {milliseconds(0), seconds(60)});
  section.Sub("on_demand", "When on-demand streams get and lose shards by themselves.", [&](Section& s) {
    broker::OnDemandConfig& scaling = settings.broker.on_demand;
    s.Field("interval", &scaling.interval, {.doc = "Time between two looks at the load."},
            {milliseconds(100), hours(1)});
    s.Field("shard_bytes", &scaling.shard_bytes, {.doc = "Bytes a second that fill a shard."},
            {1024, 1ULL << 30});
    s.Field("shard_records", &scaling.shard_records, {.doc = "Records a second that fill a shard."},
            {1, 10'000'000});
    s.Field("split_above", &scaling.split_above,
            {.doc = "A shard this full, twice in a row, is split at the median of its load."}, {0.05, 10});
    s.Field("merge_below", &scaling.merge_below,
            {.doc = "Neighbours that are together emptier than this are merged."}, {0, 1});
    s.Field("merge_after", &scaling.merge_after, {.doc = "How long they must have been so."},
            {milliseconds(100), hours(24)});
    s.Field("min_shards", &scaling.min_shards, {.doc = "No stream gets fewer by merging."}, {1, 10'000});
    s.Field("max_shards", &scaling.max_shards, {.doc = "No stream gets more by splitting."}, {1, 10'000});
  });
}

bool IsLoopback(const std::string& address) { return address.starts_with("127.") || address == "::1"; }

}  // namespace

Settings::Settings() {
  broker.update_delay = milliseconds(250);
  http.name = "http";
  http.port = 8080;
  kinesis.name = "kinesis";
  kinesis.port = 4567;
  admin.name = "admin";
  admin.port = 9600;
  admin.max_connections = 100;
}

void Settings::Complete() {
  storage.path = data_dir + "/log";
  broker.max_record_bytes = max_record.bytes;
  gateway.max_record = max_record;
  query.api_keys = gateway.api_keys;
  query.windows.clear();
  for (const Duration window : aggregator.windows)
    query.windows.push_back(processors::aggregator::WindowName(window));
  query_path = data_dir + "/views/kpi";
  if (retention_bytes) broker.retention_bytes = retention_bytes->bytes;
}

void DescribeSettings(Settings& settings, Section& section) {
  section.Field("data_dir", &settings.data_dir, {.doc = "Folder of the log and all state."});
  section.Field("stop_grace", &settings.stop_grace, {.doc = "A graceful stop may take this long."},
                {milliseconds(100), hours(1)});
  section.Field("start_timeout", &settings.start_timeout,
                {.doc = "How long a start waits for its broker without getting on."},
                {seconds(1), hours(24)});
  section.Field(
      "allow_public", &settings.allow_public,
      {.doc = "Listen on addresses beyond this machine also without TLS and keys; something else must then "
              "protect them."});
  section.Sub("log", "The process's own log.", [&](Section& s) { DescribeLog(settings.log, s); });
  section.Sub("runtime", "Threads and memory.", [&](Section& s) {
    s.Field("io_threads", &settings.runtime.io_threads, {.doc = "Event loops."}, {1, 256});
    s.Field("blocking_threads", &settings.runtime.blocking_threads,
            {.doc = "Threads for disk reads and long work."}, {1, 256});
    s.Field(
        "request_memory", &settings.request_memory,
        {.doc = "For request bodies, all listeners together; beyond it requests get 503 with Retry-After."},
        {ByteSize::MiB(1), ByteSize::GiB(64)});
  });
  section.Sub("http", "Ingest, queries and live numbers.",
              [&](Section& s) { DescribeListener(settings.http, s); });
  section.Sub("kinesis", "The Kinesis API.", [&](Section& s) {
    DescribeListener(settings.kinesis, s);
    s.Field("account_id", &settings.kinesis_api.account_id, {.doc = "12 digits that stand in ARNs."},
            {.min_length = 12, .max_length = 12});
    s.Field("region", &settings.kinesis_api.region, {.doc = "Region that stands in ARNs."});
    s.Field("require_auth_header", &settings.kinesis_api.require_auth_header,
            {.doc = "Without access_keys: refuse unsigned requests (signatures are not verified)."});
    s.List("access_keys", &settings.kinesis_api.access_keys,
           {.doc = "Who may call; empty: everybody who reaches the port, with any signature."},
           DescribeAccessKey);
    s.Field("allow_unsigned_payload", &settings.kinesis_api.allow_unsigned_payload,
            {.doc = "With access_keys: take signatures that leave out the body (UNSIGNED-PAYLOAD)."});
    s.Field("cors_origins", &settings.kinesis_api.cors_origins,
            {.doc = "Web origins whose pages may call: \"*\", \"loopback\" or exact ones; empty: any with "
                    "access_keys, else none.",
             .example = "[https://app.example.com]"});
    s.Check([&settings] { return auth::ValidateKeys(settings.kinesis_api.access_keys); });
    s.Check([&settings]() -> Result<void> {
      for (const std::string& origin : settings.kinesis_api.cors_origins) {
        if (const Result<void> good = http::OriginList::CheckPattern(origin); !good.ok())
          return good.error().WithContext("kinesis.cors_origins");
      }
      return Ok();
    });
  });
  section.Sub("admin", "Health pages and metrics of this process.",
              [&](Section& s) { DescribeListener(settings.admin, s); });
  section.Sub("storage", "The log on disk.", [&](Section& s) { DescribeStorage(settings.storage, s); });
  section.Sub("broker", "Streams and their limits.", [&](Section& s) { DescribeBroker(settings, s); });
  section.Sub("gateway", "Ingest of events.", [&](Section& s) { DescribeGateway(settings.gateway, s); });
  section.Sub("aggregator", "Key figures of windows in event time.",
              [&](Section& s) { DescribeAggregator(settings.aggregator, settings.aggregator_windows, s); });
  section.Sub("query", "Key figures kept and served.",
              [&](Section& s) { DescribeQuery(settings.materializer, settings.query, s); });
  section.Check([&settings]() -> Result<void> {
    for (const auto& [listener, has_keys] :
         {std::pair(&settings.http, !settings.gateway.api_keys.empty()),
          std::pair(&settings.kinesis, !settings.kinesis_api.access_keys.empty()),
          std::pair(&settings.admin, false)}) {
      if (settings.allow_public || IsLoopback(listener->address)) continue;
      if (!listener->tls.certificate.empty() && has_keys) continue;
      return Error(ErrorCode::kInvalidArgument, listener->name + ".address: " + listener->address +
                                                    " is reachable from outside without both TLS and keys; "
                                                    "set allow_public: true if something protects it");
    }
    // A body and what it decompresses to are held at a time; a request that never fits would be tried for
    // ever.
    for (const http::ServerConfig* listener : {&settings.http, &settings.kinesis, &settings.admin}) {
      const ByteSize most{listener->max_body.bytes + listener->max_decompressed_body.bytes};
      if (most > settings.request_memory) {
        return Error(ErrorCode::kInvalidArgument,
                     "runtime.request_memory: " + FormatByteSize(settings.request_memory) + " is less than " +
                         listener->name + ".max_body and " + listener->name +
                         ".max_decompressed_body together (" + FormatByteSize(most) + ")");
      }
    }
    const ByteSize body = settings.gateway.max_body;
    for (const auto& [key, limit] :
         {std::pair("max_body", settings.http.max_body),
          std::pair("max_decompressed_body", settings.http.max_decompressed_body)}) {
      if (body > limit) {
        return Error(ErrorCode::kInvalidArgument,
                     "gateway.max_body: " + FormatByteSize(body) + " is more than http." + key + " (" +
                         FormatByteSize(limit) + ") lets in; raise that as well");
      }
    }
    return Ok();
  });
}

Result<Settings> LoadSettings(const std::string& file, const std::vector<std::string>& overrides) {
  Settings settings;
  HONRYU_TRY(const config::LoadNotes notes,
             config::LoadFile(file, config::ProcessEnvironment(), overrides,
                              [&settings](Section& section) { DescribeSettings(settings, section); }));
  for (const std::string& warning : notes.warnings) LOG(warn, "deprecated setting", {"what", warning});
  settings.Complete();
  return settings;
}

}  // namespace honryu::app
