#include "honryu/demo/replay.h"

#include "honryu/base/random.h"
#include "honryu/codec/json.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace honryu::demo {
namespace {

ReplayMapping WikiMapping() {
  ReplayMapping mapping;
  mapping.time_field = "time";
  mapping.type_field = "channel";
  mapping.user_field = "user";
  return mapping;
}

codec::Json Mapped(const ReplayMapping& mapping, std::string_view line, std::uint64_t number = 1) {
  const Result<ReplayedEvent> event = MapLine(mapping, "file", number, line);
  EXPECT_TRUE(event.ok()) << event.error().message();
  return *codec::Json::Parse(event->json);
}

TEST(MapLine, PutsTheWholeLineUnderProperties) {
  const std::string line =
      R"({"time":"2015-09-12T00:46:58.771Z","channel":"#ja","user":"山田","delta":36.50,"x":{"y":null}})";
  const Result<ReplayedEvent> event = MapLine(WikiMapping(), "wiki.ndjson.gz", 3, line);
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->time, *ParseTimestamp("2015-09-12T00:46:58.771Z"));
  EXPECT_NE(event->json.find("\"properties\":" + line + "}"), std::string::npos) << event->json;
  const codec::Json json = *codec::Json::Parse(event->json);
  EXPECT_EQ(json.Find("event_type")->StringOr(""), "#ja");
  EXPECT_EQ(json.Find("user_id")->StringOr(""), "山田");
  EXPECT_EQ(json.Find("timestamp")->StringOr(""), "2015-09-12T00:46:58.771Z");
  EXPECT_EQ(json.Find("session_id"), nullptr);
  EXPECT_TRUE(IsUuid(json.Find("event_id")->StringOr("")));
}

TEST(MapLine, IdsDependOnFileAndLineAlone) {
  const auto id = [](std::string_view name, std::uint64_t number, std::string_view line) {
    return std::string(
        codec::Json::Parse(MapLine(WikiMapping(), name, number, line)->json)->Find("event_id")->StringOr(""));
  };
  EXPECT_EQ(id("a", 1, R"({"time":1})"), id("a", 1, R"({"time":2})"));
  EXPECT_NE(id("a", 1, R"({"time":1})"), id("a", 2, R"({"time":1})"));
  EXPECT_NE(id("a", 1, R"({"time":1})"), id("b", 1, R"({"time":1})"));
}

TEST(MapLine, TakesNumbersAndDottedPaths) {
  ReplayMapping mapping;
  mapping.time_field = "meta.at";
  mapping.user_field = "meta.user";
  mapping.event_type = "request";
  EXPECT_EQ(Mapped(mapping, R"({"meta":{"at":1442018818,"user":42}})").Find("timestamp")->StringOr(""),
            "2015-09-12T00:46:58.000Z");
  EXPECT_EQ(Mapped(mapping, R"({"meta":{"at":1442018818771}})").Find("timestamp")->StringOr(""),
            "2015-09-12T00:46:58.771Z");
  EXPECT_EQ(Mapped(mapping, R"({"meta.at":0})").Find("timestamp")->StringOr(""), "1970-01-01T00:00:00.000Z");
  const codec::Json json = Mapped(mapping, R"({"meta":{"at":1442018818,"user":42}})");
  EXPECT_EQ(json.Find("user_id")->StringOr(""), "42");
  EXPECT_EQ(json.Find("event_type")->StringOr(""), "request");
}

TEST(MapLine, AbsentTypeFallsBackAndAbsentUserIsLeftOut) {
  const codec::Json json = Mapped(WikiMapping(), R"({"time":1442018818,"channel":null,"user":{"a":1}})");
  EXPECT_EQ(json.Find("event_type")->StringOr(""), "replay");
  EXPECT_EQ(json.Find("user_id"), nullptr);
}

TEST(MapLine, RefusesWhatIsNoEvent) {
  for (const char* line : {"", "[1]", "{\"time\":", R"({"other":1})", R"({"time":"yesterday"})",
                           R"({"time":true})", R"({"time":1e300})"})
    EXPECT_EQ(MapLine(WikiMapping(), "file", 1, line).error().code(), ErrorCode::kInvalidArgument) << line;
}

class LineReaderTest : public ::testing::Test {
 protected:
  LineReaderTest() : path_(std::filesystem::temp_directory_path() / ("honryu_" + RandomUuid())) {}
  ~LineReaderTest() override { std::filesystem::remove(path_); }
  void WritePlain(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  void WriteGzip(const std::string& text) {
    gzFile file = gzopen(path_.c_str(), "wb");
    ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
    gzclose(file);
  }
  /// All lines with their numbers: "1:a". The last entry is the error's name if there was one.
  std::vector<std::string> ReadAll() {
    std::vector<std::string> lines;
    Result<LineReader> reader = LineReader::Open(path_.string());
    EXPECT_TRUE(reader.ok());
    for (;;) {
      Result<std::optional<std::string>> line = reader->Next();
      if (!line.ok()) {
        lines.emplace_back(ErrorCodeName(line.error().code()));
        return lines;
      }
      if (!*line) return lines;
      lines.push_back(std::to_string(reader->number()) + ":" + **line);
    }
  }
  const std::filesystem::path path_;
};

TEST_F(LineReaderTest, ReadsPlainAndCompressedFilesAlike) {
  const std::string text = "a\n\n  \nb\r\nc";
  const std::vector<std::string> expected{"1:a", "4:b", "5:c"};
  WritePlain(text);
  EXPECT_EQ(ReadAll(), expected);
  WriteGzip(text);
  EXPECT_EQ(ReadAll(), expected);
  WritePlain("");
  EXPECT_TRUE(ReadAll().empty());
}

TEST_F(LineReaderTest, ReadsLinesLongerThanItsBuffer) {
  const std::string big(700'000, 'x');
  WriteGzip("first\n" + big + "\nlast\n");
  const std::vector<std::string> lines = ReadAll();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1], "2:" + big);
  EXPECT_EQ(lines[2], "3:last");
}

TEST_F(LineReaderTest, ReportsWhatIsWrong) {
  EXPECT_EQ(LineReader::Open(path_.string()).error().code(), ErrorCode::kNotFound);
  std::string noise;
  Random random(1);
  for (int i = 0; i < 200'000; ++i)
    noise += random.Chance(0.01) ? '\n' : static_cast<char>('a' + random.Below(26));
  WriteGzip(noise);
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  const std::vector<std::string> lines = ReadAll();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back(), "corrupt");
  WritePlain(std::string(5 << 20, 'x') + "\n");
  EXPECT_EQ(ReadAll(), std::vector<std::string>{"too_large"});
}

}  // namespace
}  // namespace honryu::demo
