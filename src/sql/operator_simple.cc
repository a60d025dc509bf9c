#include "sql/operator.h"

#include <algorithm>

// Operators that hold no rows, or few.
namespace honryu::sql {

void Stage::Report(const Columns& columns, const Row& row) {
  EvalContext& eval = runtime_.eval;
  runtime_.on_error({eval.error_name, eval.error, pump_, row.time, RowToJson(columns, row.values)});
  eval.Clear();
}

std::string Stage::Refusal(std::string_view what) {
  constexpr std::uint64_t kTryAgain = 1024;  // refusals until the spill is tried again
  if (++runtime_.refusals % kTryAgain == 0) runtime_.spill_full = false;
  return "no room for a new " + std::string(what) + ": the limit of " +
         std::to_string(runtime_.max_state_bytes) + " bytes of state is reached and " +
         (runtime_.spill == nullptr ? "there is no spill" : "the spill is full");
}

void Stage::Refuse(const Columns& columns, const Row& row, std::string_view what) {
  runtime_.eval.Fail("StateLimit", Refusal(what));
  Report(columns, row);
}

bool JointWatermark::Set(std::size_t input, std::int64_t watermark) {
  inputs_[input] = std::max(inputs_[input], watermark);
  const std::int64_t least = *std::min_element(inputs_.begin(), inputs_.end());
  if (least <= value_) return false;
  value_ = least;
  return true;
}

void JointWatermark::Save(StateWriter& out) const {
  out.I64(value_);
  for (const std::int64_t input : inputs_) out.I64(input);
}

void JointWatermark::Load(StateReader& in) {
  value_ = in.I64();
  for (std::int64_t& input : inputs_) input = in.I64();
}

const ReferenceTables::Rows& ReferenceTables::Of(const std::string& name) const {
  static const Rows kEmpty;
  const auto found = tables_.find(name);
  return found == tables_.end() ? kEmpty : found->second;
}

void ReferenceTables::Swap(const std::string& name, std::vector<std::vector<Value>> rows) {
  Rows& table = tables_[name];
  table.rows = std::move(rows);
  ++table.version;
}

namespace {

class FilterOperator final : public Stage {
 public:
  FilterOperator(Runtime& runtime, std::string pump, PlanNode& node)
      : Stage(runtime, std::move(pump)),
        predicate_(std::move(node.predicate)),
        columns_(node.scope.ToColumns()) {}
  void OnRow(std::size_t, const Row& row) override {
    runtime_.eval.Use(row);
    const Value& keep = predicate_->Eval(runtime_.eval);
    if (Failed(columns_, row)) return;
    if (!keep.is_null() && keep.as_bool()) Emit(row);
  }
  void OnWatermark(std::size_t, std::int64_t watermark) override { Forward(watermark); }

 private:
  BoundPtr predicate_;
  Columns columns_;
};

class ProjectOperator final : public Stage {
 public:
  ProjectOperator(Runtime& runtime, std::string pump, PlanNode& node)
      : Stage(runtime, std::move(pump)),
        exprs_(std::move(node.exprs)),
        columns_(node.inputs[0]->scope.ToColumns()) {
    out_.values.resize(exprs_.size());
  }
  void OnRow(std::size_t, const Row& row) override {
    runtime_.eval.Use(row);
    for (std::size_t i = 0; i < exprs_.size(); ++i) out_.values[i] = exprs_[i]->Eval(runtime_.eval);
    if (Failed(columns_, row)) return;
    out_.time = row.time;
    out_.final = row.final;
    out_.revision = row.revision;
    out_.id = row.id;
    Emit(out_);
  }
  void OnWatermark(std::size_t, std::int64_t watermark) override { Forward(watermark); }

