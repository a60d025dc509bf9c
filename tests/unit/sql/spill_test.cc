#include "honryu/base/random.h"
#include "honryu/sql/engine.h"
#include "honryu/sql/state_spill.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace honryu::sql {
namespace {

constexpr const char* kPrelude =
    "CREATE STREAM e (k VARCHAR, v BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND);"
    "CREATE STREAM f (k VARCHAR, v BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND);";

// A spill whose calls can be made to fail.
class BrokenSpill final : public StateSpill {
 public:
  Result<void> Put(std::span<const Entry> entries) override {
    return broken ? Result<void>(Failure()) : inner.Put(entries);
  }
  Result<std::optional<std::string>> Get(std::string_view key) override {
    if (broken) return Failure();
    return inner.Get(key);
  }
  Result<void> Erase(std::span<const std::string> keys) override { return inner.Erase(keys); }
  Result<void> EraseRange(std::string_view from, std::string_view to) override {
    return inner.EraseRange(from, to);
  }
  Result<void> Scan(std::string_view from, std::string_view to, const Visitor& visit) override {
    return broken ? Result<void>(Failure()) : inner.Scan(from, to, visit);
  }
  std::size_t Bytes() const override { return inner.Bytes(); }

  static Error Failure() { return Error(ErrorCode::kIo, "the disk is gone"); }
  bool broken = false;
  MemorySpill inner{std::size_t{1} << 30};
};

class Fixture {
 public:
  Fixture(const std::string& sql, std::size_t max_state_bytes, StateSpill* spill) : sql_(sql) {
    options_.max_skew_ms = 1'000'000'000'000;
    options_.max_state_bytes = max_state_bytes;
    options_.spill = spill;
    Start();
  }
  void Start() {
    auto made = Engine::Create(kPrelude, sql_, options_, [this](const OutputRow& output) {
      rows[output.stream].push_back(
          std::to_string(output.row.time) + " " + RowToJson(output.columns, output.row.values) +
          (output.row.final ? "" : " partial") + (output.row.revision > 0 ? " revised" : ""));
    });
    EXPECT_TRUE(made.ok()) << made.error().message();
    engine = std::move(*made);
  }
  void Push(std::int64_t time, const std::string& key, std::int64_t value, const char* stream = "e") {
    const std::size_t source = *engine->FindSource(stream);
    const std::string json =
        "{\"ts\":" + std::to_string(time) + ",\"k\":\"" + key + "\",\"v\":" + std::to_string(value) + "}";
    SourceRecord record;
    record.data = json;
    record.arrival_ms = time;
    engine->Push(source, engine->AddShard(source, "0"), record);
  }
  std::map<std::string, std::vector<std::string>> Sorted() const {
    auto sorted = rows;
    for (auto& [stream, lines] : sorted) std::sort(lines.begin(), lines.end());
    return sorted;
  }

  void Restart() {
    const std::string snapshot = engine->Snapshot();
    Start();
    EXPECT_TRUE(engine->Restore(snapshot).ok());
  }

  std::map<std::string, std::vector<std::string>> rows;
  std::unique_ptr<Engine> engine;

