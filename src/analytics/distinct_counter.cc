#include "honryu/analytics/distinct_counter.h"

#include "honryu/base/crc32c.h"

#include <cmath>

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
  slots_ = {};
}

void DistinctCounter::Insert(std::uint64_t hash) {
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
  slots_ = {};
}

std::uint64_t DistinctCounter::Count() const {
  return sketch_.has_value() ? static_cast<std::uint64_t>(std::llround(sketch_->Estimate())) : size_;
}

}  // namespace honryu::analytics
