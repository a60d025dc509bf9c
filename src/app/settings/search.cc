#include "app/settings/describe.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Product = api::search::SearchConfig::Product;

void DescribeStore(search::StoreConfig& store, Section& section) {
  section.Field("retention", &store.retention, {.doc = "Whole days of events older than this go; 0: none."},
                {hours(0), hours(24 * 3650)});
  section.Field(
      "time_fields", &store.time_fields,
      {.doc = "Members that may hold an event's time, the first that does counts; else its arrival."});
  section.Field("id_window", &store.id_window,
                {.doc = "How far back an event's id is looked for, so that it is stored once."},
                {seconds(0), hours(24 * 30)});
  section.Field("flush_bytes", &store.flush_bytes,
                {.doc = "Held in memory before it goes to disk.", .audience = config::Audience::kTunable},
                {1ULL << 20, 64ULL << 30});
  section.Field(
      "flush_age", &store.flush_age,
      {.doc = "Age of the oldest event in memory before all goes to disk; what a crash must read again.",
       .audience = config::Audience::kTunable},
      {milliseconds(100), hours(1)});
  section.Field(
      "max_memory_bytes", &store.max_memory_bytes,
      {.doc = "Beyond it reading pauses until more is on disk.", .audience = config::Audience::kTunable},
      {4ULL << 20, 256ULL << 30});
  section.Field("max_segment_docs", &store.max_segment_docs,
                {.doc = "Documents of one segment at most.", .audience = config::Audience::kTunable},
                {1000, 1'000'000});
  section.Field("max_fields", &store.limits.fields,
                {.doc = "Fields of an index at most. Members beyond it are kept in the source and cannot be "
                        "searched; the mapping, metrics and the log say so.",
                 .audience = config::Audience::kTunable},
                {10, 100'000});
  section.Field("merge_bytes_per_second", &store.merge_bytes_per_second,
                {.doc = "What merging may write.", .audience = config::Audience::kTunable},
                {1ULL << 20, 16ULL << 30});
}

void DescribeIndexer(processors::indexer::IndexerConfig& indexer, Section& section) {
  section.Field("instance", &indexer.instance,
                {.doc = "Name of this copy of the search store; every indexer process needs its own."});
  section.Field("streams", &indexer.streams,
                {.doc = "Streams of events to index, each into the index of its name: \"events\"; "
                        "\"events:logs\" for another name."});
  section.Field("id_field", &indexer.id_field,
                {.doc = "Member of an event that is its _id; empty: shard and sequence number."});
  section.Field(
      "document_stream", &indexer.document_stream,
      {.doc = "Stream in which documents written by the search API are durable; empty: such writes are "
              "refused."});
  section.Field("document_shards", &indexer.document_shards, {.doc = "Of that stream, when it is made."},
                {1, 10'000});
  section.Field("document_retention_hours", &indexer.document_retention_hours,
                {.doc = "Of that stream, when it is made."}, {24, 8760});
  section.Field(
      "erasure_stream", &indexer.erasure_stream,
      {.doc = "Stream in which erasures stand for other copies of the store, and for this one when it is "
              "filled anew; kept for a year. Empty: a lost store brings back what was erased."});
  section.Field("refresh_interval", &indexer.refresh_interval,
                {.doc = "New documents are found after at most this."}, {milliseconds(10), seconds(60)});
}

}  // namespace

void DescribeSearch(Settings& settings, Section& section) {
  DescribeListener(settings.search_listener, section);
  DescribeIndexer(settings.indexer, section);
  section.Sub("store", "The store of events.", [&](Section& s) { DescribeStore(settings.search_store, s); });
  api::search::SearchConfig& api = settings.search;
  section.Enum("product", &api.product,
               {.doc = "What GET / says this is: clients of Elasticsearch and of OpenSearch accept different "
                       "answers."},
               {{"elasticsearch", Product::kElasticsearch}, {"opensearch", Product::kOpensearch}});
  section.Field("product_by_client", &api.product_by_client,
                {.doc = "Say OpenSearch to clients that are known to insist on it (by User-Agent)."});
  section.Field("elasticsearch_version", &api.elasticsearch_version, {.doc = "Version that GET / says."});
  section.Field("opensearch_version", &api.opensearch_version,
                {.doc = "Version that GET / says as OpenSearch."});
  section.Field("cluster_name", &api.cluster_name, {.doc = "Shown by GET / and _cluster/health."});
  section.Field("node_name", &api.node_name, {.doc = "Shown by GET / and _cat."});
  section.Field("max_bulk_items", &api.max_bulk_items, {.doc = "Documents of one _bulk request."},
                {1, 1'000'000});
  section.Field("put_timeout", &api.put_timeout, {.doc = "Of one write to the log."},
                {milliseconds(10), hours(1)});
  section.Field("visible_timeout", &api.visible_timeout,
                {.doc = "How long refresh=wait_for and _refresh wait."}, {milliseconds(10), hours(1)});
  section.Field("search_timeout", &api.search_timeout,
                {.doc = "A search answers what it has found until then, with timed_out."},
                {milliseconds(10), hours(1)});
  section.Field("search_threads", &api.search_threads,
                {.doc = "Searches running at a time, on runtime.blocking_threads; leave some to the others."},
                {1, 256});
  section.Field("max_searches", &api.max_searches,
                {.doc = "Searches running or waiting; further ones get 429."}, {1, 100'000});
  section.Field("max_contexts", &api.max_contexts, {.doc = "Open scrolls and points in time."}, {1, 100'000});
  section.Field("max_keep_alive", &api.max_keep_alive, {.doc = "How long one of them may be kept unused."},
                {seconds(1), hours(24 * 7)});
  section.Field("cors_origins", &api.cors_origins,
                {.doc = "Web origins whose pages may call: \"*\", \"loopback\" or exact ones."});
  section.Check([&settings]() -> Result<void> {
    HONRYU_TRY_VOID(settings.indexer.Validate());
    return settings.search.Validate();
  });
}

}  // namespace honryu::app
