#pragma once

#include "honryu/async/task.h"
#include "honryu/base/units.h"
#include "honryu/log/record_batch.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::log {

using PartitionId = std::uint64_t;
/// Partitions that are stored and retired together: the shards of one stream.
using GroupId = std::uint64_t;
/// Fencing: an append with an epoch below the partition's newest one is refused (kFenced).
using WriterEpoch = std::uint64_t;

struct AppendPart {
  PartitionId partition = 0;
  WriterEpoch epoch = 0;
  EncodedRecords records;
};

struct AppendResult {
  Offset first = 0;  ///< Records got first, first + 1, … last.
  Offset last = 0;
  Timestamp time;  ///< Commit time of all of them.
};

struct ReadLimits {
  std::size_t max_records = 10000;
  std::size_t max_bytes = 10 << 20;  ///< At least one record is returned even if it alone is larger.
};

struct ReadOutcome {
  std::vector<LogRecord> records;
  Offset next = 0;      ///< Where to read on: past the last record returned, or the given position.
  Offset end = 0;       ///< Position that the next durable record will get, at the time of the read.
  Timestamp last_time;  ///< Commit time of the newest durable record; zero if none was ever written.
};

struct PartitionBounds {
  Offset first = 0;     ///< Oldest retained position (== next when empty).
  Offset next = 0;      ///< Position of the next durable record.
  Timestamp last_time;  ///< Commit time of the newest durable record; zero if none.
};

struct PartitionDescription {
  PartitionId partition = 0;
  GroupId group = 0;
  WriterEpoch epoch = 0;
};

struct RetentionReport {
  std::uint64_t segments_dropped = 0;
  std::uint64_t bytes_dropped = 0;  ///< As stored.
};

struct GroupUsage {
  std::uint64_t stored_bytes = 0;
  std::uint64_t segments = 0;
};

/// Stores opaque record batches in numbered partitions and says when they are durable. Everything that
/// Kinesis means (streams, shards, sequence numbers) lies above. All calls are thread-safe; tasks may be
/// awaited on any event loop and resume there.
class LogEngine {
 public:
  virtual ~LogEngine() = default;

  /// Creates empty partitions, all of them durably or, on an error, none; those that the group already has
  /// stay as they are. kAlreadyExists when another group has one of the number. May block: call on the
  /// blocking pool.
  virtual Result<void> CreatePartitions(const std::vector<PartitionId>& partitions, GroupId group) = 0;
  Result<void> CreatePartition(PartitionId partition, GroupId group) {
    return CreatePartitions({partition}, group);
  }
  /// Drops a whole group and the data of its partitions (whole files). kNotFound. May block.
  virtual Result<void> DropGroup(GroupId group) = 0;
  virtual std::vector<PartitionDescription> ListPartitions() const = 0;
  /// Becomes the partitions' writer: durably raises their epochs and returns them in the same order; older
  /// writers get kFenced. All or none; kNotFound. May block.
  virtual Result<std::vector<WriterEpoch>> AcquireWriters(const std::vector<PartitionId>& partitions) = 0;
  Result<WriterEpoch> AcquireWriter(PartitionId partition) {
    HONRYU_TRY(const std::vector<WriterEpoch> epochs, AcquireWriters({partition}));
    return epochs.front();
  }

  /// Appends all parts in one commit, all or nothing; durable (per the durability setting) when it returns.
  /// Results are in the order of the parts. kOverloaded when the commit queue is full, kUnavailable when the
  /// disk is full or the storage failed (retryable), kFenced, kNotFound. After kFenced, kNotFound and
  /// kOverloaded nothing was written; kUnavailable leaves that open when it was the write that failed: the
  /// records are then there whole or not at all, and a retry may store them a second time.
  virtual async::Task<Result<std::vector<AppendResult>>> Append(async::Context ctx,
                                                                std::vector<AppendPart> parts) = 0;

  /// Reads durable records from `from` on (positions before the retained range begin at its start). From
  /// memory at the tail, else on the blocking pool. kCorrupt names group, segment, partition and position;
  /// kNotFound.
  virtual async::Task<Result<ReadOutcome>> Read(async::Context ctx, PartitionId partition, Offset from,
                                                ReadLimits limits) = 0;
  /// Waits until a record at or after `from` is durable, or the deadline (kDeadlineExceeded) or cancellation.
  virtual async::Task<Result<void>> WaitFor(async::Context ctx, PartitionId partition, Offset from) = 0;
  /// Nothing more will be appended: every WaitFor of these partitions, running or later, returns at once
  /// although no record came. Not durable; unknown partitions are left out. Does not block.
  virtual void EndWaits(const std::vector<PartitionId>& partitions) = 0;
  /// First position whose record has a commit time >= `time`; `next` when there is none.
  virtual async::Task<Result<Offset>> FindByTime(async::Context ctx, PartitionId partition,
                                                 Timestamp time) = 0;
  virtual Result<PartitionBounds> Bounds(PartitionId partition) const = 0;

  /// Drops the group's oldest whole segments while all their records are older than `drop_before`, or while
  /// the group stores more than `max_bytes` (nullopt: no such limit). The newest segment stays. May block.
  virtual Result<RetentionReport> EnforceRetention(GroupId group, Timestamp drop_before,
                                                   std::optional<std::uint64_t> max_bytes) = 0;
  virtual Result<GroupUsage> Usage(GroupId group) const = 0;
  /// False while writes are refused (disk full, storage failed), with the reason.
  virtual Result<void> Writable() const = 0;

  /// Refuses new appends, completes the queued ones, flushes. Call once; may block.
  virtual Result<void> Close() = 0;
};

}  // namespace honryu::log
