#include "tests/support/sql_golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

namespace honryu::sql {
namespace {

using Rows = std::map<std::string, std::vector<std::string>>;

std::string Text(const Rows& rows) {
  std::string out;
  for (const auto& [stream, lines] : rows) {
    out += "output " + stream + "\n";
    for (const std::string& line : lines) out += "  " + line + "\n";
  }
  return out;
}

// In any order.
Rows Sorted(Rows rows) {
  for (auto& [stream, lines] : rows) std::sort(lines.begin(), lines.end());
  return rows;
}

// In any order, and without early rows.
Rows Final(Rows rows) {
  for (auto& [stream, lines] : rows)
    std::erase_if(lines, [](const std::string& line) { return line.ends_with(" partial"); });
  return Sorted(std::move(rows));
}

std::vector<std::string> Files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(HONRYU_SQL_GOLDEN))
    if (entry.path().extension() == ".test") files.push_back(entry.path().stem().string());
  std::sort(files.begin(), files.end());
  return files;
}

// With the names of shards as before a quiet split.
Rows Unsplit(Rows rows) {
  for (auto& [stream, lines] : rows)
    for (std::string& line : lines)
      for (std::size_t at = line.find("-a\""); at != std::string::npos; at = line.find("-a\""))
        line.erase(at, 2);
  return rows;
}

class Golden : public ::testing::TestWithParam<std::string> {};

Rows RunAs(const GoldenCase& golden, const GoldenRun& run) {
  Rows rows = RunGoldenCase(golden, run);
  for (const auto& [stream, lines] : golden.output) rows[stream];  // an empty section expects no rows
  return rows;
}

// With the engine replaced behind every input, and once behind each.
void CheckRestarts(const GoldenCase& golden) {
  GoldenRun run;
  run.restart_every = 1;
  EXPECT_EQ(Text(RunAs(golden, run)), Text(golden.output)) << "restarted behind every input";
  run.restart_every = 0;
  for (run.restart_at = 1; run.restart_at < golden.input.size(); ++run.restart_at)
    ASSERT_EQ(Text(RunAs(golden, run)), Text(golden.output)) << "restarted behind input " << run.restart_at;
}

// With a spill: the same rows, and in the same order whatever goes there and wherever it is restarted.
void CheckSpill(const GoldenCase& golden) {
  GoldenRun run;
  run.max_state_bytes = std::size_t{1} << 30;
  const Rows roomy = RunAs(golden, run);
  EXPECT_EQ(Text(Sorted(roomy)), Text(Sorted(golden.output))) << "with a spill that is not used";
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{1000}}) {
    run.max_state_bytes = bytes;
    run.restart_at = run.restart_every = 0;
    EXPECT_EQ(Text(RunAs(golden, run)), Text(roomy)) << "with " << bytes << " bytes of memory";
    run.restart_every = 1;
    EXPECT_EQ(Text(RunAs(golden, run)), Text(roomy)) << "with " << bytes << " bytes, restarted each time";
    run.restart_every = 0;
    for (run.restart_at = 1; run.restart_at < golden.input.size(); ++run.restart_at)
      ASSERT_EQ(Text(RunAs(golden, run)), Text(roomy))
          << "with " << bytes << " bytes, restarted behind input " << run.restart_at;
  }
}

void CheckLanes(const GoldenCase& golden) {
  for (const std::size_t lanes : {std::size_t{1}, std::size_t{3}}) {
    GoldenRun run;
    run.lanes = lanes;
    for (run.restart_every = 0; run.restart_every < 2; ++run.restart_every)
      EXPECT_EQ(Text(Sorted(RunAs(golden, run))), Text(Sorted(golden.output)))
          << "in " << lanes << " lanes, restart every " << run.restart_every;
  }
}

// The same events again, later and at once: in event time the rows are those of the first time.
void CheckReplay(const GoldenCase& golden) {
  const std::string programs = golden.prelude + golden.sql;
  const bool event_time = programs.find("WATERMARK FOR") != std::string::npos ||
                          programs.find("timestamp = '") != std::string::npos;
  const bool by_clock = std::any_of(golden.input.begin(), golden.input.end(), [](const std::string& line) {
    return line.starts_with("behind ") || line.starts_with("watermark ");
  });
  if (!event_time || golden.by_arrival || by_clock) return;
  GoldenRun run;
  run.replay = true;
  EXPECT_EQ(Text(Final(RunAs(golden, run))), Text(Final(golden.output))) << "replayed";
}

bool HasReshards(const GoldenCase& golden) {
  return std::any_of(golden.input.begin(), golden.input.end(), [](const std::string& line) {
    return line.starts_with("split ") || line.starts_with("merge ");
  });
}

// With shards that split and merge before each input; also restarted behind each, and without memory.
void CheckReshards(const GoldenCase& golden) {
  for (std::size_t variant = 0; variant < 3; ++variant) {
    GoldenRun run;
    run.restart_every = variant == 1 ? 1 : 0;
    run.max_state_bytes = variant == 2 ? 1 : 0;
    for (run.reshard_at = 0; run.reshard_at < golden.input.size(); ++run.reshard_at) {
      SCOPED_TRACE("shards change before input " + std::to_string(run.reshard_at + 1) +
                   (variant == 1   ? ", restarted behind each"
                    : variant == 2 ? ", with a byte of memory"
                                   : ""));
      run.reshard = Reshard::kQuietSplit;
      ASSERT_EQ(Text(Sorted(Unsplit(RunAs(golden, run)))), Text(Sorted(golden.output)))
          << "one child goes on";
      if (!golden.reshard) continue;
      run.reshard = Reshard::kSplit;
      ASSERT_EQ(Text(Final(RunAs(golden, run))), Text(Final(golden.output))) << "both children go on";
      run.reshard = Reshard::kMerge;
      ASSERT_EQ(Text(Final(RunAs(golden, run))), Text(Final(golden.output))) << "two become one";
    }
  }
}

TEST_P(Golden, RowsAreThoseOfTheFileWhereverItIsRestartedOrSplit) {
  const auto cases = ReadGoldenFile(std::string(HONRYU_SQL_GOLDEN) + "/" + GetParam() + ".test");
  ASSERT_FALSE(cases.empty());
  for (const GoldenCase& golden : cases) {
    SCOPED_TRACE(golden.name);
    if (!golden.explain.empty()) {
      const auto plan = Engine::Explain(golden.prelude, golden.sql, GoldenFunctions());
      EXPECT_EQ(plan.ok() ? *plan : plan.error().message(), golden.explain);
    }
    if (!golden.error.empty()) {
      const Rows rows = RunGoldenCase(golden, {});
      ASSERT_TRUE(rows.contains("error"));
      EXPECT_EQ(rows.at("error")[0], golden.error);
      continue;
    }
    if (golden.input.empty()) continue;
    const Rows straight = RunAs(golden, {});
    if (Text(straight) != Text(golden.output)) {
      ADD_FAILURE() << "expected\n" << Text(golden.output) << "found\n" << Text(straight);
      continue;
    }
    CheckRestarts(golden);
    CheckSpill(golden);
    CheckLanes(golden);
    CheckReplay(golden);
    if (!HasReshards(golden)) CheckReshards(golden);
  }
}

INSTANTIATE_TEST_SUITE_P(Sql, Golden, ::testing::ValuesIn(Files()),
                         [](const auto& file) { return file.param; });

}  // namespace
}  // namespace honryu::sql
