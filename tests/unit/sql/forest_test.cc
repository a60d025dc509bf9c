#include "honryu/base/random.h"
#include "honryu/codec/json.h"
#include "honryu/sql/engine.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace honryu::sql {
namespace {

using Rows = std::map<std::string, std::vector<std::string>>;

std::unique_ptr<Engine> MakeEngine(const std::string& prelude, const std::string& sql, Rows* rows) {
  auto engine = Engine::Create(prelude, sql, {}, [rows](const OutputRow& output) {
    (*rows)[output.stream].push_back(RowToJson(output.columns, output.row.values));
  });
  EXPECT_TRUE(engine.ok()) << engine.error().message();
  return engine.ok() ? std::move(*engine) : nullptr;
}

void Push(Engine& engine, const std::string& stream, std::int64_t time, const std::string& json) {
  const std::size_t source = *engine.FindSource(stream);
  SourceRecord record;
  record.data = json;
  record.arrival_ms = time;
  engine.Push(source, engine.AddShard(source, "0"), record);
}

double Number(const std::string& json, const char* member) {
  const auto parsed = codec::Json::Parse(json);
  const codec::Json* found = parsed->Find(member);
  return found == nullptr ? -1 : found->DoubleOr(-1);
}

constexpr const char* kPrelude =
    "CREATE STREAM \"SOURCE_SQL_STREAM\" (\"event_type\" VARCHAR(32), \"user_id\" VARCHAR(64));";

// The two-stage program of the users, word for word.
constexpr const char* kProgram = R"sql(
-- 入力ストリームの集計
CREATE OR REPLACE STREAM "AGGREGATED_STREAM" (
"timestamp" TIMESTAMP,
"event_count" INTEGER,
"error_count" INTEGER,
"unique_users" INTEGER
);
CREATE OR REPLACE PUMP "AGGREGATE_PUMP" AS
INSERT INTO "AGGREGATED_STREAM"
SELECT STREAM
FLOOR(ROWTIME TO MINUTE),
COUNT(*),
SUM(CASE WHEN "event_type" = 'error' THEN 1 ELSE 0 END),
COUNT(DISTINCT "user_id")
FROM "SOURCE_SQL_STREAM"
GROUP BY FLOOR(ROWTIME TO MINUTE);
-- Random Cut Forest による異常検知
CREATE OR REPLACE STREAM "ANOMALY_STREAM" (
"timestamp" TIMESTAMP,
"event_count" INTEGER,
"error_count" INTEGER,
"anomaly_score" DOUBLE
);
CREATE OR REPLACE PUMP "ANOMALY_PUMP" AS
INSERT INTO "ANOMALY_STREAM"
SELECT STREAM
"timestamp",
"event_count",
"error_count",
ANOMALY_SCORE
FROM TABLE(
RANDOM_CUT_FOREST(
CURSOR(SELECT STREAM * FROM "AGGREGATED_STREAM"),
100, -- numberOfTrees
256, -- subSampleSize
100000, -- timeDecay
1 -- shingleSize
)
)
WHERE ANOMALY_SCORE > 2.0; -- 異常スコアしきい値
)sql";

// Four hours of some 20 events a minute with one error or none; in minute 200 thirty errors.
Rows RunProgram(bool restart) {
  Rows rows;
  Random random(7);
  auto engine = MakeEngine(kPrelude, kProgram, &rows);
  for (std::int64_t minute = 0; minute < 240; ++minute) {
    const std::uint64_t events = 18 + random.Below(5), errors = minute == 200 ? 30 : random.Below(2);
    for (std::uint64_t i = 0; i < events + errors; ++i)
      Push(*engine, "SOURCE_SQL_STREAM", minute * 60'000 + static_cast<std::int64_t>(i) * 100,
           R"({"event_type":")" + std::string(i < events ? "page_view" : "error") + R"(","user_id":"u)" +
               std::to_string(random.Below(10)) + "\"}");
    if (!restart || minute % 50 != 17) continue;
    const std::string snapshot = engine->Snapshot();
    engine = MakeEngine(kPrelude, kProgram, &rows);
    EXPECT_TRUE(engine->Restore(snapshot).ok());
  }
  engine->Finish();
  return rows;
}

