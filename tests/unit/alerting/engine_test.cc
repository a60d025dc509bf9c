#include "honryu/alerting/engine.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace honryu::alerting {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t kStart = 1'700'000'000'000;
Timestamp At(double second) { return TimestampFromMs(kStart + static_cast<std::int64_t>(second * 1000)); }

Rule Above(double limit) {
  Rule rule;
  rule.name = "high";
  rule.stream = "kpi";
  rule.series.key = {"k"};
  rule.when.is = ConditionKind::kAbove;
  rule.when.limit = limit;
  rule.group_wait = seconds(1);
  rule.group_interval = seconds(10);
  return rule;
}

struct Bench {
  explicit Bench(std::vector<Rule> rules) : engine(std::move(rules)) {}
  void Put(double second, const std::string& key, double value) {
    const std::string json = R"({"k":")" + key + R"(","value":)" + std::to_string(value) + "}";
    EXPECT_TRUE(engine.Process(json, At(second), out).ok());
  }
  void Wait(double second) { engine.Advance(At(second), out); }
  /// "firing@3 k=a,k=b" of the notifications since the last call.
  std::string Told() {
    std::string text;
    for (const Notification& note : out.notifications) {
      text += (text.empty() ? "" : "; ") + std::string(note.Status()) + "@" +
              std::to_string((ToMs(note.at) - kStart) / 1000);
      for (const Alert& alert : note.alerts) text += " " + alert.key;
      if (note.more > 0) text += " +" + std::to_string(note.more);
      if (note.reminder) text += " again";
    }
    out.notifications.clear();
    return text;
  }
  std::size_t Changes() {
    const std::size_t count = out.changes.size();
    out.changes.clear();
    return count;
  }
  Engine engine;
  EngineOutput out;
};

TEST(AlertEngine, TellsOfAlertsOfARuleTogetherAndOfEachOnce) {
  Bench bench({Above(10)});
  bench.Put(0, "a", 5);
  bench.Put(1, "a", 11);
  bench.Put(1.5, "b", 12);
  bench.Put(1.7, "a", 13);
  bench.Wait(30);
  EXPECT_EQ(bench.Told(), "firing@2 k=a k=b");
  EXPECT_EQ(bench.Changes(), 2u);
  bench.Put(31, "a", 14);
  bench.Wait(60);
  EXPECT_EQ(bench.Told(), "");
  bench.Put(61, "a", 3);
  bench.Wait(80);
  EXPECT_EQ(bench.Told(), "resolved@62 k=a");
}

TEST(AlertEngine, AChangeSaysWhatHappened) {
  Rule rule = Above(10);
  rule.summary = "{rule} of {key}: {value} over {limit} {other}";
  rule.severity = Severity::kCritical;
  Bench bench({rule});
  bench.Put(0, "a", 5);
  bench.Put(1, "a", 11.5);
  ASSERT_EQ(bench.out.changes.size(), 1u);
  const Change change = bench.out.changes[0];
  EXPECT_EQ(change.id, "high{k=a}/firing/" + std::to_string(ToMs(At(1))));
  EXPECT_EQ(change.from, AlertState::kOk);
  EXPECT_EQ(change.alert.state, AlertState::kFiring);
  EXPECT_EQ(change.alert.summary, "high of k=a: 11.5 over 10 {other}");
  EXPECT_EQ(change.alert.severity, Severity::kCritical);
  EXPECT_EQ(change.alert.row, R"({"k":"a","value":11.500000})");
  ASSERT_EQ(change.alert.points.size(), 2u);
  EXPECT_EQ(change.alert.points[0].value, 5);
  ASSERT_EQ(bench.engine.Active().size(), 1u);
  EXPECT_EQ(bench.engine.Active()[0], change.alert);
}

TEST(AlertEngine, HysteresisKeepsAnAlertUntilTheValueIsWellBack) {
  Rule rule = Above(10);
  rule.when.hysteresis = 3;
  Bench bench({rule});
  bench.Put(0, "a", 11);
  bench.Put(1, "a", 9);
  bench.Put(2, "a", 11);
  bench.Put(3, "a", 8);
  EXPECT_EQ(bench.Changes(), 1u);
  bench.Put(4, "a", 7);
  EXPECT_EQ(bench.Changes(), 1u);
  bench.Put(5, "a", 9);  // not enough to fire again
  EXPECT_EQ(bench.Changes(), 0u);
}

