#pragma once

#include "honryu/obs/metrics.h"

#include <map>
#include <string>

namespace honryu::processors::indexer {

/// The indexer's.
struct Metrics {
  explicit Metrics(obs::Registry& registry)
      : documents(registry.MakeCounter("honryu_indexer_documents_total", "Documents taken into the store")),
        bytes(registry.MakeCounter("honryu_indexer_bytes_total", "Bytes of the records read")),
        duplicates(registry.MakeCounter("honryu_indexer_duplicates_total",
                                        "Documents that were in the store already: replays")),
        errors(registry.MakeCounter("honryu_indexer_errors_total", "Failed calls of the store")),
        lost_documents(registry.MakeCounter("honryu_indexer_restored_documents_total",
                                            "Documents of corrupt segments read again from the log")),
        full(registry.MakeCounter("honryu_indexer_store_full_total",
                                  "Pauses of reading because the store's memory was full")),
        add_seconds(registry.MakeHistogram("honryu_indexer_add_seconds",
                                           "Time to take a batch into the store", obs::LatencyBuckets())),
        visible_seconds(registry.MakeHistogram(
            "honryu_indexer_visible_seconds",
            "From a record's arrival in the log until searches find it, the oldest of a batch",
            obs::LatencyBuckets())),
        refresh_lag(registry.MakeGauge("honryu_indexer_refresh_lag_seconds",
                                       "Age of the oldest batch that is indexed and not visible yet")),
        waiting(registry.MakeGauge("honryu_indexer_waiting_documents", "Documents not visible yet")),
        memory(registry.MakeGauge("honryu_indexer_memory_bytes", "Held by the store and not on disk yet")),
        stored_bytes(registry.MakeGauge("honryu_indexer_stored_bytes", "Bytes of all segments")),
        stored_documents(registry.MakeGauge("honryu_indexer_stored_documents", "Documents in the store")),
        bytes_per_document(
            registry.MakeGauge("honryu_indexer_bytes_per_document", "Bytes of segments for each document")),
        quarantined(registry.MakeGauge("honryu_indexer_quarantined_segments",
                                       "Corrupt segments set aside since the start")),
        lost_segments(registry.MakeGauge("honryu_indexer_lost_segments",
                                         "Corrupt segments whose events are not back from the log yet")),
        merged_bytes(
            registry.MakeGauge("honryu_indexer_merged_bytes", "Bytes written by merging since the start")),
        dropped(registry.MakeGauge("honryu_indexer_dropped_segments",
                                   "Segments dropped by retention since the start")),
        fields(registry.MakeGauge("honryu_indexer_fields", "Fields of the index that has most")),
        ignored(
            registry.MakeGauge("honryu_indexer_ignored_values",
                               "Values since the start that are kept in the source only, as they are beyond "
                               "a limit of the mapping")),
        conflicting(registry.MakeGauge("honryu_indexer_conflicting_values",
                                       "Values since the start of another type than their field")),
        overlong(registry.MakeGauge("honryu_indexer_overlong_values",
                                    "Strings since the start that are too long for the exact column")),
        cut(registry.MakeGauge("honryu_indexer_cut_texts",
                               "Strings since the start of which only the first words can be searched")) {
    for (const char* reason : {"malformed", "refused"})
      rejected.emplace(reason,
                       registry.MakeCounter("honryu_indexer_rejected_total",
                                            "Records that did not become documents", {{"reason", reason}}));
  }
  obs::Counter documents, bytes, duplicates, errors, lost_documents, full;
  obs::Histogram add_seconds, visible_seconds;
  obs::Gauge refresh_lag, waiting, memory, stored_bytes, stored_documents, bytes_per_document, quarantined,
      lost_segments, merged_bytes, dropped, fields, ignored, conflicting, overlong, cut;
  std::map<std::string, obs::Counter> rejected;
};

}  // namespace honryu::processors::indexer
