#pragma once

#include "honryu/async/blocking_calls.h"
#include "honryu/async/task_group.h"
#include "honryu/broker/broker.h"
#include "honryu/broker/sequence.h"
#include "quotas.h"
#include "reshape.h"
#include "stream_metrics.h"
#include "stream_state.h"

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace honryu::broker {

/// ShardOfQuotaError reads it.
Error QuotaError(std::uint32_t shard);

struct BrokerMetrics {
  explicit BrokerMetrics(obs::Registry& registry);
  obs::Histogram put_seconds;
  obs::Counter rejected_overloaded, rejected_unavailable, rejected_other;
  obs::Counter throttled_records, throttled_reads;
  obs::Gauge streams, shards;
};

/// Thread-safe. The data path loads `table` and never locks `control`. `control` serialises changes of
/// streams and is held over MetaStore and engine calls, always on the blocking pool; it is taken before any
/// other lock and by nothing on an event loop.
struct Broker::Impl {
  Impl(BrokerConfig c, log::LogEngine& e, log::MetaStore& m, const Clock& k, async::Runtime& r,
       obs::Registry& g);

  std::shared_ptr<const StreamTable> Table() const { return std::atomic_load(&table); }
  /// The stream in any state; null pointer when unknown.
  std::shared_ptr<const StreamState> Find(std::string_view name) const;
  /// The stream when it takes records; kNotFound, or kFailedPrecondition in another state.
  Result<std::shared_ptr<const StreamState>> FindUsable(std::string_view name) const;
  std::uint64_t MaxRecordBytes(const StreamAttributes& attributes) const;

  // streams.cc; all under `control`, on the blocking pool
  void Publish(std::shared_ptr<StreamState> state);
  void Unpublish(const std::string& name);
  void Replace(std::shared_ptr<const StreamTable> next);
  Result<std::uint64_t> NextNumber(const char* key);
  Result<void> Store(StreamState& state, std::optional<std::uint64_t> expected_version);
  Result<void> Load();
  Result<void> LoadKey();
  Result<void> BeginCreate(const std::string& name, int count, const StreamAttributes& attributes);
  Result<void> FinishCreate(const std::string& name, std::uint64_t incarnation);
  Result<void> BeginDelete(const std::string& name);
  Result<void> FinishDelete(const std::string& name, std::uint64_t incarnation);
  /// Finishes a creation or deletion after `delay`; tries again until it is done or the broker stops.
  async::Task<void> Finish(std::string name, std::uint64_t incarnation, Duration delay);
  Result<void> ChangeRetention(const std::string& name, int hours);
  Result<void> Activate(StreamState& state);
  async::Task<void> RetentionLoop();
  /// Lets on-demand streams follow their load.
  async::Task<void> AutoscaleLoop();
  void EnforceRetention();

  // resharding.cc; all but the tasks under `control`, on the blocking pool
  using TargetOf = std::function<Result<std::vector<UInt128>>(const StreamState&)>;
  Result<void> BeginReshape(const std::string& name, const TargetOf& target_of);
  /// One round of steps; true when nothing is left to do.
  Result<bool> ReshapeOnce(const std::string& name, std::uint64_t incarnation);
  /// Fences the shards that `state` closes and `before` had open, then stores it.
  Result<void> CloseAndStore(const StreamState& before, StreamState& state);
  Result<void> RetireShards(const std::string& name);
  async::Task<void> Reshape(std::string name, std::uint64_t incarnation);
  async::Task<Result<void>> StartReshape(std::string name, TargetOf target_of);

  /// Puts by the stream as `state` has it. kFenced: it has changed meanwhile, and nothing was stored.
  async::Task<Result<std::vector<Result<PutPlace>>>> PutBy(async::Context ctx, const StreamState& state,
                                                           const std::vector<PutRecordEntry>& entries);
  /// Finishes builder i into part i.
  async::Task<Result<void>> Pack(std::vector<log::RecordBuilder> builders, std::uint64_t bytes,
                                 std::vector<log::AppendPart>* parts);

  // leases.cc
  Result<LeaseRow> ChangeLease(const std::string& key,
                               const std::function<Result<LeaseRow>(std::optional<LeaseRow>)>& change);

  const BrokerConfig config;
  log::LogEngine& engine;
  log::MetaStore& meta;
  const Clock& clock;
  async::Runtime& runtime;
  BrokerMetrics metrics;
  StreamMetricsTable stream_metrics;  // outlives the states, which hold parts of it
  std::optional<ShardQuotas> quotas;  ///< Set with the profile kAws.

  std::shared_ptr<const StreamTable> table = std::make_shared<StreamTable>();  // accessed atomically
  std::mutex control;
  std::string token_key;  // constant after Start
  std::atomic<bool> stopping{false};
  async::BlockingCalls calls;  // changes under `control` take turns, so that none of them waits on a thread
  async::TaskGroup tasks;      // last: joined before the rest goes
};

}  // namespace honryu::broker
