#include "honryu/wire/manage.h"

#include "wire/request.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace honryu::wire {

using codec::Json;

namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool MatchesConsumerArn(std::string_view text) {
  const std::optional<ResourceSelector> resource = ParseResourceArn(text);
  return resource && !resource->consumer.empty();
}
bool MatchesResourceArn(std::string_view text) { return ParseResourceArn(text).has_value(); }

const Pattern kConsumerArnPattern{
    R"(^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+)",
    MatchesConsumerArn};
const Pattern kResourceArnPattern{R"(arn:aws.*:kinesis:.*:\d{12}:.*stream/\S+)", MatchesResourceArn};

constexpr std::string_view kModes[] = {"PROVISIONED", "ON_DEMAND"};
constexpr std::string_view kScalings[] = {"UNIFORM_SCALING"};
constexpr std::string_view kEncryptions[] = {"NONE", "KMS"};
constexpr std::string_view kCommitments[] = {"ENABLED", "DISABLED"};
constexpr std::string_view kMetricNames[] = {"IncomingBytes",
                                             "IncomingRecords",
                                             "OutgoingBytes",
                                             "OutgoingRecords",
                                             "WriteProvisionedThroughputExceeded",
                                             "ReadProvisionedThroughputExceeded",
                                             "IteratorAgeMilliseconds",
                                             "ALL"};

constexpr Field Name(std::string_view name, bool not_null, std::string_view unless = {}) {
  return Field{.name = name,
               .not_null = not_null,
               .unless = unless,
               .pattern = &kNamePattern,
               .min_length = 1,
               .max_length = 128};
}
constexpr Field Integer(std::string_view name, bool not_null, std::int64_t min,
                        std::optional<std::int64_t> max) {
  return Field{
      .name = name, .type = FieldType::kInteger, .not_null = not_null, .min_value = min, .max_value = max};
}
constexpr Field Arn(std::string_view name, const Pattern* pattern, bool not_null) {
  return Field{.name = name, .not_null = not_null, .pattern = pattern, .min_length = 1, .max_length = 2048};
}

constexpr Field kText[] = {Field{.name = ""}};
constexpr Field kMetricItem[] = {Field{.name = "", .enumeration = kMetricNames}};
constexpr Field kModeMembers[] = {Field{.name = "StreamMode", .not_null = true, .enumeration = kModes}};
constexpr Field kCommitmentMembers[] = {
    Field{.name = "Status", .not_null = true, .enumeration = kCommitments}};

constexpr Field Tags(std::int64_t max) {
  return Field{.name = "Tags",
               .type = FieldType::kMap,
               .not_null = true,
               .min_length = 1,
               .max_length = max,
               .children = kText,
               .map_key_max = 128,
               .map_value_max = 256};
}
constexpr Field TagKeys(std::int64_t max) {
  return Field{.name = "TagKeys",
               .type = FieldType::kList,
               .not_null = true,
               .min_length = 1,
               .max_length = max,
               .children = kText,
               .item_max = 128};
}
constexpr Field kMode{
    .name = "StreamModeDetails", .type = FieldType::kStructure, .not_null = true, .children = kModeMembers};
constexpr Field kKeyId{.name = "KeyId", .not_null = true, .min_length = 1, .max_length = 2048};

// Members stand in the order in which Kinesis reports their faults, as far as it is known.
constexpr Field kSplit[] = {
    Field{.name = "NewStartingHashKey", .not_null = true, .pattern = &kHashKeyPattern}, kStreamNameField,
    Name("ShardToSplit", true), kStreamArnField};
constexpr Field kMerge[] = {Name("ShardToMerge", true), Name("AdjacentShardToMerge", true), kStreamNameField,
                            kStreamArnField};
constexpr Field kCount[] = {Field{.name = "ScalingType", .not_null = true, .enumeration = kScalings},
                            kStreamNameField, Integer("TargetShardCount", true, 1, 100000), kStreamArnField};
const Field kStreamMode[] = {Arn("StreamARN", &kStreamArnPattern, true), kMode,
                             Integer("WarmThroughputMiBps", false, 0, std::nullopt)};
