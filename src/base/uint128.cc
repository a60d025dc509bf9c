#include "honryu/base/uint128.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

namespace honryu {
namespace {

__extension__ using Wide = unsigned __int128;
constexpr std::uint64_t kTenTo19 = 10000000000000000000ULL;

bool AllDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Error BadDecimal(std::string_view text) {
  return Error(ErrorCode::kInvalidArgument,
               "expected a decimal number, found '" + std::string(text.substr(0, 64)) + "'");
}

// Writes `value` right-aligned and zero-padded in 19 characters.
void Write19(std::uint64_t value, char* out) {
  for (int i = 18; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

UInt128 UInt128::FromBigEndian(const std::uint8_t* bytes) {
  UInt128 out;
  for (int i = 0; i < 8; ++i) out.high = (out.high << 8) | bytes[i];
  for (int i = 8; i < 16; ++i) out.low = (out.low << 8) | bytes[i];
  return out;
}

Result<UInt128> UInt128::FromDecimal(std::string_view text) {
  if (!AllDigits(text) || (text.size() > 1 && text[0] == '0')) return BadDecimal(text);
  if (text.size() > 39) return Error(ErrorCode::kOutOfRange, "number above 2^128-1");
  Native value = 0;
  constexpr Native kMax = ~static_cast<Native>(0);
  for (char c : text) {
    const auto digit = static_cast<unsigned>(c - '0');
    if (value > (kMax - digit) / 10) return Error(ErrorCode::kOutOfRange, "number above 2^128-1");
    value = value * 10 + digit;
  }
  return FromNative(value);
}

std::string UInt128::ToDecimal() const {
  Native value = native();
  if (value == 0) return "0";
  char buffer[40];
  int pos = 40;
  while (value != 0) {
    buffer[--pos] = static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  }
  return std::string(buffer + pos, buffer + 40);
}

UInt128 Md5HashKey(std::string_view text) {
  // One context per thread: creating one costs more than the hash of a short key.
  thread_local const auto context =
      std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)>(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  thread_local const std::unique_ptr<EVP_MD, void (*)(EVP_MD*)> md5(EVP_MD_fetch(nullptr, "MD5", nullptr),
                                                                    EVP_MD_free);
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  const bool ok = EVP_DigestInit_ex(context.get(), md5.get(), nullptr) == 1 &&
                  EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1 &&
                  EVP_DigestFinal_ex(context.get(), digest, &length) == 1;
  HONRYU_CHECK(ok && length == 16, "md5 is not available");
  return UInt128::FromBigEndian(digest);
}

Result<SequenceNumber> SequenceNumber::FromDecimal(std::string_view text) {
  if (!AllDigits(text)) return BadDecimal(text);
  SequenceNumber out;
  for (char c : text) {
    Wide carry = static_cast<unsigned>(c - '0');
    for (int i = 2; i >= 0; --i) {
      const Wide next = static_cast<Wide>(out.words[static_cast<std::size_t>(i)]) * 10 + carry;
      out.words[static_cast<std::size_t>(i)] = static_cast<std::uint64_t>(next);
      carry = next >> 64;
    }
    if (carry != 0) return Error(ErrorCode::kOutOfRange, "number above 2^192-1");
  }
  return out;
}

void SequenceNumber::AppendDecimal(std::string& out) const {
  // Four chunks of 19 digits hold any 192-bit number.
  std::array<std::uint64_t, 3> rest = words;
  char digits[76];
  for (int chunk = 3; chunk >= 0; --chunk) {
    Wide remainder = 0;
    for (auto& word : rest) {
      const Wide value = (remainder << 64) | word;
      word = static_cast<std::uint64_t>(value / kTenTo19);
      remainder = value % kTenTo19;
    }
    Write19(static_cast<std::uint64_t>(remainder), digits + 19 * chunk);
  }
  std::size_t first = 0;
  while (first < 75 && digits[first] == '0') ++first;
  out.append(digits + first, 76 - first);
}

std::string SequenceNumber::ToDecimal() const {
  std::string out;
  AppendDecimal(out);
  return out;
}

}  // namespace honryu
