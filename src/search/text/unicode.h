#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu::search {

/// What a character does to the cutting of words.
enum class CharClass : std::uint8_t {
  kSeparator,
  kWord,        ///< Letters and digits of scripts with blanks between words.
  kMark,        ///< Combining marks: stay with what is before them.
  kPaired,      ///< Han, kana, Hangul: cut into pairs.
  kEmoji,       ///< Each is a token.
  kDictionary,  ///< Thai, Lao, Khmer, Burmese: words without blanks, cut by a dictionary.
};

CharClass ClassOf(char32_t c);

/// The character at `*at`, which moves behind it. Invalid UTF-8 gives U+FFFD and moves by one byte.
char32_t NextChar(std::string_view text, std::size_t* at);
void AppendUtf8(char32_t c, std::string& out);
/// Number of characters; invalid bytes count one each.
std::size_t CountChars(std::string_view text);

/// True when no byte has its high bit set.
bool IsAscii(std::string_view text);
/// NFKC_Casefold (Unicode 15: UAX #44 NFKC_CF), appended to `out`. Width, case and compatibility forms become
/// one.
void FoldInto(std::string_view text, std::string& out);

}  // namespace honryu::search
