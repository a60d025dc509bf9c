#include "honryu/tables/expression.h"

#include <algorithm>
#include <charconv>
#include <utility>

// Recursive descent over a token list. Precedence of conditions, from the weakest: OR, AND, NOT, comparison.
namespace honryu::tables {

namespace {

using Op = Condition::Op;

struct Token {
  enum class Kind { kWord, kName, kValue, kNumber, kPunctuation, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;
};

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool SameWord(std::string_view text, std::string_view upper) {
  return std::ranges::equal(text, upper, [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
  });
}

class Parser {
 public:
  Parser(std::string_view text, Substitutions& substitutions, std::string_view what)
      : text_(text), substitutions_(substitutions), what_(what) {}

  Result<void> Prepare() {
    if (text_.empty()) return Invalid("The expression can not be empty;");
    if (text_.size() > kMaxExpressionBytes) {
      return Invalid("Expression size has exceeded the maximum allowed size; expression size: " +
                     std::to_string(text_.size()));
    }
    return Tokenize();
  }

  Result<Condition> WholeCondition() {
    HONRYU_TRY(Condition condition, Or(0));
    HONRYU_TRY_VOID(ExpectEnd());
    return condition;
  }
  Result<Update> WholeUpdate();
  Result<std::vector<Path>> WholeProjection();

 private:
  Error Invalid(std::string why) const {
    return Error(ErrorCode::kInvalidArgument, "Invalid " + std::string(what_) + ": " + std::move(why));
  }
  // The token where reading stopped, and its neighbours.
  Error Syntax() const {
    const auto text = [this](std::size_t i) { return i < tokens_.size() ? tokens_[i].text : std::string(); };
    const bool end = Peek().kind == Token::Kind::kEnd;
    std::string near = at_ > 0 ? text(at_ - 1) + " " : "";
    near += end ? "" : text(at_) + " " + text(at_ + 1);
    while (!near.empty() && near.back() == ' ') near.pop_back();
    return Invalid("Syntax error; token: \"" + (end ? std::string("<EOF>") : text(at_)) + "\", near: \"" +
                   near + "\"");
  }

  Result<void> Tokenize();
  const Token& Peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  bool At(std::string_view punctuation) const {
    return Peek().kind == Token::Kind::kPunctuation && Peek().text == punctuation;
  }
  bool AtWord(std::string_view upper) const {
    return Peek().kind == Token::Kind::kWord && SameWord(Peek().text, upper);
  }
  bool Take(std::string_view punctuation) {
    if (!At(punctuation)) return false;
    ++at_;
    return true;
  }
  bool TakeWord(std::string_view upper) {
    if (!AtWord(upper)) return false;
    ++at_;
    return true;
  }
  Result<void> Expect(std::string_view punctuation) {
    if (!Take(punctuation)) return Syntax();
    return Ok();
  }
  Result<void> ExpectEnd() const {
    if (Peek().kind != Token::Kind::kEnd) return Syntax();
    return Ok();
  }
  bool AtFunction() const {
    return Peek().kind == Token::Kind::kWord && Peek(1).kind == Token::Kind::kPunctuation &&
           Peek(1).text == "(";
  }
  Result<void> CountOperator() {
    if (++operators_ > kMaxExpressionOperators) {
      return Invalid("The expression contains too many operators; maximum operator count: " +
                     std::to_string(kMaxExpressionOperators));
    }
    return Ok();
  }

  Result<Condition> Or(std::size_t depth);
  Result<Condition> And(std::size_t depth);
  Result<Condition> Not(std::size_t depth);
  Result<Condition> Comparison();
  Result<Condition> Function();
  Result<Operand> ConditionOperand();
  Result<std::string> Name();
  Result<Path> DocumentPath();
  Result<Value> Constant();
  Result<Operand> PathOrConstant();

  Result<void> SetClause(Update& update);
  Result<Update::Term> UpdateTerm();
  Result<void> Changes(std::vector<Update::Change>& out, bool numbers);
  Result<void> CheckOverlaps(const std::vector<Path>& paths) const;

