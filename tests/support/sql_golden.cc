#include "tests/support/sql_golden.h"

#include "honryu/codec/json.h"
#include "honryu/sql/lane.h"
#include "sql/calendar.h"
#include "sql/cast.h"
#include "sql/state_io.h"

#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>

namespace honryu::sql {
namespace {

constexpr const char* kDay = "2026-11-21 ";

// "11:00:20", "11:00:20.250" of 2026-11-21; or with its own date "2026-11-22 11:00:20".
std::int64_t TimeOf(const std::string& text) {
  const std::string whole = text.size() > 12 ? text : kDay + text;
  const auto time = ReadTimestamp(whole);
  if (!time.has_value()) throw std::runtime_error("bad time in a golden file: " + text);
  return *time;
}

std::string TimeText(std::int64_t ms) {
  std::string text;
  AppendTimestamp(ms, text);
  if (text.ends_with(".000")) text.resize(text.size() - 4);
  return text.starts_with(kDay) ? text.substr(11) : text;
}

// Doubles the first column, so that a score of 6 means an error count of 3; keeps how many rows it saw.
class FakeForest final : public TableFunction {
 public:
  FakeForest(const Columns& cursor, bool explain) : output_(cursor), explain_(explain) {
    output_.push_back({"ANOMALY_SCORE", DoubleType()});
    if (explain) output_.push_back({"ANOMALY_EXPLANATION", VarcharType()});
  }
  const Columns& output() const override { return output_; }
  void OnRow(const Row& row, const Emitter& emit) override {
    ++rows_;
    double sum = 0;
    Row out = row;
    out.values.resize(output_.size() - (explain_ ? 2 : 1));
    for (std::size_t i = 0; i < out.values.size(); ++i) {
      Value number;
      if (!output_[i].type.IsNumeric() || out.values[i].is_null()) continue;
      CastValue(out.values[i], output_[i].type, DoubleType(), false, number);
      sum += number.as_double();
    }
    out.values.push_back(Value::Double(sum / static_cast<double>(rows_)));
    if (explain_) out.values.push_back(Value::Text("{\"rows\":" + std::to_string(rows_) + "}"));
    emit(out);
  }
  void OnWatermark(std::int64_t, const Emitter&) override {}
  std::string Snapshot() const override { return std::to_string(rows_); }
  Result<void> Restore(std::string_view bytes) override {
    rows_ = std::stoull(std::string(bytes));
    return Ok();
  }
  std::string Describe() const override { return "of the tests"; }

 private:
  Columns output_;
  bool explain_;
  std::uint64_t rows_ = 0;
};

class Runner {
 public:
  Runner(const GoldenCase& golden, const GoldenRun& run) : golden_(golden), run_(run) {}

  std::map<std::string, std::vector<std::string>> Run() {
    if (!Start()) return out_;
    for (std::size_t i = 0; i < golden_.input.size(); ++i) {
      if (run_.reshard != Reshard::kNone && i == run_.reshard_at) Change();
      Step(golden_.input[i]);
      const bool again = (run_.restart_every > 0 && i % run_.restart_every == 0) ||
                         (run_.restart_at > 0 && i + 1 == run_.restart_at);
      if (again && !Restart()) return out_;
    }
    return out_;
  }

 private:
  bool Start() {
    lanes_.clear();
    auto engine = Engine::Create(golden_.prelude, golden_.sql, OptionsOfRun(), [this](const OutputRow& row) {
      std::string text = TimeText(row.row.time) + " " + RowToJson(row.columns, row.row.values);
      if (!row.row.final) text += " partial";
      if (row.row.revision > 0) text += " revision " + std::to_string(row.row.revision);
      out_[row.stream].push_back(std::move(text));
    });
    if (!engine.ok()) {
      out_["error"] = {engine.error().message()};
      return false;
    }
    engine_ = std::move(*engine);
    for (std::size_t i = 0; i < run_.lanes; ++i) {
      auto lane = engine_->MakeLane();
      if (!lane.ok()) throw std::runtime_error(lane.error().message());
      lanes_.push_back(std::move(*lane));
    }
    return true;
  }

