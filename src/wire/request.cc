#include "wire/request.h"

#include "honryu/codec/base64.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace honryu::wire {

using codec::Json;

namespace {

constexpr std::string_view kStreamModes[] = {"PROVISIONED", "ON_DEMAND"};
// The order in which Kinesis prints them.
constexpr std::string_view kFilterTypes[] = {"AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON",
                                             "AT_LATEST",      "AT_TIMESTAMP",    "FROM_TIMESTAMP"};

constexpr Field ShardIdField(std::string_view name, bool not_null) {
  return Field{
      .name = name, .not_null = not_null, .pattern = &kNamePattern, .min_length = 1, .max_length = 128};
}
constexpr Field IntegerField(std::string_view name, std::int64_t min, std::optional<std::int64_t> max) {
  return Field{.name = name, .type = FieldType::kInteger, .min_value = min, .max_value = max};
}
constexpr Field NextTokenField() {
  return Field{.name = "NextToken", .min_length = 1, .max_length = 1048576};
}

constexpr Field kPlainString[] = {Field{.name = ""}};
constexpr Field kModeMembers[] = {Field{.name = "StreamMode", .not_null = true, .enumeration = kStreamModes}};
constexpr Field kCreateStream[] = {
    IntegerField("ShardCount", 1, 100000),
    IntegerField("WarmThroughputMiBps", 0, std::nullopt),
    IntegerField("MaxRecordSizeInKiB", 1024, 10240),
    Field{.name = "StreamModeDetails", .type = FieldType::kStructure, .children = kModeMembers},
    Field{.name = "Tags",
          .type = FieldType::kMap,
          .min_length = 1,
          .max_length = 200,
          .children = kPlainString,
          .map_key_max = 128,
          .map_value_max = 256},
    Field{.name = "StreamName",
          .not_null = true,
          .pattern = &kNamePattern,
          .min_length = 1,
          .max_length = 128}};
constexpr Field kDeleteStream[] = {Field{.name = "EnforceConsumerDeletion", .type = FieldType::kBoolean},
                                   kStreamNameField, kStreamArnField};
constexpr Field kDescribeStream[] = {IntegerField("Limit", 1, 10000),
                                     ShardIdField("ExclusiveStartShardId", false), kStreamNameField,
                                     kStreamArnField};
constexpr Field kStreamOnly[] = {kStreamNameField, kStreamArnField};
constexpr Field kListStreams[] = {
    IntegerField("Limit", 1, 10000),
    Field{.name = "ExclusiveStartStreamName", .pattern = &kNamePattern, .min_length = 1, .max_length = 128},
    NextTokenField()};
constexpr Field kFilterMembers[] = {Field{.name = "Type", .not_null = true, .enumeration = kFilterTypes},
                                    ShardIdField("ShardId", false),
                                    Field{.name = "Timestamp", .type = FieldType::kTimestamp}};
constexpr Field kListShards[] = {
    IntegerField("MaxResults", 1, 10000),
    ShardIdField("ExclusiveStartShardId", false),
    NextTokenField(),
    Field{.name = "StreamCreationTimestamp", .type = FieldType::kTimestamp},
    Field{.name = "ShardFilter", .type = FieldType::kStructure, .children = kFilterMembers},
    Field{.name = "StreamName", .pattern = &kNamePattern, .min_length = 1, .max_length = 128},
    kStreamArnField};
constexpr Field kGetShardIterator[] = {
    ShardIdField("ShardId", true),
    Field{.name = "ShardIteratorType", .not_null = true, .enumeration = kIteratorTypes},
    Field{.name = "StartingSequenceNumber", .pattern = &kSequencePattern},
    kStreamNameField,
    kStreamArnField,
    Field{.name = "Timestamp", .type = FieldType::kTimestamp}};
constexpr Field kGetRecords[] = {
    IntegerField("Limit", 1, 10000),
    Field{.name = "ShardIterator", .not_null = true, .min_length = 1, .max_length = 512}, kStreamArnField,
    IntegerField("HonryuWaitMillis", 0, 30000)};
constexpr Field kRetention[] = {
    Field{.name = "RetentionPeriodHours", .type = FieldType::kInteger, .not_null = true, .min_value = 1},
    kStreamNameField, kStreamArnField};

constexpr Field LeaseText(std::string_view name, bool not_null, std::int64_t max) {
  return Field{.name = name, .not_null = not_null, .min_length = not_null ? 1 : 0, .max_length = max};
}
constexpr std::int64_t kMaxLeaseState = 1 << 20;
constexpr Field kLeaseScope[] = {LeaseText("Application", true, 256), LeaseText("StreamName", true, 128)};
constexpr Field kLease[] = {LeaseText("Application", true, 256),
                            LeaseText("StreamName", true, 128),
                            LeaseText("ShardId", true, 128),
                            LeaseText("Owner", true, 256),
                            Field{.name = "Counter", .pattern = &kSequencePattern},
                            IntegerField("DurationMillis", 1, 86400000),
                            Field{.name = "Checkpoint", .pattern = &kSequencePattern},
                            Field{.name = "Finished", .type = FieldType::kBoolean},
                            Field{.name = "State", .type = FieldType::kBlob, .max_length = kMaxLeaseState}};

std::int32_t IntegerOr(const Json& body, std::string_view name, std::int32_t fallback) {
  const Json* value = body.Find(name);
  return value == nullptr ? fallback : ToInteger(*value);
}

template <std::size_t N>
std::size_t IndexIn(const std::string_view (&names)[N], std::string_view text) {
  return static_cast<std::size_t>(std::find(std::begin(names), std::end(names), text) - std::begin(names));
}

}  // namespace

