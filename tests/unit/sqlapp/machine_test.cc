#include "honryu/sqlapp/machine.h"

#include "honryu/codec/compression.h"
#include "honryu/sql/state_spill.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <thread>

namespace honryu::sqlapp {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000;

Program Load(std::string_view text) { return LoadProgram("app", text, sql::TableFunctionRegistry()).value(); }

class MachineTest : public ::testing::Test {
 protected:
  std::unique_ptr<Machine> Make(const Program& program) {
    sql::EngineOptions options;
    options.start_ms = kStart;
    return std::move(*Machine::Create(
        program, options, [this](const sql::OutputRow& row, std::uint64_t cut, std::uint64_t ordinal) {
          rows_.push_back(std::to_string(cut) + "." + std::to_string(ordinal) + " " +
                          sql::RowToJson(row.columns, row.row.values));
        }));
  }
  static client::StreamRecord Record(std::uint64_t number, std::int64_t time) {
    client::StreamRecord record;
    record.sequence.words[2] = number;
    record.arrival = TimestampFromMs(kStart + 1'000'000);
    record.data = Bytes(R"({"event_type":"e)" + std::to_string(number % 3) + R"(","event_time":)" +
                        std::to_string(time) + "}");
    return record;
  }
  std::vector<std::string> rows_;
};

TEST_F(MachineTest, ARestartAnywhereGivesTheSameRowsWithTheSameNumbers) {
  const Program program = Load(R"(
    SELECT "event_type", COUNT(*) AS n FROM events GROUP BY "event_type", FLOOR(ROWTIME TO MINUTE) EMIT EVERY INTERVAL '2' SECOND;
    SELECT "event_type" FROM events WHERE "event_type" = 'e1')");
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<std::pair<Cut, CutRecords>> cuts;
  std::uint64_t sequence = 0;
  for (std::uint64_t number = 1; number <= 40; ++number) {
    Cut cut;
    cut.number = number;
    cut.now_ms = kStart + static_cast<std::int64_t>(number) * 700;
    CutRecords records;
    for (std::uint32_t shard = 0; shard < 2; ++shard) {
      ShardStep step;
      step.shard = shard;
      step.added = number == 1;
      step.id = shard == 0 ? "a" : "b";
      if (number == 1) step.behind = false;
      for (std::uint64_t i = random() % 4; i > 0; --i) {
        const std::int64_t time = kStart + static_cast<std::int64_t>(number) * 9'000 - random() % 50'000;
        records[shard].push_back(Record(++sequence, time));
        step.upto = records[shard].back().sequence;
      }
      cut.steps.push_back(step);
    }
    cuts.emplace_back(std::move(cut), std::move(records));
  }
  auto whole = Make(program);
  for (const auto& [cut, records] : cuts) whole->Apply(cut, records);
  const std::vector<std::string> expected = std::exchange(rows_, {});
  ASSERT_GT(expected.size(), 10u);
  auto machine = Make(program);
  for (const auto& [cut, records] : cuts) {
    machine->Apply(cut, records);
    const std::string snapshot = machine->Snapshot();
    machine = Make(program);
    ASSERT_TRUE(machine->Restore(snapshot).ok());
    EXPECT_EQ(machine->last_cut(), cut.number);
  }
  EXPECT_EQ(rows_, expected);
  EXPECT_EQ(machine->counters().rows_in, whole->counters().rows_in);
  EXPECT_EQ(machine->Snapshot(), whole->Snapshot());
}

TEST_F(MachineTest, WithEpochsOlderDataMayFollowWhenAllIsQuiet) {
  for (const bool epochs : {false, true}) {
    rows_.clear();
    const Program program =
        Load(std::string(epochs ? "SET 'epochs' = 'true';" : "") +
             "SELECT COUNT(*) AS n FROM events GROUP BY FLOOR(ROWTIME TO MINUTE) ON LATE DROP");
    auto machine = Make(program);
    Cut cut;
    CutRecords records;
    ShardStep step;
    step.added = true;
    step.id = "a";
    step.behind = false;
    for (std::uint64_t round = 0; round < 2; ++round) {
      records[0] = {Record(round * 10 + 1, kStart - static_cast<std::int64_t>(round) * 86'400'000)};
      step.upto = records[0].back().sequence;
      cut.steps = {step};
      cut.now_ms = kStart + static_cast<std::int64_t>(round) * 1'000'000 + 1;
      ++cut.number;
      machine->Apply(cut, records);
      step = ShardStep();
      for (int i = 0; i < 2; ++i) {
        cut.steps.clear();
        cut.now_ms += 300'000;
        ++cut.number;
        machine->Apply(cut, {});
      }
    }
    const auto counted = static_cast<std::size_t>(std::count_if(
        rows_.begin(), rows_.end(), [](const auto& row) { return row.ends_with("{\"N\":1}"); }));
    EXPECT_EQ(counted, epochs ? 2u : 1u) << ::testing::PrintToString(rows_);
    EXPECT_EQ(machine->counters().rows_in, 2u);
  }
}

TEST_F(MachineTest, AForeignOrDamagedStateIsRefused) {
  const Program program = Load("SELECT COUNT(*) FROM events GROUP BY FLOOR(ROWTIME TO MINUTE)");
  const Program other = Load("SELECT COUNT(*) FROM events GROUP BY FLOOR(ROWTIME TO HOUR)");
  const std::string snapshot = Make(program)->Snapshot();
  EXPECT_EQ(Make(other)->Restore(snapshot).error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Make(program)->Restore("nothing").error().code(), ErrorCode::kCorrupt);
  for (std::size_t length = 0; length < snapshot.size(); ++length)
    EXPECT_FALSE(Make(program)->Restore(std::string_view(snapshot).substr(0, length)).ok()) << length;
}

// ---- lanes ----

using Work = std::vector<std::pair<Cut, CutRecords>>;

// A cut's records spread over `lanes`, in runs of shards.
Cut InLanes(Cut cut, std::size_t lanes) {
  const auto with_records = std::count_if(cut.steps.begin(), cut.steps.end(),
                                          [](const auto& step) { return step.upto.has_value(); });
  std::ptrdiff_t number = 0, lane = 0;
  for (ShardStep& step : cut.steps) {
    if (!step.upto.has_value()) continue;
    const std::ptrdiff_t wanted = number++ * static_cast<std::ptrdiff_t>(lanes) / with_records;
    step.next_lane = wanted > lane;
    lane = wanted;
  }
  return cut;
}

Fork Threads(std::atomic<int>& beside) {
  return [&beside](std::size_t count, const std::function<void(std::size_t)>& work) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
    for (std::thread& thread : threads) thread.join();
    beside += static_cast<int>(count);
  };
}

