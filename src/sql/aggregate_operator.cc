#include "sql/aggregate_operator.h"

#include "honryu/analytics/window.h"
#include "honryu/base/crc32c.h"

namespace honryu::sql {
namespace {

std::int64_t Plus(std::int64_t time, std::int64_t ms) {
  return time > kEndOfTime - ms ? kEndOfTime : time + ms;
}

std::uint64_t IdOf(std::uint64_t query, std::string_view key, std::int64_t start, std::int64_t end) {
  return Hash64(key, query + static_cast<std::uint64_t>(start) * 31 + static_cast<std::uint64_t>(end)) | 1;
}

}  // namespace

AggregateOperator::AggregateOperator(Runtime& runtime, std::string pump, PlanNode& node)
    : Stage(runtime, std::move(pump)),
      keys_(std::move(node.exprs)),
      calls_(std::move(node.aggregates)),
      seed_(Hash64(pump_, 0)),
      window_(node.window),
      emit_(node.emit.kind),
      every_ms_(node.emit.every.ms),
      late_(node.late),
      columns_(node.inputs[0]->scope.ToColumns()),
      when_(std::move(node.predicate)),
      active_(calls_.size()) {
  out_.values.resize(keys_.size() + 3 + calls_.size());
  for (std::size_t i = 0; i < keys_.size(); ++i)
    output_.push_back({"key_" + std::to_string(i), keys_[i]->type});
  for (const char* name : {"window_start", "window_end", "window_time"})
    output_.push_back({name, TimestampType()});
  for (const AggregateCall& call : calls_) output_.push_back({call.text, call.type});
}

bool AggregateOperator::Prepare(const Row& row) {
  if (!row.final || row.revision > 0) {  // what an early result says comes again with the final one
    ++runtime_.skipped_partial_rows;
    return false;
  }
  EvalContext& eval = runtime_.eval;
  eval.Use(row);
  key_.clear();
  for (const BoundPtr& key : keys_) AppendKey(key->Eval(eval), key_);
  for (std::size_t i = 0; i < calls_.size(); ++i) active_[i] = calls_[i].Evaluate(eval);
  return !Failed(columns_, row);
}

void AggregateOperator::AddTo(Slot* slots, const Row& row) {
  for (std::size_t i = 0; i < calls_.size(); ++i)
    if (active_[i]) calls_[i].aggregate->Add(slots[i], calls_[i].values(), row.time, runtime_.eval);
  if (runtime_.eval.failed()) Report(columns_, row);
}

void AggregateOperator::Build(std::string_view key, const Slot* slots, std::int64_t start, std::int64_t end,
                              std::int64_t time) {
  std::size_t at = 0;
  for (; at < keys_.size(); ++at) {
    const bool whole = TakeKey(&key, out_.values[at]);
    HONRYU_CHECK(whole, "a group's key is cut");
  }
  if (start == kNoWatermark) {
    for (std::size_t i = 0; i < 3; ++i) out_.values[at + i].SetNull();
  } else {
    out_.values[at].SetInt(start);
    out_.values[at + 1].SetInt(end);
    out_.values[at + 2].SetInt(end - 1);
  }
  at += 3;
  for (std::size_t i = 0; i < calls_.size(); ++i) calls_[i].aggregate->Result(slots[i], out_.values[at + i]);
  out_.time = time;
}

void AggregateOperator::Produce(std::string_view key, const Slot* slots, std::int64_t start, std::int64_t end,
                                std::int64_t time, bool final, std::uint32_t revision) {
  Build(key, slots, start, end, time);
  out_.final = final;
  out_.revision = revision;
  out_.id = IdOf(seed_, key, start, end);
  Emit(out_);
}

bool AggregateOperator::ProduceIf(std::string_view key, const Slot* slots, std::int64_t start,
                                  std::int64_t end, std::int64_t time) {
  Build(key, slots, start, end, time);
  runtime_.eval.Use(out_);
  const Value& now = when_->Eval(runtime_.eval);
  if (Failed(output_, out_) || now.is_null() || !now.as_bool()) return false;
  out_.final = true;
  out_.revision = 0;
  out_.id = IdOf(seed_, key, start, end);
  Emit(out_);
  return true;
}

void AggregateOperator::Late(const Row& row) {
  runtime_.on_late(late_.policy == LatePolicy::kDrop ? std::string() : late_.stream, pump_, columns_, row);
}

std::string AggregateOperator::NoGroup() {
  if (runtime_.IsOver()) return Refusal("group");
  return "more groups than the limit of " + std::to_string(runtime_.max_groups);
}

void AggregateOperator::Refuse(const Row& row) {
  runtime_.eval.Fail("StateLimit", NoGroup());
  Report(columns_, row);
}

void AggregateOperator::Refuse(std::string_view key, std::int64_t time) {
  ReportGroup("StateLimit", NoGroup(), key, time);
}

// An error that is not one row's, with the group's key in place of the row.
void AggregateOperator::ReportGroup(std::string_view name, std::string message, std::string_view key,
                                    std::int64_t time) {
  std::vector<Value> values(keys_.size());
  for (Value& value : values)
    if (!TakeKey(&key, value)) break;
  const Columns columns(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(keys_.size()));
  runtime_.on_error({name, std::move(message), pump_, time, RowToJson(columns, values)});
  runtime_.eval.Clear();
}

void AggregateOperator::LateState(std::string_view key, std::int64_t end, std::uint64_t rows) {
  runtime_.late_state_rows += rows;
  ReportGroup("LateRow", std::to_string(rows) + " rows of this group came together behind the watermark", key,
              end - 1);
}

void AggregateOperator::MergeSlots(Slot* slots, std::string_view key, std::int64_t end, StateReader& in) {
  shipped_.resize(calls_.size());
  LoadSlots(shipped_.data(), in);
  if (!in.ok()) return;
  for (std::size_t i = 0; i < calls_.size(); ++i)
    calls_[i].aggregate->Merge(slots[i], shipped_[i], runtime_.eval);
  if (runtime_.eval.failed())
    ReportGroup(runtime_.eval.error_name, runtime_.eval.error, key, end == kEndOfTime ? 0 : end - 1);
}

bool AggregateOperator::IsDue() {
  if (emit_ != EmitKind::kEvery || runtime_.now_ms < next_due_ms_) return false;
  const bool first = next_due_ms_ == kNoWatermark;
  next_due_ms_ = analytics::WindowStart(runtime_.now_ms, every_ms_) + every_ms_;
  return !first;
}

std::int64_t AggregateOperator::DueAt(std::int64_t end) const { return Plus(end, late_.hold_ms); }
std::int64_t AggregateOperator::GoneAt(std::int64_t end) const {
  return Plus(end, late_.policy == LatePolicy::kUpdate ? late_.update_ms : late_.hold_ms);
}

void AggregateOperator::SaveTime(StateWriter& out) const {
  out.I64(watermark_);
  out.I64(next_due_ms_);
}

void AggregateOperator::LoadTime(StateReader& in) {
  watermark_ = in.I64();
  next_due_ms_ = in.I64();
}

void AggregateOperator::SaveSlots(const Slot* slots, StateWriter& out) const {
  for (std::size_t i = 0; i < calls_.size(); ++i) calls_[i].aggregate->Save(slots[i], out);
}

void AggregateOperator::LoadSlots(Slot* slots, StateReader& in) const {
  for (std::size_t i = 0; i < calls_.size(); ++i) calls_[i].aggregate->Load(slots[i], in);
}

}  // namespace honryu::sql
