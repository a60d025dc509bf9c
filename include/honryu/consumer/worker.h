#pragma once

#include "honryu/async/runtime.h"
#include "honryu/consumer/dead_letter.h"
#include "honryu/consumer/handler.h"
#include "honryu/consumer/opening.h"
#include "honryu/obs/metrics.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace honryu::consumer {

struct WorkerConfig {
  std::string application;  ///< 1..100 characters, no '/'. Shares leases and checkpoints with its namesakes.
  std::string stream;
  std::string worker_id;  ///< Unique among living workers; empty: a fresh UUID.
  /// After a crash a shard stands still for this long. Renewed every third of it.
  Duration lease_duration = std::chrono::seconds(10);
  Duration sync_interval = std::chrono::seconds(2);         ///< Between looks at shards and leases.
  Duration poll_wait = std::chrono::seconds(1);             ///< Long poll of an empty shard.
  std::uint32_t max_records = 10000;                        ///< In one batch.
  std::size_t max_bytes = 64 << 20;                         ///< In one batch, opened; at least one record.
  int handler_attempts = 5;                                 ///< Of one call, before its shard halts.
  Duration retry_initial = std::chrono::milliseconds(100);  ///< Pauses after errors grow from this…
  Duration retry_max = std::chrono::seconds(5);             ///< …to this, with full jitter.
  /// One worker owns all shards; others stand by and take over when its leases expire or are released.
  bool exclusive = false;
  OpeningConfig opening;  ///< What records are opened out of; only aggregates, unless told.
  /// Where records go that cannot be opened. While off, they halt their shard.
  DeadLetterConfig dead_letters;

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Reads a stream for an application, sharing its shards with the application's other living workers.
///
/// Shards are shared evenly: with n shards and w workers each takes n/w, some one more (by order of worker
/// id); a worker that has too many finishes its batch, lets its handler checkpoint and gives some back.
/// Workers find each other by leases of a second application, "<application>.members": each living worker
/// holds one of them (an exclusive worker client::kStreamSlot, as a lock). A child shard is read only after
/// its parents were finished, or read to their end by this worker. Read errors are tried again for ever, with
/// jittered pauses; where the log is corrupt the shard stands still until a person has mended it, Ready() and
/// honryu_consumer_unreadable_shards tell.
///
/// Runs on: the executor given (one single-threaded event loop), on which the handler is called too.
class Worker {
 public:
  /// References must outlive the worker. `config` must be valid. Compressed records are opened on the
  /// blocking pool of `runtime`, or on the executor without one.
  Worker(WorkerConfig config, client::StreamClient& client, Handler& handler, async::Executor executor,
         const Clock& clock, obs::Registry& metrics, async::Runtime* runtime = nullptr);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Begins to work; waits for the stream to exist if need be. Call once.
  void Start();
  /// Ends reading, lets the handler save each shard (OnShardStop), releases the leases. At the deadline what
  /// still runs is cancelled; then its leases expire by themselves. Call once, also if never started.
  async::Task<void> Stop(MonoTime deadline);
  /// Ends as a killed process does: nothing is saved or released. For tests of take-over. Instead of Stop.
  async::Task<void> Abandon();

  /// Shards held, for readiness and tests. Thread-safe.
  std::vector<std::string> held_shards() const;
  /// kUnavailable says why the work does not go on: a shard halted, the log corrupt behind a position, or the
  /// broker not answering for longer than a lease lasts. Standing by is ready. Thread-safe.
  Result<void> Ready() const;
  /// Shards that a handler's error has halted. Thread-safe.
  std::size_t halted_shards() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::consumer
