#pragma once

#include <cstddef>
#include <cstdint>

namespace honryu::anomaly {

/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, which a snapshot can hold.
class TreeRandom {
 public:
  explicit TreeRandom(std::uint64_t state) : state_(state) {}
  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  /// Uniform in (0, 1): never 0, so that its logarithm is finite.
  double OpenUnit() { return (static_cast<double>(Next() >> 12) + 0.5) * 0x1p-52; }
  /// Uniform in [0, bound), bound below 2^32 (Lemire's multiplication; its bias, below 2^-32, does not matter
  /// here).
  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(((Next() >> 32) * bound) >> 32); }
  std::uint64_t state() const { return state_; }

 private:
  std::uint64_t state_;
};

}  // namespace honryu::anomaly
