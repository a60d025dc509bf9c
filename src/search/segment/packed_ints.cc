#include "search/segment/packed_ints.h"

#include "honryu/codec/endian.h"

#include <algorithm>
#include <array>
#include <bit>

namespace honryu::search {
namespace {

constexpr std::size_t kEntry = 24;
constexpr std::size_t kPadding = 8;

std::size_t PackedBytes(std::size_t count, unsigned bits) { return (count * bits + 7) / 8; }

}  // namespace

unsigned BitsFor(std::uint64_t range) {
  const auto bits = static_cast<unsigned>(std::bit_width(range));
  return bits > 56 ? 64 : bits;
}

void PackBits(std::span<const std::uint64_t> values, unsigned bits, std::string& out) {
  if (bits == 0) return;
  if (bits == 64) {
    for (const auto value : values) codec::AppendU64(out, value);
    return;
  }
  const auto begin = out.size();
  out.resize(begin + PackedBytes(values.size(), bits));
  char* to = out.data() + begin;
  std::uint64_t pending = 0;
  unsigned held = 0;
  for (const auto value : values) {
    pending |= value << held;
    held += bits;
    if (held < 64) continue;
    codec::StoreU64(to, pending);
    to += 8;
    held -= 64;
    pending = held > 0 ? value >> (bits - held) : 0;
  }
  for (; held > 0; held -= std::min(held, 8u)) {
    *to++ = static_cast<char>(pending);
    pending >>= 8;
  }
}

std::uint64_t UnpackBit(const char* data, std::size_t i, unsigned bits) {
  if (bits == 0) return 0;
  if (bits == 64) return codec::LoadU64(data + i * 8);
  const std::size_t at = i * bits;
  return codec::LoadU64(data + at / 8) >> (at % 8) & ((1ULL << bits) - 1);
}

void PackedInts::Append(std::span<const std::int64_t> values, std::string& out) {
  codec::AppendU32(out, static_cast<std::uint32_t>(values.size()));
  const std::size_t blocks = (values.size() + kBlock - 1) / kBlock;
  std::string data;
  std::array<std::uint64_t, kBlock> differences;
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto block = values.subspan(b * kBlock, std::min(kBlock, values.size() - b * kBlock));
    std::int64_t low = block[0], high = block[0];
    for (const auto value : block) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    const auto min = static_cast<std::uint64_t>(low), max = static_cast<std::uint64_t>(high);
    const unsigned bits = BitsFor(max - min);
    codec::AppendU64(out, min);
    codec::AppendU64(out, max);
    codec::AppendU64(out, static_cast<std::uint64_t>(data.size()) << 8 | bits);
    for (std::size_t i = 0; i < block.size(); ++i)
      differences[i] = static_cast<std::uint64_t>(block[i]) - min;
    PackBits({differences.data(), block.size()}, bits, data);
  }
  out += data;
  out.append(kPadding, '\0');
}

Result<PackedInts> PackedInts::Open(BytesView bytes) {
  const auto broken = [] { return Error(ErrorCode::kCorrupt, "packed numbers do not hold together"); };
  if (bytes.size() < 4 + kPadding) return broken();
  PackedInts ints;
  ints.count_ = codec::LoadU32(bytes.data());
  const std::size_t blocks = ints.blocks(), header = 4 + blocks * kEntry;
  if (bytes.size() < header + kPadding) return broken();
  ints.directory_ = bytes.data() + 4;
  ints.data_ = bytes.data() + header;
  const std::size_t room = bytes.size() - header - kPadding;
  std::size_t used = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::uint64_t place = codec::LoadU64(ints.directory_ + b * kEntry + 16);
    const auto bits = static_cast<unsigned>(place & 0xff);
    const std::size_t count = std::min(kBlock, ints.count_ - b * kBlock);
    if ((bits > 56 && bits != 64) || place >> 8 > room || PackedBytes(count, bits) > room - (place >> 8))
      return broken();
    used = std::max<std::size_t>(used, (place >> 8) + PackedBytes(count, bits));
  }
  ints.byte_size_ = header + used + kPadding;
  return ints;
}

std::int64_t PackedInts::BlockMin(std::size_t block) const {
  return static_cast<std::int64_t>(codec::LoadU64(directory_ + block * kEntry));
}
std::int64_t PackedInts::BlockMax(std::size_t block) const {
  return static_cast<std::int64_t>(codec::LoadU64(directory_ + block * kEntry + 8));
}

std::int64_t PackedInts::Get(std::size_t i) const {
  const char* entry = directory_ + i / kBlock * kEntry;
  const std::uint64_t place = codec::LoadU64(entry + 16);
  const auto bits = static_cast<unsigned>(place & 0xff);
  return static_cast<std::int64_t>(codec::LoadU64(entry) + UnpackBit(data_ + (place >> 8), i % kBlock, bits));
}

std::size_t PackedInts::Decode(std::size_t block, std::int64_t* out) const {
  const std::size_t count = std::min(kBlock, count_ - block * kBlock);
  const char* entry = directory_ + block * kEntry;
  const std::uint64_t min = codec::LoadU64(entry), place = codec::LoadU64(entry + 16);
  const auto bits = static_cast<unsigned>(place & 0xff);
  const char* data = data_ + (place >> 8);
  UnpackBits(data, count, bits,
             [=](std::size_t i, std::uint64_t value) { out[i] = static_cast<std::int64_t>(min + value); });
  return count;
}

std::vector<std::int64_t> PackedInts::DecodeAll() const {
  std::vector<std::int64_t> all(blocks() * kBlock);
  for (std::size_t b = 0; b < blocks(); ++b) Decode(b, all.data() + b * kBlock);
  all.resize(count_);
  return all;
}

}  // namespace honryu::search
