#include "honryu/sql/parser.h"
#include "sql/binder.h"
#include "sql/calendar.h"
#include "sql/cast.h"

#include <cmath>
#include <limits>

namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

void Overflow(EvalContext& context) {
  context.Fail("NumericOverflow", "a whole number left the range of BIGINT");
}

void SetReal(EvalContext& context, double value, Value& out) {
  if (!std::isfinite(value)) context.Fail("NumericOverflow", "a result is no finite number");
  out.SetDouble(value);
}

template <Operator kOp>
void Whole(EvalContext& context, Args args, Value& out) {
  const std::int64_t a = args[0]->as_int(), b = args[1]->as_int();
  std::int64_t result = 0;
  bool overflow = false;
  if constexpr (kOp == Operator::kAdd) overflow = __builtin_add_overflow(a, b, &result);
  if constexpr (kOp == Operator::kSubtract) overflow = __builtin_sub_overflow(a, b, &result);
  if constexpr (kOp == Operator::kMultiply) overflow = __builtin_mul_overflow(a, b, &result);
  if constexpr (kOp == Operator::kDivide || kOp == Operator::kModulo) {
    if (b == 0) return context.Fail("DivisionByZero", "division by zero");
    overflow = a == std::numeric_limits<std::int64_t>::min() && b == -1;
    if (!overflow) result = kOp == Operator::kDivide ? a / b : a % b;
  }
  if (overflow) return Overflow(context);
  out.SetInt(result);
}

template <Operator kOp>
void Real(EvalContext& context, Args args, Value& out) {
  const double a = args[0]->as_double(), b = args[1]->as_double();
  if constexpr (kOp == Operator::kAdd) SetReal(context, a + b, out);
  if constexpr (kOp == Operator::kSubtract) SetReal(context, a - b, out);
  if constexpr (kOp == Operator::kMultiply) SetReal(context, a * b, out);
  if constexpr (kOp == Operator::kDivide || kOp == Operator::kModulo) {
    if (b == 0) return context.Fail("DivisionByZero", "division by zero");
    SetReal(context, kOp == Operator::kDivide ? a / b : std::fmod(a, b), out);
  }
}

template <Operator kOp>
int Truth(int order) {
  if constexpr (kOp == Operator::kEqual) return order == 0;
  if constexpr (kOp == Operator::kNotEqual) return order != 0;
  if constexpr (kOp == Operator::kLess) return order < 0;
  if constexpr (kOp == Operator::kLessEqual) return order <= 0;
  if constexpr (kOp == Operator::kGreater) return order > 0;
  return order >= 0;
}

template <Operator kOp>
void CompareAny(EvalContext&, Args args, Value& out) {
  out.SetBool(Truth<kOp>(CompareValues(*args[0], *args[1])) != 0);
}

FunctionBody WholeBody(Operator op) {
  switch (op) {
    case Operator::kAdd:
      return Whole<Operator::kAdd>;
    case Operator::kSubtract:
      return Whole<Operator::kSubtract>;
    case Operator::kMultiply:
      return Whole<Operator::kMultiply>;
    case Operator::kDivide:
      return Whole<Operator::kDivide>;
    default:
      return Whole<Operator::kModulo>;
  }
}

FunctionBody RealBody(Operator op) {
  switch (op) {
    case Operator::kAdd:
      return Real<Operator::kAdd>;
    case Operator::kSubtract:
      return Real<Operator::kSubtract>;
    case Operator::kMultiply:
      return Real<Operator::kMultiply>;
    case Operator::kDivide:
      return Real<Operator::kDivide>;
    default:
      return Real<Operator::kModulo>;
  }
}

FunctionBody CompareBody(Operator op) {
  switch (op) {
    case Operator::kEqual:
      return CompareAny<Operator::kEqual>;
    case Operator::kNotEqual:
      return CompareAny<Operator::kNotEqual>;
    case Operator::kLess:
      return CompareAny<Operator::kLess>;
    case Operator::kLessEqual:
      return CompareAny<Operator::kLessEqual>;
    case Operator::kGreater:
      return CompareAny<Operator::kGreater>;
    default:
      return CompareAny<Operator::kGreaterEqual>;
  }
}

std::string_view OperatorName(Operator op) {
  constexpr std::string_view kNames[] = {"OR", "AND", "NOT", "=", "<>", "<", "<=", ">",
                                         ">=", "||",  "+",   "-", "*",  "/", "%",  "-"};
  return kNames[static_cast<std::size_t>(op)];
}

void Concatenate(EvalContext&, Args args, Value& out) {
  std::string text = args[0]->text();
  text += args[1]->text();
  out.SetText(text);
}

void NegateWhole(EvalContext& context, Args args, Value& out) {
  if (args[0]->as_int() == std::numeric_limits<std::int64_t>::min()) return Overflow(context);
  out.SetInt(-args[0]->as_int());
}

