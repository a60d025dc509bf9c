#include "honryu/analytics/distinct_counter.h"

#include "honryu/base/crc32c.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace honryu::analytics {

std::uint64_t DistinctHash(std::string_view text) { return MixHash(Hash64(text)); }

void DistinctCounter::AddHash(std::uint64_t hash) {
  if (sketch_.has_value()) {
    sketch_->Add(hash);
    return;
  }
  Insert(hash == 0 ? 1 : hash);  // 0 marks an empty slot
  if (size_ <= exact_limit_) return;
  sketch_.emplace();
  for (const std::uint64_t kept : slots_) {
    if (kept != 0) sketch_->Add(kept);
  }
  slots_ = std::vector<std::uint64_t>();  // not {}, which would keep the memory
  packed_from_ = 0;
}

void DistinctCounter::Expect(std::size_t texts) {
  if (size_ == 0 && !sketch_.has_value() && packed_from_ == 0 && texts <= exact_limit_)
    slots_.resize(std::max(slots_.size(), std::bit_ceil(std::max<std::size_t>(texts, 4) * 2)));
}

void DistinctCounter::Pack() {
  if (packed_from_ != 0 || slots_.empty()) return;
  packed_from_ = slots_.size();
  std::erase(slots_, 0);
  slots_.shrink_to_fit();
}

void DistinctCounter::Unpack() {
  std::vector<std::uint64_t> packed(packed_from_);
  packed.swap(slots_);
  packed_from_ = 0;
  size_ = 0;
  for (const std::uint64_t hash : packed) Insert(hash);
}

void DistinctCounter::Insert(std::uint64_t hash) {
  if (packed_from_ != 0) Unpack();
  if ((size_ + 1) * 2 > slots_.size()) Grow();
  const std::size_t mask = slots_.size() - 1;
  std::size_t place = hash & mask;
  while (slots_[place] != 0) {
    if (slots_[place] == hash) return;
    place = (place + 1) & mask;
  }
  slots_[place] = hash;
  ++size_;
}

void DistinctCounter::Grow() {
  std::vector<std::uint64_t> old(slots_.empty() ? 8 : slots_.size() * 2);
  old.swap(slots_);
  size_ = 0;
  for (const std::uint64_t hash : old) {
    if (hash != 0) Insert(hash);
  }
}

void DistinctCounter::Merge(const DistinctCounter& other) {
  if (!other.sketch_.has_value()) {
    // Hashes come in the order of their places. In a smaller table they would heap up in one part of it; in
    // one at least as large they are put down from front to back.
    if (packed_from_ != 0) Unpack();
    while (!sketch_.has_value() && slots_.size() < std::max(other.slots_.size(), other.packed_from_)) Grow();
    for (const std::uint64_t hash : other.slots_) {
      if (hash != 0) AddHash(hash);
    }
    return;
  }
  HyperLogLog merged = *other.sketch_;
  if (sketch_.has_value()) merged.Merge(*sketch_);
  for (const std::uint64_t hash : slots_) {
    if (hash != 0) merged.Add(hash);
  }
  sketch_.emplace(merged);
  slots_ = std::vector<std::uint64_t>();
  packed_from_ = 0;
}

// "E" and the hashes, 8 bytes each, the least significant byte first; or "S" and the registers.
std::string DistinctCounter::Save() const {
  if (sketch_.has_value()) return "S" + std::string(sketch_->registers());
  std::string out = "E";
  std::vector<std::uint64_t> hashes;  // in an order that does not depend on how they came
  for (const std::uint64_t hash : slots_)
    if (hash != 0) hashes.push_back(hash);
  std::sort(hashes.begin(), hashes.end());
  for (const std::uint64_t hash : hashes)
    for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(hash >> shift & 0xff);
  return out;
}

bool DistinctCounter::Restore(std::string_view bytes) {
  if (bytes.empty()) return false;
  const char kind = bytes[0];
  bytes.remove_prefix(1);
  DistinctCounter restored(exact_limit_);
  if (kind == 'S') {
    restored.sketch_.emplace();
    if (!restored.sketch_->SetRegisters(bytes)) return false;
  } else {
    if (kind != 'E' || bytes.size() % 8 != 0) return false;
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      std::uint64_t hash = 0;
      for (std::size_t i = 8; i-- > 0;) hash = hash << 8 | static_cast<unsigned char>(bytes[at + i]);
      restored.AddHash(hash);
    }
  }
  *this = std::move(restored);
  return true;
}

std::uint64_t DistinctCounter::Count() const {
  return sketch_.has_value() ? static_cast<std::uint64_t>(std::llround(sketch_->Estimate())) : size_;
}

}  // namespace honryu::analytics
