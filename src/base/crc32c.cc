#include "honryu/base/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace honryu {
namespace {

std::uint64_t Load64(const char* p) {
  std::uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

/// The last `n` < 8 bytes before `end`, the first of them the highest; `whole`: eight may be read there.
std::uint64_t Tail(const char* end, std::size_t n, bool whole) {
  static_assert(std::endian::native == std::endian::little);
  if (n == 0) return 0;
  if (whole) return __builtin_bswap64(Load64(end - 8)) & (~0ULL >> (64 - 8 * n));
  std::uint64_t b = 0;
  for (const char* p = end - n; p != end; ++p) b = (b << 8) | static_cast<std::uint8_t>(*p);
  return b;
}

constexpr std::array<std::uint32_t, 256> MakeTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}

std::uint32_t Portable(const char* p, std::size_t n, std::uint32_t crc) {
  static constexpr auto kTable = MakeTable();
  for (; n > 0; --n, ++p) crc = kTable[(crc ^ static_cast<std::uint8_t>(*p)) & 0xff] ^ (crc >> 8);
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t Hardware(const char* p, std::size_t n, std::uint32_t crc) {
  std::uint64_t wide = crc;
  for (; n >= 8; n -= 8, p += 8) wide = _mm_crc32_u64(wide, Load64(p));
  crc = static_cast<std::uint32_t>(wide);
  for (; n > 0; --n, ++p) crc = _mm_crc32_u8(crc, static_cast<std::uint8_t>(*p));
  return crc;
}
bool HasHardware() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}
#endif

std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::uint32_t Crc32c(std::string_view data, std::uint32_t seed) {
  const std::uint32_t crc = ~seed;
#if defined(__x86_64__)
  if (HasHardware()) return ~Hardware(data.data(), data.size(), crc);
#endif
  return ~Portable(data.data(), data.size(), crc);
}

std::uint64_t Hash64(std::string_view data, std::uint64_t seed) {
  // Multiply-fold over 8-byte words, in the manner of wyhash; constants are its odd primes.
  constexpr std::uint64_t k0 = 0xa0761d6478bd642fULL, k1 = 0xe7037ed1a0b428dbULL, k2 = 0x8ebc6af09c88c6e3ULL;
  std::uint64_t h = seed ^ k0;
  const char* p = data.data();
  std::size_t n = data.size();
  for (; n >= 16; n -= 16, p += 16) h = Mix(Load64(p) ^ k1, Load64(p + 8) ^ h);
  std::uint64_t a = 0;
  if (n >= 8) {
    a = Load64(p);
    p += 8;
    n -= 8;
  }
  const std::uint64_t b = Tail(p + n, n, data.size() >= 8);
  return Mix(k2 ^ data.size(), Mix(a ^ k1, b ^ h ^ k2));
}

}  // namespace honryu
