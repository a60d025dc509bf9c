#include "honryu/sql/engine.h"

#include "honryu/base/crc32c.h"
#include "sql/lexer.h"
#include "sql/source.h"

#include <algorithm>
#include <set>

namespace honryu::sql {
namespace {

// docs/formats/sql-snapshot.md
constexpr std::string_view kMagic = "HRYUSQL1";
constexpr std::uint64_t kFormat = 1;

class EngineImpl final : public Engine {
 public:
  EngineImpl(std::unique_ptr<Plan> plan, EngineOptions options, Sink sink)
      : options_(std::move(options)), sink_(std::move(sink)), plan_(std::move(plan)) {
    runtime_.now_ms = runtime_.eval.query_start = options_.start_ms;
    runtime_.max_groups = options_.max_groups;
    runtime_.on_error = [this](RowError error) { OnError(std::move(error)); };
    runtime_.on_late = [this](const std::string& stream, const std::string& pump, const Columns& columns,
                              const Row& row) { OnLate(stream, pump, columns, row); };
    Build();
  }

  Result<std::size_t> FindSource(std::string_view stream) const override {
    for (const bool exact : {true, false}) {
      for (std::size_t i = 0; i < sources_.size(); ++i)
        if (exact ? sources_[i]->name() == stream : UpperCase(sources_[i]->name()) == UpperCase(stream))
          return i;
    }
    if (plan_->streams.contains(std::string(stream)))
      return Error(ErrorCode::kFailedPrecondition,
                   "stream '" + std::string(stream) + "' is written by the program");
    return Error(ErrorCode::kNotFound, "unknown stream '" + std::string(stream) + "'");
  }

  std::vector<std::string> Sources() const override {
    std::vector<std::string> names;
    for (const auto& source : sources_)
      if (source->read()) names.push_back(source->name());
    return names;
  }

  std::size_t AddShard(std::size_t source, std::string_view shard) override {
    return sources_[source]->clock().AddShard(shard, runtime_.now_ms);
  }
  void CloseShard(std::size_t source, std::size_t shard) override { sources_[source]->CloseShard(shard); }
  void SetBehind(std::size_t source, std::size_t shard, bool behind) override {
    sources_[source]->clock().SetBehind(shard, behind);
  }
  void Push(std::size_t source, std::size_t shard, const SourceRecord& record) override {
    sources_[source]->Push(shard, record);
  }
  void PushRow(std::size_t source, std::size_t shard, std::int64_t arrival_ms,
               std::vector<Value> values) override {
    sources_[source]->PushRow(shard, arrival_ms, std::move(values));
  }

  void AdvanceTime(std::int64_t now_ms) override {
    if (now_ms <= runtime_.now_ms) return;
    runtime_.now_ms = now_ms;
    for (const auto& source : sources_) source->Tick();
    for (const auto& op : operators_) op->OnTime();
    for (const char* name : {"ERROR_STREAM", "LATE_ROWS"}) {
      StreamNode* node = NodeOf(name);
      if (node != nullptr && writers_[name].empty()) node->OnWatermark(0, now_ms);
    }
  }
  void AdvanceWatermark(std::size_t source, std::int64_t watermark_ms) override {
    sources_[source]->AdvanceTo(watermark_ms);
  }
  void Finish() override {
    for (const auto& source : sources_) source->AdvanceTo(kEndOfTime);
    for (const char* name : {"ERROR_STREAM", "LATE_ROWS"})
      if (writers_[name].empty()) NodeOf(name)->OnWatermark(0, kEndOfTime);
  }

  Result<Columns> TableColumns(std::string_view table) const override {
    const auto found = plan_->tables.find(std::string(table));
    if (found == plan_->tables.end())
      return Error(ErrorCode::kNotFound, "unknown table '" + std::string(table) + "'");
    return found->second->columns;
  }
  Result<void> SetTable(std::string_view table, std::vector<std::vector<Value>> rows) override {
    HONRYU_TRY(const Columns columns, TableColumns(table));
    for (const std::vector<Value>& row : rows)
      if (row.size() != columns.size())
        return Error(ErrorCode::kInvalidArgument, "a row of table '" + std::string(table) + "' has " +
                                                      std::to_string(row.size()) + " values, expected " +
                                                      std::to_string(columns.size()));
    tables_.Swap(std::string(table), std::move(rows));
    return Ok();
  }

