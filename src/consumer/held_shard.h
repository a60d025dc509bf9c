#pragma once

#include "honryu/async/task_group.h"
#include "honryu/consumer/handler.h"
#include "honryu/obs/metrics.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace honryu::consumer {

/// Metrics of one shard's reader; labels: application, stream, shard.
struct ShardMetrics {
  ShardMetrics(obs::Registry& registry, const std::string& application, const std::string& stream,
               const std::string& shard_id);
  obs::Gauge iterator_age_ms, lag_s;
  obs::Counter records, batches;
};

/// A shard whose lease this worker holds. Runs on: the worker's executor.
class HeldShard final : public Checkpointer {
 public:
  enum class Phase {
    kReading,
    kReadToEnd,  ///< Closed, all read; waits for Finish.
    kHalted,     ///< The handler failed; waits for a person.
    kGone,       ///< Released or lost.
  };

  HeldShard(client::StreamClient& client, client::ShardDescription shard, client::Lease lease,
            obs::Registry& registry);

  async::Task<Result<void>> Save(async::Context ctx, std::optional<SequenceNumber> sequence,
                                 std::string state) override;
  async::Task<Result<void>> Finish(async::Context ctx) override;

  bool ending() const override { return stopping || lost || phase == Phase::kGone; }

  void OnEnding(std::function<void()> call) override;
  void Halt(Error why) override;

  /// Brings the metric of the lag up to date. While records are being processed nobody else does.
  void ShowLag(Timestamp now);

  const std::string& id() const { return shard.shard_id; }
  /// Stops the reading at the next point between two calls of the handler; a long poll ends at once.
  void Stop();
  /// The same because the lease is not held any more.
  void Lose();

  client::StreamClient& client;
  const client::ShardDescription shard;
  client::Lease lease;  ///< With the checkpoint and state saved last.
  ShardMetrics metrics;
  Phase phase = Phase::kReading;
  std::optional<Timestamp> unprocessed;  ///< Arrival of the oldest record read and not processed.
  bool stopping = false;
  bool lost = false;               ///< The lease has another owner, or could not be renewed in time.
  std::optional<Error> halted_by;  ///< What the handler gave to Halt.
  std::function<void()> on_ending;
  MonoTime renewed;       ///< When the lease was last known to be held.
  async::TaskGroup poll;  ///< The long poll under way.
};

}  // namespace honryu::consumer