constexpr Field kAddTags[] = {Tags(200), kStreamNameField, kStreamArnField};
constexpr Field kListTags[] = {Integer("Limit", false, 1, 50),
                               Field{.name = "ExclusiveStartTagKey", .min_length = 1, .max_length = 128},
                               kStreamNameField, kStreamArnField};
constexpr Field kRemoveTags[] = {TagKeys(50), kStreamNameField, kStreamArnField};
const Field kTagResource[] = {Tags(200), Arn("ResourceARN", &kResourceArnPattern, true)};
const Field kUntagResource[] = {TagKeys(50), Arn("ResourceARN", &kResourceArnPattern, true)};
const Field kResourceOnly[] = {Arn("ResourceARN", &kResourceArnPattern, true)};
const Field kPutPolicy[] = {Field{.name = "Policy", .not_null = true},
                            Arn("ResourceARN", &kResourceArnPattern, true)};
constexpr Field kMonitoring[] = {Field{.name = "ShardLevelMetrics",
                                       .type = FieldType::kList,
                                       .not_null = true,
                                       .min_length = 1,
                                       .max_length = 7,
                                       .children = kMetricItem},
                                 kStreamNameField, kStreamArnField};
const Field kRegister[] = {Name("ConsumerName", true), Arn("StreamARN", &kStreamArnPattern, true),
                           Field{.name = "Tags",
                                 .type = FieldType::kMap,
                                 .min_length = 1,
                                 .max_length = 50,
                                 .children = kText,
                                 .map_key_max = 128,
                                 .map_value_max = 256}};
const Field kConsumer[] = {Arn("ConsumerARN", &kConsumerArnPattern, false), Name("ConsumerName", false),
                           Arn("StreamARN", &kStreamArnPattern, false)};
const Field kConsumers[] = {Integer("MaxResults", false, 1, 10000),
                            Field{.name = "NextToken", .min_length = 1, .max_length = 1048576},
                            Arn("StreamARN", &kStreamArnPattern, true),
                            Field{.name = "StreamCreationTimestamp", .type = FieldType::kTimestamp}};
constexpr Field kEncryption[] = {
    Field{.name = "EncryptionType", .not_null = true, .enumeration = kEncryptions}, kKeyId, kStreamNameField,
    kStreamArnField};
constexpr Field kRecordSize[] = {Integer("MaxRecordSizeInKiB", true, 1024, 10240), kStreamNameField,
                                 kStreamArnField};
constexpr Field kWarm[] = {Integer("WarmThroughputMiBps", true, 0, std::nullopt), kStreamNameField,
                           kStreamArnField};
constexpr Field kAccount[] = {Field{.name = "MinimumThroughputBillingCommitment",
                                    .type = FieldType::kStructure,
                                    .not_null = true,
                                    .children = kCommitmentMembers}};

constexpr Field kPositionMembers[] = {Field{.name = "Type", .not_null = true, .enumeration = kIteratorTypes},
                                      Field{.name = "SequenceNumber", .pattern = &kSequencePattern},
                                      Field{.name = "Timestamp", .type = FieldType::kTimestamp}};
const Field kSubscribe[] = {Arn("ConsumerARN", &kConsumerArnPattern, true), Name("ShardId", true),
                            Field{.name = "StartingPosition",
                                  .type = FieldType::kStructure,
                                  .not_null = true,
                                  .children = kPositionMembers}};

