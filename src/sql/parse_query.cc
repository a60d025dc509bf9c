#include "sql/parser_impl.h"

namespace honryu::sql {

Result<QueryPtr> Parser::ParseQuery() {
  HONRYU_TRY_VOID(Enter());
  auto query = std::make_unique<Query>();
  query->at = Peek().at;
  do {
    HONRYU_TRY(Select select, ParseSelect());
    query->selects.push_back(std::move(select));
  } while (Accept({"UNION", "ALL"}));
  if (Accept({"ORDER", "BY"})) {
    HONRYU_TRY(query->order, SortKeys());
  }
  if (Accept({"LIMIT"})) {
    HONRYU_TRY(const std::int64_t limit, TakeInteger("a number of rows"));
    query->limit = limit;
  }
  if (IsWord("EMIT")) HONRYU_TRY_VOID(EmitClause(*query));
  HONRYU_TRY_VOID(LatenessClause(*query));
  Leave();
  return query;
}

Result<Select> Parser::ParseSelect() {
  Select select;
  select.at = Peek().at;
  if (!Accept({"SELECT"})) return Unexpected("SELECT", {"SELECT"});
  select.stream = IsWord("STREAM") && !IsSymbol(",", 1) && !IsSymbol(".", 1) && !IsWord("FROM", 1);
  if (select.stream) Take();
  select.distinct = Accept({"DISTINCT"});
  do {
    HONRYU_TRY(SelectItem item, Item());
    select.items.push_back(std::move(item));
  } while (AcceptSymbol(","));
  if (!IsWord("FROM") && Peek().kind != TokenKind::kSymbol && select.items.back().alias.has_value() &&
      NearestName(select.items.back().alias->text, {"FROM"}) == "FROM") {
    --next_;  // what looked like an alias was meant as the keyword: SELECT a FORM t
  }
  HONRYU_TRY_VOID(Expect({"FROM"}));
  HONRYU_TRY(select.from, FromSource());
  while (true) {
    Join join;
    HONRYU_TRY(const bool ahead, JoinAhead(&join));
    if (!ahead) break;
    HONRYU_TRY(Join parsed, ParseJoin(join.kind, join.at));
    select.joins.push_back(std::move(parsed));
  }
  HONRYU_TRY_VOID(GroupClause(select));  // ksqlDB's WINDOW stands before WHERE
  if (Accept({"WHERE"})) {
    HONRYU_TRY(select.where, Expression());
  }
  HONRYU_TRY_VOID(GroupClause(select));
  if (Accept({"HAVING"})) {
    HONRYU_TRY(select.having, Expression());
  }
  if (Accept({"WINDOW"})) {
    do {
      NamedWindow window;
      HONRYU_TRY(window.name, TakeName("a window's name"));
      HONRYU_TRY_VOID(Expect({"AS"}));
      HONRYU_TRY(window.spec, WindowBody());
      select.windows.push_back(std::move(window));
    } while (AcceptSymbol(","));
  }
  return select;
}

Result<SelectItem> Parser::Item() {
  SelectItem item;
  HONRYU_TRY(item.expr, Expression());
  if (Accept({"AS"})) {
    HONRYU_TRY(Name alias, TakeName("a column's name"));
    item.alias = std::move(alias);
  } else if (item.expr->kind != ExprKind::kStar && IsName()) {
    HONRYU_TRY(Name alias, TakeName("a column's name"));
    item.alias = std::move(alias);
  }
  return item;
}

Result<Source> Parser::FromSource() {
  Source source;
  source.at = Peek().at;
  if (AcceptSymbol("(")) {
    HONRYU_TRY(source.query, ParseQuery());
    HONRYU_TRY_VOID(ExpectSymbol(")"));
  } else if (IsWord("TABLE") && IsSymbol("(", 1)) {
    next_ += 2;
    HONRYU_TRY(source.call, Expression());
    if (source.call->kind != ExprKind::kCall) return Fail(source.at, "TABLE(…) holds a table function");
    HONRYU_TRY_VOID(ExpectSymbol(")"));
  } else if (Peek().kind == TokenKind::kWord && IsSymbol("(", 1) && !IsReserved(Peek())) {
    HONRYU_TRY(source.call, Call());
  } else {
    do {
      HONRYU_TRY(Name part, TakeName("a stream, a table or '('"));
      source.name.push_back(std::move(part));
    } while (AcceptSymbol("."));
  }
  HONRYU_TRY_VOID(SourceSuffix(source));
  return source;
}

Result<void> Parser::SourceSuffix(Source& source) {
  if (IsWord("OVER")) {
    HONRYU_TRY(WindowSpec spec, Over());
    source.over = std::make_unique<WindowSpec>(std::move(spec));
  }
  if (Accept({"FOR", "SYSTEM_TIME", "AS", "OF"})) {
    HONRYU_TRY(source.as_of, Expression());
  }
  const bool as = Accept({"AS"});
  if (as || IsName()) {
    HONRYU_TRY(Name alias, TakeName("an alias"));
    source.alias = std::move(alias);
    if (IsSymbol("(")) {
      Take();
      HONRYU_TRY(source.columns, NameList());
      HONRYU_TRY_VOID(ExpectSymbol(")"));
    }
  }
  return Ok();
}

Result<bool> Parser::JoinAhead(Join* join) {
  join->at = Peek().at;
  if (Accept({"JOIN"}) || Accept({"INNER", "JOIN"})) {
    join->kind = JoinKind::kInner;
    return true;
  }
  if (!IsWord("LEFT") && !IsWord("RIGHT") && !IsWord("FULL")) return false;
  join->kind = IsWord("LEFT") ? JoinKind::kLeft : IsWord("RIGHT") ? JoinKind::kRight : JoinKind::kFull;
  Take();
  Accept({"OUTER"});
  HONRYU_TRY_VOID(Expect({"JOIN"}));
  return true;
}

Result<Join> Parser::ParseJoin(JoinKind kind, Position at) {
  Join join;
  join.kind = kind;
  join.at = at;
  HONRYU_TRY(join.source, FromSource());
  if (Accept({"WITHIN"})) {
    if (AcceptSymbol("(")) {  // WITHIN (before, after)
      std::pair<Interval, Interval> within;
      HONRYU_TRY(within.first, ShortDuration());
      HONRYU_TRY_VOID(ExpectSymbol(","));
      HONRYU_TRY(within.second, ShortDuration());
      HONRYU_TRY_VOID(ExpectSymbol(")"));
      join.within = within;
    } else {
      HONRYU_TRY(const Interval both, ShortDuration());
      join.within = std::make_pair(both, both);
    }
    if (Accept({"GRACE", "PERIOD"})) {
      HONRYU_TRY(const Interval grace, ShortDuration());
      join.grace = grace;
    }
  }
  HONRYU_TRY_VOID(Expect({"ON"}));
  HONRYU_TRY(join.on, Expression());
  return join;
}

Result<void> Parser::GroupClause(Select& select) {
  Group& group = select.group;
  if (AreWords({"WINDOW"}) && (IsWord("TUMBLING", 1) || IsWord("HOPPING", 1) || IsWord("SESSION", 1)) &&
      IsSymbol("(", 2)) {
    if (group.ksql.has_value()) return Fail(Peek().at, "a second WINDOW clause");
    Take();
    HONRYU_TRY(KsqlWindow window, ParseKsqlWindow());
    group.ksql = window;
  }
  const Position at = Peek().at;
  if (AreWords({"GROUP", "BY"}) || AreWords({"WINDOWED", "BY"})) {
    if (group.kind != GroupKind::kNone) return Fail(at, "a second GROUP BY clause");
    group.at = at;
  }
  if (Accept({"GROUP", "BY"})) {
    group.kind = GroupKind::kGroupBy;
    HONRYU_TRY(group.keys, ExpressionList());
  } else if (Accept({"WINDOWED", "BY"})) {
    group.kind = GroupKind::kStagger;
    HONRYU_TRY_VOID(Expect({"STAGGER"}));
    HONRYU_TRY_VOID(ExpectSymbol("("));
    HONRYU_TRY_VOID(Expect({"PARTITION", "BY"}));
    HONRYU_TRY(group.keys, ExpressionList());
    HONRYU_TRY_VOID(Expect({"RANGE"}));
    HONRYU_TRY(group.stagger, ShortDuration());
    HONRYU_TRY_VOID(ExpectSymbol(")"));
    if (group.stagger.ms <= 0 || group.stagger.months != 0)
      return Fail(at, "a stagger window's length must be above 0 and no months");
  }
  return Ok();
}

Result<KsqlWindow> Parser::ParseKsqlWindow() {
  KsqlWindow window;
  const Token kind = Take();
  window.kind = kind.upper == "TUMBLING"  ? KsqlWindowKind::kTumbling
                : kind.upper == "HOPPING" ? KsqlWindowKind::kHopping
                                          : KsqlWindowKind::kSession;
  HONRYU_TRY_VOID(ExpectSymbol("("));
  if (window.kind != KsqlWindowKind::kSession) HONRYU_TRY_VOID(Expect({"SIZE"}));
  HONRYU_TRY(window.size, ShortDuration());
  if (window.kind == KsqlWindowKind::kHopping) {
    HONRYU_TRY_VOID(ExpectSymbol(","));
    HONRYU_TRY_VOID(Expect({"ADVANCE", "BY"}));
    HONRYU_TRY(window.advance, ShortDuration());
  }
  while (AcceptSymbol(",")) {
    if (Accept({"RETENTION"})) {
      HONRYU_TRY(const Interval retention, ShortDuration());
      window.retention = retention;
    } else if (Accept({"GRACE", "PERIOD"})) {
      HONRYU_TRY(const Interval grace, ShortDuration());
      window.grace = grace;
    } else {
      return Unexpected("RETENTION or GRACE PERIOD", {"RETENTION", "GRACE"});
    }
  }
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  const bool hopping = window.kind == KsqlWindowKind::kHopping;
  if (window.size.ms <= 0 || window.size.months != 0 || (hopping && window.advance.ms <= 0))
    return Fail(kind.at, "a window's length must be above 0, in weeks or less");
  return window;
}

Result<void> Parser::EmitClause(Query& query) {
  Take();
  Emit& emit = query.emit;
  if (Accept({"CHANGES"})) {
    emit.kind = EmitKind::kChanges;
  } else if (Accept({"FINAL"}) || Accept({"ON", "WINDOW", "CLOSE"})) {
    emit.kind = EmitKind::kFinal;
  } else if (IsWord("EVERY")) {
    const Position at = Take().at;
    emit.kind = EmitKind::kEvery;
    HONRYU_TRY(emit.every, ShortDuration());
    if (emit.every.ms <= 0 || emit.every.months != 0)
      return Fail(at, "this interval must be above 0, and no months");
  } else if (Accept({"WHEN"})) {
    emit.kind = EmitKind::kWhen;
    HONRYU_TRY(emit.when, Expression());
  } else {
    return Unexpected("CHANGES, FINAL, ON WINDOW CLOSE, EVERY or WHEN",
                      {"CHANGES", "FINAL", "EVERY", "WHEN"});
  }
  return Ok();
}

// ALLOWED LATENESS INTERVAL '1' MINUTE; ON LATE DROP | UPDATE | SIDE STREAM name
Result<void> Parser::LatenessClause(Query& query) {
  if (Accept({"ALLOWED", "LATENESS"})) {
    const Position at = Peek().at;
    HONRYU_TRY(const Interval allowed, ShortDuration());
    if (allowed.ms < 0 || allowed.months != 0) return Fail(at, "lateness must be 0 or above, and no months");
    query.lateness.allowed = allowed;
  }
  if (!AreWords({"ON", "LATE"})) return Ok();
  next_ += 2;
  if (Accept({"DROP"})) {
    query.lateness.policy = LatePolicy::kDrop;
  } else if (Accept({"UPDATE"})) {
    query.lateness.policy = LatePolicy::kUpdate;
  } else if (Accept({"SIDE", "STREAM"})) {
    query.lateness.policy = LatePolicy::kSideStream;
    HONRYU_TRY(Name stream, TakeName("a stream's name"));
    query.lateness.stream = std::move(stream);
  } else {
    return Unexpected("DROP, UPDATE or SIDE STREAM", {"DROP", "UPDATE", "SIDE"});
  }
  return Ok();
}

}  // namespace honryu::sql
