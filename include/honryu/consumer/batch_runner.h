#pragma once

#include "honryu/consumer/record_handler.h"
#include "honryu/consumer/worker.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace honryu::consumer {

struct BatchRunnerConfig {
  WorkerConfig worker;  ///< Application, stream, opening, dead letters. Its max_records is that of a read.
  /// Where shards begin that the application has never read. FromLatest means: when it first began, also for
  /// shards that come into being while nobody reads.
  client::StartPosition start = client::FromTrimHorizon{};

  // A batch is given to the handler when there are max_records or max_bytes of it, or when the window has
  // passed since the first of them came (or since the batch before ended, if that was later).
  std::uint32_t max_records = 100;     ///< 1..10,000
  std::size_t max_bytes = 6 << 20;     ///< Data and partition keys; at least one record.
  Duration window = Duration::zero();  ///< Up to 5 minutes.
  int parallelisation = 1;  ///< 1..10 batches of one shard at a time, records of one partition key in order.

  int max_attempts = 5;  ///< Of the same batch, before its records are set aside.
  bool bisect = true;    ///< A batch that fails is halved instead, until the record that fails stands alone.
  Duration retry_initial = std::chrono::milliseconds(100);  ///< Pauses grow from this…
  Duration retry_max = std::chrono::seconds(30);            ///< …to this, with full jitter.
  Duration max_record_age = Duration::zero();  ///< Older records are set aside, not processed. Zero: never.
  Duration call_timeout = std::chrono::seconds(60);  ///< The deadline of one call.

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Processes a stream by a RecordHandler: a Worker's shards, gathered into batches, several at a time, tried
/// again, halved until the poison record stands alone, which goes to the dead letters while its neighbours
/// are processed. The checkpoint of a shard is the last record of the longest run without a gap; what came
/// after it is processed again after a crash. At most 10,000 records or two batches a lane, whichever is
/// more, are under way from the oldest unfinished record of a shard on, and what one read gave beyond that;
/// then the shard waits. Children of a shard are processed when all of the shard is.
///
/// Runs on: the executor given (one single-threaded event loop).
class BatchRunner {
 public:
  /// References must outlive it. `config` must be valid. `runtime` as for Worker.
  BatchRunner(BatchRunnerConfig config, client::StreamClient& client, RecordHandler& handler,
              async::Executor executor, const Clock& clock, obs::Registry& metrics,
              async::Runtime* runtime = nullptr);
  ~BatchRunner();
  BatchRunner(const BatchRunner&) = delete;
  BatchRunner& operator=(const BatchRunner&) = delete;

  /// As Worker's.
  void Start();
  /// Calls under way may end until the deadline; then they are cancelled.
  async::Task<void> Stop(MonoTime deadline);
  async::Task<void> Abandon();
  std::vector<std::string> held_shards() const;
  Result<void> Ready() const;
  std::size_t halted_shards() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::consumer
