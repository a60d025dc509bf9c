#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu {

/// Small fast generator (xoshiro256**, Blackman and Vigna 2018), seeded by splitmix64.
/// Deterministic under a seed. Not for secrets; not thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t Next();
  /// Uniform in [0, bound); bound > 0.
  std::uint64_t Below(std::uint64_t bound);
  /// Uniform in [0, 1).
  double Unit();
  /// True with probability p.
  bool Chance(double p) { return Unit() < p; }

 private:
  std::uint64_t state_[4];
};

/// Fills `size` bytes from the operating system's generator. Aborts if it fails.
void SecureRandomBytes(void* out, std::size_t size);
/// A random UUID (version 4) in canonical lower-case form. Thread-safe.
std::string RandomUuid();
/// True if `text` has the canonical 8-4-4-4-12 hexadecimal form.
bool IsUuid(std::string_view text);

}  // namespace honryu
