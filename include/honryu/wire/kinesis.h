#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/time.h"
#include "honryu/base/uint128.h"
#include "honryu/codec/json.h"
#include "honryu/wire/fault.h"
#include "honryu/wire/format.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace honryu::wire {

/// The operations served: Kinesis_20131202's, and honryu's own under Honryu_20261121
/// (docs/formats/extensions.md).
enum class Operation : std::uint8_t {
  kCreateStream,
  kDeleteStream,
  kDescribeStream,
  kDescribeStreamSummary,
  kListStreams,
  kListShards,
  kPutRecord,
  kPutRecords,
  kGetShardIterator,
  kGetRecords,
  kIncreaseStreamRetentionPeriod,
  kDecreaseStreamRetentionPeriod,
  kSplitShard,
  kMergeShards,
  kUpdateShardCount,
  kUpdateStreamMode,
  kAddTagsToStream,
  kListTagsForStream,
  kRemoveTagsFromStream,
  kTagResource,
  kUntagResource,
  kListTagsForResource,
  kEnableEnhancedMonitoring,
  kDisableEnhancedMonitoring,
  kRegisterStreamConsumer,
  kDeregisterStreamConsumer,
  kDescribeStreamConsumer,
  kListStreamConsumers,
  kStartStreamEncryption,
  kStopStreamEncryption,
  kDescribeLimits,
  kPutResourcePolicy,
  kGetResourcePolicy,
  kDeleteResourcePolicy,
  kUpdateMaxRecordSize,
  kUpdateStreamWarmThroughput,
  kDescribeAccountSettings,
  kUpdateAccountSettings,
  kSubscribeToShard,
  kAcquireLease,
  kRenewLease,
  kSaveCheckpoint,
  kReleaseLease,
  kListLeases,
};
inline constexpr std::size_t kOperationCount = 44;

/// By the X-Amz-Target header, e.g. "Kinesis_20131202.PutRecords".
std::optional<Operation> FindOperation(std::string_view target);
/// "PutRecords"
std::string_view OperationName(Operation operation);
/// "Kinesis_20131202.PutRecords"
std::string OperationTarget(Operation operation);

/// Bounds that the broker's configuration decides.
struct Limits {
  std::uint64_t max_record_bytes = 1 << 20;    ///< Data plus partition key of one record.
  std::uint64_t max_request_bytes = 10 << 20;  ///< Data plus partition keys of one PutRecords call.
};

/// The stream that a request addresses, by StreamName, StreamARN or both.
struct StreamSelector {
  std::string name;
  std::string account;  ///< From the ARN; empty when addressed by name alone.
};

struct CreateStreamRequest {
  std::string name;
  std::optional<std::int32_t> shard_count;
  bool on_demand = false;
  std::vector<std::pair<std::string, std::string>> tags;
  std::int32_t warm_mibps = 0;
  std::optional<std::int32_t> max_record_kib;
};
struct DeleteStreamRequest {
  StreamSelector stream;
  bool enforce_consumer_deletion = false;
};
struct DescribeStreamRequest {
  StreamSelector stream;
  std::int32_t limit = 100;
  std::string exclusive_start_shard_id;  ///< Empty: from the first.
};
struct DescribeStreamSummaryRequest {
  StreamSelector stream;
};
struct ListStreamsRequest {
  std::int32_t limit = 100;
  std::string exclusive_start;  ///< Empty: from the first. NextToken or ExclusiveStartStreamName.
  std::string next_token;
};

enum class ShardFilterType : std::uint8_t {
  kAfterShardId,
  kAtTrimHorizon,
  kFromTrimHorizon,
  kAtLatest,
  kAtTimestamp,
  kFromTimestamp,
};
struct ShardFilter {
  ShardFilterType type = ShardFilterType::kFromTrimHorizon;
  std::string shard_id;
  std::optional<Timestamp> time;
};
struct ListShardsRequest {
  std::optional<StreamSelector> stream;  ///< Absent: next_token is set.
  std::string next_token;
  std::string exclusive_start_shard_id;
  std::int32_t max_results = 1000;
  std::optional<Timestamp> stream_created;
  ShardFilter filter;
};

