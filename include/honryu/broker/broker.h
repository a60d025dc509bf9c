#pragma once

#include "honryu/async/runtime.h"
#include "honryu/async/task.h"
#include "honryu/base/bytes.h"
#include "honryu/base/uint128.h"
#include "honryu/log/engine.h"
#include "honryu/log/meta_store.h"
#include "honryu/obs/metrics.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::broker {

struct BrokerConfig {
  int max_streams = 1000;
  int max_shards_per_stream = 10000;
  int default_retention_hours = 24;
  std::uint64_t max_record_bytes = 1 << 20;      ///< Data plus partition key.
  std::optional<std::uint64_t> retention_bytes;  ///< Per stream, as stored; nullopt: no limit.
  Duration iterator_lifetime = std::chrono::minutes(5);
  Duration retention_check = std::chrono::seconds(30);
};

enum class StreamStatus { kCreating, kActive, kUpdating, kDeleting };

struct Shard {
  std::uint32_t index = 0;               ///< Never reused within a stream; "shardId-" + 12 digits.
  UInt128 hash_start, hash_end;          ///< Inclusive.
  SequenceNumber starting;               ///< Below every record of the shard.
  std::optional<SequenceNumber> ending;  ///< Set: closed.
  std::optional<std::uint32_t> parent, adjacent_parent;
};

struct Stream {
  std::string name;
  std::uint64_t incarnation = 0;  ///< Differs after delete and re-create; the engine's group id.
  StreamStatus status = StreamStatus::kCreating;
  Timestamp created;
  int retention_hours = 24;
  std::vector<Shard> shards;  ///< By index; retired ones are absent.
};

std::string ShardIdText(std::uint32_t index);
/// Lenient as Kinesis: an optional "anything-" prefix, digits, 0..2147483647.
std::optional<std::uint32_t> ParseShardId(std::string_view text);

struct PutRecordEntry {
  BytesView partition_key;  ///< Borrowed until Put returns.
  BytesView data;           ///< Borrowed until Put returns.
  std::optional<UInt128> explicit_hash_key;
};
struct PutPlace {
  std::uint32_t shard = 0;
  SequenceNumber sequence;
  Timestamp arrival;
};

enum class IteratorType { kAtSequenceNumber, kAfterSequenceNumber, kAtTimestamp, kTrimHorizon, kLatest };

/// A reader's place in one shard. Opaque text outside (see EncodeIterator).
struct ShardPlace {
  std::string stream;
  std::uint64_t incarnation = 0;
  std::uint32_t shard = 0;
  log::Offset offset = 0;  ///< The next record wanted.
  Timestamp issued;
};

struct ReadRecord {
  SequenceNumber sequence;
  Timestamp arrival;
  BytesView partition_key;  ///< Into `data`'s owner.
  Bytes data;
};
struct ReadResult {
  std::vector<ReadRecord> records;
  std::optional<ShardPlace> next;  ///< Absent at the end of a closed shard.
  std::vector<Shard> children;     ///< Only at the end of a closed shard.
  Duration behind_latest = Duration::zero();
};

struct LeaseRow {
  std::string application, stream, shard_id, owner, state;
  std::uint64_t counter = 0;
  Timestamp expires;
  std::optional<SequenceNumber> checkpoint;
  bool finished = false;
};

/// Streams, shards, sequence numbers, iterators and leases on a LogEngine. Knows no HTTP and no wire format.
/// Thread-safe: the data path reads an immutable snapshot of the streams; changes are serialised. Errors:
/// kNotFound (stream or shard), kAlreadyExists, kFailedPrecondition (not ACTIVE), kInvalidArgument,
/// kOverloaded, kUnavailable.
class Broker {
 public:
  /// All references must outlive the broker.
  Broker(BrokerConfig config, log::LogEngine& engine, log::MetaStore& meta, const Clock& clock,
         async::Runtime& runtime, obs::Registry& metrics);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// Loads the streams, finishes interrupted creations and deletions, starts retention. Blocks.
  Result<void> Start();
  async::Task<void> Stop(MonoTime deadline);

  /// The stream is CREATING when this returns and becomes ACTIVE soon after.
  async::Task<Result<void>> CreateStream(async::Context ctx, std::string name, int shards);
  async::Task<Result<void>> DeleteStream(async::Context ctx, std::string name);
  /// Waits until the stream is ACTIVE.
  async::Task<Result<void>> WaitActive(async::Context ctx, std::string name);
  Result<Stream> Describe(std::string_view name) const;
  /// In name order.
  std::vector<Stream> List() const;
  async::Task<Result<void>> SetRetention(async::Context ctx, std::string name, int hours);

  /// Routes by MD5 or explicit hash key and appends; result i belongs to entry i. One commit for all entries
  /// of a call.
  async::Task<Result<std::vector<Result<PutPlace>>>> Put(async::Context ctx, std::string stream,
                                                         std::vector<PutRecordEntry> entries);

  struct IteratorRequest {
    std::string stream;
    std::uint32_t shard = 0;
    IteratorType type = IteratorType::kTrimHorizon;
    std::optional<SequenceNumber> sequence;
    std::optional<Timestamp> time;
  };
  async::Task<Result<ShardPlace>> FindPlace(async::Context ctx, IteratorRequest request);
  /// `wait` > 0: when nothing is there, waits that long for a record. kNotFound after delete and re-create.
  async::Task<Result<ReadResult>> Read(async::Context ctx, ShardPlace place, std::uint32_t max_records,
                                       std::uint64_t max_bytes, Duration wait);
  /// Token text for a place, and back. kInvalidArgument; kExpired after iterator_lifetime. Tokens are
  /// authenticated with a key kept in the MetaStore, so they survive restarts and cannot be forged.
  std::string EncodeIterator(const ShardPlace& place) const;
  Result<ShardPlace> DecodeIterator(std::string_view token) const;

  Result<std::vector<LeaseRow>> ListLeases(std::string_view application, std::string_view stream) const;
  async::Task<Result<LeaseRow>> AcquireLease(async::Context ctx, std::string application, std::string stream,
                                             std::string shard_id, std::string owner, Duration duration);
  async::Task<Result<LeaseRow>> RenewLease(async::Context ctx, LeaseRow held, Duration duration);
  async::Task<Result<void>> SaveCheckpoint(async::Context ctx, LeaseRow held);
  async::Task<Result<void>> ReleaseLease(async::Context ctx, LeaseRow held);

  const BrokerConfig& config() const;
  Result<void> Writable() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::broker
