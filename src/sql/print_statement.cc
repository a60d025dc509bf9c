#include "honryu/sql/parser.h"
#include "sql/printer.h"

namespace honryu::sql {

void Printer::AddWindow(const WindowSpec& spec) {
  if (spec.reference.has_value()) return AddName(*spec.reference);
  Put("(");
  std::string_view blank;
  if (!spec.partition.empty()) {
    Put("PARTITION BY ");
    AddList(spec.partition);
    blank = " ";
  }
  if (!spec.order.empty()) {
    Put(blank);
    Put("ORDER BY ");
    AddOrder(spec.order);
    blank = " ";
  }
  if (spec.frame.has_value()) {
    Put(blank);
    Put(spec.frame->rows ? "ROWS " : "RANGE ");
    if (spec.frame->unbounded) {
      Put("UNBOUNDED");
    } else if (spec.frame->rows) {
      Put(std::to_string(spec.frame->count));
    } else {
      AddInterval(spec.frame->range, true);
    }
    Put(" PRECEDING");
  }
  Put(")");
}

void Printer::AddSource(const Source& source) {
  if (source.query) {
    Put("(");
    Add(*source.query);
    Put(")");
  } else if (source.call) {
    Put("TABLE(");
    Add(*source.call);
    Put(")");
  } else {
    AddPath(source.name);
  }
  if (source.over) {
    Put(" OVER ");
    AddWindow(*source.over);
  }
  if (source.as_of) {
    Put(" FOR SYSTEM_TIME AS OF ");
    Add(*source.as_of);
  }
  if (!source.alias.has_value()) return;
  Put(" AS ");
  AddName(*source.alias);
  if (source.columns.empty()) return;
  Put("(");
  AddPath({source.columns[0]});
  for (std::size_t i = 1; i < source.columns.size(); ++i) {
    Put(", ");
    AddName(source.columns[i]);
  }
  Put(")");
}

void Printer::AddJoin(const Join& join) {
  constexpr std::string_view kKinds[] = {" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "};
  Put(kKinds[static_cast<std::size_t>(join.kind)]);
  AddSource(join.source);
  if (join.within.has_value()) {
    Put(" WITHIN (");
    AddInterval(join.within->first, true);
    Put(", ");
    AddInterval(join.within->second, true);
    Put(")");
    if (join.grace.has_value()) {
      Put(" GRACE PERIOD ");
      AddInterval(*join.grace, true);
    }
  }
  Put(" ON ");
  Add(*join.on);
}

void Printer::AddKsql(const KsqlWindow& window) {
  constexpr std::string_view kKinds[] = {" WINDOW TUMBLING (SIZE ", " WINDOW HOPPING (SIZE ",
                                         " WINDOW SESSION ("};
  Put(kKinds[static_cast<std::size_t>(window.kind)]);
  AddInterval(window.size, true);
  if (window.kind == KsqlWindowKind::kHopping) {
    Put(", ADVANCE BY ");
    AddInterval(window.advance, true);
  }
  if (window.retention.has_value()) {
    Put(", RETENTION ");
    AddInterval(*window.retention, true);
  }
  if (window.grace.has_value()) {
    Put(", GRACE PERIOD ");
    AddInterval(*window.grace, true);
  }
  Put(")");
}

void Printer::AddGroup(const Group& group) {
  if (group.ksql.has_value()) AddKsql(*group.ksql);
  if (group.kind == GroupKind::kGroupBy) {
    Put(" GROUP BY ");
    AddList(group.keys);
  } else if (group.kind == GroupKind::kStagger) {
    Put(" WINDOWED BY STAGGER (PARTITION BY ");
    AddList(group.keys);
    Put(" RANGE ");
    AddInterval(group.stagger, true);
    Put(")");
  }
}

void Printer::AddSelect(const Select& select) {
  Put("SELECT ");
  if (select.stream) Put("STREAM ");
  if (select.distinct) Put("DISTINCT ");
  for (std::size_t i = 0; i < select.items.size(); ++i) {
    if (i > 0) Put(", ");
    Add(*select.items[i].expr);
    if (select.items[i].alias.has_value()) {
      Put(" AS ");
      AddName(*select.items[i].alias);
    }
  }
  Put(" FROM ");
  AddSource(select.from);
  for (const Join& join : select.joins) AddJoin(join);
  if (select.where) {
    Put(" WHERE ");
    Add(*select.where);
  }
  AddGroup(select.group);
  if (select.having) {
    Put(" HAVING ");
    Add(*select.having);
  }
  for (std::size_t i = 0; i < select.windows.size(); ++i) {
    Put(i == 0 ? " WINDOW " : ", ");
    AddName(select.windows[i].name);
    Put(" AS ");
    AddWindow(select.windows[i].spec);
  }
}

void Printer::AddEmit(const Query& query) {
  switch (query.emit.kind) {
    case EmitKind::kDefault:
      break;
    case EmitKind::kFinal:
      Put(" EMIT FINAL");
      break;
    case EmitKind::kChanges:
      Put(" EMIT CHANGES");
      break;
    case EmitKind::kEvery:
      Put(" EMIT EVERY ");
      AddInterval(query.emit.every, true);
      break;
    case EmitKind::kWhen:
      Put(" EMIT WHEN ");
      Add(*query.emit.when);
  }
  if (query.lateness.allowed.has_value()) {
    Put(" ALLOWED LATENESS ");
    AddInterval(*query.lateness.allowed, true);
  }
  if (query.lateness.policy == LatePolicy::kDrop) Put(" ON LATE DROP");
  if (query.lateness.policy == LatePolicy::kUpdate) Put(" ON LATE UPDATE");
  if (query.lateness.policy == LatePolicy::kSideStream) {
    Put(" ON LATE SIDE STREAM ");
    AddName(*query.lateness.stream);
  }
}

void Printer::Add(const Query& query) {
  for (std::size_t i = 0; i < query.selects.size(); ++i) {
    if (i > 0) Put(" UNION ALL ");
    AddSelect(query.selects[i]);
  }
  if (!query.order.empty()) {
    Put(" ORDER BY ");
    AddOrder(query.order);
  }
  if (query.limit.has_value()) Put(" LIMIT " + std::to_string(*query.limit));
  AddEmit(query);
}

void Printer::AddColumn(const ColumnDefinition& column) {
  AddName(column.name);
  Put(" " + column.type.ToString());
  if (column.not_null) Put(" NOT NULL");
  if (column.key) Put(" KEY");
  if (!column.json_path.empty()) {
    Put(" FROM ");
    AddString(column.json_path);
  }
}

void Printer::AddWith(const Properties& properties) {
  for (std::size_t i = 0; i < properties.size(); ++i) {
    Put(i == 0 ? " WITH (" : ", ");
    AddString(properties[i].first);
    Put(" = ");
    AddString(properties[i].second);
  }
  if (!properties.empty()) Put(")");
}

namespace {

template <class Create>
std::string CreateHead(const Create& create, std::string_view what) {
  std::string head = create.replace ? "CREATE OR REPLACE " : "CREATE ";
  head += what;
  if (create.if_not_exists) head += "IF NOT EXISTS ";
  return head;
}

}  // namespace

// What separates them from what follows: nothing when there are none.
std::string_view Printer::AddColumns(const std::vector<ColumnDefinition>& columns,
                                     const std::optional<Watermark>& watermark) {
  std::string_view comma;
  for (const ColumnDefinition& column : columns) {
    Put(comma);
    AddColumn(column);
    comma = ", ";
  }
  if (watermark.has_value()) {
    Put(comma);
    Put("WATERMARK FOR ");
    AddName(watermark->column);
    Put(" AS ");
    Add(*watermark->expr);
    comma = ", ";
  }
  return comma;
}

void Printer::Body(const CreateStream& create) {
  Put(CreateHead(create, "STREAM "));
  AddName(create.name);
  Put(" (");
  AddColumns(create.columns, create.watermark);
  Put(")");
  if (!create.description.empty()) {
    Put(" DESCRIPTION ");
    AddString(create.description);
  }
  AddWith(create.with);
}

void Printer::Body(const CreateTable& create) {
  Put(CreateHead(create, create.reference ? "REFERENCE TABLE " : "TABLE "));
  AddName(create.name);
  Put(" (");
  const std::string_view comma = AddColumns(create.columns, create.watermark);
  for (std::size_t i = 0; i < create.primary_key.size(); ++i) {
    if (i == 0) Put(comma);
    Put(i == 0 ? "PRIMARY KEY (" : ", ");
    AddName(create.primary_key[i]);
  }
  Put(create.primary_key.empty() ? ")" : "))");
  AddWith(create.with);
}

void Printer::Body(const CreatePump& create) {
  Put(CreateHead(create, "PUMP "));
  AddName(create.name);
  Put(create.stopped ? " STOPPED AS " : " AS ");
  Body(create.insert);
}

void Printer::Body(const CreateView& create) {
  Put(CreateHead(create, create.materialized ? "MATERIALIZED VIEW " : "VIEW "));
  AddName(create.name);
  AddWith(create.with);
  Put(" AS ");
  Add(*create.query);
}

void Printer::Body(const InsertSelect& insert) {
  Put("INSERT INTO ");
  AddName(insert.target);
  for (std::size_t i = 0; i < insert.columns.size(); ++i) {
    Put(i == 0 ? " (" : ", ");
    AddName(insert.columns[i]);
  }
  Put(insert.columns.empty() ? " " : ") ");
  Add(*insert.query);
}

void Printer::Body(const AlterPump& alter) {
  Put("ALTER PUMP ");
  AddName(alter.name);
  if (alter.action == AlterAction::kStart) Put(" START");
  if (alter.action == AlterAction::kStop) Put(" STOP");
  if (alter.action == AlterAction::kReset) {
    Put(" RESET TO ");
    AddString(alter.position);
  }
}

void Printer::Body(const Drop& drop) {
  constexpr std::string_view kKinds[] = {"DROP STREAM ", "DROP PUMP ", "DROP TABLE ", "DROP VIEW "};
  Put(kKinds[static_cast<std::size_t>(drop.kind)]);
  if (drop.if_exists) Put("IF EXISTS ");
  AddName(drop.name);
}

void Printer::Body(const Set& set) {
  Put("SET ");
  AddString(set.key);
  Put(" = ");
  AddString(set.value);
}

void Printer::Body(const Explain& explain) {
  Put("EXPLAIN ");
  Add(*explain.statement);
}

void Printer::Add(const Statement& statement) {
  std::visit([this](const auto& body) { Body(body); }, statement.body);
}

std::string ToSql(const Statement& statement) {
  Printer printer;
  printer.Add(statement);
  return printer.Take();
}

std::string ToSql(const Query& query) {
  Printer printer;
  printer.Add(query);
  return printer.Take();
}

std::string ToSql(const Expr& expr) {
  Printer printer;
  printer.Add(expr);
  return printer.Take();
}

std::string ToSql(const Script& script) {
  std::string out;
  for (const Statement& statement : script.statements) out += ToSql(statement) + ";\n";
  return out;
}

}  // namespace honryu::sql
