#pragma once

#include "consumer/shard_work.h"
#include "honryu/async/one_shot.h"
#include "honryu/async/task_group.h"
#include "honryu/consumer/batch_runner.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::consumer {

struct BatchRunner::Impl final : Handler {
  /// One shard that is held. Shared by its tasks and the map, because it may be lost while calls are under
  /// way.
  struct Shard {
    Shard(std::string shard_id, std::shared_ptr<Checkpointer> saves, const WorkPolicy& policy)
        : id(std::move(shard_id)), checkpointer(std::move(saves)), work(id, policy, async::RetrySeed()) {}
    bool Ending() const { return closing || lost || checkpointer->ending(); }
    /// Has the conductor, and whoever waits for progress, look again.
    void Wake();

    const std::string id;
    const std::shared_ptr<Checkpointer> checkpointer;
    ShardWork work;
    std::string state;  ///< Saved with every checkpoint: when the application first began.
    bool closing = false;
    bool lost = false;
    bool saving = false;
    std::optional<SequenceNumber> saved;
    std::vector<async::OneShot<void>> waiting;
    async::TaskGroup tasks;
  };

  struct Metrics {
    Metrics(obs::Registry& registry, const WorkerConfig& config);
    obs::Gauge age_ms, pending_records, pending_bytes;
    obs::Counter calls, retries, throttled, bisects, processed;
    obs::Histogram call_s;
  };

  Impl(BatchRunnerConfig settings, client::StreamClient& stream_client, RecordHandler& records,
       async::Executor home, const Clock& source, obs::Registry& registry, async::Runtime* runtime);

  // Handler, called by the worker
  async::Task<Result<client::StartPosition>> OnShardStart(ShardStart start) override;
  async::Task<Result<void>> OnBatch(const Batch& batch) override;
  async::Task<Result<void>> OnShardEnd(const std::string& shard_id) override;
  async::Task<void> OnShardStop(const std::string& shard_id) override;
  void OnShardLost(const std::string& shard_id) override;

  async::Task<Result<std::string>> FirstBegan(const ShardStart& start);
  async::Task<void> Conduct(std::shared_ptr<Shard> shard);
  void Begin(const std::shared_ptr<Shard>& shard);
  async::Task<void> RunCall(std::shared_ptr<Shard> shard, ShardWork::Call call);
  async::Task<void> RunSetAside(std::shared_ptr<Shard> shard, ShardWork::SetAside aside);
  async::Task<void> RunSave(std::shared_ptr<Shard> shard);
  async::Task<Result<void>> SaveNow(std::shared_ptr<Shard> shard);
  /// Until Wake or about a second from now.
  static async::Task<Result<void>> AwaitProgress(std::shared_ptr<Shard> shard, Duration patience);
  async::Task<void> StopOnHome(MonoTime deadline, bool graceful);
  void Publish();

  const BatchRunnerConfig config;
  const WorkPolicy policy;
  client::StreamClient& client;
  RecordHandler& handler;
  const async::Executor executor;
  const Clock& clock;
  Metrics metrics;
  DeadLetterWriter dead_letters;
  std::map<std::string, std::shared_ptr<Shard>> shards;
  std::vector<std::shared_ptr<Shard>> lost_shards;  ///< Whose cancelled tasks may still be ending.
  Worker worker;
  async::TaskGroup closing;
};

}  // namespace honryu::consumer
