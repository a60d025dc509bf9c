#include "sql/bitmap.h"

#include "sql/state_io.h"

#include <algorithm>
#include <bit>
#include <set>

namespace honryu::sql {
namespace {

std::uint64_t Upper(std::int64_t number) { return static_cast<std::uint64_t>(number) >> 16; }
std::uint16_t Lower(std::int64_t number) {
  return static_cast<std::uint16_t>(static_cast<std::uint64_t>(number) & 0xffff);
}
bool IsSet(const std::vector<std::uint64_t>& bits, std::uint16_t bit) {
  return (bits[bit / 64] >> (bit % 64) & 1) != 0;
}

}  // namespace

void Bitmap::Add(std::int64_t number) {
  const auto [place, added] = parts_.try_emplace(Upper(number));
  Part& part = place->second;
  const std::uint16_t low = Lower(number);
  bytes_ -= added ? 0 : BytesOf(part);
  if (!part.bits.empty()) {
    part.count += IsSet(part.bits, low) ? 0 : 1;
    part.bits[low / 64] |= std::uint64_t{1} << (low % 64);
  } else if (const auto at = std::lower_bound(part.list.begin(), part.list.end(), low);
             at == part.list.end() || *at != low) {
    part.list.insert(at, low);
    if (++part.count >= kDense) part = PartOf(BitsOf(&part));
  }
  bytes_ += BytesOf(part);
}

bool Bitmap::Contains(std::int64_t number) const {
  const auto found = parts_.find(Upper(number));
  if (found == parts_.end()) return false;
  const Part& part = found->second;
  if (!part.bits.empty()) return IsSet(part.bits, Lower(number));
  return std::binary_search(part.list.begin(), part.list.end(), Lower(number));
}

std::uint64_t Bitmap::Count() const {
  std::uint64_t count = 0;
  for (const auto& [upper, part] : parts_) count += part.count;
  return count;
}

std::vector<std::uint64_t> Bitmap::BitsOf(const Part* part) {
  if (part != nullptr && !part->bits.empty()) return part->bits;
  std::vector<std::uint64_t> bits(kWords);
  if (part == nullptr) return bits;
  for (const std::uint16_t low : part->list) bits[low / 64] |= std::uint64_t{1} << (low % 64);
  return bits;
}

Bitmap::Part Bitmap::PartOf(std::vector<std::uint64_t> bits) {
  Part part;
  for (const std::uint64_t word : bits) part.count += static_cast<std::uint64_t>(std::popcount(word));
  if (part.count >= kDense) {
    part.bits = std::move(bits);
    return part;
  }
  for (std::size_t word = 0; word < bits.size(); ++word)
    for (std::uint64_t left = bits[word]; left != 0; left &= left - 1)
      part.list.push_back(
          static_cast<std::uint16_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(left))));
  return part;
}

// Word by word: few sets of users are so large that it matters.
template <class Combine>
void Bitmap::Merge(const Bitmap& other, Combine combine) {
  std::set<std::uint64_t> uppers;
  for (const Bitmap* side : {static_cast<const Bitmap*>(this), &other})
    for (const auto& [upper, part] : side->parts_) uppers.insert(upper);
  std::map<std::uint64_t, Part> merged;
  bytes_ = 0;
  for (const std::uint64_t upper : uppers) {
    const auto mine = parts_.find(upper);
    const auto theirs = other.parts_.find(upper);
    std::vector<std::uint64_t> bits = BitsOf(mine == parts_.end() ? nullptr : &mine->second);
    const std::vector<std::uint64_t> more = BitsOf(theirs == other.parts_.end() ? nullptr : &theirs->second);
    for (std::size_t word = 0; word < kWords; ++word) bits[word] = combine(bits[word], more[word]);
    Part part = PartOf(std::move(bits));
    if (part.count == 0) continue;
    bytes_ += BytesOf(part);
    merged.emplace(upper, std::move(part));
  }
  parts_ = std::move(merged);
}

void Bitmap::Or(const Bitmap& other) {
  for (const auto& [upper, part] : other.parts_) {
    if (!part.bits.empty()) return Merge(other, [](std::uint64_t a, std::uint64_t b) { return a | b; });
  }
  for (const auto& [upper, part] : other.parts_)
    for (const std::uint16_t low : part.list) Add(static_cast<std::int64_t>(upper << 16 | low));
}
void Bitmap::And(const Bitmap& other) {
  Merge(other, [](std::uint64_t a, std::uint64_t b) { return a & b; });
}
void Bitmap::AndNot(const Bitmap& other) {
  Merge(other, [](std::uint64_t a, std::uint64_t b) { return a & ~b; });
}
void Bitmap::Xor(const Bitmap& other) {
  Merge(other, [](std::uint64_t a, std::uint64_t b) { return a ^ b; });
}

std::string Bitmap::Save() const {
  std::string bytes;
  StateWriter out(bytes);
  out.U64(parts_.size());
  for (const auto& [upper, part] : parts_) {
    out.U64(upper);
    out.U64(part.count);
    for (const std::uint64_t word : part.bits) out.U64(word);
    for (const std::uint16_t low : part.list) {
      out.U8(static_cast<std::uint8_t>(low & 0xff));
      out.U8(static_cast<std::uint8_t>(low >> 8));
    }
  }
  return bytes;
}

bool Bitmap::Restore(std::string_view bytes) {
  StateReader in(bytes);
  parts_.clear();
  bytes_ = 0;
  std::uint64_t before = 0;
  for (std::uint64_t left = in.Count(16); left > 0 && in.ok(); --left) {
    const std::uint64_t upper = in.U64();
    const std::uint64_t count = in.U64();
    if (upper >> 48 != 0 || (!parts_.empty() && upper <= before) || count == 0 || count > 65536) return false;
    before = upper;
    Part part;
    if (count >= kDense) {
      std::vector<std::uint64_t> bits(kWords);
      for (std::uint64_t& word : bits) word = in.U64();
      part = PartOf(std::move(bits));
    } else {
      for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        const std::uint16_t low = in.U8();
        part.list.push_back(static_cast<std::uint16_t>(low | in.U8() << 8));
        if (i > 0 && part.list[i] <= part.list[i - 1]) return false;
      }
      part.count = part.list.size();
    }
    if (part.count != count) return false;
    bytes_ += BytesOf(part);
    parts_.emplace(upper, std::move(part));
  }
  return in.ok() && in.AtEnd();
}

}  // namespace honryu::sql
