#include "honryu/anomaly/series_detector.h"

#include "honryu/base/crc32c.h"
#include "honryu/base/random.h"
#include "honryu/codec/endian.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace honryu::anomaly {
namespace {

constexpr std::int64_t kStepMs = 300'000;
constexpr std::int64_t kStartMs = 1'700'000'000'000;

Timestamp At(int row) { return TimestampFromMs(kStartMs + row * kStepMs); }

// A day of 288 rows: low at night, high by day, a little noise.
double Daily(int row, Random& random) {
  return 100 + 60 * std::sin(2 * std::numbers::pi * row / 288) + 4 * (random.Unit() - 0.5);
}

SeriesOptions Small() {
  SeriesOptions options;
  options.trees = 20;
  options.sample_size = 256;
  return options;
}

TEST(SeriesDetector, FindsASpikeAtOnce) {
  auto detector = SeriesDetector::Create(Small()).value();
  Random random(1);
  int odd = 0;
  for (int i = 0; i < 1500; ++i) {
    const SeriesScore score = detector.Process(At(i), Daily(i, random));
    if (i < 100) {
      EXPECT_EQ(score.score, 0);
    }
    // The first day is news; after that little is.
    if (i > 600 && score.score > 2.5) ++odd;
  }
  EXPECT_LE(odd, 4);
  const SeriesScore spike = detector.Process(At(1500), 400);
  EXPECT_GT(spike.score, 3);
  EXPECT_EQ(spike.fresh_score, spike.score);
  EXPECT_EQ(spike.grade, 1);
  EXPECT_TRUE(spike.above);
}

TEST(SeriesDetector, SaysWhichViewAndWhichRowAnAnomalyComesFrom) {
  for (const std::size_t shingle : {std::size_t{1}, std::size_t{3}}) {
    SeriesOptions options = Small();
    options.shingle = shingle;
    auto detector = SeriesDetector::Create(options).value();
    Random random(1);
    for (int i = 0; i < 1500; ++i) {
      const SeriesScore usual = detector.Process(At(i), Daily(i, random));
      EXPECT_EQ(usual.parts.empty(), usual.grade == 0);
    }
    const SeriesScore dip = detector.Process(At(1500), -300);
    ASSERT_GT(dip.grade, 0);
    double cause = 0, low = 0, newest = 0;
    std::size_t of_value = 0;
    for (const ScorePart& part : dip.parts) {
      EXPECT_GE(part.high, 0);
      EXPECT_GE(part.low, 0);
      if (part.view == SeriesCause::kValue) {
        ++of_value;
        if (part.lag == 0) newest = part.low;
      }
      if (part.view != dip.cause) continue;
      cause += part.high + part.low;
      low += part.low;
    }
    EXPECT_EQ(of_value, shingle);
    EXPECT_NEAR(cause, dip.score, 1e-9);
    EXPECT_GT(low, 0.8 * cause);
    EXPECT_GT(newest, 1);
  }
}

TEST(SeriesDetector, FindsAUsualValueAtAnUnusualTimeOfTheDay) {
  auto detector = SeriesDetector::Create(Small()).value();
  Random random(1);
  int row = 0;
  for (; row < 288 * 10 + 72; ++row) detector.Process(At(row), Daily(row, random));  // the height of the day
  const ExpectedValue usual = detector.Expect(At(row));
  EXPECT_NEAR(usual.median, 160, 5);
  EXPECT_GT(usual.low, 140);
  EXPECT_LT(usual.high, 180);
  const SeriesScore drop = detector.Process(At(row), 45);
  EXPECT_EQ(drop.cause, SeriesCause::kSeason);
  EXPECT_FALSE(drop.above);
  EXPECT_GT(drop.score, 2.5);
  EXPECT_GT(drop.grade, 0.5);
}

TEST(SeriesDetector, FindsAChangeOfLevelInsideTheUsualRange) {
  auto detector = SeriesDetector::Create(Small()).value();
  Random random(4);
  // 0 or 10 at random; then only 10.
  double before = 0;
  int row = 0;
  for (; row < 2000; ++row) {
    const double score = detector.Process(At(row), random.Chance(0.5) ? 10 : 0).score;
    if (row > 1000) before = std::max(before, score);
  }
  SeriesScore most;
  for (int i = 0; i < 20; ++i, ++row) {
    const SeriesScore score = detector.Process(At(row), 10);
    if (score.score > most.score) most = score;
  }
  EXPECT_EQ(most.cause, SeriesCause::kLevel);
  EXPECT_TRUE(most.above);
  EXPECT_GT(most.score, before);
}

TEST(SeriesDetector, TellsALastingAnomalyOnce) {
  auto detector = SeriesDetector::Create(Small()).value();
  Random random(1);
  int row = 0;
  for (; row < 1000; ++row) detector.Process(At(row), Daily(row, random));
  int news = 0;
  for (int i = 0; i < 50; ++i, ++row) {
    if (detector.Process(At(row), 400).fresh_score > 2) ++news;
  }
  EXPECT_GE(news, 1);
  EXPECT_LE(news, 5);  // the level may go on rising while its mean fills
}

TEST(SeriesDetector, MissingValuesHaveNoScoreAndChangeNothing) {
  auto gappy = SeriesDetector::Create(Small()).value();
  auto whole = SeriesDetector::Create(Small()).value();
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    const double value = Daily(i, random);
    EXPECT_EQ(gappy.Process(At(i), value).score, whole.Process(At(i), value).score);
    EXPECT_EQ(gappy.Process(At(i), std::numeric_limits<double>::quiet_NaN()).score, 0);
  }
}

