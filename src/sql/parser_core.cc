#include "sql/parser_impl.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace honryu::sql {

namespace {

// Words that end an expression or a source and so cannot be a bare name or alias.
const std::set<std::string_view>& ReservedWords() {
  static const std::set<std::string_view> kWords = {
      "ALLOWED", "AND",   "AS",     "BETWEEN",  "BY",     "CASE",   "CREATE",  "CROSS",  "DROP",  "ELSE",
      "EMIT",    "END",   "ESCAPE", "FILTER",   "FROM",   "FULL",   "GROUP",   "HAVING", "IN",    "INNER",
      "INSERT",  "INTO",  "IS",     "JOIN",     "LEFT",   "LIKE",   "LIMIT",   "NOT",    "NULL",  "ON",
      "OR",      "ORDER", "OUTER",  "OVER",     "RIGHT",  "SELECT", "SIMILAR", "THEN",   "UNION", "USING",
      "WHEN",    "WHERE", "WINDOW", "WINDOWED", "WITHIN", "WITH",   "GRACE"};
  return kWords;
}

}  // namespace

bool Parser::IsReserved(const Token& token) {
  return token.kind == TokenKind::kWord && ReservedWords().contains(token.upper);
}

bool Parser::IsName() const {
  return Peek().kind == TokenKind::kQuoted || (Peek().kind == TokenKind::kWord && !IsReserved(Peek()));
}

bool Parser::IsWord(std::string_view upper, std::size_t ahead) const {
  return Peek(ahead).kind == TokenKind::kWord && Peek(ahead).upper == upper;
}

bool Parser::IsSymbol(std::string_view symbol, std::size_t ahead) const {
  return Peek(ahead).kind == TokenKind::kSymbol && Peek(ahead).text == symbol;
}

bool Parser::AreWords(std::initializer_list<std::string_view> words) const {
  std::size_t ahead = 0;
  return std::all_of(words.begin(), words.end(),
                     [&](std::string_view word) { return IsWord(word, ahead++); });
}

bool Parser::Accept(std::initializer_list<std::string_view> words) {
  if (!AreWords(words)) return false;
  next_ += words.size();
  return true;
}

bool Parser::AcceptSymbol(std::string_view symbol) {
  if (!IsSymbol(symbol)) return false;
  Take();
  return true;
}

Result<void> Parser::Expect(std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (!Accept({word})) return Unexpected(word, {std::string(word)});
  return Ok();
}

Result<void> Parser::ExpectSymbol(std::string_view symbol) {
  if (!AcceptSymbol(symbol)) return Unexpected("'" + std::string(symbol) + "'");
  return Ok();
}

Error Parser::Fail(Position at, std::string_view message, std::string_view hint) const {
  return Error(ErrorCode::kInvalidArgument, RenderError(text_, at, message, hint));
}

// The word before, if it was taken as an alias and is rather a slip of a clause's word: FROM t GRUOP BY a.
const Token* Parser::MisspeltClause() const {
  if (next_ < 2) return nullptr;
  const Token& alias = tokens_[next_ - 1];
  const Token& before = tokens_[next_ - 2];
  const bool behind_name = (before.kind == TokenKind::kWord && !ReservedWords().contains(before.upper)) ||
                           before.kind == TokenKind::kQuoted ||
                           (before.kind == TokenKind::kSymbol && before.text == ")");
  if (!behind_name || alias.kind != TokenKind::kWord || ReservedWords().contains(alias.upper)) return nullptr;
  const std::vector<std::string> clauses = {"WHERE", "GROUP",    "HAVING", "ORDER", "LIMIT", "WINDOW",
                                            "UNION", "WINDOWED", "EMIT",   "JOIN",  "INNER", "LEFT",
                                            "RIGHT", "FULL",     "WITHIN", "OVER"};
  return NearestName(alias.upper, clauses).empty() ? nullptr : &alias;
}

Error Parser::Unexpected(std::string_view expected, const std::vector<std::string>& candidates) const {
  const Token* const misspelt = MisspeltClause();
  const Token& token = misspelt != nullptr ? *misspelt : Peek();
  std::string message = "expected ";
  message += expected;
  message += ", found ";
  if (token.kind == TokenKind::kEnd) {
    message += "the end of the program";
  } else if (token.kind == TokenKind::kString) {
    message += "a text";
  } else {
    message += "'" + token.text.substr(0, 60) + "'";
  }
  std::string hint;
  if (token.kind == TokenKind::kWord) {
    // A clause's own word may be misspelt where the grammar is already past it: FORM, WHRE, GRUOP.
    std::vector<std::string> words = candidates;
    for (const std::string_view word : ReservedWords()) words.emplace_back(word);
    if (!ReservedWords().contains(token.upper)) hint = NearestName(token.upper, words);
  }
  return Fail(token.at, message, hint);
}

Result<Name> Parser::TakeName(std::string_view what) {
  if (!IsName()) return Unexpected(what);
  const Token& token = Take();
  return Name{token.text, token.kind == TokenKind::kQuoted, token.at};
}

Result<std::vector<Name>> Parser::NameList() {
  std::vector<Name> names;
  do {
    HONRYU_TRY(Name name, TakeName("a name"));
    names.push_back(std::move(name));
  } while (AcceptSymbol(","));
  return names;
}

Result<std::string> Parser::TakeString(std::string_view what) {
  if (Peek().kind != TokenKind::kString) return Unexpected(what);
  return Take().text;
}

Result<std::int64_t> Parser::TakeInteger(std::string_view what) {
  if (Peek().kind != TokenKind::kInteger) return Unexpected(what);
  const Token& token = Take();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
  if (error != std::errc()) return Fail(token.at, "this number is too large");
  return value;
}

Result<void> Parser::Enter() {
  if (++nesting_ > limits_.max_nesting)
    return Error(
        ErrorCode::kTooLarge,
        RenderError(text_, Peek().at, "nested too deeply, limit " + std::to_string(limits_.max_nesting)));
  return Ok();
}

Result<ExprPtr> Parser::WholeExpression() {
  HONRYU_TRY(ExprPtr expr, Expression());
  if (Peek().kind != TokenKind::kEnd) return Unexpected("the end of the expression");
  return expr;
}

namespace {

Result<void> CheckSize(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.max_bytes)
    return Error(ErrorCode::kTooLarge, "program too large: " + std::to_string(text.size()) +
                                           " bytes, limit " + std::to_string(limits.max_bytes));
  return Ok();
}

}  // namespace

Result<Script> ParseScript(std::string_view text, const ParseLimits& limits) {
  HONRYU_TRY_VOID(CheckSize(text, limits));
  HONRYU_TRY(std::vector<Token> tokens, Tokenize(text));
  Script script;
  script.text = text;
  HONRYU_TRY(script.statements, Parser(script.text, std::move(tokens), limits).Statements());
  return script;
}

Result<ExprPtr> ParseExpression(std::string_view text, const ParseLimits& limits) {
  HONRYU_TRY_VOID(CheckSize(text, limits));
  HONRYU_TRY(std::vector<Token> tokens, Tokenize(text));
  return Parser(text, std::move(tokens), limits).WholeExpression();
}

}  // namespace honryu::sql
