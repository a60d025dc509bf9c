#pragma once

#include "honryu/async/runtime.h"
#include "honryu/async/task.h"
#include "honryu/base/bytes.h"
#include "honryu/base/uint128.h"
#include "honryu/log/engine.h"
#include "honryu/log/meta_store.h"
#include "honryu/obs/metrics.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::broker {

/// When on-demand streams get and lose shards by themselves.
struct OnDemandConfig {
  Duration interval = std::chrono::seconds(10);  ///< Between two looks at the load.
  std::uint64_t shard_bytes = 1 << 20;           ///< A second, data and keys: a full shard.
  std::uint64_t shard_records = 1000;            ///< A second: a full shard.
  double split_above = 0.75;  ///< Of a full shard, twice in a row: it is split at the median of its load.
  double merge_below = 0.25;  ///< Two neighbours together, for `merge_after`: they are merged.
  Duration merge_after = std::chrono::minutes(15);
  int min_shards = 4;
  int max_shards = 1000;
};

/// What a shard may be asked for.
enum class QuotaProfile {
  kUnlimited,  ///< As much as memory and disk bear.
  kAws,        ///< As a shard of Kinesis: 1 MiB/s and 1,000 records/s in, 2 MiB/s and 5 reads/s out.
};

struct BrokerConfig {
  int max_streams = 1000;
  int max_shards_per_stream = 10000;
  int default_retention_hours = 24;
  std::uint64_t max_record_bytes = 1 << 20;      ///< Data plus partition key.
  std::optional<std::uint64_t> retention_bytes;  ///< Per stream, as stored; nullopt: no limit.
  Duration iterator_lifetime = std::chrono::minutes(5);
  Duration retention_check = std::chrono::seconds(30);
  /// How long a stream is seen as UPDATING before its shards change, and as CREATING or DELETING where that
  /// is asked for; clients of Kinesis expect to see it.
  Duration update_delay = Duration::zero();
  OnDemandConfig on_demand;
  QuotaProfile quotas = QuotaProfile::kUnlimited;
  std::shared_ptr<const log::KeyRing> keys;  ///< To encrypt records with; null: none.
};

enum class StreamStatus { kCreating, kActive, kUpdating, kDeleting };

struct Shard {
  std::uint32_t index = 0;               ///< Never reused within a stream; "shardId-" + 12 digits.
  UInt128 hash_start, hash_end;          ///< Inclusive.
  SequenceNumber starting;               ///< Below every record of the shard.
  std::optional<SequenceNumber> ending;  ///< Set: closed.
  std::optional<std::uint32_t> parent, adjacent_parent;
};

enum class StreamMode { kProvisioned, kOnDemand };

/// A reader registered for enhanced fan-out.
struct StreamConsumer {
  std::string name;
  Timestamp created;
  std::map<std::string, std::string> tags;
  std::string policy;  ///< Resource policy, JSON; empty: none.
};

/// What is kept with a stream and does not touch its records.
struct StreamAttributes {
  StreamMode mode = StreamMode::kProvisioned;
  std::map<std::string, std::string> tags;
  std::uint32_t monitored = 0;  ///< Shard-level metrics asked for, a bit each, in the order of their names.
  std::optional<std::uint32_t> max_record_kib;  ///< Below or at the broker's limit; nullopt: that limit.
  std::uint32_t warm_throughput_mibps = 0;
  std::string encryption_key;             ///< Id of the key that new records are sealed with; empty: none.
  std::string policy;                     ///< Resource policy, JSON; empty: none.
  std::vector<StreamConsumer> consumers;  ///< By name.
};

struct Stream {
  std::string name;
  std::uint64_t incarnation = 0;  ///< Differs after delete and re-create; the engine's group id.
  StreamStatus status = StreamStatus::kCreating;
  Timestamp created;
  int retention_hours = 24;
  std::vector<Shard> shards;  ///< By index; retired ones are absent.
  StreamAttributes attributes;
};

