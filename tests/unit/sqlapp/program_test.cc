#include "honryu/sqlapp/program.h"

#include "honryu/sqlapp/row_writer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace honryu::sqlapp {
namespace {

std::string KpiText() {
  std::ifstream file(HONRYU_KPI_APP);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Result<Program> Load(std::string_view text) {
  sql::TableFunctionRegistry functions;
  sql::AddBuiltInTableFunctions(functions);
  return LoadProgram("app", text, functions);
}

TEST(Program, TheShippedKeyFiguresLoad) {
  const Result<Program> program = Load(KpiText());
  ASSERT_TRUE(program.ok()) << program.error().message();
  EXPECT_EQ(program->InputStreams(), std::vector<std::string>{"events"});
  EXPECT_TRUE(program->epochs);
  EXPECT_EQ(program->OutputOf("TOTALS")->stream, "kpi");
  EXPECT_EQ(program->OutputOf("TOTALS")->format, OutputFormat::kKpi);
  EXPECT_EQ(program->OutputOf("DAILY")->stream, "kpi") << "said so, although another query reads it";
  EXPECT_EQ(program->OutputOf("SEEN"), nullptr);
  EXPECT_EQ(program->OutputOf("TOLD_ALREADY"), nullptr);
  EXPECT_EQ(program->OutputOf("LATE_ROWS")->stream, "late-events");
  EXPECT_EQ(program->OutputOf("ERROR_STREAM")->stream, "kpi-errors");
}

TEST(Program, WhatNobodyReadsGoesOut) {
  const Result<Program> program = Load(R"(
    INSERT INTO "mid" SELECT "user_id", "event_type" FROM events;
    INSERT INTO last SELECT "user_id" FROM "mid";
    SELECT COUNT(*) FROM "SOURCE_SQL_STREAM_001" GROUP BY FLOOR(ROWTIME TO MINUTE) ON LATE SIDE STREAM behind;)");
  ASSERT_TRUE(program.ok()) << program.error().message();
  EXPECT_EQ(program->OutputOf("mid"), nullptr);
  EXPECT_EQ(program->OutputOf("LAST")->stream, "last");
  EXPECT_EQ(program->OutputOf("query_3")->stream, "query_3");
  EXPECT_EQ(program->OutputOf("BEHIND")->stream, "behind");
  EXPECT_EQ(program->sources.at("events"), "events");
  EXPECT_EQ(program->sources.at("SOURCE_SQL_STREAM_001"), "events");
  EXPECT_EQ(program->error_stream, "app-errors");
}

TEST(Program, SaysWhereItBegins) {
  const std::string pumps =
      "CREATE STREAM s (k VARCHAR); CREATE PUMP p AS INSERT INTO s SELECT \"user_id\" FROM events; "
      "CREATE PUMP q AS INSERT INTO s SELECT \"event_type\" FROM events; ";
  const auto begin = [&pumps](std::string_view resets) {
    const Result<Program> program = Load(pumps + std::string(resets));
    return program.ok() ? program->begin : program.error().message();
  };
  EXPECT_EQ(begin(""), "");
  EXPECT_EQ(begin("ALTER PUMP p RESET TO EARLIEST"), "trim_horizon");
  EXPECT_EQ(begin("ALTER PUMP p RESET TO latest; ALTER PUMP q RESET TO 'LATEST'"), "latest");
  EXPECT_EQ(begin("ALTER PUMP p RESET TO 1442018700000"), "at:1442018700000");
  EXPECT_EQ(begin("ALTER PUMP p RESET TO TIMESTAMP '2026-11-21T10:00:00Z'"), "2026-11-21T10:00:00Z");
  EXPECT_EQ(begin("ALTER PUMP p RESET TO '-15m'"), "-15m");
  EXPECT_NE(begin("ALTER PUMP p RESET TO 'noon'").find("pump 'p': RESET TO takes"), std::string::npos);
  EXPECT_NE(begin("ALTER PUMP p RESET TO LATEST; ALTER PUMP q RESET TO EARLIEST").find("pump 'q'"),
            std::string::npos);
}

TEST(Program, FaultsAreNamed) {
  const auto message = [](std::string_view text) { return Load(text).error().message(); };
  EXPECT_NE(message("SELECT usr_id FROM events").find("did you mean 'user_id'"), std::string::npos);
  EXPECT_NE(message("CREATE STREAM a (x INT) WITH (format = 'xml'); INSERT INTO a SELECT 1 FROM events")
                .find("'json' or 'kpi'"),
            std::string::npos);
  EXPECT_NE(message("CREATE STREAM a (x INT) WITH (stream = 'events'); INSERT INTO a SELECT 1 FROM events")
                .find("feed itself"),
            std::string::npos);
  EXPECT_NE(message("CREATE TABLE t (x INT) WITH (source = 's3://b')").find("file:PATH"), std::string::npos);
}

TEST(RowWriter, ARowOfKeyFiguresBecomesARecordForEachNumber) {
  const Result<Program> program = Load(KpiText());
  ASSERT_TRUE(program.ok());
  const std::string stream = "TOTALS";
  sql::Columns columns = {{"WINDOW_START", sql::TimestampType()}, {"WINDOW_END", sql::TimestampType()},
                          {"EVENT_TYPE", sql::VarcharType()},     {"USERS", sql::BigIntType()},
                          {"ERROR_RATE", sql::DoubleType()},      {"REVISION", sql::BigIntType()}};
  sql::Row row;
  row.values = {sql::Value::Int(1442018700000),
                sql::Value::Int(1442018760000),
                sql::Value::Text("a=b"),
                sql::Value::Int(20000),
                sql::Value(),
                sql::Value::Int(30000)};
  row.final = false;
  std::vector<OutputRecord> out;
  WriteRow(*program, {stream, columns, row}, 0xab, 1, 0, out);
  ASSERT_EQ(out.size(), 1u) << "a rate that is NULL has no record";
  EXPECT_EQ(out[0].stream, "kpi");
  EXPECT_EQ(out[0].partition_key, "users/event_type=a=b");
  EXPECT_EQ(out[0].json,
            R"({"id":"1m/2015-09-12T00:45:00.000Z/users/event_type=a=b","metric":"users","window":"1m",)"
            R"("start":1442018700000,"end":1442018760000,"group":"event_type=a=b","value":20000,)"
            R"("approximate":true,"final":false,"revision":30000})");
}

TEST(RowWriter, OtherRowsCarryAnIdThatARepetitionGivesAgain) {
  const Result<Program> program = Load("INSERT INTO last SELECT \"user_id\" FROM events");
  ASSERT_TRUE(program.ok());
  const std::string stream = "LAST";
  const sql::Columns columns = {{"user_id", sql::VarcharType()}};
  sql::Row row;
  row.time = 5;
  row.values = {sql::Value::Text("u")};
  std::vector<OutputRecord> out;
  WriteRow(*program, {stream, columns, row}, 0xab, 17, 3, out);
  row.id = 255;
  row.revision = 2;
  WriteRow(*program, {stream, columns, row}, 0xab, 18, 0, out);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].json, R"({"_id":"LAST/rab-11-3","_time":5,"_final":true,"user_id":"u"})");
  EXPECT_EQ(out[0].partition_key, "LAST/rab-11-3");
  EXPECT_EQ(out[1].json,
            R"({"_id":"LAST/w00000000000000ff.2","_time":5,"_final":true,"_revision":2,"user_id":"u"})");
}

}  // namespace
}  // namespace honryu::sqlapp
