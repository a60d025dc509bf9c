#include "honryu/wire/reader.h"

#include "honryu/codec/base64.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace honryu::wire {

using codec::Json;

namespace {

namespace od = simdjson::ondemand;

Error NotAnAnswer(std::string_view what) {
  return Error(ErrorCode::kInvalidArgument, "unreadable answer: " + std::string(what));
}

Timestamp FromSeconds(double seconds) {
  constexpr double kMaxMs = 9.0e15;  // beyond: no date, and no llround
  return TimestampFromMs(std::llround(std::clamp(seconds * 1000.0, -kMaxMs, kMaxMs)));
}

struct Buffer {
  std::shared_ptr<char[]> memory;
  char* next = nullptr;
};

Result<ReceivedRecords::Record> ReadRecord(od::object object, Buffer& buffer) {
  ReceivedRecords::Record record;
  bool has_sequence = false;
  for (auto field : object) {
    std::string_view name;
    od::value value;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get(value) != simdjson::SUCCESS) {
      return NotAnAnswer("record");
    }
    std::string_view text;
    if (name == "ApproximateArrivalTimestamp") {
      double seconds = 0;
      if (value.get_double().get(seconds) != simdjson::SUCCESS) return NotAnAnswer(name);
      record.arrival = FromSeconds(seconds);
    } else if (name == "SequenceNumber") {
      if (value.get_string().get(text) != simdjson::SUCCESS) return NotAnAnswer(name);
      HONRYU_TRY(record.sequence, SequenceNumber::FromDecimal(text));
      has_sequence = true;
    } else if (name == "PartitionKey") {
      if (value.get_string().get(text) != simdjson::SUCCESS) return NotAnAnswer(name);
      record.partition_key.assign(text);
    } else if (name == "Data") {
      if (value.get_string().get(text) != simdjson::SUCCESS) return NotAnAnswer(name);
      HONRYU_TRY(const std::size_t size, codec::Base64Decode(text, buffer.next));
      record.data = Bytes(buffer.memory, BytesView(buffer.next, size));
      buffer.next += size;
    }
  }
  if (!has_sequence) return NotAnAnswer("record without SequenceNumber");
  return record;
}

Result<void> ReadMember(std::string_view name, od::value value, Buffer& buffer, ReceivedRecords& out) {
  std::string_view text;
  if (name == "Records") {
    od::array records;
    if (value.get_array().get(records) != simdjson::SUCCESS) return NotAnAnswer(name);
    for (auto element : records) {
      od::object object;
      if (element.get_object().get(object) != simdjson::SUCCESS) return NotAnAnswer(name);
      HONRYU_TRY(ReceivedRecords::Record record, ReadRecord(object, buffer));
      out.records.push_back(std::move(record));
    }
  } else if (name == "NextShardIterator") {
    bool null = false;
    if (value.is_null().get(null) != simdjson::SUCCESS) return NotAnAnswer(name);
    if (!null) {
      if (value.get_string().get(text) != simdjson::SUCCESS) return NotAnAnswer(name);
      out.next_iterator.assign(text);
    }
  } else if (name == "MillisBehindLatest") {
    if (value.get_int64().get(out.behind_ms) != simdjson::SUCCESS) return NotAnAnswer(name);
  } else if (name == "ChildShards") {
    od::array children;
    if (value.get_array().get(children) != simdjson::SUCCESS) return NotAnAnswer(name);
    for (auto child : children) {
      if (child["ShardId"].get_string().get(text) != simdjson::SUCCESS) return NotAnAnswer(name);
      out.children.emplace_back(text);
    }
  }
  return Ok();
}

