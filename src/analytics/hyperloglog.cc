#include "honryu/analytics/hyperloglog.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace honryu::analytics {

namespace {

constexpr int kRankBits = 64 - HyperLogLog::kPrecision;

/// x + sum over k >= 1 of x^(2^k) * 2^(k-1): the share of registers that are still empty.
double Sigma(double x) {
  if (x >= 1) return std::numeric_limits<double>::infinity();
  double y = 1, z = x;
  for (double before = -1; z != before;) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

/// (1 - x - sum over k >= 1 of (1 - x^(2^-k))^2 * 2^-k) / 3: the share of registers that are full.
double Tau(double x) {
  if (x <= 0 || x >= 1) return 0;
  double y = 1, z = 1 - x;
  for (double before = -1; z != before;) {
    x = std::sqrt(x);
    before = z;
    y /= 2;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

}  // namespace

void HyperLogLog::Add(std::uint64_t hash) {
  const std::size_t place = hash >> kRankBits;
  const int zeros = std::min(std::countl_zero(hash << kPrecision), kRankBits);
  std::uint8_t& slot = (*registers_)[place];
  slot = std::max(slot, static_cast<std::uint8_t>(zeros + 1));
}

void HyperLogLog::Merge(const HyperLogLog& other) {
  for (std::size_t i = 0; i < kRegisters; ++i)
    (*registers_)[i] = std::max((*registers_)[i], (*other.registers_)[i]);
}

bool HyperLogLog::SetRegisters(std::string_view bytes) {
  if (bytes.size() != kRegisters) return false;
  for (const char rank : bytes) {
    if (static_cast<unsigned char>(rank) > kRankBits + 1) return false;
  }
  for (std::size_t i = 0; i < kRegisters; ++i) (*registers_)[i] = static_cast<std::uint8_t>(bytes[i]);
  return true;
}

double HyperLogLog::Estimate() const {
  std::array<std::uint32_t, kRankBits + 2> count{};
  for (const std::uint8_t rank : *registers_) ++count[rank];
  constexpr auto kM = static_cast<double>(kRegisters);
  double z = kM * Tau(1 - count[kRankBits + 1] / kM);
  for (std::size_t k = kRankBits; k >= 1; --k) z = 0.5 * (z + count[k]);
  z += kM * Sigma(count[0] / kM);
  return kM * kM / (2 * std::log(2.0) * z);  // alpha_inf = 1 / (2 ln 2)
}

}  // namespace honryu::analytics
