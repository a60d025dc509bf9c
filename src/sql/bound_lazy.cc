#include "sql/binder.h"

// Expressions that do not run all of their parts.
namespace honryu::sql {
namespace {

class Logic final : public Bound {
 public:
  /// `stop` decides at once: false for AND, true for OR.
  Logic(BoundPtr left, BoundPtr right, bool stop)
      : Bound(BooleanType(), "(" + left->signature + (stop ? " OR " : " AND ") + right->signature + ")"),
        left_(std::move(left)),
        right_(std::move(right)),
        stop_(stop) {
    constant = left_->constant && right_->constant;
    only_time = left_->only_time && right_->only_time;
  }
  const Value& Eval(EvalContext& context) override {
    const Value& left = left_->Eval(context);
    const bool unknown = left.is_null();
    if (!unknown && left.as_bool() == stop_) return left;
    if (context.failed()) return left;
    const Value& right = right_->Eval(context);
    if (!unknown || (!right.is_null() && right.as_bool() == stop_)) return right;
    return null_;
  }

 private:
  BoundPtr left_, right_;
  bool stop_;
  Value null_;
};

class CaseOf final : public Bound {
 public:
  CaseOf(std::vector<BoundPtr> parts, Type of_type, bool coalesce, bool operand)
      : Bound(of_type, coalesce  ? "COALESCE("
                       : operand ? "CASE OF("
                                 : "CASE("),
        parts_(std::move(parts)),
        coalesce_(coalesce),
        operand_(operand) {
    constant = true;
    for (const BoundPtr& part : parts_) {
      signature += part->signature + ",";
      constant = constant && part->constant;
      only_time = only_time && part->only_time;
    }
    signature += ")";
  }
  const Value& Eval(EvalContext& context) override {
    if (coalesce_) {
      for (const BoundPtr& part : parts_) {
        const Value& value = part->Eval(context);
        if (!value.is_null() || context.failed()) return value;
      }
      return null_;
    }
    std::size_t i = 0;
    const Value* operand = operand_ ? &parts_[i++]->Eval(context) : nullptr;
    for (; i + 1 < parts_.size(); i += 2) {
      const Value& test = parts_[i]->Eval(context);
      if (context.failed()) return null_;
      if (test.is_null()) continue;
      const bool holds =
          operand_ ? !operand->is_null() && CompareValues(*operand, test) == 0 : test.as_bool();
      if (holds) return parts_[i + 1]->Eval(context);
    }
    return i < parts_.size() ? parts_[i]->Eval(context) : null_;
  }

 private:
  std::vector<BoundPtr> parts_;
  bool coalesce_, operand_;
  Value null_;
};

void Not(EvalContext&, std::span<const Value* const> args, Value& out) { out.SetBool(!args[0]->as_bool()); }

}  // namespace

BoundPtr MakeAnd(BoundPtr left, BoundPtr right) {
  return std::make_unique<Logic>(std::move(left), std::move(right), false);
}
BoundPtr MakeOr(BoundPtr left, BoundPtr right) {
  return std::make_unique<Logic>(std::move(left), std::move(right), true);
}
BoundPtr MakeNot(BoundPtr operand) {
  std::vector<BoundPtr> args;
  args.push_back(std::move(operand));
  return MakeNative("NOT", Not, false, std::move(args), BooleanType());
}
BoundPtr MakeCase(std::vector<BoundPtr> parts, Type type, bool operand) {
  return std::make_unique<CaseOf>(std::move(parts), type, false, operand);
}
BoundPtr MakeCoalesce(std::vector<BoundPtr> parts, Type type) {
  return std::make_unique<CaseOf>(std::move(parts), type, true, false);
}

}  // namespace honryu::sql