std::optional<Timestamp> TimeMemberOf(const Json& body, std::string_view name) {
  const Json* value = body.Find(name);
  if (value == nullptr) return std::nullopt;
  constexpr double kMaxMs = 9.0e15;  // beyond: no date, and doubles stop being exact
  const double ms = std::round(value->DoubleOr(0) * 1000.0);
  if (std::isnan(ms)) return std::nullopt;  // CheckTypes refuses it; the cast below must not meet it
  return TimestampFromMs(static_cast<std::int64_t>(std::clamp(ms, -kMaxMs, kMaxMs)));
}

std::string TextOf(const Json& body, std::string_view name) {
  const Json* value = body.Find(name);
  return value == nullptr ? std::string() : std::string(value->StringOr(""));
}

std::optional<Fault> CheckAll(const Json& body, std::span<const Field> fields) {
  if (auto fault = CheckTypes(body, fields)) return fault;
  return CheckConstraints(body, fields);
}

StreamSelector SelectorFromArn(std::string_view arn) {
  const std::size_t slash = arn.find(":stream/");
  const std::size_t colon = arn.rfind(':', slash - 1);
  return StreamSelector{std::string(arn.substr(slash + 8)),
                        std::string(arn.substr(colon + 1, slash - colon - 1))};
}

std::optional<Fault> ReadSelector(const Json& body, StreamSelector& out) {
  std::string name = TextOf(body, "StreamName");
  const std::string arn = TextOf(body, "StreamARN");
  if (arn.empty()) {
    out = StreamSelector{std::move(name), {}};
    return std::nullopt;
  }
  out = SelectorFromArn(arn);
  if (!name.empty() && name != out.name) {
    return Invalid("StreamName " + name + " and StreamARN " + arn + " do not name the same stream.");
  }
  return std::nullopt;
}

std::string_view ShardIteratorTypeName(ShardIteratorType type) {
  return kIteratorTypes[static_cast<std::size_t>(type)];
}

