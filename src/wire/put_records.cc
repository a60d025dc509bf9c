#include "honryu/codec/base64.h"
#include "wire/request.h"

#include <simdjson.h>

#include <cstring>

namespace honryu::wire {

using codec::Json;

namespace {

namespace od = simdjson::ondemand;

constexpr std::size_t kMaxEntries = 500;
constexpr std::size_t kMaxKeyCharacters = 256;

constexpr Field kHashKeyField{.name = "ExplicitHashKey", .pattern = &kHashKeyPattern};
constexpr Field kPartitionKeyField{
    .name = "PartitionKey", .not_null = true, .min_length = 1, .max_length = 256};
constexpr Field DataField(const Limits& limits) {
  return Field{.name = "Data",
               .type = FieldType::kBlob,
               .not_null = true,
               .max_length = static_cast<std::int64_t>(limits.max_record_bytes)};
}

// Copies and decodes what the entries point at into one buffer. Decoded base64 is shorter than its text and a
// key is not longer than its JSON form, so a buffer of the body's size is always enough.
class Arena {
 public:
  explicit Arena(std::size_t capacity)
      : memory_(std::make_unique_for_overwrite<char[]>(capacity)), next_(memory_.get()) {}

  BytesView Copy(std::string_view text) {
    std::memcpy(next_, text.data(), text.size());
    const BytesView view(next_, text.size());
    next_ += text.size();
    return view;
  }
  std::optional<BytesView> Decode(std::string_view base64) {
    const Result<std::size_t> size = codec::Base64Decode(base64, next_);
    if (!size.ok()) return std::nullopt;
    const BytesView view(next_, *size);
    next_ += *size;
    return view;
  }
  std::unique_ptr<char[]> Release() { return std::move(memory_); }

 private:
  std::unique_ptr<char[]> memory_;
  char* next_;
};

// A string value as it stands between its quotes; nullopt for another type or when it holds escapes.
std::optional<std::string_view> RawString(od::value value) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() &&
         (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t')) {
    token.remove_suffix(1);
  }
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return std::nullopt;
  token.remove_prefix(1);
  token.remove_suffix(1);
  if (std::memchr(token.data(), '\\', token.size()) != nullptr) return std::nullopt;
  return token;
}

// The members of one entry; every irregularity (unknown, repeated or null member, wrong type, broken
// constraint) gives false.
bool ReadMember(std::string_view name, od::value value, Arena& arena, const Limits& limits, PutEntry& entry,
                unsigned& seen) {
  const auto first = [&seen](unsigned bit) {
    const bool fresh = (seen & bit) == 0;
    seen |= bit;
    return fresh;
  };
  if (name == "Data") {
    const auto text = RawString(value);
    if (!text || !first(1)) return false;
    const auto data = arena.Decode(*text);
    if (!data || data->size() > limits.max_record_bytes) return false;
    entry.data = *data;
    return true;
  }
  if (name == "PartitionKey") {
    std::string_view key;
    if (value.get_string().get(key) != simdjson::SUCCESS || !first(2)) return false;
    if (key.empty() || (key.size() > kMaxKeyCharacters && CountCharacters(key) > kMaxKeyCharacters))
      return false;
    entry.partition_key = arena.Copy(key);
    return true;
  }
  if (name == "ExplicitHashKey") {
    const auto text = RawString(value);
    if (!text || !first(4) || !kHashKeyPattern.matches(*text)) return false;
    const Result<UInt128> hash = UInt128::FromDecimal(*text);
    if (!hash.ok()) return false;
    entry.explicit_hash_key = *hash;
    return true;
  }
  return false;
}

bool ReadEntry(od::object object, Arena& arena, const Limits& limits, PutEntry& entry) {
  unsigned seen = 0;
  for (auto field : object) {
    std::string_view name;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS) return false;
    od::value value;
    if (field.value().get(value) != simdjson::SUCCESS) return false;
    if (!ReadMember(name, value, arena, limits, entry, seen)) return false;
  }
  return (seen & 3) == 3 && entry.data.size() + entry.partition_key.size() <= limits.max_record_bytes;
}