/// A stream as it was at one moment; never changed.
using StreamSnapshot = std::shared_ptr<const Stream>;

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
  bool sealed = false;  ///< Encrypted where it is stored.
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

/// The shard whose quota refused a record or a read; nullopt for every other error.
std::optional<std::uint32_t> ShardOfQuotaError(const Error& error);

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

  /// Loads the streams and starts what goes on by itself: creations, deletions and reshardings that a crash
  /// cut short, and retention. Blocks.
  Result<void> Start();
  async::Task<void> Stop(MonoTime deadline);

  /// The stream is CREATING when this returns and becomes ACTIVE soon after; with `linger` not before
  /// `update_delay` has passed, for clients that wait to see it so.
  async::Task<Result<void>> CreateStream(async::Context ctx, std::string name, int shards,
                                         StreamAttributes attributes = {}, bool linger = false);
  /// The same with DELETING.
  async::Task<Result<void>> DeleteStream(async::Context ctx, std::string name, bool linger = false);
  /// Waits until the stream is ACTIVE.
  async::Task<Result<void>> WaitActive(async::Context ctx, std::string name);
  /// A copy of all there is to know of a stream; `Snapshot` costs less.
  Result<Stream> Describe(std::string_view name) const;
  /// Copies, in name order.
  std::vector<Stream> List() const;
  /// The stream as it is now; later changes make new ones. kNotFound. It must not outlive the broker.
  Result<StreamSnapshot> Snapshot(std::string_view name) const;
  /// All streams as they are now, in name order.
  std::vector<StreamSnapshot> Snapshots() const;
  /// Data plus partition key that one record of this stream may have: its own limit or the broker's.
  std::uint64_t MaxRecordBytes(const StreamAttributes& attributes) const;
  async::Task<Result<void>> SetRetention(async::Context ctx, std::string name, int hours);

  /// Changes what `change` changes, durably; its error is returned and nothing changed. Called on the
  /// blocking pool, one at a time. kNotFound, kFailedPrecondition.
  async::Task<Result<void>> ChangeAttributes(async::Context ctx, std::string name,
                                             std::function<Result<void>(StreamAttributes&)> change);

  // Resharding. The stream is UPDATING when these return, and ACTIVE again once its open shards are as asked
  // for, also after a crash. Each closed shard's records come before its children's for every key. Only an
  // ACTIVE stream (kFailedPrecondition).
  /// Splits an open shard in two; `at` becomes the second one's start. kInvalidArgument when it lies outside.
  async::Task<Result<void>> SplitShard(async::Context ctx, std::string name, std::uint32_t shard, UInt128 at);
  /// Merges two open shards; `second` begins right behind `first`. kInvalidArgument otherwise.
  async::Task<Result<void>> MergeShards(async::Context ctx, std::string name, std::uint32_t first,
                                        std::uint32_t second);
  /// Splits and merges until there are `count` open shards of equal ranges.
  async::Task<Result<void>> SetShardCount(async::Context ctx, std::string name, int count);

  /// Routes by MD5 or explicit hash key and appends; result i belongs to entry i. One commit for all entries
  /// of a call. kOverloaded of one entry: its shard's quota is used up (ShardOfQuotaError).
  async::Task<Result<std::vector<Result<PutPlace>>>> Put(async::Context ctx, std::string stream,
                                                         std::vector<PutRecordEntry> entries);

  struct IteratorRequest {
    std::string stream;
    std::uint32_t shard = 0;
    IteratorType type = IteratorType::kTrimHorizon;
    std::optional<SequenceNumber> sequence;
    std::optional<Timestamp> time;
    bool counts = false;  ///< Against the shard's quota of such calls; kOverloaded when that is used up.
  };
  async::Task<Result<ShardPlace>> FindPlace(async::Context ctx, IteratorRequest request);
  /// `wait` > 0: when nothing is there, waits that long for a record; such reads (of our own consumers and of
  /// subscriptions) do not count against a quota. kNotFound after delete and re-create; kOverloaded when the
  /// shard's quota is used up.
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
