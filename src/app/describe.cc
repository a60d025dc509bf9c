#include "describe.h"

#include "honryu/base/units.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void DescribeApiKey(api::keys::ApiKey& key, Section& section) {
  section.Field("name", &key.name, {.doc = "Shown in logs and answers.", .required = true});
  section.Field("key", &key.key, {.doc = "The secret.", .secret = true, .required = true});
  section.Field("events_per_second", &key.events_per_second, {.doc = "Rate limit; 0: none."}, {0, 1e9});
  section.Field("scopes", &key.scopes,
                {.doc = "What it may do: write (post events), read (GET /v1/kpi…), admin (everything)."},
                {.allowed = {api::keys::kScopes.begin(), api::keys::kScopes.end()}});
}

void DescribeAllowRule(auth::AllowRule& rule, Section& section) {
  section.Field("actions", &rule.actions, {.doc = "Operations, with * and ?; for instance PutRecord*."});
  section.Field("streams", &rule.streams, {.doc = "Names of streams, with * and ?."});
}

void DescribeErrorRule(processors::aggregator::ErrorRule& rule, Section& section) {
  section.Field("event_types", &rule.event_types, {.doc = "Events of these types are errors."});
  section.Field("severity_properties", &rule.severity_properties,
                {.doc = "Members of properties that tell a severity…"});
  section.Field("severity_values", &rule.severity_values, {.doc = "…which with one of these is an error."});
  section.Field("status_properties", &rule.status_properties,
                {.doc = "Members of properties that tell a status number…"});
  section.Field("status_from", &rule.status_from, {.doc = "…which from here up is an error."});
}

}  // namespace

void DescribeAccessKey(auth::AccessKey& key, Section& section) {
  section.Field("id", &key.id, {.doc = "The access key id.", .required = true});
  section.Field("secret", &key.secret,
                {.doc = "The secret access key, 16 characters at least.", .secret = true, .required = true});
  section.List("allow", &key.allow, {.doc = "What it may do; empty: everything."}, DescribeAllowRule);
}

void DescribeGateway(api::gateway::GatewayConfig& gateway, Section& section) {
  using Gateway = api::gateway::GatewayConfig;
  section.Field("stream", &gateway.stream, {.doc = "Stream that events go to."});
  section.Field("shards", &gateway.shards, {.doc = "Its shards, when it must be created."},
                {1, Gateway::kMostShards});
  section.Field("retention_hours", &gateway.retention_hours,
                {.doc = "Its retention, when it must be created."},
                {Gateway::kLeastRetentionHours, Gateway::kMostRetentionHours});
  section.Field("dead_letter_stream", &gateway.dead_letter_stream,
                {.doc = "Stream that refused events go to, with the reason."});
  section.Field("partition_key", &gateway.partition_key,
                {.doc = "Dotted paths; the first that is present and not empty is the partition key."});
  section.Field("max_body", &gateway.max_body, {.doc = "Largest request after decompression."},
                {Gateway::kLeastBody, Gateway::kMostBody});
  section.Field("max_events", &gateway.max_events, {.doc = "Most events of a request."},
                {1, Gateway::kMostEvents});
  section.Field("max_in_flight", &gateway.max_in_flight,
                {.doc = "Bodies being worked on; beyond it requests get 429."},
                {ByteSize::MiB(1), ByteSize::GiB(64)});
  section.Field("require_event_id", &gateway.require_event_id,
                {.doc = "Reject events without event_id instead of making one."});
  section.Field("skew_threshold", &gateway.skew_threshold,
                {.doc = "sent_at may differ this much before times are corrected."});
  section.Field("future_tolerance", &gateway.future_tolerance,
                {.doc = "Times further ahead become the arrival time."});
  section.Field("dedup_window", &gateway.dedup_window,
                {.doc = "Retries with the same event_id are recognised this long; 0: off."},
                {Duration::zero(), Gateway::kMostDedupWindow});
  section.Field("dedup_max_entries", &gateway.dedup_max_entries,
                {.doc = "Ids remembered at most, 21 to 43 bytes each as needed; two thirds of them must last "
                        "dedup_window (default: 10,000 events a second)."},
                {Gateway::kLeastDedupEntries, Gateway::kMostDedupEntries});
  section.Field("cors_origins", &gateway.cors_origins,
                {.doc = "Web origins that may post; empty: any with api_keys, else this machine's pages."});
  section.Field("put_timeout", &gateway.put_timeout, {.doc = "Deadline of one write to the log."},
                {Gateway::kLeastPutTimeout, Gateway::kMostPutTimeout});
  section.List("api_keys", &gateway.api_keys,
               {.doc = "Who may post events and read key figures; empty: everybody who reaches the port."},
               DescribeApiKey);
  section.Check([&gateway] { return gateway.Validate(); });
}

