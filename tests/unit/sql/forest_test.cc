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

TEST(Forest, ArgumentsOutOfRangeAreErrorsOfThePlan) {
  const auto message = [](const std::string& arguments, const std::string& columns = "a") {
    const auto plan = Engine::Explain("CREATE STREAM m (a INTEGER, d DECIMAL(9,2));",
                                      "SELECT STREAM * FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM " +
                                          columns + " FROM m)" + arguments + "));",
                                      {});
    return plan.ok() ? std::string() : plan.error().message();
  };
  EXPECT_EQ(message(", 50, 100, 1000, 2"), "");
  EXPECT_NE(message(", 0").find("numberOfTrees must be a whole number from 1 to 1000"), std::string::npos);
  EXPECT_NE(message(", 100, 9").find("subSampleSize"), std::string::npos);
  EXPECT_NE(message(", 100, 256, 1, 31").find("shingleSize"), std::string::npos);
  EXPECT_NE(message(", 100, 256, 1, 1, true").find("expected CURSOR"), std::string::npos);
  EXPECT_NE(message("", "d").find("DECIMAL"), std::string::npos);
}

}  // namespace
}  // namespace honryu::sql