class LanesTest : public ::testing::Test {
 protected:
  // Events of five shards, out of order by less than the watermark's bound; the third splits in the middle.
  // Some are no JSON, some are packed, some share a time.
  Work MakeWork(std::uint64_t seed, std::size_t cuts, std::size_t records_a_cut) {
    std::mt19937_64 random(seed);
    Work work;
    std::uint64_t sequence = 0;
    std::vector<std::uint32_t> open = {0, 1, 2, 3, 4};
    for (std::uint64_t number = 1; number <= cuts; ++number) {
      Cut cut;
      cut.number = number;
      cut.now_ms = kStart + static_cast<std::int64_t>(number) * 2000;
      std::map<std::uint32_t, ShardStep> steps;
      const auto add = [&steps](std::uint32_t shard) {
        ShardStep& step = steps[shard];
        step.added = true;
        step.id = "shard-" + std::to_string(shard);
        step.behind = false;
      };
      if (number == 1)
        for (const std::uint32_t shard : open) add(shard);
      if (number == cuts / 2) {
        add(5);
        add(6);
      }
      CutRecords records;
      for (std::size_t i = 0; i < records_a_cut; ++i) {
        const std::uint32_t shard = open[random() % open.size()];
        const std::int64_t time = kStart + static_cast<std::int64_t>(number) * 8'000 +
                                  static_cast<std::int64_t>(random() % 8'000) - 3'000;
        client::StreamRecord record;
        record.sequence.words[2] = ++sequence;
        record.arrival = TimestampFromMs(cut.now_ms + 1'000'000);
        std::string json = R"({"event_type":"e)" + std::to_string(random() % 5) + R"(","user_id":"u)" +
                           std::to_string(random() % 400) + R"(","event_time":)" + std::to_string(time) +
                           R"(,"properties":{"page":"/)" + std::to_string(random() % 9) + R"(","n":)" +
                           std::to_string(random() % 1000) + "}}";
        if (random() % 50 == 0) json = "no event";
        if (random() % 20 == 0) json = codec::Compress(codec::Compression::kGzip, json).value();
        record.data = Bytes(std::move(json));
        record.partition_key = std::to_string(random() % 100);
        records[shard].push_back(std::move(record));
      }
      for (const auto& [shard, taken] : records) steps[shard].upto = taken.back().sequence;
      if (number == cuts / 2) {
        steps[2].closed = true;
        open = {0, 1, 3, 4, 5, 6};
      }
      for (auto& [shard, step] : steps) {
        step.shard = shard;
        cut.steps.push_back(step);
      }
      work.emplace_back(std::move(cut), std::move(records));
    }
    return work;
  }

  std::unique_ptr<Machine> Make(const Program& program, const sql::EngineOptions& options) {
    return std::move(*Machine::Create(
        program, options,
        [this](const sql::OutputRow& row, std::uint64_t cut, std::uint64_t ordinal) {
          const std::string text = row.stream + " " + std::to_string(row.row.time) + " " +
                                   sql::RowToJson(row.columns, row.row.values);
          // As records have them: rows of windows have ids of their own.
          rows_.push_back(std::to_string(cut) + "." + std::to_string(row.row.id != 0 ? row.row.id : ordinal) +
                          " " + text);
          if (!row.row.final) return;
          // ERROR_TIME and the order within a cut depend on when it is told.
          finals_.push_back(row.stream == "ERROR_STREAM" ? text.substr(text.find("ERROR_LEVEL")) : text);
        },
        Threads(beside_)));
  }
  /// `restart`: the machine is replaced by one with its snapshot after every so many cuts.
  Machine::Counters Run(const Program& program, const Work& work, std::size_t lanes, std::size_t restart = 0,
                        sql::EngineOptions options = {}) {
    rows_.clear();
    finals_.clear();
    options.start_ms = kStart;
    auto machine = Make(program, options);
    std::size_t done = 0;
    for (const auto& [cut, records] : work) {
      machine->Apply(InLanes(cut, lanes == 0 ? 1 + done % 4 : lanes), records);
      EXPECT_TRUE(machine->Status().ok());
      if (restart == 0 || ++done % restart != 0) continue;
      const std::string snapshot = machine->Snapshot();
      machine = Make(program, options);
      EXPECT_TRUE(machine->Restore(snapshot).ok());
    }
    machine->Finish();
    std::sort(rows_.begin(), rows_.end());
    std::sort(finals_.begin(), finals_.end());
    return machine->counters();
  }

  std::vector<std::string> rows_, finals_;
  std::atomic<int> beside_{0};
};

