#include "honryu/consumer/dead_letter.h"

#include "honryu/base/random.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <utility>

namespace honryu::consumer {

namespace {

constexpr std::size_t kMaxMessage = 1024;
constexpr std::uint32_t kMaxParts = 1 << 16;
constexpr std::array<std::string_view, 3> kReasons = {"handler", "expired", "unopenable"};
constexpr std::array<std::string_view, 3> kStates = {"started", "done", "not_done"};

std::string Hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

/// The first `most` bytes, not ending inside a character.
std::string_view Cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

std::string EncodePart(const DeadLetter& letter, const std::string& id, std::size_t part, std::size_t parts,
                       BytesView data) {
  std::string json;
  json.reserve(data.size() / 3 * 4 + 1024);
  codec::JsonWriter writer(json);
  const auto text = [&writer](std::string_view key, std::string_view value) {
    writer.Key(key);
    writer.String(value);
  };
  const auto number = [&writer](std::string_view key, std::uint64_t value) {
    writer.Key(key);
    writer.Uint(value);
  };
  writer.BeginObject();
  number("version", 1);
  text("type", "dead_letter");
  text("id", id);
  text("application", letter.application);
  text("stream", letter.stream);
  text("shard", letter.shard_id);
  text("sequence", letter.record.sequence.ToDecimal());
  number("sub_sequence", letter.record.sub_sequence);
  text("arrival", FormatTimestamp(letter.record.arrival));
  text("partition_key", letter.record.partition_key);
  text("reason", DeadLetterReasonName(letter.reason));
  text("message", Cut(letter.message, kMaxMessage));
  number("attempts", static_cast<std::uint64_t>(std::max(0, letter.attempts)));
  text("first_failure", FormatTimestamp(letter.first_failure));
  text("last_failure", FormatTimestamp(letter.last_failure));
  number("part", part);
  number("parts", parts);
  number("size", letter.record.data.size());
  writer.Key("data");
  writer.PlainString(codec::Base64Encode(data));
  writer.EndObject();
  return json;
}

std::string Text(const codec::Json& object, std::string_view key) {
  const codec::Json* const member = object.Find(key);
  return member == nullptr ? std::string() : std::string(member->StringOr(""));
}
std::uint64_t Number(const codec::Json& object, std::string_view key) {
  const codec::Json* const member = object.Find(key);
  return member == nullptr ? 0 : static_cast<std::uint64_t>(std::max<std::int64_t>(0, member->IntOr(0)));
}

Result<DeadLetterPart> DecodePart(const codec::Json& json) {
  DeadLetterPart part;
  DeadLetter& letter = part.letter;
  part.id = Text(json, "id");
  if (part.id.empty()) return Error(ErrorCode::kInvalidArgument, "a dead letter without an id");
  letter.application = Text(json, "application");
  letter.stream = Text(json, "stream");
  letter.shard_id = Text(json, "shard");
  letter.record.partition_key = Text(json, "partition_key");
  HONRYU_TRY(letter.record.sequence, SequenceNumber::FromDecimal(Text(json, "sequence")));
  HONRYU_TRY(letter.record.arrival, ParseTimestamp(Text(json, "arrival")));
  HONRYU_TRY(letter.first_failure, ParseTimestamp(Text(json, "first_failure")));
  HONRYU_TRY(letter.last_failure, ParseTimestamp(Text(json, "last_failure")));
  letter.record.sub_sequence = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(Number(json, "sub_sequence"), std::numeric_limits<std::uint32_t>::max()));
  part.reason = Text(json, "reason");
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    if (kReasons[i] == part.reason) letter.reason = static_cast<DeadLetterReason>(i);
  }
  letter.message = Text(json, "message");
  letter.attempts = static_cast<int>(std::min<std::uint64_t>(Number(json, "attempts"), 1'000'000'000));
  const std::uint64_t index = Number(json, "part"), parts = Number(json, "parts");
  if (parts < 1 || parts > kMaxParts || index >= parts)
    return Error(ErrorCode::kInvalidArgument, "a dead letter whose part is not one of its parts");
  part.part = static_cast<std::uint32_t>(index);
  part.parts = static_cast<std::uint32_t>(parts);
  part.size = Number(json, "size");
  HONRYU_TRY(std::string data, codec::Base64Decode(Text(json, "data")));
  letter.record.data = Bytes(std::move(data));
  return part;
}

Result<RedriveMark> DecodeMark(const codec::Json& json) {
  RedriveMark mark;
  mark.redrive = Text(json, "redrive");
  const auto state = std::ranges::find(kStates, Text(json, "state"));
  if (mark.redrive.empty() || state == kStates.end())
    return Error(ErrorCode::kInvalidArgument, "a redrive without its id or with an unknown state");
  mark.state = static_cast<RedriveMark::State>(state - kStates.begin());
  HONRYU_TRY(mark.at, ParseTimestamp(Text(json, "at")));
  if (const codec::Json* const ids = json.Find("ids"); ids != nullptr) {
    for (const codec::Json& id : ids->array()) mark.ids.emplace_back(id.StringOr(""));
  }
  return mark;
}

bool GoodKey(std::string_view key) { return !key.empty() && key.size() <= 256; }

}  // namespace

std::string_view DeadLetterReasonName(DeadLetterReason reason) {
  return kReasons[static_cast<std::size_t>(reason)];
}

std::string DeadLetter::Id() const {
  return Hex(Md5HashKey(application + '\n' + stream + '\n' + shard_id + '\n' + record.sequence.ToDecimal() +
                        '\n' + std::to_string(record.sub_sequence))
                 .high);
}

std::string DeadLetterStreamOf(std::string_view application) {
  std::string name;
  for (const char c : application.substr(0, 100)) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                         c == '_' || c == '.' || c == '-';
    name += allowed ? c : '-';
  }
  return name + "-dead-letters";
}