Result<ReceivedPut> ReadPut(od::object object) {
  ReceivedPut put;
  std::string code;
  std::string message;
  bool has_sequence = false;
  for (auto field : object) {
    std::string_view name;
    std::string_view text;
    od::value value;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get(value) != simdjson::SUCCESS) {
      return NotAnAnswer("put result");
    }
    const bool wanted =
        name == "ShardId" || name == "SequenceNumber" || name == "ErrorCode" || name == "ErrorMessage";
    bool null = false;
    if (!wanted) continue;
    if (value.is_null().get(null) != simdjson::SUCCESS) return NotAnAnswer(name);
    if (null) continue;
    if (value.get_string().get(text) != simdjson::SUCCESS) return NotAnAnswer(name);
    if (name == "ShardId") {
      put.shard_id.assign(text);
    } else if (name == "SequenceNumber") {
      HONRYU_TRY(put.sequence, SequenceNumber::FromDecimal(text));
      has_sequence = true;
    } else {
      (name == "ErrorCode" ? code : message).assign(text);
    }
  }
  if (code.empty() && (!has_sequence || put.shard_id.empty())) return NotAnAnswer("put result");
  if (code.empty()) return put;
  const std::optional<FaultName> fault = FindFault(code);
  const bool later = !fault || *fault == FaultName::kInternalFailure;
  put.error = Error(later ? ErrorCode::kUnavailable : TraitsOf(*fault).code, code + ": " + message);
  return put;
}

}  // namespace

Result<std::vector<ReceivedPut>> ReadPutRecords(BytesView body) {
  od::parser parser;
  od::document document;
  od::array records;
  const simdjson::padded_string_view padded(body.data(), body.size(),
                                            body.size() + simdjson::SIMDJSON_PADDING);
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document["Records"].get_array().get(records) != simdjson::SUCCESS) {
    return NotAnAnswer("no Records");
  }
  std::vector<ReceivedPut> out;
  for (auto element : records) {
    od::object object;
    if (element.get_object().get(object) != simdjson::SUCCESS) return NotAnAnswer("put result");
    HONRYU_TRY(ReceivedPut put, ReadPut(object));
    out.push_back(std::move(put));
  }
  return out;
}

Result<ReceivedRecords> ReadGetRecords(BytesView body) {
  od::parser parser;
  od::document document;
  od::object object;
  const simdjson::padded_string_view padded(body.data(), body.size(),
                                            body.size() + simdjson::SIMDJSON_PADDING);
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS) {
    return NotAnAnswer("no JSON object");
  }
  Buffer buffer;
  buffer.memory = std::make_shared_for_overwrite<char[]>(body.size());
  buffer.next = buffer.memory.get();
  ReceivedRecords out;
  for (auto field : object) {
    std::string_view name;
    od::value value;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get(value) != simdjson::SUCCESS) {
      return NotAnAnswer("broken JSON");
    }
    HONRYU_TRY_VOID(ReadMember(name, value, buffer, out));
  }
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
    return NotAnAnswer("more than one JSON value");
  return out;
}

Result<LeaseShape> ReadLease(const Json& json) {
  const auto text = [&json](std::string_view name) {
    const Json* value = json.Find(name);
    return value == nullptr ? std::string() : std::string(value->StringOr(""));
  };
  LeaseShape lease;
  lease.application = text("Application");
  lease.stream = text("StreamName");
  lease.shard_id = text("ShardId");
  lease.owner = text("Owner");
  if (lease.application.empty() || lease.stream.empty() || lease.shard_id.empty())
    return NotAnAnswer("lease");
  const std::string counter = text("Counter");
  const auto read = std::from_chars(counter.data(), counter.data() + counter.size(), lease.counter);
  if (read.ec != std::errc()) return NotAnAnswer("Counter");
  const Json* expires = json.Find("Expires");
  if (expires == nullptr || !expires->is_number()) return NotAnAnswer("Expires");
  lease.expires = FromSeconds(expires->DoubleOr(0));
  if (const std::string checkpoint = text("Checkpoint"); !checkpoint.empty()) {
    HONRYU_TRY(lease.checkpoint, SequenceNumber::FromDecimal(checkpoint));
  }
  const Json* finished = json.Find("Finished");
  lease.finished = finished != nullptr && finished->BoolOr(false);
  HONRYU_TRY(lease.state, codec::Base64Decode(text("State")));
  return lease;
}

}  // namespace honryu::wire