constexpr const char* kSeveralQueries = R"(
  SET 'late.stream' = 'none';
  CREATE STREAM events (event_type VARCHAR, user_id VARCHAR, event_time TIMESTAMP, page VARCHAR FROM '$.properties.page',
    n BIGINT FROM '$.properties.n', WATERMARK FOR event_time AS event_time - INTERVAL '20' SECOND);
  CREATE VIEW seen AS SELECT event_time, event_type, user_id, page, n FROM events WHERE event_type <> 'e4';
  INSERT INTO minutes SELECT event_type, COUNT(*) AS c, SUM(n) AS s, MIN(n) AS lo, MAX(n) AS hi, COUNT(DISTINCT user_id) AS u,
    APPROX_PERCENTILE(n, 0.9) AS p FROM seen GROUP BY event_type, FLOOR(event_time TO MINUTE) EMIT EVERY INTERVAL '3' SECOND;
  INSERT INTO hops SELECT page, COUNT(*) AS c FROM TABLE(HOP(TABLE seen, DESCRIPTOR(event_time), INTERVAL '10' SECOND, INTERVAL '40' SECOND))
    GROUP BY page, window_start, window_end;
  INSERT INTO visits SELECT user_id, COUNT(*) AS c, MAX(n) AS hi FROM events GROUP BY user_id, SESSION(event_time, INTERVAL '9' SECOND);
  INSERT INTO pages SELECT ITEM, ITEM_COUNT FROM TABLE(TOP_K_ITEMS_TUMBLING(CURSOR(SELECT page FROM seen WHERE page IS NOT NULL), 'page', 3, 60));
  INSERT INTO odd SELECT user_id, 1000 / (n - n / 7 * 7) AS x FROM seen WHERE event_type = 'e1';
  INSERT INTO totals SELECT SUM(c) AS c FROM hops GROUP BY FLOOR(ROWTIME TO MINUTE);
)";

