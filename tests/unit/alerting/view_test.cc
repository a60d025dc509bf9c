#include "honryu/alerting/view.h"

#include <gtest/gtest.h>

namespace honryu::alerting {
namespace {

Change MakeChange(const std::string& key, AlertState to, int second) {
  Change change;
  change.alert.rule = "r";
  change.alert.key = key;
  change.alert.state = to;
  change.alert.at = change.alert.since = TimestampFromMs(second * 1000);
  change.alert.value = 0.25;
  change.alert.limit = 0.1;
  change.alert.summary = "text with \"quotes\"";
  change.alert.row = R"({"a":[1,2]})";
  change.alert.points = {{TimestampFromMs(1), 1.5}, {TimestampFromMs(2), 2}};
  change.id = "r{" + key + "}/" + std::string(AlertStateName(to)) + "/" + std::to_string(second);
  return change;
}

TEST(AlertRecords, ReadBackAsTheyWereWritten) {
  Change change = MakeChange("k=1", AlertState::kFiring, 5);
  change.silenced = true;
  const Change again = ParseChange(codec::Json::Parse(ToJson(change)).value()).value();
  EXPECT_EQ(again.id, change.id);
  EXPECT_EQ(again.from, change.from);
  EXPECT_EQ(again.alert, change.alert);
  EXPECT_TRUE(again.silenced);

  Notification note;
  note.id = "n";
  note.group = "g";
  note.rule = "r";
  note.severity = Severity::kCritical;
  note.at = TimestampFromMs(7);
  note.reminder = true;
  note.channels = {"ops", "mail"};
  note.alerts = {change.alert};
  note.more = 3;
  note.firing = 9;
  const Notification same = ParseNotification(codec::Json::Parse(ToJson(note)).value()).value();
  EXPECT_EQ(ToJson(same), ToJson(note));
  EXPECT_EQ(same.alerts, note.alerts);
  EXPECT_EQ(same.channels, note.channels);

  Silence silence;
  silence.id = "s";
  silence.until = TimestampFromMs(9);
  silence.by = "me";
  EXPECT_EQ(ParseSilence(codec::Json::Parse(ToJson(silence)).value()).value(), silence);
}

TEST(AlertRecords, WhatIsNoneIsRefused) {
  for (const char* text : {"{}", R"({"id":"x"})", R"({"id":"x","severity":"info","alerts":[]})",
                           R"({"id":"x","severity":"info","alerts":[{"rule":"r","state":"odd"}]})"}) {
    const codec::Json json = codec::Json::Parse(text).value();
    EXPECT_FALSE(ParseNotification(json).ok()) << text;
    EXPECT_FALSE(ParseChange(json).ok()) << text;
    EXPECT_FALSE(ParseSilence(json).ok()) << text;
  }
}

TEST(AlertView, ShowsHowThingsStandAndTheLastSteps) {
  AlertView view(2);
  ASSERT_TRUE(view.Apply(ToJson(MakeChange("a", AlertState::kPending, 1))).ok());
  ASSERT_TRUE(view.Apply(ToJson(MakeChange("a", AlertState::kFiring, 2))).ok());
  ASSERT_TRUE(view.Apply(ToJson(MakeChange("b", AlertState::kFiring, 3))).ok());
  ASSERT_TRUE(view.Apply(ToJson(MakeChange("b", AlertState::kOk, 4))).ok());
  ASSERT_EQ(view.Active().size(), 1u);
  EXPECT_EQ(view.Active()[0].key, "a");
  ASSERT_EQ(view.history().size(), 2u);
  EXPECT_EQ(view.history().front().alert.at, TimestampFromMs(4000));
  // Read again after a crash: neither twice in the history nor back in time.
  ASSERT_TRUE(view.Apply(ToJson(MakeChange("b", AlertState::kFiring, 3))).ok());
  ASSERT_TRUE(view.Apply(ToJson(MakeChange("b", AlertState::kOk, 4))).ok());
  EXPECT_EQ(view.Active().size(), 1u);
  EXPECT_EQ(view.history().size(), 2u);
  ASSERT_NE(view.Find("r{a}"), nullptr);
  EXPECT_EQ(view.Find("r{a}")->points.size(), 2u);
  EXPECT_FALSE(view.Apply("no json").ok());
  EXPECT_FALSE(view.Apply(R"({"type":"other"})").ok());
}

TEST(AlertView, SilencesEnd) {
  AlertView view;
  Silence silence;
  silence.id = "s";
  silence.from = TimestampFromMs(0);
  silence.until = TimestampFromMs(10'000);
  ASSERT_TRUE(view.Apply(ToJson(silence)).ok());
  EXPECT_EQ(view.Silences(TimestampFromMs(9'999)).size(), 1u);
  EXPECT_TRUE(view.Silences(TimestampFromMs(10'000)).empty());
  silence.until = TimestampFromMs(0);  // taken back
  ASSERT_TRUE(view.Apply(ToJson(silence)).ok());
  EXPECT_TRUE(view.Silences(TimestampFromMs(1)).empty());
}

TEST(Silence, CoversByPatternAndTime) {
  Silence silence;
  silence.id = "s";
  silence.rule = "err*";
  silence.key = "platform=ios*";
  silence.from = TimestampFromMs(10);
  silence.until = TimestampFromMs(20);
  EXPECT_TRUE(silence.Covers("errors", "platform=ios,v=1", TimestampFromMs(10)));
  EXPECT_FALSE(silence.Covers("errors", "platform=ios,v=1", TimestampFromMs(20)));
  EXPECT_FALSE(silence.Covers("traffic", "platform=ios,v=1", TimestampFromMs(10)));
  EXPECT_FALSE(silence.Covers("errors", "platform=android", TimestampFromMs(10)));
}

}  // namespace
}  // namespace honryu::alerting
