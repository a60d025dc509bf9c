#include "honryu/codec/compression.h"
#include "honryu/codec/json.h"
#include "honryu/sqlapp/machine.h"
#include "tests/support/zip_writer.h"

#include <gtest/gtest.h>

#include <utility>

namespace honryu::sqlapp {
namespace {

using codec::Compression;

constexpr std::int64_t kStart = 1'700'000'000'000;

std::string Event(int n) { return "{\"n\":" + std::to_string(n) + "}"; }
std::string Gzip(std::string_view plain) { return codec::Compress(Compression::kGzip, plain).value(); }
std::string Zstd(std::string_view plain) { return codec::Compress(Compression::kZstd, plain).value(); }
std::string Zip(const std::vector<std::string>& files) {
  testing::ZipWriter writer;
  for (std::size_t i = 0; i < files.size(); ++i) writer.Add(std::to_string(i), files[i]);
  return writer.Finish();
}
Program Load(std::string_view text) { return LoadProgram("app", text, sql::TableFunctionRegistry()).value(); }

class SqlOpeningTest : public ::testing::Test {
 protected:
  std::unique_ptr<Machine> Make(const Program& program) {
    sql::EngineOptions options;
    options.start_ms = kStart;
    return std::move(*Machine::Create(
        program, options, [this](const sql::OutputRow& row, std::uint64_t cut, std::uint64_t ordinal) {
          rows_.push_back({std::string(row.stream), std::to_string(cut) + "." + std::to_string(ordinal),
                           sql::RowToJson(row.columns, row.row.values)});
        }));
  }
  client::StreamRecord Record(std::string data) {
    client::StreamRecord record;
    record.sequence.words[2] = ++sequence_;
    record.arrival = TimestampFromMs(kStart + 10);
    record.partition_key = "key";
    record.data = Bytes(std::move(data));
    return record;
  }
  /// A cut of one shard with these records.
  void Apply(Machine& machine, std::vector<client::StreamRecord> records) {
    Cut cut;
    cut.number = machine.last_cut() + 1;
    cut.now_ms = kStart + static_cast<std::int64_t>(cut.number) * 100;
    ShardStep step;
    step.added = cut.number == 1;
    step.id = "shard-a";
    step.upto = records.back().sequence;
    cut.steps = {step};
    CutRecords of_cut;
    of_cut[0] = std::move(records);
    machine.Apply(cut, of_cut);
  }
  std::vector<std::string> Of(std::string_view stream) const {
    std::vector<std::string> found;
    for (const auto& row : rows_)
      if (row.stream == stream) found.push_back(row.json);
    return found;
  }

