#pragma once

#include "honryu/sql/parser.h"
#include "sql/lexer.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// Recursive descent over tokens; expressions by binding power (Pratt 1973). One use.
class Parser {
 public:
  Parser(std::string_view text, std::vector<Token> tokens, const ParseLimits& limits)
      : text_(text), tokens_(std::move(tokens)), limits_(limits) {}

  Result<std::vector<Statement>> Statements();
  Result<ExprPtr> WholeExpression();

 private:
  // parser_core.cc: tokens and errors
  const Token& Peek(std::size_t ahead = 0) const {
    return tokens_[std::min(next_ + ahead, tokens_.size() - 1)];
  }
  const Token& Take() {
    const Token& token = Peek();
    if (next_ + 1 < tokens_.size()) ++next_;
    return token;
  }
  bool IsWord(std::string_view upper, std::size_t ahead = 0) const;
  bool IsSymbol(std::string_view symbol, std::size_t ahead = 0) const;
  bool AreWords(std::initializer_list<std::string_view> words) const;
  /// Takes the words if all of them come next.
  bool Accept(std::initializer_list<std::string_view> words);
  bool AcceptSymbol(std::string_view symbol);
  Result<void> Expect(std::initializer_list<std::string_view> words);
  Result<void> ExpectSymbol(std::string_view symbol);
  Error Unexpected(std::string_view expected, const std::vector<std::string>& candidates = {}) const;
  const Token* MisspeltClause() const;
  Error Fail(Position at, std::string_view message, std::string_view hint = {}) const;
  static bool IsReserved(const Token& token);
  bool IsName() const;
  Result<Name> TakeName(std::string_view what);
  Result<std::vector<Name>> NameList();
  Result<std::string> TakeString(std::string_view what);
  Result<std::int64_t> TakeInteger(std::string_view what);
  Result<void> Enter();
  void Leave() { --nesting_; }

  // parse_expression.cc
  Result<ExprPtr> Expression(int least_power = 0);
  Result<ExprPtr> Prefix();
  Result<ExprPtr> Infix(ExprPtr left, int power);
  Result<ExprPtr> Postfix(ExprPtr left);
  Result<ExprPtr> Is(ExprPtr left);
  Result<ExprPtr> Predicate(ExprPtr left);
  int PowerOfNext() const;
  Result<ExprPtr> Finish(ExprPtr expr) const;
  ExprPtr New(ExprKind kind, Position at) const;
  Result<ExprPtr> Case();
  Result<ExprPtr> Literal();
  Result<ExprPtr> Parenthesis();
  Result<std::vector<ExprPtr>> ExpressionList();

  // parse_call.cc
  Result<ExprPtr> CallOrColumn();
  Result<ExprPtr> SpecialCall(bool* handled);
  Result<ExprPtr> Cast(Position at);
  Result<ExprPtr> Extract(Position at);
  Result<ExprPtr> FloorOrCeil(Position at, bool floor);
  Result<ExprPtr> Step(Position at);
  Result<ExprPtr> Substring(Position at);
  Result<ExprPtr> Trim(Position at);
  Result<ExprPtr> PositionOf(Position at);
  Result<ExprPtr> Overlay(Position at);
  Result<ExprPtr> Call();
  Result<ExprPtr> Argument();
  Result<void> CallSuffix(Expr& call);
  Result<Interval> IntervalLiteral();
  Result<Interval> IntervalText(const Token& token);
  Result<Interval> DurationOf(std::int64_t count, const Token& unit);
  /// `1 MINUTE`, or an interval literal.
  Result<Interval> ShortDuration();
  Result<TimeUnit> Unit();
  Result<Type> DataType();
  Result<WindowSpec> Over();
  Result<WindowSpec> WindowBody();
  Result<Frame> FrameOf();
  Result<std::vector<SortKey>> SortKeys();

  // parse_query.cc
  Result<QueryPtr> ParseQuery();
  Result<Select> ParseSelect();
  Result<SelectItem> Item();
  Result<Source> FromSource();
  Result<void> SourceSuffix(Source& source);
  Result<bool> JoinAhead(Join* join);
  Result<Join> ParseJoin(JoinKind kind, Position at);
  Result<void> GroupClause(Select& select);
  Result<KsqlWindow> ParseKsqlWindow();
  Result<void> EmitClause(Query& query);
  Result<void> LatenessClause(Query& query);

  // parse_statement.cc
  Result<Statement> ParseStatement();
  Result<Statement> Create();
  Result<Statement> CreateStreamOrTable(bool table, bool reference, bool replace);
  Result<Statement> CreatePumpOf(bool replace);
  Result<Statement> CreateViewOf(bool materialized, bool replace);
  Result<InsertSelect> Insert();
  Result<Statement> Alter();
  Result<Statement> ParseDrop();
  Result<Statement> ParseSet();
  Result<ColumnDefinition> Column();
  Result<void> ColumnsOf(std::vector<ColumnDefinition>& columns, std::optional<Watermark>& watermark,
                         std::vector<Name>* primary_key);
  Result<Properties> With();

  std::string_view text_;
  std::vector<Token> tokens_;
  ParseLimits limits_;
  std::size_t next_ = 0;
  std::uint32_t nesting_ = 0;
};

}  // namespace honryu::sql