void NegateReal(EvalContext&, Args args, Value& out) { out.SetDouble(-args[0]->as_double()); }

void ShiftMonths(EvalContext&, Args args, Value& out) {
  out.SetInt(AddMonths(args[0]->as_int(), args[1]->as_int()));
}

std::vector<BoundPtr> Pair(BoundPtr left, BoundPtr right) {
  std::vector<BoundPtr> args;
  args.push_back(std::move(left));
  args.push_back(std::move(right));
  return args;
}

BoundPtr To(BoundPtr value, const Type& type) {
  if (IsSameRepresentation(value->type, type)) return value;
  return MakeCast(std::move(value), type, false, false);
}

bool IsMoment(const Type& type) { return type.Is(TypeKind::kTimestamp) || type.Is(TypeKind::kDate); }

}  // namespace

std::optional<Type> CommonType(const Bound& a, const Bound& b) {
  const Type &x = a.type, &y = b.type;
  if (x.IsUnknown()) return y;
  if (y.IsUnknown()) return x;
  if (x.IsNumeric() && y.IsNumeric()) {
    if (x.IsFloat() || y.IsFloat()) return DoubleType();
    if (x.IsDecimal() || y.IsDecimal())
      return Type{TypeKind::kDecimal, kMaxScale,
                  std::max(x.IsDecimal() ? x.scale : 0, y.IsDecimal() ? y.scale : 0)};
    return BigIntType();
  }
  if (x.IsText() && y.IsText()) return VarcharType();
  if (x.IsBinary() && y.IsBinary()) return Type{TypeKind::kVarbinary};
  if (x.kind == y.kind && !x.Is(TypeKind::kJson)) return x;
  if (x.Is(TypeKind::kJson)) return y.Is(TypeKind::kJson) ? VarcharType() : y;
  if (y.Is(TypeKind::kJson)) return x;
  if (IsMoment(x) && IsMoment(y)) return TimestampType();
  // A text beside a time is one; a text that stands in the program may be anything.
  if (x.IsText() && (y.IsTemporal() || a.constant)) return y.Is(TypeKind::kDate) ? TimestampType() : y;
  if (y.IsText() && (x.IsTemporal() || b.constant)) return x.Is(TypeKind::kDate) ? TimestampType() : x;
  return {};
}

Result<Type> Binder::Unify(std::vector<BoundPtr>& values, Position at, std::string_view what) {
  Type type;
  for (const BoundPtr& value : values) {
    const BoundPtr seen = MakeConstant(Value(), type);
    const std::optional<Type> common = CommonType(*seen, *value);
    if (!common.has_value())
      return Fail(at, std::string(what) + " has values of types " + type.ToString() + " and " +
                          value->type.ToString());
    // Texts keep their length only if all have the same.
    type = value->type == type || type.IsUnknown() ? value->type : *common;
  }
  for (BoundPtr& value : values) value = To(std::move(value), type);
  return type;
}

Result<BoundPtr> Binder::Compare(Operator op, BoundPtr left, BoundPtr right, Position at) {
  const std::optional<Type> type = CommonType(*left, *right);
  if (!type.has_value())
    return Fail(at, "cannot compare " + left->type.ToString() + " with " + right->type.ToString());
  left = To(std::move(left), *type);
  right = To(std::move(right), *type);
  return MakeNative(OperatorName(op), CompareBody(op), false, Pair(std::move(left), std::move(right)),
                    BooleanType());
}

Result<BoundPtr> Binder::BindUnary(const Expr& expr) {
  if (expr.op == Operator::kNot) {
    HONRYU_TRY(BoundPtr condition, BindBoolean(*expr.args[0]));
    return MakeNot(std::move(condition));
  }
  HONRYU_TRY(BoundPtr operand, Bind(*expr.args[0]));
  if (operand->type.Is(TypeKind::kJson)) operand = MakeCast(std::move(operand), DoubleType(), false, false);
  const Type type = operand->type.IsInteger() ? BigIntType()
                    : operand->type.IsFloat() ? DoubleType()
                                              : operand->type;
  if (!type.IsNumeric() && !type.Is(TypeKind::kInterval) && !type.IsUnknown())
    return Fail(expr.at, "cannot negate a value of type " + type.ToString());
  std::vector<BoundPtr> args;
  args.push_back(std::move(operand));
  return MakeNative("NEGATE", type.IsFloat() ? NegateReal : NegateWhole, false, std::move(args), type);
}