std::span<const Field> FieldsOf(Operation operation) {
  switch (operation) {
    case Operation::kSplitShard:
      return kSplit;
    case Operation::kMergeShards:
      return kMerge;
    case Operation::kUpdateShardCount:
      return kCount;
    case Operation::kUpdateStreamMode:
      return kStreamMode;
    case Operation::kAddTagsToStream:
      return kAddTags;
    case Operation::kListTagsForStream:
      return kListTags;
    case Operation::kRemoveTagsFromStream:
      return kRemoveTags;
    case Operation::kTagResource:
      return kTagResource;
    case Operation::kUntagResource:
      return kUntagResource;
    case Operation::kListTagsForResource:
    case Operation::kGetResourcePolicy:
    case Operation::kDeleteResourcePolicy:
      return kResourceOnly;
    case Operation::kPutResourcePolicy:
      return kPutPolicy;
    case Operation::kEnableEnhancedMonitoring:
    case Operation::kDisableEnhancedMonitoring:
      return kMonitoring;
    case Operation::kRegisterStreamConsumer:
      return kRegister;
    case Operation::kDeregisterStreamConsumer:
    case Operation::kDescribeStreamConsumer:
      return kConsumer;
    case Operation::kListStreamConsumers:
      return kConsumers;
    case Operation::kStartStreamEncryption:
    case Operation::kStopStreamEncryption:
      return kEncryption;
    case Operation::kUpdateMaxRecordSize:
      return kRecordSize;
    case Operation::kUpdateStreamWarmThroughput:
      return kWarm;
    case Operation::kUpdateAccountSettings:
      return kAccount;
    default:
      return {};
  }
}

std::optional<Fault> ReadResource(const Json& body, ManageRequest& out) {
  for (const std::string_view name : {"ConsumerARN", "ResourceARN"}) {
    if (const std::string arn = TextOf(body, name); !arn.empty()) {
      const std::optional<ResourceSelector> resource = ParseResourceArn(arn);
      if (!resource) return Invalid(std::string(name) + " " + arn + " is not valid.");
      out.resource = *resource;
      return std::nullopt;
    }
  }
  if (body.Find("ResourceARN") == nullptr && body.Find("ConsumerName") != nullptr)
    out.resource.consumer = TextOf(body, "ConsumerName");
  if (body.Find("StreamName") == nullptr && body.Find("StreamARN") == nullptr) return std::nullopt;
  return ReadSelector(body, out.resource.stream);
}

std::uint32_t MetricsOf(const Json& names) {
  std::uint32_t bits = 0;
  for (const Json& item : names.array()) {
    const auto at = std::find(std::begin(kMetricNames), std::end(kMetricNames), item.StringOr("")) -
                    std::begin(kMetricNames);
    constexpr auto kAll = static_cast<std::ptrdiff_t>(std::size(kShardMetrics));
    bits |= at == kAll ? (1U << kAll) - 1 : 1U << at;
  }
  return bits;
}

std::int32_t IntegerOf(const Json& body, std::string_view name) {
  const Json* value = body.Find(name);
  return value == nullptr ? 0 : ToInteger(*value);
}

}  // namespace

std::optional<ResourceSelector> ParseResourceArn(std::string_view arn) {
  if (!arn.starts_with("arn:aws") || std::any_of(arn.begin(), arn.end(), IsSpace)) return std::nullopt;
  std::string_view parts[5];
  std::string_view rest = arn;
  for (std::string_view& part : parts) {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    part = rest.substr(0, colon);
    rest.remove_prefix(colon + 1);
  }
  const bool account_is_number =
      parts[4].size() == 12 &&
      std::all_of(parts[4].begin(), parts[4].end(), [](char c) { return c >= '0' && c <= '9'; });
  if (parts[2] != "kinesis" || !account_is_number || !rest.starts_with("stream/")) return std::nullopt;
  rest.remove_prefix(7);
  ResourceSelector resource;
  resource.stream.account = parts[4];
  const std::size_t slash = rest.find('/');
  resource.stream.name = rest.substr(0, slash);
  if (resource.stream.name.empty()) return std::nullopt;
  if (slash == std::string_view::npos) return resource;
  rest.remove_prefix(slash + 1);
  const std::size_t colon = rest.rfind(':');
  if (!rest.starts_with("consumer/") || colon == std::string_view::npos || colon <= 9) return std::nullopt;
  std::int64_t seconds = 0;
  const char* end = rest.data() + rest.size();
  const auto read = std::from_chars(rest.data() + colon + 1, end, seconds);
  if (read.ec != std::errc() || read.ptr != end || seconds < 0 || seconds > 1'000'000'000'000)
    return std::nullopt;
  resource.consumer = rest.substr(9, colon - 9);
  resource.created = TimestampFromMs(seconds * 1000);
  return resource;
}

