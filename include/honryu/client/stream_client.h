#pragma once

#include "honryu/async/task.h"
#include "honryu/base/bytes.h"
#include "honryu/base/uint128.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace honryu::client {

struct PutEntry {
  std::string partition_key;  ///< 1..256 Unicode characters.
  Bytes data;
  std::optional<UInt128> explicit_hash_key;
};
struct PutPosition {
  std::string shard_id;
  SequenceNumber sequence;
};

struct StreamRecord {
  SequenceNumber sequence;
  Timestamp arrival;
  std::string partition_key;
  Bytes data;
  std::uint32_t sub_sequence = 0;  ///< Place within an opened aggregate (client/aggregation.h).
};

struct ShardDescription {
  std::string shard_id;
  std::string parent_id, adjacent_parent_id;  ///< Empty when absent.
  UInt128 hash_start, hash_end;               ///< Inclusive.
  bool open = true;
};

/// Where to begin reading a shard.
struct FromTrimHorizon {};
struct FromLatest {};
struct FromTimestamp {
  Timestamp time;
};
struct AfterSequence {
  SequenceNumber sequence;
};
/// An opaque place returned by an earlier read (ReadBatch::next).
struct FromCursor {
  std::string cursor;
};
using StartPosition = std::variant<FromTrimHorizon, FromLatest, FromTimestamp, AfterSequence, FromCursor>;

struct ReadRequest {
  std::string stream;
  std::string shard_id;
  StartPosition from;
  std::uint32_t max_records = 10000;
  Duration wait =
      Duration::zero();  ///< When nothing is there, wait this long for the next record (long poll).
};
struct ReadBatch {
  std::vector<StreamRecord> records;
  std::string next;                   ///< Cursor to read on from; empty at the end of a closed shard.
  std::vector<std::string> children;  ///< At the end of a closed shard: the shards to read next.
  Duration behind_latest = Duration::zero();
};

/// A share in the work of an application: one shard's reader. Expiry is judged by the broker's clock.
struct Lease {
  std::string application, stream, shard_id;
  std::string owner;  ///< Empty: free.
  std::uint64_t counter =
      0;  ///< Rises with each change of hands; the fencing token of renew, checkpoint, release.
  Timestamp expires;
  std::optional<SequenceNumber> checkpoint;  ///< Everything up to here is done. nullopt: nothing yet.
  bool finished = false;                     ///< The closed shard was read to its end.
  std::string state;                         ///< Opaque bytes saved with the checkpoint (at most 1 MiB).
};

/// AcquireLease takes this in place of a shard: a lease on the stream as a whole, which stays the same
/// however the stream is resharded.
inline constexpr std::string_view kStreamSlot = "stream";

struct StreamSettings {
  int shards = 4;
  int retention_hours = 24;
};

/// What gateways and consumers use of a broker: in this process (local), over the network (remote), or a
/// test's own. Thread-safe. Errors carry ErrorCode; kOverloaded and kUnavailable are retryable.
class StreamClient {
 public:
  virtual ~StreamClient() = default;

  /// Creates the stream if it does not exist and waits until it is ACTIVE.
  virtual async::Task<Result<void>> EnsureStream(async::Context ctx, std::string stream,
                                                 StreamSettings settings) = 0;
  virtual async::Task<Result<std::vector<ShardDescription>>> ListShards(async::Context ctx,
                                                                        std::string stream) = 0;
  /// How long the stream keeps a record. kNotFound.
  virtual async::Task<Result<Duration>> RetentionOf(async::Context ctx, std::string stream) = 0;
  /// Writes any number of entries; result i belongs to entry i and may be an error while its neighbours
  /// succeed (kTooLarge, kInvalidArgument: this record will never be taken). The outer error means that
  /// nothing is known about any of them. Durable when it returns.
  virtual async::Task<Result<std::vector<Result<PutPosition>>>> Put(async::Context ctx, std::string stream,
                                                                    std::vector<PutEntry> entries) = 0;
  virtual async::Task<Result<ReadBatch>> Read(async::Context ctx, ReadRequest request) = 0;

  virtual async::Task<Result<std::vector<Lease>>> ListLeases(async::Context ctx, std::string application,
                                                             std::string stream) = 0;
  /// Takes a free or expired lease (creating it on first use), or a living one of the same owner. kConflict
  /// while another owner holds it.
  virtual async::Task<Result<Lease>> AcquireLease(async::Context ctx, std::string application,
                                                  std::string stream, std::string shard_id, std::string owner,
                                                  Duration duration) = 0;
  /// Extends a held lease. kFenced when it has changed hands.
  virtual async::Task<Result<Lease>> RenewLease(async::Context ctx, Lease held, Duration duration) = 0;
  /// Saves checkpoint, finished and state of a held lease. kFenced when it has changed hands.
  virtual async::Task<Result<void>> SaveCheckpoint(async::Context ctx, Lease held) = 0;
  /// Gives a held lease back; its checkpoint stays.
  virtual async::Task<Result<void>> ReleaseLease(async::Context ctx, Lease held) = 0;
};

}  // namespace honryu::client
