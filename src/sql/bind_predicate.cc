#include "sql/binder.h"
#include "sql/cast.h"

namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

void IsNull(EvalContext&, Args args, Value& out) { out.SetBool(args[0]->is_null()); }
void IsTrue(EvalContext&, Args args, Value& out) { out.SetBool(!args[0]->is_null() && args[0]->as_bool()); }
void IsFalse(EvalContext&, Args args, Value& out) { out.SetBool(!args[0]->is_null() && !args[0]->as_bool()); }
void IsDistinct(EvalContext&, Args args, Value& out) { out.SetBool(CompareValues(*args[0], *args[1]) != 0); }

// NULL if nothing equals and one of the items is NULL.
void In(EvalContext&, Args args, Value& out) {
  bool unknown = args[0]->is_null();
  for (std::size_t i = 1; i < args.size(); ++i) {
    unknown = unknown || args[i]->is_null();
    if (!args[0]->is_null() && !args[i]->is_null() && CompareValues(*args[0], *args[i]) == 0)
      return out.SetBool(true);
  }
  if (unknown) return out.SetNull();
  out.SetBool(false);
}

// value >= low AND value <= high, of three values.
void Between(EvalContext&, Args args, Value& out) {
  const auto order = [&](std::size_t i) -> std::optional<int> {
    if (args[0]->is_null() || args[i]->is_null()) return {};
    return CompareValues(*args[0], *args[i]);
  };
  const std::optional<int> low = order(1), high = order(2);
  if ((low.has_value() && *low < 0) || (high.has_value() && *high > 0)) return out.SetBool(false);
  if (!low.has_value() || !high.has_value()) return out.SetNull();
  out.SetBool(true);
}

char EscapeOf(Args args) { return args.size() > 2 && !args[2]->text().empty() ? args[2]->text()[0] : '\0'; }

void Like(EvalContext&, Args args, Value& out) {
  out.SetBool(MatchesLike(args[0]->text(), args[1]->text(), EscapeOf(args)));
}

void Similar(EvalContext& context, Args args, Value& out) {
  const char escape = args.size() > 2 ? EscapeOf(args) : '\\';
  const Regex* regex = context.regexes.Get(args[1]->text(), true, escape);
  if (regex == nullptr)
    return context.Fail("InvalidRegex", "this is no pattern of SIMILAR TO: '" + args[1]->text() + "'");
  out.SetBool(regex->MatchesAll(args[0]->text()));
}

BoundPtr Negated(BoundPtr condition, bool negated) {
  return negated ? MakeNot(std::move(condition)) : std::move(condition);
}

}  // namespace

Result<BoundPtr> Binder::BindIs(const Expr& expr) {
  if (expr.kind == ExprKind::kIsDistinct) {
    HONRYU_TRY(std::vector<BoundPtr> sides, BindArgs(expr));
    HONRYU_TRY_VOID(Unify(sides, expr.at, "IS DISTINCT FROM"));
    return Negated(MakeNative("DISTINCT", IsDistinct, true, std::move(sides), BooleanType()), expr.negated);
  }
  std::vector<BoundPtr> args;
  if (expr.kind == ExprKind::kIsNull) {
    HONRYU_TRY(BoundPtr operand, Bind(*expr.args[0]));
    args.push_back(std::move(operand));
    return Negated(MakeNative("IS NULL", IsNull, true, std::move(args), BooleanType()), expr.negated);
  }
  HONRYU_TRY(BoundPtr operand, BindBoolean(*expr.args[0]));
  args.push_back(std::move(operand));
  const bool truth = expr.kind == ExprKind::kIsTrue;
  return Negated(MakeNative(truth ? "IS TRUE" : "IS FALSE", truth ? IsTrue : IsFalse, true, std::move(args),
                            BooleanType()),
                 expr.negated);
}

Result<BoundPtr> Binder::BindIn(const Expr& expr) {
  HONRYU_TRY(std::vector<BoundPtr> values, BindArgs(expr));
  HONRYU_TRY_VOID(Unify(values, expr.at, "IN"));
  return Negated(MakeNative("IN", In, true, std::move(values), BooleanType()), expr.negated);
}

Result<BoundPtr> Binder::BindBetween(const Expr& expr) {
  HONRYU_TRY(std::vector<BoundPtr> values, BindArgs(expr));
  HONRYU_TRY_VOID(Unify(values, expr.at, "BETWEEN"));
  return Negated(MakeNative("BETWEEN", Between, true, std::move(values), BooleanType()), expr.negated);
}

Result<BoundPtr> Binder::BindLike(const Expr& expr) {
  HONRYU_TRY(std::vector<BoundPtr> args, BindArgs(expr));
  for (BoundPtr& arg : args) {
    if (!arg->type.IsText() && !arg->type.Is(TypeKind::kJson) && !arg->type.IsUnknown())
      return Fail(expr.at, "LIKE and SIMILAR TO need texts, found " + arg->type.ToString());
    if (!arg->type.IsText()) arg = MakeCast(std::move(arg), VarcharType(), false, false);
  }
  const bool like = expr.kind == ExprKind::kLike;
  return Negated(
      MakeNative(like ? "LIKE" : "SIMILAR", like ? Like : Similar, false, std::move(args), BooleanType()),
      expr.negated);
}

Result<BoundPtr> Binder::BindCase(const Expr& expr) {
  std::vector<BoundPtr> tests, values;  // with an operand, that is the first of the tests
  const std::size_t from = expr.has_operand ? 1 : 0;
  const std::size_t end = expr.args.size() - (expr.has_else ? 1 : 0);
  if (expr.has_operand) {
    HONRYU_TRY(BoundPtr operand, Bind(*expr.args[0]));
    tests.push_back(std::move(operand));
  }
  for (std::size_t i = from; i + 1 < end; i += 2) {
    HONRYU_TRY(BoundPtr test, expr.has_operand ? Bind(*expr.args[i]) : BindBoolean(*expr.args[i]));
    tests.push_back(std::move(test));
    HONRYU_TRY(BoundPtr value, Bind(*expr.args[i + 1]));
    values.push_back(std::move(value));
  }
  if (expr.has_else) {
    HONRYU_TRY(BoundPtr value, Bind(*expr.args.back()));
    values.push_back(std::move(value));
  }
  if (expr.has_operand) {
    HONRYU_TRY_VOID(Unify(tests, expr.at, "CASE"));
  }
  HONRYU_TRY(const Type type, Unify(values, expr.at, "CASE"));
  std::vector<BoundPtr> parts;
  if (expr.has_operand) parts.push_back(std::move(tests[0]));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (from + i < tests.size()) parts.push_back(std::move(tests[from + i]));
    parts.push_back(std::move(values[i]));
  }
  return MakeCase(std::move(parts), type, expr.has_operand);
}

}  // namespace honryu::sql
