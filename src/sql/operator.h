#pragma once

#include "honryu/base/error.h"
#include "honryu/sql/state_spill.h"
#include "sql/plan.h"
#include "sql/state_io.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::sql {

/// A row that could not be processed, as the error stream shows it.
struct RowError {
  std::string_view name;
  std::string message;
  std::string pump;
  std::int64_t row_time = 0;
  std::string row;  ///< As JSON.
};

class Outbox;

/// What the operators of one engine share.
struct Runtime {
  EvalContext eval;
  std::int64_t now_ms = 0;
  std::function<void(RowError error)> on_error;
  /// A row behind the watermark: the stream for such rows (empty: it is dropped), the pump, the row's
  /// columns.
  std::function<void(const std::string& stream, const std::string& pump, const Columns& columns,
                     const Row& row)>
      on_late;
  std::uint64_t skipped_partial_rows = 0;
  std::uint64_t late_state_rows = 0;  ///< Rows in merged states that came too late.
  std::size_t max_groups = 0;         ///< Of one operator.
  StateSpill* spill = nullptr;
  std::size_t max_state_bytes = 0;  ///< Of all that grows, in memory; 0: no bound.
  std::size_t state_bytes = 0;      ///< The same, as SpillAreas count it.
  bool spill_full = false;          ///< Nothing was freed since it had no room.
  std::uint64_t refusals = 0;       ///< New groups refused because of that.
  std::uint32_t next_area = 0;
  std::optional<Error> failure;  ///< The engine does nothing any more.

  bool IsOver() const { return max_state_bytes > 0 && state_bytes > max_state_bytes; }
  void Fail(const Error& error) {
    if (!failure.has_value()) failure = error;
  }
  Outbox* outbox = nullptr;  ///< Of a lane: what it has for its engine, which has the clock.
  /// Of a lane: the watermarks of its engine, by source.
  std::vector<std::int64_t> source_bounds;
};

/// A step of a query at work. Rows and watermarks are pushed in; each call pushes on what comes out. Belongs
/// to one engine and its thread.
class Stage {
 public:
  Stage(Runtime& runtime, std::string pump) : runtime_(runtime), pump_(std::move(pump)) {}
  virtual ~Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  virtual void OnRow(std::size_t input, const Row& row) = 0;
  /// No row older than `watermark` comes through `input` any more.
  virtual void OnWatermark(std::size_t input, std::int64_t watermark) = 0;
  /// The wall clock moved to Runtime::now_ms.
  virtual void OnTime() {}
  virtual void Save(StateWriter&) const {}
  virtual void Load(StateReader&) {}
  /// Of the second phase of an aggregate: takes what Save of the first phase gave.
  virtual void MergeState(StateReader& in) { in.Fail(); }
  /// Of the first phase of an aggregate: its state was handed on.
  virtual void Clear() {}
  /// Memory that counts for the bound; gives about half of it up to the spill, if that has room. Only while
  /// no operator is at work.
  virtual std::size_t EvictableBytes() const { return 0; }
  virtual void Evict() {}
  virtual std::size_t SpilledEntries() const { return 0; }
  /// For people: what the operator is.
  virtual std::string_view Kind() const { return {}; }
  const std::string& pump() const { return pump_; }
  /// Memory of the state, roughly, and groups or rows held.
  virtual std::size_t StateBytes() const { return 0; }
  virtual std::size_t StateEntries() const { return 0; }

  void SetOutput(Stage* next, std::size_t input) {
    next_ = next;
    next_input_ = input;
  }

 protected:
  void Emit(const Row& row) { next_->OnRow(next_input_, row); }
  void Forward(std::int64_t watermark) { next_->OnWatermark(next_input_, watermark); }
  /// Reports what `runtime_.eval` holds, and clears it.
  void Report(const Columns& columns, const Row& row);
  /// Memory is over its bound and nothing can be given to the spill.
  bool IsOutOfRoom() const { return runtime_.IsOver() && (runtime_.spill == nullptr || runtime_.spill_full); }
  /// Reports a row for which there is no room; the message, for other reports.
  void Refuse(const Columns& columns, const Row& row, std::string_view what);
  std::string Refusal(std::string_view what);
  /// True, and reported, if the evaluation of this row failed.
  bool Failed(const Columns& columns, const Row& row) {
    if (!runtime_.eval.failed()) return false;
    Report(columns, row);
    return true;
  }

  Runtime& runtime_;
  std::string pump_;

 private:
  Stage* next_ = nullptr;
  std::size_t next_input_ = 0;
};

/// The least watermark of several inputs.
class JointWatermark {
 public:
  explicit JointWatermark(std::size_t inputs) : inputs_(inputs, kNoWatermark) {}
  /// True if the joint watermark moved.
  bool Set(std::size_t input, std::int64_t watermark);
  std::int64_t value() const { return value_; }
  void Save(StateWriter& out) const;
  void Load(StateReader& in);

 private:
  std::vector<std::int64_t> inputs_;
  std::int64_t value_ = kNoWatermark;
};

/// Tables that joins look up, by name; the host swaps their rows.
class ReferenceTables {
 public:
  struct Rows {
    std::vector<std::vector<Value>> rows;
    std::uint64_t version = 0;  ///< Rises with every swap.
  };
  const Rows& Of(const std::string& name) const;
  void Swap(const std::string& name, std::vector<std::vector<Value>> rows);

 private:
  std::map<std::string, Rows> tables_;
};

std::unique_ptr<Stage> MakeFilter(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeProject(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeAssignWindows(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeUnion(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeLimit(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeSort(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeWindowAggregate(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeIncreasingAggregate(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeSpanAggregate(Runtime& runtime, std::string pump, PlanNode& node);
/// The first phase of an aggregate; `number` stands for the operator in what lanes hand on.
std::unique_ptr<Stage> MakePartialAggregate(Runtime& runtime, std::string pump, PlanNode& node,
                                            std::size_t number, std::vector<std::size_t> sources);
std::unique_ptr<Stage> MakeOver(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeStreamJoin(Runtime& runtime, std::string pump, PlanNode& node);
std::unique_ptr<Stage> MakeTableJoin(Runtime& runtime, std::string pump, PlanNode& node,
                                     const ReferenceTables& tables);
std::unique_ptr<Stage> MakeTableFunction(Runtime& runtime, std::string pump, PlanNode& node);

}  // namespace honryu::sql
