#include "honryu/sql/two_phase.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace honryu::sql {
namespace {

using Rows = std::map<std::string, std::vector<std::string>>;

constexpr const char* kPrelude =
    "CREATE STREAM e (k VARCHAR, v BIGINT, d DOUBLE, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '10' "
    "SECOND);";

class Fixture {
 public:
  Fixture(std::string sql, std::size_t partials) : sql_(std::move(sql)) {
    auto made = Engine::Create(kPrelude, sql_, Options(), [this](const OutputRow& output) {
      rows_[output.stream].push_back(std::to_string(output.row.time) + " " +
                                     RowToJson(output.columns, output.row.values) +
                                     (output.row.final ? "" : " partial"));
    });
    EXPECT_TRUE(made.ok()) << made.error().message();
    final_ = std::move(*made);
    for (std::size_t i = 0; i < partials; ++i) {
      partials_.push_back(Make("p" + std::to_string(i)));
      final_->AddShard(*final_->FindSource("e"), std::to_string(i));
    }
  }

  static EngineOptions Options() {
    EngineOptions options;
    options.max_skew_ms = 1'000'000'000'000;
    return options;
  }
  std::unique_ptr<PartialEngine> Make(const std::string& name) {
    auto made = PartialEngine::Create(name, kPrelude, sql_, Options());
    EXPECT_TRUE(made.ok()) << made.error().message();
    return std::move(*made);
  }

  template <class AnyEngine>
  static void Push(AnyEngine& engine, const std::string& shard, std::int64_t time,
                   const std::string& fields) {
    const std::size_t source = *engine.FindSource("e");
    const std::string json = "{\"ts\":" + std::to_string(time) + "," + fields + "}";
    SourceRecord record;
    record.data = json;
    record.arrival_ms = time;
    engine.Push(source, engine.AddShard(source, shard), record);
  }
  void PushTo(std::size_t partial, std::int64_t time, const std::string& fields) {
    Push(*partials_[partial], std::to_string(partial), time, fields);
  }
  Result<MergeReply> Deliver(std::size_t partial) {
    auto reply = final_->Merge(partials_[partial]->Ship());
    if (reply.ok()) partials_[partial]->Acknowledge(*reply);
    return reply;
  }
  void DeliverAll() {
    for (std::size_t i = 0; i < partials_.size(); ++i) EXPECT_TRUE(Deliver(i).ok());
  }
  // In any order.
  Rows Sorted() const {
    Rows sorted = rows_;
    for (auto& [stream, lines] : sorted) std::sort(lines.begin(), lines.end());
    return sorted;
  }

