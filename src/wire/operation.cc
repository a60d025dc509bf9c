#include "honryu/wire/kinesis.h"

namespace honryu::wire {

namespace {
constexpr std::string_view kKinesisPrefix = "Kinesis_20131202.";
constexpr std::string_view kHonryuPrefix = "Honryu_20261121.";
constexpr std::string_view kNames[kOperationCount] = {"CreateStream",
                                                      "DeleteStream",
                                                      "DescribeStream",
                                                      "DescribeStreamSummary",
                                                      "ListStreams",
                                                      "ListShards",
                                                      "PutRecord",
                                                      "PutRecords",
                                                      "GetShardIterator",
                                                      "GetRecords",
                                                      "IncreaseStreamRetentionPeriod",
                                                      "DecreaseStreamRetentionPeriod",
                                                      "SplitShard",
                                                      "MergeShards",
                                                      "UpdateShardCount",
                                                      "UpdateStreamMode",
                                                      "AddTagsToStream",
                                                      "ListTagsForStream",
                                                      "RemoveTagsFromStream",
                                                      "TagResource",
                                                      "UntagResource",
                                                      "ListTagsForResource",
                                                      "EnableEnhancedMonitoring",
                                                      "DisableEnhancedMonitoring",
                                                      "RegisterStreamConsumer",
                                                      "DeregisterStreamConsumer",
                                                      "DescribeStreamConsumer",
                                                      "ListStreamConsumers",
                                                      "StartStreamEncryption",
                                                      "StopStreamEncryption",
                                                      "DescribeLimits",
                                                      "PutResourcePolicy",
                                                      "GetResourcePolicy",
                                                      "DeleteResourcePolicy",
                                                      "UpdateMaxRecordSize",
                                                      "UpdateStreamWarmThroughput",
                                                      "DescribeAccountSettings",
                                                      "UpdateAccountSettings",
                                                      "SubscribeToShard",
                                                      "AcquireLease",
                                                      "RenewLease",
                                                      "SaveCheckpoint",
                                                      "ReleaseLease",
                                                      "ListLeases"};

bool IsExtension(std::size_t index) { return index >= static_cast<std::size_t>(Operation::kAcquireLease); }
}  // namespace

std::optional<Operation> FindOperation(std::string_view target) {
  const bool extension = target.starts_with(kHonryuPrefix);
  if (!extension && !target.starts_with(kKinesisPrefix)) return std::nullopt;
  target.remove_prefix(extension ? kHonryuPrefix.size() : kKinesisPrefix.size());
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    if (kNames[i] == target && IsExtension(i) == extension) return static_cast<Operation>(i);
  }
  return std::nullopt;
}

std::string_view OperationName(Operation operation) { return kNames[static_cast<std::size_t>(operation)]; }

std::string OperationTarget(Operation operation) {
  std::string target(IsExtension(static_cast<std::size_t>(operation)) ? kHonryuPrefix : kKinesisPrefix);
  target.append(OperationName(operation));
  return target;
}

}  // namespace honryu::wire