TEST(Forest, TheTwoStageProgramFindsTheMinuteWithErrors) {
  const Rows rows = RunProgram(false);
  EXPECT_EQ(rows.at("AGGREGATED_STREAM").size(), 240u);
  ASSERT_TRUE(rows.contains("ANOMALY_STREAM"));
  const std::vector<std::string>& anomalies = rows.at("ANOMALY_STREAM");
  bool found = false;
  for (const std::string& row : anomalies) found = found || Number(row, "error_count") == 30;
  EXPECT_TRUE(found);
  EXPECT_LE(anomalies.size(), 12u) << "too many false alarms: " << anomalies.size();
  for (const std::string& row : anomalies) EXPECT_GT(Number(row, "anomaly_score"), 2.0);
}

TEST(Forest, ARestartInTheMiddleGivesTheSameScores) { EXPECT_EQ(RunProgram(true), RunProgram(false)); }

TEST(Forest, AttributionsSumToTheScoreAndASpikeIsHigh) {
  Rows rows;
  auto engine = MakeEngine(
      "CREATE STREAM m (errors INTEGER, latency DOUBLE, ignored DECIMAL(9,2), label VARCHAR);",
      "SELECT STREAM errors, ANOMALY_SCORE, ANOMALY_EXPLANATION, ANOMALY_GRADE FROM TABLE("
      "RANDOM_CUT_FOREST_WITH_EXPLANATION(CURSOR(SELECT STREAM * FROM m), 100, 256, 100000, 1, true));"
      "SELECT STREAM * FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM errors, latency FROM m)));",
      &rows);
  Random random(3);
  for (int i = 0; i < 400; ++i) {
    const std::string errors = std::to_string(i == 399 ? 100 : 2 + random.Below(4));
    const std::string latency = std::to_string(50 + random.Below(20));
    Push(*engine, "m", i * 60'000,
         R"({"errors":)" + errors + R"(,"latency":)" + latency + R"(,"ignored":1.25,"label":"x"})");
  }
  engine->Finish();
  const std::vector<std::string>& scored = rows.at("query_1");
  ASSERT_EQ(scored.size(), 400u);
  EXPECT_EQ(Number(scored[0], "ANOMALY_SCORE"), 0);  // nothing to compare with yet
  for (std::size_t i = 40; i < scored.size(); ++i) {
    const auto row = codec::Json::Parse(scored[i]);
    const auto explanation = codec::Json::Parse(row->Find("ANOMALY_EXPLANATION")->StringOr(""));
    ASSERT_TRUE(explanation.ok());
    double sum = 0;
    for (const char* column : {"ERRORS", "LATENCY"})
      sum += std::stod(std::string(explanation->Find(column)->Find("ATTRIBUTION_SCORE")->StringOr("-9")));
    EXPECT_EQ(explanation->Find("IGNORED"), nullptr);
    EXPECT_NEAR(sum, Number(scored[i], "ANOMALY_SCORE"), 1.1e-4);  // printed with four decimals
  }
  const std::string& spike = scored.back();
  EXPECT_GT(Number(spike, "ANOMALY_SCORE"), 2.0);
  EXPECT_GT(Number(spike, "ANOMALY_GRADE"), 0.5);
  EXPECT_NE(spike.find(R"(\"ERRORS\":{\"DIRECTION\":\"HIGH\")"), std::string::npos) << spike;
  // * has the grade not in it, since targets are filled by position.
  EXPECT_EQ(rows.at("query_2").back().find("GRADE"), std::string::npos);
}

// ---- arguments: the ranges of the Kinesis functions, and what a program outside of them is told ----