  std::string sql_;
  Rows rows_;
  std::unique_ptr<Engine> final_;
  std::vector<std::unique_ptr<PartialEngine>> partials_;
};

constexpr const char* kAll =
    "SELECT k, COUNT(*) AS n, SUM(v) AS s, AVG(d) AS m, MIN(v) AS low, MAX(d) AS high, COUNT(DISTINCT v) AS "
    "u, "
    "SUM(DISTINCT v) AS sd, APPROX_PERCENTILE(d, 0.9) AS p, TOP_K(k, 3) AS t, ARG_MAX(v, v) AS a, "
    "FUNNEL(v, ts, INTERVAL '1' HOUR, v > 10, v > 20) AS f, HLL_SKETCH(v) AS h "
    "FROM e GROUP BY k, STEP(ts BY INTERVAL '60' SECOND);";

TEST(TwoPhase, EveryMergeableAggregateGivesWhatOneEngineGives) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    Random random(seed);
    Fixture split(kAll, 3), single(kAll, 0);
    for (std::int64_t i = 0; i < 20'000; ++i) {  // some windows hold more than sketches keep exactly
      const std::int64_t time = 1'000'000 + i * 12 + static_cast<std::int64_t>(random.Below(2000));
      const std::string fields = "\"k\":\"" + std::string(1, static_cast<char>('a' + random.Below(2))) +
                                 "\",\"v\":" + std::to_string(random.Below(1'000'000)) +
                                 ",\"d\":" + std::to_string(random.Below(1000)) + ".25";
      Fixture::Push(*single.final_, "0", time, fields);
      split.PushTo(random.Below(3), time, fields);
      if (random.Chance(0.001)) split.DeliverAll();
    }
    split.DeliverAll();
    split.final_->Finish();
    single.final_->Finish();
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

TEST(TwoPhase, ARowThatMayBeLateIsJudgedByTheFinalEngine) {
  Fixture split("SELECT k, COUNT(*) AS n FROM e GROUP BY k, STEP(ts BY INTERVAL '60' SECOND);", 2);
  split.PushTo(0, 1000, R"("k":"a")");
  split.PushTo(1, 2000, R"("k":"a")");
  split.DeliverAll();
  split.PushTo(0, 200'000, R"("k":"a")");  // its own shard is far ahead
  split.DeliverAll();
  split.PushTo(0, 3000, R"("k":"a")");  // but the other is not: in time
  split.DeliverAll();
  split.PushTo(1, 200'000, R"("k":"b")");
  split.DeliverAll();
  EXPECT_EQ(split.rows_["query_1"], std::vector<std::string>{R"(60000 {"K":"a","N":3})"});
  split.PushTo(1, 4000, R"("k":"late")");
  split.DeliverAll();
  split.final_->Finish();
  ASSERT_EQ(split.rows_["LATE_ROWS"].size(), 1u);  // the row itself, not a count
  EXPECT_NE(split.rows_["LATE_ROWS"][0].find("\"K\":\"late\""), std::string::npos);
  EXPECT_EQ(split.final_->counters().late_rows, 1u);
  EXPECT_EQ(split.final_->counters().rows_in, 6u);
}

TEST(TwoPhase, AnIdleWorkerHoldsNothingBackAndLosesNothing) {
  Fixture split("SELECT COUNT(*) AS n FROM e GROUP BY STEP(ts BY INTERVAL '60' SECOND);", 2);
  split.PushTo(0, 1000, R"("k":"a")");
  split.PushTo(1, 1000, R"("k":"a")");
  split.DeliverAll();
  split.PushTo(0, 300'000, R"("k":"a")");
  for (const auto& partial : split.partials_) partial->AdvanceTime(4000);
  split.PushTo(0, 300'001, R"("k":"a")");
  for (const auto& partial : split.partials_) partial->AdvanceTime(8000);  // shard 1 is idle now
  split.DeliverAll();
  EXPECT_EQ(split.rows_["query_1"], std::vector<std::string>{R"(60000 {"N":2})"});
  // It comes back behind: one row for a closed window, one for an open one.
  split.PushTo(1, 30'000, R"("k":"late")");
  split.PushTo(1, 295'000, R"("k":"a")");
  split.DeliverAll();
  split.final_->Finish();
  EXPECT_EQ(split.rows_["LATE_ROWS"].size(), 1u);
  EXPECT_EQ(split.rows_["query_1"].size(), 3u);
  EXPECT_EQ(split.rows_["query_1"][1], R"(300000 {"N":1})");
  EXPECT_EQ(split.rows_["query_1"][2], R"(360000 {"N":2})");
}

TEST(TwoPhase, EarlyRowsShowWhatWasShipped) {
  Fixture split(
      "SELECT COUNT(*) AS n FROM e GROUP BY STEP(ts BY INTERVAL '60' SECOND) EMIT EVERY INTERVAL '5' SECOND;",
      2);
  split.final_->AdvanceTime(1);
  split.PushTo(0, 1000, R"("k":"a")");
  split.DeliverAll();
  split.PushTo(1, 2000, R"("k":"a")");
  split.DeliverAll();
  split.final_->AdvanceTime(5000);
  split.final_->Finish();
  EXPECT_EQ(split.rows_["query_1"],
            (std::vector<std::string>{R"(60000 {"N":2} partial)", R"(60000 {"N":2})"}));
}

TEST(TwoPhase, ShipmentsAreTakenOnceAndInOrder) {
  Fixture split("SELECT COUNT(*) AS n FROM e GROUP BY STEP(ts BY INTERVAL '60' SECOND);", 1);
  PartialEngine& partial = *split.partials_[0];
  split.PushTo(0, 1000, R"("k":"a")");
  const std::string first = partial.Ship();
  split.PushTo(0, 2000, R"("k":"a")");
  const std::string second = partial.Ship();
  EXPECT_EQ(split.final_->Merge(second).error().code(), ErrorCode::kFailedPrecondition);  // one is missing
  for (int i = 0; i < 3; ++i) {
    const auto reply = split.final_->Merge(first);
    ASSERT_TRUE(reply.ok());
    EXPECT_EQ(reply->sequence, 1u);
    partial.Acknowledge(*reply);
  }
  EXPECT_EQ(partial.Unacknowledged(), std::vector<std::string>{second});
  ASSERT_TRUE(split.final_->Merge(second).ok());
  // A new engine under an old name would be taken for a repeat: it is refused.
  const auto stranger = split.Make("p0");
  Fixture::Push(*stranger, "0", 3000, R"("k":"a")");
  EXPECT_EQ(split.final_->Merge(stranger->Ship()).error().code(), ErrorCode::kFailedPrecondition);
  for (std::size_t i = 0; i < second.size(); i += 7) {  // every damage is found
    std::string damaged = second;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    EXPECT_FALSE(split.final_->Merge(damaged).ok());
  }
  EXPECT_FALSE(split.final_->Merge(second.substr(0, 20)).ok());
  split.final_->Finish();
  EXPECT_EQ(split.rows_["query_1"], std::vector<std::string>{R"(60000 {"N":2})"});
}

TEST(TwoPhase, StatesOfAWindowThatTheHostClosedAreCountedAsLate) {
  Fixture split("SELECT k, COUNT(*) AS n FROM e GROUP BY k, STEP(ts BY INTERVAL '60' SECOND);", 1);
  split.PushTo(0, 1000, R"("k":"a")");
  split.DeliverAll();
  split.PushTo(0, 2000, R"("k":"a")");
  split.PushTo(0, 2001, R"("k":"a")");
  split.final_->AdvanceWatermark(*split.final_->FindSource("e"), 100'000);
  split.DeliverAll();
  EXPECT_EQ(split.final_->counters().late_rows, 2u);
  ASSERT_EQ(split.rows_["ERROR_STREAM"].size(), 1u);
  EXPECT_NE(split.rows_["ERROR_STREAM"][0].find("2 rows of this group"), std::string::npos);
}

TEST(TwoPhase, StatelessPumpsErrorsAndLookupsRunInTheFirstPhase) {
  const std::string sql =
      "CREATE REFERENCE TABLE names (k VARCHAR, name VARCHAR) WITH (source = 'file:names.csv');"
      "CREATE STREAM mid (name VARCHAR, x INTEGER);"
      "CREATE PUMP p AS INSERT INTO mid SELECT STREAM n.name, 10 / e.v FROM e LEFT JOIN names n ON e.k = n.k;"
      "CREATE PUMP q AS INSERT INTO mid SELECT STREAM 'count', COUNT(*) FROM e GROUP BY FLOOR(ts TO MINUTE);"
      "SELECT STREAM name, SUM(x) AS s FROM mid GROUP BY name, FLOOR(ROWTIME TO MINUTE);";
  Fixture split(sql, 2), single(sql, 0);
  const std::vector<std::vector<Value>> table = {{Value::Text("a"), Value::Text("Anna")}};
  ASSERT_TRUE(single.final_->SetTable("NAMES", table).ok());
  ASSERT_TRUE(split.final_->SetTable("NAMES", table).ok());
  for (const auto& partial : split.partials_) ASSERT_TRUE(partial->SetTable("NAMES", table).ok());
  split.DeliverAll();
  for (std::int64_t i = 0; i < 12; ++i) {
    const std::string fields =
        R"("k":")" + std::string(i % 3 == 0 ? "a" : "b") + R"(","v":)" + std::to_string(i % 4);
    Fixture::Push(*single.final_, "0", i * 10'000, fields);
    split.PushTo(static_cast<std::size_t>(i % 2), i * 10'000, fields);
    if (i % 3 == 0) split.DeliverAll();
  }
  split.DeliverAll();
  split.final_->Finish();
  single.final_->Finish();
  EXPECT_EQ(single.Sorted()["ERROR_STREAM"].size(), 3u);  // 10 / 0
  EXPECT_EQ(split.Sorted(), single.Sorted());
}

}  // namespace
}  // namespace honryu::sql
