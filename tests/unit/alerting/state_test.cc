#include "honryu/alerting/state.h"

#include <gtest/gtest.h>

#include <string>

namespace honryu::alerting {
namespace {

using std::chrono::seconds;

Timestamp At(int second) { return TimestampFromMs(1'000'000 + second * 1000); }

// "ok>pending@1 pending>firing@4"
std::string Text(const std::vector<Transition>& steps) {
  std::string text;
  for (const Transition& step : steps) {
    text += (text.empty() ? "" : " ") + std::string(AlertStateName(step.from)) + ">" +
            std::string(AlertStateName(step.to)) + "@" + std::to_string((ToMs(step.at) - 1'000'000) / 1000);
  }
  return text;
}

struct Trial {
  StateOptions options;
  SeriesState state;
  std::vector<Transition> steps;
  Trial& Sees(int second, bool breach) {
    state.Observe(options, At(second), breach, steps);
    return *this;
  }
  Trial& Waits(int second) {
    state.Advance(options, At(second), steps);
    return *this;
  }
  std::string Steps() {
    std::string text = Text(steps);
    steps.clear();
    return text;
  }
};

TEST(SeriesState, WithoutForABreachFiresAtOnceAndItsEndResolves) {
  Trial run;
  run.Sees(0, false).Sees(1, true).Sees(2, true).Sees(3, false);
  EXPECT_EQ(run.Steps(), "ok>firing@1 firing>resolved@3");
  run.Waits(302);
  EXPECT_EQ(run.Steps(), "");
  run.Waits(1000);
  EXPECT_EQ(run.Steps(), "resolved>ok@303");
}

TEST(SeriesState, ForMustPassWithoutInterruption) {
  Trial run;
  run.options.for_duration = seconds(10);
  run.Sees(0, true).Sees(9, false).Sees(10, true).Sees(19, true).Waits(19);
  EXPECT_EQ(run.Steps(), "ok>pending@0 pending>ok@9 ok>pending@10");
  run.Waits(25);
  EXPECT_EQ(run.Steps(), "pending>firing@20");  // the time at which it was due
}

TEST(SeriesState, ASampleAtTheVeryTimeCountsBeforeTheStepThatIsDue) {
  Trial run;
  run.options.for_duration = seconds(10);
  run.Sees(0, true).Sees(10, false);
  EXPECT_EQ(run.Steps(), "ok>pending@0 pending>ok@10");
  run.Sees(20, true).Sees(30, true);
  EXPECT_EQ(run.Steps(), "ok>pending@20 pending>firing@30");
}

TEST(SeriesState, ClearForHoldsAFlappingAlertTogether) {
  Trial run;
  run.options.clear_duration = seconds(10);
  run.Sees(0, true).Sees(5, false).Sees(8, true).Sees(12, false).Sees(15, false).Waits(21);
  EXPECT_EQ(run.Steps(), "ok>firing@0");
  run.Waits(22);
  EXPECT_EQ(run.Steps(), "firing>resolved@22");
}

TEST(SeriesState, AResolvedAlertFiresAgain) {
  Trial run;
  run.Sees(0, true).Sees(1, false).Sees(2, true);
  EXPECT_EQ(run.Steps(), "ok>firing@0 firing>resolved@1 resolved>firing@2");
  EXPECT_EQ(run.state.firing_since(), At(2));
}

TEST(SeriesState, SilenceIsNoDataAndAnAlertIsTakenUpAgainBehindIt) {
  Trial run;
  run.options.stale_after = seconds(30);
  run.options.for_duration = seconds(5);
  run.Sees(0, false).Waits(29);
  EXPECT_EQ(run.Steps(), "");
  run.Waits(100);
  EXPECT_EQ(run.Steps(), "ok>no_data@30");
  run.Sees(110, false).Sees(120, true).Waits(130).Waits(150);
  EXPECT_EQ(run.Steps(), "no_data>ok@110 ok>pending@120 pending>firing@125 firing>no_data@150");
  EXPECT_TRUE(run.state.was_firing());
  run.Sees(160, true);
  EXPECT_EQ(run.Steps(), "no_data>firing@160");
  EXPECT_EQ(run.state.firing_since(), At(125));  // still the same alert
  run.Waits(190).Sees(200, false);
  EXPECT_EQ(run.Steps(), "firing>no_data@190 no_data>resolved@200");
}

TEST(SeriesState, NothingIsStaleBeforeTheFirstSample) {
  Trial run;
  run.options.stale_after = seconds(1);
  run.Waits(1000);
  EXPECT_EQ(run.Steps(), "");
}

TEST(SeriesState, OnStaleResolveEndsWhatOnlyTellsOfTrouble) {
  Trial run;
  run.options.stale_after = seconds(30);
  run.options.clear_duration = seconds(500);
  run.options.on_stale = OnStale::kResolve;
  run.Sees(0, true).Waits(60);
  EXPECT_EQ(run.Steps(), "ok>firing@0 firing>resolved@30");
}

TEST(SeriesState, OnStaleBreachIsAbsence) {
  Trial run;
  run.options.stale_after = seconds(30);
  run.options.for_duration = seconds(10);
  run.options.on_stale = OnStale::kBreach;
  run.Sees(0, false).Waits(60);
  EXPECT_EQ(run.Steps(), "ok>pending@30 pending>firing@40");
  run.Sees(70, false);
  EXPECT_EQ(run.Steps(), "firing>resolved@70");
}

TEST(SeriesState, StatesHaveNames) {
  for (const AlertState state : {AlertState::kOk, AlertState::kPending, AlertState::kFiring,
                                 AlertState::kResolved, AlertState::kNoData})
    EXPECT_EQ(ParseAlertState(AlertStateName(state)).value(), state);
  EXPECT_FALSE(ParseAlertState("alarm").ok());
}

}  // namespace
}  // namespace honryu::alerting
