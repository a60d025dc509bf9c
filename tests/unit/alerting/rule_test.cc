#include "honryu/alerting/rule.h"

#include <gtest/gtest.h>

namespace honryu::alerting {
namespace {

using std::chrono::seconds;

constexpr char kGood[] = R"(
rules:
  - name: error-rate
    stream: kpi
    severity: critical
    summary: "errors are {value} of events"
    series:
      match: [metric=errors, window=1m]
      key: [group]
      per_match: [metric=events, window=1m]
      per_least: 50
      reading: increment
      resolution: 2s
    when: {is: above, limit: 0.1, hysteresis: 0.05}
    for: 4s
    flood: {limit: 5, window: 1m}
    channels: [ops]
  - name: silence
    stream: kpi
    when: {is: absent}
    stale_after: 2m
)";

TEST(AlertRules, AreReadFromYaml) {
  const auto rules = ParseRules(kGood, "rules.yaml");
  ASSERT_TRUE(rules.ok()) << rules.error().message();
  ASSERT_EQ(rules->size(), 2u);
  const Rule& rule = (*rules)[0];
  EXPECT_EQ(rule.severity, Severity::kCritical);
  EXPECT_EQ(rule.series.reading, Reading::kIncrement);
  EXPECT_EQ(rule.series.resolution, seconds(2));
  EXPECT_EQ(rule.series.per_least, 50);
  EXPECT_EQ(rule.when.limit, 0.1);
  EXPECT_EQ(rule.state.for_duration, seconds(4));
  EXPECT_EQ(rule.flood.limit, 5u);
  EXPECT_EQ(rule.channels, std::vector<std::string>{"ops"});
  EXPECT_EQ((*rules)[1].state.on_stale, OnStale::kBreach);
}

std::string FaultOf(const std::string& rule) {
  const auto rules = ParseRules("rules:\n  - {name: r, stream: s, " + rule + "}\n", "f.yaml");
  return rules.ok() ? "ok" : rules.error().message();
}

TEST(AlertRules, FaultsAreNamedWithTheirLine) {
  EXPECT_EQ(FaultOf("when: {is: above, limit: 1}"), "ok");
  EXPECT_NE(FaultOf("when: {is: over}").find("f.yaml:2"), std::string::npos);
  EXPECT_NE(FaultOf("when: {limit: 1}").find("is"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: above}, treshold: 3").find("treshold"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: absent}").find("stale_after"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: present}").find("never end"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: fall, limit: 1.5}").find("at most 1"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: rise}").find("above 0"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: anomaly, limit: 2}").find("grade"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: above}, series: {match: [nothing]}").find("field=value"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: above}, stale_after: 2h").find("forget_after"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: above}, on_stale: breach").find("absent"), std::string::npos);
  EXPECT_NE(FaultOf("when: {is: absent}, stale_after: 1m, series: {reading: increment}").find("increments"),
            std::string::npos);
}

TEST(AlertRules, NamesAreUnique) {
  const auto rules = ParseRules(
      "rules:\n  - {name: r, stream: s, when: {is: above}}\n  - {name: r, stream: t, when: {is: above}}\n",
      "f");
  ASSERT_FALSE(rules.ok());
  EXPECT_NE(rules.error().message().find("twice"), std::string::npos);
}

}  // namespace
}  // namespace honryu::alerting
