#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace honryu::codec {

static_assert(std::endian::native == std::endian::little,
              "the on-disk helpers assume a little-endian machine");

/// Little-endian integers for values, big-endian ones for keys (byte order is then number order).
inline void StoreU32(char* out, std::uint32_t v) { std::memcpy(out, &v, 4); }
inline void StoreU64(char* out, std::uint64_t v) { std::memcpy(out, &v, 8); }
inline std::uint32_t LoadU32(const char* in) {
  std::uint32_t v;
  std::memcpy(&v, in, 4);
  return v;
}
inline std::uint64_t LoadU64(const char* in) {
  std::uint64_t v;
  std::memcpy(&v, in, 8);
  return v;
}
inline void AppendU32(std::string& out, std::uint32_t v) { out.append(reinterpret_cast<const char*>(&v), 4); }
inline void AppendU64(std::string& out, std::uint64_t v) { out.append(reinterpret_cast<const char*>(&v), 8); }
inline void AppendBigEndian32(std::string& out, std::uint32_t v) { AppendU32(out, __builtin_bswap32(v)); }
inline void AppendBigEndian64(std::string& out, std::uint64_t v) { AppendU64(out, __builtin_bswap64(v)); }
inline std::uint32_t LoadBigEndian32(const char* in) { return __builtin_bswap32(LoadU32(in)); }
inline std::uint64_t LoadBigEndian64(const char* in) { return __builtin_bswap64(LoadU64(in)); }

}  // namespace honryu::codec