TEST(AlertEngine, WhatIsOverBeforeItIsToldIsNotTold) {
  Rule rule = Above(10);
  rule.group_wait = seconds(5);
  Bench bench({rule});
  bench.Put(0, "a", 11);
  bench.Put(2, "a", 1);
  bench.Wait(60);
  EXPECT_EQ(bench.Told(), "");
  EXPECT_EQ(bench.Changes(), 2u);  // but it stands in the history
}

TEST(AlertEngine, MessagesOfAGroupKeepTheirDistance) {
  Bench bench({Above(10)});
  bench.Put(0, "a", 11);
  bench.Wait(1);
  bench.Put(2, "b", 11);
  bench.Put(3, "c", 11);
  bench.Wait(60);
  EXPECT_EQ(bench.Told(), "firing@1 k=a; firing@11 k=b k=c");
}

TEST(AlertEngine, GroupsBySeriesAreIndependent) {
  Rule rule = Above(10);
  rule.group_by_series = true;
  Bench bench({rule});
  bench.Put(0, "a", 11);
  bench.Put(0.5, "b", 11);
  bench.Wait(60);
  EXPECT_EQ(bench.Told(), "firing@1 k=a; firing@1 k=b");
}

TEST(AlertEngine, AFloodIsHeldBackAndComesAsOne) {
  Rule rule = Above(10);
  rule.group_by_series = false;
  rule.flood.limit = 3;
  rule.flood.window = minutes(10);
  rule.series.max_keys = 10000;
  Bench bench({rule});
  for (int i = 0; i < 500; ++i) bench.Put(i, std::to_string(i), 11);
  bench.Wait(700);
  std::size_t alerts = 0;
  for (const Notification& note : bench.out.notifications) {
    alerts += note.alerts.size() + note.more;
    EXPECT_LE(note.alerts.size(), Notification::kMostAlerts);
  }
  EXPECT_EQ(bench.out.notifications.size(), 4u);  // at 1, 11, 21, and 601 when the window has room
  EXPECT_EQ(ToMs(bench.out.notifications.back().at), ToMs(At(601)));
  EXPECT_EQ(alerts, 500u);  // none is lost
}

TEST(AlertEngine, SilencesHoldBackUntilTheyEnd) {
  Bench bench({Above(10)});
  Silence silence;
  silence.id = "s";
  silence.rule = "hi*";
  silence.key = "k=a";
  silence.from = At(0);
  silence.until = At(100);
  bench.engine.SetSilences({silence});
  bench.Put(0, "a", 11);
  bench.Put(0, "b", 11);
  bench.Wait(50);
  EXPECT_EQ(bench.Told(), "firing@1 k=b");
  ASSERT_EQ(bench.out.changes.size(), 2u);
  EXPECT_TRUE(bench.out.changes[0].silenced);
  EXPECT_FALSE(bench.out.changes[1].silenced);
  bench.Wait(200);
  EXPECT_EQ(bench.Told(), "firing@100 k=a");  // still firing when the silence ends
}

TEST(AlertEngine, ASilenceTakenBackCountsAtOnce) {
  Bench bench({Above(10)});
  Silence silence;
  silence.id = "s";
  silence.from = At(0);
  silence.until = At(100000);
  bench.engine.SetSilences({silence});
  bench.Put(0, "a", 11);
  bench.Wait(50);
  EXPECT_EQ(bench.Told(), "");
  bench.engine.SetSilences({});
  bench.Wait(51);
  EXPECT_NE(bench.Told(), "");
}

TEST(AlertEngine, WhatResolvesWhileSilencedIsNotTold) {
  Bench bench({Above(10)});
  Silence silence;
  silence.id = "s";
  silence.from = At(0);
  silence.until = At(100);
  bench.engine.SetSilences({silence});
  bench.Put(0, "a", 11);
  bench.Put(50, "a", 1);
  bench.Wait(300);
  EXPECT_EQ(bench.Told(), "");
}

TEST(AlertEngine, RemindsOfWhatStillFires) {
  Rule rule = Above(10);
  rule.repeat = seconds(60);
  Bench bench({rule});
  bench.Put(0, "a", 11);
  bench.Wait(130);
  EXPECT_EQ(bench.Told(), "firing@1 k=a; firing@61 k=a again; firing@121 k=a again");
  bench.Put(131, "a", 1);
  bench.Wait(500);
  EXPECT_EQ(bench.Told(), "resolved@132 k=a");
}

