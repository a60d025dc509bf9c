#include "processors/sql/application_state.h"

#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"

namespace honryu::processors::sql_app {
namespace {

constexpr int kVersion = 1;

void WritePlace(codec::JsonWriter& json, const SnapshotPlace& place) {
  json.BeginObject();
  if (place.pieces > 0) {
    json.Key("shard");
    json.String(place.shard);
    json.Key("marker");
    json.PlainString(place.marker.ToDecimal());
    json.Key("id");
    json.Uint(place.id);
    json.Key("pieces");
    json.Uint(place.pieces);
  } else if (!place.here.empty()) {
    json.Key("here");
    json.PlainString(codec::Base64Encode(place.here));
  }
  json.EndObject();
}

std::uint64_t NumberOf(const codec::Json& json, std::string_view key) {
  const codec::Json* member = json.Find(key);
  return member == nullptr ? 0 : static_cast<std::uint64_t>(member->IntOr(0));
}

std::string TextOf(const codec::Json& json, std::string_view key) {
  const codec::Json* member = json.Find(key);
  return std::string(member == nullptr ? std::string_view() : member->StringOr(""));
}

Result<SnapshotPlace> ReadPlace(const codec::Json& json) {
  SnapshotPlace place;
  place.pieces = static_cast<std::uint32_t>(NumberOf(json, "pieces"));
  place.id = NumberOf(json, "id");
  place.shard = TextOf(json, "shard");
  if (place.pieces > 0) {
    HONRYU_TRY(place.marker, SequenceNumber::FromDecimal(TextOf(json, "marker")));
  }
  HONRYU_TRY(place.here, codec::Base64Decode(std::string_view(TextOf(json, "here"))));
  return place;
}

}  // namespace

std::string EncodeState(const ApplicationState& state) {
  std::string out;
  codec::JsonWriter json(out);
  json.BeginObject();
  json.Key("v");
  json.Int(kVersion);
  const auto number = [&json](const char* key, std::uint64_t value) {
    json.Key(key);
    json.Uint(value);
  };
  json.Key("program");
  json.PlainString(std::to_string(state.program));
  number("version", state.version);
  json.Key("from_ms");
  json.Int(state.from_ms);
  json.Key("start_ms");
  json.Int(state.start_ms);
  number("emitted", state.emitted);
  number("told", state.told);
  number("rows_in", state.counters.rows_in);
  number("rows_out", state.counters.rows_out);
  number("error_rows", state.counters.error_rows);
  number("late_rows", state.counters.late_rows);
  number("state_bytes", state.state_bytes);
  number("state_entries", state.state_entries);
  json.Key("saved_ms");
  json.Int(state.saved_ms);
  json.Key("snapshot");
  WritePlace(json, state.snapshot);
  json.Key("savepoints");
  json.BeginArray();
  for (const Savepoint& savepoint : state.savepoints) {
    json.BeginObject();
    json.Key("name");
    json.String(savepoint.name);
    number("id", savepoint.id);
    json.Key("taken_ms");
    json.Int(savepoint.taken_ms);
    json.Key("place");
    WritePlace(json, savepoint.place);
    json.EndObject();
  }
  json.EndArray();
  std::string cuts;
  for (const sqlapp::Cut& cut : state.cuts) sqlapp::AppendCut(cut, cuts);
  json.Key("cuts");
  json.PlainString(codec::Base64Encode(cuts));
  json.EndObject();
  return out;
}

Result<ApplicationState> DecodeState(std::string_view bytes) {
  const auto corrupt = [](std::string_view what) {
    return Error(ErrorCode::kCorrupt, "saved state of the application: " + std::string(what));
  };
  const Result<codec::Json> json = codec::Json::Parse(bytes);
  if (!json.ok()) return corrupt("no JSON");
  if (const std::uint64_t version = NumberOf(*json, "v"); version != kVersion)
    return Error(ErrorCode::kFailedPrecondition, "saved state of the application has version " +
                                                     std::to_string(version) + ", this one reads 1");
  ApplicationState state;
  state.program = std::strtoull(TextOf(*json, "program").c_str(), nullptr, 10);
  state.version = NumberOf(*json, "version");
  state.from_ms = static_cast<std::int64_t>(NumberOf(*json, "from_ms"));
  state.start_ms = static_cast<std::int64_t>(NumberOf(*json, "start_ms"));
  state.emitted = NumberOf(*json, "emitted");
  state.told = NumberOf(*json, "told");
  state.counters.rows_in = NumberOf(*json, "rows_in");
  state.counters.rows_out = NumberOf(*json, "rows_out");
  state.counters.error_rows = NumberOf(*json, "error_rows");
  state.counters.late_rows = NumberOf(*json, "late_rows");
  state.state_bytes = NumberOf(*json, "state_bytes");
  state.state_entries = NumberOf(*json, "state_entries");
  state.saved_ms = static_cast<std::int64_t>(NumberOf(*json, "saved_ms"));
  const codec::Json* snapshot = json->Find("snapshot");
  if (snapshot == nullptr) return corrupt("no snapshot");
  const Result<SnapshotPlace> place = ReadPlace(*snapshot);
  if (!place.ok()) return corrupt("its snapshot");
  state.snapshot = *place;
  if (const codec::Json* savepoints = json->Find("savepoints")) {
    for (const codec::Json& item : savepoints->array()) {
      const codec::Json* where = item.Find("place");
      if (where == nullptr) return corrupt("a savepoint");
      Result<SnapshotPlace> saved = ReadPlace(*where);
      if (!saved.ok()) return corrupt("a savepoint");
      state.savepoints.push_back({TextOf(item, "name"), NumberOf(item, "id"),
                                  static_cast<std::int64_t>(NumberOf(item, "taken_ms")), std::move(*saved)});
    }
  }
  const Result<std::string> cuts = codec::Base64Decode(std::string_view(TextOf(*json, "cuts")));
  if (!cuts.ok()) return corrupt("its cuts");
  for (std::string_view rest = *cuts; !rest.empty();) {
    std::optional<sqlapp::Cut> cut = sqlapp::TakeCut(rest);
    if (!cut.has_value()) return corrupt("a cut");
    state.cuts.push_back(std::move(*cut));
  }
  return state;
}

bool CutsFit(const std::vector<sqlapp::Cut>& cuts, std::size_t shards, std::size_t streams) {
  for (const sqlapp::Cut& cut : cuts) {
    for (const sqlapp::ShardStep& step : cut.steps) {
      if (step.added && (step.shard != shards++ || step.stream >= streams)) return false;
      if (step.shard >= shards) return false;
    }
  }
  return true;
}

}  // namespace honryu::processors::sql_app
