#include "honryu/anomaly/threshold.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

namespace honryu::anomaly {
namespace {

TEST(AdaptiveThreshold, StartsAtTheInitialOneAndMovesToTheLearnedOne) {
  AdaptiveThreshold threshold;
  Random random(1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(threshold.threshold(), 1.5);
    threshold.Grade(0.8 + 0.1 * random.Unit());
  }
  double last = threshold.threshold();
  for (int i = 10; i < 20; ++i) {
    threshold.Grade(0.8 + 0.1 * random.Unit());
    EXPECT_LT(threshold.threshold(), last);
    last = threshold.threshold();
  }
  // Mean 0.85, deviation 0.03: three of them above.
  EXPECT_NEAR(last, 0.94, 0.03);
}

TEST(AdaptiveThreshold, GradesRiseWithTheScoreToOne) {
  AdaptiveThreshold learned;
  Random random(1);
  for (int i = 0; i < 500; ++i) learned.Grade(0.7 + 0.4 * random.Unit());
  double last = 0;
  for (double score = 1.0; score < 3; score += 0.05) {
    AdaptiveThreshold copy = learned;
    const double grade = copy.Grade(score);
    EXPECT_GE(grade, last);
    if (score < learned.threshold()) {
      EXPECT_EQ(grade, 0);
    }
    last = grade;
  }
  EXPECT_EQ(last, 1);
}

TEST(AdaptiveThreshold, OrdinaryScoresSeldomHaveAGrade) {
  AdaptiveThreshold threshold;
  Random random(5);
  int graded = 0;
  for (int i = 0; i < 20000; ++i) {
    double normal = -6;
    for (int k = 0; k < 12; ++k) normal += random.Unit();
    if (threshold.Grade(1 + 0.1 * normal) > 0) ++graded;
  }
  EXPECT_LT(graded, 100);
}

TEST(AdaptiveThreshold, ABurstDoesNotLiftItMuch) {
  AdaptiveThreshold threshold;
  Random random(5);
  for (int i = 0; i < 3000; ++i) threshold.Grade(0.9 + 0.2 * random.Unit());
  const double before = threshold.threshold();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(threshold.Grade(6), 1);
  EXPECT_LT(threshold.threshold(), before + 0.4);
}

TEST(AdaptiveThreshold, SilenceIsNotLearned) {
  AdaptiveThreshold threshold;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(threshold.Grade(0), 0);
  EXPECT_EQ(threshold.count(), 0U);
}

TEST(AdaptiveThreshold, GoesOnFromItsState) {
  AdaptiveThreshold threshold;
  Random random(5);
  for (int i = 0; i < 300; ++i) threshold.Grade(random.Unit() + 0.5);
  std::string state;
  threshold.AppendState(state);
  AdaptiveThreshold restored;
  BytesView rest = state;
  ASSERT_TRUE(restored.TakeState(&rest).ok());
  EXPECT_TRUE(rest.empty());
  for (int i = 0; i < 300; ++i) {
    const double score = 2 * random.Unit();
    ASSERT_EQ(threshold.Grade(score), restored.Grade(score));
  }
  for (std::size_t size = 0; size < state.size(); ++size) {
    BytesView cut = BytesView(state).substr(0, size);
    EXPECT_FALSE(AdaptiveThreshold().TakeState(&cut).ok());
  }
}

}  // namespace
}  // namespace honryu::anomaly