struct PutEntry {
  BytesView partition_key;  ///< Into the request's arena.
  BytesView data;           ///< Into the request's arena.
  std::optional<UInt128> explicit_hash_key;
};
/// PutRecords, and PutRecord as its case of one entry.
struct PutRecordsRequest {
  StreamSelector stream;
  std::vector<PutEntry> entries;
  std::unique_ptr<char[]> arena;  ///< Holds all keys and data.
  /// PutRecord only; all ones (which no record has) when the text is too large a number.
  std::optional<SequenceNumber> sequence_for_ordering;
  std::string sequence_for_ordering_text;
};

enum class ShardIteratorType : std::uint8_t {
  kAfterSequenceNumber,
  kLatest,
  kAtTimestamp,
  kAtSequenceNumber,
  kTrimHorizon,
};
/// "AFTER_SEQUENCE_NUMBER"
std::string_view ShardIteratorTypeName(ShardIteratorType type);
struct GetShardIteratorRequest {
  StreamSelector stream;
  std::string shard_id;
  ShardIteratorType type = ShardIteratorType::kTrimHorizon;
  std::string starting_sequence_number;  ///< Empty: absent. Only its spelling is checked here.
  std::optional<Timestamp> time;
};
struct GetRecordsRequest {
  std::string shard_iterator;  ///< Without the double quotes that some clients put around it.
  std::int32_t limit = 10000;
  std::optional<StreamSelector> stream;
  Duration wait = Duration::zero();  ///< HonryuWaitMillis: long poll, at most 30 s.
};
struct RetentionRequest {
  StreamSelector stream;
  std::int32_t hours = 0;
};

/// One lease on the wire, in requests and answers of the lease operations.
struct LeaseShape {
  std::string application, stream, shard_id, owner, state;
  std::uint64_t counter = 0;
  Timestamp expires;
  std::optional<SequenceNumber> checkpoint;
  bool finished = false;
};
struct LeaseRequest {
  LeaseShape lease;                      ///< What the operation needs of it is filled in.
  Duration duration = Duration::zero();  ///< AcquireLease and RenewLease.
};

/// Reads a parsed body: types first, then constraints, then what only this operation checks. Each gives the
/// fault in Kinesis's words (docs: the error texts are Kinesis's), or nullopt and a filled `out`.
std::optional<Fault> ParseRequest(const codec::Json& body, CreateStreamRequest& out, const Limits& limits);
std::optional<Fault> ParseRequest(const codec::Json& body, DeleteStreamRequest& out);
std::optional<Fault> ParseRequest(const codec::Json& body, DescribeStreamRequest& out);
std::optional<Fault> ParseRequest(const codec::Json& body, DescribeStreamSummaryRequest& out);
std::optional<Fault> ParseRequest(const codec::Json& body, ListStreamsRequest& out);
std::optional<Fault> ParseRequest(const codec::Json& body, ListShardsRequest& out);
std::optional<Fault> ParseRequest(const codec::Json& body, GetShardIteratorRequest& out);
std::optional<Fault> ParseRequest(const codec::Json& body, GetRecordsRequest& out);
std::optional<Fault> ParseRequest(const codec::Json& body, RetentionRequest& out);
/// Judged after the stream has been found.
std::optional<Fault> CheckRetention(std::int32_t hours);
std::optional<Fault> ParseRequest(const codec::Json& body, LeaseRequest& out, Operation operation);
/// What a call answers that holds a record above a limit; sizes are of data plus partition key.
Fault RecordTooLarge(std::size_t size, std::uint64_t limit);
std::optional<Fault> ParsePutRecord(const codec::Json& body, PutRecordsRequest& out, const Limits& limits);
/// The validating parser: words every fault.
std::optional<Fault> ParsePutRecords(const codec::Json& body, PutRecordsRequest& out, const Limits& limits);
/// The fast parser: true and a filled `out` for a regular and valid request; false (out is then unspecified)
/// for anything else, which the validating parser must judge. 64 readable bytes must follow `body`.
bool ParsePutRecordsFast(BytesView body, PutRecordsRequest& out, const Limits& limits);
/// The same for PutRecord.
bool ParsePutRecordFast(BytesView body, PutRecordsRequest& out, const Limits& limits);
/// The fast parsers for CBOR; they need no bytes behind `body`.
bool ParsePutRecordsCbor(BytesView body, PutRecordsRequest& out, const Limits& limits);
bool ParsePutRecordCbor(BytesView body, PutRecordsRequest& out, const Limits& limits);

