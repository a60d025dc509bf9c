#include "honryu/sql/parser.h"
#include "sql/lexer.h"
#include "sql/planner.h"

#include <algorithm>

namespace honryu::sql {
namespace {

// The columns of a group's row between keys and aggregates.
enum WindowColumn : std::size_t { kStart, kEnd, kTime };

std::optional<WindowColumn> WindowColumnOf(const Expr& expr) {
  if (expr.kind == ExprKind::kColumn && expr.path.size() <= 2) {
    const std::string name = UpperCase(expr.path.back().text);
    if (name == "WINDOW_START" || name == "WINDOWSTART") return kStart;
    if (name == "WINDOW_END" || name == "WINDOWEND") return kEnd;
    if (name == "WINDOW_TIME") return kTime;
  }
  if (expr.kind != ExprKind::kCall) return {};
  for (const std::string_view name : {"TUMBLE", "HOP", "SESSION", "CUMULATE"}) {
    if (expr.text == name || expr.text == std::string(name) + "_START") return kStart;
    if (expr.text == std::string(name) + "_END") return kEnd;
    if (expr.text == std::string(name) + "_ROWTIME") return kTime;
  }
  return {};
}

}  // namespace

// TUMBLE(ts, size), HOP(ts, slide, size), SESSION(ts, gap) as keys; the time may be left out.
Result<Planner::Bucket> Planner::GroupFunction(const Expr& key, const Scope& scope) {
  if (key.kind != ExprKind::kCall) return Bucket();
  const bool hop = key.text == "HOP" || key.text == "CUMULATE";
  if (key.text != "TUMBLE" && key.text != "SESSION" && !hop) return Bucket();
  const std::size_t intervals = hop ? 2 : 1;
  if (key.args.size() != intervals && key.args.size() != intervals + 1)
    return Fail(key.at, key.text + " takes a time and " + (hop ? "two intervals" : "one interval"));
  const std::size_t first = key.args.size() - intervals;
  if (first == 1) {
    Binder binder(text_, scope);
    HONRYU_TRY(const BoundPtr time, binder.Bind(*key.args[0]));
    if (!time->is_row_time)
      return Fail(key.args[0]->at, "this is not the stream's time: declare WATERMARK FOR it, or use ROWTIME");
  }
  WindowDefinition window;
  HONRYU_TRY(window.size, Duration(*key.args.back()));
  if (hop) {
    HONRYU_TRY(window.slide, Duration(*key.args[first]));
    if (window.slide > window.size || window.size / window.slide > 10'000)
      return Fail(key.at, "the step must be shorter than the window, and not by more than 10000 times");
  }
  window.kind = key.text == "TUMBLE"    ? WindowKind::kTumble
                : key.text == "HOP"     ? WindowKind::kHop
                : key.text == "SESSION" ? WindowKind::kSession
                                        : WindowKind::kCumulate;
  return Bucket(window);
}

// Which keys are the window, and what it is. Marks those keys in `is_window`.
Result<void> Planner::FindWindow(const Select& select, PlanNode& input, PlanNode& node,
                                 std::vector<bool>& is_window) {
  const Group& group = select.group;
  is_window.assign(group.keys.size(), false);
  if (group.ksql.has_value()) {
    const KsqlWindow& window = *group.ksql;
    node.window.size = window.size.ms;
    node.window.slide = window.advance.ms;
    node.window.kind = window.kind == KsqlWindowKind::kTumbling  ? WindowKind::kTumble
                       : window.kind == KsqlWindowKind::kHopping ? WindowKind::kHop
                                                                 : WindowKind::kSession;
    if (node.window.kind == WindowKind::kHop &&
        (node.window.slide > node.window.size || node.window.size / node.window.slide > 10'000))
      return Fail(group.at, "the advance must be shorter than the window, and not by more than 10000 times");
    return Ok();
  }
  if (group.kind == GroupKind::kStagger) {
    node.window = {WindowKind::kStagger, group.stagger.ms, 0, TimeUnit::kMonth};
    return Ok();
  }
  if (input.kind == PlanNode::Kind::kAssignWindows) {
    bool found = false;
    for (std::size_t i = 0; i < group.keys.size(); ++i) {
      is_window[i] = group.keys[i]->kind == ExprKind::kColumn && WindowColumnOf(*group.keys[i]).has_value();
      found = found || is_window[i];
    }
    if (!found) return Fail(group.at, "GROUP BY of a window function needs window_start, window_end");
    node.window = input.window;
    return Ok();
  }
  for (std::size_t i = 0; i < group.keys.size(); ++i) {
    HONRYU_TRY(Bucket bucket, GroupFunction(*group.keys[i], input.scope));
    const Expr& key = *group.keys[i];
    const bool monotonic = key.kind == ExprKind::kCall && key.text == "MONOTONIC" && key.args.size() == 1;
    if (!bucket.has_value()) bucket = TimeBucket(monotonic ? *key.args[0] : key, input.scope);
    if (!bucket.has_value()) continue;
    is_window[i] = true;
    node.window = *bucket;
    return Ok();
  }
  for (const ExprPtr& key : group.keys) {
    if (key->kind != ExprKind::kCall || key->text != "MONOTONIC") continue;
    Binder binder(text_, input.scope);
    node.window.kind = WindowKind::kIncreasing;
    HONRYU_TRY(node.monotonic, binder.Bind(*key));
    return Ok();
  }
  for (std::size_t i = 0; i < group.keys.size(); ++i) {  // a window's bounds from a subquery
    Binder binder(text_, input.scope);
    if (group.keys[i]->kind != ExprKind::kColumn) continue;
    HONRYU_TRY(const auto found, binder.Resolve(group.keys[i]->path));
    if (!found.has_value()) continue;
    const ScopeColumn& column = input.scope.columns[found->first];
    if (!column.monotonic || column.row_time || column.type != TimestampType()) continue;
    is_window[i] = true;
    node.window.kind = WindowKind::kMonotonic;
    HONRYU_TRY(node.monotonic, binder.Bind(*group.keys[i]));
    return Ok();
  }
  return Ok();
}

Result<void> Planner::SetEmission(const Select& select, const Query& query, const Scope& input,
                                  PlanNode& node) {
  node.emit.kind = query.emit.kind;
  node.emit.every = query.emit.every;
  LateRows& late = node.late;
  late.policy = query.lateness.policy;
  std::int64_t allowed = query.lateness.allowed.has_value() ? query.lateness.allowed->ms : -1;
  if (select.group.ksql.has_value() && select.group.ksql->grace.has_value())
    allowed = select.group.ksql->grace->ms;
  if (late.policy == LatePolicy::kDefault) {
    const std::string setting = UpperCase(Setting("late.policy", "side"));
    late.policy = setting == "DROP"     ? LatePolicy::kDrop
                  : setting == "UPDATE" ? LatePolicy::kUpdate
                                        : LatePolicy::kSideStream;
  }
  if (late.policy == LatePolicy::kUpdate) {
    late.update_ms = allowed < 0 ? 60'000 : allowed;
  } else {
    late.hold_ms = std::max<std::int64_t>(allowed, 0);
  }
  late.stream = "LATE_ROWS";
  if (query.lateness.stream.has_value()) {
    StreamInfo* stream = FindStream({*query.lateness.stream});
    if (stream == nullptr) {
      auto made = MakeLateStream(query.lateness.stream->Folded());
      stream = made.get();
      plan_.streams[made->name] = std::move(made);
    }
    stream->output = true;
    late.stream = stream->name;
    for (const ScopeColumn& column :
         input.columns)  // a stream of its own shape takes columns of the same names
      for (const Column& wanted : stream->columns)
        if (column.used != nullptr && column.name == wanted.name) *column.used = 1;
  }
  if (node.window.kind == WindowKind::kUnbounded) {
    if (query.emit.kind != EmitKind::kChanges && query.emit.kind != EmitKind::kEvery)
      return Fail(
          select.group.kind == GroupKind::kNone ? select.at : select.group.at,
          "this group never ends: group by FLOOR(ROWTIME TO MINUTE) or another window, or EMIT CHANGES");
    HONRYU_TRY(node.state_ttl_ms, StateTtl(select.at));
  }
  return Ok();
}

// Finds keys, aggregates and window columns inside an expression about groups.
Result<BoundPtr> Planner::BindGrouped(const Expr& expr, PlanNode& node, Binder& input,
                                      const std::vector<std::string>& windows) {
  const std::size_t keys = node.exprs.size();
  const auto window_column = [&](WindowColumn which) {
    return MakeColumn(keys + which, TimestampType(),
                      which == kStart ? "window_start"
                      : which == kEnd ? "window_end"
                                      : "window_time");
  };
  if (expr.kind == ExprKind::kCall && IsAggregateName(expr.text) && !expr.over) {
    HONRYU_TRY(AggregateCall call, BindAggregate(input, expr));
    std::size_t place = 0;
    while (place < node.aggregates.size() && node.aggregates[place].signature != call.signature) ++place;
    const Type type = call.type;
    const std::string name = call.signature;
    if (place == node.aggregates.size()) {
      node.aggregates.push_back(std::move(call));
    }
    return MakeColumn(keys + 3 + place, type, name);
  }
  if (expr.kind == ExprKind::kLiteral || expr.kind == ExprKind::kInterval) return BoundPtr();
  if (const auto which = WindowColumnOf(expr);
      which.has_value() && node.window.kind != WindowKind::kUnbounded &&
      node.window.kind != WindowKind::kIncreasing && node.window.kind != WindowKind::kMonotonic)
    return window_column(*which);
  if (const auto bound = input.Bind(expr); bound.ok()) {
    for (std::size_t i = 0; i < keys; ++i)
      if (node.exprs[i]->signature == (*bound)->signature)
        return MakeColumn(i, node.exprs[i]->type, "key " + std::to_string(i));
    for (const std::string& window : windows)
      if (window == (*bound)->signature) return window_column(kStart);
  }

  if (expr.kind != ExprKind::kColumn) return BoundPtr();
  const std::string name = UpperCase(expr.path.back().text);
  if (name == "ROWTIME") return MakeRowTime();
  HONRYU_TRY(const auto known, input.Resolve(expr.path));
  if (known.has_value())
    return Fail(expr.at, "column '" + expr.path.back().text + "' must stand in GROUP BY or in an aggregate");
  return input.Bind(expr);  // says what is unknown, or is CURRENT_TIMESTAMP
}

Result<PlanPtr> Planner::PlanGroup(PlanPtr input, const Select& select, const Query& query) {
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kAggregate;
  // The window function itself is taken over: its rows need not be multiplied.
  PlanNode* source = input.get();
  if (source->kind == PlanNode::Kind::kFilter) source = source->inputs[0].get();
  std::vector<bool> is_window;
  HONRYU_TRY_VOID(FindWindow(select, source->kind == PlanNode::Kind::kAssignWindows ? *source : *input, *node,
                             is_window));
  Scope scope = input->scope;
  if (source->kind == PlanNode::Kind::kAssignWindows) {
    if (*source->windows_used != 0)
      return Fail(select.where->at, "WHERE comes before the windows: use HAVING");
    for (ScopeColumn& column : scope.columns)
      if (column.used == source->windows_used.get()) column.used = nullptr;
    PlanPtr below = std::move(source->inputs[0]);
    if (source == input.get()) {
      input = std::move(below);
    } else {
      input->inputs[0] = std::move(below);
      input->width = input->inputs[0]->width;
    }
  }
  HONRYU_TRY_VOID(SetEmission(select, query, scope, *node));
  Binder binder(text_, scope);
  std::vector<std::string> windows;
  for (std::size_t i = 0; i < select.group.keys.size(); ++i) {
    const Expr& key = *select.group.keys[i];
    if (is_window[i]) {
      if (const auto bound = binder.Bind(key); bound.ok()) windows.push_back((*bound)->signature);
      continue;
    }
    HONRYU_TRY(BoundPtr bound, binder.Bind(key));
    node->exprs.push_back(std::move(bound));
  }
  for (const SelectItem& item : select.items)
    if (item.expr->kind == ExprKind::kStar) return Fail(item.expr->at, "* does not go with GROUP BY");
  const Scope nothing;
  Binder post(text_, nothing);
  post.set_hook([&](const Expr& expr) { return BindGrouped(expr, *node, binder, windows); });
  HONRYU_TRY(PlanPtr project, Project(std::make_unique<PlanNode>(), select, post, scope));
  BoundPtr having;
  if (select.having) {
    HONRYU_TRY(having, post.BindBoolean(*select.having));
  }
  if (query.emit.when) {
    HONRYU_TRY(node->predicate, post.BindBoolean(*query.emit.when));
  }
  const std::size_t keys = node->exprs.size();
  node->width = keys + node->aggregates.size() + 3;
  for (std::size_t i = 0; i < project->scope.columns.size(); ++i) {
    ScopeColumn& column = project->scope.columns[i];
    column.bucket.reset();
    const std::size_t* from = project->exprs[i]->AsColumn();
    column.monotonic = from != nullptr && *from >= keys && *from < keys + 3;
  }
  PlanPtr grouped = std::move(node);
  grouped->inputs.push_back(std::move(input));
  if (having) {
    grouped = Filter(std::move(grouped), std::move(having));
    grouped->detail = ToSql(*select.having);
  }
  project->inputs[0] = std::move(grouped);
  return project;
}

}  // namespace honryu::sql