std::optional<Fault> ParseManageRequest(const Json& body, Operation operation, ManageRequest& out) {
  if (auto fault = CheckAll(body, FieldsOf(operation))) return fault;
  if (auto fault = ReadResource(body, out)) return fault;
  out.shard_id = TextOf(body, operation == Operation::kSplitShard ? "ShardToSplit" : "ShardToMerge");
  out.adjacent_shard_id = TextOf(body, "AdjacentShardToMerge");
  out.hash_key = TextOf(body, "NewStartingHashKey");
  out.target_count = IntegerOf(body, "TargetShardCount");
  if (const Json* mode = body.Find("StreamModeDetails"))
    out.on_demand = TextOf(*mode, "StreamMode") == "ON_DEMAND";
  if (body.Find("WarmThroughputMiBps") != nullptr) out.warm_mibps = IntegerOf(body, "WarmThroughputMiBps");
  out.max_record_kib = IntegerOf(body, "MaxRecordSizeInKiB");
  if (const Json* tags = body.Find("Tags")) {
    for (const Json::Member& tag : tags->object()) out.tags.emplace_back(tag.first, tag.second.StringOr(""));
  }
  if (const Json* keys = body.Find("TagKeys")) {
    for (const Json& key : keys->array()) out.tag_keys.emplace_back(key.StringOr(""));
  }
  out.exclusive_start_tag_key = TextOf(body, "ExclusiveStartTagKey");
  out.limit = IntegerOf(body, operation == Operation::kListStreamConsumers ? "MaxResults" : "Limit");
  if (const Json* metrics = body.Find("ShardLevelMetrics")) out.metrics = MetricsOf(*metrics);
  out.next_token = TextOf(body, "NextToken");
  out.stream_created = TimeMemberOf(body, "StreamCreationTimestamp");
  out.policy = TextOf(body, "Policy");
  out.key_id = TextOf(body, "KeyId");
  if (const Json* commitment = body.Find("MinimumThroughputBillingCommitment"))
    out.commitment = TextOf(*commitment, "Status") == "ENABLED";
  const bool about_consumer =
      operation == Operation::kDeregisterStreamConsumer || operation == Operation::kDescribeStreamConsumer;
  if (about_consumer && (out.resource.consumer.empty() || out.resource.stream.name.empty()))
    return Invalid("Either ConsumerARN or both StreamARN and ConsumerName should be provided.");
  return std::nullopt;
}

std::optional<Fault> ParseSubscribeRequest(const Json& body, SubscribeRequest& out) {
  if (auto fault = CheckAll(body, kSubscribe)) return fault;
  out.consumer = *ParseResourceArn(TextOf(body, "ConsumerARN"));
  const Json& position = *body.Find("StartingPosition");
  out.start.stream = out.consumer.stream;
  out.start.shard_id = TextOf(body, "ShardId");
  const std::string type = TextOf(position, "Type");
  out.start.type = static_cast<ShardIteratorType>(
      std::find(std::begin(kIteratorTypes), std::end(kIteratorTypes), type) - std::begin(kIteratorTypes));
  out.start.starting_sequence_number = TextOf(position, "SequenceNumber");
  out.start.time = TimeMemberOf(position, "Timestamp");
  const bool by_sequence = out.start.type == ShardIteratorType::kAfterSequenceNumber ||
                           out.start.type == ShardIteratorType::kAtSequenceNumber;
  if (by_sequence && out.start.starting_sequence_number.empty())
    return Invalid("StartingPosition.SequenceNumber is required when StartingPosition.Type is " + type + ".");
  if (!by_sequence) out.start.starting_sequence_number.clear();
  if (out.start.type == ShardIteratorType::kAtTimestamp && !out.start.time)
    return Invalid("StartingPosition.Timestamp is required when StartingPosition.Type is AT_TIMESTAMP.");
  return std::nullopt;
}

}  // namespace honryu::wire
