#pragma once

#include "honryu/alerting/engine.h"
#include "honryu/consumer/handler.h"
#include "honryu/consumer/worker.h"
#include "honryu/processors/alerter/alerter.h"

#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace honryu::processors::alerter {

struct AlerterMetrics {
  explicit AlerterMetrics(obs::Registry& registry);
  obs::Counter records, malformed, changes, notifications, write_errors, dropped, checkpoints, evicted;
  obs::Gauge active, series;
};

/// The rules on one stream: its worker, its engine, and what is still to be written.
///
/// OnBatch only feeds the engine; one loop (Tick, driven by the Alerter) writes what came out and saves, in
/// this order: records are durable → snapshot and the positions that are in it are saved with every shard.
/// The newest snapshot of all shards counts; nothing is processed before each of them was asked for it.
class Pipeline final : public consumer::Handler {
 public:
  /// References must outlive it.
  Pipeline(const AlerterConfig& config, std::string stream, std::vector<alerting::Rule> rules,
           client::StreamClient& client, async::Executor executor, const Clock& clock,
           obs::Registry& registry, AlerterMetrics& metrics);

  void Start() {
    started_ = true;
    worker_.Start();
  }
  bool started() const { return started_; }
  async::Task<void> Stop(MonoTime deadline);
  async::Task<void> Abandon();
  Result<void> Ready() const;

  void SetSilences(std::vector<alerting::Silence> silences) { engine_.SetSilences(std::move(silences)); }
  /// Moves time on, writes and saves what is due. `save`: save in any case.
  async::Task<Result<void>> Tick(bool save);
  std::vector<alerting::Alert> Active() const { return engine_.Active(); }
  std::size_t series() const { return engine_.series(); }
  std::uint64_t evicted() const { return engine_.evicted(); }
  bool owns() const { return !shards_.empty(); }
  const std::string& stream() const { return stream_; }

  // consumer::Handler
  void OnShards(const std::vector<client::ShardDescription>& shards) override;
  async::Task<Result<client::StartPosition>> OnShardStart(consumer::ShardStart start) override;
  async::Task<Result<void>> OnBatch(const consumer::Batch& batch) override;
  async::Task<Result<void>> OnIdle(const std::string& shard_id) override;
  async::Task<Result<void>> OnShardEnd(const std::string& shard_id) override;
  void OnShardLost(const std::string& shard_id) override;

 private:
  struct Shard {
    std::shared_ptr<consumer::Checkpointer> checkpointer;
    std::optional<SequenceNumber> position;  ///< The last record in the engine.
    Timestamp arrival{};                     ///< Of the last record.
    bool caught_up = false;
    bool ended = false;
    bool finishing = false;  ///< Its end is being told; losing it then is nothing to forget for.
  };
  struct Flight {
    std::string snapshot;
    std::map<std::string, std::optional<SequenceNumber>> positions;
    std::vector<std::string> finished;
  };
  bool complete();
  void Collect(alerting::EngineOutput& out);
  void AdvanceTime();
  std::string Snapshot() const;
  void TakeSnapshot(const std::string& state);
  async::Task<Result<void>> Write();
  async::Task<Result<void>> Save();
  async::Context Call() const;

  const AlerterConfig& config_;
  const std::string stream_;
  const std::vector<alerting::Rule> rules_;
  client::StreamClient& client_;
  const Clock& clock_;
  AlerterMetrics& metrics_;
  alerting::Engine engine_;
  std::map<std::string, Shard> shards_;
  std::map<std::string, SequenceNumber> restored_;  ///< Positions in the snapshot that was taken over.
  std::set<std::string> awaited_;                   ///< Shards to be started before anything is processed.
  bool complete_ = false;
  std::uint64_t generation_ = 0;
  std::deque<client::PutEntry> pending_;
  bool important_ = false;  ///< Something was written since the last save.
  MonoTime saved_{};
  std::atomic<bool> started_{false};
  MonoTime stop_deadline_ = MonoTime::max();
  consumer::Worker worker_;
};

}  // namespace honryu::processors::alerter