  std::string_view text_;
  Substitutions& substitutions_;
  std::string_view what_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t operators_ = 0;
};

Result<void> Parser::Tokenize() {
  std::size_t i = 0;
  const auto word_end = [this](std::size_t from) {
    while (from < text_.size() && (IsLetter(text_[from]) || IsDigit(text_[from]))) ++from;
    return from;
  };
  while (i < text_.size()) {
    const char c = text_[i];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    Token::Kind kind = Token::Kind::kPunctuation;
    if (IsLetter(c)) {
      kind = Token::Kind::kWord;
      end = word_end(i);
    } else if (c == '#' || c == ':') {
      kind = c == '#' ? Token::Kind::kName : Token::Kind::kValue;
      end = word_end(i + 1);
    } else if (IsDigit(c)) {
      kind = Token::Kind::kNumber;
      while (end < text_.size() && IsDigit(text_[end])) ++end;
    } else if (const std::string_view two = text_.substr(i, 2); two == "<>" || two == "<=" || two == ">=") {
      end = i + 2;
    }
    const std::string_view token = text_.substr(i, end - i);
    const bool bare = token == "#" || token == ":";
    const bool known = kind != Token::Kind::kPunctuation || token.size() == 2 ||
                       std::string_view("()[],.=<>+-").find(token) != std::string_view::npos;
    if (bare || !known) {
      return Invalid("Syntax error; token: \"" + std::string(token) + "\", near: \"" +
                     std::string(text_.substr(i, 20)) + "\"");
    }
    tokens_.push_back(Token{kind, std::string(token)});
    i = end;
  }
  tokens_.push_back(Token{});
  return Ok();
}

Result<Condition> Parser::Or(std::size_t depth) {
  if (depth > kMaxExpressionDepth) return Invalid("The expression is nested too deeply");
  HONRYU_TRY(Condition first, And(depth));
  if (!AtWord("OR")) return first;
  Condition out;
  out.op = Op::kOr;
  out.parts.push_back(std::move(first));
  while (TakeWord("OR")) {
    HONRYU_TRY_VOID(CountOperator());
    HONRYU_TRY(Condition next, And(depth));
    out.parts.push_back(std::move(next));
  }
  return out;
}

Result<Condition> Parser::And(std::size_t depth) {
  HONRYU_TRY(Condition first, Not(depth));
  if (!AtWord("AND")) return first;
  Condition out;
  out.op = Op::kAnd;
  out.parts.push_back(std::move(first));
  while (TakeWord("AND")) {
    HONRYU_TRY_VOID(CountOperator());
    HONRYU_TRY(Condition next, Not(depth));
    out.parts.push_back(std::move(next));
  }
  return out;
}

Result<Condition> Parser::Not(std::size_t depth) {
  if (depth > kMaxExpressionDepth) return Invalid("The expression is nested too deeply");
  if (TakeWord("NOT")) {
    HONRYU_TRY_VOID(CountOperator());
    HONRYU_TRY(Condition inner, Not(depth + 1));
    Condition out;
    out.op = Op::kNot;
    out.parts.push_back(std::move(inner));
    return out;
  }
  if (Take("(")) {
    HONRYU_TRY(Condition inner, Or(depth + 1));
    HONRYU_TRY_VOID(Expect(")"));
    return inner;
  }
  if (AtFunction() && Peek().text != "size") return Function();
  return Comparison();
}

Result<Condition> Parser::Function() {
  const std::string name = Peek().text;
  constexpr std::pair<std::string_view, Op> kFunctions[] = {{"attribute_exists", Op::kExists},
                                                            {"attribute_not_exists", Op::kNotExists},
                                                            {"attribute_type", Op::kHasType},
                                                            {"begins_with", Op::kBeginsWith},
                                                            {"contains", Op::kContains}};
  const auto* known = std::ranges::find(kFunctions, name, &std::pair<std::string_view, Op>::first);
  if (known == std::end(kFunctions)) {
    if (name == "if_not_exists" || name == "list_append") {
      return Invalid("The function is not allowed in a condition expression; function: " + name);
    }
    return Invalid("Invalid function name; function: " + name);
  }
  at_ += 2;
  HONRYU_TRY_VOID(CountOperator());
  Condition out;
  out.op = known->second;
  const bool needs_path = out.op == Op::kExists || out.op == Op::kNotExists || out.op == Op::kHasType;
  do {
    HONRYU_TRY(Operand operand, ConditionOperand());
    out.operands.push_back(std::move(operand));
  } while (Take(","));
  HONRYU_TRY_VOID(Expect(")"));
  const std::size_t expected = out.op == Op::kExists || out.op == Op::kNotExists ? 1 : 2;
  if (out.operands.size() != expected) {
    return Invalid("Incorrect number of operands for operator or function; operator or function: " + name +
                   ", number of operands: " + std::to_string(out.operands.size()));
  }
  if (needs_path && out.operands[0].kind != Operand::Kind::kPath) {
    return Invalid("Operator or function requires a document path; operator or function: " + name);
  }
  const Operand& last = out.operands.back();
  if (out.op == Op::kHasType) {
    const auto* type = last.constant.As<std::string>();
    Value::Type found{};
    if (last.kind != Operand::Kind::kConstant || type == nullptr || !FindType(*type, &found)) {
      return Invalid(
          "Invalid attribute type name found; type: " + (type == nullptr ? std::string("?") : *type) +
          ", valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}");
    }
  }
  if (out.op == Op::kBeginsWith && last.kind == Operand::Kind::kConstant &&
      last.constant.As<std::string>() == nullptr && last.constant.As<Binary>() == nullptr) {
    return Invalid(
        "Incorrect operand type for operator or function; operator or function: begins_with, operand type: " +
        std::string(TypeName(last.constant.type())));
  }
  return out;
}

Result<Condition> Parser::Comparison() {
  Condition out;
  HONRYU_TRY(Operand first, ConditionOperand());
  out.operands.push_back(std::move(first));
  HONRYU_TRY_VOID(CountOperator());
  if (TakeWord("BETWEEN")) {
    out.op = Op::kBetween;
    HONRYU_TRY(Operand low, ConditionOperand());
    if (!TakeWord("AND")) return Syntax();
    HONRYU_TRY(Operand high, ConditionOperand());
    if (low.kind == Operand::Kind::kConstant && high.kind == Operand::Kind::kConstant) {
      const std::partial_ordering order = Compare(low.constant, high.constant);
      if (order == std::partial_ordering::unordered) {
        return Invalid(
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: "
            "AttributeValue: {" +
            std::string(TypeName(low.constant.type())) + "}, upper bound operand: AttributeValue: {" +
            std::string(TypeName(high.constant.type())) + "}");
      }
      if (order > 0) {
        return Invalid(
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound");
      }
    }
    out.operands.push_back(std::move(low));
    out.operands.push_back(std::move(high));
    return out;
  }
  if (TakeWord("IN")) {
    out.op = Op::kIn;
    HONRYU_TRY_VOID(Expect("("));
    do {
      HONRYU_TRY(Operand one, ConditionOperand());
      out.operands.push_back(std::move(one));
    } while (Take(","));
    if (out.operands.size() > 101) return Invalid("The IN operator takes at most 100 operands");
    HONRYU_TRY_VOID(Expect(")"));
    return out;
  }
  constexpr std::pair<std::string_view, Op> kComparators[] = {{"=", Op::kEqual},   {"<>", Op::kNotEqual},
                                                              {"<", Op::kLess},    {"<=", Op::kLessEqual},
                                                              {">", Op::kGreater}, {">=", Op::kGreaterEqual}};
  for (const auto& [text, op] : kComparators) {
    if (!Take(text)) continue;
    out.op = op;
    HONRYU_TRY(Operand second, ConditionOperand());
    out.operands.push_back(std::move(second));
    return out;
  }
  return Syntax();
}

Result<Operand> Parser::ConditionOperand() {
  if (AtFunction()) {
    if (Peek().text != "size") {
      return Invalid("The function is not allowed to be used this way in an expression; function: " +
                     Peek().text);
    }
    at_ += 2;
    HONRYU_TRY(Path path, DocumentPath());
    HONRYU_TRY_VOID(Expect(")"));
    return Operand{Operand::Kind::kSize, std::move(path), Value()};
  }
  return PathOrConstant();
}

Result<Operand> Parser::PathOrConstant() {
  if (Peek().kind == Token::Kind::kValue) {
    HONRYU_TRY(Value value, Constant());
    return Operand::Constant(std::move(value));
  }
  HONRYU_TRY(Path path, DocumentPath());
  return Operand::OfPath(std::move(path));
}

Result<Value> Parser::Constant() {
  if (Peek().kind != Token::Kind::kValue) return Syntax();
  const std::string name = Peek().text;
  const auto found = substitutions_.values.find(name);
  if (found == substitutions_.values.end()) {
    return Invalid("An expression attribute value used in expression is not defined; attribute value: " +
                   name);
  }
  substitutions_.used.insert(name);
  ++at_;
  return found->second;
}

Result<std::string> Parser::Name() {
  if (Peek().kind == Token::Kind::kWord) {
    for (const std::string_view keyword :
         {"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"})
      if (AtWord(keyword)) return Syntax();
    return tokens_[at_++].text;
  }
  if (Peek().kind != Token::Kind::kName) return Syntax();
  const std::string name = Peek().text;
  const auto found = substitutions_.names.find(name);
  if (found == substitutions_.names.end()) {
    return Invalid("An expression attribute name used in the document path is not defined; attribute name: " +
                   name);
  }
  substitutions_.used.insert(name);
  ++at_;
  return found->second;
}

Result<Path> Parser::DocumentPath() {
  HONRYU_TRY(std::string first, Name());
  Path path = PathOf(std::move(first));
  for (;;) {
    if (path.size() > kMaxDepth + 2) return Invalid("The document path has too many nesting elements");
    if (Take(".")) {
      HONRYU_TRY(std::string name, Name());
      path.push_back(PathStep{std::move(name), 0, false});
    } else if (Take("[")) {
      if (Peek().kind != Token::Kind::kNumber) return Syntax();
      const std::string& digits = Peek().text;
      std::size_t index = 0;
      if (digits.size() > 9)
        return Invalid("List index is not within the allowable range; index: [" + digits + "]");
      std::from_chars(digits.data(), digits.data() + digits.size(), index);
      ++at_;
      HONRYU_TRY_VOID(Expect("]"));
      path.push_back(PathStep{{}, index, true});
    } else {
      return path;
    }
  }
}

Result<Update::Term> Parser::UpdateTerm() {
  Update::Term term;
  if (AtFunction() && Peek().text == "if_not_exists") {
    at_ += 2;
    HONRYU_TRY(Path path, DocumentPath());
    term.operand = Operand::OfPath(std::move(path));
    HONRYU_TRY_VOID(Expect(","));
    HONRYU_TRY(Operand fallback, PathOrConstant());
    term.fallback = std::move(fallback);
    HONRYU_TRY_VOID(Expect(")"));
    return term;
  }
  if (AtFunction()) return Invalid("Invalid function name; function: " + Peek().text);
  HONRYU_TRY(term.operand, PathOrConstant());
  return term;
}

Result<void> Parser::SetClause(Update& update) {
  do {
    Update::Set set;
    HONRYU_TRY(set.path, DocumentPath());
    HONRYU_TRY_VOID(Expect("="));
    HONRYU_TRY_VOID(CountOperator());
    if (AtFunction() && Peek().text == "list_append") {
      at_ += 2;
      set.op = Update::Set::Op::kListAppend;
      HONRYU_TRY(set.left, UpdateTerm());
      HONRYU_TRY_VOID(Expect(","));
      HONRYU_TRY(set.right, UpdateTerm());
      HONRYU_TRY_VOID(Expect(")"));
    } else {
      HONRYU_TRY(set.left, UpdateTerm());
      if (At("+") || At("-")) {
        set.op = At("+") ? Update::Set::Op::kPlus : Update::Set::Op::kMinus;
        ++at_;
        HONRYU_TRY(set.right, UpdateTerm());
      }
    }
    update.set.push_back(std::move(set));
  } while (Take(","));
  return Ok();
}

Result<void> Parser::Changes(std::vector<Update::Change>& out, bool numbers) {
  do {
    Update::Change change;
    HONRYU_TRY(change.path, DocumentPath());
    HONRYU_TRY_VOID(CountOperator());
    HONRYU_TRY(change.value, Constant());
    const Value::Type type = change.value.type();
    const bool is_set = type >= Value::Type::kStringSet;
    if (!is_set && !(numbers && type == Value::Type::kNumber)) {
      return Invalid("Incorrect operand type for operator or function; operator: " +
                     std::string(numbers ? "ADD" : "DELETE") +
                     ", operand type: " + std::string(TypeName(type)));
    }
    out.push_back(std::move(change));
  } while (Take(","));
  return Ok();
}

Result<void> Parser::CheckOverlaps(const std::vector<Path>& paths) const {
  for (std::size_t i = 0; i < paths.size(); ++i) {
    for (std::size_t j = i + 1; j < paths.size(); ++j) {
      const std::size_t both = std::min(paths[i].size(), paths[j].size());
      if (std::equal(paths[i].begin(), paths[i].begin() + static_cast<std::ptrdiff_t>(both),
                     paths[j].begin())) {
        return Invalid(
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path "
            "one: [" +
            PathText(paths[i]) + "], path two: [" + PathText(paths[j]) + "]");
      }
    }
  }
  return Ok();
}

Result<Update> Parser::WholeUpdate() {
  Update update;
  std::vector<std::string> seen;
  while (Peek().kind != Token::Kind::kEnd) {
    std::string clause;
    for (const std::string_view name : {"SET", "REMOVE", "ADD", "DELETE"})
      if (AtWord(name)) clause = name;
    if (clause.empty()) return Syntax();
    if (std::ranges::find(seen, clause) != seen.end()) {
      return Invalid("The \"" + clause + "\" section can only be used once in an update expression;");
    }
    seen.push_back(clause);
    ++at_;
    if (clause == "SET") {
      HONRYU_TRY_VOID(SetClause(update));
    } else if (clause == "REMOVE") {
      do {
        HONRYU_TRY_VOID(CountOperator());
        HONRYU_TRY(Path path, DocumentPath());
        update.remove.push_back(std::move(path));
      } while (Take(","));
    } else if (clause == "ADD") {
      HONRYU_TRY_VOID(Changes(update.add, true));
    } else {
      HONRYU_TRY_VOID(Changes(update.remove_from, false));
    }
  }
  HONRYU_TRY_VOID(CheckOverlaps(update.Touched()));
  return update;
}

Result<std::vector<Path>> Parser::WholeProjection() {
  std::vector<Path> paths;
  do {
    HONRYU_TRY_VOID(CountOperator());
    HONRYU_TRY(Path path, DocumentPath());
    paths.push_back(std::move(path));
  } while (Take(","));
  HONRYU_TRY_VOID(ExpectEnd());
  HONRYU_TRY_VOID(CheckOverlaps(paths));
  return paths;
}

}  // namespace

Result<Condition> ParseCondition(std::string_view text, Substitutions& substitutions, std::string_view what) {
  Parser parser(text, substitutions, what);
  HONRYU_TRY_VOID(parser.Prepare());
  return parser.WholeCondition();
}

Result<Update> ParseUpdate(std::string_view text, Substitutions& substitutions) {
  Parser parser(text, substitutions, "UpdateExpression");
  HONRYU_TRY_VOID(parser.Prepare());
  return parser.WholeUpdate();
}

Result<std::vector<Path>> ParseProjection(std::string_view text, Substitutions& substitutions) {
  Parser parser(text, substitutions, "ProjectionExpression");
  HONRYU_TRY_VOID(parser.Prepare());
  return parser.WholeProjection();
}

}  // namespace honryu::tables
