#include "sql/parser_impl.h"

#include <limits>

namespace honryu::sql {
namespace {

constexpr std::int64_t kMaxCount = 1'000'000'000'000;  // of any unit: far beyond every use, far from overflow

ExprPtr TextLiteral(std::string text, Position at) {
  auto expr = std::make_unique<Expr>();
  expr->kind = ExprKind::kLiteral;
  expr->literal = LiteralKind::kString;
  expr->text = std::move(text);
  expr->at = at;
  return expr;
}

}  // namespace

Result<ExprPtr> Parser::CallOrColumn() {
  bool handled = false;
  HONRYU_TRY(ExprPtr special, SpecialCall(&handled));
  if (handled) return special;
  if (Peek().kind == TokenKind::kWord && IsSymbol("(", 1)) return Call();
  ExprPtr expr = New(ExprKind::kColumn, Peek().at);
  while (true) {
    HONRYU_TRY(Name part, TakeName("a column"));
    expr->path.push_back(std::move(part));
    if (!AcceptSymbol(".")) return expr;
    if (AcceptSymbol("*")) {
      expr->kind = ExprKind::kStar;
      return expr;
    }
  }
}

// What has a syntax of its own, and literals that begin with a word.
Result<ExprPtr> Parser::SpecialCall(bool* handled) {
  const Token token = Peek();
  *handled = false;
  if (token.kind != TokenKind::kWord) return ExprPtr();
  *handled = true;
  const bool call = IsSymbol("(", 1);
  if (!call && (token.upper == "TRUE" || token.upper == "FALSE")) {
    Take();
    ExprPtr expr = New(ExprKind::kLiteral, token.at);
    expr->literal = token.upper == "TRUE" ? LiteralKind::kTrue : LiteralKind::kFalse;
    return expr;
  }
  if (Peek(1).kind == TokenKind::kString &&
      (token.upper == "TIMESTAMP" || token.upper == "DATE" || token.upper == "TIME")) {
    Take();
    ExprPtr expr = New(ExprKind::kLiteral, token.at);
    expr->literal = token.upper == "TIMESTAMP" ? LiteralKind::kTimestamp
                    : token.upper == "DATE"    ? LiteralKind::kDate
                                               : LiteralKind::kTime;
    expr->text = Take().text;
    return expr;
  }
  if (token.upper == "INTERVAL" &&
      (Peek(1).kind == TokenKind::kString || Peek(1).kind == TokenKind::kInteger)) {
    ExprPtr expr = New(ExprKind::kInterval, token.at);
    HONRYU_TRY(expr->interval, IntervalLiteral());
    return expr;
  }
  if (token.upper == "TABLE" && !call &&
      (Peek(1).kind == TokenKind::kWord || Peek(1).kind == TokenKind::kQuoted)) {
    Take();
    ExprPtr expr = New(ExprKind::kTable, token.at);
    do {
      HONRYU_TRY(Name part, TakeName("a stream"));
      expr->path.push_back(std::move(part));
    } while (AcceptSymbol("."));
    if (Accept({"PARTITION", "BY"})) {
      const bool parenthesis = AcceptSymbol("(");
      do {  // one column, or several in parentheses: a comma outside them begins the next argument
        HONRYU_TRY(ExprPtr key, Expression());
        expr->args.push_back(std::move(key));
      } while (parenthesis && AcceptSymbol(","));
      if (parenthesis) HONRYU_TRY_VOID(ExpectSymbol(")"));
    }
    return expr;
  }
  if (call) {
    if (token.upper == "CAST" || token.upper == "TRY_CAST") return Cast(token.at);
    if (token.upper == "EXTRACT") return Extract(token.at);
    if (token.upper == "FLOOR") return FloorOrCeil(token.at, true);
    if (token.upper == "CEIL" || token.upper == "CEILING") return FloorOrCeil(token.at, false);
    if (token.upper == "STEP") return Step(token.at);
    if (token.upper == "SUBSTRING") return Substring(token.at);
    if (token.upper == "TRIM") return Trim(token.at);
    if (token.upper == "POSITION") return PositionOf(token.at);
    if (token.upper == "OVERLAY") return Overlay(token.at);
    if (token.upper == "CURSOR") {
      next_ += 2;
      ExprPtr expr = New(ExprKind::kCursor, token.at);
      HONRYU_TRY(expr->query, ParseQuery());
      HONRYU_TRY_VOID(ExpectSymbol(")"));
      return expr;
    }
    if (token.upper == "DESCRIPTOR") {
      next_ += 2;
      ExprPtr expr = New(ExprKind::kDescriptor, token.at);
      HONRYU_TRY(Name name, TakeName("a column"));
      expr->path.push_back(std::move(name));
      HONRYU_TRY_VOID(ExpectSymbol(")"));
      return expr;
    }
  }
  *handled = false;
  return ExprPtr();
}

Result<ExprPtr> Parser::Cast(Position at) {
  ExprPtr expr = New(ExprKind::kCast, at);
  expr->negated = Peek().upper == "TRY_CAST";  // gives NULL in place of an error
  next_ += 2;
  HONRYU_TRY(ExprPtr operand, Expression());
  HONRYU_TRY_VOID(Expect({"AS"}));
  HONRYU_TRY(expr->type, DataType());
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  expr->args.push_back(std::move(operand));
  return Finish(std::move(expr));
}

Result<ExprPtr> Parser::Extract(Position at) {
  next_ += 2;
  ExprPtr expr = New(ExprKind::kExtract, at);
  HONRYU_TRY(expr->unit, Unit());
  HONRYU_TRY_VOID(Expect({"FROM"}));
  HONRYU_TRY(ExprPtr operand, Expression());
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  expr->args.push_back(std::move(operand));
  return Finish(std::move(expr));
}

Result<ExprPtr> Parser::FloorOrCeil(Position at, bool floor) {
  next_ += 2;
  HONRYU_TRY(ExprPtr operand, Expression());
  ExprPtr expr = New(floor ? ExprKind::kFloorTo : ExprKind::kCeilTo, at);
  if (Accept({"TO"})) {
    HONRYU_TRY(expr->unit, Unit());
  } else {
    expr->kind = ExprKind::kCall;
    expr->text = floor ? "FLOOR" : "CEIL";
  }
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  expr->args.push_back(std::move(operand));
  return Finish(std::move(expr));
}

Result<ExprPtr> Parser::Step(Position at) {
  next_ += 2;
  ExprPtr expr = New(ExprKind::kStepBy, at);
  HONRYU_TRY(ExprPtr operand, Expression());
  HONRYU_TRY_VOID(Expect({"BY"}));
  HONRYU_TRY(ExprPtr step, Expression());
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  expr->args.push_back(std::move(operand));
  expr->args.push_back(std::move(step));
  return Finish(std::move(expr));
}

Result<ExprPtr> Parser::Substring(Position at) {
  next_ += 2;
  ExprPtr expr = New(ExprKind::kCall, at);
  expr->text = "SUBSTRING";
  HONRYU_TRY(ExprPtr operand, Expression());
  expr->args.push_back(std::move(operand));
  while (AcceptSymbol(",") || Accept({"FROM"}) || (expr->args.size() == 2 && Accept({"FOR"}))) {
    HONRYU_TRY(ExprPtr arg, Expression());
    expr->args.push_back(std::move(arg));
  }
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  return Finish(std::move(expr));
}

// TRIM([LEADING | TRAILING | BOTH] ['x'] FROM s) becomes LTRIM, RTRIM or BTRIM(s, 'x').
Result<ExprPtr> Parser::Trim(Position at) {
  next_ += 2;
  ExprPtr expr = New(ExprKind::kCall, at);
  expr->text = Accept({"LEADING"}) ? "LTRIM" : Accept({"TRAILING"}) ? "RTRIM" : "BTRIM";
  if (expr->text == "BTRIM") Accept({"BOTH"});
  ExprPtr what = TextLiteral(" ", at);
  ExprPtr operand;
  if (!IsWord("FROM")) {
    HONRYU_TRY(operand, Expression());
  }
  if (Accept({"FROM"})) {
    if (operand) what = std::move(operand);
    HONRYU_TRY(operand, Expression());
  }
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  expr->args.push_back(std::move(operand));
  expr->args.push_back(std::move(what));
  return Finish(std::move(expr));
}

Result<ExprPtr> Parser::PositionOf(Position at) {
  next_ += 2;
  ExprPtr expr = New(ExprKind::kCall, at);
  expr->text = "POSITION";
  HONRYU_TRY(ExprPtr part, Expression(40));  // above IN
  if (!AcceptSymbol(",")) HONRYU_TRY_VOID(Expect({"IN"}));
  HONRYU_TRY(ExprPtr whole, Expression());
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  expr->args.push_back(std::move(part));
  expr->args.push_back(std::move(whole));
  return Finish(std::move(expr));
}

Result<ExprPtr> Parser::Overlay(Position at) {
  next_ += 2;
  ExprPtr expr = New(ExprKind::kCall, at);
  expr->text = "OVERLAY";
  HONRYU_TRY(ExprPtr operand, Expression());
  expr->args.push_back(std::move(operand));
  while (AcceptSymbol(",") || (expr->args.size() == 1 && Accept({"PLACING"})) ||
         (expr->args.size() == 2 && Accept({"FROM"})) || (expr->args.size() == 3 && Accept({"FOR"}))) {
    HONRYU_TRY(ExprPtr arg, Expression());
    expr->args.push_back(std::move(arg));
  }
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  return Finish(std::move(expr));
}

Result<ExprPtr> Parser::Call() {
  const Token token = Take();
  Take();
  ExprPtr expr = New(ExprKind::kCall, token.at);
  expr->text = token.upper;
  if (!AcceptSymbol(")")) {
    expr->distinct = Accept({"DISTINCT"});
    do {
      HONRYU_TRY(ExprPtr arg, Argument());
      expr->args.push_back(std::move(arg));
    } while (AcceptSymbol(","));
    HONRYU_TRY_VOID(ExpectSymbol(")"));
  }
  HONRYU_TRY_VOID(CallSuffix(*expr));
  return Finish(std::move(expr));
}

// Table functions may name their arguments: DATA => TABLE t, SIZE => INTERVAL … (Flink). Order decides.
Result<ExprPtr> Parser::Argument() {
  if (Peek().kind == TokenKind::kWord && IsSymbol("=>", 1)) next_ += 2;
  if (IsWord("SELECT")) {
    ExprPtr expr = New(ExprKind::kCursor, Peek().at);
    HONRYU_TRY(expr->query, ParseQuery());
    return expr;
  }
  return Expression();
}

Result<void> Parser::CallSuffix(Expr& call) {
  if (IsWord("WITHIN") && IsWord("GROUP", 1)) {  // PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)
    next_ += 2;
    HONRYU_TRY_VOID(ExpectSymbol("("));
    HONRYU_TRY_VOID(Expect({"ORDER", "BY"}));
    HONRYU_TRY(ExprPtr value, Expression());
    Accept({"ASC"});
    HONRYU_TRY_VOID(ExpectSymbol(")"));
    call.args.insert(call.args.begin(), std::move(value));
  }
  if (Accept({"FILTER"})) {
    HONRYU_TRY_VOID(ExpectSymbol("("));
    HONRYU_TRY_VOID(Expect({"WHERE"}));
    HONRYU_TRY(call.filter, Expression());
    HONRYU_TRY_VOID(ExpectSymbol(")"));
  }
  if (IsWord("OVER")) {
    HONRYU_TRY(WindowSpec spec, Over());
    call.over = std::make_unique<WindowSpec>(std::move(spec));
  }
  return Ok();
}

Result<TimeUnit> Parser::Unit() {
  const std::optional<TimeUnit> unit =
      Peek().kind == TokenKind::kWord ? TimeUnitFromName(Peek().upper) : std::nullopt;
  if (!unit.has_value())
    return Unexpected("a unit of time",
                      {"SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"});
  Take();
  return *unit;
}

Result<Interval> Parser::DurationOf(std::int64_t count, const Token& unit_word) {
  const std::optional<TimeUnit> unit = TimeUnitFromName(unit_word.upper);
  if (!unit.has_value() || *unit > TimeUnit::kYear)
    return Fail(unit_word.at, "expected a unit of time, found '" + unit_word.text + "'",
                NearestName(unit_word.upper, {"MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK"}));
  Interval interval;
  if (const std::int64_t ms = TimeUnitMs(*unit); ms > 0) {
    if (count > kMaxCount || count > std::numeric_limits<std::int64_t>::max() / 4 / ms)
      return Fail(unit_word.at, "this interval is too long");
    interval.ms = count * ms;
  } else {
    if (count > 1'000'000) return Fail(unit_word.at, "this interval is too long");
    interval.months = count * (*unit == TimeUnit::kYear ? 12 : *unit == TimeUnit::kQuarter ? 3 : 1);
  }
  return interval;
}

Result<Interval> Parser::ShortDuration() {
  if (IsWord("INTERVAL")) return IntervalLiteral();
  HONRYU_TRY(const std::int64_t count, TakeInteger("a duration, such as 1 MINUTE"));
  if (Peek().kind != TokenKind::kWord) return Unexpected("a unit of time");
  return DurationOf(count, Take());
}

Result<Interval> Parser::IntervalLiteral() {
  Take();
  bool negative = AcceptSymbol("-");
  if (Peek().kind == TokenKind::kInteger) {  // INTERVAL 5 MINUTE, of other dialects
    HONRYU_TRY(const std::int64_t count, TakeInteger("a number"));
    if (Peek().kind != TokenKind::kWord) return Unexpected("a unit of time");
    HONRYU_TRY(Interval interval, DurationOf(count, Take()));
    if (negative) interval.ms = -interval.ms, interval.months = -interval.months;
    return interval;
  }
  if (Peek().kind != TokenKind::kString) return Unexpected("a text, such as INTERVAL '1' MINUTE");
  Token text = Take();
  if (!text.text.empty() && text.text[0] == '-') {
    negative = !negative;
    text.text.erase(0, 1);
  }
  HONRYU_TRY(Interval interval, IntervalText(text));
  if (negative) {
    interval.ms = -interval.ms;
    interval.months = -interval.months;
  }
  return interval;
}

// '90' SECOND, '1.5' SECOND, '1 02:03:04.5' DAY TO SECOND, '2:30' MINUTE TO SECOND, and '1 minute' alone.
Result<Interval> Parser::IntervalText(const Token& token) {
  std::vector<std::int64_t> numbers;
  std::int64_t fraction_ms = 0;
  std::size_t i = 0;
  const std::string& text = token.text;
  const auto is_digit = [&](std::size_t at) {
    return at < text.size() && text[at] >= '0' && text[at] <= '9';
  };
  while (is_digit(i) && numbers.size() < 4) {
    std::int64_t number = 0;
    for (; is_digit(i); ++i) {
      number = number * 10 + (text[i] - '0');
      if (number > kMaxCount) return Fail(token.at, "this interval is too long");
    }
    numbers.push_back(number);
    if (i < text.size() && (text[i] == ':' || (text[i] == ' ' && numbers.size() == 1 && is_digit(i + 1)))) {
      ++i;
      continue;
    }
    if (i < text.size() && text[i] == '.') {
      std::int64_t scale = 100;
      for (++i; is_digit(i); ++i, scale /= 10) fraction_ms += (text[i] - '0') * scale;
    }
    break;
  }
  while (i < text.size() && text[i] == ' ') ++i;
  if (numbers.empty()) return Fail(token.at, "expected a number in the text of an interval");
  if (i < text.size()) {
    Token unit = token;
    unit.text = text.substr(i);
    unit.upper = UpperCase(unit.text);
    if (numbers.size() != 1 || fraction_ms != 0) return Fail(token.at, "this is no interval");
    return DurationOf(numbers[0], unit);
  }
  const Position unit_at = Peek().at;
  HONRYU_TRY(const TimeUnit first, Unit());
  if (IsSymbol("(")) {  // MINUTE(2), SECOND(2, 3): digits do not matter here
    while (!AcceptSymbol(")") && Peek().kind != TokenKind::kEnd) Take();
  }
  if (AreWords({"TO"}) && Peek(1).kind == TokenKind::kWord && TimeUnitFromName(Peek(1).upper)) {
    next_ += 2;
  }
  if (numbers.size() == 1 && TimeUnitMs(first) == 0) {
    Token unit = token;
    unit.upper = TimeUnitName(first);
    return DurationOf(numbers[0], unit);
  }
  constexpr TimeUnit kFields[] = {TimeUnit::kDay, TimeUnit::kHour, TimeUnit::kMinute, TimeUnit::kSecond};
  Interval interval;
  if (numbers.size() == 1) {
    const std::int64_t ms = TimeUnitMs(first);
    if (numbers[0] > std::numeric_limits<std::int64_t>::max() / 4 / ms)
      return Fail(token.at, "this interval is too long");
    if (fraction_ms != 0 && first != TimeUnit::kSecond) return Fail(token.at, "only seconds have a fraction");
    interval.ms = numbers[0] * ms + fraction_ms;
    return interval;
  }
  std::size_t field = 0;
  while (field < 4 && kFields[field] != first) ++field;
  if (field + numbers.size() > 4) return Fail(unit_at, "the text has more fields than the interval");
  for (std::size_t n = 0; n < numbers.size(); ++n) interval.ms += numbers[n] * TimeUnitMs(kFields[field + n]);
  interval.ms += fraction_ms;
  return interval;
}

Result<Type> Parser::DataType() {
  const Token token = Peek();
  if (token.kind != TokenKind::kWord) return Unexpected("a type");
  Take();
  if (token.upper == "DOUBLE") Accept({"PRECISION"});
  if (token.upper == "CHARACTER" && Accept({"VARYING"})) return VarcharType();
  std::optional<int> numbers[2];
  if (AcceptSymbol("(")) {
    for (std::optional<int>& number : numbers) {
      HONRYU_TRY(const std::int64_t value, TakeInteger("a number"));
      if (value > 1'000'000'000) return Fail(token.at, "this length is too large");
      number = static_cast<int>(value);
      if (!AcceptSymbol(",")) break;
    }
    HONRYU_TRY_VOID(ExpectSymbol(")"));
  } else if ((token.upper == "ARRAY" || token.upper == "MAP" || token.upper == "STRUCT" ||
              token.upper == "ROW") &&
             AcceptSymbol("<")) {
    for (int open = 1; open > 0;) {  // the parts of a composite are not told apart: it is kept as JSON
      if (Peek().kind == TokenKind::kEnd) return Unexpected("'>'");
      const Token& part = Take();
      if (part.kind == TokenKind::kSymbol && part.text == "<") ++open;
      if (part.kind == TokenKind::kSymbol && part.text == ">") --open;
      if (part.kind == TokenKind::kSymbol && (part.text == ";" || part.text == ")"))
        return Fail(part.at, "expected '>'");
    }
  }
  const std::optional<Type> type = Type::FromName(token.upper, numbers[0], numbers[1]);
  if (type.has_value()) {
    if (Accept({"WITHOUT", "TIME", "ZONE"}) || Accept({"WITH", "LOCAL", "TIME", "ZONE"})) return *type;
    return *type;
  }
  if (Type::FromName(token.upper, {}, {}).has_value())
    return Fail(token.at, "length or digits of " + token.upper + " are out of range");
  return Fail(token.at, "unknown type '" + token.text + "'",
              NearestName(token.upper, {"BIGINT", "INTEGER", "INT", "SMALLINT", "TINYINT", "DOUBLE", "REAL",
                                        "FLOAT", "DECIMAL", "NUMERIC", "BOOLEAN", "CHAR", "VARCHAR",
                                        "VARBINARY", "DATE", "TIME", "TIMESTAMP", "JSON", "STRING"}));
}

Result<WindowSpec> Parser::Over() {
  WindowSpec spec;
  spec.at = Take().at;
  if (!IsSymbol("(")) {
    HONRYU_TRY(Name name, TakeName("a window's name or '('"));
    spec.reference = std::move(name);
    return spec;
  }
  return WindowBody();
}

Result<WindowSpec> Parser::WindowBody() {
  WindowSpec spec;
  spec.at = Peek().at;
  HONRYU_TRY_VOID(ExpectSymbol("("));
  if (Accept({"PARTITION", "BY"})) {
    HONRYU_TRY(spec.partition, ExpressionList());
  }
  if (Accept({"ORDER", "BY"})) {
    HONRYU_TRY(spec.order, SortKeys());
  }
  if (IsWord("RANGE") || IsWord("ROWS")) {
    HONRYU_TRY(Frame frame, FrameOf());
    spec.frame = frame;
  }
  if (!IsSymbol(")"))
    return Unexpected("PARTITION BY, ORDER BY, RANGE, ROWS or ')'", {"PARTITION", "RANGE", "ROWS"});
  Take();
  return spec;
}

Result<Frame> Parser::FrameOf() {
  Frame frame;
  const Position at = Peek().at;
  frame.rows = Take().upper == "ROWS";
  const bool between = Accept({"BETWEEN"});
  if (Accept({"UNBOUNDED"})) {
    frame.unbounded = true;
  } else if (Accept({"CURRENT", "ROW"})) {
    frame.rows = true;
    if (between) {
      HONRYU_TRY_VOID(Expect({"AND", "CURRENT", "ROW"}));
    }
    return frame;
  } else if (frame.rows) {
    HONRYU_TRY(frame.count, TakeInteger("a number of rows"));
  } else {
    HONRYU_TRY(frame.range, ShortDuration());
    if (frame.range.ms < 0 || frame.range.months != 0)
      return Fail(at, "a window's length must be days or less, and not negative");
  }
  if (Accept({"FOLLOWING"})) return Fail(at, "a window may not end behind the current row");
  if (between || frame.unbounded) {
    HONRYU_TRY_VOID(Expect({"PRECEDING"}));
  } else {
    Accept({"PRECEDING"});
  }
  if (between) {
    HONRYU_TRY_VOID(Expect({"AND"}));
    if (!Accept({"CURRENT", "ROW"})) return Fail(at, "a window must end at the current row: AND CURRENT ROW");
  }
  return frame;
}

Result<std::vector<SortKey>> Parser::SortKeys() {
  std::vector<SortKey> keys;
  do {
    SortKey key;
    HONRYU_TRY(key.expr, Expression());
    key.descending = Accept({"DESC"});
    if (!key.descending) Accept({"ASC"});
    keys.push_back(std::move(key));
  } while (AcceptSymbol(","));
  return keys;
}

}  // namespace honryu::sql
