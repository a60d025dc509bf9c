#include "honryu/sql/engine.h"

#include "honryu/base/crc32c.h"
#include "sql/engine_impl.h"
#include "sql/lexer.h"

#include <algorithm>

namespace honryu::sql {
namespace {

// docs/formats/sql-snapshot.md
constexpr std::string_view kMagic = "HRYUSQL1";
constexpr std::uint64_t kFormat = 3;

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::size_t kMost = 49152 / 2;  // DATA_ROW is VARCHAR(49152)
  std::string out;
  for (const char c : bytes.substr(0, kMost)) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace

EngineImpl::EngineImpl(std::unique_ptr<Plan> plan, EngineOptions options, Sink sink, Outbox* outbox,
                       const ReferenceTables* tables)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      plan_(std::move(plan)),
      split_(*plan_),
      tables_read_(tables == nullptr ? &tables_ : tables) {
  runtime_.now_ms = runtime_.eval.query_start = options_.start_ms;
  runtime_.max_groups = options_.max_groups;
  runtime_.outbox = outbox;
  if (outbox == nullptr) {  // a lane keeps nothing
    runtime_.max_state_bytes = options_.max_state_bytes;
    runtime_.spill = options_.max_state_bytes > 0 ? options_.spill : nullptr;
  }
  runtime_.on_error = [this](const RowError& error) { OnError(error); };
  runtime_.on_late = [this](const std::string& stream, const std::string& pump, const Columns& columns,
                            const Row& row) { OnLate(stream, pump, columns, row); };
  Build();
  if (runtime_.spill == nullptr) return;
  if (const auto emptied = runtime_.spill->EraseRange({}, {}); !emptied.ok()) runtime_.Fail(emptied.error());
}

void EngineImpl::Relieve() {
  while (runtime_.IsOver() && runtime_.spill != nullptr && !runtime_.spill_full &&
         !runtime_.failure.has_value()) {
    Stage* largest = nullptr;
    for (const auto& op : operators_)
      if (op->EvictableBytes() > 0 &&
          (largest == nullptr || op->EvictableBytes() > largest->EvictableBytes()))
        largest = op.get();
    if (largest == nullptr) return;
    const std::size_t before = runtime_.state_bytes;
    largest->Evict();
    if (runtime_.state_bytes >= before) return;
  }
}

Result<void> EngineImpl::Status() const {
  return runtime_.failure.has_value() ? Result<void>(*runtime_.failure) : Ok();
}

std::vector<OperatorState> EngineImpl::OperatorStates() const {
  std::vector<OperatorState> states;
  for (const auto& op : operators_) {
    if (op->Kind().empty()) continue;
    OperatorState state;
    state.pump = op->pump();
    state.kind = op->Kind();
    state.bytes = op->StateBytes();
    state.entries = op->StateEntries();
    state.spilled = op->SpilledEntries();
    if (state.entries > state.spilled)
      state.bytes_per_entry =
          static_cast<double>(state.bytes) / static_cast<double>(state.entries - state.spilled);
    states.push_back(std::move(state));
  }
  return states;
}

Result<std::size_t> EngineImpl::FindSource(std::string_view stream) const {
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

std::vector<std::string> EngineImpl::Sources() const {
  std::vector<std::string> names;
  for (const auto& source : sources_)
    if (source->read()) names.push_back(source->name());
  return names;
}

void EngineImpl::AdvanceTime(std::int64_t now_ms) {
  if (now_ms <= runtime_.now_ms || runtime_.failure.has_value()) return;
  runtime_.now_ms = now_ms;
  for (const auto& source : sources_) source->Tick();
  for (const auto& op : operators_) op->OnTime();
  for (const char* name : {"ERROR_STREAM", "LATE_ROWS"}) {
    StreamNode* node = NodeOf(name);
    if (node != nullptr && writers_[name].empty()) node->OnWatermark(0, now_ms);
  }
  Relieve();
}

void EngineImpl::Finish() {
  if (runtime_.failure.has_value()) return;
  for (const auto& source : sources_) source->AdvanceTo(kEndOfTime);
  for (const char* name : {"ERROR_STREAM", "LATE_ROWS"})
    if (writers_[name].empty()) NodeOf(name)->OnWatermark(0, kEndOfTime);
}

Result<Columns> EngineImpl::TableColumns(std::string_view table) const {
  const auto found = plan_->tables.find(std::string(table));
  if (found == plan_->tables.end())
    return Error(ErrorCode::kNotFound, "unknown table '" + std::string(table) + "'");
  return found->second->columns;
}

Result<void> EngineImpl::SetTable(std::string_view table, std::vector<std::vector<Value>> rows) {
  HONRYU_TRY(const Columns columns, TableColumns(table));
  for (const std::vector<Value>& row : rows)
    if (row.size() != columns.size())
      return Error(ErrorCode::kInvalidArgument, "a row of table '" + std::string(table) + "' has " +
                                                    std::to_string(row.size()) + " values, expected " +
                                                    std::to_string(columns.size()));
  tables_.Swap(std::string(table), std::move(rows));
  return Ok();
}

// magic, format, fingerprint, clock, sources, operators, 0, CRC-32C of all that
std::string EngineImpl::Snapshot() const {
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
  writer.U64(0);
  writer.U64(Crc32c(out));
  if (runtime_.failure.has_value()) return {};  // of a read of the spill
  return out;
}

Result<void> EngineImpl::Restore(std::string_view snapshot) {
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
  if (runtime_.failure.has_value()) return *runtime_.failure;
  for (const auto& op : operators_) {
    StateReader of_operator(in.Text());
    op->Load(of_operator);
    if (!of_operator.ok() || !of_operator.AtEnd()) return corrupt();
  }
  if (in.U64() != 0) return corrupt();
  return in.ok() && in.AtEnd() ? Ok() : Result<void>(corrupt());
}

EngineCounters EngineImpl::counters() const {
  EngineCounters counters = counters_;
  counters.skipped_partial_rows = runtime_.skipped_partial_rows;
  counters.late_rows += runtime_.late_state_rows;
  return counters;
}

std::size_t EngineImpl::StateBytes() const {
  std::size_t bytes = 0;
  for (const auto& op : operators_) bytes += op->StateBytes();
  return bytes;
}

std::size_t EngineImpl::StateEntries() const {
  std::size_t entries = 0;
  for (const auto& op : operators_) entries += op->StateEntries();
  return entries;
}

void EngineImpl::OnError(const RowError& error) {
  ++counters_.error_rows;
  if (runtime_.outbox != nullptr) return runtime_.outbox->Add(error);
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

void EngineImpl::OnLate(const std::string& stream, const std::string& pump, const Columns& columns,
                        const Row& row) {
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

Result<std::unique_ptr<Engine>> Engine::Create(std::string_view prelude, std::string_view program,
                                               EngineOptions options, Sink sink) {
  AddBuiltInTableFunctions(options.functions);
  HONRYU_TRY(std::unique_ptr<Plan> plan, PlanProgram(prelude, program, options.functions));
  auto engine = std::make_unique<EngineImpl>(std::move(plan), std::move(options), std::move(sink));
  engine->SetTexts(prelude, program);
  return std::unique_ptr<Engine>(std::move(engine));
}

Result<std::string> Engine::Explain(std::string_view prelude, std::string_view program,
                                    const TableFunctionRegistry& functions) {
  TableFunctionRegistry all = functions;
  AddBuiltInTableFunctions(all);
  HONRYU_TRY(const std::unique_ptr<Plan> plan, PlanProgram(prelude, program, all));
  return ExplainPlan(*plan);
}

}  // namespace honryu::sql
