#pragma once

#include "honryu/async/blocking_calls.h"
#include "honryu/log/rocksdb_engine.h"
#include "rocksdb_meta.h"
#include "rocksdb_state.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace honryu::log {

struct EngineMetrics {
  explicit EngineMetrics(obs::Registry& registry);
  obs::Histogram commit_records, commit_bytes, commit_seconds, fsync_seconds;
  obs::Gauge queue_bytes, write_refused, wal_bytes, flush_bytes, compaction_bytes;
  obs::Counter appended_records, appended_bytes, rejected_full, rejected_refused, corrupt, segments_dropped;
};

/// Threads: any number of callers; one committer, the only writer of batches; one guard thread that watches
/// the disk and recovers from failed writes. Lock order: maps_mutex_, then a group's or a partition's mutex;
/// never two of those.
class RocksdbEngineImpl final : public RocksdbEngine {
 public:
  RocksdbEngineImpl(RocksdbEngineConfig config, const Clock& clock, async::Runtime& runtime,
                    obs::Registry& metrics, std::shared_ptr<void> file_system);
  ~RocksdbEngineImpl() override;
  Result<void> Start();

  Result<void> CreatePartitions(const std::vector<PartitionId>& partitions, GroupId group) override;
  Result<void> DropGroup(GroupId group) override;
  std::vector<PartitionDescription> ListPartitions() const override;
  Result<std::vector<WriterEpoch>> AcquireWriters(const std::vector<PartitionId>& partitions) override;
  async::Task<Result<std::vector<AppendResult>>> Append(async::Context ctx,
                                                        std::vector<AppendPart> parts) override;
  async::Task<Result<ReadOutcome>> Read(async::Context ctx, PartitionId partition, Offset from,
                                        ReadLimits limits) override;
  async::Task<Result<void>> WaitFor(async::Context ctx, PartitionId partition, Offset from) override;
  void EndWaits(const std::vector<PartitionId>& partitions) override;
  async::Task<Result<Offset>> FindByTime(async::Context ctx, PartitionId partition, Timestamp time) override;
  Result<PartitionBounds> Bounds(PartitionId partition) const override;
  Result<RetentionReport> EnforceRetention(GroupId group, Timestamp drop_before,
                                           std::optional<std::uint64_t> max_bytes) override;
  Result<GroupUsage> Usage(GroupId group) const override;
  Result<void> Writable() const override;
  Result<void> Close() override;
  MetaStore& meta() override { return *meta_; }

 private:
  struct Request {
    std::vector<AppendPart> parts;
    std::uint64_t bytes = 0;
    async::OneShot<std::vector<AppendResult>> done;
  };
  struct Commit;  // what one commit gathers (commit.cc)

  std::shared_ptr<kv::Database> database() const { return std::atomic_load(&database_); }
  /// The database when it can be written; kUnavailable while it is closed or waits for recovery. Under
  /// write_mutex_.
  Result<std::shared_ptr<kv::Database>> ForWriting() const;
  /// Writes rows of the log's own; a failure begins recovery.
  Result<void> WriteRows(kv::Database& database, kv::WriteBatch& rows);
  /// A failed write leaves open what is on disk: writes are refused until reopening has settled it.
  /// Thread-safe.
  void StorageFailed(const Error& why);
  bool needs_recovery() const { return failures_ != recovered_failures_; }
  std::shared_ptr<PartitionState> FindPartition(PartitionId partition) const;
  std::shared_ptr<GroupState> FindGroup(GroupId group) const;
  std::vector<std::shared_ptr<PartitionState>> MembersOf(GroupId group) const;
  Result<void> ForgetSegments(kv::Database& database, kv::WriteBatch& rows, GroupId group,
                              SegmentNumber last);

  // recovery.cc
  kv::OpenOptions DatabaseOptions();
  Result<std::shared_ptr<kv::Database>> OpenDatabase();
  Result<void> CloseForRecovery();
  Result<void> OpenAgain();
  void AttachFamilies(const kv::Database* database);
  void ReportWalDamage(const kv::Database& database);
  Result<void> Load(kv::Database& database);
  Result<void> LoadPartitions(kv::Database& database, Loaded& loaded);
  Result<void> LoadSegments(kv::Database& database, Loaded& loaded);
  Result<void> FindEnds(kv::Database& database, Loaded& loaded);
  Result<void> SkipLostOffsets(kv::Database& database, Loaded& loaded);
  Result<void> DropOrphans(kv::Database& database, const Loaded& loaded);
  Result<void> FindEnd(kv::Database& database, PartitionId id, LoadedPartition& partition,
                       const kv::Family& family);
  void Adopt(Loaded loaded);
  void GuardLoop();
  Result<void> Recover();
  Result<void> CheckDisk() const;

  // commit.cc
  void CommitLoop();
  bool TakeRequests(std::vector<Request>* requests);
  void RunCommit(std::vector<Request> requests);
  Result<void> Prepare(Request& request, Commit& commit);
  Result<void> WriteCommit(Commit& commit);
  void Publish(Commit& commit);
  void Refuse(const Error& why);
  void SealOld();
  void SealIfDue(GroupState& group, bool by_age);
  Result<void> Reserve(Commit& commit);

  // read.cc
  Result<ReadOutcome> ReadCold(std::shared_ptr<PartitionState> partition, Offset from, ReadLimits limits);
  Result<Offset> FindByTimeCold(std::shared_ptr<PartitionState> partition, Timestamp time);
  Error CorruptAt(GroupId group, const BatchPlace& place, const Error& why);

  const RocksdbEngineConfig config_;
  const Clock& clock_;
  async::Runtime& runtime_;
  EngineMetrics metrics_;
  const std::shared_ptr<void> file_system_;

  std::shared_ptr<kv::Database> database_;  // accessed atomically; null while being reopened
  std::unique_ptr<RocksdbMetaStore> meta_;

  mutable std::shared_mutex maps_mutex_;
  std::unordered_map<PartitionId, std::shared_ptr<PartitionState>> partitions_;
  std::unordered_map<GroupId, std::shared_ptr<GroupState>> groups_;

  std::mutex tail_mutex_;  // guards the eviction order of tail batches; taken before a partition's mutex
  std::deque<std::pair<std::weak_ptr<PartitionState>, std::size_t>> tail_order_;
  std::size_t tail_bytes_ = 0;

  mutable std::mutex queue_mutex_;
  std::condition_variable queue_ready_;
  std::deque<Request> queue_;
  std::uint64_t queued_bytes_ = 0;
  bool closing_ = false;
  std::optional<Error> refused_;                      // guarded by queue_mutex_: why writes are refused now
  std::atomic<std::uint64_t> failures_{0};            // of writes to storage
  std::atomic<std::uint64_t> recovered_failures_{0};  // of them, those that reopening has settled
  std::mutex write_mutex_;  // one writer of batches, seals, structure and recovery at a time

  std::mutex guard_mutex_;
  std::condition_variable guard_wake_;
  bool guard_stop_ = false;
  MonoTime last_sync_, last_seal_check_;
  bool unsynced_ = false;
  std::thread committer_, guard_;
  bool closed_ = false;
  async::BlockingCalls calls_;  // last: its calls end before the rest goes
};

}  // namespace honryu::log
