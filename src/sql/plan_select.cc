#include "honryu/sql/parser.h"
#include "sql/planner.h"

#include <algorithm>

namespace honryu::sql {
namespace {

bool HasAggregate(const Expr& expr) {
  if (expr.kind == ExprKind::kCall && IsAggregateName(expr.text) && !expr.over) return true;
  if (expr.over) return false;
  return std::any_of(expr.args.begin(), expr.args.end(),
                     [](const ExprPtr& arg) { return arg && HasAggregate(*arg); });
}

bool HasOver(const Expr& expr) {
  return expr.over != nullptr || std::any_of(expr.args.begin(), expr.args.end(),
                                             [](const ExprPtr& arg) { return arg && HasOver(*arg); });
}

// Of a column that only ORDER BY reads.
std::string OrderName(std::optional<std::size_t> number) {
  return "ORDER BY $" + (number.has_value() ? std::to_string(*number) : std::string());
}

}  // namespace

std::string ItemName(const Expr& expr, std::size_t number) {
  if (expr.kind == ExprKind::kColumn) return expr.path.back().Folded();
  if (expr.kind == ExprKind::kSubscript && expr.args[1]->literal == LiteralKind::kString &&
      !expr.args[1]->text.empty())
    return expr.args[1]->text;
  return "EXPR$" + std::to_string(number);
}

PlanPtr Planner::Filter(PlanPtr input, BoundPtr predicate) const {
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kFilter;
  node->predicate = std::move(predicate);
  node->scope = input->scope;
  node->width = input->width;
  node->inputs.push_back(std::move(input));
  return node;
}

// What a FLOOR or STEP of the row's time stands for, also of a column that is one.
Planner::Bucket Planner::TimeBucket(const Expr& expr, const Scope& scope) {
  Binder binder(text_, scope);
  const auto is_time = [&](const Expr& operand) {
    const auto bound = binder.Bind(operand);
    return bound.ok() && (*bound)->is_row_time;
  };
  WindowDefinition window;
  window.kind = WindowKind::kTumble;
  if (expr.kind == ExprKind::kFloorTo && is_time(*expr.args[0])) {
    window.size = TimeUnitMs(expr.unit);
    if (window.size == 0 || expr.unit == TimeUnit::kWeek) window = {WindowKind::kCalendar, 0, 0, expr.unit};
    return window;
  }
  if (expr.kind == ExprKind::kStepBy && expr.args[1]->kind == ExprKind::kInterval &&
      expr.args[1]->interval.ms > 0 && is_time(*expr.args[0])) {
    window.size = expr.args[1]->interval.ms;
    return window;
  }
  if (expr.kind == ExprKind::kCall && expr.args.size() == 2 &&
      (expr.text == "DATE_BIN" || expr.text == "DATE_TRUNC") && is_time(*expr.args[1])) {
    if (expr.text == "DATE_BIN") {
      const auto size = Duration(*expr.args[0]);
      window.size = size.ok() ? *size : 0;
    } else if (const auto unit = TimeUnitFromName(expr.args[0]->text); unit.has_value()) {
      window.size = TimeUnitMs(*unit);
      if (window.size == 0 || *unit == TimeUnit::kWeek)
        return WindowDefinition{WindowKind::kCalendar, 0, 0, *unit};
    }
    if (window.size > 0) return window;
  }
  if (expr.kind == ExprKind::kColumn) {
    const auto found = binder.Resolve(expr.path);
    if (found.ok() && found->has_value() && (*found)->second == expr.path.size())
      return scope.columns[(*found)->first].bucket;
  }
  return {};
}

ScopeColumn Planner::Projected(const Expr& expr, const Bound& value, std::string name, const Scope& star) {
  ScopeColumn out;
  out.name = std::move(name);
  out.type = value.type;
  out.row_time = value.is_row_time;
  out.bucket = TimeBucket(expr, star);
  out.monotonic = out.row_time || out.bucket.has_value();
  if (const std::size_t* column = value.AsColumn()) {
    for (const ScopeColumn& from : star.columns)
      if (from.index == *column) out.monotonic = out.monotonic || from.monotonic;
  }
  return out;
}

// ORDER BY may name what is not selected: this goes along in columns behind the others.
Result<void> Planner::ProjectOrder(Binder& binder, const Scope& star, PlanNode& node) {
  const Scope selected = node.scope;
  for (std::size_t number = 0; number < order_->size(); ++number) {
    const Expr& expr = *(*order_)[number].expr;
    Binder of_selected(text_, selected);
    if (of_selected.Bind(expr).ok()) continue;
    auto value = binder.Bind(expr);
    if (!value.ok()) continue;  // PlanSort says so
    ScopeColumn out = Projected(expr, **value, OrderName(number), star);
    out.hidden = true;
    out.index = node.exprs.size();
    node.scope.columns.push_back(std::move(out));
    node.exprs.push_back(std::move(*value));
  }
  return Ok();
}

// `star`: what * stands for. `binder` binds the items.
Result<PlanPtr> Planner::Project(PlanPtr input, const Select& select, Binder& binder, const Scope& star) {
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kProject;
  for (std::size_t number = 0; number < select.items.size(); ++number) {
    const SelectItem& item = select.items[number];
    if (item.expr->kind == ExprKind::kStar) {
      std::size_t added = 0;
      for (const ScopeColumn& column : star.columns) {
        if (column.hidden || (!item.expr->path.empty() && item.expr->path[0].Folded() != column.qualifier))
          continue;
        if (column.used != nullptr) *column.used = 1;
        ScopeColumn out = column;
        out.qualifier.clear();
        out.used = nullptr;
        out.index = node->exprs.size();
        node->scope.columns.push_back(std::move(out));
        node->exprs.push_back(MakeColumn(column.index, column.type, column.name));
        ++added;
      }
      if (added == 0) return Fail(item.expr->at, "no columns for *");
      continue;
    }
    HONRYU_TRY(BoundPtr value, binder.Bind(*item.expr));
    std::string name = item.alias.has_value() ? item.alias->Folded() : ItemName(*item.expr, number);
    if (!item.alias.has_value() && item.expr->kind == ExprKind::kColumn) {  // as the source spells it
      const Binder plain(text_, star);
      const auto found = plain.Resolve(item.expr->path);
      if (found.ok() && found->has_value() && (*found)->second == item.expr->path.size())
        name = star.columns[(*found)->first].name;
    }
    node->scope.columns.push_back(Projected(*item.expr, *value, std::move(name), star));
    node->scope.columns.back().index = node->exprs.size();
    node->exprs.push_back(std::move(value));
  }
  if (order_ != nullptr && !select.distinct) HONRYU_TRY_VOID(ProjectOrder(binder, star, *node));
  node->width = node->exprs.size();
  node->inputs.push_back(std::move(input));
  return node;
}

Result<PlanPtr> Planner::PlanSelect(const Select& select, const Query& query) {
  HONRYU_TRY(PlanPtr input, PlanSource(select.from));
  for (const Join& join : select.joins) {
    HONRYU_TRY(input,
               PlanJoin(std::move(input), &join == &select.joins.front() ? &select.from : nullptr, join));
  }
  if (select.where) {
    if (HasOver(*select.where))
      return Fail(select.where->at, "WHERE comes before OVER: select from a subquery");
    Binder binder(text_, input->scope);
    HONRYU_TRY(BoundPtr predicate, binder.BindBoolean(*select.where));
    input = Filter(std::move(input), std::move(predicate));
    input->detail = ToSql(*select.where);
  }
  bool aggregate = select.group.kind != GroupKind::kNone || select.group.ksql.has_value() || select.having;
  bool over = false;
  for (const SelectItem& item : select.items) {
    aggregate = aggregate || HasAggregate(*item.expr);
    over = over || HasOver(*item.expr);
  }
  PlanPtr node;
  if (aggregate && over) return Fail(select.at, "GROUP BY and OVER do not go together: use a subquery");
  if (aggregate) {
    HONRYU_TRY(node, PlanGroup(std::move(input), select, query));
  } else if (over) {
    HONRYU_TRY(node, PlanOver(std::move(input), select));
  } else {
    if (query.emit.kind == EmitKind::kEvery || query.emit.kind == EmitKind::kWhen)
      return Fail(query.at, "EMIT EVERY and EMIT WHEN are for windows");
    const PlanNode* source = input->kind == PlanNode::Kind::kFilter ? input->inputs[0].get() : input.get();
    if (source->kind == PlanNode::Kind::kAssignWindows && source->window.kind == WindowKind::kSession)
      return Fail(select.from.at, "sessions are known when they end: GROUP BY window_start, window_end");
    const Scope scope = input->scope;
    Binder binder(text_, scope);
    HONRYU_TRY(node, Project(std::move(input), select, binder, scope));
  }
  if (select.distinct) return PlanDistinct(std::move(node), select);
  return node;
}

// DISTINCT is a GROUP BY of all columns, one of which must say when a group ends.
Result<PlanPtr> Planner::PlanDistinct(PlanPtr input, const Select& select) {
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kAggregate;
  auto project = std::make_unique<PlanNode>();
  project->kind = PlanNode::Kind::kProject;
  std::optional<std::size_t> window;
  for (std::size_t i = 0; i < input->scope.columns.size() && !window.has_value(); ++i)
    if (input->scope.columns[i].bucket.has_value()) window = i;
  if (!window.has_value())
    return Fail(select.at,
                "SELECT DISTINCT needs a column such as FLOOR(ROWTIME TO MINUTE), which says when to forget");
  node->window = *input->scope.columns[*window].bucket;
  const std::size_t keys = input->scope.columns.size() - 1;
  for (const ScopeColumn& column : input->scope.columns) {
    const bool bucket = column.index == input->scope.columns[*window].index;
    project->exprs.push_back(MakeColumn(bucket ? keys : node->exprs.size(), column.type, column.name));
    if (!bucket) node->exprs.push_back(MakeColumn(column.index, column.type, column.name));
    ScopeColumn out = column;
    out.row_time = false;
    project->scope.columns.push_back(std::move(out));
  }
  node->width = keys + 3;
  node->inputs.push_back(std::move(input));
  project->width = project->exprs.size();
  project->inputs.push_back(std::move(node));
  return project;
}

Result<PlanPtr> Planner::PlanSort(PlanPtr input, const Query& query) {
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kSort;
  const Scope scope = input->scope;
  Binder binder(text_, scope);
  for (std::size_t number = 0; number < query.order.size(); ++number) {
    const SortKey& key = query.order[number];
    auto bound = binder.Bind(*key.expr);
    for (const ScopeColumn& column : scope.columns)
      if (column.hidden && column.name == OrderName(number))
        bound = MakeColumn(column.index, column.type, column.name);
    HONRYU_TRY(BoundPtr expr, std::move(bound));
    if (node->exprs.empty()) {
      node->sort_bucket = expr->only_time && !expr->constant;
      bool monotonic = node->sort_bucket;
      if (const std::size_t* column = expr->AsColumn()) {
        monotonic = scope.columns[*column].monotonic;
        if (const Bucket& bucket = scope.columns[*column].bucket; bucket.has_value()) node->window = *bucket;
      }
      if (!monotonic || key.descending)
        return Fail(key.expr->at,
                    "a stream is sorted within buckets of time: ORDER BY FLOOR(ROWTIME TO …), … first");
    }
    node->exprs.push_back(std::move(expr));
    node->descending.push_back(key.descending);
  }
  node->scope = scope;
  node->width = input->width;
  node->inputs.push_back(std::move(input));
  const auto is_order = [](const ScopeColumn& column) {
    return column.hidden && column.name.starts_with(OrderName({}));
  };
  if (std::none_of(scope.columns.begin(), scope.columns.end(), is_order)) return node;
  auto selected = std::make_unique<PlanNode>();
  selected->kind = PlanNode::Kind::kProject;
  for (const ScopeColumn& column : scope.columns) {
    if (is_order(column)) continue;
    selected->exprs.push_back(MakeColumn(column.index, column.type, column.name));
    selected->scope.columns.push_back(column);
  }
  selected->width = selected->exprs.size();
  selected->inputs.push_back(std::move(node));
  return selected;
}

Result<PlanPtr> Planner::PlanQuery(const Query& query) {
  PlanPtr node;
  for (const Select& select : query.selects) {
    const std::vector<SortKey>* const outer =
        std::exchange(order_, query.selects.size() == 1 && !query.order.empty() ? &query.order : nullptr);
    auto planned = PlanSelect(select, query);
    order_ = outer;
    HONRYU_TRY(PlanPtr part, std::move(planned));
    if (!node) {
      node = std::move(part);
      continue;
    }
    if (node->kind != PlanNode::Kind::kUnion) {
      auto all = std::make_unique<PlanNode>();
      all->kind = PlanNode::Kind::kUnion;
      all->scope = node->scope;
      all->width = node->width;
      all->inputs.push_back(std::move(node));
      node = std::move(all);
    }
    if (part->scope.columns.size() != node->scope.columns.size())
      return Fail(select.at, "the parts of UNION ALL have " + std::to_string(node->scope.columns.size()) +
                                 " and " + std::to_string(part->scope.columns.size()) + " columns");
    auto cast = std::make_unique<PlanNode>();
    cast->kind = PlanNode::Kind::kProject;
    const Binder binder(text_, part->scope);
    for (std::size_t i = 0; i < node->scope.columns.size(); ++i) {
      const ScopeColumn& from = part->scope.columns[i];
      HONRYU_TRY(BoundPtr value,
                 binder.Assign(MakeColumn(from.index, from.type, from.name), node->scope.columns[i].type,
                               select.at, "column " + std::to_string(i + 1) + " of UNION ALL"));
      cast->exprs.push_back(std::move(value));
      node->scope.columns[i].row_time = node->scope.columns[i].row_time && from.row_time;
      if (node->scope.columns[i].bucket != from.bucket) node->scope.columns[i].bucket.reset();
    }
    cast->scope = node->scope;
    cast->width = cast->exprs.size();
    cast->inputs.push_back(std::move(part));
    node->inputs.push_back(std::move(cast));
  }
  if (!query.order.empty()) {
    HONRYU_TRY(node, PlanSort(std::move(node), query));
  }
  if (query.limit.has_value()) {
    auto limit = std::make_unique<PlanNode>();
    limit->kind = PlanNode::Kind::kLimit;
    limit->limit = *query.limit;
    limit->scope = node->scope;
    limit->width = node->width;
    limit->inputs.push_back(std::move(node));
    node = std::move(limit);
  }
  return node;
}

}  // namespace honryu::sql
