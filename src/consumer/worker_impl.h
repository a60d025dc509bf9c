#pragma once

#include "consumer/held_shard.h"
#include "consumer/lease_plan.h"
#include "honryu/async/one_shot.h"
#include "honryu/async/retry.h"
#include "honryu/base/random.h"
#include "honryu/consumer/worker.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace honryu::consumer {

struct WorkerMetrics {
  WorkerMetrics(obs::Registry& registry, const WorkerConfig& config);
  obs::Gauge held, halted, unreadable, standing_by;
  obs::Counter taken, released, lost, sync_errors, read_errors, handler_errors;
  std::map<OpenFailure, obs::Counter> open_failures;
};

/// A read that is opened bit by bit.
struct ReadRecords {
  std::vector<client::StreamRecord> records;
  std::size_t next = 0;
};
/// Enough of it for one batch, and what could not be opened.
struct OpenedPart {
  OpenedRecords opened;
  bool more = false;
};

struct Worker::Impl {
  Impl(WorkerConfig settings, client::StreamClient& stream_client, Handler& application, async::Executor home,
       const Clock& source, obs::Registry& metrics_registry, async::Runtime* threads);

  // worker.cc: leases
  async::Task<void> Supervise();
  async::Task<Result<void>> Sync();
  void TellShards(std::vector<client::ShardDescription> listed, const std::vector<client::Lease>& leases);
  async::Task<void> JoinMembers(const std::vector<client::ShardDescription>& shards,
                                const std::vector<client::Lease>& members);
  async::Task<void> Take(client::ShardDescription shard);
  void GiveBack(std::size_t count);
  async::Task<void> SettleParked();
  async::Task<void> RenewAll();
  async::Task<void> RenewOne(std::shared_ptr<HeldShard> held);
  async::Task<void> RenewMembership();
  async::Task<void> StopOnHome(MonoTime deadline, bool graceful);
  void Publish();
  void PublishSync(const Result<void>& synced);
  /// Why a shard cannot be read just now.
  struct Trouble {
    MonoTime since;
    bool corrupt = false;
    std::string position, reason;
  };
  void PublishRead(const std::string& shard_id, std::optional<Trouble> trouble);

  // read_loop.cc: one shard
  async::Task<void> RunShard(std::shared_ptr<HeldShard> held);
  async::Task<bool> Begin(HeldShard& held, client::StartPosition& from);
  async::Task<Result<client::ReadBatch>> Poll(HeldShard& held, client::StartPosition from);
  static async::Task<void> PollTask(client::StreamClient& client, client::ReadRequest request,
                                    Duration patience, async::OneShot<client::ReadBatch> out);
  async::Task<bool> Process(HeldShard& held, Batch batch);
  async::Task<bool> ProcessRead(HeldShard& held, client::ReadBatch read);
  async::Task<Result<OpenedPart>> OpenNext(HeldShard& held, std::shared_ptr<ReadRecords> read);
  async::Task<bool> SetAside(HeldShard& held, std::vector<UnopenedRecord> failed);
  async::Task<bool> ReachEnd(HeldShard& held);
  /// Decides after the n-th failure of a handler's call; false: give up, the shard halts.
  async::Task<bool> PauseAfterFailure(HeldShard& held, const Error& error, int failures);
  async::Task<void> Settle(HeldShard& held);
  bool Going(const HeldShard& held) const { return !held.stopping && !held.lost; }

  const WorkerConfig config;
  client::StreamClient& client;
  Handler& handler;
  const async::Executor executor;
  const Clock& clock;
  async::Runtime* const runtime;
  obs::Registry& registry;
  WorkerMetrics metrics;
  DeadLetterWriter dead_letters;
  Random random;
  bool started = false;
  bool stopping = false;
  bool abandoned = false;
  bool standing_by = false;
  std::vector<std::string> known_shards;
  std::optional<client::Lease> membership;
  std::map<std::string, std::shared_ptr<HeldShard>> shards;
  mutable std::mutex published_mutex;  // leaf: guards what held_shards(), halted_shards() and Ready() read
  std::optional<MonoTime> synced_at;
  std::string sync_error;
  std::map<std::string, Trouble> troubles;
  std::vector<std::string> published;
  std::size_t published_halted = 0;
  async::TaskGroup readers;
  async::TaskGroup background;
  async::TaskGroup closing;  // Stop or Abandon: they work on `executor`, whoever calls
};

}  // namespace honryu::consumer
