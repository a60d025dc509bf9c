#include "honryu/codec/base64.h"
#include "honryu/wire/manage.h"

#include <charconv>
#include <iterator>

namespace honryu::wire {

using codec::JsonWriter;

namespace {

void Member(JsonWriter& json, std::string_view key, std::string_view text) {
  json.Key(key);
  json.String(text);
}

void SequenceMember(JsonWriter& json, std::string_view key, const SequenceNumber& sequence) {
  json.Key(key);
  json.PlainString(sequence.ToDecimal());
}

void TimeMember(JsonWriter& json, std::string_view key, Timestamp time) {
  std::string text;
  AppendSeconds(time, text);
  json.Key(key);
  json.Raw(text);
}

void HashRange(JsonWriter& json, const UInt128& start, const UInt128& end) {
  json.Key("HashKeyRange");
  json.BeginObject();
  json.Key("StartingHashKey");
  json.PlainString(start.ToDecimal());
  json.Key("EndingHashKey");
  json.PlainString(end.ToDecimal());
  json.EndObject();
}

void Shards(JsonWriter& json, const std::vector<ShardShape>& shards) {
  json.Key("Shards");
  json.BeginArray();
  for (const ShardShape& shard : shards) {
    json.BeginObject();
    Member(json, "ShardId", shard.shard_id);
    if (!shard.parent_id.empty()) Member(json, "ParentShardId", shard.parent_id);
    if (!shard.adjacent_parent_id.empty()) Member(json, "AdjacentParentShardId", shard.adjacent_parent_id);
    HashRange(json, shard.hash_start, shard.hash_end);
    json.Key("SequenceNumberRange");
    json.BeginObject();
    SequenceMember(json, "StartingSequenceNumber", shard.starting);
    if (shard.ending) SequenceMember(json, "EndingSequenceNumber", *shard.ending);
    json.EndObject();
    json.EndObject();
  }
  json.EndArray();
}

void StreamMembers(JsonWriter& json, const StreamShape& stream) {
  Member(json, "StreamName", stream.name);
  Member(json, "StreamARN", stream.arn);
  Member(json, "StreamStatus", stream.status);
  json.Key("StreamModeDetails");
  json.BeginObject();
  json.Key("StreamMode");
  json.PlainString(stream.on_demand ? "ON_DEMAND" : "PROVISIONED");
  json.EndObject();
  TimeMember(json, "StreamCreationTimestamp", stream.created);
}

void MetricNames(JsonWriter& json, std::string_view key, std::uint32_t bits) {
  json.Key(key);
  json.BeginArray();
  for (std::size_t i = 0; i < std::size(kShardMetrics); ++i) {
    if ((bits >> i & 1) != 0) json.String(kShardMetrics[i]);
  }
  json.EndArray();
}

void WarmThroughput(JsonWriter& json, std::uint32_t mibps) {
  json.BeginObject();
  json.Key("TargetMiBps");
  json.Uint(mibps);
  json.Key("CurrentMiBps");
  json.Uint(mibps);
  json.EndObject();
}

void DescriptionMembers(JsonWriter& json, const StreamShape& stream) {
  StreamMembers(json, stream);
  json.Key("RetentionPeriodHours");
  json.Int(stream.retention_hours);
  json.Key("EnhancedMonitoring");
  json.BeginArray();
  json.BeginObject();
  MetricNames(json, "ShardLevelMetrics", stream.monitored);
  json.EndObject();
  json.EndArray();
  json.Key("EncryptionType");
  json.PlainString(stream.encryption_key.empty() ? "NONE" : "KMS");
  if (!stream.encryption_key.empty()) Member(json, "KeyId", stream.encryption_key);
}

void PutResult(std::string& out, const PutResultShape& result) {
  if (result.error) {
    out.append(R"({"ErrorCode":")").append(TraitsOf(*result.error).name).append(R"(","ErrorMessage":)");
    codec::AppendJsonString(result.message, out);
    out.push_back('}');
    return;
  }
  out.append(R"({"SequenceNumber":")");
  result.sequence.AppendDecimal(out);
  out.append(R"(","ShardId":")");
  AppendShardId(result.shard, out);
  out.append(result.sealed ? R"(","EncryptionType":"KMS"})" : R"("})");
}

}  // namespace

