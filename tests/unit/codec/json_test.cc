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

}  // namespace
}  // namespace honryu::codec
