#include "honryu/sql/lane.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace honryu::sql {
namespace {

using Rows = std::map<std::string, std::vector<std::string>>;

constexpr const char* kPrelude =
    "CREATE STREAM e (k VARCHAR, v BIGINT, d DOUBLE, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '10' "
    "SECOND);";

class Fixture {
 public:
  Fixture(std::string sql, std::size_t lanes) : sql_(std::move(sql)) {
    EngineOptions options;
    options.max_skew_ms = 1'000'000'000'000;
    auto made = Engine::Create(kPrelude, sql_, options, [this](const OutputRow& output) {
      rows_[output.stream].push_back(std::to_string(output.row.time) + " " +
                                     RowToJson(output.columns, output.row.values) +
                                     (output.row.final ? "" : " partial"));
    });
    EXPECT_TRUE(made.ok()) << made.error().message();
    engine_ = std::move(*made);
    source_ = *engine_->FindSource("e");
    for (std::size_t i = 0; i < lanes; ++i) {
      lanes_.push_back(engine_->MakeLane().value());
      engine_->AddShard(source_, std::to_string(i));
    }
  }

  void Push(std::int64_t time, const std::string& fields) {
    PushTo(*engine_, engine_->AddShard(source_, "0"), time, fields);
  }
  /// Each lane has a shard.
  void PushTo(std::size_t lane, std::int64_t time, const std::string& fields) {
    Begin();
    PushTo(*lanes_[lane], shards_[lane], time, fields);
  }
  void PutTogether() {
    Begin();
    for (const auto& lane : lanes_) lane->End();
    engine_->MergeLanes(lanes_);
    begun_ = false;
  }
  // In any order.
  Rows Sorted() const {
    Rows sorted = rows_;
    for (auto& [stream, lines] : sorted) std::sort(lines.begin(), lines.end());
    return sorted;
  }

  std::string sql_;
  Rows rows_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<Lane>> lanes_;

 private:
  void Begin() {
    if (std::exchange(begun_, true)) return;
    shards_.clear();
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      lanes_[i]->Begin();
      shards_.push_back(lanes_[i]->AddShard(source_, std::to_string(i)));
    }
  }
  void PushTo(Intake& intake, std::size_t shard, std::int64_t time, const std::string& fields) {
    const std::string json = "{\"ts\":" + std::to_string(time) + "," + fields + "}";
    SourceRecord record;
    record.data = json;
    record.arrival_ms = time;
    intake.Push(source_, shard, record);
  }

  std::size_t source_ = 0;
  bool begun_ = false;  ///< A round.
  std::vector<std::size_t> shards_;
};

constexpr const char* kAll =
    "SELECT k, COUNT(*) AS n, SUM(v) AS s, AVG(d) AS m, MIN(v) AS low, MAX(d) AS high, COUNT(DISTINCT v) AS "
    "u, "
    "SUM(DISTINCT v) AS sd, APPROX_PERCENTILE(d, 0.9) AS p, TOP_K(k, 3) AS t, ARG_MAX(v, v) AS a, "
    "FUNNEL(v, ts, INTERVAL '1' HOUR, v > 10, v > 20) AS f, HLL_SKETCH(v) AS h "
    "FROM e GROUP BY k, STEP(ts BY INTERVAL '60' SECOND);";

TEST(Lanes, EveryMergeableAggregateGivesWhatOneEngineGives) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    Random random(seed);
    Fixture split(kAll, 3), single(kAll, 0);
    for (std::int64_t i = 0; i < 20'000; ++i) {  // some windows hold more than sketches keep exactly
      const std::int64_t time = 1'000'000 + i * 12 + static_cast<std::int64_t>(random.Below(2000));
      const std::string fields = "\"k\":\"" + std::string(1, static_cast<char>('a' + random.Below(2))) +
                                 "\",\"v\":" + std::to_string(random.Below(1'000'000)) +
                                 ",\"d\":" + std::to_string(random.Below(1000)) + ".25";
      single.Push(time, fields);
      split.PushTo(random.Below(3), time, fields);
      if (random.Chance(0.001)) split.PutTogether();
    }
    split.PutTogether();
    split.engine_->Finish();
    single.engine_->Finish();
    ASSERT_FALSE(single.Sorted().empty());
    const Rows found = split.Sorted(), expected = single.Sorted();
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [stream, lines] : expected) {
      ASSERT_EQ(found.at(stream).size(), lines.size());
      for (std::size_t i = 0; i < lines.size(); ++i)
        ASSERT_TRUE(found.at(stream)[i] == lines[i]) << "seed " << seed << "\n"
                                                     << found.at(stream)[i].substr(0, 400) << "\n"
                                                     << lines[i].substr(0, 400);
    }
  }
}

