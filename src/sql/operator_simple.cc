#include "sql/operator.h"

#include <algorithm>

// Operators that hold no rows, or few.
namespace honryu::sql {

void Stage::Report(const Columns& columns, const Row& row) {
  EvalContext& eval = runtime_.eval;
  runtime_.on_error({eval.error_name, eval.error, pump_, row.time, RowToJson(columns, row.values)});
  eval.Clear();
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

// Holds the rows of a bucket of time until it has passed, and gives them in order.
class SortOperator final : public Stage {
 public:
  SortOperator(Runtime& runtime, std::string pump, PlanNode& node)
      : Stage(runtime, std::move(pump)),
        keys_(std::move(node.exprs)),
        descending_(node.descending),
        bucket_(node.sort_bucket),
        columns_(node.scope.ToColumns()) {}
  void OnRow(std::size_t, const Row& row) override {
    runtime_.eval.Use(row);
    Held held;
    for (const BoundPtr& key : keys_) held.keys.push_back(key->Eval(runtime_.eval));
    if (Failed(columns_, row)) return;
    held.row = row;
    rows_.push_back(std::move(held));
  }
  void OnWatermark(std::size_t, std::int64_t watermark) override {
    if (rows_.empty()) return Forward(watermark);
    Value now;  // the bucket that the watermark lies in, which is not over
    if (bucket_ && watermark != kEndOfTime) {
      runtime_.eval.row_time = watermark;
      now = keys_[0]->Eval(runtime_.eval);
      runtime_.eval.Clear();
      if (now == bucket_now_) return Forward(watermark);
      bucket_now_ = now;
    }
    const auto is_over = [&](const Held& held) {
      if (watermark == kEndOfTime) return true;
      return bucket_ ? CompareValues(held.keys[0], now) < 0 : held.row.time <= watermark;
    };
    std::vector<Held> ready;
    std::vector<Held> kept;
    for (Held& held : rows_) (is_over(held) ? ready : kept).push_back(std::move(held));
    rows_ = std::move(kept);
    std::vector<std::size_t> order(ready.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      for (std::size_t k = 0; k < keys_.size(); ++k) {
        const int compared = CompareValues(ready[a].keys[k], ready[b].keys[k]);
        if (compared != 0) return descending_[k] ? compared > 0 : compared < 0;
      }
      return a < b;
    });
    for (const std::size_t i : order) Emit(ready[i].row);
    Forward(watermark);
  }
  void Save(StateWriter& out) const override {
    out.U64(rows_.size());
    for (const Held& held : rows_) {
      out.Put(held.row);
      for (const Value& key : held.keys) out.Put(key);
    }
  }
  void Load(StateReader& in) override {
    rows_.resize(in.Count());
    bucket_now_.SetNull();
    for (Held& held : rows_) {
      in.Take(held.row);
      held.keys.resize(keys_.size());
      for (Value& key : held.keys) in.Take(key);
    }
  }
  std::string_view Kind() const override { return "sort"; }
  std::size_t StateEntries() const override { return rows_.size(); }

 private:
  struct Held {
    Row row;
    std::vector<Value> keys;
  };
  std::vector<BoundPtr> keys_;
  std::vector<bool> descending_;
  bool bucket_;
  Columns columns_;
  std::vector<Held> rows_;
  Value bucket_now_;
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
std::unique_ptr<Stage> MakeSort(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<SortOperator>(runtime, std::move(pump), node);
}
std::unique_ptr<Stage> MakeTableFunction(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<TableFunctionOperator>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
