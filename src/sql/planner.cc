#include "sql/planner.h"

#include "honryu/base/crc32c.h"
#include "honryu/sql/parser.h"
#include "sql/lexer.h"

#include <algorithm>
#include <functional>

namespace honryu::sql {
namespace {

std::string PropertyOf(const Properties& with, std::string_view key) {
  for (const auto& [name, value] : with)
    if (UpperCase(name) == UpperCase(key)) return value;
  return {};
}

}  // namespace

Error Planner::Fail(Position at, std::string_view message, std::string_view hint) const {
  return Error(ErrorCode::kInvalidArgument, RenderError(text_, at, message, hint));
}

std::string Planner::Setting(std::string_view key, std::string_view fallback) const {
  const auto found = plan_.settings.find(std::string(key));
  return found == plan_.settings.end() ? std::string(fallback) : found->second;
}

Result<std::int64_t> Planner::StateTtl(Position at) const {
  const std::string ttl = Setting("state_ttl", "");
  if (ttl.empty()) return std::int64_t{0};
  const auto parsed = ParseExpression("INTERVAL '" + ttl + "'");
  if (!parsed.ok() || (*parsed)->interval.ms <= 0)
    return Fail(at, "SET state_ttl needs a duration such as '1 day'");
  return (*parsed)->interval.ms;
}

StreamInfo* Planner::FindStream(const Path& path) const {
  const Name& name = path.back();
  const auto exact = plan_.streams.find(name.Folded());
  if (exact != plan_.streams.end()) return exact->second.get();
  StreamInfo* found = nullptr;
  for (const auto& [known, stream] : plan_.streams) {
    if (name.quoted || UpperCase(known) != name.Folded()) continue;
    if (found != nullptr) return nullptr;
    found = stream.get();
  }
  return found;
}

const TableInfo* Planner::FindTable(const Path& path) const {
  for (const auto& [known, table] : plan_.tables)
    if (known == path.back().Folded() || (!path.back().quoted && UpperCase(known) == path.back().Folded()))
      return table.get();
  return nullptr;
}

Result<void> Planner::DeclareStream(const Name& name, const std::vector<ColumnDefinition>& columns,
                                    const std::optional<Watermark>& watermark, const Properties& with,
                                    bool replace) {
  auto info = std::make_unique<StreamInfo>();
  info->name = name.Folded();
  if (info->name == "ERROR_STREAM" || info->name == "LATE_ROWS")
    return Fail(name.at, "stream '" + info->name + "' is there by itself");
  if (plan_.streams.contains(info->name) && !replace)
    return Fail(name.at, "stream '" + name.text + "' exists already: CREATE OR REPLACE STREAM");
  Scope scope;
  for (const ColumnDefinition& column : columns) {
    const std::string folded = column.name.Folded();
    for (const Column& known : info->columns)
      if (known.name == folded) return Fail(column.name.at, "a second column '" + folded + "'");
    info->columns.push_back({folded, column.type, column.not_null});
    info->json_keys.push_back(column.name.text);
    info->any_case.push_back(!column.name.quoted);
    JsonPath path;
    if (!column.json_path.empty()) {
      auto parsed = ParseJsonPath(column.json_path);
      if (!parsed.ok()) return Fail(column.name.at, parsed.error().message());
      path = std::move(*parsed);
    }
    info->paths.push_back(std::move(path));
    scope.columns.push_back({"", folded, column.type, scope.columns.size()});
  }
  info->used.assign(info->columns.size() + kMetadataColumns, 0);
  Binder binder(text_, scope);
  std::optional<Name> time_column;
  if (watermark.has_value()) {  // WATERMARK FOR ts AS ts - INTERVAL …
    time_column = watermark->column;
    const Expr& expr = *watermark->expr;
    if (expr.kind == ExprKind::kBinary && expr.op == Operator::kSubtract &&
        expr.args[1]->kind == ExprKind::kInterval && expr.args[1]->interval.months == 0) {
      info->bound_ms = expr.args[1]->interval.ms;
    } else if (expr.kind != ExprKind::kColumn) {
      return Fail(expr.at, "a watermark is a column, or a column - INTERVAL …");
    }
    const Expr& column = expr.kind == ExprKind::kColumn ? expr : *expr.args[0];
    if (column.kind != ExprKind::kColumn || column.path.back().Folded() != watermark->column.Folded())
      return Fail(expr.at, "the watermark of '" + watermark->column.text + "' is made of this column");
    if (info->bound_ms < 0) return Fail(expr.at, "a watermark may not lie ahead of its column");
  } else if (const std::string property = PropertyOf(with, "timestamp"); !property.empty()) {  // ksqlDB
    time_column = Name{property, false, name.at};
  }
  if (time_column.has_value()) {
    HONRYU_TRY(const auto found, binder.Resolve({*time_column}));
    if (!found.has_value()) {
      std::vector<std::string> names;
      for (const Column& column : info->columns) names.push_back(column.name);
      return Fail(time_column->at, "unknown column '" + time_column->text + "'",
                  NearestName(time_column->text, names));
    }
    info->time_column = found->first;
    const Type& type = info->columns[found->first].type;
    if (!type.Is(TypeKind::kTimestamp) && !type.Is(TypeKind::kBigInt))
      return Fail(time_column->at,
                  "event time is a TIMESTAMP, or milliseconds in a BIGINT; found " + type.ToString());
    info->used[found->first] = 1;
    HONRYU_TRY_VOID(DeclareTimeElse(name, PropertyOf(with, "timestamp_else"), *info));
  }
  for (std::string rest = PropertyOf(with, "partition_key"); !rest.empty();) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    info->partition.push_back(rest.substr(0, end));
    rest.erase(0, end + 1);
  }
  plan_.streams[info->name] = std::move(info);
  return Ok();
}

