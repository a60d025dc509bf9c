#include "sql/lexer.h"

#include "honryu/sql/parser.h"

namespace honryu::sql {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsWordPart(char c) { return IsWordStart(c) || IsDigit(c) || c == '$'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> Run() {
    std::vector<Token> tokens;
    while (true) {
      HONRYU_TRY_VOID(SkipBlanks());
      Token token;
      token.at = at_;
      if (at_.offset >= text_.size()) {
        tokens.push_back(std::move(token));
        return tokens;
      }
      HONRYU_TRY_VOID(Next(token));
      tokens.push_back(std::move(token));
    }
  }

 private:
  char Peek(std::size_t ahead = 0) const {
    return at_.offset + ahead < text_.size() ? text_[at_.offset + ahead] : '\0';
  }
  void Step() {
    const char c = text_[at_.offset++];
    if (c == '\n') {
      ++at_.line;
      at_.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
      ++at_.column;  // a character begins here; what follows of it does not count
    }
  }
  void Step(std::size_t count) {
    for (; count > 0; --count) Step();
  }
  Error Fail(Position at, std::string_view message) const {
    return Error(ErrorCode::kInvalidArgument, RenderError(text_, at, message));
  }

  Result<void> SkipBlanks() {
    while (at_.offset < text_.size()) {
      const char c = Peek();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
        Step();
      } else if ((c == '-' && Peek(1) == '-') || (c == '/' && Peek(1) == '/')) {
        while (at_.offset < text_.size() && Peek() != '\n') Step();
      } else if (c == '/' && Peek(1) == '*') {
        const Position start = at_;
        Step(2);
        while (at_.offset < text_.size() && !(Peek() == '*' && Peek(1) == '/')) Step();
        if (at_.offset >= text_.size()) return Fail(start, "this comment has no end");
        Step(2);
      } else {
        break;
      }
    }
    return Ok();
  }

  Result<void> Next(Token& token) {
    const char c = Peek();
    if (IsWordStart(c)) {
      const std::size_t start = at_.offset;
      while (at_.offset < text_.size() && IsWordPart(Peek())) Step();
      token.kind = TokenKind::kWord;
      token.text = text_.substr(start, at_.offset - start);
      token.upper = UpperCase(token.text);
      return Ok();
    }
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return Number(token);
    if (c == '\'') return Quoted(token, TokenKind::kString, "this text has no closing quote");
    if (c == '"' || c == '`') return Quoted(token, TokenKind::kQuoted, "this name has no closing quote");
    token.kind = TokenKind::kSymbol;
    for (const std::string_view symbol : {"->>", "->", "||", "<>", "<=", ">=", "!=", "=>", "::"}) {
      if (text_.substr(at_.offset, symbol.size()) == symbol) {
        token.text = token.upper = symbol;
        Step(symbol.size());
        return Ok();
      }
    }
    if (std::string_view("()[],.;+-*/%=<>").find(c) == std::string_view::npos)
      return Fail(at_, "unexpected character");
    token.text = token.upper = std::string(1, c);
    Step();
    return Ok();
  }

  Result<void> Number(Token& token) {
    const std::size_t start = at_.offset;
    token.kind = TokenKind::kInteger;
    while (IsDigit(Peek())) Step();
    if (Peek() == '.' && (IsDigit(Peek(1)) || !IsWordStart(Peek(1)))) {
      token.kind = TokenKind::kDecimal;
      Step();
      while (IsDigit(Peek())) Step();
    }
    const std::size_t sign = Peek(1) == '+' || Peek(1) == '-' ? 1 : 0;
    if ((Peek() == 'e' || Peek() == 'E') && IsDigit(Peek(1 + sign))) {
      token.kind = TokenKind::kFloat;
      Step(1 + sign);
      while (IsDigit(Peek())) Step();
    }
    if (IsWordStart(Peek())) return Fail(at_, "a number may not run into a name");
    token.text = text_.substr(start, at_.offset - start);
    return Ok();
  }

  Result<void> Quoted(Token& token, TokenKind kind, std::string_view unclosed) {
    const Position start = at_;
    const char quote = Peek();
    token.kind = kind;
    Step();
    while (true) {
      if (at_.offset >= text_.size()) return Fail(start, unclosed);
      const char c = Peek();
      Step();
      if (c == quote) {
        if (Peek() != quote) break;
        Step();
      }
      token.text += c;
    }
    if (kind == TokenKind::kQuoted && token.text.empty())
      return Fail(start, "a quoted name may not be empty");
    return Ok();
  }

  std::string_view text_;
  Position at_;
};

}  // namespace

Result<std::vector<Token>> Tokenize(std::string_view text) { return Lexer(text).Run(); }

std::string UpperCase(std::string_view text) {
  std::string upper(text);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return upper;
}

std::string Name::Folded() const { return quoted ? text : UpperCase(text); }

}  // namespace honryu::sql
