#include "honryu/anomaly/random_cut_forest.h"
#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace honryu::anomaly {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

RandomCutForest Make(const ForestOptions& options) {
  auto forest = RandomCutForest::Create(options);
  EXPECT_TRUE(forest.ok());
  return std::move(forest).value();
}

ForestOptions Options(std::size_t dimensions, std::size_t shingle = 1) {
  ForestOptions options;
  options.dimensions = dimensions;
  options.shingle = shingle;
  return options;
}

double Noise(Random& random) {  // roughly normal, deviation 1
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += random.Unit();
  return sum;
}

TEST(Forest, RefusesOptionsOutOfRange) {
  const auto refused = [](auto set) {
    ForestOptions options;
    set(options);
    const auto forest = RandomCutForest::Create(options);
    return !forest.ok() && forest.error().code() == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](ForestOptions& o) { o.dimensions = 0; }));
  EXPECT_TRUE(refused([](ForestOptions& o) { o.shingle = 0; }));
  EXPECT_TRUE(refused([](ForestOptions& o) { o.trees = 1001; }));
  EXPECT_TRUE(refused([](ForestOptions& o) { o.sample_size = 1; }));
  EXPECT_TRUE(refused([](ForestOptions& o) { o.dimensions = o.shingle = 100; }));
}

TEST(Forest, IsSilentForAsManyRowsAsItSamples) {
  RandomCutForest forest = Make(Options(1));
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(forest.ready(), i >= 256);
    const double score = forest.Process(std::array{Noise(random)});
    EXPECT_EQ(score > 0, i >= 256) << i;
  }
}

TEST(Forest, ScoresAnOutlierHighAndTheOrdinaryLow) {
  RandomCutForest forest = Make(Options(1));
  Random random(1);
  double sum = 0;
  for (int i = 0; i < 2000; ++i) {
    const double score = forest.Process(std::array{Noise(random)});
    if (i >= 256) sum += score;
  }
  EXPECT_GT(sum / 1744, 0.5);
  EXPECT_LT(sum / 1744, 1.2);
  EXPECT_GT(forest.Score(std::array{12.0}), 3);
  EXPECT_GT(forest.Score(std::array{1e300}), 5);
  EXPECT_LE(forest.Score(std::array{1e300}), std::log2(257.0));
  EXPECT_LT(forest.Score(std::array{0.0}), 1);
}

TEST(Forest, SameSeedSameScoresOtherSeedOtherScores) {
  ForestOptions options = Options(2, 2);
  RandomCutForest a = Make(options);
  RandomCutForest b = Make(options);
  options.seed = 2;
  RandomCutForest c = Make(options);
  Random random(4);
  bool differs = false;
  for (int i = 0; i < 600; ++i) {
    const std::array row{Noise(random), std::floor(Noise(random))};
    const double score = a.Process(row);
    ASSERT_EQ(score, b.Process(row));
    differs |= score != c.Process(row);
  }
  EXPECT_TRUE(differs);
}

TEST(Forest, IsBlindToALargeConstantPart) {
  RandomCutForest plain = Make(Options(1));
  RandomCutForest shifted = Make(Options(1));
  Random random(9);
  for (int i = 0; i < 800; ++i) {
    const double value = static_cast<double>(random.Below(1000)) / 16;
    EXPECT_EQ(plain.Process(std::array{value}), shifted.Process(std::array{value + 68719476736.0}));
  }
}

TEST(Forest, AScoreWithoutLearningChangesNothing) {
  RandomCutForest asked = Make(Options(1, 4));
  RandomCutForest left_alone = Make(Options(1, 4));
  Random random(9);
  for (int i = 0; i < 600; ++i) {
    const std::array row{Noise(random)};
    const double before = asked.Score(row);
    const double score = asked.Process(row);
    EXPECT_EQ(before, score);
    EXPECT_EQ(score, left_alone.Process(row));
  }
}

TEST(Forest, LearnedRowsCountAsProcessedOnes) {
  RandomCutForest learned = Make(Options(1, 2));
  RandomCutForest processed = Make(Options(1, 2));
  Random random(3);
  for (int i = 0; i < 700; ++i) {
    const std::array row{Noise(random)};
    learned.Learn(row);
    processed.Process(row);
  }
  EXPECT_EQ(learned.rows(), 700U);
  EXPECT_EQ(learned.Snapshot(), processed.Snapshot());
}