// WITH (timestamp_else = 'timestamp, arrival')
Result<void> Planner::DeclareTimeElse(const Name& name, std::string_view list, StreamInfo& info) const {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view word = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    const auto found = std::find_if(info.columns.begin(), info.columns.end(), [&](const Column& column) {
      return UpperCase(column.name) == UpperCase(word);
    });
    if (found != info.columns.end() && found->type == info.columns[*info.time_column].type) {
      const auto index = static_cast<std::size_t>(found - info.columns.begin());
      info.time_else.push_back(index);
      info.used[index] = 1;
    } else if (found == info.columns.end() && UpperCase(word) == "ARRIVAL") {
      info.time_arrival = true;
    } else {
      return Fail(name.at, "timestamp_else names columns of the event time's type, and 'arrival' at the end");
    }
  }
  return Ok();
}

Result<void> Planner::DeclareTable(const CreateTable& table) {
  // Flink calls every stream a table; a reference table says REFERENCE, or where its rows are.
  if (!table.reference && PropertyOf(table.with, "source").empty())
    return DeclareStream(table.name, table.columns, table.watermark, table.with, table.replace);
  auto info = std::make_unique<TableInfo>();
  info->name = table.name.Folded();
  if (plan_.tables.contains(info->name) && !table.replace)
    return Fail(table.name.at, "table '" + table.name.text + "' exists already: CREATE OR REPLACE");
  for (const ColumnDefinition& column : table.columns)
    info->columns.push_back({column.name.Folded(), column.type, column.not_null});
  info->with = table.with;
  plan_.tables[info->name] = std::move(info);
  return Ok();
}

Result<void> Planner::Declare(const Script& script) {
  text_ = script.text;
  for (const Statement& statement : script.statements) {
    if (const auto* stream = std::get_if<CreateStream>(&statement.body)) {
      if (stream->if_not_exists && plan_.streams.contains(stream->name.Folded())) continue;
      HONRYU_TRY_VOID(
          DeclareStream(stream->name, stream->columns, stream->watermark, stream->with, stream->replace));
    } else if (const auto* table = std::get_if<CreateTable>(&statement.body)) {
      if (table->if_not_exists &&
          (FindStream({table->name}) != nullptr || FindTable({table->name}) != nullptr))
        continue;
      HONRYU_TRY_VOID(DeclareTable(*table));
    } else if (const auto* set = std::get_if<Set>(&statement.body)) {
      plan_.settings[set->key] = set->value;
    }
  }
  return Ok();
}

namespace {

std::unique_ptr<StreamInfo> MakeStream(const std::string& name, Columns columns) {
  auto info = std::make_unique<StreamInfo>();
  info->name = name;
  info->columns = std::move(columns);
  for (const Column& column : info->columns) info->json_keys.push_back(column.name);
  info->any_case.assign(info->columns.size(), false);
  info->paths.resize(info->columns.size());
  info->used.assign(info->columns.size() + kMetadataColumns, 0);
  return info;
}

}  // namespace

std::unique_ptr<StreamInfo> MakeErrorStream() {
  const Type text{TypeKind::kVarchar};
  auto info = MakeStream("ERROR_STREAM", {{"ERROR_TIME", TimestampType()},
                                          {"ERROR_LEVEL", text},
                                          {"ERROR_NAME", text},
                                          {"MESSAGE", text},
                                          {"DATA_ROWTIME", TimestampType()},
                                          {"DATA_ROW", text},
                                          {"PUMP_NAME", text}});
  info->output = true;
  return info;
}

