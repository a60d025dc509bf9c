#pragma once

#include "honryu/sql/ast.h"

#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

enum class TokenKind : std::uint8_t { kWord, kQuoted, kString, kInteger, kDecimal, kFloat, kSymbol, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  Position at;
  std::string text;   ///< Without quotes and escapes.
  std::string upper;  ///< Of words: in upper case; of symbols: the text.
};

/// Splits a program into tokens; the last one is kEnd. Comments: -- and // to the end of the line, /* … */.
/// Errors are rendered as RenderError does.
Result<std::vector<Token>> Tokenize(std::string_view text);

/// ASCII only: SQL's identifiers outside it have no case.
std::string UpperCase(std::string_view text);

}  // namespace honryu::sql