TEST(AlertEngine, AFallIsMeasuredAgainstTheTimeBefore) {
  Rule rule = Above(0);
  rule.when.is = ConditionKind::kFall;
  rule.when.limit = 0.4;
  rule.when.against = minutes(5);
  rule.state.for_duration = seconds(10);
  Bench bench({rule});
  bench.Put(0, "a", 1);  // the beginning is no drop: nothing is known yet
  for (int t = 5; t < 400; t += 5) bench.Put(t, "a", 100 + (t % 15));
  EXPECT_EQ(bench.Changes(), 0u);
  bench.Put(400, "a", 40);
  bench.Put(405, "a", 42);
  bench.Put(410, "a", 41);
  ASSERT_EQ(bench.out.changes.size(), 2u);
  EXPECT_EQ(bench.out.changes[1].alert.at, At(410));
  EXPECT_NEAR(bench.out.changes[1].alert.limit, 0.6 * 105, 2);
  bench.Changes();
  // The new level becomes usual once the old one is more than half of `against` away.
  double t = 415;
  while (bench.out.changes.empty() && t < 2000) bench.Put(t += 5, "a", 41);
  ASSERT_EQ(bench.out.changes.size(), 1u);
  EXPECT_EQ(bench.out.changes[0].alert.state, AlertState::kResolved);
  EXPECT_GT(t, 600);
  EXPECT_LT(t, 760);
}

TEST(AlertEngine, ARiseOfSmallNumbersDoesNotCount) {
  Rule rule = Above(0);
  rule.when.is = ConditionKind::kRise;
  rule.when.limit = 1;
  rule.when.least = 50;
  rule.when.against = seconds(60);
  Bench bench({rule});
  for (int t = 0; t < 100; t += 2) bench.Put(t, "a", 5);
  bench.Put(100, "a", 49);
  EXPECT_EQ(bench.Changes(), 0u);
  bench.Put(102, "a", 51);
  EXPECT_EQ(bench.Changes(), 1u);
}

TEST(AlertEngine, AbsenceOfAKnownSeries) {
  Rule rule = Above(0);
  rule.when.is = ConditionKind::kAbsent;
  rule.state.stale_after = seconds(30);
  rule.state.on_stale = OnStale::kBreach;
  rule.series.value = "";
  ASSERT_TRUE(rule.Validate().ok());
  Bench bench({rule});
  bench.Put(0, "a", 1);
  bench.Put(20, "a", 1);
  bench.Wait(49);
  EXPECT_EQ(bench.Changes(), 0u);
  bench.Wait(55);
  EXPECT_EQ(bench.Told(), "firing@51 k=a");
  bench.Put(60, "a", 1);
  bench.Wait(90);
  EXPECT_EQ(bench.Told(), "resolved@61 k=a");
}

TEST(AlertEngine, RowsThatArePresentFireAndTheirAbsenceResolves) {
  Rule rule = Above(0);
  rule.when.is = ConditionKind::kPresent;
  rule.state.stale_after = seconds(60);
  rule.state.on_stale = OnStale::kResolve;
  ASSERT_TRUE(rule.Validate().ok());
  Bench bench({rule});
  bench.Put(0, "user-1", 3);
  bench.Put(30, "user-1", 4);
  bench.Wait(89);
  EXPECT_EQ(bench.Told(), "firing@1 k=user-1");
  bench.Wait(100);
  EXPECT_EQ(bench.Told(), "resolved@91 k=user-1");
}

TEST(AlertEngine, NoDataIsToldOfIfAsked) {
  Rule rule = Above(10);
  rule.state.stale_after = seconds(30);
  rule.notify_no_data = true;
  Bench bench({rule});
  bench.Put(0, "a", 1);
  bench.Wait(60);
  EXPECT_EQ(bench.Told(), "no_data@31 k=a");
}

TEST(AlertEngine, QuietSeriesAreForgotten) {
  Rule rule = Above(10);
  rule.forget_after = minutes(10);
  Bench bench({rule});
  bench.Put(0, "a", 1);
  bench.Put(0, "b", 11);
  bench.Wait(3600);
  EXPECT_EQ(bench.engine.series(), 1u);  // what fires is not
}

TEST(AlertEngine, SeriesAreBoundedAndThoseThatFireStay) {
  Rule rule = Above(10);
  rule.series.max_keys = 3;
  Bench bench({rule});
  bench.Put(0, "a", 11);
  for (int i = 1; i < 50; ++i) bench.Put(i, "x" + std::to_string(i), 1);
  EXPECT_EQ(bench.engine.series(), 3u);
  EXPECT_EQ(bench.engine.evicted(), 47u);
  EXPECT_EQ(bench.engine.Active().size(), 1u);
}