/// "shardId-000000000007"
void AppendShardId(std::uint32_t index, std::string& out);
std::string ShardIdOf(std::uint32_t index);
/// Appends seconds since the epoch with up to three decimals: 1763692800.12
void AppendSeconds(Timestamp time, std::string& out);

struct ShardShape {
  std::string shard_id, parent_id, adjacent_parent_id;  ///< Parents empty when absent.
  UInt128 hash_start, hash_end;                         ///< Inclusive.
  SequenceNumber starting;
  std::optional<SequenceNumber> ending;
};
struct StreamShape {
  std::string name, arn;
  std::string_view status;  ///< "ACTIVE"
  Timestamp created;
  int retention_hours = 24;
  bool on_demand = false;
  std::uint32_t monitored = 0;  ///< Bits of kShardMetrics (manage.h).
  std::size_t consumers = 0;
  std::uint64_t max_record_bytes = 1 << 20;
  std::uint32_t warm_mibps = 0;
  std::string encryption_key;  ///< KeyId; empty: not encrypted.
};
struct PutResultShape {
  std::uint32_t shard = 0;
  SequenceNumber sequence;
  std::optional<FaultName> error;
  std::string message;
  bool sealed = false;  ///< Encrypted; told with an answer of one record.
};
struct RecordShape {
  SequenceNumber sequence;
  Timestamp arrival;
  BytesView partition_key;
  BytesView data;
  bool sealed = false;  ///< Encrypted where it is stored.
};
struct ChildShardShape {
  std::string shard_id;
  std::vector<std::string> parents;
  UInt128 hash_start, hash_end;
};
struct GetRecordsAnswer {
  std::vector<RecordShape> records;
  std::string next_iterator;  ///< Empty at the end of a closed shard.
  std::int64_t behind_ms = 0;
  std::vector<ChildShardShape> children;
};

/// Answers, as compact JSON; EncodeBody (format.h) makes CBOR of them.
std::string DescribeStreamBody(const StreamShape& stream, const std::vector<ShardShape>& shards,
                               bool has_more);
std::string DescribeStreamSummaryBody(const StreamShape& stream, std::size_t open_shards);
std::string ListStreamsBody(const std::vector<StreamShape>& streams, std::string_view next_token);
std::string ListShardsBody(const std::vector<ShardShape>& shards, std::string_view next_token);
std::string PutRecordBody(const PutResultShape& result);
/// `sealed`: the stream is encrypted.
std::string PutRecordsBody(const std::vector<PutResultShape>& results, bool sealed = false);
std::string GetShardIteratorBody(std::string_view iterator);
/// An event of SubscribeToShard. `continuation`: absent at the end of a shard.
std::string SubscriptionEventBody(const GetRecordsAnswer& answer,
                                  const std::optional<SequenceNumber>& continuation);
std::string GetRecordsBody(const GetRecordsAnswer& answer);
std::string LeaseBody(const LeaseShape& lease);
std::string LeasesBody(const std::vector<LeaseShape>& leases);
/// Appends one lease as a JSON object with the member names of the lease operations.
void WriteLease(codec::JsonWriter& json, const LeaseShape& lease);

}  // namespace honryu::wire
