#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/codec/endian.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace honryu::search {

/// Whole numbers in blocks of 1,024, each block as (least value, differences of equal width); the blocks'
/// least and greatest values are kept beside them, so that a scan can skip blocks.
///
///   u32 count | per block: i64 min, i64 max, u64 (offset << 8 | bits) | packed bits | 8 bytes of padding
class PackedInts {
 public:
  static constexpr std::size_t kBlock = 1024;

  static void Append(std::span<const std::int64_t> values, std::string& out);
  /// A view of `bytes`, which must outlive it. kCorrupt when it does not hold together.
  static Result<PackedInts> Open(BytesView bytes);

  PackedInts() = default;
  std::size_t size() const { return count_; }
  std::size_t blocks() const { return (count_ + kBlock - 1) / kBlock; }
  std::int64_t BlockMin(std::size_t block) const;
  std::int64_t BlockMax(std::size_t block) const;
  /// Bytes that this takes of what Open was given.
  std::size_t byte_size() const { return byte_size_; }
  /// The value at `i` < size().
  std::int64_t Get(std::size_t i) const;
  /// All values of a block into `out` (1,024 places); returns how many.
  std::size_t Decode(std::size_t block, std::int64_t* out) const;
  std::vector<std::int64_t> DecodeAll() const;

 private:
  std::size_t count_ = 0;
  std::size_t byte_size_ = 0;
  const char* directory_ = nullptr;
  const char* data_ = nullptr;
};

/// Number of bits that `range` takes; widths that an 8-byte load cannot reach at any bit offset become 64.
unsigned BitsFor(std::uint64_t range);
/// Appends `values` (all below 2^bits) packed at `bits` each, without padding.
void PackBits(std::span<const std::uint64_t> values, unsigned bits, std::string& out);
/// Calls put(i, value) for the first `count` values. Eight bytes behind the last one's first byte must be
/// readable.
template <class Put>
void UnpackBits(const char* data, std::size_t count, unsigned bits, Put&& put) {
  if (bits == 0) {
    for (std::size_t i = 0; i < count; ++i) put(i, std::uint64_t{0});
  } else if (bits == 64) {
    for (std::size_t i = 0; i < count; ++i) put(i, codec::LoadU64(data + i * 8));
  } else {
    const auto mask = (std::uint64_t{1} << bits) - 1;
    for (std::size_t i = 0, at = 0; i < count; ++i, at += bits)
      put(i, codec::LoadU64(data + at / 8) >> (at % 8) & mask);
  }
}
/// The value at `i`; eight bytes behind the last one's first byte must be readable.
std::uint64_t UnpackBit(const char* data, std::size_t i, unsigned bits);

}  // namespace honryu::search