/// A rule for rules that SQL writes, as in config/alerts.yaml.
Rule Written() {
  Rule rule;
  rule.name = "sql";
  rule.stream = "sql-alerts";
  rule.series.key = {"SERIES"};
  rule.series.value = "VALUE";
  rule.name_from = "RULE";
  rule.severity_from = "SEVERITY";
  rule.summary_from = "SUMMARY";
  rule.limit_from = "LIMIT_VALUE";
  rule.when.is = ConditionKind::kPresent;
  rule.state.stale_after = seconds(60);
  rule.state.on_stale = OnStale::kResolve;
  return rule;
}

std::string WrittenRow(const std::string& rule, const std::string& series, const std::string& severity) {
  return R"({"RULE":")" + rule + R"(","SERIES":")" + series + R"(","VALUE":7,"LIMIT_VALUE":5,"SEVERITY":")" +
         severity + R"(","SUMMARY":"{key} did it {value} times, at most {limit}"})";
}

TEST(AlertEngine, RulesWrittenInSqlAreRulesOfTheirOwn) {
  Bench bench({Written()});
  const auto put = [&bench](double second, const std::string& row) {
    return bench.engine.Process(row, At(second), bench.out).ok();
  };
  EXPECT_TRUE(put(0, WrittenRow("logins", "u1", "critical")));
  EXPECT_TRUE(put(0, WrittenRow("refunds", "u1", "dreadful")));
  bench.Wait(5);
  ASSERT_EQ(bench.out.notifications.size(), 2u);
  const Notification logins = bench.out.notifications[0];
  EXPECT_EQ(logins.rule, "logins");
  EXPECT_EQ(logins.severity, Severity::kCritical);
  EXPECT_EQ(logins.alerts[0].Fingerprint(), "logins{SERIES=u1}");
  EXPECT_EQ(logins.alerts[0].summary, "SERIES=u1 did it 7 times, at most 5");
  EXPECT_EQ(logins.alerts[0].limit, 5);
  EXPECT_EQ(bench.out.notifications[1].rule, "refunds");
  EXPECT_EQ(bench.out.notifications[1].severity, Severity::kWarning);  // no such word
  EXPECT_FALSE(put(6, R"({"SERIES":"u1","VALUE":7})"));
  EXPECT_FALSE(put(6, WrittenRow("a{b}", "u1", "info")));

  // They live on in a snapshot, by their names, and end when their rows do.
  bench.Told();
  Engine restored({Written()});
  ASSERT_TRUE(restored.Restore(bench.engine.Snapshot()).ok());
  ASSERT_EQ(restored.Active().size(), 2u);
  EXPECT_EQ(restored.Active()[0].severity, Severity::kCritical);
  EngineOutput out;
  EXPECT_TRUE(restored.Process(WrittenRow("logins", "u1", "critical"), At(50), out).ok());
  restored.Advance(At(80), out);
  ASSERT_EQ(out.notifications.size(), 1u);
  EXPECT_EQ(out.notifications[0].rule, "refunds");
  EXPECT_EQ(out.notifications[0].Status(), "resolved");

  // A silence of one is none of the other.
  Silence silence;
  silence.id = "s";
  silence.rule = "logins";
  silence.until = At(1000);
  Bench silenced({Written()});
  silenced.engine.SetSilences({silence});
  EXPECT_TRUE(silenced.engine.Process(WrittenRow("logins", "u1", "info"), At(0), silenced.out).ok());
  EXPECT_TRUE(silenced.engine.Process(WrittenRow("refunds", "u1", "info"), At(0), silenced.out).ok());
  silenced.Wait(5);
  ASSERT_EQ(silenced.out.notifications.size(), 1u);
  EXPECT_EQ(silenced.out.notifications[0].rule, "refunds");
}

TEST(AlertEngine, ARecordThatNamesNoRuleIsStillTakenByOtherRules) {
  Rule plain = Above(5);
  plain.stream = "sql-alerts";
  Bench bench({Written(), plain});
  EXPECT_FALSE(bench.engine.Process(R"({"k":"a","value":9})", At(0), bench.out).ok());
  bench.Wait(5);
  EXPECT_EQ(bench.Told(), "firing@1 k=a");
}

TEST(AlertEngine, RulesWrittenInSqlAreBounded) {
  Bench bench({Written()});
  int taken = 0;
  for (int i = 0; i < 300; ++i)
    taken +=
        bench.engine.Process(WrittenRow("r" + std::to_string(i), "s", "info"), At(0), bench.out).ok() ? 1 : 0;
  EXPECT_EQ(taken, 199);
  EXPECT_TRUE(bench.engine.Process(WrittenRow("r5", "s", "info"), At(1), bench.out).ok());
}