std::unique_ptr<StreamInfo> MakeLateStream(const std::string& name) {
  auto info = MakeStream(
      name, {{"DATA_ROWTIME", TimestampType()}, {"PUMP_NAME", VarcharType()}, {"DATA_ROW", JsonType()}});
  info->output = info->late = true;
  return info;
}

// INSERT INTO a stream that nobody declared makes it, with the query's columns.
Result<StreamInfo*> Planner::StreamFor(const Name& name, const Scope& scope) {
  if (StreamInfo* known = FindStream({name})) return known;
  Columns columns;
  for (const ScopeColumn& column : scope.columns)
    if (!column.hidden) columns.push_back({column.name, column.type});
  auto info = MakeStream(name.Folded(), std::move(columns));
  StreamInfo* made = info.get();
  plan_.streams[info->name] = std::move(info);
  return made;
}

Result<void> Planner::PlanInsert(const InsertSelect& insert, std::string name, bool stopped, Position at) {
  HONRYU_TRY(PlanPtr root, PlanQuery(*insert.query));
  HONRYU_TRY(StreamInfo* const target, StreamFor(insert.target, root->scope));
  target->output = true;
  std::vector<std::size_t> places;  // of the target, per item of the query
  Scope target_scope;
  for (const Column& column : target->columns)
    target_scope.columns.push_back({"", column.name, column.type, target_scope.columns.size()});
  Binder binder(text_, target_scope);
  for (const Name& column : insert.columns) {
    HONRYU_TRY(const auto found, binder.Resolve({column}));
    if (!found.has_value()) {
      std::vector<std::string> names;
      for (const Column& known : target->columns) names.push_back(known.name);
      return Fail(column.at, "stream '" + target->name + "' has no column '" + column.text + "'",
                  NearestName(column.text, names));
    }
    places.push_back(found->first);
  }
  if (insert.columns.empty())
    for (std::size_t i = 0; i < target->columns.size(); ++i) places.push_back(i);
  if (places.size() != root->scope.columns.size())
    return Fail(insert.query->at, "stream '" + target->name + "' takes " + std::to_string(places.size()) +
                                      " columns, the query gives " +
                                      std::to_string(root->scope.columns.size()));
  auto node = std::make_unique<PlanNode>();
  node->kind = PlanNode::Kind::kProject;
  node->exprs.resize(target->columns.size());
  const bool truncate = Setting("on_truncate", "truncate") != "error";
  for (std::size_t i = 0; i < places.size(); ++i) {
    const ScopeColumn& from = root->scope.columns[i];
    const Column& to = target->columns[places[i]];
    if (node->exprs[places[i]]) return Fail(at, "column '" + to.name + "' is named twice");
    HONRYU_TRY(node->exprs[places[i]], binder.Assign(MakeColumn(from.index, from.type, from.name), to.type,
                                                     insert.query->at, "column '" + to.name + "'", truncate));
  }
  for (std::size_t i = 0; i < node->exprs.size(); ++i) {
    if (!node->exprs[i]) node->exprs[i] = MakeConstant(Value(), target->columns[i].type);
    node->scope.columns.push_back({"", target->columns[i].name, target->columns[i].type, i});
  }
  node->inputs.push_back(std::move(root));
  plan_.queries.push_back({std::move(name), target->name, std::move(node), stopped});
  return Ok();
}

Result<void> Planner::PlanView(const CreateView& view, Position) {
  HONRYU_TRY(PlanPtr root, PlanQuery(*view.query));
  if (FindStream({view.name}) != nullptr && !view.replace)
    return Fail(view.name.at, "'" + view.name.text + "' exists already: CREATE OR REPLACE");
  plan_.streams.erase(view.name.Folded());
  HONRYU_TRY(StreamInfo* const target, StreamFor(view.name, root->scope));
  target->output = view.materialized;
  for (std::size_t i = 0; i < root->scope.columns.size(); ++i) {
    // What was a time or a window of the query is one for the view's readers.
    if (root->scope.columns[i].row_time) target->time_column = i;
  }
  plan_.queries.push_back({target->name, target->name, std::move(root), false});
  return Ok();
}