void AppendShardId(std::uint32_t index, std::string& out) {
  char digits[12] = {'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'};
  for (std::size_t at = sizeof digits; index > 0; index /= 10)
    digits[--at] = static_cast<char>('0' + index % 10);
  out.append("shardId-").append(digits, sizeof digits);
}

std::string ShardIdOf(std::uint32_t index) {
  std::string text;
  AppendShardId(index, text);
  return text;
}

void AppendSeconds(Timestamp time, std::string& out) {
  std::int64_t ms = ToMs(time);
  if (ms < 0) {
    out.push_back('-');
    ms = -ms;
  }
  out.append(std::to_string(ms / 1000));
  std::int64_t fraction = ms % 1000;
  if (fraction == 0) return;
  char digits[4] = {'.', static_cast<char>('0' + fraction / 100), static_cast<char>('0' + fraction / 10 % 10),
                    static_cast<char>('0' + fraction % 10)};
  std::size_t size = 4;
  while (digits[size - 1] == '0') --size;
  out.append(digits, size);
}

std::string DescribeStreamBody(const StreamShape& stream, const std::vector<ShardShape>& shards,
                               bool has_more) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("StreamDescription");
  json.BeginObject();
  DescriptionMembers(json, stream);
  Shards(json, shards);
  json.Key("HasMoreShards");
  json.Bool(has_more);
  json.EndObject();
  json.EndObject();
  return body;
}

std::string DescribeStreamSummaryBody(const StreamShape& stream, std::size_t open_shards) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("StreamDescriptionSummary");
  json.BeginObject();
  DescriptionMembers(json, stream);
  json.Key("OpenShardCount");
  json.Uint(open_shards);
  json.Key("ConsumerCount");
  json.Uint(stream.consumers);
  json.Key("MaxRecordSizeInKiB");
  json.Uint(stream.max_record_bytes / 1024);
  if (stream.on_demand && stream.warm_mibps > 0) {
    json.Key("WarmThroughput");
    WarmThroughput(json, stream.warm_mibps);
  }
  json.EndObject();
  json.EndObject();
  return body;
}

std::string ListStreamsBody(const std::vector<StreamShape>& streams, std::string_view next_token) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("StreamNames");
  json.BeginArray();
  for (const StreamShape& stream : streams) json.String(stream.name);
  json.EndArray();
  json.Key("HasMoreStreams");
  json.Bool(!next_token.empty());
  if (!next_token.empty()) Member(json, "NextToken", next_token);
  json.Key("StreamSummaries");
  json.BeginArray();
  for (const StreamShape& stream : streams) {
    json.BeginObject();
    StreamMembers(json, stream);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return body;
}

std::string ListShardsBody(const std::vector<ShardShape>& shards, std::string_view next_token) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Shards(json, shards);
  if (!next_token.empty()) Member(json, "NextToken", next_token);
  json.EndObject();
  return body;
}

std::string PutRecordBody(const PutResultShape& result) {
  std::string body;
  PutResult(body, result);
  return body;
}

std::string PutRecordsBody(const std::vector<PutResultShape>& results, bool sealed) {
  std::size_t failed = 0;
  for (const PutResultShape& result : results) failed += result.error.has_value() ? 1 : 0;
  std::string body;
  body.reserve(64 + results.size() * 128);
  // Fluent Bit looks for the exact bytes "FailedRecordCount":0 near the front.
  body.append(R"({"FailedRecordCount":)").append(std::to_string(failed)).append(R"(,"Records":[)");
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i > 0) body.push_back(',');
    PutResult(body, results[i]);
  }
  body.append(sealed ? R"(],"EncryptionType":"KMS"})" : "]}");
  return body;
}

