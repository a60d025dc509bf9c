#include "quotas.h"

#include <algorithm>

namespace honryu::broker {

namespace {

constexpr double kWriteBytes = 1 << 20;
constexpr double kWriteRecords = 1000;
constexpr double kReadBytes = 2 << 20;
constexpr double kReadCalls = 5;
constexpr double kIteratorCalls = 5;
constexpr std::size_t kSweepAt = 1024;  // shards; below, forgetting is not worth a look at each

}  // namespace

ShardQuotas::Shard::Shard(MonoTime now)
    : write_bytes(kWriteBytes, now),
      write_records(kWriteRecords, now),
      read_bytes(kReadBytes, now),
      read_calls(kReadCalls, now),
      iterator_calls(kIteratorCalls, now) {}

// A shard with full budgets is as good as forgotten; so memory follows the shards in use.
ShardQuotas::Shard& ShardQuotas::Find(std::uint64_t incarnation, std::uint32_t shard, MonoTime now) {
  const auto key = std::pair(incarnation, shard);
  const auto found = shards_.find(key);
  if (found != shards_.end()) return found->second;
  if (shards_.size() >= sweep_at_) {
    for (auto at = shards_.begin(); at != shards_.end();) {
      Shard& s = at->second;
      const bool idle = s.write_bytes.IsFull(now) && s.write_records.IsFull(now) &&
                        s.read_bytes.IsFull(now) && s.read_calls.IsFull(now) && s.iterator_calls.IsFull(now);
      at = idle ? shards_.erase(at) : std::next(at);
    }
    sweep_at_ = std::max(kSweepAt, 2 * shards_.size());
  }
  return shards_.try_emplace(key, now).first->second;
}

void ShardQuotas::TakeWrites(std::uint64_t incarnation, std::span<Write> writes) {
  const MonoTime now = clock_.Mono();
  const std::lock_guard lock(mutex_);
  for (Write& write : writes) {
    Shard& shard = Find(incarnation, write.shard, now);
    const auto bytes = static_cast<double>(write.bytes);
    write.taken = shard.write_records.Has(1, now) && shard.write_bytes.Has(bytes, now);
    if (!write.taken) continue;
    shard.write_records.Take(1);
    shard.write_bytes.Take(bytes);
  }
}

void ShardQuotas::ReturnWrites(std::uint64_t incarnation, std::span<const Write> writes) {
  const MonoTime now = clock_.Mono();
  const std::lock_guard lock(mutex_);
  for (const Write& write : writes) {
    if (!write.taken) continue;
    Shard& shard = Find(incarnation, write.shard, now);
    shard.write_records.Return(1);
    shard.write_bytes.Return(static_cast<double>(write.bytes));
  }
}

bool ShardQuotas::TakeRead(std::uint64_t incarnation, std::uint32_t shard) {
  const MonoTime now = clock_.Mono();
  const std::lock_guard lock(mutex_);
  Shard& found = Find(incarnation, shard, now);
  // How much a read will yield is known after it: any byte left is enough to begin.
  if (!found.read_calls.Has(1, now) || !found.read_bytes.Has(1, now)) return false;
  found.read_calls.Take(1);
  return true;
}

void ShardQuotas::ChargeRead(std::uint64_t incarnation, std::uint32_t shard, std::uint64_t bytes) {
  const MonoTime now = clock_.Mono();
  const std::lock_guard lock(mutex_);
  TokenBucket& budget = Find(incarnation, shard, now).read_bytes;
  const auto amount = static_cast<double>(bytes);
  if (amount > kReadBytes) budget.Empty();
  budget.Take(amount);
}

bool ShardQuotas::TakeIterator(std::uint64_t incarnation, std::uint32_t shard) {
  const MonoTime now = clock_.Mono();
  const std::lock_guard lock(mutex_);
  TokenBucket& calls = Find(incarnation, shard, now).iterator_calls;
  if (!calls.Has(1, now)) return false;
  calls.Take(1);
  return true;
}

std::size_t ShardQuotas::size() const {
  const std::lock_guard lock(mutex_);
  return shards_.size();
}

}  // namespace honryu::broker
