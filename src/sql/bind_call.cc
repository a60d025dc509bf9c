#include "honryu/analytics/window.h"
#include "honryu/sql/parser.h"
#include "sql/aggregate.h"
#include "sql/binder.h"
#include "sql/calendar.h"
#include "sql/cast.h"

#include <cmath>
#include <limits>

namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

TimeUnit UnitOf(const Value& value) { return static_cast<TimeUnit>(value.as_int()); }

void ExtractField(EvalContext&, Args args, Value& out) {
  out.SetInt(ExtractUnit(args[0]->as_int(), UnitOf(*args[1])));
}
void FloorTime(EvalContext&, Args args, Value& out) {
  out.SetInt(FloorToUnit(args[0]->as_int(), UnitOf(*args[1])));
}
void CeilTime(EvalContext&, Args args, Value& out) {
  out.SetInt(CeilToUnit(args[0]->as_int(), UnitOf(*args[1])));
}

void Step(EvalContext& context, Args args, Value& out) {
  if (args[1]->as_int() <= 0) return context.Fail("InvalidArgument", "STEP needs a step above 0");
  if (args[0]->as_int() < std::numeric_limits<std::int64_t>::min() + args[1]->as_int())
    return context.Fail("NumericOverflow", "STEP left the range of BIGINT");
  out.SetInt(analytics::WindowStart(args[0]->as_int(), args[1]->as_int()));
}

void TimeDifference(EvalContext& context, Args args, Value& out) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(args[0]->as_int(), args[1]->as_int(), &difference))
    return context.Fail("NumericOverflow", "a difference of times left the range of BIGINT");
  out.SetInt(difference / args[2]->as_int());
}

void FloorReal(EvalContext&, Args args, Value& out) { out.SetDouble(std::floor(args[0]->as_double())); }
void CeilReal(EvalContext&, Args args, Value& out) { out.SetDouble(std::ceil(args[0]->as_double())); }
void AbsReal(EvalContext&, Args args, Value& out) { out.SetDouble(std::fabs(args[0]->as_double())); }
void AbsWhole(EvalContext& context, Args args, Value& out) {
  if (args[0]->as_int() == std::numeric_limits<std::int64_t>::min())
    return context.Fail("NumericOverflow", "a whole number left the range of BIGINT");
  out.SetInt(args[0]->as_int() < 0 ? -args[0]->as_int() : args[0]->as_int());
}
void NullIf(EvalContext&, Args args, Value& out) {
  const bool same = !args[0]->is_null() && !args[1]->is_null() && CompareValues(*args[0], *args[1]) == 0;
  out = same ? Value() : *args[0];
}
void Greatest(EvalContext&, Args args, Value& out) {
  const Value* best = args[0];
  for (const Value* arg : args) best = CompareValues(*arg, *best) > 0 ? arg : best;
  out = *best;
}
void Least(EvalContext&, Args args, Value& out) {
  const Value* best = args[0];
  for (const Value* arg : args) best = CompareValues(*arg, *best) < 0 ? arg : best;
  out = *best;
}

BoundPtr Number(std::int64_t value) { return MakeConstant(Value::Int(value), BigIntType()); }

std::vector<BoundPtr> List(BoundPtr a, BoundPtr b) {
  std::vector<BoundPtr> list;
  list.push_back(std::move(a));
  list.push_back(std::move(b));
  return list;
}

}  // namespace

Result<BoundPtr> Binder::AsTimestamp(BoundPtr value, Position at) const {
  const Type type = value->type;
  const bool readable =
      type.Is(TypeKind::kDate) || type.Is(TypeKind::kJson) || type.IsText() || type.IsUnknown();
  if (type.Is(TypeKind::kTimestamp)) return value;
  if (!readable) return Fail(at, "expected a time, found " + type.ToString());
  return MakeCast(std::move(value), TimestampType(), false, false);
}