std::vector<client::PutEntry> EncodeDeadLetter(const DeadLetter& letter, std::size_t part_bytes) {
  const std::string id = letter.Id();
  const std::size_t size = letter.record.data.size();
  const std::size_t parts = std::max<std::size_t>(1, (size + part_bytes - 1) / part_bytes);
  std::vector<client::PutEntry> entries;
  for (std::size_t i = 0; i < parts; ++i) {
    client::PutEntry& entry = entries.emplace_back();
    entry.partition_key = GoodKey(letter.record.partition_key) ? letter.record.partition_key : id;
    entry.data =
        Bytes(EncodePart(letter, id, i, parts, letter.record.data.Slice(i * part_bytes, part_bytes)));
  }
  return entries;
}

client::PutEntry EncodeRedriveMark(const RedriveMark& mark) {
  std::string json;
  codec::JsonWriter writer(json);
  writer.BeginObject();
  writer.Key("version");
  writer.Uint(1);
  writer.Key("type");
  writer.String("redrive");
  writer.Key("redrive");
  writer.String(mark.redrive);
  writer.Key("state");
  writer.String(kStates[static_cast<std::size_t>(mark.state)]);
  writer.Key("at");
  writer.String(FormatTimestamp(mark.at));
  writer.Key("ids");
  writer.BeginArray();
  for (const std::string& id : mark.ids) writer.String(id);
  writer.EndArray();
  writer.EndObject();
  client::PutEntry entry;
  entry.partition_key = mark.redrive;
  entry.data = Bytes(std::move(json));
  return entry;
}

Result<DeadLetterEntry> DecodeDeadLetter(BytesView json) {
  HONRYU_TRY(const codec::Json parsed, codec::Json::Parse(json, 100'000));
  if (Number(parsed, "version") != 1)
    return Error(ErrorCode::kInvalidArgument, "no dead letter of version 1");
  DeadLetterEntry entry;
  const std::string type = Text(parsed, "type");
  if (type == "dead_letter") {
    HONRYU_TRY(entry.part, DecodePart(parsed));
  } else if (type == "redrive") {
    HONRYU_TRY(entry.mark, DecodeMark(parsed));
  } else {
    return Error(ErrorCode::kInvalidArgument, "neither a dead letter nor a redrive");
  }
  return entry;
}

}  // namespace honryu::consumer
