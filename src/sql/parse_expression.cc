#include "sql/parser_impl.h"

#include <algorithm>

namespace honryu::sql {
namespace {

// OR < AND < NOT < comparison, IS, IN, BETWEEN, LIKE < || < + - < * / % MOD < unary < [] :: ->
enum Power : int {
  kOrPower = 10,
  kAndPower = 20,
  kNotPower = 30,
  kComparePower = 40,
  kConcatPower = 50,
  kAddPower = 60,
  kMultiplyPower = 70,
  kUnaryPower = 80,
  kPostfixPower = 90
};

struct Symbol {
  std::string_view text;
  Operator op;
  int power;
};
constexpr Symbol kSymbols[] = {
    {"=", Operator::kEqual, kComparePower},
    {"<>", Operator::kNotEqual, kComparePower},
    {"!=", Operator::kNotEqual, kComparePower},
    {"<=", Operator::kLessEqual, kComparePower},
    {">=", Operator::kGreaterEqual, kComparePower},
    {"<", Operator::kLess, kComparePower},
    {">", Operator::kGreater, kComparePower},
    {"||", Operator::kConcat, kConcatPower},
    {"+", Operator::kAdd, kAddPower},
    {"-", Operator::kSubtract, kAddPower},
    {"*", Operator::kMultiply, kMultiplyPower},
    {"/", Operator::kDivide, kMultiplyPower},
    {"%", Operator::kModulo, kMultiplyPower},
};

const Symbol* FindSymbol(const Token& token) {
  if (token.kind != TokenKind::kSymbol) return nullptr;
  const auto found = std::find_if(std::begin(kSymbols), std::end(kSymbols),
                                  [&](const Symbol& symbol) { return symbol.text == token.text; });
  return found == std::end(kSymbols) ? nullptr : found;
}

}  // namespace

ExprPtr Parser::New(ExprKind kind, Position at) const {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->at = at;
  return expr;
}

// Chains like a + b + c + … grow the tree without nesting the parser: they have a limit of their own.
Result<ExprPtr> Parser::Finish(ExprPtr expr) const {
  for (const ExprPtr& arg : expr->args) expr->depth = std::max(expr->depth, arg->depth + 1);
  if (expr->depth > limits_.max_depth)
    return Error(
        ErrorCode::kTooLarge,
        RenderError(text_, expr->at, "expression too deep, limit " + std::to_string(limits_.max_depth)));
  return expr;
}

int Parser::PowerOfNext() const {
  const Token& token = Peek();
  if (const Symbol* symbol = FindSymbol(token)) return symbol->power;
  if (token.kind == TokenKind::kSymbol)
    return token.text == "[" || token.text == "::" || token.text == "->" || token.text == "->>"
               ? kPostfixPower
               : -1;
  if (token.kind != TokenKind::kWord) return -1;
  if (token.upper == "OR") return kOrPower;
  if (token.upper == "AND") return kAndPower;
  if (token.upper == "IS" || token.upper == "IN" || token.upper == "BETWEEN" || token.upper == "LIKE" ||
      token.upper == "SIMILAR")
    return kComparePower;
  if (token.upper == "NOT" &&
      (IsWord("IN", 1) || IsWord("BETWEEN", 1) || IsWord("LIKE", 1) || IsWord("SIMILAR", 1)))
    return kComparePower;
  if (token.upper == "MOD") return kMultiplyPower;
  return -1;
}

Result<ExprPtr> Parser::Expression(int least_power) {
  HONRYU_TRY_VOID(Enter());
  HONRYU_TRY(ExprPtr left, Prefix());
  while (true) {
    const int power = PowerOfNext();
    if (power < 0 || power <= least_power) break;
    HONRYU_TRY(left, Infix(std::move(left), power));
    HONRYU_TRY(left, Finish(std::move(left)));
  }
  Leave();
  return left;
}

Result<ExprPtr> Parser::Prefix() {
  const Position at = Peek().at;
  if (IsSymbol("-") || IsSymbol("+")) {
    const bool negate = Take().text == "-";
    HONRYU_TRY(ExprPtr operand, Expression(kUnaryPower - 1));
    if (!negate) return operand;
    ExprPtr expr = New(ExprKind::kUnary, at);
    expr->op = Operator::kNegate;
    expr->args.push_back(std::move(operand));
    return Finish(std::move(expr));
  }
  if (Accept({"NOT"})) {
    HONRYU_TRY(ExprPtr operand, Expression(kNotPower - 1));
    ExprPtr expr = New(ExprKind::kUnary, at);
    expr->op = Operator::kNot;
    expr->args.push_back(std::move(operand));
    return Finish(std::move(expr));
  }
  if (IsSymbol("(")) return Parenthesis();
  if (IsSymbol("*")) {
    Take();
    return New(ExprKind::kStar, at);
  }
  switch (Peek().kind) {
    case TokenKind::kString:
    case TokenKind::kInteger:
    case TokenKind::kDecimal:
    case TokenKind::kFloat:
      return Literal();
    default:
      break;
  }
  if (IsWord("NULL")) return Literal();
  if (IsWord("CASE")) return Case();
  if (!IsName() && !((IsWord("LEFT") || IsWord("RIGHT")) && IsSymbol("(", 1)))
    return Unexpected("an expression");
  return CallOrColumn();
}

Result<ExprPtr> Parser::Literal() {
  const Token& token = Take();
  ExprPtr expr = New(ExprKind::kLiteral, token.at);
  expr->text = token.text;
  switch (token.kind) {
    case TokenKind::kString:
      expr->literal = LiteralKind::kString;
      break;
    case TokenKind::kInteger:
      expr->literal = LiteralKind::kInteger;
      break;
    case TokenKind::kDecimal:
      expr->literal = LiteralKind::kDecimal;
      break;
    case TokenKind::kFloat:
      expr->literal = LiteralKind::kFloat;
      break;
    default:
      expr->literal = LiteralKind::kNull;
      expr->text.clear();
  }
  return expr;
}

Result<ExprPtr> Parser::Parenthesis() {
  const Position at = Take().at;
  HONRYU_TRY(ExprPtr inner, Expression());
  HONRYU_TRY_VOID(ExpectSymbol(")"));
  const bool difference = inner->kind == ExprKind::kBinary && inner->op == Operator::kSubtract;
  if (difference && Peek().kind == TokenKind::kWord && !IsReserved(Peek()) &&
      TimeUnitFromName(Peek().upper).has_value()) {  // (ts1 - ts2) SECOND
    ExprPtr expr = New(ExprKind::kTimeDifference, at);
    HONRYU_TRY(expr->unit, Unit());
    expr->args = std::move(inner->args);
    return Finish(std::move(expr));
  }
  return inner;
}

Result<ExprPtr> Parser::Case() {
  ExprPtr expr = New(ExprKind::kCase, Take().at);
  if (!IsWord("WHEN")) {
    HONRYU_TRY(ExprPtr operand, Expression());
    expr->has_operand = true;
    expr->args.push_back(std::move(operand));
  }
  if (!IsWord("WHEN")) return Unexpected("WHEN", {"WHEN"});
  while (Accept({"WHEN"})) {
    HONRYU_TRY(ExprPtr condition, Expression());
    HONRYU_TRY_VOID(Expect({"THEN"}));
    HONRYU_TRY(ExprPtr value, Expression());
    expr->args.push_back(std::move(condition));
    expr->args.push_back(std::move(value));
  }
  if (Accept({"ELSE"})) {
    HONRYU_TRY(ExprPtr value, Expression());
    expr->has_else = true;
    expr->args.push_back(std::move(value));
  }
  if (!Accept({"END"})) return Unexpected("WHEN, ELSE or END", {"WHEN", "ELSE", "END"});
  return Finish(std::move(expr));
}

Result<ExprPtr> Parser::Infix(ExprPtr left, int power) {
  if (power == kPostfixPower) return Postfix(std::move(left));
  const Token token = Peek();
  Operator op = Operator::kModulo;
  if (const Symbol* symbol = FindSymbol(token)) {
    op = symbol->op;
  } else if (token.upper == "OR") {
    op = Operator::kOr;
  } else if (token.upper == "AND") {
    op = Operator::kAnd;
  } else if (token.upper == "IS") {
    return Is(std::move(left));
  } else if (token.upper != "MOD") {
    return Predicate(std::move(left));
  }
  Take();
  ExprPtr expr = New(ExprKind::kBinary, token.at);
  expr->op = op;
  HONRYU_TRY(ExprPtr right, Expression(power));
  expr->args.push_back(std::move(left));
  expr->args.push_back(std::move(right));
  return expr;
}

Result<ExprPtr> Parser::Postfix(ExprPtr left) {
  const Token token = Take();
  if (token.text == "::") {
    ExprPtr expr = New(ExprKind::kCast, token.at);
    HONRYU_TRY(expr->type, DataType());
    expr->args.push_back(std::move(left));
    return expr;
  }
  ExprPtr expr = New(ExprKind::kSubscript, token.at);
  expr->args.push_back(std::move(left));
  if (token.text == "[") {
    HONRYU_TRY(ExprPtr key, Expression());
    HONRYU_TRY_VOID(ExpectSymbol("]"));
    expr->args.push_back(std::move(key));
    return expr;
  }
  // json -> 'key', json ->> 'key', struct -> field
  ExprPtr key = New(ExprKind::kLiteral, Peek().at);
  key->literal = LiteralKind::kString;
  if (Peek().kind == TokenKind::kInteger) key->literal = LiteralKind::kInteger;
  if (Peek().kind != TokenKind::kString && Peek().kind != TokenKind::kInteger && !IsName())
    return Unexpected("a member's name");
  key->text = Take().text;
  expr->args.push_back(std::move(key));
  return expr;
}

Result<ExprPtr> Parser::Is(ExprPtr left) {
  const Position at = Take().at;
  const bool negated = Accept({"NOT"});
  ExprKind kind = ExprKind::kIsNull;
  if (Accept({"NULL"}) || Accept({"UNKNOWN"})) {
    kind = ExprKind::kIsNull;
  } else if (Accept({"TRUE"})) {
    kind = ExprKind::kIsTrue;
  } else if (Accept({"FALSE"})) {
    kind = ExprKind::kIsFalse;
  } else if (Accept({"DISTINCT", "FROM"})) {
    kind = ExprKind::kIsDistinct;
  } else {
    return Unexpected("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM",
                      {"NULL", "TRUE", "FALSE", "UNKNOWN", "DISTINCT"});
  }
  ExprPtr expr = New(kind, at);
  expr->negated = negated;
  expr->args.push_back(std::move(left));
  if (kind == ExprKind::kIsDistinct) {
    HONRYU_TRY(ExprPtr right, Expression(kComparePower));
    expr->args.push_back(std::move(right));
  }
  return expr;
}

Result<ExprPtr> Parser::Predicate(ExprPtr left) {
  const Position at = Peek().at;
  const bool negated = Accept({"NOT"});
  const Token token = Take();
  ExprPtr expr = New(ExprKind::kIn, at);
  expr->negated = negated;
  expr->args.push_back(std::move(left));
  if (token.upper == "IN") {
    HONRYU_TRY_VOID(ExpectSymbol("("));
    HONRYU_TRY(std::vector<ExprPtr> items, ExpressionList());
    HONRYU_TRY_VOID(ExpectSymbol(")"));
    for (ExprPtr& item : items) expr->args.push_back(std::move(item));
    return expr;
  }
  if (token.upper == "BETWEEN") {
    expr->kind = ExprKind::kBetween;
    HONRYU_TRY(ExprPtr low, Expression(kComparePower));
    HONRYU_TRY_VOID(Expect({"AND"}));
    HONRYU_TRY(ExprPtr high, Expression(kComparePower));
    expr->args.push_back(std::move(low));
    expr->args.push_back(std::move(high));
    return expr;
  }
  expr->kind = token.upper == "LIKE" ? ExprKind::kLike : ExprKind::kSimilar;
  if (expr->kind == ExprKind::kSimilar) HONRYU_TRY_VOID(Expect({"TO"}));
  HONRYU_TRY(ExprPtr pattern, Expression(kComparePower));
  expr->args.push_back(std::move(pattern));
  if (Accept({"ESCAPE"})) {
    HONRYU_TRY(ExprPtr escape, Expression(kComparePower));
    expr->args.push_back(std::move(escape));
  }
  return expr;
}

Result<std::vector<ExprPtr>> Parser::ExpressionList() {
  std::vector<ExprPtr> list;
  do {
    HONRYU_TRY(ExprPtr expr, Expression());
    list.push_back(std::move(expr));
  } while (AcceptSymbol(","));
  return list;
}

}  // namespace honryu::sql