  // magic, format, fingerprint, clock, sources, operators, CRC-32C of all that
  std::string Snapshot() const override {
    std::string out(kMagic);
    StateWriter writer(out);
    writer.U64(kFormat);
    writer.U64(plan_->fingerprint);
    writer.I64(runtime_.now_ms);
    writer.I64(runtime_.eval.query_start);
    writer.U64(sources_.size());
    for (const auto& source : sources_) source->clock().Save(writer);
    writer.U64(operators_.size());
    for (const auto& op : operators_) {
      std::string state;
      StateWriter of_operator(state);
      op->Save(of_operator);
      writer.Text(state);
    }
    writer.U64(Crc32c(out));
    return out;
  }

  Result<void> Restore(std::string_view snapshot) override {
    const auto corrupt = [] { return Error(ErrorCode::kCorrupt, "the snapshot is damaged"); };
    if (snapshot.size() < kMagic.size() + 24 || snapshot.substr(0, kMagic.size()) != kMagic) return corrupt();
    const std::string_view body = snapshot.substr(0, snapshot.size() - 8);
    StateReader sum(snapshot.substr(body.size()));
    if (sum.U64() != Crc32c(body)) return corrupt();
    StateReader in(body.substr(kMagic.size()));
    if (const std::uint64_t format = in.U64(); format != kFormat)
      return Error(ErrorCode::kFailedPrecondition, "the snapshot has format " + std::to_string(format) +
                                                       ", this engine reads " + std::to_string(kFormat));
    if (in.U64() != plan_->fingerprint)
      return Error(ErrorCode::kFailedPrecondition, "the snapshot is of another program");
    runtime_.now_ms = in.I64();
    runtime_.eval.query_start = in.I64();
    if (in.U64() != sources_.size()) return corrupt();
    for (const auto& source : sources_) source->clock().Load(in);
    if (in.U64() != operators_.size()) return corrupt();
    for (const auto& op : operators_) {
      StateReader of_operator(in.Text());
      op->Load(of_operator);
      if (!of_operator.ok() || !of_operator.AtEnd()) return corrupt();
    }
    return in.ok() && in.AtEnd() ? Ok() : Result<void>(corrupt());
  }

  EngineCounters counters() const override {
    EngineCounters counters = counters_;
    counters.skipped_partial_rows = runtime_.skipped_partial_rows;
    return counters;
  }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const auto& op : operators_) bytes += op->StateBytes();
    return bytes;
  }
  std::size_t StateEntries() const override {
    std::size_t entries = 0;
    for (const auto& op : operators_) entries += op->StateEntries();
    return entries;
  }

 private:
  StreamNode* NodeOf(const std::string& name) {
    const auto found = nodes_.find(name);
    return found == nodes_.end() ? nullptr : found->second;
  }

  void Build() {
    for (const PlannedQuery& query : plan_->queries)
      if (!query.stopped) writers_[query.target].push_back(query.name);
    for (const auto& [name, info] : plan_->streams) {
      auto node = std::make_unique<StreamNode>(runtime_, *info, &sink_, &counters_);
      node->SetWriters(writers_[name]);
      nodes_[name] = node.get();
      operators_.push_back(std::move(node));
    }
    std::map<std::string, std::size_t> next_input;
    for (PlannedQuery& query : plan_->queries) {
      if (query.stopped) continue;
      BuildNode(*query.root, query.name, nodes_[query.target], next_input[query.target]++);
    }
    for (const auto& [name, info] : plan_->streams) {
      if (!writers_[name].empty() || name == "ERROR_STREAM" || info->late) continue;
      sources_.push_back(std::make_unique<SourceFeed>(runtime_, *info, *nodes_[name], options_, counters_));
    }
  }

  void BuildNode(PlanNode& node, const std::string& pump, Stage* next, std::size_t input) {
    if (node.kind == PlanNode::Kind::kScan) {
      nodes_[node.stream->name]->AddReader(next, input);
      return;
    }
    std::unique_ptr<Stage> made = Make(node, pump);
    made->SetOutput(next, input);
    Stage* op = made.get();
    operators_.push_back(std::move(made));
    for (std::size_t i = 0; i < node.inputs.size(); ++i) BuildNode(*node.inputs[i], pump, op, i);
  }

