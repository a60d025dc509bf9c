#include "api/gateway/dead_letter.h"

#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"

#include <simdjson.h>

namespace honryu::api::gateway {

namespace {

// A string of control characters grows sixfold when it is escaped: 768 KiB stay below the stream's 1 MiB.
constexpr std::size_t kMaxPlain = 128 << 10;
// In base64: 4/3 of it, and room for the rest of the record.
constexpr std::size_t kMaxPart = 720 << 10;

}  // namespace

void AppendDeadLetters(const DeadLetterOrigin& origin, std::uint32_t index, const Reject& reject,
                       BytesView original, std::vector<client::PutEntry>* entries) {
  const bool plain =
      original.size() <= kMaxPlain && simdjson::validate_utf8(original.data(), original.size());
  const std::size_t parts = plain ? 1 : (original.size() + kMaxPart - 1) / kMaxPart;
  for (std::size_t part = 0; part < parts; ++part) {
    const BytesView piece = plain ? original : original.substr(part * kMaxPart, kMaxPart);
    std::string record;
    record.reserve(512 + piece.size() * 3 / 2);
    codec::JsonWriter json(record);
    json.BeginObject();
    json.Key("version");
    json.Int(1);
    json.Key("reason");
    json.String(RejectReasonName(reject.reason));
    json.Key("field");
    json.String(reject.field);
    json.Key("message");
    json.String(reject.message);
    json.Key("received_at");
    json.String(origin.received_at);
    json.Key("request_id");
    json.String(origin.request_id);
    json.Key("index");
    json.Uint(index);
    json.Key("peer");
    json.String(origin.peer);
    json.Key("part");
    json.Uint(part);
    json.Key("parts");
    json.Uint(parts);
    if (plain) {
      json.Key("original");
      json.String(piece);
    } else {
      json.Key("original_base64");
      json.PlainString(codec::Base64Encode(piece));
    }
    json.EndObject();
    client::PutEntry entry;
    entry.partition_key = origin.request_id.empty() ? "-" : std::string(origin.request_id);
    entry.data = Bytes(std::move(record));
    entries->push_back(std::move(entry));
  }
}

}  // namespace honryu::api::gateway
