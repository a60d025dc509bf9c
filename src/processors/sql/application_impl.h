#pragma once

#include "honryu/async/one_shot.h"
#include "honryu/async/task_group.h"
#include "honryu/base/random.h"
#include "honryu/consumer/worker.h"
#include "honryu/processors/sql/application.h"
#include "honryu/sqlapp/feed.h"
#include "honryu/sqlapp/machine.h"
#include "honryu/sqlapp/row_writer.h"
#include "honryu/sqlapp/state_store.h"
#include "processors/sql/application_state.h"
#include "processors/sql/reference_tables.h"

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace honryu::processors::sql_app {

struct Metrics {
  Metrics(obs::Registry& registry, const std::string& application);
  obs::Counter rows_in, rows_out, error_rows, late_rows, dropped, failures, checkpoints, rebuilt, lane_cuts;
  obs::Gauge owner, state_bytes, state_entries, snapshot_bytes, buffered;
};

/// Reads one stream for an application.
class StreamHandler final : public consumer::Handler {
 public:
  StreamHandler(Application::Impl& app, std::uint32_t stream, consumer::WorkerConfig config);

  void OnShards(const std::vector<client::ShardDescription>& shards) override;
  async::Task<Result<client::StartPosition>> OnShardStart(consumer::ShardStart start) override;
  async::Task<Result<void>> OnBatch(const consumer::Batch& batch) override;
  async::Task<Result<void>> OnIdle(const std::string& shard_id) override;
  async::Task<Result<void>> OnShardEnd(const std::string& shard_id) override;
  void OnShardLost(const std::string& shard_id) override;

 private:
  Application::Impl& app_;
  const std::uint32_t stream_;

 public:
  std::map<std::string, std::shared_ptr<consumer::Checkpointer>> checkpointers;
  std::set<std::string> told;  ///< Shards whose leases know a position.
  std::map<std::string, SequenceNumber> last_told;
  consumer::Worker worker;
};

/// What the blocking pool works on; a call that was cancelled may go on for a while and keeps it alive.
struct WorkSet {
  sql::TableFunctionRegistry functions;
  sqlapp::Program program;
  std::uint64_t run = 0;
  std::vector<sqlapp::OutputRecord> rows;  ///< Of the cut under way.
  std::unique_ptr<sql::StateSpill> spill;
  std::unique_ptr<sqlapp::Machine> machine;
};

struct Application::Impl {
  Impl(sqlapp::Deployment what, SqlConfig settings, client::StreamClient& stream_client,
       async::Runtime& threads, async::Executor home, const Clock& source, obs::Registry& metrics_registry,
       SpillFactory spill);

  struct Flight {
    sqlapp::Cut cut;
    sqlapp::CutRecords records;
    ReferenceTables::Contents tables;  ///< That change with it.
    std::vector<sqlapp::OutputRecord> rows;
    bool repeated = false;  ///< Of an earlier owner: it stands in the lease.
    bool saved = false;
  };

  async::Task<void> Run(Duration delay);
  async::Task<Result<void>> Acquire();
  async::Task<void> Renew();
  /// From the lease's taking to its loss or release.
  async::Task<void> Own();
  async::Task<Result<void>> Load();
  Result<void> MakeWork(std::int64_t start_ms);
  void MakeHandlers();
  static async::Task<void> JoinSurely(async::TaskGroup& group);
  async::Task<void> EndWorkers();
  std::int64_t BeginMs() const;
  std::uint64_t RunId() const;
  static std::uint64_t NewId();
  async::Task<Result<void>> RestoreFrom(sqlapp::StatePlace place);
  async::Task<void> Work();
  async::Task<Result<void>> Step();
  async::Task<Result<void>> EnsureOutputs();
  async::Task<Result<void>> Save();
  async::Task<Result<void>> Store(std::vector<sqlapp::OutputRecord>& rows);
  async::Task<Result<void>> SnapshotIfDue();
  async::Task<Result<void>> TakeSnapshot();
  bool StoredLongAgo() const;
  async::Task<Result<void>> StoreAnew();
  async::Task<void> TellWorkers();
  async::Task<void> StopOnHome(MonoTime deadline, bool graceful);
  async::Task<void> SetSavepoint(std::string name, std::uint64_t id);
  bool SavepointAsked() const { return !savepoint_name.empty() && savepoint_id != state.asked; }
  async::Task<void> Pause(Duration duration);
  void Wake();
  void Tell(std::string trouble);
  void Publish();
  bool ending() const { return stopping || abandoned || fenced || broken; }
  std::int64_t NowMs() const { return ToMs(clock.Now()); }
  async::Context Call() const {
    async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(10));
    ctx.deadline = std::min(ctx.deadline, stop_deadline);
    return ctx;
  }

  const sqlapp::Deployment deployment;
  const SqlConfig config;
  client::StreamClient& client;
  async::Runtime& runtime;
  const async::Executor executor;
  const Clock& clock;
  obs::Registry& registry;
  Metrics metrics;
  const std::string owner_id;
  sqlapp::StateStore store;
  Random random;
  ReferenceTables tables;

  bool state_stream_there = false;
  const SpillFactory make_spill;
  std::uint64_t spills = 0;
  bool stopping = false, abandoned = false, fenced = false;
  bool broken = false;  ///< The machine is of no use: begin again with what was saved.
  MonoTime stop_deadline = MonoTime::max();
  MonoTime renewed;
  client::Lease lease;
  ApplicationState state;  ///< What the lease has, or gets next.
  std::shared_ptr<WorkSet> work;
  std::unique_ptr<sqlapp::Feed> feed;
  std::deque<sqlapp::Cut> pending;  ///< To be repeated.
  std::uint64_t emitted_before = 0;
  std::optional<Flight> flight;
  std::size_t journal_bytes = 0;
  bool dirty = false;  ///< Something happened since the last snapshot.
  MonoTime next_snapshot;
  std::string savepoint_name;      ///< The last one that was asked for.
  std::uint64_t savepoint_id = 0;  ///< Of that request.
  async::OneShot<void> wake;

  mutable std::mutex published_mutex;
  ApplicationStatus published;

  std::vector<std::unique_ptr<StreamHandler>> handlers;
  async::TaskGroup background;
  async::TaskGroup closing;  // Stop or Abandon: they work on `executor`, whoever calls
};

}  // namespace honryu::processors::sql_app