Result<BoundPtr> Binder::BindExtract(const Expr& expr) {
  HONRYU_TRY(BoundPtr operand, Bind(*expr.args[0]));
  if (operand->type.Is(TypeKind::kInterval) || operand->type.Is(TypeKind::kTime)) {
    return MakeNative("EXTRACT", ExtractField, false,
                      List(std::move(operand), Number(static_cast<int>(expr.unit))), BigIntType());
  }
  HONRYU_TRY(operand, AsTimestamp(std::move(operand), expr.at));
  return MakeNative("EXTRACT", ExtractField, false,
                    List(std::move(operand), Number(static_cast<int>(expr.unit))), BigIntType());
}

Result<BoundPtr> Binder::BindRound(const Expr& expr) {
  HONRYU_TRY(BoundPtr operand, Bind(*expr.args[0]));
  HONRYU_TRY(operand, AsTimestamp(std::move(operand), expr.at));
  if (expr.unit > TimeUnit::kYear) return Fail(expr.at, "times are not rounded to this unit");
  const bool floor = expr.kind == ExprKind::kFloorTo;
  return MakeNative(floor ? "FLOOR" : "CEIL", floor ? FloorTime : CeilTime, false,
                    List(std::move(operand), Number(static_cast<int>(expr.unit))), TimestampType());
}

Result<BoundPtr> Binder::BindStep(const Expr& expr) {
  HONRYU_TRY(BoundPtr operand, Bind(*expr.args[0]));
  HONRYU_TRY(BoundPtr step, Bind(*expr.args[1]));
  if (operand->type.IsInteger() && step->type.IsInteger())
    return MakeNative("STEP", Step, false, List(std::move(operand), std::move(step)), BigIntType());
  HONRYU_TRY(operand, AsTimestamp(std::move(operand), expr.at));
  if (!step->type.Is(TypeKind::kInterval)) return Fail(expr.at, "STEP of a time needs BY INTERVAL");
  EvalContext context;
  if (step->constant && step->Eval(context).as_int() <= 0)
    return Fail(expr.at, "STEP needs an interval above 0");
  return MakeNative("STEP", Step, false, List(std::move(operand), std::move(step)), TimestampType());
}

Result<BoundPtr> Binder::BindTimeDifference(const Expr& expr) {
  HONRYU_TRY(std::vector<BoundPtr> args, BindArgs(expr));
  const std::int64_t unit = TimeUnitMs(expr.unit);
  if (unit == 0) return Fail(expr.at, "a difference of times is in weeks or less");
  for (BoundPtr& arg : args) {
    HONRYU_TRY(arg, AsTimestamp(std::move(arg), expr.at));
  }
  args.push_back(Number(unit));
  return MakeNative("TIME_DIFFERENCE", TimeDifference, false, std::move(args), BigIntType());
}

Result<BoundPtr> Binder::BindSubscript(const Expr& expr) {
  HONRYU_TRY(BoundPtr value, Bind(*expr.args[0]));
  HONRYU_TRY(BoundPtr key, Bind(*expr.args[1]));
  if (!value->type.Is(TypeKind::kJson) && !value->type.IsText())
    return Fail(expr.at, "a value of type " + value->type.ToString() + " has no members");
  if (!key->type.IsText() && !key->type.IsInteger())
    return Fail(expr.at, "a member is a text or a whole number");
  return MakeCall(*FindFunction("JSON_MEMBER"), List(std::move(value), std::move(key)), JsonType());
}