 private:
  std::vector<BoundPtr> exprs_;
  Columns columns_;
  Row out_;
};

// Gives each row its window's bounds, once for every window that it is in.
class AssignOperator final : public Stage {
 public:
  AssignOperator(Runtime& runtime, std::string pump, PlanNode& node)
      : Stage(runtime, std::move(pump)), window_(node.window), width_(node.width) {}
  void OnRow(std::size_t, const Row& row) override {
    AssignWindows(window_, row.time, windows_);
    out_ = row;
    out_.values.resize(width_);
    for (const auto& [start, end] : windows_) {
      out_.values[width_ - 3].SetInt(start);
      out_.values[width_ - 2].SetInt(end);
      out_.values[width_ - 1].SetInt(end - 1);
      Emit(out_);
    }
  }
  void OnWatermark(std::size_t, std::int64_t watermark) override { Forward(watermark); }

 private:
  WindowDefinition window_;
  std::size_t width_;
  std::vector<std::pair<std::int64_t, std::int64_t>> windows_;
  Row out_;
};

class UnionOperator final : public Stage {
 public:
  UnionOperator(Runtime& runtime, std::string pump, std::size_t inputs)
      : Stage(runtime, std::move(pump)), watermark_(inputs) {}
  void OnRow(std::size_t, const Row& row) override { Emit(row); }
  void OnWatermark(std::size_t input, std::int64_t watermark) override {
    if (watermark_.Set(input, watermark)) Forward(watermark_.value());
  }
  void Save(StateWriter& out) const override { watermark_.Save(out); }
  void Load(StateReader& in) override { watermark_.Load(in); }

 private:
  JointWatermark watermark_;
};

class LimitOperator final : public Stage {
 public:
  LimitOperator(Runtime& runtime, std::string pump, std::int64_t limit)
      : Stage(runtime, std::move(pump)), left_(limit) {}
  void OnRow(std::size_t, const Row& row) override {
    if (left_ <= 0) return;
    --left_;
    Emit(row);
  }
  void OnWatermark(std::size_t, std::int64_t watermark) override { Forward(watermark); }
  void Save(StateWriter& out) const override { out.I64(left_); }
  void Load(StateReader& in) override { left_ = in.I64(); }

 private:
  std::int64_t left_;
};

class TableFunctionOperator final : public Stage {
 public:
  TableFunctionOperator(Runtime& runtime, std::string pump, PlanNode& node)
      : Stage(runtime, std::move(pump)), function_(std::move(node.function)) {
    emit_ = [this](const Row& row) { Emit(row); };
  }
  void OnRow(std::size_t, const Row& row) override {
    if (!row.final || row.revision > 0) {
      ++runtime_.skipped_partial_rows;
      return;
    }
    function_->OnRow(row, emit_);
  }
  void OnWatermark(std::size_t, std::int64_t watermark) override {
    function_->OnWatermark(watermark, emit_);
    Forward(watermark);
  }
  void Save(StateWriter& out) const override { out.Text(function_->Snapshot()); }
  void Load(StateReader& in) override {
    if (!function_->Restore(in.Text()).ok()) in.Fail();
  }
  std::string_view Kind() const override { return "table function"; }
  std::size_t StateBytes() const override { return function_->StateBytes(); }

 private:
  std::unique_ptr<TableFunction> function_;
  TableFunction::Emitter emit_;
};

}  // namespace

std::unique_ptr<Stage> MakeFilter(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<FilterOperator>(runtime, std::move(pump), node);
}
std::unique_ptr<Stage> MakeProject(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<ProjectOperator>(runtime, std::move(pump), node);
}
std::unique_ptr<Stage> MakeAssignWindows(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<AssignOperator>(runtime, std::move(pump), node);
}
std::unique_ptr<Stage> MakeUnion(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<UnionOperator>(runtime, std::move(pump), node.inputs.size());
}
std::unique_ptr<Stage> MakeLimit(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<LimitOperator>(runtime, std::move(pump), node.limit);
}
std::unique_ptr<Stage> MakeTableFunction(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<TableFunctionOperator>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
