#include "honryu/sql/parser.h"
#include "sql/lexer.h"
#include "sql/printer.h"

#include <algorithm>

namespace honryu::sql {
namespace {

constexpr std::string_view kOperators[] = {"OR", "AND", "NOT", "=", "<>", "<", "<=", ">",
                                           ">=", "||",  "+",   "-", "*",  "/", "%",  "-"};

}  // namespace

void Printer::AddName(const Name& name) {
  if (!name.quoted) return Put(name.text);
  out_ += '"';
  for (const char c : name.text) {
    if (c == '"') out_ += '"';
    out_ += c;
  }
  out_ += '"';
}

void Printer::AddPath(const Path& path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (i > 0) Put(".");
    AddName(path[i]);
  }
}

void Printer::AddString(std::string_view text) {
  out_ += '\'';
  for (const char c : text) {
    if (c == '\'') out_ += '\'';
    out_ += c;
  }
  out_ += '\'';
}

void Printer::AddList(const std::vector<ExprPtr>& list, std::size_t from) {
  for (std::size_t i = from; i < list.size(); ++i) {
    if (i > from) Put(", ");
    Add(*list[i]);
  }
}

void Printer::AddOrder(const std::vector<SortKey>& keys) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i > 0) Put(", ");
    Add(*keys[i].expr);
    if (keys[i].descending) Put(" DESC");
  }
}

void Printer::AddInterval(const Interval& interval, bool literal) {
  std::int64_t count = interval.ms;
  TimeUnit unit = TimeUnit::kMillisecond;
  if (interval.months != 0) {
    count = interval.months;
    unit = TimeUnit::kMonth;
  } else {
    for (const TimeUnit candidate : {TimeUnit::kDay, TimeUnit::kHour, TimeUnit::kMinute, TimeUnit::kSecond}) {
      if (count % TimeUnitMs(candidate) == 0) {
        count /= TimeUnitMs(candidate);
        unit = candidate;
        break;
      }
    }
  }
  if (literal) {
    Put("INTERVAL '" + std::to_string(count) + "' ");
  } else {
    Put(std::to_string(count) + " ");
  }
  Put(TimeUnitName(unit));
}

void Printer::AddLiteral(const Expr& expr) {
  switch (expr.literal) {
    case LiteralKind::kNull:
      return Put("NULL");
    case LiteralKind::kTrue:
      return Put("TRUE");
    case LiteralKind::kFalse:
      return Put("FALSE");
    case LiteralKind::kInteger:
    case LiteralKind::kDecimal:
    case LiteralKind::kFloat:
      return Put(expr.text);
    case LiteralKind::kTimestamp:
      Put("TIMESTAMP ");
      break;
    case LiteralKind::kDate:
      Put("DATE ");
      break;
    case LiteralKind::kTime:
      Put("TIME ");
      break;
    case LiteralKind::kString:
      break;
  }
  AddString(expr.text);
}

void Printer::AddCall(const Expr& expr) {
  Put(expr.text);
  Put("(");
  if (expr.distinct) Put("DISTINCT ");
  AddList(expr.args);
  Put(")");
  if (expr.filter) {
    Put(" FILTER (WHERE ");
    Add(*expr.filter);
    Put(")");
  }
  if (expr.over) {
    Put(" OVER ");
    AddWindow(*expr.over);
  }
}

void Printer::AddCase(const Expr& expr) {
  std::size_t i = 0;
  Put("CASE");
  if (expr.has_operand) {
    Put(" ");
    Add(*expr.args[i++]);
  }
  for (; i + 1 < expr.args.size(); i += 2) {
    Put(" WHEN ");
    Add(*expr.args[i]);
    Put(" THEN ");
    Add(*expr.args[i + 1]);
  }
  if (expr.has_else) {
    Put(" ELSE ");
    Add(*expr.args[i]);
  }
  Put(" END");
}