Result<void> Planner::PlanQueries(const Script& script) {
  text_ = script.text;
  for (const Statement& statement : script.statements) {
    const Statement* body = &statement;
    while (const auto* explain = std::get_if<Explain>(&body->body)) body = explain->statement.get();
    if (const auto* pump = std::get_if<CreatePump>(&body->body)) {
      HONRYU_TRY_VOID(PlanInsert(pump->insert, pump->name.Folded(), pump->stopped, body->at));
    } else if (const auto* insert = std::get_if<InsertSelect>(&body->body)) {
      HONRYU_TRY_VOID(PlanInsert(*insert, "insert_" + std::to_string(++unnamed_), false, body->at));
    } else if (const auto* view = std::get_if<CreateView>(&body->body)) {
      HONRYU_TRY_VOID(PlanView(*view, body->at));
    } else if (const auto* query = std::get_if<QueryPtr>(&body->body)) {
      HONRYU_TRY(PlanPtr root, PlanQuery(**query));
      const std::string name = "query_" + std::to_string(++unnamed_);
      HONRYU_TRY(StreamInfo* const target, StreamFor(Name{name, true, body->at}, root->scope));
      target->output = true;
      plan_.queries.push_back({name, name, std::move(root), false});
    } else if (const auto* alter = std::get_if<AlterPump>(&body->body)) {
      const auto found =
          std::find_if(plan_.queries.begin(), plan_.queries.end(),
                       [&](const PlannedQuery& known) { return known.name == alter->name.Folded(); });
      if (found == plan_.queries.end())
        return Fail(alter->name.at, "unknown pump '" + alter->name.text + "'");
      // Where records are read from is for who reads them: a reset changes no plan.
      if (alter->action != AlterAction::kReset) found->stopped = alter->action == AlterAction::kStop;
    } else if (const auto* drop = std::get_if<honryu::sql::Drop>(&body->body)) {
      HONRYU_TRY_VOID(Drop(*drop, body->at));
    }
  }
  return Ok();
}

Result<void> Planner::Drop(const honryu::sql::Drop& drop, Position) {
  const std::string name = drop.name.Folded();
  if (drop.kind == ObjectKind::kPump) {
    const std::size_t removed =
        std::erase_if(plan_.queries, [&](const PlannedQuery& query) { return query.name == name; });
    if (removed == 0 && !drop.if_exists) return Fail(drop.name.at, "unknown pump '" + drop.name.text + "'");
    return Ok();
  }
  const bool known = plan_.streams.contains(name) || plan_.tables.contains(name);
  if (!known && !drop.if_exists) return Fail(drop.name.at, "unknown name '" + drop.name.text + "'");
  if (known)
    return Fail(drop.name.at,
                "'" + drop.name.text + "' is made by this program: leave its CREATE out instead");
  return Ok();
}

Result<void> Planner::OrderQueries() {
  std::vector<PlannedQuery> ordered;
  std::vector<int> state(plan_.queries.size(), 0);  // 0 new, 1 being visited, 2 done
  const std::function<void(const PlanNode&, std::set<std::string>&)> reads =
      [&](const PlanNode& node, std::set<std::string>& streams) {
        if (node.stream != nullptr) streams.insert(node.stream->name);
        for (const PlanPtr& input : node.inputs) reads(*input, streams);
      };
  std::string cycle;
  const std::function<void(std::size_t)> visit = [&](std::size_t i) {
    if (state[i] == 2) return;
    if (state[i] == 1) {
      cycle = plan_.queries[i].name;
      return;
    }
    state[i] = 1;
    std::set<std::string> streams;
    reads(*plan_.queries[i].root, streams);
    for (std::size_t j = 0; j < plan_.queries.size() && cycle.empty(); ++j)
      if (streams.contains(plan_.queries[j].target)) visit(j);
    if (!cycle.empty()) return;
    state[i] = 2;
    ordered.push_back(std::move(plan_.queries[i]));
  };
  for (std::size_t i = 0; i < plan_.queries.size() && cycle.empty(); ++i) visit(i);
  if (!cycle.empty())
    return Error(ErrorCode::kInvalidArgument, "pump '" + cycle + "' feeds itself through other pumps");
  plan_.queries = std::move(ordered);
  return Ok();
}

Result<std::unique_ptr<Plan>> PlanProgram(std::string_view prelude, std::string_view text,
                                          const TableFunctionRegistry& functions) {
  HONRYU_TRY(const Script given, ParseScript(prelude));
  HONRYU_TRY(const Script script, ParseScript(text));
  auto plan = std::make_unique<Plan>();
  plan->streams["ERROR_STREAM"] = MakeErrorStream();
  plan->streams["LATE_ROWS"] = MakeLateStream("LATE_ROWS");
  Planner planner(*plan, functions);
  HONRYU_TRY_VOID(planner.Declare(given));
  HONRYU_TRY_VOID(planner.Declare(script));
  HONRYU_TRY_VOID(planner.PlanQueries(given));
  HONRYU_TRY_VOID(planner.PlanQueries(script));
  HONRYU_TRY_VOID(planner.OrderQueries());
  plan->fingerprint = Hash64(ToSql(given) + "\n" + ToSql(script));
  return plan;
}

}  // namespace honryu::sql
