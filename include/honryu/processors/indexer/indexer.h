#pragma once

#include "honryu/async/runtime.h"
#include "honryu/client/stream_client.h"
#include "honryu/obs/metrics.h"
#include "honryu/search/store.h"

#include <memory>
#include <string>
#include <vector>

namespace honryu::processors::indexer {

struct IndexerConfig {
  /// Names this copy of the store; one per process. Its application is "indexer-<instance>".
  std::string instance = "main";
  /// Streams of events to index: "events", or "events:logs" for an index of another name.
  std::vector<std::string> streams = {"events"};
  /// Dotted name of the member that is an event's `_id`; of several events with the same one only the first
  /// is kept. Empty: every event is kept, under its shard and sequence number.
  std::string id_field = "event_id";
  /// The stream of documents written by the search API; made when missing. Empty: none.
  std::string document_stream = "documents";
  int document_shards = 2;
  int document_retention_hours = 24;
  /// The stream of erasures (api/search writes it): made when missing, with one shard, kept as long as a
  /// stream can be. Every copy of the store carries them out, and one that is filled anew knows them before
  /// it takes the first event. Empty: none.
  std::string erasure_stream = "erasures";
  Duration refresh_interval =
      std::chrono::milliseconds(500);  ///< New documents are found after at most this.
  Duration lease_duration = std::chrono::seconds(10);
  Duration sync_interval = std::chrono::seconds(2);
  Duration poll_wait = std::chrono::seconds(1);

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Keeps a search store up to date. Runs on: the executor given; the store is called on the runtime's
/// blocking pool.
class Indexer {
 public:
  /// References must outlive it; `config` must be valid.
  Indexer(IndexerConfig config, search::Store& store, client::StreamClient& client, async::Runtime& runtime,
          async::Executor executor, const Clock& clock, obs::Registry& metrics);
  ~Indexer();
  Indexer(const Indexer&) = delete;
  Indexer& operator=(const Indexer&) = delete;

  /// Begins to work; waits for the streams to exist. Call once.
  void Start();
  /// Flushes the store and saves checkpoints. Call once, also if never started. Calls of the store may go on
  /// until the destructor returns.
  async::Task<void> Stop(MonoTime deadline);
  /// Ends as a killed process does: nothing is flushed or saved. For tests. Instead of Stop. Calls of the
  /// store may go on until the destructor returns.
  async::Task<void> Abandon();
  /// kUnavailable while the work does not go on (see consumer::Worker::Ready), or while the store's upkeep
  /// fails. Thread-safe.
  Result<void> Ready() const;

  /// Waits until records written at these positions of `stream` are found by searches; `now`: refreshes the
  /// store as soon as they are indexed instead of waiting for its interval. With no positions and `now`:
  /// refreshes what is indexed so far. kDeadlineExceeded by `ctx`. Any executor.
  async::Task<Result<void>> AwaitVisible(async::Context ctx, std::string stream,
                                         std::vector<client::PutPosition> positions, bool now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::processors::indexer