void Printer::AddPredicate(const Expr& expr) {
  const std::string_view negated = expr.negated ? "NOT " : "";
  Put("(");
  Add(*expr.args[0]);
  Put(" ");
  switch (expr.kind) {
    case ExprKind::kIn:
      Put(negated);
      Put("IN (");
      AddList(expr.args, 1);
      Put(")");
      break;
    case ExprKind::kBetween:
      Put(negated);
      Put("BETWEEN ");
      Add(*expr.args[1]);
      Put(" AND ");
      Add(*expr.args[2]);
      break;
    case ExprKind::kLike:
    case ExprKind::kSimilar:
      Put(negated);
      Put(expr.kind == ExprKind::kLike ? "LIKE " : "SIMILAR TO ");
      Add(*expr.args[1]);
      if (expr.args.size() > 2) {
        Put(" ESCAPE ");
        Add(*expr.args[2]);
      }
      break;
    default:
      Put("IS ");
      Put(negated);
      Put(expr.kind == ExprKind::kIsNull    ? "NULL"
          : expr.kind == ExprKind::kIsTrue  ? "TRUE"
          : expr.kind == ExprKind::kIsFalse ? "FALSE"
                                            : "DISTINCT FROM ");
      if (expr.kind == ExprKind::kIsDistinct) Add(*expr.args[1]);
  }
  Put(")");
}

// Every operator in parentheses: the printed form needs no precedence.
void Printer::Add(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kLiteral:
      return AddLiteral(expr);
    case ExprKind::kInterval:
      return AddInterval(expr.interval, true);
    case ExprKind::kColumn:
      return AddPath(expr.path);
    case ExprKind::kStar:
      AddPath(expr.path);
      return Put(expr.path.empty() ? "*" : ".*");
    case ExprKind::kUnary:
      Put(expr.op == Operator::kNot ? "(NOT " : "(- ");
      Add(*expr.args[0]);
      return Put(")");
    case ExprKind::kBinary:
      Put("(");
      Add(*expr.args[0]);
      Put(" " + std::string(kOperators[static_cast<std::size_t>(expr.op)]) + " ");
      Add(*expr.args[1]);
      return Put(")");
    case ExprKind::kCall:
      return AddCall(expr);
    case ExprKind::kCase:
      return AddCase(expr);
    case ExprKind::kCast:
      Put(expr.negated ? "TRY_CAST(" : "CAST(");
      Add(*expr.args[0]);
      return Put(" AS " + expr.type.ToString() + ")");
    case ExprKind::kExtract:
      Put("EXTRACT(" + std::string(TimeUnitName(expr.unit)) + " FROM ");
      Add(*expr.args[0]);
      return Put(")");
    case ExprKind::kFloorTo:
    case ExprKind::kCeilTo:
      Put(expr.kind == ExprKind::kFloorTo ? "FLOOR(" : "CEIL(");
      Add(*expr.args[0]);
      return Put(" TO " + std::string(TimeUnitName(expr.unit)) + ")");
    case ExprKind::kStepBy:
      Put("STEP(");
      Add(*expr.args[0]);
      Put(" BY ");
      Add(*expr.args[1]);
      return Put(")");
    case ExprKind::kTimeDifference:
      Put("(");
      Add(*expr.args[0]);
      Put(" - ");
      Add(*expr.args[1]);
      return Put(") " + std::string(TimeUnitName(expr.unit)));
    case ExprKind::kSubscript:
      Add(*expr.args[0]);
      Put("[");
      Add(*expr.args[1]);
      return Put("]");
    case ExprKind::kCursor:
      Put("CURSOR(");
      Add(*expr.query);
      return Put(")");
    case ExprKind::kTable:
      Put("TABLE ");
      AddPath(expr.path);
      if (!expr.args.empty()) {
        Put(" PARTITION BY (");
        AddList(expr.args);
        Put(")");
      }
      return;
    case ExprKind::kDescriptor:
      Put("DESCRIPTOR(");
      AddPath(expr.path);
      return Put(")");
    default:
      return AddPredicate(expr);
  }
}

}  // namespace honryu::sql
