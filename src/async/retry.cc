#include "honryu/async/retry.h"

#include <cmath>

namespace honryu::async {

std::uint64_t RetrySeed() {
  std::uint64_t seed = 0;
  SecureRandomBytes(&seed, sizeof seed);
  return seed;
}

Duration BackoffDelay(const RetryPolicy& policy, int n, Random& random) {
  const double cap = std::min(static_cast<double>(policy.max.count()),
                              static_cast<double>(policy.initial.count()) * std::pow(2.0, std::min(n, 60)));
  return Duration(static_cast<std::int64_t>(cap * random.Unit()));
}

}  // namespace honryu::async
