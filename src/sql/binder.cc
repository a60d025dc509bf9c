#include "sql/binder.h"

#include "honryu/sql/parser.h"
#include "sql/cast.h"
#include "sql/lexer.h"

#include <algorithm>

namespace honryu::sql {
Columns Scope::ToColumns() const {
  Columns out;
  for (const ScopeColumn& column : columns)
    out.push_back({column.hidden ? std::string() : column.name, column.type, column.not_null});
  return out;
}

Error Binder::Fail(Position at, std::string_view message, std::string_view hint) const {
  return Error(ErrorCode::kInvalidArgument, RenderError(text_, at, message, hint));
}

Result<BoundPtr> Binder::Bind(const Expr& expr) {
  if (hook_) {
    HONRYU_TRY(BoundPtr hooked, hook_(expr));
    if (hooked) return hooked;
  }
  switch (expr.kind) {
    case ExprKind::kLiteral:
      return BindLiteral(expr);
    case ExprKind::kInterval:
      if (expr.interval.months != 0)
        return Fail(expr.at, "an interval of months stands only behind + or - of a time");
      return MakeConstant(Value::Int(expr.interval.ms), IntervalType());
    case ExprKind::kColumn:
      return BindColumn(expr);
    case ExprKind::kUnary:
      return BindUnary(expr);
    case ExprKind::kBinary:
      return BindBinary(expr);
    case ExprKind::kCall:
      return BindCall(expr);
    case ExprKind::kCase:
      return BindCase(expr);
    case ExprKind::kCast: {
      HONRYU_TRY(BoundPtr operand, Bind(*expr.args[0]));
      if (!CanCast(operand->type, expr.type))
        return Fail(expr.at, "cannot cast " + operand->type.ToString() + " to " + expr.type.ToString());
      if (IsSameRepresentation(operand->type, expr.type) && !operand->type.IsUnknown() &&
          operand->type.kind == expr.type.kind)
        return operand;
      return MakeCast(std::move(operand), expr.type, expr.negated, expr.type.IsText());
    }
    case ExprKind::kExtract:
      return BindExtract(expr);
    case ExprKind::kFloorTo:
    case ExprKind::kCeilTo:
      return BindRound(expr);
    case ExprKind::kStepBy:
      return BindStep(expr);
    case ExprKind::kTimeDifference:
      return BindTimeDifference(expr);
    case ExprKind::kIsNull:
    case ExprKind::kIsTrue:
    case ExprKind::kIsFalse:
    case ExprKind::kIsDistinct:
      return BindIs(expr);
    case ExprKind::kIn:
      return BindIn(expr);
    case ExprKind::kBetween:
      return BindBetween(expr);
    case ExprKind::kLike:
    case ExprKind::kSimilar:
      return BindLike(expr);
    case ExprKind::kSubscript:
      return BindSubscript(expr);
    case ExprKind::kStar:
      return Fail(expr.at, "* may only stand alone in a select list, or in COUNT(*)");
    case ExprKind::kCursor:
    case ExprKind::kTable:
    case ExprKind::kDescriptor:
      break;
  }
  return Fail(expr.at, "this may only be an argument of a table function");
}

Result<BoundPtr> Binder::BindBoolean(const Expr& expr) {
  HONRYU_TRY(BoundPtr bound, Bind(expr));
  if (bound->type.Is(TypeKind::kJson)) return MakeCast(std::move(bound), BooleanType(), false, false);
  if (!bound->type.Is(TypeKind::kBoolean) && !bound->type.IsUnknown())
    return Fail(expr.at, "expected a condition, found a value of type " + bound->type.ToString());
  return bound;
}

Result<BoundPtr> Binder::Assign(BoundPtr value, const Type& type, Position at, std::string_view what,
                                bool truncate) const {
  if (!CanAssign(value->type, type))
    return Fail(at, std::string(what) + " is " + type.ToString() + ", this is " + value->type.ToString());
  if (IsSameRepresentation(value->type, type)) return value;
  return MakeCast(std::move(value), type, false, truncate);
}

Result<std::optional<std::pair<std::size_t, std::size_t>>> Binder::Resolve(const Path& path) const {
  using Found = std::optional<std::pair<std::size_t, std::size_t>>;
  // Exact names first; then, for unquoted ones, in any case if only one fits.
  for (const bool exact : {true, false}) {
    const auto same = [&](const Name& name, const std::string& known) {
      return exact ? name.Folded() == known : !name.quoted && UpperCase(known) == name.Folded();
    };
    for (const std::size_t parts : {std::size_t{2}, std::size_t{1}}) {
      if (path.size() < parts) continue;
      Found found;
      bool several = false;
      for (std::size_t i = 0; i < scope_.columns.size(); ++i) {
        const ScopeColumn& column = scope_.columns[i];
        if (!same(path[parts - 1], column.name)) continue;
        if (parts == 2 &&
            (column.qualifier.empty() || (path[0].Folded() != column.qualifier &&
                                          UpperCase(path[0].text) != UpperCase(column.qualifier))))
          continue;
        if (found.has_value() && scope_.columns[found->first].hidden && column.hidden) continue;
        if (found.has_value() && column.hidden) continue;
        several = found.has_value() && !scope_.columns[found->first].hidden;
        if (several) break;
        found = std::make_pair(i, parts);
      }
      if (several)
        return Fail(path[0].at, "column '" + path[parts - 1].text + "' is ambiguous: say of which source");
      if (found.has_value()) return found;
    }
  }
  return Found();
}

Result<BoundPtr> Binder::BindColumn(const Expr& expr) {
  HONRYU_TRY(const auto found, Resolve(expr.path));
  const Name& last = expr.path.back();
  if (!found.has_value()) {
    const std::string upper = UpperCase(last.text);
    if (!last.quoted || upper == last.text) {
      if (upper == "ROWTIME") return MakeRowTime();
      if (expr.path.size() == 1) {
        if (upper == "CURRENT_ROW_TIMESTAMP") return MakeRowTime();
        if (upper == "CURRENT_TIMESTAMP" || upper == "LOCALTIMESTAMP") return MakeQueryStart(TimestampType());
        if (upper == "CURRENT_DATE") return MakeQueryStart(DateType());
        if (upper == "CURRENT_TIME" || upper == "LOCALTIME") return MakeQueryStart({TypeKind::kTime});
      }
    }
    std::vector<std::string> names;
    for (const ScopeColumn& column : scope_.columns) names.push_back(column.name);
    const std::string hint = NearestName(last.text, names);
    return Fail(expr.at, "unknown column '" + last.text + "'", hint.empty() ? "" : "'" + hint + "'");
  }
  const auto [place, used] = *found;
  const ScopeColumn& column = scope_.columns[place];
  BoundPtr bound;
  if (column.used != nullptr) *column.used = 1;
  if (column.row_time && column.type == TimestampType()) {
    bound = MakeRowTime();
  } else {
    bound = MakeColumn(column.index, column.type, column.name);
  }
  for (std::size_t i = used; i < expr.path.size(); ++i) {  // t.r."A": a member of a row
    if (!column.type.Is(TypeKind::kJson))
      return Fail(expr.path[i].at,
                  "column '" + column.name + "' of type " + column.type.ToString() + " has no members");
    std::vector<BoundPtr> args;
    args.push_back(std::move(bound));
    args.push_back(MakeConstant(Value::Text(expr.path[i].Folded()), VarcharType()));
    const FunctionDefinition* member = FindFunction("JSON_MEMBER");
    bound = MakeCall(*member, std::move(args), JsonType());
  }
  return bound;
}

Result<BoundPtr> Binder::BindLiteral(const Expr& expr) {
  Value value;
  switch (expr.literal) {
    case LiteralKind::kNull:
      return MakeConstant(Value(), Type());
    case LiteralKind::kTrue:
    case LiteralKind::kFalse:
      return MakeConstant(Value::Bool(expr.literal == LiteralKind::kTrue), BooleanType());
    case LiteralKind::kInteger:
      if (CastValue(Value::Text(expr.text), VarcharType(), BigIntType(), false, value) != CastResult::kOk)
        return Fail(expr.at, "this number is too large for BIGINT");
      return MakeConstant(std::move(value), BigIntType());
    case LiteralKind::kDecimal: {
      const std::size_t point = expr.text.find('.');
      const int scale = point == std::string::npos ? 0 : static_cast<int>(expr.text.size() - point - 1);
      const Type type{TypeKind::kDecimal, kMaxScale, std::min(scale, kMaxScale)};
      if (scale <= kMaxScale &&
          CastValue(Value::Text(expr.text), VarcharType(), type, false, value) == CastResult::kOk)
        return MakeConstant(std::move(value), type);
      break;
    }
    case LiteralKind::kFloat:
      break;
    case LiteralKind::kString:
      return MakeConstant(Value::Text(expr.text), VarcharType());
    case LiteralKind::kTimestamp:
    case LiteralKind::kDate:
    case LiteralKind::kTime: {
      const Type type = expr.literal == LiteralKind::kTimestamp ? TimestampType()
                        : expr.literal == LiteralKind::kDate    ? DateType()
                                                                : Type{TypeKind::kTime};
      if (CastValue(Value::Text(expr.text), VarcharType(), type, false, value) != CastResult::kOk)
        return Fail(expr.at, "'" + expr.text + "' is no " + type.ToString());
      return MakeConstant(std::move(value), type);
    }
  }
  if (CastValue(Value::Text(expr.text), VarcharType(), DoubleType(), false, value) != CastResult::kOk)
    return Fail(expr.at, "this number is too large for DOUBLE");
  return MakeConstant(std::move(value), DoubleType());
}

Result<std::vector<BoundPtr>> Binder::BindArgs(const Expr& expr, std::size_t from) {
  std::vector<BoundPtr> args;
  for (std::size_t i = from; i < expr.args.size(); ++i) {
    HONRYU_TRY(BoundPtr arg, Bind(*expr.args[i]));
    args.push_back(std::move(arg));
  }
  return args;
}

}  // namespace honryu::sql