Result<BoundPtr> Binder::BindBinary(const Expr& expr) {
  if (expr.op == Operator::kAnd || expr.op == Operator::kOr) {
    HONRYU_TRY(BoundPtr left, BindBoolean(*expr.args[0]));
    HONRYU_TRY(BoundPtr right, BindBoolean(*expr.args[1]));
    return expr.op == Operator::kAnd ? MakeAnd(std::move(left), std::move(right))
                                     : MakeOr(std::move(left), std::move(right));
  }
  HONRYU_TRY(BoundPtr left, Bind(*expr.args[0]));
  const Expr& other = *expr.args[1];
  if (other.kind == ExprKind::kInterval && other.interval.months != 0) {
    if (!IsMoment(left->type) || (expr.op != Operator::kAdd && expr.op != Operator::kSubtract))
      return Fail(other.at, "an interval of months stands only behind + or - of a time");
    const Type type = left->type;
    const std::int64_t months = expr.op == Operator::kAdd ? other.interval.months : -other.interval.months;
    return MakeNative("ADD_MONTHS", ShiftMonths, false,
                      Pair(std::move(left), MakeConstant(Value::Int(months), BigIntType())), type);
  }
  HONRYU_TRY(BoundPtr right, Bind(other));
  if (expr.op >= Operator::kEqual && expr.op <= Operator::kGreaterEqual)
    return Compare(expr.op, std::move(left), std::move(right), expr.at);
  if (expr.op == Operator::kConcat) {
    if (left->type.IsBinary() || right->type.IsBinary()) return Fail(expr.at, "|| is not for binaries");
    left = To(std::move(left), VarcharType());
    right = To(std::move(right), VarcharType());
    return MakeNative("||", Concatenate, false, Pair(std::move(left), std::move(right)), VarcharType());
  }
  return BindArithmetic(expr, std::move(left), std::move(right));
}

Result<BoundPtr> Binder::BindArithmetic(const Expr& expr, BoundPtr left, BoundPtr right) {
  const auto is_time = [](const Type& type) { return type.IsTemporal() || type.Is(TypeKind::kInterval); };
  if (is_time(left->type) || is_time(right->type))
    return BindTimeArithmetic(expr, std::move(left), std::move(right));
  for (BoundPtr* side : {&left, &right}) {
    if ((*side)->type.Is(TypeKind::kJson)) *side = MakeCast(std::move(*side), DoubleType(), false, false);
    if (!(*side)->type.IsNumeric() && !(*side)->type.IsUnknown())
      return Fail(expr.at,
                  std::string(OperatorName(expr.op)) + " needs numbers, found " + (*side)->type.ToString());
  }
  const Type a = left->type, b = right->type;
  const bool divide = expr.op == Operator::kDivide || expr.op == Operator::kModulo;
  if (a.IsFloat() || b.IsFloat() || ((a.IsDecimal() || b.IsDecimal()) && divide)) {
    left = To(std::move(left), DoubleType());
    right = To(std::move(right), DoubleType());
    return MakeNative(OperatorName(expr.op), RealBody(expr.op), false,
                      Pair(std::move(left), std::move(right)), DoubleType());
  }
  Type type = BigIntType();
  if (a.IsDecimal() || b.IsDecimal()) {
    const int x = a.IsDecimal() ? a.scale : 0, y = b.IsDecimal() ? b.scale : 0;
    type = {TypeKind::kDecimal, kMaxScale, expr.op == Operator::kMultiply ? x + y : std::max(x, y)};
    if (type.scale > kMaxScale)
      return Fail(expr.at, "a product would have more than 18 digits behind the point");
    if (expr.op != Operator::kMultiply) {
      left = To(std::move(left), type);
      right = To(std::move(right), type);
    }
  }
  return MakeNative(OperatorName(expr.op), WholeBody(expr.op), false, Pair(std::move(left), std::move(right)),
                    type);
}

// time ± interval, time - time, interval ± interval, interval * number, interval / number
Result<BoundPtr> Binder::BindTimeArithmetic(const Expr& expr, BoundPtr left, BoundPtr right) {
  const Type a = left->type, b = right->type;
  const bool add = expr.op == Operator::kAdd, subtract = expr.op == Operator::kSubtract;
  const bool scale = expr.op == Operator::kMultiply || expr.op == Operator::kDivide;
  std::optional<Type> type;
  if (a.IsTemporal() && b.Is(TypeKind::kInterval) && (add || subtract))
    type = a.Is(TypeKind::kDate) ? TimestampType() : a;
  if (a.Is(TypeKind::kInterval) && b.IsTemporal() && add) type = b.Is(TypeKind::kDate) ? TimestampType() : b;
  if (a.IsTemporal() && b.IsTemporal() && subtract) type = IntervalType();
  if (a.Is(TypeKind::kInterval) && b.Is(TypeKind::kInterval) && (add || subtract)) type = a;
  if (a.Is(TypeKind::kInterval) && b.IsInteger() && scale) type = a;
  if (a.IsInteger() && b.Is(TypeKind::kInterval) && expr.op == Operator::kMultiply) type = b;
  if (!type.has_value())
    return Fail(expr.at, std::string(OperatorName(expr.op)) + " does not go with " + a.ToString() + " and " +
                             b.ToString());
  return MakeNative(OperatorName(expr.op), WholeBody(expr.op), false, Pair(std::move(left), std::move(right)),
                    *type);
}

}  // namespace honryu::sql