TEST(Lanes, ARowThatMayBeLateIsJudgedByTheFinalEngine) {
  Fixture split("SELECT k, COUNT(*) AS n FROM e GROUP BY k, STEP(ts BY INTERVAL '60' SECOND);", 2);
  split.PushTo(0, 1000, R"("k":"a")");
  split.PushTo(1, 2000, R"("k":"a")");
  split.PutTogether();
  split.PushTo(0, 200'000, R"("k":"a")");  // its own shard is far ahead
  split.PutTogether();
  split.PushTo(0, 3000, R"("k":"a")");  // but the other is not: in time
  split.PutTogether();
  split.PushTo(1, 200'000, R"("k":"b")");
  split.PutTogether();
  EXPECT_EQ(split.rows_["query_1"], std::vector<std::string>{R"(60000 {"K":"a","N":3})"});
  split.PushTo(1, 4000, R"("k":"late")");
  split.PutTogether();
  split.engine_->Finish();
  ASSERT_EQ(split.rows_["LATE_ROWS"].size(), 1u);  // the row itself, not a count
  EXPECT_NE(split.rows_["LATE_ROWS"][0].find("\"K\":\"late\""), std::string::npos);
  EXPECT_EQ(split.engine_->counters().late_rows, 1u);
  EXPECT_EQ(split.engine_->counters().rows_in, 6u);
}

TEST(Lanes, AnIdleShardHoldsNothingBackAndLosesNothing) {
  Fixture split("SELECT COUNT(*) AS n FROM e GROUP BY STEP(ts BY INTERVAL '60' SECOND);", 2);
  split.PushTo(0, 1000, R"("k":"a")");
  split.PushTo(1, 1000, R"("k":"a")");
  split.PutTogether();
  split.PushTo(0, 300'000, R"("k":"a")");
  split.PutTogether();
  split.engine_->AdvanceTime(4000);
  split.PutTogether();
  split.PushTo(0, 300'001, R"("k":"a")");
  split.PutTogether();
  EXPECT_TRUE(split.rows_.empty());
  split.engine_->AdvanceTime(8000);  // shard 1 is idle now
  EXPECT_EQ(split.rows_["query_1"], std::vector<std::string>{R"(60000 {"N":2})"});
  // It comes back behind: one row for a closed window, one for an open one.
  split.PushTo(1, 30'000, R"("k":"late")");
  split.PushTo(1, 295'000, R"("k":"a")");
  split.PutTogether();
  split.engine_->Finish();
  EXPECT_EQ(split.rows_["LATE_ROWS"].size(), 1u);
  EXPECT_EQ(split.rows_["query_1"].size(), 3u);
  EXPECT_EQ(split.rows_["query_1"][1], R"(300000 {"N":1})");
  EXPECT_EQ(split.rows_["query_1"][2], R"(360000 {"N":2})");
}

TEST(Lanes, EarlyRowsShowWhatWasPutTogether) {
  Fixture split(
      "SELECT COUNT(*) AS n FROM e GROUP BY STEP(ts BY INTERVAL '60' SECOND) EMIT EVERY INTERVAL '5' SECOND;",
      2);
  split.engine_->AdvanceTime(1);
  split.PushTo(0, 1000, R"("k":"a")");
  split.PutTogether();
  split.PushTo(1, 2000, R"("k":"a")");
  split.PutTogether();
  split.engine_->AdvanceTime(5000);
  split.engine_->Finish();
  EXPECT_EQ(split.rows_["query_1"],
            (std::vector<std::string>{R"(60000 {"N":2} partial)", R"(60000 {"N":2})"}));
}

TEST(Lanes, StatelessPumpsErrorsAndLookupsRunInTheFirstPhase) {
  const std::string sql =
      "CREATE REFERENCE TABLE names (k VARCHAR, name VARCHAR) WITH (source = 'file:names.csv');"
      "CREATE STREAM mid (name VARCHAR, x INTEGER);"
      "CREATE PUMP p AS INSERT INTO mid SELECT STREAM n.name, 10 / e.v FROM e LEFT JOIN names n ON e.k = n.k;"
      "CREATE PUMP q AS INSERT INTO mid SELECT STREAM 'count', COUNT(*) FROM e GROUP BY FLOOR(ts TO MINUTE);"
      "SELECT STREAM name, SUM(x) AS s FROM mid GROUP BY name, FLOOR(ROWTIME TO MINUTE);";
  Fixture split(sql, 2), single(sql, 0);
  const std::vector<std::vector<Value>> table = {{Value::Text("a"), Value::Text("Anna")}};
  ASSERT_TRUE(single.engine_->SetTable("NAMES", table).ok());
  ASSERT_TRUE(split.engine_->SetTable("NAMES", table).ok());
  for (std::int64_t i = 0; i < 12; ++i) {
    const std::string fields =
        R"("k":")" + std::string(i % 3 == 0 ? "a" : "b") + R"(","v":)" + std::to_string(i % 4);
    single.Push(i * 10'000, fields);
    split.PushTo(static_cast<std::size_t>(i % 2), i * 10'000, fields);
    if (i % 3 == 0) split.PutTogether();
  }
  split.PutTogether();
  split.engine_->Finish();
  single.engine_->Finish();
  EXPECT_EQ(single.Sorted()["ERROR_STREAM"].size(), 3u);  // 10 / 0
  EXPECT_EQ(split.Sorted(), single.Sorted());
}

}  // namespace
}  // namespace honryu::sql
