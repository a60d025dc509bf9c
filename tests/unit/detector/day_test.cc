// Simulated days of the demo's traffic through everything between an event and a notice, as it is shipped:
// the SQL programs of config/apps, the rules and watches of config/alerts.yaml. Only the log is left out. By
// hand: HONRYU_DAY_RATE (events a second), HONRYU_DAY_HOURS, HONRYU_DAY_START (hour of the day in Tokyo),
// HONRYU_DAY_SEEDS (how many days, one after the other, each of another seed).

#include "app/settings/describe.h"
#include "honryu/alerting/engine.h"
#include "honryu/demo/generator.h"
#include "honryu/sqlapp/machine.h"
#include "honryu/sqlapp/row_writer.h"
#include "processors/detector/series_watch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

namespace honryu::processors::detector {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::string ConfigFolder() {
  const char* other = std::getenv("HONRYU_DAY_CONFIG");
  return other == nullptr ? HONRYU_CONFIG_DIR : other;
}

/// A shipped SQL program, fed cut by cut.
class Application {
 public:
  Application(const std::string& name, Timestamp start) {
    std::ifstream file(ConfigFolder() + "/apps/" + name + ".sql");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    sql::TableFunctionRegistry functions;
    sql::AddBuiltInTableFunctions(functions);
    program_ = sqlapp::LoadProgram(name, text, functions).value();
    sql::EngineOptions options;
    options.start_ms = ToMs(start);
    options.functions = functions;
    machine_ =
        sqlapp::Machine::Create(program_, options,
                                [this](const sql::OutputRow& row, std::uint64_t cut, std::uint64_t ordinal) {
                                  sqlapp::WriteRow(program_, row, 0, cut, ordinal, rows_);
                                })
            .value();
  }
  /// The records that have come by `now`; what the program writes.
  std::vector<sqlapp::OutputRecord> Take(Timestamp now, const std::vector<client::StreamRecord>& records) {
    sqlapp::Cut cut;
    cut.number = ++cuts_;
    cut.now_ms = ToMs(now);
    sqlapp::ShardStep step;
    if (cuts_ == 1) {
      step.added = true;
      step.id = "shardId-000000000000";
    }
    if (!records.empty()) step.upto = records.back().sequence;
    step.behind = false;
    cut.steps.push_back(step);
    sqlapp::CutRecords taken;
    taken[0] = records;
    machine_->Apply(cut, taken);
    return std::exchange(rows_, {});
  }

 private:
  sqlapp::Program program_;
  std::unique_ptr<sqlapp::Machine> machine_;
  std::vector<sqlapp::OutputRecord> rows_;
  std::uint64_t cuts_ = 0;
};

struct Told {
  std::vector<std::string> lines;          ///< "error-rate 2026-11-20T… 0.25 of all events are errors"
  std::map<std::string, Timestamp> first;  ///< By rule: the first that fires.
  std::size_t rows = 0;                    ///< Records that rules and watches read.
  std::size_t anomalies = 0;
};

/// From an event to a notice. The stream of the server's own metrics has no events behind it and is left out.
class Pipeline {
 public:
  explicit Pipeline(Timestamp start) {
    std::vector<alerting::Rule> rules;
    std::vector<Watch> watches;
    const Result<void> read = app::ReadAlertFiles({ConfigFolder() + "/alerts.yaml"}, rules, watches);
    EXPECT_TRUE(read.ok()) << read.error().message();
    for (const alerting::Rule& rule : rules) by_stream_[rule.stream].push_back(rule);
    by_stream_.erase("metrics");
    for (const auto& [stream, some] : by_stream_) engines_.try_emplace(stream, some);
    for (const char* stream : {"kpi", "fraud", "anomalies"}) EXPECT_TRUE(engines_.contains(stream)) << stream;
    for (const Watch& watch : watches) {
      EXPECT_EQ(watch.stream, "kpi");
      watches_.emplace_back(watch);
    }
    for (const char* name : {"kpi", "alerts"})
      applications_.push_back(std::make_unique<Application>(name, start));
  }

  void Take(Timestamp now, const std::vector<client::StreamRecord>& records) {
    alerting::EngineOutput out;
    std::vector<Anomaly> anomalies;
    for (const auto& application : applications_) {
      for (const sqlapp::OutputRecord& row : application->Take(now, records)) {
        const auto engine = engines_.find(row.stream);
        if (engine == engines_.end()) continue;
        ++told_.rows;
        EXPECT_TRUE(engine->second.Process(row.json, now, out).ok()) << row.json;
        if (row.stream == "kpi") Watched(row, now, anomalies);
      }
    }
    for (SeriesWatch& watch : watches_) watch.Advance(now - milliseconds(500), true, anomalies);
    told_.anomalies += anomalies.size();
    for (const Anomaly& anomaly : anomalies)
      EXPECT_TRUE(engines_.at("anomalies").Process(ToJson(anomaly, ""), now, out).ok());
    for (auto& [stream, engine] : engines_) engine.Advance(now, out);
    for (const alerting::Notification& note : out.notifications) {
      if (note.Status() != "firing") continue;
      told_.lines.push_back(note.rule + " " + FormatTimestamp(note.at) + " " + note.alerts[0].summary);
      told_.first.try_emplace(note.rule, note.at);
    }
  }
  const Told& told() const { return told_; }