void DescribeAggregator(processors::aggregator::AggregatorConfig& aggregator,
                        std::vector<std::string>& windows, Section& section) {
  section.Field("application", &aggregator.application,
                {.doc = "Name of the leases and checkpoints; a new name begins anew.",
                 .audience = config::Audience::kTunable});
  section.Field("stream", &aggregator.events_stream, {.doc = "Stream of events that is read."});
  section.Field("kpi_stream", &aggregator.kpi_stream, {.doc = "Stream that rows go to."});
  section.Field("late_stream", &aggregator.late_stream,
                {.doc = "Stream for events that come after their windows were closed."});
  section.Field("kpi_shards", &aggregator.kpi_shards,
                {.doc = "Shards of kpi_stream, when it must be created."}, {1, 10000});
  section.Field("late_shards", &aggregator.late_shards,
                {.doc = "Shards of late_stream, when it must be created."}, {1, 10000});
  section.Field("windows", &windows, {.doc = "Sizes of the windows, for instance 1m."});
  section.Field("allowed_lateness", &aggregator.allowed_lateness,
                {.doc = "A window stays open this long in event time after its end."},
                {Duration::zero(), hours(24)});
  section.Field("idle_timeout", &aggregator.idle_timeout,
                {.doc = "A shard that is caught up and silent this long does not hold back event time."},
                {milliseconds(10), hours(1)});
  section.Field("emit_interval", &aggregator.emit_interval, {.doc = "Between two updates of open windows."},
                {milliseconds(10), minutes(1)});
  section.Field("checkpoint_interval", &aggregator.checkpoint_interval,
                {.doc = "Checkpoints are saved at least this often."}, {milliseconds(10), minutes(10)});
  section.Field("max_groups", &aggregator.max_groups,
                {.doc = "Event types kept apart in one window; others count together as __other__."},
                {1, 1'000'000});
  section.Field("max_event_types", &aggregator.max_event_types,
                {.doc = "Event types kept apart since the start; further ones count together as __other__."},
                {1, 50'000});
  section.Field("exact_users", &aggregator.exact_users,
                {.doc = "Different users of a row are counted exactly up to this number, then estimated."},
                {1, 10'000'000});
  section.Field("max_window_memory", &aggregator.max_window_memory,
                {.doc = "Above this memory of open windows, shards ahead of the slowest one wait for it.",
                 .audience = config::Audience::kTunable},
                {ByteSize{1ULL << 20}, ByteSize{1ULL << 40}});
  section.Field("max_future", &aggregator.max_future,
                {.doc = "Events further ahead of their arrival count at their arrival."},
                {Duration::zero(), hours(24 * 365)});
  section.Field("lease_duration", &aggregator.lease_duration,
                {.doc = "After a crash another process takes over after this time.",
                 .audience = config::Audience::kTunable},
                {seconds(1), minutes(10)});
  section.Sub("errors", "Which events count as errors: any of the three is enough.",
              [&](Section& s) { DescribeErrorRule(aggregator.errors, s); });
  section.Check([&aggregator, &windows]() -> Result<void> {
    aggregator.windows.clear();
    for (const std::string& window : windows) {
      Result<Duration> size = ParseDuration(window);
      if (!size.ok()) return size.error().WithContext("windows");
      aggregator.windows.push_back(*size);
    }
    return aggregator.Validate();
  });
}

void DescribeQuery(processors::materializer::MaterializerConfig& materializer, api::query::QueryConfig& query,
                   Section& section) {
  section.Field("instance", &materializer.instance,
                {.doc = "Name of this copy of the key figures; every query process needs its own."});
  section.Field("kpi_stream", &materializer.kpi_stream, {.doc = "Stream of rows that is read."});
  section.Field("retention", &materializer.retention,
                {.doc = "Rows of windows that ended before are dropped."}, {hours(1), hours(24 * 3650)});
  section.Field("default_limit", &query.default_limit, {.doc = "Rows of an answer unless asked otherwise."},
                {1, 1'000'000});
  section.Field("max_limit", &query.max_limit, {.doc = "Most rows of an answer."}, {1, 10'000'000});
  section.Field("live_interval", &query.live_interval, {.doc = "Between two live events."},
                {milliseconds(10), minutes(1)});
  section.Field("live_heartbeat", &query.live_heartbeat, {.doc = "A comment after this much silence."},
                {milliseconds(100), minutes(10)});
  section.Field("max_live", &query.max_live, {.doc = "Live connections; further ones get 503."},
                {1, 1'000'000});
  section.Field(
      "cors_origins", &query.cors_origins,
      {.doc = "Web origins that may read: \"*\", \"loopback\" (pages of this machine) or exact ones."});
  section.Check([&materializer, &query]() -> Result<void> {
    HONRYU_TRY_VOID(materializer.Validate());
    return query.Validate();
  });
}

}  // namespace honryu::app
