#include "honryu/log/memory_engine.h"

#include "format.h"
#include "honryu/async/one_shot.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace honryu::log {
namespace {

class MemoryMetaStore final : public MetaStore {
 public:
  Result<Entry> Get(std::string_view key) const override {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return Error(ErrorCode::kNotFound, "no key " + std::string(key));
    return found->second;
  }
  Result<std::vector<Entry>> List(std::string_view prefix) const override {
    const std::lock_guard lock(mutex_);
    std::vector<Entry> out;
    for (auto it = entries_.lower_bound(prefix); it != entries_.end() && it->first.starts_with(prefix); ++it)
      out.push_back(it->second);
    return out;
  }
  Result<void> Commit(const std::vector<Write>& writes) override {
    const std::lock_guard lock(mutex_);
    for (const Write& write : writes) {
      const auto found = entries_.find(write.key);
      const std::uint64_t version = found == entries_.end() ? 0 : found->second.version;
      if (write.expected_version && *write.expected_version != version)
        return Error(ErrorCode::kConflict, "key has changed: " + write.key);
    }
    for (const Write& write : writes) {
      if (write.value) {
        entries_[write.key] = Entry{write.key, *write.value, ++last_version_};
      } else {
        entries_.erase(write.key);
      }
    }
    return Ok();
  }

 private:
  mutable std::mutex mutex_;  // leaf
  std::map<std::string, Entry, std::less<>> entries_;
  std::uint64_t last_version_ = 0;
};

struct Waiter {
  Offset from;
  async::OneShot<bool> wake;
};

struct MemoryPartition {
  GroupId group = 0;
  WriterEpoch epoch = 0;
  Offset first = 1, next = 1;
  Timestamp last_time;
  std::vector<LogRecord> records;  // records[i].offset == first + i
  std::vector<Waiter> waiters;
  bool waits_ended = false;
};

class MemoryEngine final : public LogEngine {
 public:
  MemoryEngine(const Clock& clock, std::shared_ptr<const KeyRing> keys)
      : clock_(clock), keys_(std::move(keys)) {}

  Result<void> CreatePartitions(const std::vector<PartitionId>& partitions, GroupId group) override {
    const std::lock_guard lock(mutex_);
    for (const PartitionId partition : partitions) {
      const MemoryPartition* found = Find(partition);
      if (found != nullptr && found->group != group)
        return Error(ErrorCode::kAlreadyExists, "partition " + std::to_string(partition) + " exists");
    }
    for (const PartitionId partition : partitions) partitions_[partition].group = group;
    return Ok();
  }
  Result<void> DropGroup(GroupId group) override {
    const std::lock_guard lock(mutex_);
    std::size_t dropped = 0;
    for (auto it = partitions_.begin(); it != partitions_.end();) {
      if (it->second.group != group) {
        ++it;
        continue;
      }
      for (const Waiter& waiter : it->second.waiters) waiter.wake.Set(true);
      it = partitions_.erase(it);
      ++dropped;
    }
    if (dropped == 0) return Error(ErrorCode::kNotFound, "no group " + std::to_string(group));
    return Ok();
  }
  std::vector<PartitionDescription> ListPartitions() const override {
    const std::lock_guard lock(mutex_);
    std::vector<PartitionDescription> out;
    for (const auto& [id, partition] : partitions_) out.push_back({id, partition.group, partition.epoch});
    return out;
  }
  Result<std::vector<WriterEpoch>> AcquireWriters(const std::vector<PartitionId>& partitions) override {
    const std::lock_guard lock(mutex_);
    for (const PartitionId partition : partitions) {
      if (Find(partition) == nullptr) return Missing(partition);
    }
    std::vector<WriterEpoch> epochs;
    for (const PartitionId partition : partitions) epochs.push_back(++Find(partition)->epoch);
    return epochs;
  }