std::string PlanOf(const std::string& call) {
  const auto plan = Engine::Explain(
      "CREATE STREAM m (t TINYINT, s SMALLINT, i INTEGER, b BIGINT, r REAL, f FLOAT, x DOUBLE, d "
      "DECIMAL(9,2), "
      "v VARCHAR);",
      "SELECT STREAM * FROM TABLE(" + call + ");", {});
  return plan.ok() ? std::string() : plan.error().message();
}

TEST(Forest, TakesEveryArgumentUpToTheEndsOfItsRange) {
  const std::string cursor = "CURSOR(SELECT STREAM x FROM m)";
  for (const char* arguments :
       {"", ", 1", ", 1000", ", 100, 10", ", 100, 1000", ", 100, 256, 1", ", 100, 256, 2147483647",
        ", 100, 256, 100000, 1", ", 100, 256, 100000, 30"}) {
    EXPECT_EQ(PlanOf("RANDOM_CUT_FOREST(" + cursor + arguments + ")"), "") << arguments;
    EXPECT_EQ(PlanOf("RANDOM_CUT_FOREST_WITH_EXPLANATION(" + cursor + arguments + ")"), "") << arguments;
  }
  for (const char* flag : {"true", "FALSE"})
    EXPECT_EQ(PlanOf("RANDOM_CUT_FOREST_WITH_EXPLANATION(" + cursor + ", 100, 256, 100000, 1, " + flag + ")"),
              "");
}

TEST(Forest, ArgumentsOutOfRangeAreErrorsOfThePlan) {
  const std::string cursor = "CURSOR(SELECT STREAM x FROM m)";
  const struct {
    const char* arguments;
    const char* told;
  } cases[] = {
      {", 0", "numberOfTrees must be a whole number from 1 to 1000"},
      {", 1001", "numberOfTrees must be a whole number from 1 to 1000"},
      {", 1.5", "numberOfTrees must be a whole number from 1 to 1000"},
      {", 'many'", "numberOfTrees must be a whole number from 1 to 1000"},
      {", NULL", "numberOfTrees must be a whole number from 1 to 1000"},
      {", 100, 9", "subSampleSize must be a whole number from 10 to 1000"},
      {", 100, 1001", "subSampleSize must be a whole number from 10 to 1000"},
      {", 100, 256, 0", "timeDecay must be a whole number from 1 to 2147483647"},
      {", 100, 256, 2147483648", "timeDecay must be a whole number from 1 to 2147483647"},
      {", 100, 256, 1, 0", "shingleSize must be a whole number from 1 to 30"},
      {", 100, 256, 1, 31", "shingleSize must be a whole number from 1 to 30"},
      {", 100, 256, 1, -1", "shingleSize must be a whole number from 1 to 30"},
  };
  for (const auto& [arguments, told] : cases) {
    for (const char* function : {"RANDOM_CUT_FOREST", "RANDOM_CUT_FOREST_WITH_EXPLANATION"}) {
      const std::string message = PlanOf(std::string(function) + "(" + cursor + arguments + ")");
      EXPECT_NE(message.find(told), std::string::npos) << arguments << ": " << message;
    }
  }
  const auto told = [](const std::string& call, const char* what) {
    const std::string message = PlanOf(call);
    EXPECT_NE(message.find(what), std::string::npos) << call << ": " << message;
  };
  told("RANDOM_CUT_FOREST(" + cursor + ", 100, 256, 1, 1, true)",
       "expected CURSOR, numberOfTrees, subSampleSize, timeDecay, shingleSize");
  told("RANDOM_CUT_FOREST_WITH_EXPLANATION(" + cursor + ", 100, 256, 1, 1, 1)",
       "withDirectionality must be true or false");
  told("RANDOM_CUT_FOREST_WITH_EXPLANATION(" + cursor + ", 100, 256, 1, 1, true, 1)", "withDirectionality");
  told("RANDOM_CUT_FOREST(CURSOR(SELECT STREAM d FROM m))", "DECIMAL does not count");
  told("RANDOM_CUT_FOREST(CURSOR(SELECT STREAM v FROM m))", "no numeric column");
}

