#include "honryu/demo/replay.h"

#include "honryu/codec/json.h"
#include "honryu/demo/generator.h"

#include <cmath>
#include <utility>

namespace honryu::demo {
namespace {

/// The value at a dotted path; a member whose own name has the dots goes first. Null pointer if there is
/// none.
const codec::Json* FindPath(const codec::Json& json, std::string_view path) {
  if (const codec::Json* whole = json.Find(path); whole != nullptr) return whole;
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const codec::Json* outer = json.Find(path.substr(0, dot));
  return outer == nullptr ? nullptr : FindPath(*outer, path.substr(dot + 1));
}

/// The text of a string, number or boolean; empty for everything else and for an empty path.
std::string TextAt(const codec::Json& json, const std::string& path) {
  if (path.empty()) return {};
  const codec::Json* value = FindPath(json, path);
  if (value == nullptr || value->is_object() || value->is_array()) return {};
  return value->is_string() ? std::string(value->StringOr("")) : value->Dump();
}

Result<Timestamp> TimeAt(const codec::Json& json, const std::string& path) {
  const codec::Json* value = FindPath(json, path);
  if (value == nullptr) return Error(ErrorCode::kInvalidArgument, "no time field " + path);
  if (value->is_number()) {
    const double number = value->DoubleOr(0);
    // As seconds 1e11 is the year 5138, as milliseconds 1973.
    const double ms = std::abs(number) < 1e11 ? number * 1000.0 : number;
    if (!(std::abs(ms) < 2.5e14)) return Error(ErrorCode::kInvalidArgument, path + " is no time");
    return TimestampFromMs(std::llround(ms));
  }
  if (!value->is_string()) return Error(ErrorCode::kInvalidArgument, path + " is no time");
  return ParseTimestamp(value->StringOr(""));
}

std::uint64_t NameSpace(std::string_view name) {  // FNV-1a, 64 bit
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace

Result<ReplayedEvent> MapLine(const ReplayMapping& mapping, std::string_view name, std::uint64_t number,
                              BytesView line) {
  HONRYU_TRY(codec::Json json, codec::Json::Parse(line));
  if (!json.is_object()) return Error(ErrorCode::kInvalidArgument, "expected a JSON object");
  HONRYU_TRY(const Timestamp time, TimeAt(json, mapping.time_field));
  ReplayedEvent event;
  event.time = time;
  codec::JsonWriter writer(event.json);
  const auto member = [&writer](std::string_view key, std::string_view value) {
    writer.Key(key);
    writer.String(value);
  };
  writer.BeginObject();
  member("event_id", DerivedUuid(NameSpace(name), number));
  const std::string type = TextAt(json, mapping.type_field);
  member("event_type", type.empty() ? mapping.event_type : type);
  member("timestamp", FormatTimestamp(time));
  if (const std::string user = TextAt(json, mapping.user_field); !user.empty()) member("user_id", user);
  if (const std::string session = TextAt(json, mapping.session_field); !session.empty())
    member("session_id", session);
  writer.Key("properties");
  writer.Raw(line);
  writer.EndObject();
  return event;
}

}  // namespace honryu::demo