std::optional<Fault> ParseRequest(const Json& body, CreateStreamRequest& out, const Limits& limits) {
  // A count may be left out, and is then chosen here; but a request without both that and a name is told what
  // Kinesis has always told it.
  std::array<Field, std::size(kCreateStream)> fields;
  std::ranges::copy(kCreateStream, fields.begin());
  fields[0].not_null = body.Find("StreamName") == nullptr && body.Find("StreamModeDetails") == nullptr;
  if (auto fault = CheckAll(body, fields)) return fault;
  out.name = TextOf(body, "StreamName");
  if (body.Find("ShardCount") != nullptr) out.shard_count = IntegerOr(body, "ShardCount", 0);
  if (const Json* mode = body.Find("StreamModeDetails"))
    out.on_demand = TextOf(*mode, "StreamMode") == "ON_DEMAND";
  if (const Json* tags = body.Find("Tags")) {
    for (const Json::Member& tag : tags->object()) out.tags.emplace_back(tag.first, tag.second.StringOr(""));
  }
  out.warm_mibps = IntegerOr(body, "WarmThroughputMiBps", 0);
  if (body.Find("MaxRecordSizeInKiB") != nullptr) {
    out.max_record_kib = IntegerOr(body, "MaxRecordSizeInKiB", 0);
    const auto limit_kib = static_cast<std::int32_t>(limits.max_record_bytes / 1024);
    if (*out.max_record_kib > limit_kib) {
      return Invalid("MaxRecordSizeInKiB may be at most " + std::to_string(limit_kib) +
                     ", the record size that this server is configured for.");
    }
  }
  return std::nullopt;
}

std::optional<Fault> ParseRequest(const Json& body, DeleteStreamRequest& out) {
  if (auto fault = CheckAll(body, kDeleteStream)) return fault;
  const Json* enforce = body.Find("EnforceConsumerDeletion");
  out.enforce_consumer_deletion = enforce != nullptr && enforce->BoolOr(false);
  return ReadSelector(body, out.stream);
}

std::optional<Fault> ParseRequest(const Json& body, DescribeStreamRequest& out) {
  if (auto fault = CheckAll(body, kDescribeStream)) return fault;
  out.limit = IntegerOr(body, "Limit", 100);
  out.exclusive_start_shard_id = TextOf(body, "ExclusiveStartShardId");
  return ReadSelector(body, out.stream);
}

std::optional<Fault> ParseRequest(const Json& body, DescribeStreamSummaryRequest& out) {
  if (auto fault = CheckAll(body, kStreamOnly)) return fault;
  return ReadSelector(body, out.stream);
}

std::optional<Fault> ParseRequest(const Json& body, ListStreamsRequest& out) {
  if (auto fault = CheckAll(body, kListStreams)) return fault;
  out.limit = IntegerOr(body, "Limit", 100);
  out.exclusive_start = TextOf(body, "ExclusiveStartStreamName");
  out.next_token = TextOf(body, "NextToken");
  return std::nullopt;
}

std::optional<Fault> ParseRequest(const Json& body, ListShardsRequest& out) {
  if (auto fault = CheckAll(body, kListShards)) return fault;
  out.max_results = std::min(IntegerOr(body, "MaxResults", 1000), 1000);
  out.next_token = TextOf(body, "NextToken");
  out.exclusive_start_shard_id = TextOf(body, "ExclusiveStartShardId");
  out.stream_created = TimeMemberOf(body, "StreamCreationTimestamp");
  if (const Json* filter = body.Find("ShardFilter")) {
    out.filter.type = static_cast<ShardFilterType>(IndexIn(kFilterTypes, TextOf(*filter, "Type")));
    out.filter.shard_id = TextOf(*filter, "ShardId");
    out.filter.time = TimeMemberOf(*filter, "Timestamp");
  }
  const bool addressed = body.Find("StreamName") != nullptr || body.Find("StreamARN") != nullptr;
  if (!addressed && out.next_token.empty())
    return Invalid("Either NextToken or StreamName should be provided.");
  if (addressed && !out.next_token.empty())
    return Invalid("NextToken and StreamName cannot be provided together.");
  if (!addressed) return std::nullopt;
  out.stream.emplace();
  return ReadSelector(body, *out.stream);
}

