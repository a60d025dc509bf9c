#pragma once

#include "honryu/wire/kinesis.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace honryu::wire {

/// What an ARN names: a stream, or one of its consumers.
struct ResourceSelector {
  StreamSelector stream;
  std::string consumer;              ///< Empty: the stream.
  std::optional<Timestamp> created;  ///< Of the consumer: it stands in its ARN.
};
/// "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME" or that with "/consumer/NAME:SECONDS". nullopt: neither.
std::optional<ResourceSelector> ParseResourceArn(std::string_view arn);

/// The seven shard-level metrics, in the order of Kinesis; "ALL" stands for all of them.
inline constexpr std::string_view kShardMetrics[] = {"IncomingBytes",
                                                     "IncomingRecords",
                                                     "OutgoingBytes",
                                                     "OutgoingRecords",
                                                     "WriteProvisionedThroughputExceeded",
                                                     "ReadProvisionedThroughputExceeded",
                                                     "IteratorAgeMilliseconds"};

/// The members of the operations that manage streams; each operation fills those that it has.
struct ManageRequest {
  ResourceSelector resource;      ///< By StreamName, StreamARN, ConsumerARN or ResourceARN.
  std::string shard_id;           ///< ShardToSplit, ShardToMerge
  std::string adjacent_shard_id;  ///< AdjacentShardToMerge
  std::string hash_key;           ///< NewStartingHashKey, a decimal number that may be too large
  std::int32_t target_count = 0;  ///< TargetShardCount
  bool on_demand = false;         ///< StreamModeDetails
  std::optional<std::int32_t> warm_mibps;
  std::int32_t max_record_kib = 0;
  std::vector<std::pair<std::string, std::string>> tags;
  std::vector<std::string> tag_keys;
  std::string exclusive_start_tag_key;
  std::int32_t limit = 0;     ///< Limit or MaxResults; 0: not given.
  std::uint32_t metrics = 0;  ///< ShardLevelMetrics: bit i is kShardMetrics[i].
  std::string next_token;
  std::optional<Timestamp> stream_created;
  std::string policy;
  std::string key_id;       ///< KeyId of the encryption; as the client gave it.
  bool commitment = false;  ///< MinimumThroughputBillingCommitment.Status is ENABLED
};

/// Types, constraints, and what only this operation checks, as ParseRequest does.
std::optional<Fault> ParseManageRequest(const codec::Json& body, Operation operation, ManageRequest& out);

/// SubscribeToShard: the consumer, and the starting position in the words of GetShardIterator.
struct SubscribeRequest {
  ResourceSelector consumer;
  GetShardIteratorRequest start;
};
std::optional<Fault> ParseSubscribeRequest(const codec::Json& body, SubscribeRequest& out);

struct ConsumerShape {
  std::string name, arn;
  Timestamp created;
};
std::string TagsBody(const std::vector<std::pair<std::string, std::string>>& tags,
                     std::optional<bool> has_more);
std::string MonitoringBody(const StreamShape& stream, std::uint32_t before, std::uint32_t after);
std::string ShardCountBody(const StreamShape& stream, std::size_t current, std::int32_t target);
/// RegisterStreamConsumer (`status` "CREATING") and DescribeStreamConsumer (with `stream_arn`).
std::string RegisteredConsumerBody(const ConsumerShape& consumer);
std::string DescribedConsumerBody(const ConsumerShape& consumer, std::string_view stream_arn);
std::string ConsumersBody(const std::vector<ConsumerShape>& consumers, std::string_view next_token);
std::string LimitsBody(std::size_t shard_limit, std::size_t open_shards, std::size_t on_demand,
                       std::size_t on_demand_limit);
std::string PolicyBody(std::string_view policy);
std::string WarmThroughputBody(const StreamShape& stream, std::int32_t mibps);
std::string AccountSettingsBody(bool commitment);

}  // namespace honryu::wire
