#include "honryu/codec/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace honryu::codec {
namespace {

std::string Quote(std::string_view text) {
  std::string out;
  AppendJsonString(text, out);
  return out;
}

TEST(JsonWriter, PlacesCommasAndWritesNoBlanks) {
  std::string out;
  JsonWriter writer(out);
  writer.BeginObject();
  writer.Key("a");
  writer.BeginArray();
  writer.Int(-1);
  writer.Uint(18446744073709551615ULL);
  writer.Double(0.1);
  writer.Double(std::numeric_limits<double>::infinity());
  writer.BeginObject();
  writer.EndObject();
  writer.EndArray();
  writer.Key("b");
  writer.Bool(true);
  writer.Key("c");
  writer.Raw("[1]");
  writer.EndObject();
  EXPECT_EQ(out, R"({"a":[-1,18446744073709551615,0.1,null,{}],"b":true,"c":[1]})");
}

TEST(JsonWriter, EscapesAndRepairsStrings) {
  EXPECT_EQ(Quote("渋谷 \"q\" \\ \n\x01"), "\"渋谷 \\\"q\\\" \\\\ \\n\\u0001\"");
  EXPECT_EQ(Quote("a\xff"
                  "b"),
            "\"a\xef\xbf\xbd"
            "b\"");
  EXPECT_EQ(Quote("\xe6\xb8"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(Quote("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // a surrogate is not UTF-8
  EXPECT_EQ(Quote("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"");
}

TEST(JsonWriter, EscapesAtEveryPlaceOfLongStrings) {
  for (std::size_t length = 1; length < 70; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      const std::string head(at, 'x'), tail(length - at - 1, 'y');
      EXPECT_EQ(Quote(head + '"' + tail), '"' + head + "\\\"" + tail + '"');
      EXPECT_EQ(Quote(head + '\\' + tail), '"' + head + "\\\\" + tail + '"');
      EXPECT_EQ(Quote(head + '\x1f' + tail), '"' + head + "\\u001f" + tail + '"');
      EXPECT_EQ(Quote(head + '\xff' + tail), '"' + head + "\xef\xbf\xbd" + tail + '"');
      EXPECT_EQ(Quote(head + "\x7f\xe6\xb8\x8b" + tail), '"' + head + "\x7f\xe6\xb8\x8b" + tail + '"');
    }
  }
}

TEST(JsonWriter, DoublesReadBackAsTheSameValue) {
  for (const double value : {0.0, -0.0, 1.5, 1e22, -1e300, 5e-324, 0x1p53, 0x1p62, 0x1p63, 0x1p64, -0x1p63,
                             -0x1p64, 0x1p70, 0.1}) {
    std::string out;
    JsonWriter(out).Double(value);
    const auto json = Json::Parse(out);
    ASSERT_TRUE(json.ok()) << out;
    EXPECT_EQ(json->DoubleOr(1), value) << out;
    EXPECT_EQ(std::signbit(json->DoubleOr(1)), std::signbit(value)) << out;
  }
}

TEST(Json, ParsesEveryKindAndDumpsItBack) {
  const std::string text =
      R"({"s":"渋谷\n","i":-5,"u":18446744073709551615,"d":1.5,"t":true,"n":null,"a":[1,[2]],"o":{"x":{}}})";
  const Json json = Json::Parse(text).value();
  EXPECT_EQ(json.Dump(), text);
  EXPECT_EQ(json.Find("s")->StringOr(""), "渋谷\n");
  EXPECT_EQ(json.Find("i")->IntOr(0), -5);
  EXPECT_EQ(json.Find("d")->DoubleOr(0), 1.5);
  EXPECT_EQ(json.Find("n"), nullptr);
  EXPECT_EQ(json.Find("none"), nullptr);
  EXPECT_EQ(json.Find("a")->array().size(), 2u);
}

TEST(Json, RefusesBrokenTextAndAbsurdNesting) {
  for (const char* text : {"", "{", "{\"a\":}", "[1,]", "nul", "\"\xff\"", "{} x"})
    EXPECT_FALSE(Json::Parse(text).ok()) << text;
  EXPECT_TRUE(Json::Parse(std::string(60, '[') + std::string(60, ']')).ok());
  EXPECT_FALSE(Json::Parse(std::string(100, '[') + std::string(100, ']')).ok());
}

TEST(JsonItems, CountEveryValueAndNothingInStrings) {
  const auto items = [](std::string_view text) {
    for (std::size_t limit = 0; limit < 100; ++limit) {
      const Result<Json> json = Json::Parse(text, limit);
      if (json.ok()) return limit;
      EXPECT_EQ(json.error().code(), ErrorCode::kTooLarge) << text;
    }
    return std::size_t{100};
  };
  EXPECT_EQ(items("1"), 1U);
  EXPECT_EQ(items("[]"), 1U);
  EXPECT_EQ(items("[ ]"), 1U);
  EXPECT_EQ(items("[0]"), 2U);
  EXPECT_EQ(items("[0,0]"), 3U);
  EXPECT_EQ(items(R"({"a":1})"), 2U);
  EXPECT_EQ(items(R"({"a":{},"b":[[],[1]]})"), 6U);
  EXPECT_EQ(items(R"([",,[,{", "\",,\\", "\\\\", -1.5e3, null, true])"), 7U);
  EXPECT_EQ(items(R"({"a,[{":"b"})"), 2U);
  EXPECT_EQ(Json::Parse(R"(["never closed)", 3).error().code(), ErrorCode::kInvalidArgument);
}

TEST(JsonItems, ManyValuesInFewBytesAreRefusedBeforeTheyAreBuilt) {
  std::string text = "[0";
  for (int i = 0; i < 8'000'000; ++i) text += ",0";
  text += "]";
  EXPECT_EQ(Json::Parse(text, 200'000).error().code(), ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace honryu::codec