  async::Task<Result<std::vector<AppendResult>>> Append(async::Context,
                                                        std::vector<AppendPart> parts) override {
    co_return AppendNow(parts);
  }
  async::Task<Result<ReadOutcome>> Read(async::Context, PartitionId partition, Offset from,
                                        ReadLimits limits) override {
    co_return ReadNow(partition, from, limits);
  }
  async::Task<Result<void>> WaitFor(async::Context ctx, PartitionId partition, Offset from) override {
    const async::OneShot<bool> wake;
    {
      const std::lock_guard lock(mutex_);
      MemoryPartition* found = Find(partition);
      if (found == nullptr) co_return Missing(partition);
      if (found->next > from || found->waits_ended) co_return Ok();
      found->waiters.push_back({from, wake});
    }
    Result<bool> woken = co_await wake.Wait(ctx.deadline);
    if (!woken.ok()) co_return woken.error();
    co_return Ok();
  }
  void EndWaits(const std::vector<PartitionId>& partitions) override {
    const std::lock_guard lock(mutex_);
    for (const PartitionId partition : partitions) {
      MemoryPartition* found = Find(partition);
      if (found == nullptr) continue;
      found->waits_ended = true;
      for (const Waiter& waiter : found->waiters) waiter.wake.Set(true);
      found->waiters.clear();
    }
  }
  async::Task<Result<Offset>> FindByTime(async::Context, PartitionId partition, Timestamp time) override {
    const std::lock_guard lock(mutex_);
    MemoryPartition* found = Find(partition);
    if (found == nullptr) co_return Missing(partition);
    const auto at = std::partition_point(found->records.begin(), found->records.end(),
                                         [&](const LogRecord& r) { return r.time < time; });
    co_return at == found->records.end() ? found->next : at->offset;
  }
  Result<PartitionBounds> Bounds(PartitionId partition) const override {
    const std::lock_guard lock(mutex_);
    const auto found = partitions_.find(partition);
    if (found == partitions_.end()) return Missing(partition);
    return PartitionBounds{found->second.first, found->second.next, found->second.last_time};
  }
  // Every record is a segment of its own here.
  Result<RetentionReport> EnforceRetention(GroupId group, Timestamp drop_before,
                                           std::optional<std::uint64_t> max_bytes) override {
    const std::lock_guard lock(mutex_);
    RetentionReport report;
    std::uint64_t total = Stored(group);
    for (auto& [id, partition] : partitions_) {
      if (partition.group != group) continue;
      while (partition.records.size() > 1 &&
             (partition.records.front().time < drop_before || (max_bytes && total > *max_bytes))) {
        const std::uint64_t size = partition.records.front().data.size();
        total -= size;
        report.bytes_dropped += size;
        ++report.segments_dropped;
        partition.records.erase(partition.records.begin());
        partition.first = partition.records.front().offset;
      }
    }
    return report;
  }
  Result<GroupUsage> Usage(GroupId group) const override {
    const std::lock_guard lock(mutex_);
    return GroupUsage{Stored(group), 1};
  }
  Result<void> Writable() const override { return Ok(); }
  Result<void> Close() override { return Ok(); }

 private:
  static Error Missing(PartitionId partition) {
    return Error(ErrorCode::kNotFound, "no partition " + std::to_string(partition));
  }
  MemoryPartition* Find(PartitionId partition) {
    const auto found = partitions_.find(partition);
    return found == partitions_.end() ? nullptr : &found->second;
  }
  std::uint64_t Stored(GroupId group) const {
    std::uint64_t total = 0;
    for (const auto& [id, partition] : partitions_) {
      if (partition.group != group) continue;
      for (const LogRecord& record : partition.records) total += record.data.size();
    }
    return total;
  }
  Result<std::vector<AppendResult>> AppendNow(const std::vector<AppendPart>& parts) {
    const std::lock_guard lock(mutex_);
    for (const AppendPart& part : parts) {
      MemoryPartition* found = Find(part.partition);
      if (found == nullptr) return Missing(part.partition);
      if (part.epoch < found->epoch)
        return Error(ErrorCode::kFenced,
                     "partition " + std::to_string(part.partition) + " has a newer writer");
    }
    std::vector<AppendResult> results;
    for (const AppendPart& part : parts) {
      MemoryPartition& partition = *Find(part.partition);
      AppendResult result;
      result.time = std::max(partition.last_time, clock_.Now());
      result.first = partition.next;
      HONRYU_TRY_VOID(ReadUnit(Bytes(part.records.unit), true, keys_.get(), [&](Bytes record) {
        partition.records.push_back(
            LogRecord{partition.next++, result.time, Bytes::Copy(record), part.records.sealed});
        return true;
      }));
      result.last = partition.next - 1;
      partition.last_time = result.time;
      std::erase_if(partition.waiters, [&](const Waiter& waiter) {
        if (waiter.from >= partition.next) return false;
        waiter.wake.Set(true);
        return true;
      });
      results.push_back(result);
    }
    return results;
  }
  Result<ReadOutcome> ReadNow(PartitionId id, Offset from, ReadLimits limits) {
    const std::lock_guard lock(mutex_);
    const MemoryPartition* partition = Find(id);
    if (partition == nullptr) return Missing(id);
    ReadOutcome out;
    out.next = std::max(from, partition->first);
    out.end = partition->next;
    out.last_time = partition->last_time;
    std::size_t bytes = 0;
    while (out.next < partition->next && out.records.size() < limits.max_records) {
      const LogRecord& record = partition->records[out.next - partition->first];
      bytes += record.data.size();
      if (!out.records.empty() && bytes > limits.max_bytes) break;
      out.records.push_back(record);
      ++out.next;
    }
    return out;
  }

  const Clock& clock_;
  const std::shared_ptr<const KeyRing> keys_;
  mutable std::mutex mutex_;  // leaf
  std::map<PartitionId, MemoryPartition> partitions_;
};

}  // namespace

std::unique_ptr<LogEngine> MakeMemoryEngine(const Clock& clock, std::shared_ptr<const KeyRing> keys) {
  return std::make_unique<MemoryEngine>(clock, std::move(keys));
}
std::unique_ptr<MetaStore> MakeMemoryMetaStore() { return std::make_unique<MemoryMetaStore>(); }

}  // namespace honryu::log
