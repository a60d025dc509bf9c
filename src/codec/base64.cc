#include "honryu/codec/base64.h"

#include <array>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace honryu::codec {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t kBad = 0x80000000u;

// kTables[k][c]: the six bits of character c, shifted to their place when c is character k of a group of
// four.
constexpr std::array<std::array<std::uint32_t, 256>, 4> MakeTables() {
  std::array<std::array<std::uint32_t, 256>, 4> tables{};
  for (auto& table : tables) table.fill(kBad);
  for (std::uint32_t i = 0; i < 64; ++i) {
    for (std::size_t k = 0; k < 4; ++k)
      tables[k][static_cast<std::uint8_t>(kAlphabet[i])] = i << (18 - 6 * k);
  }
  return tables;
}
constexpr auto kTables = MakeTables();

std::uint32_t Group(const char* in) {
  const auto* c = reinterpret_cast<const std::uint8_t*>(in);
  return kTables[0][c[0]] | kTables[1][c[1]] | kTables[2][c[2]] | kTables[3][c[3]];
}

#if defined(__x86_64__)
// 32 characters to 24 bytes a step, after Muła and Lemire, "Faster Base64 Encoding and Decoding using AVX2
// Instructions" (2018). Stops before a step that holds a character outside the alphabet, or with fewer than
// 44 characters left (a step writes 32 bytes). Returns the characters consumed.
__attribute__((target("avx2"))) std::size_t DecodeAvx2(const char* in, std::size_t size, char* out) {
  const __m256i lut_low = _mm256_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13,
                                           0x1A, 0x1B, 0x1B, 0x1B, 0x1A, 0x15, 0x11, 0x11, 0x11, 0x11, 0x11,
                                           0x11, 0x11, 0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A);
  const __m256i lut_high = _mm256_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10,
                                            0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x01, 0x02, 0x04, 0x08,
                                            0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
  const __m256i lut_roll = _mm256_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16,
                                            19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i slash = _mm256_set1_epi8(0x2f);
  const __m256i pack = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1, 2, 1, 0, 6, 5,
                                        4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
  std::size_t done = 0;
  while (size - done >= 44) {
    const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + done));
    const __m256i high_nibble = _mm256_and_si256(_mm256_srli_epi32(text, 4), slash);
    const __m256i low_nibble = _mm256_and_si256(text, slash);
    const __m256i high = _mm256_shuffle_epi8(lut_high, high_nibble);
    const __m256i low = _mm256_shuffle_epi8(lut_low, low_nibble);
    if (_mm256_testz_si256(low, high) == 0) break;
    const __m256i is_slash = _mm256_cmpeq_epi8(text, slash);
    const __m256i roll = _mm256_shuffle_epi8(lut_roll, _mm256_add_epi8(is_slash, high_nibble));
    const __m256i six = _mm256_add_epi8(text, roll);
    const __m256i twelve = _mm256_maddubs_epi16(six, _mm256_set1_epi32(0x01400140));
    const __m256i three_bytes = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));
    const __m256i packed = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(three_bytes, pack),
                                                       _mm256_setr_epi32(0, 1, 2, 4, 5, 6, -1, -1));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + done / 4 * 3), packed);
    done += 32;
  }
  return done;
}

// 24 bytes to 32 characters a step, from the same paper. Reads 4 bytes before and after the 24, so the caller
// leaves room.
__attribute__((target("avx2"))) std::size_t EncodeAvx2(const char* in, std::size_t size, char* out) {
  const __m256i shuffle = _mm256_set_epi8(10, 11, 9, 10, 7, 8, 6, 7, 4, 5, 3, 4, 1, 2, 0, 1, 14, 15, 13, 14,
                                          11, 12, 10, 11, 8, 9, 7, 8, 5, 6, 4, 5);
  const __m256i shift = _mm256_setr_epi8(
      'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
      '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0, 'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
      '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
  std::size_t done = 0;
  // The first step would read before `in`: the caller begins at offset 4 or more (see AppendBase64).
  while (size - done >= 28) {
    __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + done - 4));
    bytes = _mm256_shuffle_epi8(bytes, shuffle);
    const __m256i t0 = _mm256_and_si256(bytes, _mm256_set1_epi32(0x0fc0fc00));
    const __m256i t1 = _mm256_mulhi_epu16(t0, _mm256_set1_epi32(0x04000040));
    const __m256i t2 = _mm256_and_si256(bytes, _mm256_set1_epi32(0x003f03f0));
    const __m256i t3 = _mm256_mullo_epi16(t2, _mm256_set1_epi32(0x01000010));
    const __m256i six = _mm256_or_si256(t1, t3);
    __m256i index = _mm256_subs_epu8(six, _mm256_set1_epi8(51));
    const __m256i less = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), six);
    index = _mm256_or_si256(index, _mm256_and_si256(less, _mm256_set1_epi8(13)));
    const __m256i text = _mm256_add_epi8(_mm256_shuffle_epi8(shift, index), six);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + done / 3 * 4), text);
    done += 24;
  }
  return done;
}

