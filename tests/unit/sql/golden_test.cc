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

class Golden : public ::testing::TestWithParam<std::string> {};

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
    const Rows expected = golden.output;
    Rows straight = RunGoldenCase(golden, {});
    for (const auto& [stream, lines] : golden.output) straight[stream];  // an empty section expects no rows
    if (Text(straight) != Text(expected))
      ADD_FAILURE() << "expected\n" << Text(expected) << "found\n" << Text(straight);
    if (HasFailure()) continue;
    GoldenRun always;
    always.restart_every = 1;
    Rows restarted = RunGoldenCase(golden, always);
    for (const auto& [stream, lines] : golden.output) restarted[stream];
    EXPECT_EQ(Text(restarted), Text(expected)) << "restarted behind every input";
    for (std::size_t at = 1; at < golden.input.size(); ++at) {
      GoldenRun once;
      once.restart_at = at;
      Rows rows = RunGoldenCase(golden, once);
      for (const auto& [stream, lines] : golden.output) rows[stream];
      ASSERT_EQ(Text(rows), Text(expected)) << "restarted behind input " << at;
    }
    GoldenRun spill;
    spill.spill = true;
    for (const std::size_t every : {std::size_t{0}, std::size_t{1}}) {
      spill.restart_every = every;
      Rows rows = RunGoldenCase(golden, spill);
      for (const auto& [stream, lines] : golden.output) rows[stream];
      EXPECT_EQ(Text(Sorted(rows)), Text(Sorted(expected))) << "with a spill, restart every " << every;
    }
    GoldenRun in_lanes;
    for (const std::size_t lanes : {std::size_t{1}, std::size_t{3}}) {
      in_lanes.lanes = lanes;
      for (const std::size_t every : {std::size_t{0}, std::size_t{1}}) {
        in_lanes.restart_every = every;
        Rows rows = RunGoldenCase(golden, in_lanes);
        for (const auto& [stream, lines] : golden.output) rows[stream];
        EXPECT_EQ(Text(Sorted(rows)), Text(Sorted(expected)))
            << "in " << lanes << " lanes, restart every " << every;
      }
    }
    if (!golden.reshard) continue;
    GoldenRun split;
    split.split = true;
    Rows rows = RunGoldenCase(golden, split);
    for (const auto& [stream, lines] : golden.output) rows[stream];
    EXPECT_EQ(Text(Final(rows)), Text(Final(expected))) << "with shards split in the middle";
  }
}

INSTANTIATE_TEST_SUITE_P(Sql, Golden, ::testing::ValuesIn(Files()),
                         [](const auto& file) { return file.param; });

}  // namespace
}  // namespace honryu::sql
