// ParseScript and ToSql: any bytes give a tree or an error that can be shown; a printed tree parses to the
// same. A program that plans also runs, and an engine restored from its snapshot goes on with the same rows.
#include "honryu/base/check.h"
#include "honryu/sql/engine.h"
#include "honryu/sql/parser.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace {

namespace sql = honryu::sql;

constexpr std::string_view kPrelude =
    "CREATE STREAM \"SOURCE_SQL_STREAM\" (\"event_type\" VARCHAR, \"user_id\" VARCHAR);"
    "CREATE STREAM trades (ticker VARCHAR, k VARCHAR, order_id VARCHAR, id VARCHAR, price DOUBLE, event_time "
    "TIMESTAMP);"
    "CREATE STREAM orders (order_id VARCHAR, id VARCHAR, n INTEGER);"
    "CREATE STREAM t (k VARCHAR, x INTEGER, a INTEGER, ts TIMESTAMP, ok BOOLEAN, user_id VARCHAR, WATERMARK "
    "FOR ts AS ts);";
constexpr std::string_view kEvents =
    "CREATE STREAM events (event_type VARCHAR, user_id VARCHAR, k VARCHAR, page_name VARCHAR, name VARCHAR, "
    "n INTEGER,"
    "latitude DOUBLE, longitude DOUBLE, \"timestamp\" TIMESTAMP, properties JSON, ts TIMESTAMP,"
    "WATERMARK FOR ts AS ts - INTERVAL '10' SECOND);";

void Feed(sql::Engine& engine, int from, int to) {
  for (int i = from; i < to; ++i) {
    for (const std::string& name : engine.Sources()) {
      const std::size_t source = *engine.FindSource(name);
      const std::int64_t time = 1'795'219'200'000 + i * 17'000;
      std::string json =
          "{\"k\":\"" + std::string(1, static_cast<char>('a' + i % 3)) + "\",\"x\":" + std::to_string(i);
      json += ",\"user_id\":\"u" + std::to_string(i % 4) +
              "\",\"price\":1.5,\"ok\":true,\"n\":" + std::to_string(i % 2);
      json += ",\"ticker\":\"A\",\"order_id\":\"o\",\"id\":\"i\",\"event_type\":\"error\",\"ts\":" +
              std::to_string(time) + "}";
      sql::SourceRecord record;
      record.data = json;
      record.arrival_ms = time;
      engine.Push(source, engine.AddShard(source, "0"), record);
    }
  }
}

void Run(std::string_view program) {
  std::string rows[2];
  std::unique_ptr<sql::Engine> engines[2];
  std::string prelude(kPrelude);
  // Programs that declare the stream of events themselves are left to.
  if (program.find("TABLE events") == std::string_view::npos) prelude += kEvents;
  for (int i : {0, 1}) {
    sql::EngineOptions options;
    options.start_ms = 1'795'219'200'000;
    options.max_groups = 1000;
    auto made = sql::Engine::Create(prelude, program, options, [&rows, i](const sql::OutputRow& output) {
      rows[i] += output.stream + sql::RowToJson(output.columns, output.row.values) + "\n";
    });
    if (!made.ok()) {
      HONRYU_CHECK(!made.error().message().empty(), "an error says nothing");
      return;
    }
    engines[i] = std::move(*made);
  }
  Feed(*engines[0], 0, 6);
  const auto restored = engines[1]->Restore(engines[0]->Snapshot());
  HONRYU_CHECK(restored.ok(), "a snapshot is not taken back");
  rows[0].clear();
  for (const auto& engine : engines) {
    engine->AdvanceTime(1'795'219'200'000 + 120'000);
    Feed(*engine, 6, 12);
    engine->Finish();
  }
  HONRYU_CHECK(rows[0] == rows[1], "a restored engine goes on with other rows");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  sql::ParseLimits limits;
  limits.max_bytes = 64 * 1024;
  const auto script = sql::ParseScript(input, limits);
  if (!script.ok()) {
    HONRYU_CHECK(!script.error().message().empty(), "an error says nothing");
    return 0;
  }
  const std::string printed = sql::ToSql(*script);
  limits.max_bytes = 1024 * 1024;
  limits.max_nesting = 2000;  // the printed form has parentheses around every operator
  const auto again = sql::ParseScript(printed, limits);
  HONRYU_CHECK(again.ok(), "a printed program does not parse");
  HONRYU_CHECK(sql::ToSql(*again) == printed, "a printed program parses to another");
  Run(input);
  return 0;
}
