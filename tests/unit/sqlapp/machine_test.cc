#include "honryu/sqlapp/machine.h"

#include <gtest/gtest.h>

#include <random>

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

}  // namespace
}  // namespace honryu::sqlapp
