#include "honryu/sql/parser.h"
#include "sql/cast.h"
#include "sql/lexer.h"
#include "sql/planner.h"

#include <algorithm>
#include <limits>

namespace honryu::sql {
namespace {

constexpr std::int64_t kUnbounded = std::numeric_limits<std::int64_t>::max();

// a AND b AND c
void Conjuncts(const Expr& expr, std::vector<const Expr*>& out) {
  if (expr.kind == ExprKind::kBinary && expr.op == Operator::kAnd) {
    Conjuncts(*expr.args[0], out);
    Conjuncts(*expr.args[1], out);
  } else {
    out.push_back(&expr);
  }
}

Scope Combine(const Scope& left, const Scope& right, std::size_t left_width) {
  Scope both;
  for (const Scope* side : {&left, &right}) {
    for (ScopeColumn column : side->columns) {
      if (side == &right) column.index += left_width;
      column.row_time = false;  // a joined row has a time of its own
      column.bucket.reset();
      column.monotonic = false;
      both.columns.push_back(std::move(column));
    }
  }
  return both;
}

std::optional<std::int64_t> RangeOf(const Source& source) {
  if (!source.over || !source.over->frame.has_value()) return {};
  const Frame& frame = *source.over->frame;
  if (frame.rows || frame.unbounded || frame.range.months != 0) return {};
  return frame.range.ms;
}

}  // namespace

// The side whose time the expression is, plus a constant.
std::optional<SideTime> Planner::TimeOfSide(const Expr& expr, const Scope& left, const Scope& right) const {
  if (expr.kind == ExprKind::kBinary && (expr.op == Operator::kAdd || expr.op == Operator::kSubtract) &&
      expr.args[1]->kind == ExprKind::kInterval && expr.args[1]->interval.months == 0) {
    auto time = TimeOfSide(*expr.args[0], left, right);
    const std::int64_t shift =
        expr.op == Operator::kAdd ? expr.args[1]->interval.ms : -expr.args[1]->interval.ms;
    if (!time.has_value() || __builtin_add_overflow(time->offset_ms, shift, &time->offset_ms)) return {};
    constexpr std::int64_t kFar = kUnbounded / 4;
    if (time->offset_ms > kFar || time->offset_ms < -kFar) return {};
    return time;
  }
  if (expr.kind != ExprKind::kColumn) return {};
  for (const Scope* side : {&left, &right}) {
    const std::string qualifier = side->columns.empty() ? std::string() : side->columns[0].qualifier;
    if (expr.path.size() == 2 && UpperCase(expr.path[1].text) == "ROWTIME" &&
        expr.path[0].Folded() == qualifier)
      return SideTime{side == &left, 0};
    const Binder binder(text_, *side);
    const auto found = binder.Resolve(expr.path);
    if (found.ok() && found->has_value() && side->columns[(*found)->first].row_time)
      return SideTime{side == &left, 0};
  }
  return {};
}

// low + offset <= high + offset
void Planner::TightenBound(const SideTime& low, const SideTime& high, PlanNode& node) const {
  const std::int64_t distance = high.offset_ms - low.offset_ms;
  if (low.left) {  // left <= right + d: right - left >= -d
    node.before_ms = std::min(node.before_ms, distance);
  } else {  // right <= left + d
    node.after_ms = std::min(node.after_ms, distance);
  }
}

bool Planner::TimeCondition(const Expr& expr, const Scope& left, const Scope& right, PlanNode& node) {
  if (expr.kind == ExprKind::kBetween && !expr.negated) {
    const auto value = TimeOfSide(*expr.args[0], left, right), low = TimeOfSide(*expr.args[1], left, right),
               high = TimeOfSide(*expr.args[2], left, right);
    if (!value.has_value() || !low.has_value() || !high.has_value()) return false;
    if (value->left == low->left || value->left == high->left) return false;
    TightenBound(*low, *value, node);
    TightenBound(*value, *high, node);
    return true;
  }
  if (expr.kind != ExprKind::kBinary) return false;
  const bool up = expr.op == Operator::kLess || expr.op == Operator::kLessEqual;
  if (!up && expr.op != Operator::kGreater && expr.op != Operator::kGreaterEqual) return false;
  auto low = TimeOfSide(*expr.args[0], left, right), high = TimeOfSide(*expr.args[1], left, right);
  if (!low.has_value() || !high.has_value() || low->left == high->left) return false;
  if (!up) std::swap(low, high);
  if (expr.op == Operator::kLess || expr.op == Operator::kGreater) high->offset_ms -= 1;
  TightenBound(*low, *high, node);
  return true;
}

// Equalities of the two sides become hash keys, conditions on their times bounds, the rest a predicate.
Result<void> Planner::JoinCondition(const Expr& on, const Scope& left, const Scope& right, const Scope& both,
                                    PlanNode& node) {
  std::vector<const Expr*> conjuncts;
  Conjuncts(on, conjuncts);
  for (const Expr* expr : conjuncts) {
    if (node.kind == PlanNode::Kind::kStreamJoin && TimeCondition(*expr, left, right, node)) continue;
    Binder binder(text_, both);
    if (expr->kind == ExprKind::kBinary && expr->op == Operator::kEqual) {
      // Bound to both first, so that an unknown or ambiguous name is an error.
      HONRYU_TRY(const BoundPtr checked, binder.Bind(*expr));
      Binder of_left(text_, left), of_right(text_, right);
      bool done = false;
      for (const bool swapped : {false, true}) {
        auto a = of_left.Bind(*expr->args[swapped ? 1 : 0]);
        auto b = of_right.Bind(*expr->args[swapped ? 0 : 1]);
        if (!a.ok() || !b.ok() || (*a)->constant || (*b)->constant || done) continue;
        const std::optional<Type> type = CommonType(**a, **b);
        if (!type.has_value()) continue;
        for (auto* side : {&a, &b})
          if (!IsSameRepresentation((**side)->type, *type))
            *side = MakeCast(std::move(**side), *type, false, false);
        node.left_keys.push_back(std::move(*a));
        node.right_keys.push_back(std::move(*b));
        done = true;
      }
      if (done) continue;
    }
    HONRYU_TRY(BoundPtr rest, binder.BindBoolean(*expr));
    node.predicate = node.predicate ? MakeAnd(std::move(node.predicate), std::move(rest)) : std::move(rest);
  }
  return Ok();
}

Result<PlanPtr> Planner::PlanTableJoin(PlanPtr left, const Join& join, const TableInfo& table) {
  if (join.kind != JoinKind::kInner && join.kind != JoinKind::kLeft)
    return Fail(join.at, "a stream is joined with a table by JOIN or LEFT JOIN");
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kTableJoin;
  node->join = join.kind;
  node->table = &table;
  Scope right;
  const std::string alias = join.source.alias.has_value() ? join.source.alias->Folded() : table.name;
  for (const Column& column : table.columns)
    right.columns.push_back({alias, column.name, column.type, right.columns.size()});
  node->scope = Combine(left->scope, right, left->width);
  for (std::size_t i = 0; i < left->scope.columns.size(); ++i) {  // the row keeps its time
    node->scope.columns[i] = left->scope.columns[i];
  }
  node->width = left->width + table.columns.size();
  HONRYU_TRY_VOID(JoinCondition(*join.on, left->scope, right, node->scope, *node));
  node->detail = table.name;
  node->inputs.push_back(std::move(left));
  return node;
}

Result<PlanPtr> Planner::PlanJoin(PlanPtr left, const Source* left_source, const Join& join) {
  if (!join.source.name.empty() && FindStream(join.source.name) == nullptr) {
    if (const TableInfo* table = FindTable(join.source.name))
      return PlanTableJoin(std::move(left), join, *table);
  }
  HONRYU_TRY(PlanPtr right, PlanSource(join.source));
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kStreamJoin;
  node->join = join.kind;
  node->before_ms = node->after_ms = kUnbounded;
  node->scope = Combine(left->scope, right->scope, left->width);
  node->width = left->width + right->width;
  HONRYU_TRY_VOID(JoinCondition(*join.on, left->scope, right->scope, node->scope, *node));
  const auto of_left = left_source == nullptr ? std::nullopt : RangeOf(*left_source),
             of_right = RangeOf(join.source);
  if (join.within.has_value()) {  // WITHIN (before, after): how far the right row lies around the left one
    node->before_ms = std::min(node->before_ms, join.within->first.ms);
    node->after_ms = std::min(node->after_ms, join.within->second.ms);
  } else if (of_left.has_value() || of_right.has_value()) {
    // A row waits for the other side as long as its window is; one window given stands for both.
    node->after_ms = of_left.value_or(of_right.value_or(0)) - 1;
    node->before_ms = of_right.value_or(of_left.value_or(0)) - 1;
    node->exclusive = true;
  }
  if (node->before_ms == kUnbounded || node->after_ms == kUnbounded)
    return Fail(join.at,
                "a join of two streams needs a bound in time: OVER (RANGE INTERVAL '1' MINUTE PRECEDING), "
                "WITHIN 1 MINUTE, or a.ts BETWEEN b.ts - INTERVAL … AND b.ts + INTERVAL …");
  if (join.grace.has_value()) node->late.hold_ms = join.grace->ms;
  node->inputs.push_back(std::move(left));
  node->inputs.push_back(std::move(right));
  return node;
}

}  // namespace honryu::sql
