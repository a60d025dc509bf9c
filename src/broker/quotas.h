#pragma once

#include "honryu/base/time.h"
#include "honryu/base/token_bucket.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <utility>

namespace honryu::broker {

/// The shard limits of Kinesis ("Quotas and limits", Amazon Kinesis Data Streams developer guide). Writes:
/// 1 MiB and 1,000 records a second; reads: 2 MiB and 5 calls; iterators: 5 calls. Thread-safe; calls nothing
/// while locked.
class ShardQuotas {
 public:
  /// `clock` must outlive this.
  explicit ShardQuotas(const Clock& clock) : clock_(clock) {}

  struct Write {
    std::uint32_t shard = 0;
    std::uint64_t bytes = 0;  ///< Data and partition key.
    bool taken = false;       ///< Set by TakeWrites.
  };
  /// Judges the writes in order: one that is too much does not stop a smaller one behind it.
  void TakeWrites(std::uint64_t incarnation, std::span<Write> writes);
  /// For those that were taken and then not stored.
  void ReturnWrites(std::uint64_t incarnation, std::span<const Write> writes);

  /// Takes one call; false when the shard's calls or bytes are used up.
  bool TakeRead(std::uint64_t incarnation, std::uint32_t shard);
  /// What a read yielded. More than a second's worth is paid for in full before the next: 10 MiB with 5 s.
  void ChargeRead(std::uint64_t incarnation, std::uint32_t shard, std::uint64_t bytes);
  /// Takes one call that asks for an iterator.
  bool TakeIterator(std::uint64_t incarnation, std::uint32_t shard);

  /// Shards remembered: those used within the last seconds, about.
  std::size_t size() const;

 private:
  struct Shard {
    explicit Shard(MonoTime now);
    TokenBucket write_bytes, write_records, read_bytes, read_calls, iterator_calls;
  };
  Shard& Find(std::uint64_t incarnation, std::uint32_t shard, MonoTime now);

  const Clock& clock_;
  mutable std::mutex mutex_;  // leaf
  std::map<std::pair<std::uint64_t, std::uint32_t>, Shard> shards_;
  std::size_t sweep_at_ = 0;
};

}  // namespace honryu::broker