  struct Row {
    std::string stream, id, json;
    friend bool operator==(const Row&, const Row&) = default;
  };
  std::vector<Row> rows_;
  std::uint64_t sequence_ = 0;
};

using Rows = std::vector<std::string>;
const char* const kProgram =
    "CREATE STREAM taken (n INT); INSERT INTO out_rows SELECT n, SEQUENCE_NUMBER AS s FROM taken";

TEST_F(SqlOpeningTest, EachPackingBecomesRowsInOrder) {
  const Program program = Load("CREATE STREAM taken (n INT); INSERT INTO out_rows SELECT n FROM taken");
  auto machine = Make(program);
  Apply(*machine, {Record(Gzip(Event(1))), Record(Zstd(Event(2) + "\n" + Event(3))),
                   Record(Zip({Event(4), "[" + Event(5) + "," + Event(6) + "]"})),
                   Record(Event(7) + "\r\n" + Event(8) + "\n"), Record("[" + Event(9) + "]"),
                   Record(Gzip(Zstd(Event(10)))), Record("{\n\"n\": 11\n}")});
  Rows expected;
  for (int n = 1; n <= 11; ++n) expected.push_back("{\"N\":" + std::to_string(n) + "}");
  EXPECT_EQ(Of("OUT_ROWS"), expected);
  EXPECT_TRUE(Of("ERROR_STREAM").empty());
  EXPECT_EQ(machine->counters().rows_in, 11u);
}

TEST_F(SqlOpeningTest, PartsKeepTheirRecordsSequenceNumber) {
  const Program program = Load(kProgram);
  auto machine = Make(program);
  Apply(*machine, {Record(Event(1)), Record(Gzip(Event(2) + "\n" + Event(3)))});
  std::string number;
  const client::StreamRecord second = [] {
    client::StreamRecord record;
    record.sequence.words[2] = 2;
    return record;
  }();
  second.sequence.AppendDecimal(number);
  ASSERT_EQ(Of("OUT_ROWS").size(), 3u);
  EXPECT_EQ(Of("OUT_ROWS")[1], "{\"N\":2,\"S\":\"" + number + "\"}");
  EXPECT_EQ(Of("OUT_ROWS")[2], "{\"N\":3,\"S\":\"" + number + "\"}");
}

TEST_F(SqlOpeningTest, WhatCannotBeOpenedIsARowOfTheErrorStreamAndItsNeighboursGoOn) {
  const Program program = Load(kProgram);
  auto machine = Make(program);
  std::string broken = Gzip(Event(2));
  broken.resize(broken.size() - 3);
  const std::string bomb = Gzip(std::string(65 << 20, ' '));
  // Three of one aggregate, the middle one broken.
  std::vector<client::StreamRecord> records(3, Record(Event(3)));
  records[0].data = Bytes(Event(1));
  records[1].data = Bytes(broken);
  for (std::uint32_t i = 0; i < 3; ++i) records[i].sub_sequence = i;
  records.push_back(Record(bomb));
  records.push_back(Record(Gzip(Event(4))));
  Apply(*machine, std::move(records));
  ASSERT_EQ(Of("OUT_ROWS").size(), 3u);
  EXPECT_TRUE(Of("OUT_ROWS")[1].starts_with("{\"N\":3,"));
  EXPECT_TRUE(Of("OUT_ROWS")[2].starts_with("{\"N\":4,"));
  const Rows errors = Of("ERROR_STREAM");
  ASSERT_EQ(errors.size(), 2u);
  const codec::Json first = codec::Json::Parse(errors[0]).value();
  EXPECT_EQ(first.Find("ERROR_NAME")->StringOr(""), "Unopenable");
  EXPECT_TRUE(first.Find("MESSAGE")->StringOr("").starts_with("broken: ")) << errors[0];
  EXPECT_NE(first.Find("MESSAGE")->StringOr("").find(" of shard-a"), std::string::npos) << errors[0];
  EXPECT_EQ(first.Find("PUMP_NAME")->StringOr(""), "TAKEN");
  EXPECT_TRUE(first.Find("DATA_ROW")->StringOr("").starts_with("1F8B08")) << errors[0];
  const codec::Json second = codec::Json::Parse(errors[1]).value();
  const std::string_view why = second.Find("MESSAGE")->StringOr("");
  EXPECT_TRUE(why.starts_with("too_large: ") || why.starts_with("ratio: ")) << errors[1];
  EXPECT_EQ(machine->counters().error_rows, 2u);
}

TEST_F(SqlOpeningTest, ARepetitionFromAnySnapshotGivesTheSameRowsWithTheSameNumbers) {
  const Program program = Load(kProgram);
  std::string broken = Zstd(Event(2));
  broken.resize(broken.size() - 2);
  std::vector<std::vector<client::StreamRecord>> cuts;
  for (int n = 0; n < 6; ++n)
    cuts.push_back({Record(Gzip(Event(n) + "\n" + Event(n + 100))), Record(broken), Record(Event(n + 200))});
  auto whole = Make(program);
  for (const auto& records : cuts) Apply(*whole, records);
  const std::vector<Row> expected = std::exchange(rows_, {});
  ASSERT_EQ(expected.size(), 24u);
  auto machine = Make(program);
  for (const auto& records : cuts) {
    Apply(*machine, records);
    const std::string snapshot = machine->Snapshot();
    machine = Make(program);
    ASSERT_TRUE(machine->Restore(snapshot).ok());
  }
  EXPECT_EQ(rows_, expected);
}

TEST_F(SqlOpeningTest, ASourceSaysWhatIsOpened) {
  const std::string insert = "INSERT INTO out_rows SELECT n FROM taken";
  const auto rows_with = [&](const std::string& create, const std::string& data) {
    rows_.clear();
    sequence_ = 0;
    const Program program = Load(create + insert);
    Apply(*Make(program), {Record(data)});
    return std::pair(Of("OUT_ROWS").size(), Of("ERROR_STREAM").size());
  };
  const std::string lines = Event(1) + "\n" + Event(2);
  using Counts = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(rows_with("CREATE STREAM taken (n INT) WITH (opening = 'all');", Gzip(lines)), Counts(2, 0));
  EXPECT_EQ(rows_with("CREATE STREAM taken (n INT) WITH (opening = 'packed');", Gzip(Event(1))),
            Counts(1, 0));
  EXPECT_EQ(rows_with("CREATE STREAM taken (n INT) WITH (opening = 'none');", Gzip(Event(1))), Counts(0, 1));
  EXPECT_EQ(rows_with("CREATE STREAM taken (n INT) WITH (opening = 'packed');", "[" + Event(1) + "]"),
            Counts(0, 1));
  const auto wrong = LoadProgram("app", "CREATE STREAM taken (n INT) WITH (opening = 'some');" + insert,
                                 sql::TableFunctionRegistry());
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().message().find("found 'some'"), std::string::npos) << wrong.error().message();
}

TEST_F(SqlOpeningTest, SourcesOfOneStreamMayDiffer) {
  const Program program = Load(
      "CREATE STREAM opened (n INT) WITH (stream = 'one'); INSERT INTO a SELECT n FROM opened;"
      "CREATE STREAM whole (n INT) WITH (stream = 'one', opening = 'none'); INSERT INTO b SELECT n FROM "
      "whole");
  auto machine = Make(program);
  Apply(*machine, {Record(Event(1)), Record(Gzip(Event(2)))});
  EXPECT_EQ(Of("A").size(), 2u);
  EXPECT_EQ(Of("B").size(), 1u);
  ASSERT_EQ(Of("ERROR_STREAM").size(), 1u);
  EXPECT_EQ(codec::Json::Parse(Of("ERROR_STREAM")[0])->Find("PUMP_NAME")->StringOr(""), "WHOLE");
}

}  // namespace
}  // namespace honryu::sqlapp
