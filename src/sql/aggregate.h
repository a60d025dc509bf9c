#pragma once

#include "sql/binder.h"
#include "sql/state_io.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// State that does not fit into a Slot.
class Heavy {
 public:
  virtual ~Heavy() = default;
  /// Memory, roughly.
  virtual std::size_t Bytes() const = 0;
};

/// One aggregate's state for one group: what the common ones need lies here and costs no allocation.
struct Slot {
  std::int64_t count = 0;
  union {
    std::int64_t whole = 0;
    double real;
  };
  std::unique_ptr<Heavy> heavy;
};

/// An aggregate function: how a Slot takes rows, joins with another and gives a result. Has no state of its
/// own.
class Aggregate {
 public:
  using Args = std::span<const Value* const>;
  virtual ~Aggregate() = default;
  /// `args`: one row's; the first is not NULL unless TakesNulls(). `time`: the row's.
  virtual void Add(Slot& slot, Args args, std::int64_t time, EvalContext& context) const = 0;
  /// `into` then stands for its own rows and those of `other`.
  virtual void Merge(Slot& into, const Slot& other, EvalContext& context) const = 0;
  virtual void Result(const Slot& slot, Value& out) const = 0;
  virtual void Save(const Slot& slot, StateWriter& out) const;
  virtual void Load(Slot& slot, StateReader& in) const;
  virtual bool TakesNulls() const { return false; }
};

/// An aggregate as it stands in a query.
struct AggregateCall {
  std::unique_ptr<Aggregate> aggregate;
  std::vector<BoundPtr> args;
  BoundPtr filter;
  Type type;
  std::string signature;
  std::string text;  ///< For EXPLAIN.

  /// Evaluates the arguments against `context` and adds them.
  void Add(Slot& slot, EvalContext& context);
  /// The row's arguments, if the row counts at all.
  bool Evaluate(EvalContext& context);
  const std::vector<const Value*>& values() const { return values_; }

 private:
  std::vector<const Value*> values_;
};

bool IsAggregateName(std::string_view upper_case_name);
std::vector<std::string> AggregateNames();
/// `binder` sees the rows that are aggregated.
Result<AggregateCall> BindAggregate(Binder& binder, const Expr& expr);

/// A function name with its bound arguments, for the factories below.
struct AggregateRequest {
  std::string_view name;
  const std::vector<BoundPtr>& args;
  bool distinct = false;
  std::string error;  ///< Set by a factory that knows the name but not these arguments.
  Type type;          ///< Set by the factory.
  /// A constant whole number or number among the arguments.
  std::optional<double> ConstantNumber(std::size_t index) const;
};
/// Each gives nullptr for names that it does not know.
std::unique_ptr<Aggregate> MakeBasicAggregate(AggregateRequest& request);
std::unique_ptr<Aggregate> MakeStatisticAggregate(AggregateRequest& request);
std::unique_ptr<Aggregate> MakeSketchAggregate(AggregateRequest& request);
std::unique_ptr<Aggregate> MakeFunnelAggregate(AggregateRequest& request);
std::unique_ptr<Aggregate> MakeBitmapAggregate(AggregateRequest& request);
/// Gives each different value to `inner`, which takes one argument, once.
std::unique_ptr<Aggregate> MakeDistinctAggregate(std::unique_ptr<Aggregate> inner);

}  // namespace honryu::sql