 private:
  std::string sql_;
  EngineOptions options_;
};

// Some 3,000 keys a minute, with sums, distinct counts, sessions, early rows and corrections.
constexpr const char* kProgram =
    "SELECT k, COUNT(*) AS n, SUM(v) AS s, COUNT(DISTINCT v) AS u FROM e GROUP BY k, FLOOR(ts TO MINUTE);"
    "SELECT k, SUM(v) AS s FROM e GROUP BY k, FLOOR(ts TO MINUTE) EMIT EVERY INTERVAL '5' SECOND;"
    "SELECT k, COUNT(*) AS n FROM e GROUP BY k, SESSION(ts, INTERVAL '20' SECOND) EMIT EVERY INTERVAL '5' "
    "SECOND;"
    "SELECT k, MAX(v) AS m FROM e GROUP BY k, HOP(ts, INTERVAL '20' SECOND, INTERVAL '60' SECOND)"
    " ALLOWED LATENESS INTERVAL '30' SECOND ON LATE UPDATE;"
    "SELECT k, COUNT(*) AS n FROM e WINDOWED BY STAGGER (PARTITION BY k RANGE INTERVAL '1' MINUTE);";

// What waits, frames, joins, sorts: 3,000 keys, two streams.
constexpr const char* kRows =
    "SELECT k, v, COUNT(*) OVER w AS n, SUM(v) OVER w AS s, COUNT(DISTINCT v) OVER w AS u FROM e"
    " WINDOW w AS (PARTITION BY k RANGE INTERVAL '30' SECOND PRECEDING);"
    "SELECT k, v, SUM(v / 7.0) OVER (RANGE INTERVAL '20' SECOND PRECEDING) AS s FROM e;"
    "SELECT k, MAX(v) OVER (PARTITION BY k ROWS 3 PRECEDING) AS m, COUNT(*) OVER (PARTITION BY k) AS n FROM "
    "e;"
    "SELECT e.k, e.v AS x, f.v AS y FROM e LEFT JOIN f WITHIN 20 SECONDS ON e.k = f.k;"
    "SELECT e.k AS a, f.k AS b, e.v AS x, f.v AS y FROM e FULL JOIN f WITHIN 4 SECONDS ON e.k = f.k AND e.v "
    "> f.v;"
    "SELECT k, v FROM e ORDER BY FLOOR(ROWTIME TO MINUTE), v DESC, k;"
    "SELECT k, COUNT(*) AS n FROM e GROUP BY MONOTONIC(UNIX_TIMESTAMP(ts) / 3600000), k;"
    "SELECT k, SUM(n) OVER (RANGE INTERVAL '5' MINUTE PRECEDING) AS s FROM"
    " (SELECT k, COUNT(*) AS n FROM e GROUP BY k, FLOOR(ts TO MINUTE)) AS a;";

void FeedRows(Fixture& fixture, std::uint64_t seed, std::size_t limit, std::size_t restart_at) {
  Random random(seed);
  std::size_t most = 0;
  for (std::int64_t i = 0; i < 6000; ++i) {
    const std::int64_t late = static_cast<std::int64_t>(random.Below(1000));
    const char* stream = random.Chance(0.4) ? "f" : "e";
    fixture.Push(1'000'000 + i * 15 - late, "key-" + std::to_string(random.Below(1500)),
                 static_cast<std::int64_t>(random.Below(50)), stream);
    if (limit > 0 && i % 50 == 0) most = std::max(most, fixture.engine->StateBytes());
    if (static_cast<std::size_t>(i) + 1 == restart_at) fixture.Restart();
  }
  fixture.engine->Finish();
  if (limit > 0) EXPECT_LT(most, 3 * limit);
}

TEST(Spill, RowsThatWaitFramesJoinsAndSortsAreTheSameWithAndWithout) {
  Fixture plain(kRows, 0, nullptr);
  FeedRows(plain, 1, 0, 0);
  EXPECT_GT(plain.rows.at("query_4").size(), 1000u);
  MemorySpill unused(std::size_t{1} << 30);
  Fixture roomy(kRows, std::size_t{1} << 40, &unused);
  FeedRows(roomy, 1, 0, 0);
  EXPECT_EQ(unused.size(), 0u);
  EXPECT_TRUE(plain.Sorted() == roomy.Sorted());
  for (const std::size_t restart_at : {0u, 2000u, 4000u}) {
    constexpr std::size_t kLimit = 100'000;
    MemorySpill spill(std::size_t{1} << 30);
    Fixture spilling(kRows, kLimit, &spill);
    FeedRows(spilling, 1, kLimit, restart_at);
    EXPECT_TRUE(spilling.engine->Status().ok());
    // In the same order, too.
    for (const auto& [stream, lines] : roomy.rows)
      EXPECT_TRUE(spilling.rows[stream] == lines) << stream << ", restarted behind row " << restart_at;
    EXPECT_EQ(spill.size(), 0u);
  }
}

TEST(Spill, EveryOperatorThatGrowsCountsAndSpills) {
  MemorySpill spill(std::size_t{1} << 30);
  Fixture fixture(kRows, 1000, &spill);
  for (std::int64_t i = 0; i < 1000; ++i) {
    fixture.Push(3'600'000 + i * 10, "key-" + std::to_string(i), i);
    fixture.Push(3'600'000 + i * 10, "key-" + std::to_string(i), i, "f");
  }
  std::map<std::string_view, std::size_t> operators;
  for (const OperatorState& state : fixture.engine->OperatorStates()) {
    if (state.kind == "table function" || (state.kind == "over" && state.pump == "query_8")) continue;
    ++operators[state.kind];
    EXPECT_GT(state.spilled, 50u) << state.pump << " " << state.kind;
    EXPECT_LT(state.bytes, 20'000u) << state.pump << " " << state.kind;
  }
  const std::map<std::string_view, std::size_t> expected = {
      {"over", 4}, {"join", 2}, {"sort", 1}, {"increasing key", 1}, {"windows", 1}};
  EXPECT_EQ(operators, expected);
  EXPECT_LT(fixture.engine->StateBytes(), 50'000u);
}

// Sums of doubles depend on the order in which they are added: it is that of the rows, wherever they were.
TEST(Spill, LongFramesAddUpToTheLastDigitAlike) {
  const std::string sql =
      "SELECT v, SUM(v / 7.0) OVER w AS s, AVG(v * 0.1) OVER w AS a, STDDEV_POP(v / 3.0) OVER w AS d FROM e"
      " WINDOW w AS (RANGE INTERVAL '40' SECOND PRECEDING);";
  const auto feed = [](Fixture& fixture, std::size_t restart_every) {
    Random random(3);
    for (std::int64_t i = 0; i < 6000; ++i) {
      fixture.Push(i * 10, "k", static_cast<std::int64_t>(random.Below(1'000'000)));
      if (restart_every > 0 && static_cast<std::size_t>(i) % restart_every == restart_every - 1)
        fixture.Restart();
    }
    fixture.engine->Finish();
  };
  Fixture plain(sql, 0, nullptr);
  feed(plain, 0);
  Fixture restarted(sql, 0, nullptr);
  feed(restarted, 777);
  EXPECT_TRUE(restarted.rows == plain.rows);
  MemorySpill spill(std::size_t{1} << 30);
  Fixture spilling(sql, 40'000, &spill);
  feed(spilling, 0);
  EXPECT_TRUE(spilling.rows == plain.rows);
  MemorySpill other(std::size_t{1} << 30);
  Fixture both(sql, 40'000, &other);
  feed(both, 501);
  EXPECT_TRUE(both.rows == plain.rows);
}

TEST(Spill, WithoutRoomRowsAreRefusedAndThoseThatAreThereGoOn) {
  for (const char* sql : {"SELECT k, COUNT(*) OVER (RANGE INTERVAL '1' MINUTE PRECEDING) AS n FROM e;",
                          "SELECT k FROM e ORDER BY FLOOR(ROWTIME TO MINUTE), k;",
                          "SELECT e.k FROM e LEFT JOIN f WITHIN 1 MINUTE ON e.k = f.k;"}) {
    SCOPED_TRACE(sql);
    MemorySpill spill(5000);
    Fixture fixture(sql, 20'000, &spill);
    for (std::int64_t i = 0; i < 1000; ++i) {
      fixture.Push(i, "key-" + std::to_string(i), 1);
      EXPECT_LT(fixture.engine->StateBytes(), 30'000u);
    }
    const std::size_t refused = fixture.rows["ERROR_STREAM"].size();
    EXPECT_GT(refused, 100u);
    EXPECT_LT(refused, 1000u);
    EXPECT_NE(fixture.rows["ERROR_STREAM"][0].find("no room for a new row"), std::string::npos);
    fixture.engine->Finish();
    EXPECT_EQ(fixture.rows["query_1"].size(), 1000 - refused);
    EXPECT_TRUE(fixture.engine->Status().ok());
  }
}

TEST(Spill, KeysOfFramesWithoutAnEndAreForgottenWhenIdle) {
  MemorySpill spill(std::size_t{1} << 30);
  Fixture fixture(
      "SET state_ttl = '10 seconds';"
      "SELECT k, COUNT(*) OVER (PARTITION BY k) AS n, SUM(v) OVER (PARTITION BY k ROWS 5 PRECEDING) AS s "
      "FROM e;",
      2000, &spill);
  for (std::int64_t i = 0; i < 200; ++i) fixture.Push(1000 + i, "key-" + std::to_string(i), 1);
  fixture.Push(5000, "key-3", 1);
  fixture.Push(9000, "key-3", 1);
  EXPECT_GT(spill.size(), 100u);
  fixture.Push(30'000, "other", 1);
  fixture.Push(60'000, "other", 1);
  EXPECT_LE(fixture.engine->StateEntries(), 6u);
  fixture.Push(60'000, "key-3", 1);
  fixture.engine->Finish();
  const auto& rows = fixture.rows["query_1"];
  EXPECT_EQ(std::count(rows.begin(), rows.end(), R"(9000 {"K":"key-3","N":3,"S":3})"), 1);
  EXPECT_EQ(std::count(rows.begin(), rows.end(), R"(60000 {"K":"key-3","N":1,"S":1})"), 1);
}

void Feed(Fixture& fixture, std::uint64_t seed, std::size_t limit) {
  Random random(seed);
  std::size_t most = 0;
  for (std::int64_t i = 0; i < 10'000; ++i) {
    const std::int64_t late = random.Chance(0.02) ? static_cast<std::int64_t>(random.Below(20'000)) : 0;
    fixture.Push(1'000'000 + i * 5 - late, "key-" + std::to_string(random.Below(3000)),
                 static_cast<std::int64_t>(random.Below(50)));
    if (i % 1000 == 0) fixture.engine->AdvanceTime(1'000'000 + i * 5);
    if (limit > 0 && i % 100 == 0)
      for (const OperatorState& state : fixture.engine->OperatorStates()) most = std::max(most, state.bytes);
  }
  fixture.engine->Finish();
  if (limit > 0) EXPECT_LT(most, 4 * limit);  // tables grow by doubling
}

TEST(Spill, RowsAreTheSameWithAndWithout) {
  for (const std::uint64_t seed : {1u, 2u}) {
    Fixture plain(kProgram, 0, nullptr);
    Feed(plain, seed, 0);
    constexpr std::size_t kLimit = 100'000;
    MemorySpill spill(std::size_t{1} << 30);
    Fixture spilling(kProgram, kLimit, &spill);
    Feed(spilling, seed, kLimit);
    EXPECT_TRUE(spilling.engine->Status().ok());
    EXPECT_TRUE(plain.Sorted() == spilling.Sorted()) << "seed " << seed;
    EXPECT_GT(plain.rows.at("query_3").size(), 500u);
    EXPECT_EQ(spill.size(), 0u);
  }
}

TEST(Spill, StatisticsTellWhatIsWhere) {
  MemorySpill spill(std::size_t{1} << 30);
  Fixture fixture("SELECT k, COUNT(*) AS n FROM e GROUP BY k, FLOOR(ts TO MINUTE);", 20'000, &spill);
  for (std::int64_t i = 0; i < 2000; ++i) fixture.Push(i, "key-" + std::to_string(i), 1);
  const std::vector<OperatorState> states = fixture.engine->OperatorStates();
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].pump, "query_1");
  EXPECT_EQ(states[0].kind, "windows");
  EXPECT_EQ(states[0].entries, 2000u);
  EXPECT_GT(states[0].spilled, 1500u);
  EXPECT_EQ(states[0].spilled, spill.size());
  EXPECT_GT(states[0].bytes_per_entry, 40);
  EXPECT_LT(states[0].bytes_per_entry, 400);
  EXPECT_EQ(fixture.engine->StateEntries(), 2000u);
}

TEST(Spill, WithoutRoomNewGroupsAreRefusedAndOldOnesGoOn) {
  for (const std::size_t room : {std::size_t{0}, std::size_t{10'000}}) {  // none, and a little
    MemorySpill spill(room);
    Fixture fixture("SELECT k, COUNT(*) AS n FROM e GROUP BY k, FLOOR(ts TO MINUTE);", 10'000,
                    room == 0 ? nullptr : &spill);
    for (std::int64_t i = 0; i < 1000; ++i) fixture.Push(i % 50, "key-" + std::to_string(i), 1);
    const std::size_t refused = fixture.rows["ERROR_STREAM"].size();
    EXPECT_GT(refused, 100u);
    EXPECT_LT(refused, 1000u);
    EXPECT_NE(fixture.rows["ERROR_STREAM"][0].find(room == 0 ? "there is no spill" : "the spill is full"),
              std::string::npos)
        << fixture.rows["ERROR_STREAM"][0];
    fixture.Push(50, "key-0", 1);  // an old one
    EXPECT_EQ(fixture.rows["ERROR_STREAM"].size(), refused);
    fixture.Push(100'000, "key-x", 1);  // refused, but behind it the window closes: there is room again
    fixture.Push(100'001, "key-y", 1);
    EXPECT_EQ(fixture.rows["query_1"].size(), 1000 - refused);
    EXPECT_EQ(std::count(fixture.rows["query_1"].begin(), fixture.rows["query_1"].end(),
                         R"(60000 {"K":"key-0","N":2})"),
              1);
    fixture.engine->Finish();
    EXPECT_EQ(fixture.rows["query_1"].back(), R"(120000 {"K":"key-y","N":1})");
    EXPECT_TRUE(fixture.engine->Status().ok());
  }
}

TEST(Spill, AfterAFailureNothingComesOutAndTheSnapshotBeforeIsGood) {
  BrokenSpill spill;
  const std::string sql = "SELECT k, COUNT(*) AS n FROM e GROUP BY k, FLOOR(ts TO MINUTE);";
  Fixture fixture(sql, 2000, &spill);
  for (std::int64_t i = 0; i < 500; ++i) fixture.Push(i, "key-" + std::to_string(i % 250), 1);
  const std::string snapshot = fixture.engine->Snapshot();
  spill.broken = true;
  for (std::int64_t i = 0; i < 500; ++i) fixture.Push(i, "key-" + std::to_string(i % 250), 1);
  EXPECT_EQ(fixture.engine->Status().error().code(), ErrorCode::kIo);
  EXPECT_TRUE(fixture.engine->Snapshot().empty());
  fixture.engine->Finish();
  EXPECT_TRUE(fixture.rows["query_1"].empty());
  spill.broken = false;
  Fixture next(sql, 2000, &spill);
  ASSERT_TRUE(next.engine->Restore(snapshot).ok());
  next.engine->Finish();
  ASSERT_EQ(next.rows["query_1"].size(), 250u);
  for (const std::string& row : next.rows["query_1"]) EXPECT_NE(row.find("\"N\":2"), std::string::npos);
}

TEST(Spill, IdleKeysAreForgottenThereToo) {
  MemorySpill spill(std::size_t{1} << 30);
  Fixture fixture("SET state_ttl = '10 seconds'; SELECT k, COUNT(*) AS n FROM e GROUP BY k EMIT CHANGES;",
                  2000, &spill);
  for (std::int64_t i = 0; i < 200; ++i) fixture.Push(1000 + i, "key-" + std::to_string(i), 1);
  EXPECT_GT(spill.size(), 100u);
  fixture.Push(30'000, "other", 1);
  fixture.Push(60'000, "other", 1);
  EXPECT_LE(spill.size(), 1u);
  fixture.Push(60'000, "key-3", 1);
  EXPECT_EQ(fixture.rows["query_1"].back(), R"(60000 {"K":"key-3","N":1} partial)");
}

}  // namespace
}  // namespace honryu::sql