TEST(Forest, AttributionAddsUpToTheScoreAndNamesTheColumnAndSide) {
  for (const std::size_t shingle : {std::size_t{1}, std::size_t{4}}) {
    RandomCutForest forest = Make(Options(3, shingle));
    Random random(6);
    Attribution parts;
    for (int i = 0; i < 800; ++i) {
      // Whole numbers in two columns, so that rows repeat.
      const std::array row{std::floor(Noise(random)), i % 2 * 1.0, std::floor(Noise(random))};
      const double plain = forest.Score(row);
      const double score = forest.Process(row, &parts);
      ASSERT_NEAR(plain, score, 1e-6 * (1 + score));
      ASSERT_NEAR(parts.Total(), score, 1e-9);
    }
    forest.Score(std::array{0.0, 0.0, -25.0}, &parts);
    EXPECT_GT(parts.low[2], 0.8 * parts.Total());
    // By place in the shingle: the row itself is what is odd, and the parts of all places make up the whole.
    ASSERT_EQ(parts.low_by_lag.size(), 3 * shingle);
    EXPECT_GT(parts.low_by_lag[2], 0.7 * parts.Total());
    for (std::size_t column = 0; column < 3; ++column) {
      double low = 0;
      for (std::size_t lag = 0; lag < shingle; ++lag) low += parts.low_by_lag[lag * 3 + column];
      EXPECT_NEAR(low, parts.low[column], 1e-9);
    }
    forest.Score(std::array{0.0, 9.0, 0.0}, &parts);
    EXPECT_GT(parts.high[1], 0.8 * parts.Total());
    if (shingle == 1) continue;
    forest.Process(std::array{0.0, 0.0, -25.0});
    forest.Process(std::array{0.0, 1.0, 0.0}, &parts);  // the odd row is one back now
    EXPECT_GT(parts.low_by_lag[3 + 2], 0.5 * parts.Total());
  }
}

TEST(Forest, AUsualValueAtAnUnusualTimeShowsOnlyInAShingle) {
  RandomCutForest single = Make(Options(1));
  RandomCutForest shingled = Make(Options(1, 8));
  Random random(2);
  const auto wave = [](int i) { return 10 * std::sin(2 * std::numbers::pi * i / 24); };
  double most = 0;
  for (int i = 0; i < 2406; ++i) {  // ends at the top of the wave
    const std::array row{wave(i) + 0.2 * Noise(random)};
    single.Process(row);
    const double score = shingled.Process(row);
    if (i > 1000) most = std::max(most, score);
  }
  EXPECT_LT(single.Score(std::array{-9.0}), 1.2);
  EXPECT_GT(shingled.Score(std::array{-9.0}), most * 1.3);
}

TEST(Forest, ExpectsWhatTheShingleSays) {
  RandomCutForest forest = Make(Options(1, 16));
  const auto wave = [](int i) { return 50 + 10 * std::sin(2 * std::numbers::pi * i / 24); };
  Random random(8);
  for (int i = 0; i < 1200; ++i) forest.Learn(std::array{wave(i) + 0.2 * Noise(random)});
  const ExpectedValue next = forest.Expect(std::array{kMissing}, 0);
  EXPECT_NEAR(next.median, wave(1200), 1.0);
  EXPECT_LE(next.low, next.median);
  EXPECT_GE(next.high, next.median);
  EXPECT_LT(next.high - next.low, 6);
}

TEST(Forest, ExpectedRangeOfASingleColumnIsThatOfItsSample) {
  RandomCutForest forest = Make(Options(1));
  Random random(8);
  for (int i = 0; i < 3000; ++i) forest.Learn(std::array{100 + 20 * random.Unit()});
  const ExpectedValue next = forest.Expect(std::array{kMissing}, 0);
  EXPECT_NEAR(next.low, 101, 0.5);
  EXPECT_NEAR(next.median, 110, 1);
  EXPECT_NEAR(next.high, 119, 0.5);
}

TEST(Forest, AMissingValueIsReplacedByWhatTheOthersSuggest) {
  RandomCutForest forest = Make(Options(2));
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const double x = 10 * random.Unit();
    forest.Learn(std::array{x, 3 * x});
  }
  const double fits = forest.Score(std::array{4.0, 12.0});
  const double missing = forest.Score(std::array{4.0, kMissing});
  const double breaks = forest.Score(std::array{4.0, 27.0});
  EXPECT_NEAR(missing, fits, 0.35);
  EXPECT_LT(missing, breaks);
  EXPECT_EQ(forest.Score(std::array{kMissing, kMissing}), 0);
}

TEST(Forest, RowsWithNothingInThemAreNotLearned) {
  RandomCutForest gappy = Make(Options(1));
  RandomCutForest whole = Make(Options(1));
  gappy.Process(std::array{kMissing});
  gappy.Process(std::array{std::numeric_limits<double>::infinity()});
  Random random(3);
  for (int i = 0; i < 600; ++i) {
    const std::array row{Noise(random)};
    whole.Process(row);
    gappy.Process(row);
    gappy.Process(std::array{kMissing});
  }
  // Were the gaps learned, half of the sample would be copies of one value.
  EXPECT_GT(gappy.Score(std::array{0.01}), 0.5 * whole.Score(std::array{0.01}));
  EXPECT_LT(gappy.Score(std::array{0.01}), 2 * whole.Score(std::array{0.01}));
}

TEST(Forest, MemoryStaysBoundedHoweverManyRowsCome) {
  RandomCutForest forest = Make(Options(1));
  Random random(3);
  for (int i = 0; i < 20000; ++i) forest.Learn(std::array{Noise(random)});
  const std::size_t early = forest.MemoryBytes();
  for (int i = 0; i < 100000; ++i) forest.Learn(std::array{Noise(random)});
  EXPECT_LT(forest.MemoryBytes(), early + early / 4);
  EXPECT_LT(forest.MemoryBytes(), 2'000'000U);
}

}  // namespace
}  // namespace honryu::anomaly