TEST(SeriesDetector, RefusesOptionsOutOfRange) {
  const auto refused = [](auto set) {
    SeriesOptions options;
    set(options);
    const auto detector = SeriesDetector::Create(options);
    return !detector.ok() && detector.error().code() == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](SeriesOptions& o) { o.trees = 0; }));
  EXPECT_TRUE(refused([](SeriesOptions& o) { o.level_rows = 0; }));
  EXPECT_TRUE(refused([](SeriesOptions& o) { o.season.slot = std::chrono::minutes(7); }));
  EXPECT_TRUE(refused([](SeriesOptions& o) { o.season.rate = 0; }));
  EXPECT_TRUE(refused([](SeriesOptions& o) { o.threshold.discount = 1; }));
}

TEST(SeriesDetector, ARestoredDetectorGoesOnExactlyAsTheOriginal) {
  Random random(1);
  auto detector = SeriesDetector::Create(Small()).value();
  int row = 0;
  for (const int until : {0, 3, 90, 700, 2000}) {
    for (; row < until; ++row) detector.Process(At(row), Daily(row, random));
    const std::string bytes = detector.Snapshot();
    auto restored = SeriesDetector::Restore(Small(), bytes);
    ASSERT_TRUE(restored.ok()) << restored.error().ToString();
    ASSERT_EQ(restored->Snapshot(), bytes);
    auto original = SeriesDetector::Restore(Small(), bytes).value();
    for (int i = 0; i < 200; ++i) {
      const double value = Daily(row + i, random);
      const SeriesScore a = original.Process(At(row + i), value);
      const SeriesScore b = restored->Process(At(row + i), value);
      ASSERT_EQ(a.score, b.score);
      ASSERT_EQ(a.fresh_score, b.fresh_score);
      ASSERT_EQ(a.grade, b.grade);
      ASSERT_EQ(a.cause, b.cause);
    }
  }
}

TEST(SeriesDetector, RefusesDamagedSnapshotsAndThoseOfOtherOptions) {
  SeriesOptions options = Small();
  options.trees = 2;
  options.sample_size = 16;
  auto detector = SeriesDetector::Create(options).value();
  Random random(1);
  for (int i = 0; i < 300; ++i) detector.Process(At(i), Daily(i, random));
  std::string bytes = detector.Snapshot();
  for (std::size_t size = 0; size < bytes.size(); size += 11) {
    EXPECT_FALSE(SeriesDetector::Restore(options, BytesView(bytes).substr(0, size)).ok());
  }
  for (std::size_t i = 0; i < bytes.size(); i += 7) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    EXPECT_FALSE(SeriesDetector::Restore(options, damaged).ok());
    // Under a right checksum: refused, or a detector that works.
    damaged.resize(damaged.size() - 4);
    codec::AppendU32(damaged, Crc32c(damaged));
    auto restored = SeriesDetector::Restore(options, damaged);
    for (int k = 0; restored.ok() && k < 20; ++k) restored->Process(At(300 + k), 5.0 * k);
  }
  SeriesOptions other = options;
  other.trees = 3;
  EXPECT_EQ(SeriesDetector::Restore(other, bytes).error().code(), ErrorCode::kCorrupt);
}

TEST(SeasonalBaseline, KnowsADayAfterTwoAndAWeekAfterTwo) {
  SeasonalBaseline season;
  // Weekends are as 10, mornings of other days as 0, their afternoons as 100.
  const auto value = [](int hour) {
    const bool weekend = hour / 24 % 7 >= 5;
    return weekend ? 10.0 : (hour % 24 < 12 ? 0.0 : 100.0);
  };
  const auto time = [](int hour) { return TimestampFromMs(hour * 3'600'000LL); };
  int hour = 0;
  for (; hour < 24 * 2; ++hour) {
    EXPECT_FALSE(season.Expect(time(hour)).has_value());
    season.Learn(time(hour), value(hour));
  }
  for (; hour < 24 * 5; ++hour) {
    EXPECT_EQ(season.Expect(time(hour)), value(hour));
    season.Learn(time(hour), value(hour));
  }
  EXPECT_EQ(season.Expect(time(hour)), 0) << "the first Saturday is taken for a weekday";
  for (; hour < 24 * 14; ++hour) season.Learn(time(hour), value(hour));
  for (; hour < 24 * 28; ++hour) {
    ASSERT_TRUE(season.Expect(time(hour)).has_value());
    EXPECT_NEAR(*season.Expect(time(hour)), value(hour), 1e-9) << "hour " << hour % 168 << " of the week";
    season.Learn(time(hour), value(hour));
  }
  EXPECT_LT(season.unexplained(), 0.5);
}

TEST(SeasonalBaseline, FollowsASlopeInsideASlot) {
  SeasonalBaseline season;
  const auto wave = [](int row) { return 100 * std::sin(2 * std::numbers::pi * row / 288); };
  const auto error = [&](int from, int to) {
    double most = 0;
    for (int row = from; row < to; ++row) {
      const auto expected = season.Expect(At(row));
      EXPECT_TRUE(expected.has_value());
      if (expected.has_value()) most = std::max(most, std::abs(*expected - wave(row)));
      season.Learn(At(row), wave(row));
    }
    return most;
  };
  for (int row = 0; row < 288 * 3; ++row) season.Learn(At(row), wave(row));
  // A slot spans six rows, over which the wave rises by 13 at its steepest.
  EXPECT_LT(error(288 * 3, 288 * 20), 2);
  EXPECT_LT(season.unexplained(), 0.01);
}

TEST(SeasonalBaseline, ExplainsNothingOfNoise) {
  SeasonalBaseline season;
  Random random(1);
  for (int i = 0; i < 5000; ++i) season.Learn(At(i), random.Unit());
  EXPECT_GT(season.unexplained(), 0.9);
}

}  // namespace
}  // namespace honryu::anomaly
