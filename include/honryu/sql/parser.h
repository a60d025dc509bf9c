#pragma once

#include "honryu/sql/ast.h"

#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// Bounds on what is parsed; programs come from users.
struct ParseLimits {
  std::size_t max_bytes = 1024 * 1024;
  std::uint32_t max_nesting = 100;  ///< Of parentheses, subqueries, CASE, …
  std::uint32_t max_depth = 1000;   ///< Of an expression's tree: also of a + b + c + ….
};

/// Parses a program: statements with `;` between them. Dialects: Kinesis Analytics SQL, with the spellings of
/// Flink SQL, ksqlDB and RisingWave for the same things. kInvalidArgument: the message names line and column,
/// shows the line with a caret below, and suggests what may have been meant; kTooLarge: a limit.
Result<Script> ParseScript(std::string_view text, const ParseLimits& limits = {});
/// Parses one expression and nothing behind it.
Result<ExprPtr> ParseExpression(std::string_view text, const ParseLimits& limits = {});

/// SQL text that parses to the same tree.
std::string ToSql(const Script& script);
std::string ToSql(const Statement& statement);
std::string ToSql(const Query& query);
std::string ToSql(const Expr& expr);

/// "line 2, column 8: unknown column 'usr_id'; did you mean 'user_id'?" and below it the line and a caret.
/// `hint` may be empty.
std::string RenderError(std::string_view text, Position at, std::string_view message,
                        std::string_view hint = {});

/// The candidate nearest to `word` (Damerau-Levenshtein, case ignored), if near enough to be a slip; else
/// empty.
std::string NearestName(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace honryu::sql