TEST(AlertEngine, DisabledRulesAndBrokenRecordsDoNothing) {
  Rule rule = Above(10);
  rule.enabled = false;
  Bench bench({rule});
  bench.Put(0, "a", 11);
  EXPECT_EQ(bench.Changes(), 0u);
  EXPECT_FALSE(bench.engine.Process("[1]", At(1), bench.out).ok());
  EXPECT_FALSE(bench.engine.Process("{", At(1), bench.out).ok());
}

// One random story told to an engine: records and looks at the clock.
struct Story {
  struct Moment {
    double second;
    std::string key;  // empty: time only
    double value;
  };
  std::vector<Moment> moments;
  explicit Story(std::uint64_t seed) {
    Random random(seed);
    double t = 0;
    for (int i = 0; i < 1500; ++i) {
      t += random.Unit() * 4;
      const bool tick = random.Chance(0.3);
      moments.push_back({t, tick ? "" : std::string(1, static_cast<char>('a' + random.Below(6))),
                         random.Unit() * 14 + (random.Chance(0.02) ? 100 : 0)});
    }
  }
};

std::vector<Rule> Mixed() {
  Rule high = Above(10);
  high.state.for_duration = seconds(5);
  high.state.stale_after = seconds(40);
  high.when.hysteresis = 2;
  high.repeat = seconds(100);
  Rule fall = Above(0);
  fall.name = "fall";
  fall.when.is = ConditionKind::kFall;
  fall.when.limit = 0.9;
  fall.when.against = minutes(2);
  fall.group_by_series = true;
  fall.flood.limit = 2;
  return {high, fall};
}

std::set<std::string> Ids(const EngineOutput& out) {
  std::set<std::string> ids;
  for (const Change& change : out.changes) ids.insert(change.id);
  for (const Notification& note : out.notifications) ids.insert(note.id + ToJson(note).substr(0, 60));
  return ids;
}

TEST(AlertEngineProperty, ASnapshotGoesOnAsIfNothingHadHappened) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Story story(seed);
    Bench whole(Mixed());
    Bench parts(Mixed());
    for (std::size_t i = 0; i < story.moments.size(); ++i) {
      const Story::Moment& m = story.moments[i];
      for (Bench* bench : {&whole, &parts})
        m.key.empty() ? bench->Wait(m.second) : bench->Put(m.second, m.key, m.value);
      if (i % 100 == 50) {
        Engine fresh(Mixed());
        ASSERT_TRUE(fresh.Restore(parts.engine.Snapshot()).ok());
        EXPECT_EQ(fresh.Snapshot(), parts.engine.Snapshot());
        parts.engine = std::move(fresh);
      }
    }
    EXPECT_GT(whole.out.notifications.size(), 5u);
    EXPECT_EQ(Ids(whole.out), Ids(parts.out)) << "seed " << seed;
  }
}

TEST(AlertEngineProperty, WhatComesOutDoesNotDependOnHowOftenTheClockIsLookedAt) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Story story(seed);
    Bench often(Mixed());
    Bench rarely(Mixed());
    for (const Story::Moment& m : story.moments) {
      if (m.key.empty()) {
        often.Wait(m.second);
        continue;
      }
      often.Put(m.second, m.key, m.value);
      rarely.Put(m.second, m.key, m.value);
    }
    rarely.Wait(story.moments.back().second);
    often.Wait(story.moments.back().second);
    EXPECT_EQ(Ids(often.out), Ids(rarely.out)) << "seed " << seed;
  }
}

TEST(AlertEngine, ADamagedSnapshotIsRefusedAndTheEngineIsAsNew) {
  Bench bench(Mixed());
  for (int t = 0; t < 100; ++t) bench.Put(t, "a", 11);
  const std::string good = bench.engine.Snapshot();
  for (const std::string& bad :
       {std::string(""), std::string("{}"), good.substr(0, good.size() / 2),
        std::string(R"({"v":1,"rules":[{"name":"high","series":[{"key":"a"}]}]})")}) {
    Engine engine(Mixed());
    EXPECT_FALSE(engine.Restore(bad).ok());
    EXPECT_EQ(engine.series(), 0u);
  }
  Engine future(Mixed());
  EXPECT_EQ(future.Restore(R"({"v":2,"rules":[]})").error().code(), ErrorCode::kUnimplemented);
}

TEST(AlertEngine, RulesThatAreGoneAreLeftOutOfASnapshot) {
  Bench bench(Mixed());
  for (int t = 0; t < 100; ++t) bench.Put(t, "a", 11);
  Engine one({Mixed()[1]});
  ASSERT_TRUE(one.Restore(bench.engine.Snapshot()).ok());
  EXPECT_EQ(one.series(), 1u);
}

}  // namespace
}  // namespace honryu::alerting