std::optional<Fault> ParseRequest(const Json& body, GetShardIteratorRequest& out) {
  if (auto fault = CheckAll(body, kGetShardIterator)) return fault;
  out.shard_id = TextOf(body, "ShardId");
  const std::string type = TextOf(body, "ShardIteratorType");
  out.type = static_cast<ShardIteratorType>(IndexIn(kIteratorTypes, type));
  out.starting_sequence_number = TextOf(body, "StartingSequenceNumber");
  out.time = TimeMemberOf(body, "Timestamp");
  if (auto fault = ReadSelector(body, out.stream)) return fault;
  const bool by_sequence =
      out.type == ShardIteratorType::kAfterSequenceNumber || out.type == ShardIteratorType::kAtSequenceNumber;
  const bool by_place = out.type == ShardIteratorType::kTrimHorizon || out.type == ShardIteratorType::kLatest;
  const bool given = !out.starting_sequence_number.empty();
  if ((by_sequence && !given) || (by_place && given)) {
    return Invalid(
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
        "(2) "
        "TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified " +
        type + (given ? " and also a StartingSequenceNumber." : " and no StartingSequenceNumber."));
  }
  if (out.type == ShardIteratorType::kAtTimestamp && !out.time) {
    return Invalid(
        "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no "
        "timestamp parameter.");
  }
  return std::nullopt;
}

std::optional<Fault> ParseRequest(const Json& body, GetRecordsRequest& out) {
  if (auto fault = CheckAll(body, kGetRecords)) return fault;
  std::string token = TextOf(body, "ShardIterator");
  if (token.size() >= 2 && token.front() == '"' && token.back() == '"')
    token = token.substr(1, token.size() - 2);
  out.shard_iterator = std::move(token);
  out.limit = IntegerOr(body, "Limit", 10000);
  out.wait = std::chrono::milliseconds(IntegerOr(body, "HonryuWaitMillis", 0));
  if (const std::string arn = TextOf(body, "StreamARN"); !arn.empty()) out.stream = SelectorFromArn(arn);
  return std::nullopt;
}

std::optional<Fault> ParseRequest(const Json& body, RetentionRequest& out) {
  if (auto fault = CheckAll(body, kRetention)) return fault;
  out.hours = IntegerOr(body, "RetentionPeriodHours", 0);
  return ReadSelector(body, out.stream);
}

std::optional<Fault> CheckRetention(std::int32_t hours) {
  const std::string requested = "Requested retention period (" + std::to_string(hours) + " hours) is too ";
  if (hours < 24) return Invalid("Minimum allowed retention period is 24 hours. " + requested + "short.");
  if (hours > 8760) return Invalid("Maximum allowed retention period is 8760 hours. " + requested + "long.");
  return std::nullopt;
}

std::optional<Fault> ParseRequest(const Json& body, LeaseRequest& out, Operation operation) {
  const bool list = operation == Operation::kListLeases;
  if (auto fault =
          CheckAll(body, list ? std::span<const Field>(kLeaseScope) : std::span<const Field>(kLease))) {
    return fault;
  }
  LeaseShape& lease = out.lease;
  lease.application = TextOf(body, "Application");
  lease.stream = TextOf(body, "StreamName");
  if (list) return std::nullopt;
  lease.shard_id = TextOf(body, "ShardId");
  lease.owner = TextOf(body, "Owner");
  if (const std::string counter = TextOf(body, "Counter"); !counter.empty()) {
    const auto read = std::from_chars(counter.data(), counter.data() + counter.size(), lease.counter);
    if (read.ec != std::errc()) return Invalid("Counter must be less than 2^64.");
  }
  const bool timed = operation == Operation::kAcquireLease || operation == Operation::kRenewLease;
  if (timed && body.Find("DurationMillis") == nullptr) return Invalid("DurationMillis should be provided.");
  out.duration = std::chrono::milliseconds(IntegerOr(body, "DurationMillis", 0));
  if (const std::string checkpoint = TextOf(body, "Checkpoint"); !checkpoint.empty()) {
    Result<SequenceNumber> sequence = SequenceNumber::FromDecimal(checkpoint);
    if (!sequence.ok()) return Invalid("Checkpoint must be a sequence number.");
    lease.checkpoint = *sequence;
  }
  const Json* finished = body.Find("Finished");
  lease.finished = finished != nullptr && finished->BoolOr(false);
  const Json* state_blob = body.Find("State");
  if (state_blob != nullptr && state_blob->is_blob()) lease.state.assign(state_blob->BlobOr(""));
  if (const std::string state = TextOf(body, "State"); !state.empty()) {
    Result<std::string> bytes = codec::Base64Decode(state);
    if (!bytes.ok()) return Invalid("State must be base64.");
    lease.state = std::move(*bytes);
  }
  return std::nullopt;
}

}  // namespace honryu::wire
