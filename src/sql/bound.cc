#include "sql/bound.h"

#include "sql/cast.h"

#include <algorithm>
#include <unordered_map>

namespace honryu::sql {
namespace {

class Constant final : public Bound {
 public:
  Constant(Value value, Type of_type)
      : Bound(of_type, of_type.ToString() + "'" + ValueToText(value, of_type) + "'"),
        value_(std::move(value)) {
    constant = true;
  }
  const Value& Eval(EvalContext&) override { return value_; }

 private:
  Value value_;
};

class ColumnValue final : public Bound {
 public:
  ColumnValue(std::size_t index, Type of_type, std::string_view name)
      : Bound(of_type, "#" + std::to_string(index) + ":" + std::string(name)), index_(index) {
    only_time = false;
  }
  const Value& Eval(EvalContext& context) override { return context.values[index_]; }
  const std::size_t* AsColumn() const override { return &index_; }

 private:
  std::size_t index_;
};

class RowTime final : public Bound {
 public:
  RowTime() : Bound(TimestampType(), "ROWTIME") { is_row_time = true; }
  const Value& Eval(EvalContext& context) override {
    out_.SetInt(context.row_time);
    return out_;
  }

 private:
  Value out_;
};

class QueryStart final : public Bound {
 public:
  explicit QueryStart(Type of_type) : Bound(of_type, "CURRENT_" + of_type.ToString()) {}
  const Value& Eval(EvalContext& context) override {
    out_.SetInt(context.query_start);
    if (type != TimestampType()) CastValue(out_, TimestampType(), type, false, out_);
    return out_;
  }

 private:
  Value out_;
};

class Cast final : public Bound {
 public:
  Cast(BoundPtr operand, Type to, bool lenient, bool truncate)
      : Bound(to, "CAST(" + operand->signature + " AS " + to.ToString() + ")"),
        operand_(std::move(operand)),
        lenient_(lenient),
        truncate_(truncate) {
    constant = operand_->constant;
    only_time = operand_->only_time;
  }
  const Value& Eval(EvalContext& context) override {
    const Value& in = operand_->Eval(context);
    const CastResult result = CastValue(in, operand_->type, type, truncate_, out_);
    if (result == CastResult::kOk) return out_;
    if (!lenient_) {
      const bool overflow = result == CastResult::kOverflow;
      context.Fail(overflow ? "NumericOverflow" : "InvalidCast",
                   overflow ? "a value is too large for " + type.ToString()
                            : "a value of type " + operand_->type.ToString() + " is no " + type.ToString());
    }
    out_.SetNull();
    return out_;
  }

 private:
  BoundPtr operand_;
  bool lenient_, truncate_;
  Value out_;
};

class Call final : public Bound {
 public:
  Call(std::string_view name, FunctionBody body, bool lenient, std::vector<BoundPtr> args, Type of_type)
      : Bound(of_type, std::string(name) + "("), body_(body), lenient_(lenient), args_(std::move(args)) {
    constant = true;
    for (const BoundPtr& arg : args_) {
      signature += arg->signature + ",";
      constant = constant && arg->constant;
      only_time = only_time && arg->only_time;
    }
    signature += ")";
    values_.resize(args_.size());
  }
  const Value& Eval(EvalContext& context) override {
    for (std::size_t i = 0; i < args_.size(); ++i) {
      values_[i] = &args_[i]->Eval(context);
      if (!lenient_ && values_[i]->is_null()) {
        out_.SetNull();
        return out_;
      }
    }
    if (context.failed()) return out_;
    body_(context, values_, out_);
    return out_;
  }

 private:
  FunctionBody body_;
  bool lenient_;
  std::vector<BoundPtr> args_;
  std::vector<const Value*> values_;
  Value out_;
};

const std::unordered_map<std::string_view, const FunctionDefinition*>& Functions() {
  static const auto* const kAll = [] {
    auto* all = new std::unordered_map<std::string_view, const FunctionDefinition*>();
    for (const auto& list : {TextFunctions(), NumberFunctions(), TimeFunctions(), JsonFunctions(),
                             LogFunctions(), BitmapFunctions(), AgentFunctions()})
      for (const FunctionDefinition& function : list) all->emplace(function.name, &function);
    return all;
  }();
  return *kAll;
}

// A constant expression is evaluated once; if that fails, the error is each row's.
BoundPtr Folded(BoundPtr expr) {
  if (!expr->constant) return expr;
  EvalContext context;
  Value value = expr->Eval(context);
  if (context.failed()) return expr;
  return MakeConstant(std::move(value), expr->type);
}

}  // namespace

const FunctionDefinition* FindFunction(std::string_view name) {
  const auto found = Functions().find(name);
  return found == Functions().end() ? nullptr : found->second;
}

std::vector<std::string> FunctionNames() {
  std::vector<std::string> names;
  for (const auto& [name, function] : Functions()) names.emplace_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

BoundPtr MakeConstant(Value value, Type type) { return std::make_unique<Constant>(std::move(value), type); }
BoundPtr MakeColumn(std::size_t index, Type type, std::string_view name) {
  return std::make_unique<ColumnValue>(index, type, name);
}
BoundPtr MakeRowTime() { return std::make_unique<RowTime>(); }
BoundPtr MakeQueryStart(Type type) { return std::make_unique<QueryStart>(type); }

BoundPtr MakeCast(BoundPtr operand, Type to, bool lenient, bool truncate) {
  return Folded(std::make_unique<Cast>(std::move(operand), to, lenient, truncate));
}

BoundPtr MakeCall(const FunctionDefinition& function, std::vector<BoundPtr> args, Type type) {
  BoundPtr call =
      std::make_unique<Call>(function.name, function.body, function.lenient, std::move(args), type);
  if (function.per_call) call->constant = false;
  return Folded(std::move(call));
}

BoundPtr MakeNative(std::string_view name, FunctionBody body, bool lenient, std::vector<BoundPtr> args,
                    Type type) {
  return Folded(std::make_unique<Call>(name, body, lenient, std::move(args), type));
}

}  // namespace honryu::sql