Result<BoundPtr> Binder::Argument(BoundPtr value, char letter, Position at, std::string_view function) const {
  const Type type = value->type;
  const bool soft = type.Is(TypeKind::kJson) || type.IsUnknown();
  Type wanted;
  bool fits = false;
  switch (letter) {
    case 'A':
      return value;
    case 'T':
      wanted = VarcharType();
      fits = !type.IsBinary();
      break;
    case 'I':
      wanted = BigIntType();
      fits = soft || type.IsNumeric();
      break;
    case 'D':
      wanted = DoubleType();
      fits = soft || type.IsNumeric();
      break;
    case 'N':
      wanted = type.IsNumeric() ? type : DoubleType();
      fits = soft || type.IsNumeric();
      break;
    case 'X':
      if (type.IsBinary() || type.IsUnknown()) return value;
      break;
    case 'S':
      return AsTimestamp(std::move(value), at);
    case 'B':
      wanted = BooleanType();
      fits = soft || type.Is(TypeKind::kBoolean);
      break;
    case 'J':
      if (type.Is(TypeKind::kJson) || type.IsText() || type.IsUnknown()) return value;
      break;
    default:
      wanted = IntervalType();
      fits = soft || type.Is(TypeKind::kInterval);
  }
  if (!fits) return Fail(at, std::string(function) + " does not take a value of type " + type.ToString());
  if (IsSameRepresentation(type, wanted)) return value;
  return MakeCast(std::move(value), wanted, false, false);
}

// Functions whose type depends on their arguments.
Result<BoundPtr> Binder::BindTypedCall(const Expr& expr, bool* handled) {
  *handled = true;
  const std::string& name = expr.text;
  const std::size_t count = expr.args.size();
  if (name == "COALESCE" || name == "IFNULL" || name == "NVL") {
    if (count == 0) return Fail(expr.at, name + " needs arguments");
    HONRYU_TRY(std::vector<BoundPtr> args, BindArgs(expr));
    HONRYU_TRY(const Type type, Unify(args, expr.at, name));
    return MakeCoalesce(std::move(args), type);
  }
  if ((name == "NULLIF" && count == 2) || ((name == "GREATEST" || name == "LEAST") && count > 0)) {
    HONRYU_TRY(std::vector<BoundPtr> args, BindArgs(expr));
    HONRYU_TRY(const Type type, Unify(args, expr.at, name));
    const bool null_if = name == "NULLIF";
    return MakeNative(name,
                      null_if           ? NullIf
                      : name == "LEAST" ? Least
                                        : Greatest,
                      null_if, std::move(args), type);
  }
  if (name == "IF" && count == 3) {
    HONRYU_TRY(BoundPtr condition, BindBoolean(*expr.args[0]));
    HONRYU_TRY(std::vector<BoundPtr> values, BindArgs(expr, 1));
    HONRYU_TRY(const Type type, Unify(values, expr.at, name));
    values.insert(values.begin(), std::move(condition));
    return MakeCase(std::move(values), type);
  }
  if ((name == "FLOOR" || name == "CEIL" || name == "ABS") && count == 1) {
    HONRYU_TRY(BoundPtr value, Bind(*expr.args[0]));
    HONRYU_TRY(value, Argument(std::move(value), 'N', expr.at, name));
    if (value->type.IsDecimal() && name != "ABS")
      value = MakeCast(std::move(value), DoubleType(), false, false);
    const Type type = value->type;
    if (type.IsInteger() && name != "ABS") return value;
    const FunctionBody body = name == "FLOOR" ? FloorReal : name == "CEIL" ? CeilReal : AbsReal;
    std::vector<BoundPtr> args;
    args.push_back(std::move(value));
    return MakeNative(name, type.IsFloat() ? body : AbsWhole, false, std::move(args), type);
  }
  if (name == "MOD" && count == 2) {
    HONRYU_TRY(BoundPtr left, Bind(*expr.args[0]));
    HONRYU_TRY(BoundPtr right, Bind(*expr.args[1]));
    Expr modulo;
    modulo.op = Operator::kModulo;
    modulo.at = expr.at;
    return BindArithmetic(modulo, std::move(left), std::move(right));
  }
  if (name == "MONOTONIC" && count == 1) return Bind(*expr.args[0]);
  if (name == "CURRENT_ROW_TIMESTAMP" && count == 0) return MakeRowTime();
  if ((name == "NOW" || name == "CURRENT_TIMESTAMP") && count == 0) return MakeQueryStart(TimestampType());
  if (name == "DATE_BIN" && count >= 2) {  // date_bin('1 minute', ts)
    HONRYU_TRY(BoundPtr value, Bind(*expr.args[1]));
    HONRYU_TRY(value, AsTimestamp(std::move(value), expr.at));
    std::int64_t step = expr.args[0]->interval.ms;
    if (expr.args[0]->kind == ExprKind::kLiteral) {
      const auto parsed = ParseExpression("INTERVAL '" + expr.args[0]->text + "'");
      if (parsed.ok()) step = (*parsed)->interval.ms;
    }
    if (step <= 0) return Fail(expr.at, "DATE_BIN needs an interval above 0");
    return MakeNative("STEP", Step, false,
                      List(std::move(value), MakeConstant(Value::Int(step), IntervalType())),
                      TimestampType());
  }
  if (name == "SUBSTRING" && count == 2) {  // SUBSTRING(s FROM 'regex')
    HONRYU_TRY(std::vector<BoundPtr> args, BindArgs(expr));
    if (args[1]->type.IsText()) {
      HONRYU_TRY(args[0], Argument(std::move(args[0]), 'T', expr.at, name));
      return MakeCall(*FindFunction("SUBSTRING_REGEX"), std::move(args), VarcharType());
    }
  }
  *handled = false;
  return BoundPtr();
}