  EngineOptions OptionsOfRun() {
    EngineOptions options = Options();
    options.max_state_bytes = run_.max_state_bytes;
    if (run_.max_state_bytes > 0) options.spill = &spill_;
    return options;
  }

  static EngineOptions Options() {
    EngineOptions options;
    options.start_ms = TimeOf("00:00:00");
    options.functions = GoldenFunctions();
    return options;
  }

  // A round of its own, in which the lanes take turns.
  void PushToLane(std::size_t source, const std::string& shard, const SourceRecord& record) {
    for (const auto& lane : lanes_) lane->Begin();
    Lane& lane = *lanes_[++lane_turn_ % lanes_.size()];
    engine_->AddShard(source, shard);
    lane.Push(source, lane.AddShard(source, shard), record);
    for (const auto& one : lanes_) one->End();
    engine_->MergeLanes(lanes_);
  }

  bool Restart() {
    const std::string snapshot = engine_->Snapshot();
    if (!Start()) return false;
    for (const auto& [table, rows] : tables_) GiveTable(table, rows);
    const auto restored = engine_->Restore(snapshot);
    if (restored.ok()) return true;
    out_["error"] = {restored.error().message()};
    return false;
  }

  // The shards that are known become others.
  void Change() {
    changed_ = true;
    for (const auto& [stream, shard] : known_) {
      if (run_.reshard == Reshard::kMerge) {
        Replace(stream, {shard + "-a", shard + "-b"}, {shard});
      } else {
        Replace(stream, {shard}, {shard + "-a", shard + "-b"});
        if (run_.reshard != Reshard::kQuietSplit) continue;
        Replace(stream, {shard + "-b"}, {});
        const std::size_t source = *engine_->FindSource(stream);
        engine_->SetBehind(source, engine_->AddShard(source, shard + "-a"), behind_[stream]);
      }
    }
  }

  void Replace(const std::string& stream, const std::vector<std::string>& parents,
               const std::vector<std::string>& children) {
    const std::size_t source = *engine_->FindSource(stream);
    for (const std::string& child : children) engine_->AddShard(source, child);
    for (const std::string& parent : parents) engine_->CloseShard(source, engine_->AddShard(source, parent));
  }

  // The shard that takes the next record of a shard.
  std::string ShardNow(const std::string& stream, const std::string& shard) {
    const bool first = !changed_ && known_.emplace(stream, shard).second;
    const std::string child = shard + (++turn_ % 2 == 0 ? "-a" : "-b");
    if (run_.reshard == Reshard::kMerge) {
      if (changed_) return shard;
      const std::size_t source = *engine_->FindSource(stream);
      for (const char* half : {"-a", "-b"})
        if (first) engine_->AddShard(source, shard + half);
      return child;
    }
    if (!changed_ || !known_.contains({stream, shard})) return shard;
    return run_.reshard == Reshard::kQuietSplit ? shard + "-a" : child;
  }

  void Step(const std::string& line) {
    std::istringstream in(line);
    std::string what, time, rest;
    in >> what;
    if (what == "finish") return engine_->Finish();
    if (what == "split" || what == "merge") {
      std::string first, second, third;
      in >> time >> first >> second >> third;
      return what == "split" ? Replace(time, {first}, {second, third})
                             : Replace(time, {first, second}, {third});
    }
    in >> time;
    if (time.size() == 10 && time[4] == '-') {  // with a date
      std::string clock;
      in >> clock;
      time += " " + clock;
    }
    std::getline(in, rest);
    if (!rest.empty()) rest.erase(0, 1);
    if (what == "time" && run_.replay) return;
    if (what == "time") return engine_->AdvanceTime(TimeOf(time));
    if (what == "behind") {
      const std::size_t source = *engine_->FindSource(time);
      behind_[time] = rest == "yes";
      const bool goes_on = changed_ && run_.reshard == Reshard::kQuietSplit;
      return engine_->SetBehind(source, engine_->AddShard(source, goes_on ? "0-a" : "0"), behind_[time]);
    }
    if (what == "table") return SetTable(time, rest);
    if (what == "watermark") return engine_->AdvanceWatermark(*engine_->FindSource(time), TimeOf(rest));
    std::string shard = "0";
    if (const std::size_t slash = what.find('/'); slash != std::string::npos) {
      shard = what.substr(slash + 1);
      what.resize(slash);
    }
    const auto source = engine_->FindSource(what);
    if (!source.ok()) throw std::runtime_error(source.error().message());
    if (run_.reshard != Reshard::kNone) shard = ShardNow(what, shard);
    SourceRecord record;
    record.data = rest;
    record.arrival_ms = run_.replay ? TimeOf("2026-12-24 00:00:00") + ++replayed_ : TimeOf(time);
    record.partition_key = "pk";
    record.sequence_number = "49";
    if (lanes_.empty()) return engine_->Push(*source, engine_->AddShard(*source, shard), record);
    PushToLane(*source, shard, record);
  }

