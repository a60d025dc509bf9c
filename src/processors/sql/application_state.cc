#include "processors/sql/application_state.h"

#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"

#include <algorithm>
#include <cstdlib>

namespace honryu::processors::sql_app {
namespace {

constexpr int kVersion = 2;  // 1 had no reference tables

std::uint64_t NumberOf(const codec::Json& json, std::string_view key) {
  const codec::Json* member = json.Find(key);
  return member == nullptr ? 0 : static_cast<std::uint64_t>(member->IntOr(0));
}

std::string TextOf(const codec::Json& json, std::string_view key) {
  const codec::Json* member = json.Find(key);
  return std::string(member == nullptr ? std::string_view() : member->StringOr(""));
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
  number("asked", state.asked);
  number("run", state.run);
  number("rows_in", state.counters.rows_in);
  number("rows_out", state.counters.rows_out);
  number("error_rows", state.counters.error_rows);
  number("late_rows", state.counters.late_rows);
  number("state_bytes", state.state_bytes);
  number("state_entries", state.state_entries);
  json.Key("saved_ms");
  json.Int(state.saved_ms);
  json.Key("snapshot");
  sqlapp::WritePlace(json, state.snapshot);
  json.Key("snapshot_ms");
  json.Int(state.snapshot_ms);
  json.Key("savepoints");
  json.BeginArray();
  for (const Savepoint& savepoint : state.savepoints) {
    json.BeginObject();
    json.Key("name");
    json.String(savepoint.name);
    number("id", savepoint.id);
    json.Key("taken_ms");
    json.Int(savepoint.taken_ms);
    json.Key("kept_ms");
    json.Int(savepoint.kept_ms);
    json.Key("place");
    sqlapp::WritePlace(json, savepoint.place);
    json.EndObject();
  }
  json.EndArray();
  json.Key("tables");
  json.BeginArray();
  for (const KeptTable& table : state.tables) {
    json.BeginObject();
    json.Key("name");
    json.String(table.name);
    json.Key("content");
    json.PlainString(std::to_string(table.content));
    json.Key("at_snapshot");
    json.Bool(table.at_snapshot);
    json.Key("current");
    json.Bool(table.current);
    json.Key("declaration");
    json.String(table.declaration);
    json.Key("since_ms");
    json.Int(table.since_ms);
    json.Key("kept_ms");
    json.Int(table.kept_ms);
    json.Key("place");
    sqlapp::WritePlace(json, table.place);
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
  if (const std::uint64_t version = NumberOf(*json, "v"); version < 1 || version > kVersion)
    return Error(ErrorCode::kFailedPrecondition, "saved state of the application has version " +
                                                     std::to_string(version) + ", this one reads 1 and 2");
  ApplicationState state;
  state.program = std::strtoull(TextOf(*json, "program").c_str(), nullptr, 10);
  state.version = NumberOf(*json, "version");
  state.from_ms = static_cast<std::int64_t>(NumberOf(*json, "from_ms"));
  state.start_ms = static_cast<std::int64_t>(NumberOf(*json, "start_ms"));
  state.emitted = NumberOf(*json, "emitted");
  state.told = NumberOf(*json, "told");
  state.asked = NumberOf(*json, "asked");
  state.run = NumberOf(*json, "run");
  state.counters.rows_in = NumberOf(*json, "rows_in");
  state.counters.rows_out = NumberOf(*json, "rows_out");
  state.counters.error_rows = NumberOf(*json, "error_rows");
  state.counters.late_rows = NumberOf(*json, "late_rows");
  state.state_bytes = NumberOf(*json, "state_bytes");
  state.state_entries = NumberOf(*json, "state_entries");
  state.saved_ms = static_cast<std::int64_t>(NumberOf(*json, "saved_ms"));
  const codec::Json* snapshot = json->Find("snapshot");
  if (snapshot == nullptr) return corrupt("no snapshot");
  const Result<sqlapp::StatePlace> place = sqlapp::ReadPlace(*snapshot);
  if (!place.ok()) return corrupt("its snapshot");
  state.snapshot = *place;
  state.snapshot_ms = static_cast<std::int64_t>(NumberOf(*json, "snapshot_ms"));
  if (const codec::Json* savepoints = json->Find("savepoints")) {
    for (const codec::Json& item : savepoints->array()) {
      const codec::Json* where = item.Find("place");
      if (where == nullptr) return corrupt("a savepoint");
      Result<sqlapp::StatePlace> saved = sqlapp::ReadPlace(*where);
      if (!saved.ok()) return corrupt("a savepoint");
      Savepoint& savepoint = state.savepoints.emplace_back();
      savepoint.name = TextOf(item, "name");
      savepoint.id = NumberOf(item, "id");
      savepoint.taken_ms = static_cast<std::int64_t>(NumberOf(item, "taken_ms"));
      savepoint.kept_ms = static_cast<std::int64_t>(NumberOf(item, "kept_ms"));
      savepoint.place = std::move(*saved);
    }
  }
  if (const codec::Json* tables = json->Find("tables")) {
    for (const codec::Json& item : tables->array()) {
      const codec::Json* where = item.Find("place");
      if (where == nullptr) return corrupt("a reference table");
      Result<sqlapp::StatePlace> saved = sqlapp::ReadPlace(*where);
      if (!saved.ok()) return corrupt("a reference table");
      KeptTable& table = state.tables.emplace_back();
      table.name = TextOf(item, "name");
      table.content = std::strtoull(TextOf(item, "content").c_str(), nullptr, 10);
      const codec::Json* at_snapshot = item.Find("at_snapshot");
      table.at_snapshot = at_snapshot != nullptr && at_snapshot->BoolOr(false);
      const codec::Json* current = item.Find("current");
      table.current = current != nullptr && current->BoolOr(false);
      table.declaration = TextOf(item, "declaration");
      table.since_ms = static_cast<std::int64_t>(NumberOf(item, "since_ms"));
      table.kept_ms = static_cast<std::int64_t>(NumberOf(item, "kept_ms"));
      table.place = std::move(*saved);
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

bool CutsFit(const ApplicationState& state, const sqlapp::Program& program, std::size_t shards) {
  const std::size_t streams = program.InputStreams().size();
  for (const sqlapp::Cut& cut : state.cuts) {
    for (const sqlapp::TableStep& step : cut.tables) {
      const bool kept =
          step.table < program.tables.size() && std::any_of(
                                                    state.tables.begin(), state.tables.end(),
                                                    [&](const KeptTable& table) {
                                                      return table.name == program.tables[step.table].name &&
                                                             table.content == step.content;
                                                    });
      if (!kept) return false;
    }
    for (const sqlapp::ShardStep& step : cut.steps) {
      if (step.added && (step.shard != shards++ || step.stream >= streams)) return false;
      if (step.shard >= shards) return false;
    }
  }
  return true;
}

}  // namespace honryu::processors::sql_app