Result<BoundPtr> Binder::BindCall(const Expr& expr) {
  if (expr.over) return Fail(expr.at, expr.text + " OVER (…) may only stand in a select list");
  if (IsAggregateName(expr.text)) return Fail(expr.at, "the aggregate " + expr.text + " may not stand here");
  if (expr.distinct || expr.filter) return Fail(expr.at, expr.text + " is no aggregate");
  bool handled = false;
  HONRYU_TRY(BoundPtr typed, BindTypedCall(expr, &handled));
  if (handled) return typed;
  const FunctionDefinition* function = FindFunction(expr.text);
  if (function == nullptr) {
    std::vector<std::string> names = FunctionNames();
    for (const std::string_view more :
         {"COALESCE", "NULLIF", "GREATEST", "LEAST", "ABS", "MOD", "FLOOR", "CEIL"})
      names.emplace_back(more);
    for (std::string& aggregate : AggregateNames()) names.push_back(std::move(aggregate));
    return Fail(expr.at, "unknown function '" + expr.text + "'", NearestName(expr.text, names));
  }
  HONRYU_TRY(std::vector<BoundPtr> args, BindArgs(expr));
  std::size_t used = 0;
  const std::string_view signature = function->signature;
  std::size_t at = 0;
  Type first;
  while (signature[at] != ':') {
    const char letter = signature[at++];
    const bool optional = signature[at] == '?', many = signature[at] == '*';
    if (optional || many) ++at;
    do {
      if (used == args.size()) {
        if (!optional && !many) return Fail(expr.at, expr.text + " needs more arguments");
        break;
      }
      HONRYU_TRY(args[used], Argument(std::move(args[used]), letter, expr.args[used]->at, expr.text));
      if (used++ == 0) first = args[0]->type;
    } while (many);
  }
  if (used < args.size()) return Fail(expr.args[used]->at, expr.text + " has too many arguments");
  Type type = first;
  switch (signature[at + 1]) {
    case 'T':
      type = VarcharType();
      break;
    case 'I':
      type = BigIntType();
      break;
    case 'D':
      type = DoubleType();
      break;
    case 'S':
      type = TimestampType();
      break;
    case 'B':
      type = BooleanType();
      break;
    case 'J':
      type = JsonType();
      break;
    case 'X':
      type = {TypeKind::kVarbinary};
      break;
    default:
      break;
  }
  return MakeCall(*function, std::move(args), type);
}

}  // namespace honryu::sql