  std::unique_ptr<Stage> Make(PlanNode& node, const std::string& pump) {
    const WindowKind window = node.window.kind;
    switch (node.kind) {
      case PlanNode::Kind::kScan:
        break;
      case PlanNode::Kind::kFilter:
        return MakeFilter(runtime_, pump, node);
      case PlanNode::Kind::kProject:
        return MakeProject(runtime_, pump, node);
      case PlanNode::Kind::kAggregate:
        if (window == WindowKind::kIncreasing) return MakeIncreasingAggregate(runtime_, pump, node);
        return window == WindowKind::kSession || window == WindowKind::kStagger
                   ? MakeSpanAggregate(runtime_, pump, node)
                   : MakeWindowAggregate(runtime_, pump, node);
      case PlanNode::Kind::kAssignWindows:
        return MakeAssignWindows(runtime_, pump, node);
      case PlanNode::Kind::kOver:
        return MakeOver(runtime_, pump, node);
      case PlanNode::Kind::kStreamJoin:
        return MakeStreamJoin(runtime_, pump, node);
      case PlanNode::Kind::kTableJoin:
        return MakeTableJoin(runtime_, pump, node, tables_);
      case PlanNode::Kind::kUnion:
        return MakeUnion(runtime_, pump, node);
      case PlanNode::Kind::kTableFunction:
        return MakeTableFunction(runtime_, pump, node);
      case PlanNode::Kind::kSort:
        return MakeSort(runtime_, pump, node);
      case PlanNode::Kind::kLimit:
        return MakeLimit(runtime_, pump, node);
    }
    return nullptr;
  }

  static std::string Hex(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    constexpr std::size_t kMost = 49152 / 2;  // DATA_ROW is VARCHAR(49152)
    std::string out;
    for (const char c : bytes.substr(0, kMost)) {
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    }
    return out;
  }

  void OnError(RowError error) {
    ++counters_.error_rows;
    if (in_error_) return;  // an error while the error stream is read
    in_error_ = true;
    Row row;
    row.time = runtime_.now_ms;
    row.values = {Value::Int(runtime_.now_ms), Value::Text("ERROR"),       Value::Text(error.name),
                  Value::Text(error.message),  Value::Int(error.row_time), Value::Text(Hex(error.row)),
                  Value::Text(error.pump)};
    // The caller's evaluation is over, but its context is still in use.
    const Value* values = runtime_.eval.values;
    const std::int64_t row_time = runtime_.eval.row_time;
    runtime_.eval.Clear();
    NodeOf("ERROR_STREAM")->OnRow(0, row);
    runtime_.eval.values = values;
    runtime_.eval.row_time = row_time;
    in_error_ = false;
  }

  void OnLate(const std::string& stream, const std::string& pump, const Columns& columns, const Row& row) {
    ++counters_.late_rows;
    if (stream.empty()) {
      return OnError(
          {"LateRow", "the row came behind the watermark", pump, row.time, RowToJson(columns, row.values)});
    }
    StreamNode* node = NodeOf(stream);
    Row late;
    late.time = row.time;
    const Columns& wanted = node->info().columns;
    late.values.resize(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (node->info().late) {
        if (i == 0) late.values[i].SetInt(row.time);
        if (i == 1) late.values[i].SetText(pump);
        if (i == 2) late.values[i].SetText(RowToJson(columns, row.values));
        continue;
      }
      for (std::size_t from = 0; from < columns.size() && from < row.values.size(); ++from)
        if (columns[from].name == wanted[i].name && columns[from].type.kind == wanted[i].type.kind)
          late.values[i] = row.values[from];
    }
    node->OnRow(0, late);
  }

  EngineOptions options_;
  Sink sink_;
  std::unique_ptr<Plan> plan_;
  Runtime runtime_;
  ReferenceTables tables_;
  EngineCounters counters_;
  bool in_error_ = false;
  std::map<std::string, std::vector<std::string>> writers_;
  std::vector<std::unique_ptr<Stage>> operators_;
  std::map<std::string, StreamNode*> nodes_;
  std::vector<std::unique_ptr<SourceFeed>> sources_;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Create(std::string_view prelude, std::string_view program,
                                               EngineOptions options, Sink sink) {
  AddBuiltInTableFunctions(options.functions);
  HONRYU_TRY(std::unique_ptr<Plan> plan, PlanProgram(prelude, program, options.functions));
  return std::unique_ptr<Engine>(
      std::make_unique<EngineImpl>(std::move(plan), std::move(options), std::move(sink)));
}

Result<std::string> Engine::Explain(std::string_view prelude, std::string_view program,
                                    const TableFunctionRegistry& functions) {
  TableFunctionRegistry all = functions;
  AddBuiltInTableFunctions(all);
  HONRYU_TRY(const std::unique_ptr<Plan> plan, PlanProgram(prelude, program, all));
  return ExplainPlan(*plan);
}

}  // namespace honryu::sql
