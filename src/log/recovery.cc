#include "honryu/codec/endian.h"
#include "honryu/obs/log.h"
#include "rocksdb_engine_impl.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

namespace honryu::log {

namespace {

constexpr char kFormatKey[] = "format";

// Room between the last offset that a damaged end still shows and the next one given: more records than a
// segment holds.
constexpr Offset kDamageSkip = 1ULL << 32;

// What a disk must take before the database is closed to be opened again.
constexpr std::uint64_t kProbeBytes = 4 << 20;

Error BadRow(const char* what) {
  return Error(ErrorCode::kCorrupt, std::string("the log's metadata is damaged: ") + what);
}

Result<void> CheckFormat(kv::Database& database, kv::Family& meta) {
  HONRYU_TRY(const std::optional<std::string> stored, database.Get(meta, kFormatKey));
  if (!stored) {
    std::string value;
    codec::AppendU32(value, kFormatVersion);
    codec::AppendU32(value, kFormatVersion);  // the oldest version that can read it
    kv::WriteBatch batch;
    batch.Put(meta, kFormatKey, value);
    return database.Write(batch, true);
  }
  if (stored->size() < 8) return BadRow("format");
  if (const std::uint32_t needed = codec::LoadU32(stored->data() + 4); needed > kFormatVersion) {
    return Error(ErrorCode::kFailedPrecondition,
                 "this log was written in format " + std::to_string(codec::LoadU32(stored->data())) +
                     " and needs a honryu that reads format " + std::to_string(needed) +
                     "; this one reads up to " + std::to_string(kFormatVersion));
  }
  return Ok();
}

}  // namespace

kv::OpenOptions RocksdbEngineImpl::DatabaseOptions() {
  kv::OpenOptions options;
  options.path = config_.path;
  options.file_system = file_system_;
  options.append_write_buffer_bytes =
      config_.segment_bytes.bytes + config_.max_commit.bytes * 2 + (32ULL << 20);
  options.max_wal_bytes = std::max<std::uint64_t>(256ULL << 20, config_.segment_bytes.bytes * 4);
  options.on_background_error = [this](const Error& why) { StorageFailed(why); };
  return options;
}

Result<std::shared_ptr<kv::Database>> RocksdbEngineImpl::OpenDatabase() {
  HONRYU_TRY(std::unique_ptr<kv::Database> opened, kv::Database::Open(DatabaseOptions(), "group-"));
  std::shared_ptr<kv::Database> database = std::move(opened);
  for (const char* name : {"meta", "index"}) {
    if (database->Find(name) != nullptr) continue;
    HONRYU_TRY(const std::shared_ptr<kv::Family> made, database->CreateFamily(name, kv::Layout::kGeneral));
  }
  HONRYU_TRY_VOID(CheckFormat(*database, *database->Find("meta")));
  if (database->wal_damage()) ReportWalDamage(*database);
  return database;
}

void RocksdbEngineImpl::ReportWalDamage(const kv::Database& database) {
  const std::optional<kv::WalDamage>& damage = database.wal_damage();
  metrics_.corrupt.Add();
  LOG(error, "the write-ahead log was damaged: acknowledged records behind the damage are lost",
      {"damage", damage->message}, {"kept_in", damage->kept_in}, {"wal_bytes", damage->wal_bytes});
}

// Reads partitions, their segments and where each of them ends, and only then lets readers see it: they go on
// by what was known before, and a database that cannot be read to its end changes nothing for them. Under
// write_mutex_ or before any other thread.
Result<void> RocksdbEngineImpl::Load(kv::Database& database) {
  Loaded loaded;
  HONRYU_TRY_VOID(LoadPartitions(database, loaded));
  HONRYU_TRY_VOID(LoadSegments(database, loaded));
  HONRYU_TRY_VOID(FindEnds(database, loaded));
  HONRYU_TRY_VOID(SkipLostOffsets(database, loaded));
  HONRYU_TRY_VOID(DropOrphans(database, loaded));
  Adopt(std::move(loaded));
  return Ok();
}

// Behind a damaged write-ahead log stood records whose offsets were given out: those are not given again.
Result<void> RocksdbEngineImpl::SkipLostOffsets(kv::Database& database, Loaded& loaded) {
  if (!database.wal_damage()) return Ok();
  const std::shared_ptr<kv::Family> meta = database.Find("meta");
  kv::WriteBatch rows;
  for (auto& [id, partition] : loaded.partitions) {
    partition.next += database.wal_damage()->wal_bytes;
    partition.reserved = std::max(partition.reserved, partition.next);
    std::string value;
    codec::AppendU64(value, partition.reserved);
    rows.Put(*meta, ReservedKey(id), value);
  }
  if (rows.empty()) return Ok();
  return database.Write(rows, true);
}

Result<void> RocksdbEngineImpl::LoadPartitions(kv::Database& database, Loaded& loaded) {
  const std::shared_ptr<kv::Family> meta = database.Find("meta");
  kv::Iterator rows = database.Scan(*meta, "p", "q");
  for (rows.SeekToFirst(); rows.valid(); rows.Next()) {
    if (rows.key().size() != 9 || rows.value().size() != 16) return BadRow("partition");
    const PartitionId id = codec::LoadBigEndian64(rows.key().data() + 1);
    LoadedPartition& partition = loaded.partitions[id];
    partition.group = codec::LoadU64(rows.value().data());
    partition.epoch = codec::LoadU64(rows.value().data() + 8);
    if (const std::shared_ptr<PartitionState> known = FindPartition(id); known != nullptr) {
      const std::lock_guard lock(known->mutex);
      // The epoch in memory is the newest that a writer was given; a higher one here is of a write that
      // failed. No offset that was given out is given again, and no time goes back.
      partition.epoch = known->epoch;
      partition.next = known->next;
      partition.last_time = known->last_time;
    }
    std::shared_ptr<kv::Family>& family = loaded.groups[partition.group].family;
    if (family == nullptr) family = database.Find(FamilyName(partition.group));
    if (family == nullptr) {
      HONRYU_TRY(family, database.CreateFamily(FamilyName(partition.group), kv::Layout::kAppendOnly));
    }
  }
  HONRYU_TRY_VOID(rows.status());
  kv::Iterator reserved = database.Scan(*meta, "o", "p");
  for (reserved.SeekToFirst(); reserved.valid(); reserved.Next()) {
    if (reserved.key().size() != 9 || reserved.value().size() != 8) return BadRow("reservation");
    const auto found = loaded.partitions.find(codec::LoadBigEndian64(reserved.key().data() + 1));
    if (found == loaded.partitions.end()) continue;
    found->second.reserved = codec::LoadU64(reserved.value().data());
    found->second.next = std::max(found->second.next, found->second.reserved);
  }
  return reserved.status();
}

Result<void> RocksdbEngineImpl::LoadSegments(kv::Database& database, Loaded& loaded) {
  const std::shared_ptr<kv::Family> index = database.Find("index");
  kv::Iterator dropped = database.Scan(*index, "d", "e");
  for (dropped.SeekToFirst(); dropped.valid(); dropped.Next()) {
    if (dropped.key().size() != 9 || dropped.value().size() != 8) return BadRow("dropped segments");
    const auto found = loaded.groups.find(codec::LoadBigEndian64(dropped.key().data() + 1));
    if (found == loaded.groups.end()) continue;
    found->second.dropped = codec::LoadU64(dropped.value().data());
    found->second.open = found->second.dropped + 1;
  }
  HONRYU_TRY_VOID(dropped.status());
  kv::Iterator it = database.Scan(*index, "i", "j");
  for (it.SeekToFirst(); it.valid(); it.Next()) {
    if (it.key().size() != 25 || it.value().size() != 16) return BadRow("index");
    const char* key = it.key().data();
    const auto found = loaded.partitions.find(codec::LoadBigEndian64(key + 9));
    if (found == loaded.partitions.end()) continue;
    const PartitionSegment segment{
        codec::LoadBigEndian64(key + 17), codec::LoadU64(it.value().data()),
        TimestampFromMs(static_cast<std::int64_t>(codec::LoadU64(it.value().data() + 8)))};
    found->second.segments.push_back(segment);
    LoadedGroup& group = loaded.groups.at(found->second.group);
    group.open = std::max(group.open, segment.segment + 1);
  }
  HONRYU_TRY_VOID(it.status());
  kv::Iterator seals = database.Scan(*index, "s", "t");
  for (seals.SeekToFirst(); seals.valid(); seals.Next()) {
    if (seals.key().size() != 17 || seals.value().size() != 16) return BadRow("seal");
    const auto found = loaded.groups.find(codec::LoadBigEndian64(seals.key().data() + 1));
    if (found == loaded.groups.end()) continue;
    const SealedSegment sealed{
        codec::LoadBigEndian64(seals.key().data() + 9),
        TimestampFromMs(static_cast<std::int64_t>(codec::LoadU64(seals.value().data()))),
        codec::LoadU64(seals.value().data() + 8)};
    found->second.sealed.push_back(sealed);
    found->second.open = std::max(found->second.open, sealed.segment + 1);
  }
  return seals.status();
}

Result<void> RocksdbEngineImpl::FindEnd(kv::Database& database, PartitionId id, LoadedPartition& partition,
                                        const kv::Family& family) {
  if (partition.segments.empty()) return Ok();
  const PartitionSegment& last = partition.segments.back();
  const std::string upper = BatchKey(last.segment, id, ~0ULL);
  kv::Iterator it = database.Scan(family, BatchKey(last.segment, id, 0), upper);
  it.SeekForPrev(upper);
  if (!it.status().ok() && it.status().error().code() != ErrorCode::kCorrupt) return it.status();
  Result<BatchHeader> header =
      it.valid() ? DecodeBatchHeader(it.value())
                 : Result<BatchHeader>(Error(ErrorCode::kCorrupt, "the segment cannot be read"));
  if (header.ok()) {
    partition.next = std::max(partition.next, header->base + header->record_count);
    partition.last_time = std::max(partition.last_time, header->time);
  } else {
    // The rest of the log goes on without what is damaged; readers that come there get its position.
    (void)CorruptAt(partition.group, BatchPlace{last.segment, id, last.first}, header.error());
    partition.next = std::max(partition.next, last.first + kDamageSkip);
    partition.last_time = std::max(partition.last_time, last.first_time);
  }
  return Ok();
}

Result<void> RocksdbEngineImpl::FindEnds(kv::Database& database, Loaded& loaded) {
  std::map<GroupId, std::map<SegmentNumber, Timestamp>> unsealed;
  for (auto& [id, partition] : loaded.partitions) {
    HONRYU_TRY_VOID(FindEnd(database, id, partition, *loaded.groups.at(partition.group).family));
    if (partition.segments.empty()) continue;
    Timestamp& newest = unsealed[partition.group][partition.segments.back().segment];
    newest = std::max(newest, partition.last_time);
  }
  // A new run begins a new segment; the one that was open is sealed now.
  kv::WriteBatch batch;
  for (const auto& [group_id, segments] : unsealed) {
    LoadedGroup& group = loaded.groups.at(group_id);
    for (const auto& [segment, last_time] : segments) {
      if (!group.sealed.empty() && group.sealed.back().segment >= segment) continue;
      const SealedSegment sealed{
          segment, last_time,
          database.ApproximateBytes(*group.family, SegmentKey(segment), SegmentKey(segment + 1))};
      std::string value;
      codec::AppendU64(value, static_cast<std::uint64_t>(ToMs(last_time)));
      codec::AppendU64(value, sealed.bytes);
      batch.Put(*database.Find("index"), SealKey(group_id, segment), value);
      group.sealed.push_back(sealed);
    }
  }
  if (batch.empty()) return Ok();
  return database.Write(batch, true);
}

// Families whose group has no partitions: their creation or their deletion was cut short.
Result<void> RocksdbEngineImpl::DropOrphans(kv::Database& database, const Loaded& loaded) {
  for (const std::string& name : database.FamilyNames()) {
    if (!name.starts_with("group-")) continue;
    if (loaded.groups.contains(std::stoull(name.substr(6)))) continue;
    LOG(info, "dropping a group whose creation or deletion was cut short", {"family", name});
    HONRYU_TRY_VOID(database.DropFamily(name));
  }
  return Ok();
}

// Existing states are refreshed in place, for readers hold on to them; each changes in one step.
void RocksdbEngineImpl::Adopt(Loaded loaded) {
  const std::unique_lock lock(maps_mutex_);
  const auto wake_all = [](PartitionState& partition) {
    for (const auto& waiter : partition.waiters) waiter.wake.Set(true);
    partition.waiters.clear();
  };
  // What is not there any more was dropped by a write that seemed to fail.
  std::erase_if(partitions_, [&](const auto& one) {
    if (loaded.partitions.contains(one.first)) return false;
    const std::lock_guard partition_lock(one.second->mutex);
    wake_all(*one.second);
    return true;
  });
  std::erase_if(groups_, [&](const auto& one) { return !loaded.groups.contains(one.first); });
  for (auto& [id, from] : loaded.groups) {
    auto& group = groups_[id];
    if (group == nullptr) group = std::make_shared<GroupState>(id);
    const std::lock_guard group_lock(group->mutex);
    group->family = std::move(from.family);
    group->sealed = std::move(from.sealed);
    group->open = from.open;
    group->open_bytes = 0;
    group->files_to_delete = group->files_to_delete || from.dropped > 0;
    group->dropped = from.dropped;
  }
  for (auto& [id, from] : loaded.partitions) {
    auto& partition = partitions_[id];
    if (partition == nullptr) partition = std::make_shared<PartitionState>(id, from.group);
    const std::lock_guard partition_lock(partition->mutex);
    partition->epoch = from.epoch;
    partition->next = from.next;
    partition->last_time = from.last_time;
    partition->reserved = from.reserved;
    partition->segments = std::move(from.segments);
    wake_all(*partition);
  }
}

Result<void> RocksdbEngineImpl::CheckDisk() const {
  std::error_code error;
  const auto space = std::filesystem::space(config_.path, error);
  if (error || space.available >= config_.min_free_disk.bytes) return Ok();
  return Error(ErrorCode::kUnavailable,
               "disk full: " + FormatByteSize(ByteSize{space.available >> 20 << 20}) + " free, puts need " +
                   FormatByteSize(config_.min_free_disk));
}

void RocksdbEngineImpl::GuardLoop() {
  for (;;) {
    {
      std::unique_lock lock(guard_mutex_);
      guard_wake_.wait_for(lock, std::chrono::milliseconds(500), [this] { return guard_stop_; });
      if (guard_stop_) return;
    }
    if (const std::shared_ptr<kv::Database> db = database(); db != nullptr) {
      const kv::WriteStatistics written = db->Statistics();
      metrics_.wal_bytes.Set(static_cast<double>(written.wal_bytes));
      metrics_.flush_bytes.Set(static_cast<double>(written.flush_bytes));
      metrics_.compaction_bytes.Set(static_cast<double>(written.compaction_bytes));
    }
    if (const Result<void> disk = CheckDisk(); !disk.ok()) {
      Refuse(disk.error());
      continue;
    }
    bool refused = false;
    {
      const std::lock_guard lock(queue_mutex_);
      refused = refused_.has_value();
    }
    if (!refused) continue;
    if (needs_recovery()) {
      if (const Result<void> recovered = Recover(); !recovered.ok()) {
        LOG_LIMITED(warn, "the log could not recover yet", {"error", recovered.error()});
        continue;
      }
    }
    {
      const std::lock_guard lock(queue_mutex_);
      if (needs_recovery()) continue;
      refused_.reset();
    }
    metrics_.write_refused.Set(0);
    LOG(info, "the log accepts writes again");
  }
}

// After a failed write only the disk knows what is durable: close the database, open it again, and read the
// ends anew. A batch whose acknowledgement failed is then either there whole or absent. Reads go on
// meanwhile: nothing is closed before the disk takes writes again, and when opening fails all the same, the
// database is opened for reading.
Result<void> RocksdbEngineImpl::Recover() {
  const std::lock_guard structure(write_mutex_);
  const std::uint64_t failures = failures_;
  HONRYU_TRY_VOID(kv::ProbeDisk(DatabaseOptions(), kProbeBytes));
  HONRYU_TRY_VOID(CloseForRecovery());
  if (Result<void> opened = OpenAgain(); !opened.ok()) {
    kv::OpenOptions options = DatabaseOptions();
    options.read_only = true;
    options.create = false;
    Result<std::unique_ptr<kv::Database>> readable = kv::Database::Open(options, "group-");
    if (readable.ok()) std::atomic_store(&database_, std::shared_ptr<kv::Database>(std::move(*readable)));
    return opened;
  }
  recovered_failures_ = failures;
  return Ok();
}

Result<void> RocksdbEngineImpl::OpenAgain() {
  HONRYU_TRY(std::shared_ptr<kv::Database> fresh, OpenDatabase());
  Result<void> loaded = Load(*fresh);
  if (loaded.ok()) loaded = meta_->Attach(fresh);
  if (!loaded.ok()) {
    meta_->Detach();
    AttachFamilies(nullptr);
    return loaded;
  }
  std::atomic_store(&database_, std::move(fresh));
  return Ok();
}

// The families of all groups: those of `database`, or none.
void RocksdbEngineImpl::AttachFamilies(const kv::Database* database) {
  const std::unique_lock lock(maps_mutex_);
  for (auto& [id, group] : groups_)
    group->family = database == nullptr ? nullptr : database->Find(FamilyName(id));
}

Result<void> RocksdbEngineImpl::CloseForRecovery() {
  meta_->Detach();
  std::shared_ptr<kv::Database> old = std::atomic_exchange(&database_, std::shared_ptr<kv::Database>());
  if (old != nullptr) {
    AttachFamilies(nullptr);
    // Readers let go within one read.
    for (int i = 0; i < 10000 && old.use_count() > 1; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (old.use_count() > 1) {
      AttachFamilies(old.get());
      std::atomic_store(&database_, std::move(old));
      return Error(ErrorCode::kUnavailable, "readers still use the database");
    }
    old.reset();
  }
  // The cached tails may now lack a batch in their middle: one that turns out to be durable after all.
  const std::lock_guard tail_lock(tail_mutex_);
  tail_order_.clear();
  tail_bytes_ = 0;
  const std::shared_lock lock(maps_mutex_);
  for (auto& [id, partition] : partitions_) {
    const std::lock_guard partition_lock(partition->mutex);
    partition->tail.clear();
  }
  return Ok();
}

}  // namespace honryu::log