std::string GetShardIteratorBody(std::string_view iterator) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Member(json, "ShardIterator", iterator);
  json.EndObject();
  return body;
}

namespace {

std::size_t SizeOf(const GetRecordsAnswer& answer) {
  std::size_t size = 512 + answer.children.size() * 256;
  for (const RecordShape& record : answer.records) {
    size += record.data.size() / 3 * 4 + record.partition_key.size() + 192;
  }
  return size;
}

// The members that an answer of GetRecords and an event of a subscription have in common.
void AppendRecords(const GetRecordsAnswer& answer, std::string& body) {
  body.append(R"({"Records":[)");
  bool first = true;
  for (const RecordShape& record : answer.records) {
    body.append(first ? R"({"SequenceNumber":")" : R"(,{"SequenceNumber":")");
    first = false;
    record.sequence.AppendDecimal(body);
    body.append(R"(","ApproximateArrivalTimestamp":)");
    AppendSeconds(record.arrival, body);
    body.append(R"(,"Data":")");
    codec::AppendBase64(record.data, body);
    body.append(R"(","PartitionKey":)");
    codec::AppendJsonString(record.partition_key, body);
    body.append(record.sealed ? R"(,"EncryptionType":"KMS"})" : "}");
  }
  body.append(R"(],"MillisBehindLatest":)").append(std::to_string(answer.behind_ms));
  if (!answer.children.empty()) {
    std::string children;
    JsonWriter json(children);
    json.BeginArray();
    for (const ChildShardShape& child : answer.children) {
      json.BeginObject();
      Member(json, "ShardId", child.shard_id);
      json.Key("ParentShards");
      json.BeginArray();
      for (const std::string& parent : child.parents) json.String(parent);
      json.EndArray();
      HashRange(json, child.hash_start, child.hash_end);
      json.EndObject();
    }
    json.EndArray();
    body.append(R"(,"ChildShards":)").append(children);
  }
}

}  // namespace

std::string GetRecordsBody(const GetRecordsAnswer& answer) {
  std::string body;
  body.reserve(SizeOf(answer));
  AppendRecords(answer, body);
  if (!answer.next_iterator.empty()) {
    body.append(R"(,"NextShardIterator":)");
    codec::AppendJsonString(answer.next_iterator, body);
  }
  body.push_back('}');
  return body;
}

std::string SubscriptionEventBody(const GetRecordsAnswer& answer,
                                  const std::optional<SequenceNumber>& continuation) {
  std::string body;
  body.reserve(SizeOf(answer));
  AppendRecords(answer, body);
  if (continuation) {
    body.append(R"(,"ContinuationSequenceNumber":")");
    continuation->AppendDecimal(body);
    body.push_back('"');
  }
  body.push_back('}');
  return body;
}

void WriteLease(JsonWriter& json, const LeaseShape& lease) {
  json.BeginObject();
  Member(json, "Application", lease.application);
  Member(json, "StreamName", lease.stream);
  Member(json, "ShardId", lease.shard_id);
  Member(json, "Owner", lease.owner);
  Member(json, "Counter", std::to_string(lease.counter));
  TimeMember(json, "Expires", lease.expires);
  if (lease.checkpoint) SequenceMember(json, "Checkpoint", *lease.checkpoint);
  json.Key("Finished");
  json.Bool(lease.finished);
  json.Key("State");
  json.PlainString(codec::Base64Encode(lease.state));
  json.EndObject();
}

std::string LeaseBody(const LeaseShape& lease) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("Lease");
  WriteLease(json, lease);
  json.EndObject();
  return body;
}

std::string LeasesBody(const std::vector<LeaseShape>& leases) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("Leases");
  json.BeginArray();
  for (const LeaseShape& lease : leases) WriteLease(json, lease);
  json.EndArray();
  json.EndObject();
  return body;
}

