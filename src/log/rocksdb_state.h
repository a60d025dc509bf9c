#pragma once

#include "format.h"
#include "honryu/async/one_shot.h"
#include "honryu/kv/database.h"
#include "honryu/log/engine.h"

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace honryu::log {

/// A committed batch that is still in memory for readers at the tail.
struct CachedBatch {
  Offset base = 0;
  std::uint32_t count = 0;
  Timestamp time;
  std::vector<Bytes> units;
  std::size_t bytes = 0;
};

struct PartitionSegment {
  SegmentNumber segment = 0;
  Offset first = 0;
  Timestamp first_time;
};

/// One partition in memory. `mutex` guards everything below it and is a leaf.
struct PartitionState {
  PartitionState(PartitionId i, GroupId g) : id(i), group(g) {}
  const PartitionId id;
  const GroupId group;

  std::mutex mutex;
  WriterEpoch epoch = 0;
  Offset next = 1;                        ///< Of the next durable record.
  Timestamp last_time;                    ///< Of the newest durable record.
  Offset reserved = 0;                    ///< Offsets below it may be issued (interval and none durability).
  std::deque<PartitionSegment> segments;  ///< Rising; segments that hold a batch of this partition.
  std::deque<std::shared_ptr<const CachedBatch>> tail;
  struct Waiter {
    Offset from;
    async::OneShot<bool> wake;
  };
  std::list<Waiter> waiters;
  bool waits_ended = false;  ///< Nothing more will come: nobody waits.

  Offset first() const { return segments.empty() ? next : segments.front().first; }
};

struct SealedSegment {
  SegmentNumber segment = 0;
  Timestamp last_time;
  std::uint64_t bytes = 0;
};

/// One group in memory. `mutex` guards the lists and is a leaf; the open segment belongs to the committer.
struct GroupState {
  explicit GroupState(GroupId g) : id(g) {}
  const GroupId id;
  std::shared_ptr<kv::Family> family;

  std::mutex mutex;
  std::deque<SealedSegment> sealed;
  SegmentNumber open = 1;
  std::uint64_t open_bytes = 0;
  Timestamp open_since, open_last_time;

  // Under the engine's write_mutex_.
  SegmentNumber dropped = 0;     // segments up to it are gone; their numbers are never used again
  bool files_to_delete = false;  // files of such segments may still be there
};

/// One partition and one group as the database has them: what becomes of their states when all has been read.
struct LoadedPartition {
  GroupId group = 0;
  WriterEpoch epoch = 0;
  Offset next = 1, reserved = 0;
  Timestamp last_time;
  std::deque<PartitionSegment> segments;
};
struct LoadedGroup {
  std::shared_ptr<kv::Family> family;
  std::deque<SealedSegment> sealed;
  SegmentNumber open = 1, dropped = 0;
};
struct Loaded {
  std::map<PartitionId, LoadedPartition> partitions;
  std::map<GroupId, LoadedGroup> groups;
};

std::string FamilyName(GroupId group);
/// Keys of family `meta` (besides the MetaStore's) and `index`.
std::string PartitionKey(PartitionId partition);  // meta: group u64, epoch u64
std::string ReservedKey(PartitionId partition);   // meta: offset u64
std::string IndexKey(GroupId group, PartitionId partition,
                     SegmentNumber segment);                // index: first u64, time u64
std::string SealKey(GroupId group, SegmentNumber segment);  // index: last time u64, bytes u64
std::string DroppedKey(GroupId group);                      // index: newest dropped segment u64

}  // namespace honryu::log