TEST_F(LanesTest, FinalRowsAreThoseOfOneLaneHoweverManyThereAre) {
  const Program program = Load(kSeveralQueries);
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const Work work = MakeWork(seed, 40, 300);
  const Machine::Counters one = Run(program, work, 1);
  const std::vector<std::string> expected = finals_;
  ASSERT_GT(expected.size(), 500u);
  EXPECT_EQ(beside_, 0);
  EXPECT_GT(one.error_rows, 100u);
  EXPECT_EQ(one.late_rows, 0u);
  for (const std::size_t lanes : {std::size_t{2}, std::size_t{5}, std::size_t{0}}) {  // 0: 1 to 4, in turn
    const Machine::Counters many = Run(program, work, lanes, lanes == 0 ? 1 : 0);
    EXPECT_EQ(finals_, expected) << lanes << " lanes";
    EXPECT_EQ(many.rows_in, one.rows_in);
    EXPECT_EQ(many.error_rows, one.error_rows);
    EXPECT_EQ(many.late_rows, 0u);
  }
  EXPECT_GT(beside_, 100);
}

TEST_F(LanesTest, ARestartAnywhereGivesTheSameRowsWithTheSameNumbers) {
  const Program program = Load(kSeveralQueries);
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const Work work = MakeWork(seed, 30, 200);
  const Machine::Counters whole = Run(program, work, 3);
  const std::vector<std::string> expected = rows_;
  for (const std::size_t every : {std::size_t{1}, std::size_t{7}}) {
    const Machine::Counters again = Run(program, work, 3, every);
    ASSERT_EQ(rows_.size(), expected.size());
    const auto [found, wanted] = std::ranges::mismatch(rows_, expected);
    ASSERT_EQ(found, rows_.end()) << "restart every " << every << "\n" << *found << "\n" << *wanted;
    EXPECT_EQ(again.rows_in, whole.rows_in);
    EXPECT_EQ(again.rows_out, whole.rows_out);
  }
}

TEST_F(LanesTest, WithASpillTheRowsAreTheSame) {
  const Program program = Load(kSeveralQueries);
  const Work work = MakeWork(7, 30, 200);
  Run(program, work, 1);
  const std::vector<std::string> expected = finals_;
  sql::MemorySpill spill(std::size_t{64} << 20);
  sql::EngineOptions options;
  options.max_state_bytes = 20'000;
  options.spill = &spill;
  Run(program, work, 3, 0, options);
  EXPECT_EQ(finals_, expected);
}

TEST_F(LanesTest, TheShippedKeyFiguresAreTheSame) {
  std::ifstream file(HONRYU_KPI_APP);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const Program program = Load(text);
  const Work work = MakeWork(3, 40, 200);
  Run(program, work, 1);
  const std::vector<std::string> expected = finals_;
  ASSERT_GT(expected.size(), 30u);
  Run(program, work, 4, 9);
  EXPECT_EQ(finals_, expected);
  EXPECT_GT(beside_, 0);
}

