#include "honryu/codec/json_scan.h"

#include <gtest/gtest.h>

namespace honryu::codec {
namespace {

/// "ok", "rule N field" or "error at N".
std::string Outcome(std::string_view text, JsonLimits limits = {}) {
  JsonScanner scanner(limits);
  if (!scanner.Scan(text, 0)) return "error at " + std::to_string(scanner.error_at());
  if (scanner.end() != text.size()) return "ends at " + std::to_string(scanner.end());
  switch (scanner.rule()) {
    case JsonRule::kNone:
      return "ok";
    case JsonRule::kDuplicateKey:
      return "duplicate " + scanner.rule_field();
    case JsonRule::kTooDeep:
      return "deep " + scanner.rule_field();
    case JsonRule::kTooManyMembers:
      return "many " + scanner.rule_field();
    case JsonRule::kLoneSurrogate:
      return "surrogate " + scanner.rule_field();
    case JsonRule::kInvalidUtf8:
      return "utf8 " + scanner.rule_field();
  }
  return "?";
}

std::string Nested(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += i % 2 == 0 ? "{\"a\":" : "[";
  text += '1';
  for (int i = depth - 1; i >= 0; --i) text += i % 2 == 0 ? '}' : ']';
  return text;
}

TEST(JsonScan, TakesWhatTheGrammarAllows) {
  for (const char* text : {"{}", "[]", "null", "true", "false", "0", "-0", "1.5e+10", "-12.25E-3", "\"\"",
                           "[1,2,[3,{}]]", "1e400", "123456789012345678901234567890",
                           "{\"a\" : [ 1 , { \"b\" : null } ] }", "\"\\u00e9\\n\\\\\\\"\\/\"",
                           "\"\\ud83d\\ude00\"", "\"日本語のテキスト、とても長い文字列です\"", "\"\x7f\""}) {
    EXPECT_EQ(Outcome(text), "ok") << text;
  }
}

TEST(JsonScan, RefusesWhatTheGrammarForbidsAndSaysWhere) {
  const std::pair<const char*, int> cases[] = {{"", 0},
                                               {"{", 1},
                                               {"{\"a\"}", 4},
                                               {"{\"a\":}", 5},
                                               {"{\"a\":1,}", 7},
                                               {"{a:1}", 1},
                                               {"[1,]", 3},
                                               {"[1 2]", 3},
                                               {"01x", -1},
                                               {"-", 0},
                                               {"1.", 2},
                                               {"1e", 2},
                                               {"+1", 0},
                                               {".5", 0},
                                               {"nul", 0},
                                               {"tru e", 0},
                                               {"\"abc", 4},
                                               {"\"a\nb\"", 2},
                                               {"\"\\x\"", 2},
                                               {"\"\\u12g4\"", 3},
                                               {"'a'", 0},
                                               {"NaN", 0},
                                               {"{\"a\":1 \"b\"}", 7},
                                               {"\"\\u12", 3},
                                               {"{\"a\":1", 6}};
  for (const auto& [text, at] : cases) {
    if (at >= 0) {
      EXPECT_EQ(Outcome(text), "error at " + std::to_string(at)) << text;
    }
  }
  EXPECT_EQ(Outcome("01"), "ends at 1");
}

TEST(JsonScan, FindsControlCharactersAtEveryOffsetOfALongString) {
  for (std::size_t i = 0; i < 40; ++i) {
    std::string text = "\"" + std::string(40, 'x') + "\"";
    text[i + 1] = '\x1f';
    EXPECT_EQ(Outcome(text), "error at " + std::to_string(i + 1));
    text[i + 1] = '\x80';
    EXPECT_EQ(Outcome(text), "utf8 ");
    text[i + 1] = '"';
    EXPECT_EQ(Outcome(text), "ends at " + std::to_string(i + 2));
  }
}

TEST(JsonScan, FindsDuplicateKeysAtEveryLevelAndThroughEscapes) {
  EXPECT_EQ(Outcome(R"({"a":1,"a":2})"), "duplicate a");
  EXPECT_EQ(Outcome(R"({"a":1,"\u0061":2})"), "duplicate a");
  EXPECT_EQ(Outcome(R"({"p":{"x":[{"k":1,"j":2,"k":3}]}})"), "duplicate p.x.k");
  EXPECT_EQ(Outcome(R"({"a":{"a":1},"b":{"a":1}})"), "ok");
  EXPECT_EQ(Outcome(R"({"":1,"":2})"), "duplicate ");
  std::string many = "{";
  for (int i = 0; i < 200; ++i) many += "\"a_long_member_name_" + std::to_string(i) + "_suffix\":1,";
  EXPECT_EQ(Outcome(many + "\"z\":1}"), "ok");
  EXPECT_EQ(Outcome(many + "\"a_long_member_name_77_suffix\":1}"), "duplicate a_long_member_name_77_suffix");
}

TEST(JsonScan, KeysWithEqualEndsAreNotTakenForDuplicates) {
  EXPECT_EQ(Outcome(R"({"beginningAmiddleending8":1,"beginningBmiddleending8":2})"), "ok");
}

TEST(JsonScan, CountsDepthAndGivesUpFarBelowTheStackLimit) {
  EXPECT_EQ(Outcome(Nested(32)), "ok");
  EXPECT_TRUE(Outcome(Nested(33)).starts_with("deep a")) << Outcome(Nested(33));
  EXPECT_TRUE(Outcome(Nested(511)).starts_with("deep"));
  EXPECT_TRUE(Outcome(std::string(1'000'000, '[')).starts_with("error at"));
}

TEST(JsonScan, FindsUnpairedSurrogatesWithTheirPlace) {
  EXPECT_EQ(Outcome(R"({"p":{"s":"\ud800"}})"), "surrogate p.s");
  EXPECT_EQ(Outcome(R"({"s":"\udc00x"})"), "surrogate s");
  EXPECT_EQ(Outcome(R"({"s":"\ud800\u0041"})"), "surrogate s");
  EXPECT_EQ(Outcome(R"({"s":"\ud800\n"})"), "surrogate s");
  EXPECT_EQ(Outcome(R"({"s":"\ud800\ud83d\ude00"})"), "surrogate s");
}

TEST(JsonScan, LimitsMembersOfOneObject) {
  JsonLimits limits;
  limits.max_members = 2;
  EXPECT_EQ(Outcome(R"({"a":1,"b":2})", limits), "ok");
  EXPECT_EQ(Outcome(R"({"a":1,"b":{"x":1,"y":2,"z":3}})", limits), "many b");
}

TEST(JsonScan, ListsMembersAsWritten) {
  JsonScanner scanner;
  ASSERT_TRUE(scanner.Scan(R"(  {"a\u0062" : "x\n", "n": -1.50, "o":{"a":1}} tail)", 0));
  ASSERT_EQ(scanner.members().size(), 3u);
  EXPECT_EQ(scanner.members()[0].key, "ab");
  EXPECT_EQ(scanner.members()[0].value, R"("x\n")");
  EXPECT_EQ(scanner.members()[1].value, "-1.50");
  EXPECT_EQ(scanner.members()[2].value, R"({"a":1})");
  EXPECT_EQ(scanner.members()[2].kind, JsonKind::kObject);
  EXPECT_EQ(scanner.begin(), 2u);
}

TEST(JsonScan, ResolvesEscapes) {
  EXPECT_EQ(UnescapeJsonString(R"("a\"\\\/\b\f\n\r\t\u00e9\u65e5\ud83d\ude00z")"), "a\"\\/\b\f\n\r\té日😀z");
  EXPECT_EQ(UnescapeJsonString(R"("\ud83d")"), "\xef\xbf\xbd");
  EXPECT_EQ(CountCharacters("日本😀"), 3u);
}

TEST(JsonScan, FindsMembersByDottedPath) {
  const std::string_view object = R"({"p":{"q":{"r":"x"},"a.b":7},"p.z":1})";
  BytesView found;
  ASSERT_TRUE(FindMember(object, "p.q.r", &found));
  EXPECT_EQ(found, "\"x\"");
  ASSERT_TRUE(FindMember(object, "p.a.b", &found));
  EXPECT_EQ(found, "7");
  EXPECT_FALSE(FindMember(object, "p.q.s", &found));
  EXPECT_FALSE(FindMember(object, "p.q.r.x", &found));
  EXPECT_FALSE(FindMember("[1]", "p", &found));
}

}  // namespace
}  // namespace honryu::codec
