#include "honryu/sql/parser.h"
#include "sql/lexer.h"
#include "sql/planner.h"

#include <algorithm>

namespace honryu::sql {
namespace {

constexpr struct {
  const char* name;
  TypeKind type;
} kMetadata[] = {{"APPROXIMATE_ARRIVAL_TIME", TypeKind::kTimestamp},
                 {"PARTITION_KEY", TypeKind::kVarchar},
                 {"SEQUENCE_NUMBER", TypeKind::kVarchar},
                 {"SHARD_ID", TypeKind::kVarchar},
                 {"_CLOCK_SKEW_MS", TypeKind::kBigInt}};
static_assert(std::size(kMetadata) == kMetadataColumns);

void Qualify(Scope& scope, const std::string& qualifier) {
  for (ScopeColumn& column : scope.columns) column.qualifier = qualifier;
}

std::string AliasOf(const Source& source) {
  if (source.alias.has_value()) return source.alias->Folded();
  return source.name.empty() ? std::string() : source.name.back().Folded();
}

}  // namespace

void AppendWindowColumns(Scope& scope, std::size_t first_index, const std::string& qualifier) {
  for (const char* name : {"window_start", "window_end", "window_time"}) {
    ScopeColumn column{qualifier, name, TimestampType(), first_index++};
    column.monotonic = true;
    scope.columns.push_back(std::move(column));
  }
}

Result<PlanPtr> Planner::PlanScan(StreamInfo& stream, const std::string& qualifier) {
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kScan;
  node->stream = &stream;
  for (std::size_t i = 0; i < stream.columns.size(); ++i) {
    ScopeColumn column{qualifier, stream.columns[i].name, stream.columns[i].type, i};
    column.row_time = stream.time_column == i;
    column.not_null = stream.columns[i].not_null;
    column.used = &stream.used[i];
    node->scope.columns.push_back(std::move(column));
  }
  for (std::size_t i = 0; i < kMetadataColumns; ++i) {
    const std::size_t index = stream.columns.size() + i;
    ScopeColumn column{qualifier, kMetadata[i].name, Type{kMetadata[i].type}, index};
    column.hidden = true;
    column.used = &stream.used[index];
    node->scope.columns.push_back(std::move(column));
  }
  node->width = stream.columns.size() + kMetadataColumns;
  return node;
}

Result<PlanPtr> Planner::PlanSource(const Source& source) {
  PlanPtr node;
  const std::string alias = AliasOf(source);
  if (source.call) {
    const std::string& name = source.call->text;
    const bool window = name == "TUMBLE" || name == "HOP" || name == "CUMULATE" || name == "SESSION";
    HONRYU_TRY(node,
               window ? PlanWindowFunction(source, *source.call) : PlanTableFunction(source, *source.call));
    if (!alias.empty()) Qualify(node->scope, alias);
  } else if (source.query) {
    HONRYU_TRY(node, PlanQuery(*source.query));
    Qualify(node->scope, alias);
  } else {
    StreamInfo* stream = FindStream(source.name);
    if (stream == nullptr) {
      if (FindTable(source.name) != nullptr)
        return Fail(source.at, "a reference table stands on the right side of a join, not alone");
      std::vector<std::string> names;
      for (const auto& [known, info] : plan_.streams) names.push_back(known);
      for (const auto& [known, info] : plan_.tables) names.push_back(known);
      const std::string hint = NearestName(source.name.back().text, names);
      return Fail(source.at, "unknown stream '" + source.name.back().text + "'",
                  hint.empty() ? "" : "'" + hint + "'");
    }
    HONRYU_TRY(node, PlanScan(*stream, alias));
  }
  if (!source.columns.empty()) {  // AS t (a, b)
    std::size_t next = 0;
    for (ScopeColumn& column : node->scope.columns)
      if (!column.hidden && next < source.columns.size()) column.name = source.columns[next++].Folded();
    if (next < source.columns.size()) return Fail(source.columns[next].at, "the source has fewer columns");
  }
  return node;
}

Result<std::int64_t> Planner::Duration(const Expr& expr) {
  std::int64_t ms = expr.interval.ms;
  if (expr.kind == ExprKind::kLiteral && expr.literal == LiteralKind::kString) {
    const auto parsed = ParseExpression("INTERVAL '" + expr.text + "'");
    if (parsed.ok()) ms = (*parsed)->interval.ms;
  } else if (expr.kind != ExprKind::kInterval || expr.interval.months != 0) {
    ms = 0;
  }
  if (ms <= 0) return Fail(expr.at, "expected an interval above 0 of weeks or less");
  return ms;
}

// TABLE t, a bare name, or a query.
Result<PlanPtr> Planner::PlanArgument(const Expr& expr) {
  if (expr.kind == ExprKind::kCursor) return PlanQuery(*expr.query);
  if (expr.kind != ExprKind::kTable && expr.kind != ExprKind::kColumn)
    return Fail(expr.at, "expected CURSOR(SELECT …) or TABLE name");
  Source source;
  source.at = expr.at;
  source.name = expr.path;
  return PlanSource(source);
}

// TUMBLE(TABLE t, DESCRIPTOR(ts), size), HOP(…, slide, size), CUMULATE(…, step, size), SESSION(…, gap)
Result<PlanPtr> Planner::PlanWindowFunction(const Source& source, const Expr& call) {
  const bool two = call.text == "HOP" || call.text == "CUMULATE";
  const std::size_t count = two ? 4 : 3;
  if (call.args.size() != count)
    return Fail(call.at,
                call.text + " takes a table, a descriptor and " + (two ? "two intervals" : "one interval"));
  HONRYU_TRY(PlanPtr input, PlanArgument(*call.args[0]));
  const Expr& descriptor = *call.args[1];
  if (descriptor.kind != ExprKind::kDescriptor && descriptor.kind != ExprKind::kColumn)
    return Fail(descriptor.at, "expected DESCRIPTOR(column)");
  Binder binder(text_, input->scope);
  Expr column;
  column.kind = ExprKind::kColumn;
  column.at = descriptor.path[0].at;
  column.path = descriptor.path;
  HONRYU_TRY(const BoundPtr time, binder.Bind(column));
  if (!time->is_row_time)
    return Fail(descriptor.at, "'" + descriptor.path.back().text +
                                   "' is not the stream's time: declare WATERMARK FOR it, or use ROWTIME");
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kAssignWindows;
  HONRYU_TRY(const std::int64_t first, Duration(*call.args[2]));
  node->window.size = first;
  if (two) {
    HONRYU_TRY(node->window.size, Duration(*call.args[3]));
    node->window.slide = first;
    if (node->window.size < first) return Fail(call.args[3]->at, "the window is shorter than its step");
    if (call.text == "CUMULATE" && node->window.size % first != 0)
      return Fail(call.args[3]->at, "the window must be a multiple of its step");
    if (node->window.size / first > 10'000)
      return Fail(call.args[3]->at, "a row would be in more than 10000 windows");
  }
  node->window.kind = call.text == "TUMBLE"     ? WindowKind::kTumble
                      : call.text == "HOP"      ? WindowKind::kHop
                      : call.text == "CUMULATE" ? WindowKind::kCumulate
                                                : WindowKind::kSession;
  node->scope = input->scope;
  node->width = input->width + 3;
  node->windows_used = std::make_unique<unsigned char>(0);
  AppendWindowColumns(node->scope, input->width,
                      input->scope.columns.empty() ? "" : input->scope.columns[0].qualifier);
  for (std::size_t i = node->scope.columns.size() - 3; i < node->scope.columns.size(); ++i)
    node->scope.columns[i].used = node->windows_used.get();
  node->inputs.push_back(std::move(input));
  (void)source;
  return node;
}

Result<PlanPtr> Planner::PlanTableFunction(const Source& source, const Expr& call) {
  const auto factory = functions_.find(call.text);
  if (factory == functions_.end()) {
    std::vector<std::string> names = {"TUMBLE", "HOP", "CUMULATE", "SESSION"};
    for (const auto& [name, made] : functions_) names.push_back(name);
    return Fail(call.at, "unknown table function '" + call.text + "'", NearestName(call.text, names));
  }
  if (call.args.empty()) return Fail(call.at, call.text + " needs CURSOR(SELECT …) first");
  HONRYU_TRY(PlanPtr input, PlanArgument(*call.args[0]));
  // The function sees the columns that * stands for, and nothing else.
  auto project = std::make_unique<PlanNode>();
  project->kind = PlanNode::Kind::kProject;
  for (const ScopeColumn& column : input->scope.columns) {
    if (column.hidden) continue;
    if (column.used != nullptr) *column.used = 1;
    project->scope.columns.push_back({"", column.name, column.type, project->exprs.size()});
    project->exprs.push_back(MakeColumn(column.index, column.type, column.name));
  }
  project->width = project->exprs.size();
  project->inputs.push_back(std::move(input));
  const Scope nothing;
  Binder binder(text_, nothing);
  std::vector<TableFunctionArgument> arguments;
  for (std::size_t i = 1; i < call.args.size(); ++i) {
    HONRYU_TRY(const BoundPtr argument, binder.Bind(*call.args[i]));
    EvalContext context;
    if (!argument->constant) return Fail(call.args[i]->at, "expected a constant");
    arguments.push_back({argument->Eval(context), argument->type});
    if (context.failed()) return Fail(call.args[i]->at, context.error);
  }
  auto made = factory->second(project->scope.ToColumns(), arguments);
  if (!made.ok()) return Fail(call.at, made.error().message());
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kTableFunction;
  node->function = std::move(*made);
  node->detail = call.text;
  for (const Column& column : node->function->output())
    node->scope.columns.push_back({"", column.name, column.type, node->scope.columns.size()});
  for (std::size_t i = 0; i < node->function->hidden(); ++i)
    node->scope.columns[node->scope.columns.size() - 1 - i].hidden = true;
  node->width = node->scope.columns.size();
  node->inputs.push_back(std::move(project));
  (void)source;
  return node;
}

}  // namespace honryu::sql