 private:
  void Watched(const sqlapp::OutputRecord& row, Timestamp now, std::vector<Anomaly>& anomalies) {
    const codec::Json json = codec::Json::Parse(row.json).value();
    client::StreamRecord record;
    record.arrival = now;
    record.data = Bytes(row.json);
    for (SeriesWatch& watch : watches_) watch.Read(json, record, "shard", true, anomalies);
  }

  std::vector<std::unique_ptr<Application>> applications_;
  std::map<std::string, std::vector<alerting::Rule>> by_stream_;
  std::map<std::string, alerting::Engine> engines_;
  std::vector<SeriesWatch> watches_;
  Told told_;
};

/// Events arrive when they happen; programs look twice a second.
Told Live(const demo::GeneratorOptions& options, Duration length) {
  demo::DemoGenerator generator(options);
  Pipeline pipeline(options.start);
  std::vector<demo::DemoEvent> events;
  std::uint64_t sequence = 0;
  const Timestamp end = options.start + milliseconds(ToMs(length));
  for (Timestamp now = options.start + milliseconds(500); now <= end; now += milliseconds(500)) {
    events.clear();
    generator.Generate(now, 1'000'000, events);
    std::vector<client::StreamRecord> records;
    for (demo::DemoEvent& event : events) {
      client::StreamRecord record;
      record.sequence.words[2] = ++sequence;
      record.arrival = event.time;
      record.data = Bytes(std::move(event.json));
      records.push_back(std::move(record));
    }
    pipeline.Take(now, records);
  }
  const Told& told = pipeline.told();
  std::printf("%llu events, %zu rows, %zu anomalies\n", static_cast<unsigned long long>(sequence), told.rows,
              told.anomalies);
  for (const std::string& line : told.lines) std::printf("told: %s\n", line.c_str());
  return told;
}

double Setting(const char* name, double otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atof(text);
}

demo::GeneratorOptions Day(double rate) {
  demo::GeneratorOptions options;
  // Midnight in Tokyo of a Saturday, and so many hours later.
  options.start = ParseTimestamp("2026-11-20T15:00:00Z").value() +
                  minutes(static_cast<int>(Setting("HONRYU_DAY_START", 5) * 60));
  options.events_per_second = Setting("HONRYU_DAY_RATE", rate);
  return options;
}

TEST(DayOfNormalTraffic, GivesAtMostOneFalseAlert) {
  const int seeds = static_cast<int>(Setting("HONRYU_DAY_SEEDS", 1));
  for (int seed = 1; seed <= seeds; ++seed) {
    demo::GeneratorOptions options = Day(40);
    options.seed = static_cast<std::uint64_t>(seed);
    const Told told = Live(options, minutes(static_cast<int>(Setting("HONRYU_DAY_HOURS", 4) * 60)));
    EXPECT_GT(told.rows, 1000u);
    EXPECT_LE(told.lines.size(), 1u) << "seed " << seed;
  }
}

TEST(DayOfNormalTraffic, IncidentsAreToldWithinSeconds) {
  demo::GeneratorOptions options = Day(200);
  demo::Incident errors, drop;
  errors.kind = demo::IncidentKind::kErrorBurst;
  errors.begin = options.start + minutes(7) + seconds(3);
  errors.length = seconds(30);
  drop.kind = demo::IncidentKind::kTrafficDrop;
  drop.begin = options.start + minutes(9) + seconds(3);
  drop.length = seconds(30);
  options.incidents = {errors, drop};
  const Told told = Live(options, minutes(10));
  ASSERT_TRUE(told.first.contains("error-rate"));
  ASSERT_TRUE(told.first.contains("traffic-drop"));
  EXPECT_GE(told.first.at("error-rate"), errors.begin);
  EXPECT_LE(told.first.at("error-rate") - errors.begin, seconds(10));
  EXPECT_GE(told.first.at("traffic-drop"), drop.begin);
  EXPECT_LE(told.first.at("traffic-drop") - drop.begin, seconds(20));
}

}  // namespace
}  // namespace honryu::processors::detector