TEST(Hotspots, ArgumentsOutOfRangeAreErrorsOfThePlan) {
  const std::string cursor = "HOTSPOTS(CURSOR(SELECT STREAM x, i FROM m)";
  for (const char* arguments : {", 100, 0.001, 2", ", 1000, 1, 1000", ", 1000, 1e300, 20"})
    EXPECT_EQ(PlanOf(cursor + arguments + ")"), "") << arguments;
  const struct {
    const char* arguments;
    const char* told;
  } cases[] = {
      {", 99, 0.1, 20", "windowSize must be a whole number from 100 to 1000"},
      {", 1001, 0.1, 20", "windowSize must be a whole number from 100 to 1000"},
      {", 100.5, 0.1, 20", "windowSize must be a whole number from 100 to 1000"},
      {", 100, 0, 20", "scanRadius must be a number above 0"},
      {", 100, -1, 20", "scanRadius must be a number above 0"},
      {", 100, NULL, 20", "scanRadius must be a number above 0"},
      {", 100, 0.1, 1", "minimumNumberOfPointsInACluster must be a whole number from 2 to 100"},
      {", 100, 0.1, 101", "minimumNumberOfPointsInACluster must be a whole number from 2 to 100"},
      {", 100, 0.1, 2.5", "minimumNumberOfPointsInACluster must be a whole number from 2 to 100"},
      {", 100, 0.1", "expected CURSOR, windowSize, scanRadius, minimumNumberOfPointsInACluster"},
  };
  for (const auto& [arguments, told] : cases) {
    const std::string message = PlanOf(cursor + arguments + ")");
    EXPECT_NE(message.find(told), std::string::npos) << arguments << ": " << message;
  }
  EXPECT_NE(PlanOf("HOTSPOTS(CURSOR(SELECT STREAM v FROM m), 100, 0.1, 20)").find("no numeric column"),
            std::string::npos);
}

// ---- columns ----

// "name TYPE, name TYPE" of what `select` gives.
std::string ColumnsOf(const std::string& select) {
  std::string columns;
  auto engine = Engine::Create(
      "CREATE STREAM m (label VARCHAR(9), i INTEGER, at TIMESTAMP, x DOUBLE, d DECIMAL(9,2));", select, {},
      [&columns](const OutputRow& output) {
        columns.clear();
        for (const Column& column : output.columns)
          columns += (columns.empty() ? "" : ", ") + column.name + " " + column.type.ToString();
      });
  EXPECT_TRUE(engine.ok()) << engine.error().message();
  if (!engine.ok()) return "";
  Push(**engine, "m", 1000, R"({"label":"a","i":1,"at":"2026-11-21 10:00:00","x":0.5,"d":1.25})");
  (*engine)->Finish();
  return columns;
}

TEST(TableFunctions, GiveTheColumnsOfTheirInputAndTheirOwn) {
  const std::string input = "LABEL VARCHAR(9), I INTEGER, AT TIMESTAMP, X DOUBLE, D DECIMAL(9,2)";
  const std::string cursor = "(CURSOR(SELECT STREAM * FROM m)";
  EXPECT_EQ(ColumnsOf("SELECT STREAM * FROM TABLE(RANDOM_CUT_FOREST" + cursor + "));"),
            input + ", ANOMALY_SCORE DOUBLE");
  EXPECT_EQ(ColumnsOf("SELECT STREAM * FROM TABLE(RANDOM_CUT_FOREST_WITH_EXPLANATION" + cursor + "));"),
            input + ", ANOMALY_SCORE DOUBLE, ANOMALY_EXPLANATION VARCHAR");
  EXPECT_EQ(ColumnsOf("SELECT STREAM ANOMALY_GRADE FROM TABLE(RANDOM_CUT_FOREST" + cursor + "));"),
            "ANOMALY_GRADE DOUBLE");
  EXPECT_EQ(ColumnsOf("SELECT STREAM * FROM TABLE(HOTSPOTS" + cursor + ", 100, 1, 2));"),
            input + ", HOTSPOTS_RESULT VARCHAR");
}

