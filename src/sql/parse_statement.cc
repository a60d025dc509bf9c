#include "sql/parser_impl.h"

namespace honryu::sql {

Result<std::vector<Statement>> Parser::Statements() {
  std::vector<Statement> statements;
  while (true) {
    while (AcceptSymbol(";")) {
    }
    if (Peek().kind == TokenKind::kEnd) return statements;
    HONRYU_TRY(Statement statement, ParseStatement());
    statements.push_back(std::move(statement));
    if (Peek().kind != TokenKind::kEnd && !IsSymbol(";"))
      return Unexpected("';' or the end of the statement");
  }
}

Result<Statement> Parser::ParseStatement() {
  const Position at = Peek().at;
  Statement statement;
  if (IsWord("CREATE")) {
    HONRYU_TRY(statement, Create());
  } else if (IsWord("INSERT")) {
    HONRYU_TRY(statement.body, Insert());
  } else if (IsWord("SELECT")) {
    HONRYU_TRY(statement.body, ParseQuery());
  } else if (IsWord("ALTER")) {
    HONRYU_TRY(statement, Alter());
  } else if (IsWord("DROP")) {
    HONRYU_TRY(statement, ParseDrop());
  } else if (IsWord("SET")) {
    HONRYU_TRY(statement, ParseSet());
  } else if (IsWord("EXPLAIN")) {
    HONRYU_TRY_VOID(Enter());
    Take();
    Explain explain;
    HONRYU_TRY(Statement inner, ParseStatement());
    explain.statement = std::make_unique<Statement>(std::move(inner));
    statement.body = std::move(explain);
    Leave();
  } else {
    return Unexpected("a statement", {"CREATE", "INSERT", "SELECT", "ALTER", "DROP", "SET", "EXPLAIN"});
  }
  statement.at = at;
  return statement;
}

Result<Statement> Parser::Create() {
  Take();
  const bool replace = Accept({"OR", "REPLACE"});
  if (Accept({"STREAM"})) return CreateStreamOrTable(false, false, replace);
  if (Accept({"TABLE"})) return CreateStreamOrTable(true, false, replace);
  if (Accept({"REFERENCE", "TABLE"})) return CreateStreamOrTable(true, true, replace);
  if (Accept({"SOURCE"})) {
    HONRYU_TRY_VOID(Expect({"STREAM"}));
    return CreateStreamOrTable(false, false, replace);
  }
  if (Accept({"PUMP"})) return CreatePumpOf(replace);
  if (Accept({"VIEW"})) return CreateViewOf(false, replace);
  if (Accept({"MATERIALIZED", "VIEW"})) return CreateViewOf(true, replace);
  return Unexpected("STREAM, PUMP, TABLE, REFERENCE TABLE or VIEW",
                    {"STREAM", "PUMP", "TABLE", "REFERENCE", "VIEW", "MATERIALIZED"});
}

Result<ColumnDefinition> Parser::Column() {
  ColumnDefinition column;
  HONRYU_TRY(column.name, TakeName("a column's name"));
  HONRYU_TRY(column.type, DataType());
  while (true) {
    if (Accept({"NOT", "NULL"})) {
      column.not_null = true;
    } else if (Accept({"PRIMARY", "KEY"}) || Accept({"KEY"})) {
      column.key = true;
    } else if (Accept({"FROM"})) {
      HONRYU_TRY(column.json_path, TakeString("a JSON path in quotes"));
    } else {
      return column;
    }
  }
}

Result<void> Parser::ColumnsOf(std::vector<ColumnDefinition>& columns, std::optional<Watermark>& watermark,
                               std::vector<Name>* primary_key) {
  HONRYU_TRY_VOID(ExpectSymbol("("));
  do {
    if (AreWords({"WATERMARK", "FOR"})) {
      const Position at = Peek().at;
      next_ += 2;
      if (watermark.has_value()) return Fail(at, "a second WATERMARK");
      Watermark mark;
      HONRYU_TRY(mark.column, TakeName("a column"));
      HONRYU_TRY_VOID(Expect({"AS"}));
      HONRYU_TRY(mark.expr, Expression());
      watermark = std::move(mark);
    } else if (primary_key != nullptr && AreWords({"PRIMARY", "KEY"})) {
      next_ += 2;
      HONRYU_TRY_VOID(ExpectSymbol("("));
      HONRYU_TRY(*primary_key, NameList());
      HONRYU_TRY_VOID(ExpectSymbol(")"));
      if (Accept({"NOT"})) HONRYU_TRY_VOID(Expect({"ENFORCED"}));
    } else {
      HONRYU_TRY(ColumnDefinition column, Column());
      columns.push_back(std::move(column));
    }
  } while (AcceptSymbol(","));
  return ExpectSymbol(")");
}

Result<Properties> Parser::With() {
  Properties properties;
  if (!Accept({"WITH"})) return properties;
  HONRYU_TRY_VOID(ExpectSymbol("("));
  do {
    std::string key;
    if (Peek().kind == TokenKind::kString) {
      key = Take().text;
    } else {
      HONRYU_TRY(Name name, TakeName("a property's name"));
      key = name.text;
      while (AcceptSymbol(".")) {
        HONRYU_TRY(Name part, TakeName("a property's name"));
        key += "." + part.text;
      }
    }
    HONRYU_TRY_VOID(ExpectSymbol("="));
    const TokenKind kind = Peek().kind;
    if (kind == TokenKind::kEnd || kind == TokenKind::kSymbol) return Unexpected("a property's value");
    properties.emplace_back(std::move(key), Take().text);
  } while (AcceptSymbol(","));
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  return properties;
}

Result<Statement> Parser::CreateStreamOrTable(bool table, bool reference, bool replace) {
  Statement statement;
  const bool if_not_exists = Accept({"IF", "NOT", "EXISTS"});
  HONRYU_TRY(Name name, TakeName(table ? "a table's name" : "a stream's name"));
  if (IsWord("AS") || IsWord("WITH")) {  // CREATE STREAM s [WITH (…)] AS SELECT …
    CreateView view;
    view.name = std::move(name);
    view.replace = replace;
    view.if_not_exists = if_not_exists;
    view.materialized = true;
    HONRYU_TRY(view.with, With());
    HONRYU_TRY_VOID(Expect({"AS"}));
    HONRYU_TRY(view.query, ParseQuery());
    statement.body = std::move(view);
    return statement;
  }
  if (table) {
    CreateTable create;
    create.name = std::move(name);
    create.replace = replace;
    create.if_not_exists = if_not_exists;
    create.reference = reference;
    HONRYU_TRY_VOID(ColumnsOf(create.columns, create.watermark, &create.primary_key));
    HONRYU_TRY(create.with, With());
    statement.body = std::move(create);
    return statement;
  }
  CreateStream create;
  create.name = std::move(name);
  create.replace = replace;
  create.if_not_exists = if_not_exists;
  HONRYU_TRY_VOID(ColumnsOf(create.columns, create.watermark, nullptr));
  if (Accept({"DESCRIPTION"})) {
    HONRYU_TRY(create.description, TakeString("a text"));
  }
  HONRYU_TRY(create.with, With());
  statement.body = std::move(create);
  return statement;
}

Result<Statement> Parser::CreatePumpOf(bool replace) {
  Statement statement;
  CreatePump pump;
  pump.replace = replace;
  pump.if_not_exists = Accept({"IF", "NOT", "EXISTS"});
  HONRYU_TRY(pump.name, TakeName("a pump's name"));
  pump.stopped = Accept({"STOPPED"});
  if (!pump.stopped) Accept({"STARTED"});
  HONRYU_TRY_VOID(Expect({"AS"}));
  if (!IsWord("INSERT")) return Unexpected("INSERT INTO", {"INSERT"});
  HONRYU_TRY(pump.insert, Insert());
  statement.body = std::move(pump);
  return statement;
}

Result<Statement> Parser::CreateViewOf(bool materialized, bool replace) {
  Statement statement;
  CreateView view;
  view.replace = replace;
  view.materialized = materialized;
  view.if_not_exists = Accept({"IF", "NOT", "EXISTS"});
  HONRYU_TRY(view.name, TakeName("a view's name"));
  Query early;
  if (IsWord("EMIT")) HONRYU_TRY_VOID(EmitClause(early));
  HONRYU_TRY(view.with, With());
  HONRYU_TRY_VOID(Expect({"AS"}));
  HONRYU_TRY(view.query, ParseQuery());
  if (early.emit.kind != EmitKind::kDefault) view.query->emit = std::move(early.emit);
  statement.body = std::move(view);
  return statement;
}

Result<InsertSelect> Parser::Insert() {
  InsertSelect insert;
  HONRYU_TRY_VOID(Expect({"INSERT", "INTO"}));
  HONRYU_TRY(insert.target, TakeName("a stream's name"));
  if (AcceptSymbol("(")) {
    HONRYU_TRY(insert.columns, NameList());
    HONRYU_TRY_VOID(ExpectSymbol(")"));
  }
  HONRYU_TRY(insert.query, ParseQuery());
  return insert;
}

Result<Statement> Parser::Alter() {
  Statement statement;
  AlterPump alter;
  Take();
  HONRYU_TRY_VOID(Expect({"PUMP"}));
  HONRYU_TRY(alter.name, TakeName("a pump's name"));
  if (Accept({"START"})) {
    alter.action = AlterAction::kStart;
  } else if (Accept({"STOP"})) {
    alter.action = AlterAction::kStop;
  } else if (Accept({"RESET", "TO"})) {
    alter.action = AlterAction::kReset;
    Accept({"TIMESTAMP"});
    const TokenKind kind = Peek().kind;
    if (kind != TokenKind::kWord && kind != TokenKind::kString && kind != TokenKind::kInteger)
      return Unexpected("a position: EARLIEST, LATEST or a time", {"EARLIEST", "LATEST"});
    alter.position = kind == TokenKind::kWord ? Take().upper : Take().text;
  } else {
    return Unexpected("START, STOP or RESET TO", {"START", "STOP", "RESET"});
  }
  statement.body = std::move(alter);
  return statement;
}

Result<Statement> Parser::ParseDrop() {
  Statement statement;
  Drop drop;
  Take();
  if (Accept({"STREAM"})) {
    drop.kind = ObjectKind::kStream;
  } else if (Accept({"PUMP"})) {
    drop.kind = ObjectKind::kPump;
  } else if (Accept({"TABLE"})) {
    drop.kind = ObjectKind::kTable;
  } else if (Accept({"VIEW"}) || Accept({"MATERIALIZED", "VIEW"})) {
    drop.kind = ObjectKind::kView;
  } else {
    return Unexpected("STREAM, PUMP, TABLE or VIEW", {"STREAM", "PUMP", "TABLE", "VIEW"});
  }
  drop.if_exists = Accept({"IF", "EXISTS"});
  HONRYU_TRY(drop.name, TakeName("a name"));
  statement.body = std::move(drop);
  return statement;
}

Result<Statement> Parser::ParseSet() {
  Statement statement;
  Set set;
  Take();
  if (Peek().kind == TokenKind::kString) {
    set.key = Take().text;
  } else {
    HONRYU_TRY(Name name, TakeName("a setting's name"));
    set.key = name.text;
    while (AcceptSymbol(".")) {
      HONRYU_TRY(Name part, TakeName("a setting's name"));
      set.key += "." + part.text;
    }
  }
  if (!AcceptSymbol("=")) HONRYU_TRY_VOID(Expect({"TO"}));
  const TokenKind kind = Peek().kind;
  if (kind == TokenKind::kEnd || kind == TokenKind::kSymbol) return Unexpected("a value");
  set.value = Take().text;
  statement.body = std::move(set);
  return statement;
}

}  // namespace honryu::sql