bool ReadStreamName(od::value value, PutRecordsRequest& out) {
  const auto text = RawString(value);
  if (!text || !out.stream.name.empty() || text->size() > 128 || !kNamePattern.matches(*text)) return false;
  out.stream.name.assign(*text);
  return true;
}

bool ReadStreamArn(od::value value, std::string& arn) {
  const auto text = RawString(value);
  if (!text || !arn.empty() || text->size() > 2048 || !kStreamArnPattern.matches(*text)) return false;
  arn.assign(*text);
  return true;
}

bool FinishSelector(const std::string& arn, StreamSelector& stream) {
  if (arn.empty()) return !stream.name.empty();
  StreamSelector named = SelectorFromArn(arn);
  if (!stream.name.empty() && stream.name != named.name) return false;
  stream = std::move(named);
  return true;
}

bool ReadEntries(od::value value, Arena& arena, const Limits& limits, PutRecordsRequest& out) {
  od::array array;
  if (!out.entries.empty() || value.get_array().get(array) != simdjson::SUCCESS) return false;
  std::uint64_t total = 0;
  out.entries.reserve(kMaxEntries);
  for (auto element : array) {
    od::object object;
    if (out.entries.size() == kMaxEntries || element.get_object().get(object) != simdjson::SUCCESS)
      return false;
    if (!ReadEntry(object, arena, limits, out.entries.emplace_back())) return false;
    total += out.entries.back().data.size() + out.entries.back().partition_key.size();
  }
  return !out.entries.empty() && total <= limits.max_request_bytes;
}

// Calls `member` for each member of the body's object; false unless the body is exactly one valid object.
template <class F>
bool ForEachMember(BytesView body, F member) {
  od::parser parser;
  od::document document;
  const simdjson::padded_string_view padded(body.data(), body.size(),
                                            body.size() + simdjson::SIMDJSON_PADDING);
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS) return false;
  od::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return false;
  for (auto field : object) {
    std::string_view name;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS) return false;
    od::value value;
    if (field.value().get(value) != simdjson::SUCCESS) return false;
    if (!member(name, value)) return false;
  }
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

// What one entry that passed types and constraints needs of the arena, at most.
std::size_t RoomOf(const Json& item) {
  const Json* data = item.Find("Data");
  return data->StringOr("").size() + data->BlobOr("").size() + item.Find("PartitionKey")->StringOr("").size();
}

// Decodes one entry that passed types and constraints.
std::optional<Fault> TakeEntry(const Json& item, Arena& arena, const Limits& limits, PutEntry& entry) {
  const Json* data = item.Find("Data");
  const std::optional<BytesView> decoded =
      data->is_blob() ? arena.Copy(data->BlobOr("")) : arena.Decode(data->StringOr(""));
  if (!decoded) return Fault{FaultName::kSerializationException, ""};  // unreachable: CheckTypes decoded it
  entry.data = *decoded;
  entry.partition_key = arena.Copy(item.Find("PartitionKey")->StringOr(""));
  if (const Json* hash = item.Find("ExplicitHashKey")) {
    const Result<UInt128> value = UInt128::FromDecimal(hash->StringOr(""));
    if (!value.ok()) {
      return Invalid(
          "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value "
          "was " +
          std::string(hash->StringOr("")));
    }
    entry.explicit_hash_key = *value;
  }
  const std::size_t size = entry.data.size() + entry.partition_key.size();
  if (size > limits.max_record_bytes) return RecordTooLarge(size, limits.max_record_bytes);
  return std::nullopt;
}

}  // namespace

Fault RecordTooLarge(std::size_t size, std::uint64_t limit) {
  return Invalid("Record size of " + std::to_string(size) +
                 " bytes (data and partition key) exceeds the limit of " + std::to_string(limit) + " bytes.");
}