TEST(Forest, AMissingValueIsARowLikeTheOthers) {
  Rows rows;
  auto engine = MakeEngine(
      "CREATE STREAM m (a INTEGER, x DOUBLE);",
      "SELECT STREAM a, ANOMALY_SCORE, ANOMALY_EXPLANATION FROM TABLE(RANDOM_CUT_FOREST_WITH_EXPLANATION("
      "CURSOR(SELECT STREAM * FROM m), 100, 64, 1000, 1, true));",
      &rows);
  Random random(2);
  for (int i = 0; i < 300; ++i) {
    const std::string a = i % 10 == 9 ? "null" : std::to_string(random.Below(20));
    const std::string x = i % 15 == 9 ? "null" : std::to_string(random.Unit());
    Push(*engine, "m", i * 1000, R"({"a":)" + a + R"(,"x":)" + x + "}");
  }
  engine->Finish();
  const std::vector<std::string>& scored = rows.at("query_1");
  ASSERT_EQ(scored.size(), 300u);
  for (int i = 100; i < 300; ++i) {
    const double score = Number(scored[static_cast<std::size_t>(i)], "ANOMALY_SCORE");
    if (i % 30 == 9) EXPECT_EQ(score, 0) << i;  // nothing is there
    if (i % 30 != 9) EXPECT_GT(score, 0.3) << i;
    EXPECT_LT(score, 3) << i;
  }
}

Rows RunHotspots(bool restart) {
  const std::string program =
      "SELECT STREAM n, HOTSPOTS_RESULT FROM TABLE(HOTSPOTS(CURSOR(SELECT STREAM * FROM p), 100, 0.1, 3));";
  const std::string prelude = "CREATE STREAM p (n VARCHAR, x DOUBLE, y INTEGER);";
  Rows rows;
  Random random(4);
  auto engine = MakeEngine(prelude, program, &rows);
  for (int i = 0; i < 250; ++i) {
    const std::string x = i % 20 == 7 ? "null" : std::to_string(random.Unit() * 4);
    Push(*engine, "p", i * 1000,
         R"({"n":")" + std::to_string(i) + R"(","x":)" + x + R"(,"y":)" + std::to_string(random.Below(3)) +
             "}");
    if (!restart || i % 40 != 33) continue;
    const std::string snapshot = engine->Snapshot();
    engine = MakeEngine(prelude, program, &rows);
    EXPECT_TRUE(engine->Restore(snapshot).ok());
  }
  engine->Finish();
  return rows;
}

TEST(Hotspots, EveryRowShowsThoseOfTheWindowAlsoAfterARestart) {
  const Rows rows = RunHotspots(false);
  const std::vector<std::string>& shown = rows.at("query_1");
  ASSERT_EQ(shown.size(), 250u);  // rows with a NULL too
  std::size_t some = 0;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const codec::Json row = codec::Json::Parse(shown[i]).value();
    const std::string result(row.Find("HOTSPOTS_RESULT")->StringOr(""));
    const auto parsed = codec::Json::Parse(result);
    ASSERT_TRUE(parsed.ok()) << result;
    some += parsed->Find("hotspots")->array().empty() ? 0 : 1;
    if (i % 20 != 7 || i == 0) continue;  // a NULL is no point: nothing has changed
    EXPECT_EQ(result, codec::Json::Parse(shown[i - 1])->Find("HOTSPOTS_RESULT")->StringOr(""));
  }
  EXPECT_GT(some, 100u);
  EXPECT_EQ(RunHotspots(true), rows);
}

}  // namespace
}  // namespace honryu::sql