TEST_F(LanesTest, TablesAndArrivalTimeAreTheEngines) {
  const Program program = Load(R"(
    CREATE STREAM arrivals (user_id VARCHAR) WITH (stream = 'events');
    CREATE REFERENCE TABLE names (id VARCHAR, name VARCHAR) WITH (source = 'file:names.csv');
    SELECT n.name, SHARD_ID, COUNT(*) AS c FROM arrivals a JOIN names n ON a.user_id = n.id
    GROUP BY n.name, SHARD_ID, FLOOR(ROWTIME TO MINUTE))");
  const Work work = MakeWork(5, 20, 200);
  std::vector<std::vector<std::string>> found;
  for (const std::size_t lanes : {std::size_t{1}, std::size_t{3}}) {
    finals_.clear();
    sql::EngineOptions options;
    options.start_ms = kStart;
    const auto machine = Make(program, options);
    for (const auto& [cut, records] : work) {
      if (cut.number == 1 || cut.number == 11) {  // other rows from the middle on
        std::vector<std::vector<sql::Value>> rows;
        for (int i = 0; i < 50; ++i)
          rows.push_back({sql::Value::Text("u" + std::to_string(i)),
                          sql::Value::Text((cut.number == 1 ? "a" : "b") + std::to_string(i % 3))});
        ASSERT_TRUE(machine->SetTable("NAMES", std::move(rows)).ok());
      }
      machine->Apply(InLanes(cut, lanes), records);
    }
    machine->Finish();
    std::sort(finals_.begin(), finals_.end());
    found.push_back(finals_);
  }
  EXPECT_GT(found[0].size(), 10u);
  EXPECT_EQ(found[0], found[1]);
}

TEST_F(LanesTest, ACutIsLateForNoneOfItsOwnRows) {
  const Program program =
      Load("SELECT COUNT(*) AS n FROM events GROUP BY FLOOR(ROWTIME TO MINUTE)");  // out of order by 1 minute
  const auto event = [](std::uint64_t number, std::int64_t time) {
    client::StreamRecord record;
    record.sequence.words[2] = number;
    record.arrival = TimestampFromMs(kStart + 10'000'000);
    record.data = Bytes(R"({"event_type":"a","event_time":)" + std::to_string(time) + "}");
    return record;
  };
  sql::EngineOptions options;
  options.start_ms = kStart;
  const auto machine = Make(program, options);
  Work work(2);
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    ShardStep step;
    step.shard = shard;
    step.added = true;
    step.id = std::to_string(shard);
    step.behind = false;
    const std::uint64_t number = 10 * shard;
    work[0].second[shard] = {event(number + 1, kStart), event(number + 2, kStart + 600'000),
                             event(number + 3, kStart)};
    step.upto = work[0].second[shard].back().sequence;
    work[0].first.steps.push_back(step);
    step.added = false;
    work[1].second[shard] = {event(number + 4, kStart)};
    step.upto = work[1].second[shard].back().sequence;
    work[1].first.steps.push_back(step);
  }
  work[0].first.number = 1;
  work[1].first.number = 2;
  work[0].first.now_ms = work[1].first.now_ms = kStart + 1;
  for (const auto& [cut, records] : work) machine->Apply(InLanes(cut, 2), records);
  machine->Finish();
  EXPECT_EQ(machine->counters().late_rows, 2u);
  ASSERT_FALSE(rows_.empty());
  EXPECT_NE(rows_[0].find("\"N\":4"), std::string::npos) << ::testing::PrintToString(rows_);
}

TEST(Cuts, TellTheirLanes) {
  Cut cut;
  cut.number = 7;
  cut.now_ms = kStart;
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    ShardStep step;
    step.shard = shard;
    step.upto.emplace().words[2] = shard;
    step.next_lane = shard == 2;
    cut.steps.push_back(step);
  }
  EXPECT_EQ(Machine::LanesOf(cut), 2u);
  std::string bytes;
  AppendCut(cut, bytes);
  std::string_view in = bytes;
  EXPECT_EQ(TakeCut(in), cut);
}

}  // namespace
}  // namespace honryu::sqlapp
