#include "anomaly/decayed_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace honryu::anomaly {
namespace {

// How often each of `points` stays in a reservoir of `capacity`, over many reservoirs.
std::vector<double> KeptShare(std::size_t capacity, double lambda, std::size_t points, int reservoirs) {
  std::vector<double> kept(points, 0);
  for (int i = 0; i < reservoirs; ++i) {
    DecayedSampler sampler(capacity, lambda);
    TreeRandom random(static_cast<std::uint64_t>(i) * 7919);
    for (std::uint64_t t = 0; t < points; ++t) {
      const double key = sampler.KeyOf(t, random.OpenUnit());
      if (key < sampler.Limit()) sampler.Take(key, static_cast<std::uint32_t>(t));
    }
    EXPECT_EQ(sampler.size(), capacity);
    for (const auto& entry : sampler.entries()) kept[entry.point] += 1.0 / reservoirs;
  }
  return kept;
}

// The same by the definition: a key for each point, the smallest stay.
std::vector<double> KeptByDefinition(std::size_t capacity, double lambda, std::size_t points,
                                     int reservoirs) {
  std::vector<double> kept(points, 0);
  TreeRandom random(99);
  for (int i = 0; i < reservoirs; ++i) {
    std::vector<std::pair<double, std::size_t>> keys;
    for (std::size_t t = 0; t < points; ++t) {
      keys.emplace_back(std::log(-std::log(random.OpenUnit())) - lambda * static_cast<double>(t), t);
    }
    std::sort(keys.begin(), keys.end());
    for (std::size_t k = 0; k < capacity; ++k) kept[keys[k].second] += 1.0 / reservoirs;
  }
  return kept;
}

TEST(DecayedSampler, KeepsEachPointAsOftenAsTheDefinitionSays) {
  constexpr int kReservoirs = 20000;
  for (const double lambda : {0.0, 0.005, 0.05, 0.5}) {
    const auto skipping = KeptShare(8, lambda, 60, kReservoirs);
    const auto defined = KeptByDefinition(8, lambda, 60, kReservoirs);
    for (std::size_t t = 0; t < skipping.size(); ++t) {
      // Five standard deviations of the difference of two shares of 20,000.
      EXPECT_NEAR(skipping[t], defined[t], 0.025) << "lambda " << lambda << ", point " << t;
    }
  }
}

TEST(DecayedSampler, ForgetsAtTheRateOfItsDecay) {
  // Long after the start, a point of age a is kept in proportion to exp(-lambda a) as long as few are kept.
  const auto kept = KeptShare(16, 0.002, 4000, 4000);
  const auto mean = [&](std::size_t from, std::size_t to) {
    double sum = 0;
    for (std::size_t t = from; t < to; ++t) sum += kept[t];
    return sum / static_cast<double>(to - from);
  };
  EXPECT_NEAR(mean(2900, 3100) / mean(3400, 3600), std::exp(-1.0), 0.04);
}

TEST(DecayedSampler, RunsOnFarFromTheStart) {
  DecayedSampler sampler(4, 0.1);
  TreeRandom random(3);
  int taken = 0;
  for (std::uint64_t t = 1'000'000'000'000; t < 1'000'000'010'000; ++t) {
    const double key = sampler.KeyOf(t, random.OpenUnit());
    if (key >= sampler.Limit()) continue;
    sampler.Take(key, 0);
    ++taken;
  }
  // Once full it takes about capacity x lambda of the points.
  EXPECT_GT(taken, 3000);
  EXPECT_LT(taken, 5000);
}

TEST(DecayedSampler, RefusesEntriesThatAreNoHeap) {
  DecayedSampler sampler(2, 0);
  EXPECT_FALSE(sampler.SetEntries({{1.0, 0}, {2.0, 1}}));
  EXPECT_FALSE(sampler.SetEntries({{3.0, 0}, {2.0, 1}, {1.0, 1}}));
  EXPECT_TRUE(sampler.SetEntries({{2.0, 0}, {1.0, 1}}));
  EXPECT_EQ(sampler.Limit(), 2.0);
}

TEST(StratifiedDraws, GiveEverySamplerOneDrawAndEveryStratumOneSampler) {
  StratifiedDraws draws(10);
  TreeRandom random(1);
  for (int i = 0; i < 100; ++i) {
    const auto& all = draws.Below(1, random);
    ASSERT_EQ(all.size(), 10U);
    std::vector<int> seen(10, 0);
    for (std::size_t j = 0; j < all.size(); ++j) {
      ++seen[all[j].sampler];
      EXPECT_EQ(static_cast<std::size_t>(all[j].q * 10), j);
    }
    EXPECT_EQ(seen, std::vector<int>(10, 1));
  }
}

TEST(StratifiedDraws, AreUniformForEachSamplerBelowTheBound) {
  StratifiedDraws draws(7);
  TreeRandom random(1);
  constexpr int kPoints = 200000;
  constexpr double kBound = 0.35;  // 2.45 strata
  std::vector<std::array<int, 5>> counts(7);
  for (int i = 0; i < kPoints; ++i) {
    const auto& some = draws.Below(kBound, random);
    ASSERT_EQ(some.size(), 3U);
    for (const auto& draw : some) {
      if (draw.q < kBound) ++counts[draw.sampler][static_cast<std::size_t>(draw.q / kBound * 5)];
    }
  }
  // Each sampler: 7 % of the points in each fifth of the range; five deviations are 600.
  for (const auto& sampler : counts) {
    for (const int count : sampler) EXPECT_NEAR(count, kPoints * 0.07, 600);
  }
}

}  // namespace
}  // namespace honryu::anomaly
