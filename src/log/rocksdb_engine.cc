#include "honryu/codec/endian.h"
#include "honryu/obs/log.h"
#include "rocksdb_engine_impl.h"

#include <algorithm>
#include <mutex>

namespace honryu::log {

std::string FamilyName(GroupId group) { return "group-" + std::to_string(group); }

std::string PartitionKey(PartitionId partition) {
  std::string key = "p";
  codec::AppendBigEndian64(key, partition);
  return key;
}
std::string ReservedKey(PartitionId partition) {
  std::string key = "o";
  codec::AppendBigEndian64(key, partition);
  return key;
}
std::string IndexKey(GroupId group, PartitionId partition, SegmentNumber segment) {
  std::string key = "i";
  codec::AppendBigEndian64(key, group);
  codec::AppendBigEndian64(key, partition);
  codec::AppendBigEndian64(key, segment);
  return key;
}
std::string SealKey(GroupId group, SegmentNumber segment) {
  std::string key = "s";
  codec::AppendBigEndian64(key, group);
  codec::AppendBigEndian64(key, segment);
  return key;
}

std::string DroppedKey(GroupId group) {
  std::string key = "d";
  codec::AppendBigEndian64(key, group);
  return key;
}

EngineMetrics::EngineMetrics(obs::Registry& registry)
    : commit_records(registry.MakeHistogram("honryu_log_commit_records",
                                            "Records made durable by one commit.", obs::SizeBuckets())),
      commit_bytes(registry.MakeHistogram("honryu_log_commit_bytes", "Bytes written by one commit.",
                                          obs::SizeBuckets())),
      commit_seconds(registry.MakeHistogram("honryu_log_commit_seconds",
                                            "Time of one commit, fsync included.", obs::LatencyBuckets())),
      fsync_seconds(registry.MakeHistogram("honryu_log_fsync_seconds", "Time of one fsync of the log.",
                                           obs::LatencyBuckets())),
      queue_bytes(
          registry.MakeGauge("honryu_log_queue_bytes", "Bytes of appends that wait for the committer.")),
      write_refused(registry.MakeGauge("honryu_log_write_refused",
                                       "1 while appends are refused (disk full, storage failed).")),
      wal_bytes(registry.MakeGauge("honryu_log_rocksdb_wal_bytes",
                                   "Bytes written to the write-ahead log since the start.")),
      flush_bytes(
          registry.MakeGauge("honryu_log_rocksdb_flush_bytes", "Bytes written by flushes since the start.")),
      compaction_bytes(registry.MakeGauge("honryu_log_rocksdb_compaction_bytes",
                                          "Bytes written by compactions since the start.")),
      appended_records(
          registry.MakeCounter("honryu_log_appended_records_total", "Records appended and acknowledged.")),
      appended_bytes(registry.MakeCounter("honryu_log_appended_bytes_total",
                                          "Their bytes, before framing and compression.")),
      rejected_full(registry.MakeCounter("honryu_log_append_rejected_total", "Appends refused.",
                                         {{"reason", "queue_full"}})),
      rejected_refused(registry.MakeCounter("honryu_log_append_rejected_total", "Appends refused.",
                                            {{"reason", "storage"}})),
      corrupt(registry.MakeCounter("honryu_log_corrupt_total", "Corrupt batches met by readers.")),
      segments_dropped(
          registry.MakeCounter("honryu_log_segments_dropped_total", "Segments dropped by retention.")) {}

Result<std::unique_ptr<RocksdbEngine>> RocksdbEngine::Open(const RocksdbEngineConfig& config,
                                                           const Clock& clock, async::Runtime& runtime,
                                                           obs::Registry& metrics,
                                                           std::shared_ptr<void> fault_file_system) {
  auto engine =
      std::make_unique<RocksdbEngineImpl>(config, clock, runtime, metrics, std::move(fault_file_system));
  HONRYU_TRY_VOID(engine->Start());
  return std::unique_ptr<RocksdbEngine>(std::move(engine));
}

RocksdbEngineImpl::RocksdbEngineImpl(RocksdbEngineConfig config, const Clock& clock, async::Runtime& runtime,
                                     obs::Registry& metrics, std::shared_ptr<void> file_system)
    : config_(std::move(config)),
      clock_(clock),
      runtime_(runtime),
      metrics_(metrics),
      file_system_(std::move(file_system)),
      calls_(runtime, "the log") {}

RocksdbEngineImpl::~RocksdbEngineImpl() { (void)Close(); }

Result<void> RocksdbEngineImpl::Start() {
  HONRYU_TRY(std::shared_ptr<kv::Database> database, OpenDatabase());
  HONRYU_TRY(meta_, RocksdbMetaStore::Open(database, [this](const Error& why) { StorageFailed(why); }));
  HONRYU_TRY_VOID(Load(*database));
  std::atomic_store(&database_, std::move(database));
  last_sync_ = last_seal_check_ = SystemClock().Mono();
  if (const Result<void> disk = CheckDisk(); !disk.ok()) Refuse(disk.error());
  committer_ = std::thread([this] { CommitLoop(); });
  guard_ = std::thread([this] { GuardLoop(); });
  return Ok();
}

Result<void> RocksdbEngineImpl::Close() {
  if (closed_) return Ok();
  closed_ = true;
  calls_.Wait();
  {
    const std::lock_guard lock(queue_mutex_);
    closing_ = true;
  }
  queue_ready_.notify_all();
  {
    const std::lock_guard lock(guard_mutex_);
    guard_stop_ = true;
  }
  guard_wake_.notify_all();
  if (committer_.joinable()) committer_.join();
  if (guard_.joinable()) guard_.join();
  const std::lock_guard structure(write_mutex_);
  {
    const std::unique_lock lock(maps_mutex_);
    for (auto& [id, partition] : partitions_) {
      const std::lock_guard partition_lock(partition->mutex);
      for (const auto& waiter : partition->waiters)
        waiter.wake.Set(Error(ErrorCode::kCancelled, "the log is closing"));
      partition->waiters.clear();
    }
    for (auto& [id, group] : groups_) {
      if (group->family != nullptr && database_ != nullptr) (void)database_->Flush(*group->family, true);
      group->family.reset();
    }
  }
  Result<void> result = Ok();
  const std::shared_ptr<kv::Database> database =
      std::atomic_exchange(&database_, std::shared_ptr<kv::Database>());
  if (database != nullptr) {
    result = database->Sync();
    if (result.ok() && config_.durability != Durability::kFsync) {
      // Everything is on disk: the next start need not skip the rest of a reservation.
      kv::WriteBatch batch;
      for (const auto& [id, partition] : partitions_) {
        std::string next;
        codec::AppendU64(next, partition->next);
        batch.Put(*database->Find("meta"), ReservedKey(id), next);
      }
      if (!batch.empty()) result = database->Write(batch, true);
    }
  }
  if (meta_ != nullptr) meta_->Detach();
  return result;
}

std::shared_ptr<PartitionState> RocksdbEngineImpl::FindPartition(PartitionId partition) const {
  const std::shared_lock lock(maps_mutex_);
  const auto found = partitions_.find(partition);
  return found == partitions_.end() ? nullptr : found->second;
}

std::shared_ptr<GroupState> RocksdbEngineImpl::FindGroup(GroupId group) const {
  const std::shared_lock lock(maps_mutex_);
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second;
}

Result<std::shared_ptr<kv::Database>> RocksdbEngineImpl::ForWriting() const {
  std::shared_ptr<kv::Database> db = database();
  if (db == nullptr || needs_recovery())
    return Error(ErrorCode::kUnavailable, "the log is closed or being reopened");
  return db;
}

Result<void> RocksdbEngineImpl::WriteRows(kv::Database& database, kv::WriteBatch& rows) {
  Result<void> written = database.Write(rows, true);
  if (!written.ok()) StorageFailed(written.error());
  return written;
}

Result<void> RocksdbEngineImpl::CreatePartitions(const std::vector<PartitionId>& partitions, GroupId group) {
  const std::lock_guard structure(write_mutex_);
  HONRYU_TRY(const std::shared_ptr<kv::Database> db, ForWriting());
  std::string value;
  codec::AppendU64(value, group);
  codec::AppendU64(value, 0);
  kv::WriteBatch rows;
  std::vector<PartitionId> fresh;
  for (const PartitionId partition : partitions) {
    const std::shared_ptr<PartitionState> found = FindPartition(partition);
    if (found != nullptr && found->group != group)
      return Error(ErrorCode::kAlreadyExists, "partition " + std::to_string(partition) + " exists");
    if (found != nullptr) continue;
    rows.Put(*db->Find("meta"), PartitionKey(partition), value);
    fresh.push_back(partition);
  }
  if (fresh.empty()) return Ok();
  std::shared_ptr<GroupState> state = FindGroup(group);
  if (state == nullptr) {
    state = std::make_shared<GroupState>(group);
    state->family = db->Find(FamilyName(group));
    if (state->family == nullptr) {
      Result<std::shared_ptr<kv::Family>> made = db->CreateFamily(FamilyName(group), kv::Layout::kAppendOnly);
      if (!made.ok()) {
        StorageFailed(made.error());
        return made.error();
      }
      state->family = *made;
    }
  }
  HONRYU_TRY_VOID(WriteRows(*db, rows));
  const std::unique_lock lock(maps_mutex_);
  groups_[group] = state;
  for (const PartitionId partition : fresh)
    partitions_[partition] = std::make_shared<PartitionState>(partition, group);
  return Ok();
}

Result<void> RocksdbEngineImpl::DropGroup(GroupId group) {
  const std::lock_guard structure(write_mutex_);
  HONRYU_TRY(const std::shared_ptr<kv::Database> db, ForWriting());
  const std::shared_ptr<GroupState> state = FindGroup(group);
  if (state == nullptr) return Error(ErrorCode::kNotFound, "no group " + std::to_string(group));
  const std::vector<std::shared_ptr<PartitionState>> members = MembersOf(group);
  // Rows first: a crash in between leaves a family without partitions, which the next start drops.
  kv::WriteBatch rows;
  const auto meta = db->Find("meta"), index = db->Find("index");
  for (const auto& partition : members) {
    rows.Delete(*meta, PartitionKey(partition->id));
    rows.Delete(*meta, ReservedKey(partition->id));
    const std::lock_guard lock(partition->mutex);
    for (const PartitionSegment& segment : partition->segments)
      rows.Delete(*index, IndexKey(group, partition->id, segment.segment));
  }
  rows.Delete(*index, DroppedKey(group));
  {
    const std::lock_guard lock(state->mutex);
    for (const SealedSegment& segment : state->sealed) rows.Delete(*index, SealKey(group, segment.segment));
  }
  HONRYU_TRY_VOID(WriteRows(*db, rows));
  {
    const std::unique_lock lock(maps_mutex_);
    groups_.erase(group);
    for (const auto& partition : members) partitions_.erase(partition->id);
  }
  for (const auto& partition : members) {
    const std::lock_guard lock(partition->mutex);
    for (const auto& waiter : partition->waiters) waiter.wake.Set(true);
    partition->waiters.clear();
  }
  state->family.reset();
  Result<void> dropped = db->DropFamily(FamilyName(group));
  if (!dropped.ok()) StorageFailed(dropped.error());
  return dropped;
}

std::vector<std::shared_ptr<PartitionState>> RocksdbEngineImpl::MembersOf(GroupId group) const {
  const std::shared_lock lock(maps_mutex_);
  std::vector<std::shared_ptr<PartitionState>> members;
  for (const auto& [id, partition] : partitions_) {
    if (partition->group == group) members.push_back(partition);
  }
  return members;
}

std::vector<PartitionDescription> RocksdbEngineImpl::ListPartitions() const {
  const std::shared_lock lock(maps_mutex_);
  std::vector<PartitionDescription> out;
  for (const auto& [id, partition] : partitions_) {
    const std::lock_guard partition_lock(partition->mutex);
    out.push_back({id, partition->group, partition->epoch});
  }
  return out;
}

Result<std::vector<WriterEpoch>> RocksdbEngineImpl::AcquireWriters(
    const std::vector<PartitionId>& partitions) {
  const std::lock_guard structure(write_mutex_);
  HONRYU_TRY(const std::shared_ptr<kv::Database> db, ForWriting());
  std::vector<std::shared_ptr<PartitionState>> states;
  std::vector<WriterEpoch> epochs;
  kv::WriteBatch rows;
  for (const PartitionId partition : partitions) {
    states.push_back(FindPartition(partition));
    if (states.back() == nullptr)
      return Error(ErrorCode::kNotFound, "no partition " + std::to_string(partition));
    {
      const std::lock_guard lock(states.back()->mutex);
      epochs.push_back(states.back()->epoch + 1);
    }
    std::string value;
    codec::AppendU64(value, states.back()->group);
    codec::AppendU64(value, epochs.back());
    rows.Put(*db->Find("meta"), PartitionKey(partition), value);
  }
  if (rows.empty()) return epochs;
  HONRYU_TRY_VOID(WriteRows(*db, rows));
  for (std::size_t i = 0; i < states.size(); ++i) {
    const std::lock_guard lock(states[i]->mutex);
    states[i]->epoch = epochs[i];
  }
  return epochs;
}

Result<PartitionBounds> RocksdbEngineImpl::Bounds(PartitionId partition) const {
  const std::shared_ptr<PartitionState> state = FindPartition(partition);
  if (state == nullptr) return Error(ErrorCode::kNotFound, "no partition " + std::to_string(partition));
  const std::lock_guard lock(state->mutex);
  return PartitionBounds{state->first(), state->next, state->last_time};
}

Result<GroupUsage> RocksdbEngineImpl::Usage(GroupId group) const {
  const std::shared_ptr<GroupState> state = FindGroup(group);
  if (state == nullptr) return Error(ErrorCode::kNotFound, "no group " + std::to_string(group));
  const std::lock_guard lock(state->mutex);
  GroupUsage usage;
  usage.stored_bytes = state->open_bytes;
  usage.segments = state->sealed.size() + 1;
  for (const SealedSegment& segment : state->sealed) usage.stored_bytes += segment.bytes;
  return usage;
}

Result<RetentionReport> RocksdbEngineImpl::EnforceRetention(GroupId group, Timestamp drop_before,
                                                            std::optional<std::uint64_t> max_bytes) {
  const std::lock_guard structure(write_mutex_);
  HONRYU_TRY(const std::shared_ptr<kv::Database> db, ForWriting());
  const std::shared_ptr<GroupState> state = FindGroup(group);
  if (state == nullptr) return Error(ErrorCode::kNotFound, "no group " + std::to_string(group));
  RetentionReport report;
  SegmentNumber last = 0;
  kv::WriteBatch rows;
  const auto index = db->Find("index");
  {
    const std::lock_guard lock(state->mutex);
    std::uint64_t total = state->open_bytes;
    for (const SealedSegment& segment : state->sealed) total += segment.bytes;
    for (const SealedSegment& segment : state->sealed) {
      if (segment.last_time >= drop_before && !(max_bytes && total > *max_bytes)) break;
      last = segment.segment;
      total -= segment.bytes;
      report.bytes_dropped += segment.bytes;
      ++report.segments_dropped;
      rows.Delete(*index, SealKey(group, segment.segment));
    }
  }
  if (report.segments_dropped > 0) {
    std::string dropped;
    codec::AppendU64(dropped, last);
    rows.Put(*index, DroppedKey(group), dropped);
    HONRYU_TRY_VOID(ForgetSegments(*db, rows, group, last));
    const std::lock_guard lock(state->mutex);
    while (!state->sealed.empty() && state->sealed.front().segment <= last) state->sealed.pop_front();
    state->dropped = last;
    state->files_to_delete = true;
    metrics_.segments_dropped.Add(static_cast<double>(report.segments_dropped));
  }
  // The files go now or, when one of them is being compacted or was not flushed yet, in a later round.
  if (state->files_to_delete) {
    HONRYU_TRY(const std::size_t left,
               db->DeleteFiles(*state->family, SegmentKey(0), SegmentKey(state->dropped + 1)));
    state->files_to_delete = left > 0;
  }
  return report;
}

// Deletes the index rows of segments up to `last`, together with `rows`. Before the files: after a crash in
// between they hold data that nobody finds any more.
Result<void> RocksdbEngineImpl::ForgetSegments(kv::Database& database, kv::WriteBatch& rows, GroupId group,
                                               SegmentNumber last) {
  const auto index = database.Find("index"), meta = database.Find("meta");
  const std::vector<std::shared_ptr<PartitionState>> members = MembersOf(group);
  for (const auto& partition : members) {
    const std::lock_guard lock(partition->mutex);
    for (const PartitionSegment& segment : partition->segments) {
      if (segment.segment <= last) rows.Delete(*index, IndexKey(group, partition->id, segment.segment));
    }
    if (!partition->segments.empty() && partition->segments.back().segment <= last) {
      // Nothing of the partition stays: remember where it was, so that no offset is ever issued again.
      std::string next;
      codec::AppendU64(next, std::max(partition->next, partition->reserved));
      rows.Put(*meta, ReservedKey(partition->id), next);
    }
  }
  HONRYU_TRY_VOID(WriteRows(database, rows));
  for (const auto& partition : members) {
    const std::lock_guard lock(partition->mutex);
    while (!partition->segments.empty() && partition->segments.front().segment <= last)
      partition->segments.pop_front();
  }
  return Ok();
}

Result<void> RocksdbEngineImpl::Writable() const {
  const std::lock_guard lock(queue_mutex_);
  if (closing_) return Error(ErrorCode::kUnavailable, "the log is closing");
  if (refused_) return *refused_;
  return Ok();
}

}  // namespace honryu::log
