#include "honryu/analytics/distinct_counter.h"
#include "honryu/analytics/hyperloglog.h"
#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <unordered_set>

namespace honryu::analytics {
namespace {

TEST(HyperLogLog, ErrorStaysWithinItsStatedBoundAtEverySize) {
  for (const std::uint64_t size : {1ULL, 100ULL, 5000ULL, 20000ULL, 50000ULL, 100000ULL, 400000ULL}) {
    double squares = 0;
    constexpr int kRounds = 12;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      HyperLogLog sketch;
      for (std::uint64_t i = 0; i < size; ++i) sketch.Add(MixHash((round << 32) + i + 1));
      const double error = sketch.Estimate() / static_cast<double>(size) - 1;
      EXPECT_LT(std::abs(error), 5 * HyperLogLog::kStandardError) << size;
      squares += error * error;
    }
    EXPECT_LT(std::sqrt(squares / kRounds), 1.6 * HyperLogLog::kStandardError) << size;
  }
}

TEST(HyperLogLog, EmptyIsZero) { EXPECT_DOUBLE_EQ(HyperLogLog().Estimate(), 0); }

TEST(HyperLogLog, MergeEqualsTheSketchOfTheUnion) {
  HyperLogLog left, right, both;
  for (std::uint64_t i = 1; i < 60000; ++i) {
    const std::uint64_t hash = MixHash(i);
    if (i < 40000) left.Add(hash);
    if (i > 20000) right.Add(hash);
    both.Add(hash);
  }
  left.Merge(right);
  EXPECT_DOUBLE_EQ(left.Estimate(), both.Estimate());
}

TEST(DistinctCounter, IsExactUpToItsBound) {
  Random random(3);
  DistinctCounter counter;
  std::unordered_set<std::string> names;
  for (int i = 0; i < 40000; ++i) {
    const std::string name = "user-" + std::to_string(random.Below(12000));
    counter.Add(name);
    names.insert(name);
  }
  EXPECT_TRUE(counter.exact());
  EXPECT_EQ(counter.Count(), names.size());
}

TEST(DistinctCounter, BeyondItsBoundIsClose) {
  DistinctCounter counter(1000);
  for (int i = 0; i < 1000; ++i) counter.Add(std::to_string(i));
  EXPECT_TRUE(counter.exact());
  EXPECT_EQ(counter.Count(), 1000u);
  for (int i = 0; i < 50000; ++i) counter.Add(std::to_string(i));
  EXPECT_FALSE(counter.exact());
  EXPECT_NEAR(static_cast<double>(counter.Count()), 50000, 50000 * 4 * HyperLogLog::kStandardError);
}

TEST(DistinctCounter, PackedCountsTheSameAndTakesMore) {
  DistinctCounter plain(1000), packed(1000), roomy(1000);
  roomy.Expect(600);
  for (std::uint64_t i = 1; i <= 600; ++i) {
    plain.AddHash(MixHash(i));
    packed.AddHash(MixHash(i));
    roomy.AddHash(MixHash(i));
  }
  packed.Pack();
  EXPECT_LT(packed.memory(), plain.memory());
  EXPECT_EQ(packed.Count(), 600u);
  EXPECT_EQ(packed.Save(), plain.Save());
  EXPECT_EQ(roomy.Save(), plain.Save());
  DistinctCounter small(1000), into(1000);
  for (std::uint64_t i = 590; i <= 610; ++i) small.AddHash(MixHash(i));
  into.Merge(small);
  into.Merge(packed);
  EXPECT_EQ(into.Count(), 610u);
  small.Pack();
  packed.Merge(small);
  EXPECT_EQ(packed.Count(), 610u);
  packed.Pack();
  for (std::uint64_t i = 1; i <= 620; ++i) packed.AddHash(MixHash(i));
  EXPECT_EQ(packed.Count(), 620u);
  packed.Pack();
  for (std::uint64_t i = 1; i <= 3000; ++i) packed.AddHash(MixHash(i));  // beyond the bound
  EXPECT_FALSE(packed.exact());
  EXPECT_NEAR(static_cast<double>(packed.Count()), 3000, 150);
}

TEST(DistinctCounter, MergesExactAndSketched) {
  for (const std::size_t limit : {100000u, 2000u, 10u}) {
    DistinctCounter left(limit), right(2500);
    for (int i = 0; i < 2000; ++i) left.Add(std::to_string(i));
    for (int i = 1000; i < 3000; ++i) right.Add(std::to_string(i));
    DistinctCounter swapped = right;
    swapped.Merge(left);
    left.Merge(right);
    const double slack = limit > 3000 ? 0 : 3000 * 4 * HyperLogLog::kStandardError;
    EXPECT_NEAR(static_cast<double>(left.Count()), 3000, slack) << limit;
    EXPECT_NEAR(static_cast<double>(swapped.Count()), 3000, 3000 * 4 * HyperLogLog::kStandardError) << limit;
  }
}

}  // namespace
}  // namespace honryu::analytics
