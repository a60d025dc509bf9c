#pragma once

#include "honryu/base/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace honryu {

/// Unsigned 128-bit integer: MD5 hash keys and shard ranges.
struct UInt128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  __extension__ using Native = unsigned __int128;
  constexpr UInt128() = default;
  constexpr UInt128(std::uint64_t h, std::uint64_t l) : high(h), low(l) {}
  static constexpr UInt128 FromNative(Native n) {
    return UInt128(static_cast<std::uint64_t>(n >> 64), static_cast<std::uint64_t>(n));
  }
  constexpr Native native() const { return (static_cast<Native>(high) << 64) | low; }
  static constexpr UInt128 Max() { return UInt128(~0ULL, ~0ULL); }

  /// Big-endian 16 bytes, as MD5 digests come.
  static UInt128 FromBigEndian(const std::uint8_t* bytes);
  /// Decimal digits only, no sign, no leading zero except "0"; kInvalidArgument, or kOutOfRange above
  /// 2^128-1.
  static Result<UInt128> FromDecimal(std::string_view text);
  std::string ToDecimal() const;

  friend constexpr auto operator<=>(const UInt128& a, const UInt128& b) = default;
};

/// MD5 of `text` read as a big-endian unsigned 128-bit number (Kinesis's hash of a partition key).
UInt128 Md5HashKey(std::string_view text);

/// Unsigned 192-bit integer, for Kinesis sequence numbers (186 bits). Ordered numerically.
struct SequenceNumber {
  std::array<std::uint64_t, 3> words{};  ///< Most significant first.

  /// Up to 58 decimal digits, no sign; kInvalidArgument, or kOutOfRange at 2^192 and above.
  static Result<SequenceNumber> FromDecimal(std::string_view text);
  std::string ToDecimal() const;
  /// Appends the decimal form without allocating beyond `out`'s growth.
  void AppendDecimal(std::string& out) const;
  friend constexpr auto operator<=>(const SequenceNumber& a, const SequenceNumber& b) = default;
};

}  // namespace honryu
