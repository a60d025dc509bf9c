#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu::codec {

/// Appends `value` in base 128, least significant group first (LEB128; as in Protocol Buffers).
inline void AppendVarint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

/// Number of bytes AppendVarint writes.
inline std::size_t VarintSize(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

/// Takes one varint off the front of *in; false (and *in unspecified) when it is cut short or longer than 64
/// bits.
inline bool TakeVarint(std::string_view* in, std::uint64_t* value) {
  *value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (in->empty()) return false;
    const auto byte = static_cast<std::uint8_t>(in->front());
    in->remove_prefix(1);
    if (shift == 63 && byte > 1) return false;
    *value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace honryu::codec
