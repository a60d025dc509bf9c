#include "search/query/highlight.h"

#include "search/query/parse_query.h"

#include <gtest/gtest.h>

namespace honryu::search {
namespace {

using codec::Json;

/// `text` as field "message" with what `query` finds in brackets; fragments joined by " | ".
std::string Show(const std::string& query, const std::string& text, const std::string& options = "") {
  auto highlight = ParseHighlight(
      Json::Parse(R"({"pre_tags":["["],"post_tags":["]"],"fields":{"message":{)" + options + "}}}").value());
  if (!highlight.ok()) return highlight.error().message();
  const auto parsed = ParseQuery(Json::Parse(query).value());
  if (!parsed.ok()) return parsed.error().message();
  highlight->CollectTerms(*parsed);
  std::vector<const HighlightTerm*> terms;
  for (const auto& term : highlight->terms) terms.push_back(&term);
  std::string joined;
  for (const auto& fragment : HighlightText(text, terms, highlight->fields[0]))
    joined += (joined.empty() ? "" : " | ") + fragment;
  return joined;
}

TEST(Highlight, MarksWordsWhateverTheirCaseAndWidth) {
  EXPECT_EQ(Show(R"({"match":{"message":"failed request"}})", "Request 7 FAILED, requests go on"),
            "[Request] 7 [FAILED], requests go on");
  EXPECT_EQ(Show(R"({"match":{"message":"abc"}})", "xＡＢＣ ＡＢＣ"), "xＡＢＣ [ＡＢＣ]");
  EXPECT_EQ(Show(R"({"match":{"message":"nothing"}})", "Request"), "");
}

TEST(Highlight, MarksPartsOfJapaneseRuns) {
  EXPECT_EQ(Show(R"({"match":{"message":"京都"}})", "東京都の京都府"), "東[京都]の[京都]府");
  EXPECT_EQ(Show(R"({"match":{"message":"ﾘﾝｸ"}})", "新しいリンクです"), "新しい[リンク]です");
}

TEST(Highlight, MarksEmojiWithTheirSkinTones) {
  EXPECT_EQ(Show(R"({"match":{"message":"🎉"}})", "done🎉🎉 東京🎉"), "done[🎉][🎉] 東京[🎉]");
  EXPECT_EQ(Show(R"({"match":{"message":"👍"}})", "ok👍🏽 👍"), "ok[👍🏽] [👍]");
  EXPECT_EQ(Show(R"({"match":{"message":"👩\u200d💻"}})", "a 👩\u200d💻 b"), "a [👩\u200d💻] b");
}

TEST(Highlight, MarksPhrasesOnlyWhole) {
  EXPECT_EQ(Show(R"({"match_phrase":{"message":"connection reset"}})", "reset connection reset"),
            "reset [connection] [reset]");
  EXPECT_EQ(Show(R"({"query_string":{"query":"message:\"a b\" OR message:c*"}})", "a x b cat a b"),
            "a x b [cat] [a] [b]");
}

TEST(Highlight, LeavesOutWhatMustNotBeThereAndStarsAlone) {
  EXPECT_EQ(
      Show(R"({"bool":{"must":[{"match":{"message":"a"}}],"must_not":[{"match":{"message":"b"}}]}})", "a b"),
      "[a] b");
  EXPECT_EQ(Show(R"({"query_string":{"query":"*"}})", "a b"), "");
}

TEST(Highlight, CutsLongTextsIntoFragments) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "word" + std::to_string(i) + " ";
  const auto shown = Show(R"({"match":{"message":"word10 word50"}})", text, R"("fragment_size":40)");
  EXPECT_EQ(shown.find("[word10]") != std::string::npos && shown.find("[word50]") != std::string::npos, true)
      << shown;
  EXPECT_NE(shown.find(" | "), std::string::npos);
  EXPECT_LT(shown.size(), 130U) << shown;
  EXPECT_EQ(Show(R"({"match":{"message":"word10"}})", text, R"("number_of_fragments":0)").size(),
            text.size() + 2);
  std::string japanese;
  for (int i = 0; i < 60; ++i) japanese += "天気";
  const auto cut =
      Show(R"({"match":{"message":"気天"}})", japanese, R"("fragment_size":20,"number_of_fragments":1)");
  EXPECT_NE(cut.find("[気天]"), std::string::npos);
}

TEST(Highlight, UnknownOptionsAreNamed) {
  EXPECT_FALSE(ParseHighlight(Json::Parse(R"({"fields":{"a":{"colour":"red"}}})").value()).ok());
}

}  // namespace
}  // namespace honryu::search
