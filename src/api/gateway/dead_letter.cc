#include "api/gateway/dead_letter.h"

#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"

#include <simdjson.h>

#include <algorithm>

namespace honryu::api::gateway {

namespace {

constexpr std::size_t kMaxPlain = 128 << 10;
// Room for the numbers of parts, the key of the original and the ends.
constexpr std::size_t kFraming = 96;
// Longer fields and messages are cut in small records, which must have room for some of the original.
constexpr std::size_t kMaxShort = 40;

/// The first bytes of valid UTF-8, whole characters only.
std::string_view Prefix(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

/// The members that all parts share, without the closing brace.
std::string Preamble(const DeadLetterOrigin& origin, std::uint32_t index, const Reject& reject,
                     std::size_t max_text) {
  std::string record;
  codec::JsonWriter json(record);
  json.BeginObject();
  json.Key("version");
  json.Int(1);
  json.Key("reason");
  json.String(RejectReasonName(reject.reason));
  json.Key("field");
  json.String(Prefix(reject.field, max_text));
  json.Key("message");
  json.String(Prefix(reject.message, max_text));
  json.Key("received_at");
  json.String(origin.received_at);
  json.Key("request_id");
  json.String(origin.request_id);
  json.Key("index");
  json.Uint(index);
  json.Key("peer");
  json.String(origin.peer);
  return record;
}

}  // namespace

void AppendDeadLetters(const DeadLetterOrigin& origin, std::uint32_t index, const Reject& reject,
                       BytesView original, ByteSize max_record, std::vector<client::PutEntry>* entries) {
  const std::string key = origin.request_id.empty() ? "-" : std::string(origin.request_id);
  std::string preamble = Preamble(origin, index, reject, std::string::npos);
  std::size_t taken = preamble.size() + key.size() + kFraming;
  if (taken > max_record.bytes / 2) {
    preamble = Preamble(origin, index, reject, kMaxShort);
    taken = preamble.size() + key.size() + kFraming;
  }
  const std::size_t room = taken + 64 < max_record.bytes ? max_record.bytes - taken : 64;

  std::string text;  // the original as JSON, when it is kept as a string
  if (original.size() <= std::min(kMaxPlain, room) &&
      simdjson::validate_utf8(original.data(), original.size())) {
    codec::AppendJsonString(original, text);
  }
  const bool plain = !text.empty() && text.size() <= room;
  const std::size_t most = room / 4 * 3;
  const std::size_t parts = plain ? 1 : (original.size() + most - 1) / most;
  for (std::size_t part = 0; part < parts; ++part) {
    std::string record;
    record.reserve(preamble.size() + kFraming + (plain ? text.size() : room));
    record += preamble;
    record += ",\"part\":" + std::to_string(part) + ",\"parts\":" + std::to_string(parts);
    if (plain) {
      record += ",\"original\":" + text + "}";
    } else {
      record += ",\"original_base64\":\"";
      codec::AppendBase64(original.substr(part * most, most), record);
      record += "\"}";
    }
    client::PutEntry entry;
    entry.partition_key = key;
    entry.data = Bytes(std::move(record));
    entries->push_back(std::move(entry));
  }
}

}  // namespace honryu::api::gateway
