// A day of the demo's traffic, told to the ready rules and to a watch as the aggregator would tell it.

#include "honryu/alerting/engine.h"
#include "honryu/alerting/rule.h"
#include "honryu/demo/generator.h"
#include "processors/detector/series_watch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace honryu::processors::detector {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

std::vector<alerting::Rule> ReadyRules(const std::string& stream) {
  std::ifstream file(HONRYU_CONFIG_DIR "/alerts.yaml");
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  text.resize(text.find("\nwatches:"));  // those are the program's own to read
  std::vector<alerting::Rule> rules = alerting::ParseRules(text, "alerts.yaml").value();
  std::erase_if(rules, [&stream](const alerting::Rule& rule) { return rule.stream != stream; });
  EXPECT_FALSE(rules.empty());
  return rules;
}

Watch ReadyWatch(const std::string& metric) {
  Watch watch;
  watch.name = metric;
  watch.series.match = {"metric=" + metric, "window=1m", "group="};
  watch.series.key = {"group"};
  watch.series.reading = alerting::Reading::kIncrement;
  return watch;
}

struct Told {
  std::vector<std::string> lines;          ///< "error-rate 10:31:05"
  std::map<std::string, Timestamp> first;  ///< By rule: the first that fires.
};

/// Rows once a second, half a second behind, from `start` for `length`.
Told Live(demo::GeneratorOptions options, Duration length) {
  demo::DemoGenerator generator(options);
  alerting::Engine kpi(ReadyRules("kpi"));
  alerting::Engine odd(ReadyRules("anomalies"));
  std::vector<SeriesWatch> watches;
  watches.emplace_back(ReadyWatch("events"));
  watches.emplace_back(ReadyWatch("errors"));
  Told told;
  std::int64_t window = -1;
  double events = 0, errors = 0;
  std::vector<demo::DemoEvent> batch;
  const Timestamp end = options.start + std::chrono::milliseconds(ToMs(length));
  for (Timestamp now = options.start + seconds(1); now <= end; now += seconds(1)) {
    batch.clear();
    generator.Generate(now, 1'000'000, batch);
    const std::int64_t current = (ToMs(now) - 1) / 60'000;
    if (current != window) {
      window = current;
      events = errors = 0;
    }
    for (const demo::DemoEvent& event : batch) {
      events += 1;
      const bool error = event.json.find(R"("event_type":"error")") != std::string::npos ||
                         event.json.find(R"("event_type":"crash")") != std::string::npos;
      if (error) errors += 1;
    }
    const Timestamp arrival = now + std::chrono::milliseconds(500);
    alerting::EngineOutput out;
    std::vector<Anomaly> anomalies;
    for (const auto& [metric, value] : {std::pair("events", events), std::pair("errors", errors)}) {
      const std::string row = std::string(R"({"metric":")") + metric +
                              R"(","window":"1m","group":"","start":)" + std::to_string(window * 60'000) +
                              R"(,"value":)" + std::to_string(value) + "}";
      EXPECT_TRUE(kpi.Process(row, arrival, out).ok());
      client::StreamRecord record;
      record.arrival = arrival;
      record.data = Bytes(row);
      const codec::Json json = codec::Json::Parse(row).value();
      for (SeriesWatch& watch : watches) watch.Read(json, record, "shard", true, anomalies);
    }
    kpi.Advance(arrival, out);
    for (const Anomaly& anomaly : anomalies) EXPECT_TRUE(odd.Process(ToJson(anomaly, ""), arrival, out).ok());
    odd.Advance(arrival, out);
    for (const alerting::Notification& note : out.notifications) {
      if (note.Status() != "firing") continue;
      told.lines.push_back(note.rule + " " + FormatTimestamp(note.at) + " " + note.alerts[0].summary);
      told.first.try_emplace(note.rule, note.at);
    }
  }
  return told;
}

demo::GeneratorOptions Day() {
  demo::GeneratorOptions options;
  options.start = ParseTimestamp("2026-11-20T15:00:00Z").value();  // midnight in Tokyo
  const char* rate = std::getenv("HONRYU_DAY_RATE");
  options.events_per_second = rate != nullptr ? std::atof(rate) : 20;
  return options;
}

TEST(DayOfNormalTraffic, GivesAtMostOneFalseAlert) {
  const Told told = Live(Day(), hours(24));
  for (const std::string& line : told.lines) std::printf("told: %s\n", line.c_str());
  EXPECT_LE(told.lines.size(), 1u);
}

TEST(DayOfNormalTraffic, IncidentsAreToldWithinSeconds) {
  demo::GeneratorOptions options = Day();
  options.events_per_second = 200;
  demo::Incident errors, drop;
  errors.kind = demo::IncidentKind::kErrorBurst;
  errors.begin = options.start + minutes(20) + seconds(3);
  drop.kind = demo::IncidentKind::kTrafficDrop;
  drop.begin = options.start + minutes(30) + seconds(3);
  options.incidents = {errors, drop};
  const Told told = Live(options, minutes(40));
  for (const std::string& line : told.lines) std::printf("told: %s\n", line.c_str());
  ASSERT_TRUE(told.first.contains("error-rate"));
  ASSERT_TRUE(told.first.contains("traffic-drop"));
  EXPECT_GE(told.first.at("error-rate"), errors.begin);
  EXPECT_LE(told.first.at("error-rate") - errors.begin, seconds(10));
  EXPECT_GE(told.first.at("traffic-drop"), drop.begin);
  EXPECT_LE(told.first.at("traffic-drop") - drop.begin, seconds(20));
}

}  // namespace
}  // namespace honryu::processors::detector