bool ParsePutRecordsFast(BytesView body, PutRecordsRequest& out, const Limits& limits) {
  Arena arena(body.size());
  std::string arn;
  const bool regular = ForEachMember(body, [&](std::string_view name, od::value value) {
    if (name == "Records") return ReadEntries(value, arena, limits, out);
    if (name == "StreamName") return ReadStreamName(value, out);
    return name == "StreamARN" && ReadStreamArn(value, arn);
  });
  if (!regular || out.entries.empty() || !FinishSelector(arn, out.stream)) return false;
  out.arena = arena.Release();
  return true;
}

bool ParsePutRecordFast(BytesView body, PutRecordsRequest& out, const Limits& limits) {
  Arena arena(body.size());
  std::string arn;
  unsigned seen = 0;
  PutEntry& entry = out.entries.emplace_back();
  const bool regular = ForEachMember(body, [&](std::string_view name, od::value value) {
    if (name == "StreamName") return ReadStreamName(value, out);
    if (name == "StreamARN") return ReadStreamArn(value, arn);
    return ReadMember(name, value, arena, limits, entry, seen);
  });
  if (!regular || (seen & 3) != 3 || !FinishSelector(arn, out.stream)) return false;
  if (entry.data.size() + entry.partition_key.size() > limits.max_record_bytes) return false;
  out.arena = arena.Release();
  return true;
}

std::optional<Fault> ParsePutRecords(const Json& body, PutRecordsRequest& out, const Limits& limits) {
  const Field members[] = {DataField(limits), kHashKeyField, kPartitionKeyField};
  const Field item[] = {
      Field{.name = "",
            .type = FieldType::kStructure,
            .children = members,
            .item_text = "com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@c965e310"}};
  const Field fields[] = {Field{.name = "Records",
                                .type = FieldType::kList,
                                .not_null = true,
                                .min_length = 1,
                                .max_length = kMaxEntries,
                                .children = item},
                          kStreamNameField, kStreamArnField};
  if (auto fault = CheckAll(body, fields)) return fault;
  if (auto fault = ReadSelector(body, out.stream)) return fault;
  const Json::Array& records = body.Find("Records")->array();
  std::size_t room = 0;
  for (const Json& record : records) {
    if (record.is_null()) return Invalid("Records must not contain null.");
    room += RoomOf(record);
  }
  Arena arena(room);
  std::uint64_t total = 0;
  out.entries.reserve(records.size());
  for (const Json& record : records) {
    PutEntry& entry = out.entries.emplace_back();
    if (auto fault = TakeEntry(record, arena, limits, entry)) return fault;
    total += entry.data.size() + entry.partition_key.size();
  }
  if (total > limits.max_request_bytes) {
    return Invalid("Records size exceeds " + std::to_string(limits.max_request_bytes >> 20) + " MB limit");
  }
  out.arena = arena.Release();
  return std::nullopt;
}

std::optional<Fault> ParsePutRecord(const Json& body, PutRecordsRequest& out, const Limits& limits) {
  const Field fields[] = {Field{.name = "SequenceNumberForOrdering", .pattern = &kSequencePattern},
                          kPartitionKeyField,
                          kHashKeyField,
                          DataField(limits),
                          kStreamNameField,
                          kStreamArnField};
  if (auto fault = CheckAll(body, fields)) return fault;
  if (auto fault = ReadSelector(body, out.stream)) return fault;
  Arena arena(RoomOf(body));
  if (auto fault = TakeEntry(body, arena, limits, out.entries.emplace_back())) return fault;
  if (const std::string ordering = TextOf(body, "SequenceNumberForOrdering"); !ordering.empty()) {
    const Result<SequenceNumber> sequence = SequenceNumber::FromDecimal(ordering);
    // What is too large a number is judged, and worded, where the account is known.
    out.sequence_for_ordering = sequence.ok() ? *sequence : SequenceNumber{{~0ULL, ~0ULL, ~0ULL}};
    out.sequence_for_ordering_text = ordering;
  }
  out.arena = arena.Release();
  return std::nullopt;
}

}  // namespace honryu::wire
