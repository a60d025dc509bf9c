#include "search/text/unicode.h"

#include "honryu/base/check.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <array>
#include <bit>
#include <cstring>
#include <vector>

namespace honryu::search {
namespace {

/// What is shown as a picture, also those to come (Unicode keeps these places for them). Digits, '#' and
/// signs such as (c), which have the property too, are no pictures in text.
bool IsEmoji(UChar32 c) {
  if (c < 0x2000) return false;
  return u_hasBinaryProperty(c, UCHAR_EMOJI) ||
         (c >= 0x1f000 && c < 0x1fb00 && u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC));
}

CharClass Classify(char32_t code) {
  const auto c = static_cast<UChar32>(code);
  if (IsEmoji(c)) return CharClass::kEmoji;
  const auto type = u_charType(c);
  const bool mark =
      type == U_NON_SPACING_MARK || type == U_COMBINING_SPACING_MARK || type == U_ENCLOSING_MARK;
  const bool letter =
      u_isalpha(c) || type == U_DECIMAL_DIGIT_NUMBER || type == U_LETTER_NUMBER || type == U_OTHER_NUMBER;
  // The long vowel sign and the iteration marks belong to several scripts and are letters all the same.
  if (code == U'々' || code == U'〆' || code == U'〇' || code == U'ー' || code == U'ゝ' || code == U'ゞ' ||
      code == U'ヽ' || code == U'ヾ')
    return CharClass::kPaired;
  if (!mark && !letter) return CharClass::kSeparator;
  UErrorCode status = U_ZERO_ERROR;
  switch (uscript_getScript(c, &status)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_HANGUL:
      return mark ? CharClass::kMark : CharClass::kPaired;
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR:
      // Vowel signs are marks, but the dictionary wants them with their letters. Digits are ordinary.
      return type == U_DECIMAL_DIGIT_NUMBER ? CharClass::kWord : CharClass::kDictionary;
    default:
      return mark ? CharClass::kMark : CharClass::kWord;
  }
}

using Table = std::array<CharClass, 0x10000>;

const Table& BasicPlane() {
  static const Table* const table = [] {
    auto* made = new Table;  // lives as long as the process
    for (char32_t c = 0; c < made->size(); ++c) (*made)[c] = Classify(c);
    return made;
  }();
  return *table;
}

const icu::Normalizer2& Folder() {
  static const icu::Normalizer2* const folder = [] {
    UErrorCode status = U_ZERO_ERROR;
    const auto* made = icu::Normalizer2::getNFKCCasefoldInstance(status);
    HONRYU_CHECK(U_SUCCESS(status), "ICU has no NFKC_Casefold data");
    return made;
  }();
  return *folder;
}

}  // namespace

CharClass ClassOf(char32_t c) {
  static const Table& table = BasicPlane();
  return c < table.size() ? table[c] : Classify(c);
}

char32_t NextChar(std::string_view text, std::size_t* at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = byte(*at);
  const std::size_t left = text.size() - *at;
  const auto tail = [&](std::size_t i) { return i < left && (byte(*at + i) & 0xc0) == 0x80; };
  char32_t c = 0xfffd;
  std::size_t length = 1;
  if (lead < 0x80) {
    c = lead;
  } else if (lead >= 0xc2 && lead < 0xe0 && tail(1)) {
    c = static_cast<char32_t>((lead & 0x1f) << 6 | (byte(*at + 1) & 0x3f));
    length = 2;
  } else if (lead >= 0xe0 && lead < 0xf0 && tail(1) && tail(2)) {
    c = static_cast<char32_t>((lead & 0x0f) << 12 | (byte(*at + 1) & 0x3f) << 6 | (byte(*at + 2) & 0x3f));
    length = 3;
  } else if (lead >= 0xf0 && lead < 0xf5 && tail(1) && tail(2) && tail(3)) {
    c = static_cast<char32_t>((lead & 0x07) << 18 | (byte(*at + 1) & 0x3f) << 12 |
                              (byte(*at + 2) & 0x3f) << 6 | (byte(*at + 3) & 0x3f));
    length = 4;
  }
  *at += length;
  return c;
}

void AppendUtf8(char32_t c, std::string& out) {
  const auto put = [&out](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

std::size_t CountChars(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) NextChar(text, &at);
  return count;
}

bool IsAscii(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080ULL) return false;
  }
  for (; i < text.size(); ++i)
    if (static_cast<unsigned char>(text[i]) >= 0x80) return false;
  return true;
}

void FoldInto(std::string_view text, std::string& out) {
  if (IsAscii(text)) {
    const auto begin = out.size();
    out.resize(begin + text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      out[begin + i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return;
  }
  UErrorCode status = U_ZERO_ERROR;
  icu::StringByteSink<std::string> sink(&out, static_cast<std::int32_t>(text.size() + text.size() / 4));
  Folder().normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())), sink,
                         nullptr, status);
  // ICU replaces invalid bytes; what is left to fail is memory.
  HONRYU_CHECK(U_SUCCESS(status), "ICU could not normalise a text");
}

}  // namespace honryu::search
