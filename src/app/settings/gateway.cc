#include "app/settings/describe.h"

namespace honryu::app {
namespace {

using config::Section;

void DescribeApiKey(api::keys::ApiKey& key, Section& section) {
  section.Field("name", &key.name, {.doc = "Shown in logs and answers.", .required = true});
  section.Field("key", &key.key, {.doc = "The secret.", .secret = true, .required = true});
  section.Field("events_per_second", &key.events_per_second, {.doc = "Rate limit; 0: none."}, {0, 1e9});
  section.Field("scopes", &key.scopes,
                {.doc = "What it may do: write (post events), read (GET /v1/kpi…), admin (everything)."},
                {.allowed = {api::keys::kScopes.begin(), api::keys::kScopes.end()}});
}

}  // namespace

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

}  // namespace honryu::app
