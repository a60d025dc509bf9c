#include "sql/planner.h"

#include <algorithm>

namespace honryu::sql {

// OVER w means the WINDOW w AS (…) of the same name.
Result<const WindowSpec*> Planner::ResolveWindow(const WindowSpec& spec, const Select& select) const {
  if (!spec.reference.has_value()) return &spec;
  std::vector<std::string> names;
  for (const NamedWindow& window : select.windows) {
    if (window.name.Folded() == spec.reference->Folded()) return &window.spec;
    names.push_back(window.name.text);
  }
  return Fail(spec.at, "unknown window '" + spec.reference->text + "'");
}

// One operator for each different window; their results go to columns behind the input's.
Result<BoundPtr> Planner::BindOver(const Expr& expr, const Select& select, Binder& input,
                                   std::vector<PlanPtr>& nodes, std::size_t* width) {
  if (expr.kind != ExprKind::kCall || !expr.over) return BoundPtr();
  if (!IsAggregateName(expr.text)) return Fail(expr.at, expr.text + " has no OVER");
  HONRYU_TRY(const WindowSpec* const spec, ResolveWindow(*expr.over, select));
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kOver;
  std::string signature;
  for (const ExprPtr& key : spec->partition) {
    HONRYU_TRY(BoundPtr bound, input.Bind(*key));
    signature += bound->signature + ",";
    node->exprs.push_back(std::move(bound));
  }
  for (const SortKey& key : spec->order) {
    HONRYU_TRY(const BoundPtr bound, input.Bind(*key.expr));
    if (!bound->is_row_time || key.descending)
      return Fail(key.expr->at, "rows come in order of time: ORDER BY is for ROWTIME only");
  }
  if (spec->frame.has_value()) {
    node->frame = *spec->frame;
  } else {
    node->frame.unbounded = true;
  }
  if (expr.text == "LAG" && node->frame.unbounded) {  // all that LAG needs
    node->frame.unbounded = false;
    node->frame.rows = true;
    node->frame.count = 1;
    if (expr.args.size() > 1 && expr.args[1]->kind == ExprKind::kLiteral) {
      const Scope nothing;
      Binder constants(text_, nothing);
      HONRYU_TRY(const BoundPtr count, constants.Bind(*expr.args[1]));
      EvalContext context;
      if (count->type.IsInteger()) node->frame.count = count->Eval(context).as_int();
    }
  }
  if (!node->frame.unbounded && !node->frame.rows && node->frame.range.ms <= 0)
    return Fail(spec->at, "a sliding window's length must be above 0");
  if (node->frame.rows && node->frame.count > 1'000'000)
    return Fail(spec->at, "a sliding window of too many rows");
  if (node->frame.unbounded || node->frame.rows) {
    HONRYU_TRY(node->state_ttl_ms, StateTtl(spec->at));
  }
  node->inclusive = Setting("sliding.inclusive", "false") == "true";
  node->detail = (node->frame.unbounded ? std::string("all rows so far")
                  : node->frame.rows    ? std::to_string(node->frame.count) + " rows before"
                                        : "the last " + DurationText(node->frame.range.ms));
  signature += node->detail;
  HONRYU_TRY(AggregateCall call, BindAggregate(input, expr));
  const Type type = call.type;
  const std::string name = call.signature + " OVER " + signature;
  PlanNode* same = nullptr;
  for (const PlanPtr& known : nodes) {
    std::string other;
    for (const BoundPtr& key : known->exprs) other += key->signature + ",";
    if (other + known->detail == signature) same = known.get();
  }
  if (same == nullptr) {
    same = node.get();
    nodes.push_back(std::move(node));
  }
  for (std::size_t i = 0; i < same->aggregates.size(); ++i)
    if (same->aggregates[i].signature == call.signature) return MakeColumn(same->outputs[i], type, name);
  if (same->aggregates.size() >= 64) return Fail(expr.at, "more than 64 aggregates over one window");
  same->aggregates.push_back(std::move(call));
  same->outputs.push_back(*width);
  return MakeColumn((*width)++, type, name);
}

Result<PlanPtr> Planner::PlanOver(PlanPtr input, const Select& select) {
  const Scope scope = input->scope;
  std::size_t width = input->width;
  std::vector<PlanPtr> nodes;
  Binder binder(text_, scope);
  Binder items(text_, scope);
  items.set_hook([&](const Expr& expr) { return BindOver(expr, select, binder, nodes, &width); });
  HONRYU_TRY(PlanPtr project, Project(std::make_unique<PlanNode>(), select, items, scope));
  for (PlanPtr& node : nodes) {
    node->scope = scope;
    node->width = width;
    node->inputs.push_back(std::move(input));
    input = std::move(node);
  }
  project->inputs[0] = std::move(input);
  return project;
}

}  // namespace honryu::sql
