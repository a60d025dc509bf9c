#include "honryu/codec/endian.h"
#include "honryu/obs/log.h"
#include "rocksdb_engine_impl.h"

#include <algorithm>
#include <chrono>

namespace honryu::log {

namespace {

// How many offsets are reserved ahead per partition where acknowledging does not wait for the disk.
constexpr Offset kReserve = 1 << 20;

// How often segments are looked at whether they are old enough to be sealed.
constexpr Duration kSealCheck = std::chrono::seconds(1);

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

// Everything that one WriteBatch and one fsync make durable.
struct RocksdbEngineImpl::Commit {
  struct Batch {
    std::shared_ptr<PartitionState> partition;
    std::shared_ptr<GroupState> group;
    BatchHeader header;
    std::vector<std::string> units;
    Offset next = 0;
  };
  struct Accepted {
    async::OneShot<std::vector<AppendResult>> done;
    std::vector<AppendResult> results;
  };
  std::vector<Batch> batches;
  std::unordered_map<PartitionId, std::size_t> by_partition;
  std::vector<Accepted> accepted;
  std::uint64_t records = 0, plain_bytes = 0, stored_bytes = 0;
};

async::Task<Result<std::vector<AppendResult>>> RocksdbEngineImpl::Append(async::Context ctx,
                                                                         std::vector<AppendPart> parts) {
  if (parts.empty()) co_return std::vector<AppendResult>();
  if (ctx.expired()) co_return Error(ErrorCode::kDeadlineExceeded, "deadline passed before the append began");
  Request request;
  for (const AppendPart& part : parts) request.bytes += part.records.unit.size();
  request.parts = std::move(parts);
  const async::OneShot<std::vector<AppendResult>> done = request.done;
  {
    const std::lock_guard lock(queue_mutex_);
    if (closing_) co_return Error(ErrorCode::kUnavailable, "the log is closing");
    if (refused_) {
      metrics_.rejected_refused.Add();
      co_return *refused_;
    }
    if (queued_bytes_ + request.bytes > config_.max_queued.bytes && queued_bytes_ != 0) {
      metrics_.rejected_full.Add();
      co_return Error(ErrorCode::kOverloaded,
                      "the log's commit queue is full: " + std::to_string(queued_bytes_) + " bytes wait");
    }
    queued_bytes_ += request.bytes;
    queue_.push_back(std::move(request));
  }
  queue_ready_.notify_one();
  // No deadline here: the commit comes or fails soon, and its outcome must be known.
  Result<std::vector<AppendResult>> result = co_await done.Wait();
  co_return result;
}

bool RocksdbEngineImpl::TakeRequests(std::vector<Request>* requests) {
  std::unique_lock lock(queue_mutex_);
  const Duration pause =
      config_.durability == Durability::kInterval ? config_.sync_interval : Duration(std::chrono::seconds(1));
  queue_ready_.wait_for(lock, pause, [this] { return closing_ || !queue_.empty(); });
  std::uint64_t taken = 0;
  while (!queue_.empty() && (requests->empty() || taken + queue_.front().bytes <= config_.max_commit.bytes)) {
    taken += queue_.front().bytes;
    requests->push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_bytes_ -= taken;
  metrics_.queue_bytes.Set(static_cast<double>(queued_bytes_));
  return !(closing_ && requests->empty());
}

void RocksdbEngineImpl::CommitLoop() {
  for (;;) {
    std::vector<Request> requests;
    if (!TakeRequests(&requests)) break;
    if (!requests.empty()) RunCommit(std::move(requests));
    const std::lock_guard structure(write_mutex_);
    const MonoTime now = SystemClock().Mono();
    if (now - last_seal_check_ >= kSealCheck) {
      SealOld();
      last_seal_check_ = now;
    }
    if (config_.durability == Durability::kInterval && unsynced_ &&
        now - last_sync_ >= config_.sync_interval) {
      if (const auto db = ForWriting(); db.ok()) {
        if (const Result<void> synced = (*db)->Sync(); !synced.ok()) StorageFailed(synced.error());
      }
      unsynced_ = false;
      last_sync_ = SystemClock().Mono();
    }
  }
}

void RocksdbEngineImpl::StorageFailed(const Error& why) {
  failures_.fetch_add(1);
  Refuse(why);
}

void RocksdbEngineImpl::Refuse(const Error& why) {
  const bool first = [&] {
    const std::lock_guard lock(queue_mutex_);
    const bool was_open = !refused_;
    refused_ = Error(ErrorCode::kUnavailable, why.message());
    return was_open;
  }();
  metrics_.write_refused.Set(1);
  if (first) LOG(error, "the log refuses writes until storage works again", {"reason", why.message()});
}

// Checks a request against partitions and epochs, then gives its records their offsets.
Result<void> RocksdbEngineImpl::Prepare(Request& request, Commit& commit) {
  std::vector<std::pair<std::shared_ptr<PartitionState>, std::shared_ptr<GroupState>>> found;
  for (const AppendPart& part : request.parts) {
    auto partition = FindPartition(part.partition);
    if (partition == nullptr)
      return Error(ErrorCode::kNotFound, "no partition " + std::to_string(part.partition));
    auto group = FindGroup(partition->group);
    if (group == nullptr || group->family == nullptr)
      return Error(ErrorCode::kNotFound, "no group " + std::to_string(partition->group));
    {
      const std::lock_guard lock(partition->mutex);
      if (part.epoch < partition->epoch) {
        return Error(ErrorCode::kFenced,
                     "partition " + std::to_string(part.partition) + " has a newer writer: epoch " +
                         std::to_string(partition->epoch) + ", this one is " + std::to_string(part.epoch));
      }
    }
    found.emplace_back(std::move(partition), std::move(group));
  }
  std::vector<AppendResult> results;
  for (std::size_t i = 0; i < request.parts.size(); ++i) {
    AppendPart& part = request.parts[i];
    const auto [place, fresh] = commit.by_partition.try_emplace(part.partition, commit.batches.size());
    if (fresh) {
      Commit::Batch batch;
      batch.partition = found[i].first;
      batch.group = found[i].second;
      const std::lock_guard lock(batch.partition->mutex);
      batch.next = batch.header.base = batch.partition->next;
      batch.header.time = std::max(batch.partition->last_time, clock_.Now());
      commit.batches.push_back(std::move(batch));
    }
    Commit::Batch& batch = commit.batches[place->second];
    AppendResult result;
    result.first = batch.next;
    result.last = batch.next + part.records.count - 1;
    result.time = batch.header.time;
    batch.next += part.records.count;
    batch.header.record_count += part.records.count;
    batch.header.body_bytes += static_cast<std::uint32_t>(part.records.unit.size());
    ++batch.header.unit_count;
    batch.header.sealed = batch.header.sealed || part.records.sealed;
    commit.records += part.records.count;
    commit.plain_bytes += part.records.plain_bytes;
    batch.units.push_back(std::move(part.records.unit));
    results.push_back(result);
  }
  commit.accepted.push_back({request.done, std::move(results)});
  return Ok();
}

Result<void> RocksdbEngineImpl::Reserve(Commit& commit) {
  if (config_.durability == Durability::kFsync) return Ok();
  const std::shared_ptr<kv::Database> db = database();
  kv::WriteBatch rows;
  for (Commit::Batch& batch : commit.batches) {
    const std::lock_guard lock(batch.partition->mutex);
    if (batch.next <= batch.partition->reserved) continue;
    std::string value;
    codec::AppendU64(value, batch.next + kReserve);
    rows.Put(*db->Find("meta"), ReservedKey(batch.partition->id), value);
  }
  if (rows.empty()) return Ok();
  HONRYU_TRY_VOID(db->Write(rows, true));
  for (Commit::Batch& batch : commit.batches) {
    const std::lock_guard lock(batch.partition->mutex);
    if (batch.next > batch.partition->reserved) batch.partition->reserved = batch.next + kReserve;
  }
  return Ok();
}

Result<void> RocksdbEngineImpl::WriteCommit(Commit& commit) {
  const std::shared_ptr<kv::Database> db = database();
  if (db == nullptr) return Error(ErrorCode::kUnavailable, "the log is being reopened");
  HONRYU_TRY_VOID(Reserve(commit));
  const std::shared_ptr<kv::Family> index = db->Find("index");
  kv::WriteBatch rows;
  std::vector<BytesView> parts;
  for (const Commit::Batch& batch : commit.batches) {
    const SegmentNumber segment = batch.group->open;
    const std::string header = EncodeBatchHeader(batch.header);
    parts.assign(1, header);
    for (const std::string& unit : batch.units) parts.push_back(unit);
    rows.PutParts(*batch.group->family, BatchKey(segment, batch.partition->id, batch.header.base), parts);
    commit.stored_bytes += header.size() + batch.header.body_bytes;
    const std::lock_guard lock(batch.partition->mutex);
    if (!batch.partition->segments.empty() && batch.partition->segments.back().segment == segment) continue;
    std::string entry;
    codec::AppendU64(entry, batch.header.base);
    codec::AppendU64(entry, static_cast<std::uint64_t>(ToMs(batch.header.time)));
    rows.Put(*index, IndexKey(batch.group->id, batch.partition->id, segment), entry);
  }
  HONRYU_TRY_VOID(db->Write(rows, false));
  if (config_.durability == Durability::kFsync) {
    const auto begin = std::chrono::steady_clock::now();
    HONRYU_TRY_VOID(db->Sync());
    metrics_.fsync_seconds.Observe(SecondsSince(begin));
  } else {
    unsynced_ = true;
  }
  return Ok();
}

void RocksdbEngineImpl::Publish(Commit& commit) {
  for (Commit::Batch& batch : commit.batches) {
    auto cached = std::make_shared<CachedBatch>();
    cached->base = batch.header.base;
    cached->count = batch.header.record_count;
    cached->time = batch.header.time;
    for (std::string& unit : batch.units) {
      cached->bytes += unit.size() + 64;
      cached->units.emplace_back(std::move(unit));
    }
    const std::size_t bytes = cached->bytes;
    const SegmentNumber segment = batch.group->open;
    {
      const std::lock_guard lock(batch.group->mutex);
      if (batch.group->open_bytes == 0) batch.group->open_since = batch.header.time;
      batch.group->open_bytes += batch.header.body_bytes + kBatchHeaderSize;
      batch.group->open_last_time = std::max(batch.group->open_last_time, batch.header.time);
    }
    const std::lock_guard tail_lock(tail_mutex_);
    {
      PartitionState& partition = *batch.partition;
      const std::lock_guard lock(partition.mutex);
      if (partition.segments.empty() || partition.segments.back().segment != segment) {
        partition.segments.push_back({segment, batch.header.base, batch.header.time});
      }
      partition.tail.push_back(std::move(cached));
      partition.next = batch.next;
      partition.last_time = batch.header.time;
      for (auto it = partition.waiters.begin(); it != partition.waiters.end();) {
        if (it->from < partition.next) {
          it->wake.Set(true);
          it = partition.waiters.erase(it);
        } else {
          ++it;
        }
      }
    }
    tail_order_.emplace_back(batch.partition, bytes);
    tail_bytes_ += bytes;
    while (tail_bytes_ > config_.tail_cache.bytes && !tail_order_.empty()) {
      tail_bytes_ -= tail_order_.front().second;
      if (const auto oldest = tail_order_.front().first.lock(); oldest != nullptr) {
        const std::lock_guard lock(oldest->mutex);
        if (!oldest->tail.empty()) oldest->tail.pop_front();
      }
      tail_order_.pop_front();
    }
  }
  for (Commit::Accepted& accepted : commit.accepted) accepted.done.Set(std::move(accepted.results));
  metrics_.commit_records.Observe(static_cast<double>(commit.records));
  metrics_.commit_bytes.Observe(static_cast<double>(commit.stored_bytes));
  metrics_.appended_records.Add(static_cast<double>(commit.records));
  metrics_.appended_bytes.Add(static_cast<double>(commit.plain_bytes));
}

void RocksdbEngineImpl::RunCommit(std::vector<Request> requests) {
  const auto begin = std::chrono::steady_clock::now();
  const std::lock_guard structure(write_mutex_);
  if (const Result<void> writable = Writable();
      !writable.ok() && writable.error().message() != "the log is closing") {
    for (Request& request : requests) request.done.Set(writable.error());
    return;
  }
  Commit commit;
  for (Request& request : requests) {
    if (const Result<void> prepared = Prepare(request, commit); !prepared.ok())
      request.done.Set(prepared.error());
  }
  if (commit.batches.empty()) return;
  if (const Result<void> written = WriteCommit(commit); !written.ok()) {
    // Whether the batch reached the disk is settled by reopening; until then nothing further is accepted.
    StorageFailed(written.error());
    for (Commit::Accepted& accepted : commit.accepted) {
      accepted.done.Set(
          Error(ErrorCode::kUnavailable, "the log could not write: " + written.error().message()));
    }
    return;
  }
  Publish(commit);
  metrics_.commit_seconds.Observe(SecondsSince(begin));
  for (const Commit::Batch& batch : commit.batches) SealIfDue(*batch.group, false);
}

void RocksdbEngineImpl::SealOld() {
  std::vector<std::shared_ptr<GroupState>> groups;
  {
    const std::shared_lock lock(maps_mutex_);
    for (const auto& [id, group] : groups_) groups.push_back(group);
  }
  for (const auto& group : groups) SealIfDue(*group, true);
}

// Ends the group's open segment when it is large or old: the next batch opens a new one, and the memtable,
// which then holds exactly the old one, becomes a file. Under write_mutex_.
void RocksdbEngineImpl::SealIfDue(GroupState& group, bool by_age) {
  SealedSegment sealed;
  {
    const std::lock_guard lock(group.mutex);
    const bool large = group.open_bytes >= config_.segment_bytes.bytes;
    const bool old = by_age && group.open_bytes > 0 && clock_.Now() - group.open_since >= config_.segment_age;
    if (!large && !old) return;
    sealed = {group.open, group.open_last_time, group.open_bytes};
  }
  const Result<std::shared_ptr<kv::Database>> db = ForWriting();
  if (!db.ok()) return;
  std::string value;
  codec::AppendU64(value, static_cast<std::uint64_t>(ToMs(sealed.last_time)));
  codec::AppendU64(value, sealed.bytes);
  kv::WriteBatch row;
  row.Put(*(*db)->Find("index"), SealKey(group.id, sealed.segment), value);
  Result<void> done = (*db)->Write(row, false);
  if (done.ok()) {
    const std::lock_guard lock(group.mutex);
    group.sealed.push_back(sealed);
    ++group.open;
    group.open_bytes = 0;
  }
  if (done.ok()) done = (*db)->Flush(*group.family, false);
  if (!done.ok()) StorageFailed(done.error());
}

}  // namespace honryu::log