  void GiveTable(const std::string& table, const std::vector<std::vector<Value>>& rows) {
    const auto set = engine_->SetTable(table, rows);
    if (!set.ok()) throw std::runtime_error(set.error().message());
  }

  void SetTable(const std::string& table, const std::string& json) {
    const auto rows = codec::Json::Parse(json);
    const Columns columns = *engine_->TableColumns(table);
    std::vector<std::vector<Value>> values;
    for (const codec::Json& row : rows->array()) {
      auto& target = values.emplace_back();
      for (std::size_t i = 0; i < row.array().size(); ++i) {
        Value value;
        CastValue(Value::Text(row.array()[i].Dump()), JsonType(), columns[i].type, false, value);
        target.push_back(std::move(value));
      }
    }
    tables_[table] = values;
    GiveTable(table, values);
  }

  const GoldenCase& golden_;
  const GoldenRun& run_;
  std::map<std::string, std::vector<std::string>> out_;
  MemorySpill spill_{std::size_t{1} << 30};
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::size_t lane_turn_ = 0;
  std::map<std::string, std::vector<std::vector<Value>>> tables_;
  std::set<std::pair<std::string, std::string>> known_;
  std::map<std::string, bool> behind_;
  std::int64_t replayed_ = 0;
  bool changed_ = false;
  int turn_ = 0;
};

}  // namespace

TableFunctionRegistry GoldenFunctions() {
  TableFunctionRegistry functions;
  for (const bool explain : {false, true}) {
    functions[explain ? "RANDOM_CUT_FOREST_WITH_EXPLANATION" : "RANDOM_CUT_FOREST"] =
        [explain](
            const Columns& cursor,
            const std::vector<TableFunctionArgument>& arguments) -> Result<std::unique_ptr<TableFunction>> {
      if (arguments.size() != (explain ? 5u : 4u))
        return Error(ErrorCode::kInvalidArgument, "expected trees, sample, decay, shingle");
      return std::unique_ptr<TableFunction>(std::make_unique<FakeForest>(cursor, explain));
    };
  }
  return functions;
}

std::vector<GoldenCase> ReadGoldenFile(const std::string& path) {
  std::ifstream in(path);
  std::vector<GoldenCase> cases;
  std::string line, section, stream;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("== ")) {
      cases.emplace_back();
      cases.back().name = line.substr(3);
      continue;
    }
    if (cases.empty()) throw std::runtime_error(path + ": a line before the first case");
    GoldenCase& golden = cases.back();
    if (line[0] != ' ') {
      section = line.substr(0, line.find(' '));
      stream = section.size() < line.size() ? line.substr(section.size() + 1) : std::string();
      if (section == "noreshard") golden.reshard = false;
      if (section == "byarrival") golden.by_arrival = true;
      if (section == "output") golden.output[stream];
      continue;
    }
    const std::string text = line.substr(std::min<std::size_t>(2, line.size()));
    if (section == "prelude") golden.prelude += text + "\n";
    if (section == "sql") golden.sql += text + "\n";
    if (section == "input") golden.input.push_back(text);
    if (section == "output") golden.output[stream].push_back(text);
    if (section == "explain") golden.explain += text + "\n";
    if (section == "error") golden.error += (golden.error.empty() ? "" : "\n") + text;
  }
  return cases;
}

std::map<std::string, std::vector<std::string>> RunGoldenCase(const GoldenCase& golden,
                                                              const GoldenRun& run) {
  return Runner(golden, run).Run();
}

}  // namespace honryu::sql
