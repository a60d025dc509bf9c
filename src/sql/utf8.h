#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu::sql {

/// Takes one character off the front of a text that is not empty. Bytes that are no UTF-8 come one by one.
inline std::uint32_t TakeCharacter(std::string_view* text) {
  const auto first = static_cast<unsigned char>((*text)[0]);
  const std::size_t size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  if (size == 1 || size > text->size()) {
    text->remove_prefix(1);
    return first;
  }
  std::uint32_t code = first & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i)
    code = (code << 6) | (static_cast<unsigned char>((*text)[i]) & 0x3fu);
  text->remove_prefix(size);
  return code;
}

inline std::uint32_t LowerAscii(std::uint32_t c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }

/// Characters of a text.
inline std::size_t CountCharacters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

/// Byte offset of the character with this number (from 0); the size if there are fewer.
inline std::size_t OffsetOfCharacter(std::string_view text, std::size_t number) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) continue;
    if (number-- == 0) return at;
  }
  return at;
}

}  // namespace honryu::sql