bool HasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}
#endif

void EncodeGroups(const char* in, std::size_t size, char* out) {
  const auto* b = reinterpret_cast<const std::uint8_t*>(in);
  for (; size >= 3; size -= 3, b += 3, out += 4) {
    const std::uint32_t v =
        static_cast<std::uint32_t>(b[0]) << 16 | static_cast<std::uint32_t>(b[1]) << 8 | b[2];
    out[0] = kAlphabet[v >> 18];
    out[1] = kAlphabet[(v >> 12) & 63];
    out[2] = kAlphabet[(v >> 6) & 63];
    out[3] = kAlphabet[v & 63];
  }
  if (size == 0) return;
  const std::uint32_t v =
      static_cast<std::uint32_t>(b[0]) << 16 | (size == 2 ? static_cast<std::uint32_t>(b[1]) << 8 : 0);
  out[0] = kAlphabet[v >> 18];
  out[1] = kAlphabet[(v >> 12) & 63];
  out[2] = size == 2 ? kAlphabet[(v >> 6) & 63] : '=';
  out[3] = '=';
}

Error Bad(const char* why) { return Error(ErrorCode::kInvalidArgument, std::string("base64: ") + why); }

}  // namespace

void AppendBase64(std::string_view bytes, std::string& out) {
  const std::size_t begin = out.size();
  out.resize(begin + (bytes.size() + 2) / 3 * 4);
  const char* in = bytes.data();
  char* to = out.data() + begin;
  std::size_t left = bytes.size();
#if defined(__x86_64__)
  if (left >= 64 && HasAvx2()) {
    EncodeGroups(in, 6, to);  // the vector loop looks back four bytes
    const std::size_t done = EncodeAvx2(in + 6, left - 6, to + 8) + 6;
    in += done;
    to += done / 3 * 4;
    left -= done;
  }
#endif
  EncodeGroups(in, left, to);
}

std::string Base64Encode(std::string_view bytes) {
  std::string out;
  AppendBase64(bytes, out);
  return out;
}

Result<std::size_t> Base64Decode(std::string_view text, char* out) {
  if (text.size() % 4 != 0) return Bad("length is not a multiple of 4");
  if (text.empty()) return std::size_t{0};
  const char* in = text.data();
  const char* const last = in + text.size() - 4;
  char* to = out;
#if defined(__x86_64__)
  if (HasAvx2()) {
    const std::size_t done = DecodeAvx2(in, text.size(), to);
    in += done;
    to += done / 4 * 3;
  }
#endif
  for (; in < last; in += 4, to += 3) {
    const std::uint32_t v = Group(in);
    if ((v & kBad) != 0) return Bad("a character outside the alphabet");
    to[0] = static_cast<char>(v >> 16);
    to[1] = static_cast<char>(v >> 8);
    to[2] = static_cast<char>(v);
  }
  const int pads = last[3] != '=' ? 0 : last[2] != '=' ? 1 : 2;
  char group[4] = {last[0], last[1], pads == 2 ? 'A' : last[2], pads >= 1 ? 'A' : last[3]};
  const std::uint32_t v = Group(group);
  if ((v & kBad) != 0) return Bad("a character outside the alphabet");
  if ((pads == 1 && (v & 0xc0) != 0) || (pads == 2 && (v & 0xf000) != 0))
    return Bad("stray bits in the last character");
  *to++ = static_cast<char>(v >> 16);
  if (pads < 2) *to++ = static_cast<char>(v >> 8);
  if (pads < 1) *to++ = static_cast<char>(v);
  return static_cast<std::size_t>(to - out);
}

Result<std::string> Base64Decode(std::string_view text) {
  std::string out(Base64DecodedBound(text.size()), '\0');
  HONRYU_TRY(const std::size_t size, Base64Decode(text, out.data()));
  out.resize(size);
  return out;
}

}  // namespace honryu::codec