std::string TagsBody(const std::vector<std::pair<std::string, std::string>>& tags,
                     std::optional<bool> has_more) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("Tags");
  json.BeginArray();
  for (const auto& [key, value] : tags) {
    json.BeginObject();
    Member(json, "Key", key);
    Member(json, "Value", value);
    json.EndObject();
  }
  json.EndArray();
  if (has_more) {
    json.Key("HasMoreTags");
    json.Bool(*has_more);
  }
  json.EndObject();
  return body;
}

std::string MonitoringBody(const StreamShape& stream, std::uint32_t before, std::uint32_t after) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Member(json, "StreamName", stream.name);
  Member(json, "StreamARN", stream.arn);
  MetricNames(json, "CurrentShardLevelMetrics", before);
  MetricNames(json, "DesiredShardLevelMetrics", after);
  json.EndObject();
  return body;
}

std::string ShardCountBody(const StreamShape& stream, std::size_t current, std::int32_t target) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Member(json, "StreamName", stream.name);
  json.Key("CurrentShardCount");
  json.Uint(current);
  json.Key("TargetShardCount");
  json.Int(target);
  Member(json, "StreamARN", stream.arn);
  json.EndObject();
  return body;
}

namespace {

void ConsumerMembers(JsonWriter& json, const ConsumerShape& consumer, std::string_view status) {
  Member(json, "ConsumerName", consumer.name);
  Member(json, "ConsumerARN", consumer.arn);
  Member(json, "ConsumerStatus", status);
  TimeMember(json, "ConsumerCreationTimestamp", consumer.created);
}

}  // namespace

std::string RegisteredConsumerBody(const ConsumerShape& consumer) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("Consumer");
  json.BeginObject();
  ConsumerMembers(json, consumer, "CREATING");
  json.EndObject();
  json.EndObject();
  return body;
}

std::string DescribedConsumerBody(const ConsumerShape& consumer, std::string_view stream_arn) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("ConsumerDescription");
  json.BeginObject();
  ConsumerMembers(json, consumer, "ACTIVE");
  Member(json, "StreamARN", stream_arn);
  json.EndObject();
  json.EndObject();
  return body;
}

std::string ConsumersBody(const std::vector<ConsumerShape>& consumers, std::string_view next_token) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("Consumers");
  json.BeginArray();
  for (const ConsumerShape& consumer : consumers) {
    json.BeginObject();
    ConsumerMembers(json, consumer, "ACTIVE");
    json.EndObject();
  }
  json.EndArray();
  if (!next_token.empty()) Member(json, "NextToken", next_token);
  json.EndObject();
  return body;
}

std::string LimitsBody(std::size_t shard_limit, std::size_t open_shards, std::size_t on_demand,
                       std::size_t on_demand_limit) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("ShardLimit");
  json.Uint(shard_limit);
  json.Key("OpenShardCount");
  json.Uint(open_shards);
  json.Key("OnDemandStreamCount");
  json.Uint(on_demand);
  json.Key("OnDemandStreamCountLimit");
  json.Uint(on_demand_limit);
  json.EndObject();
  return body;
}

std::string PolicyBody(std::string_view policy) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Member(json, "Policy", policy.empty() ? "{}" : policy);
  json.EndObject();
  return body;
}

std::string WarmThroughputBody(const StreamShape& stream, std::int32_t mibps) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  Member(json, "StreamARN", stream.arn);
  Member(json, "StreamName", stream.name);
  json.Key("WarmThroughput");
  WarmThroughput(json, static_cast<std::uint32_t>(mibps));
  json.EndObject();
  return body;
}

std::string AccountSettingsBody(bool commitment) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("MinimumThroughputBillingCommitment");
  json.BeginObject();
  Member(json, "Status", commitment ? "ENABLED" : "DISABLED");
  json.EndObject();
  json.EndObject();
  return body;
}

}  // namespace honryu::wire
