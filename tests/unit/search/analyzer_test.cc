#include "honryu/search/analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace honryu::search {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Tokens(std::string_view text, AnalyzerKind kind = AnalyzerKind::kStandard) {
  Analyzer analyzer(kind);
  std::vector<Token> tokens;
  analyzer.Analyze(text, tokens);
  std::vector<std::string> out;
  for (const auto& token : tokens) out.emplace_back(token.text);
  return out;
}

TEST(Analyzer, EnglishIsSplitAtEverythingButLettersAndDigitsAndFolded) {
  EXPECT_THAT(Tokens("GET /Blog/a_b.html?x=10 Googlebot/2.1; don't"),
              ElementsAre("get", "blog", "a", "b", "html", "x", "10", "googlebot", "2", "1", "don", "t"));
  EXPECT_THAT(Tokens(""), ElementsAre());
  EXPECT_THAT(Tokens(" ... "), ElementsAre());
}

TEST(Analyzer, CaseAndWidthFoldWholeUnicode) {
  EXPECT_THAT(Tokens("ＡＢＣ１２ Straße КАТЕГОРИЯ é"), ElementsAre("abc12", "strasse", "категория", "é"));
  // Decomposed letters compose: the same token as the composed one.
  EXPECT_EQ(Tokens("e\xCC\x81t\xC3\xA9"), Tokens("\xC3\xA9t\xC3\xA9"));
}

TEST(Analyzer, JapaneseIsCutIntoPairsWithTheLastCharacterAlone) {
  EXPECT_THAT(Tokens("東京都庁"), ElementsAre("東京", "京都", "都庁", "庁"));
  EXPECT_THAT(Tokens("年"), ElementsAre("年"));
  EXPECT_THAT(Tokens("ゲームを追加。"), ElementsAre("ゲー", "ーム", "ムを", "を追", "追加", "加"));
  EXPECT_THAT(Tokens("한국어"), ElementsAre("한국", "국어", "어"));
}

TEST(Analyzer, HalfWidthKatakanaEqualsFullWidth) {
  EXPECT_EQ(Tokens("ﾘﾝｸ"), Tokens("リンク"));
  EXPECT_EQ(Tokens("ｶﾞｲﾄﾞ"), Tokens("ガイド"));
}

TEST(Analyzer, MixedScriptsAreSeparateRunsWithConsecutivePositions) {
  Analyzer analyzer(AnalyzerKind::kStandard);
  std::vector<Token> tokens;
  analyzer.Analyze("grepで検索 v2", tokens);
  ASSERT_EQ(tokens.size(), 5u);
  EXPECT_EQ(tokens[0].text, "grep");
  EXPECT_EQ(tokens[0].kind, TokenKind::kWord);
  EXPECT_EQ(tokens[1].text, "で検");
  EXPECT_EQ(tokens[1].kind, TokenKind::kPair);
  EXPECT_EQ(tokens[2].text, "検索");
  EXPECT_EQ(tokens[3].text, "索");
  EXPECT_EQ(tokens[3].kind, TokenKind::kSingle);
  EXPECT_EQ(tokens[1].run, tokens[3].run);
  EXPECT_NE(tokens[0].run, tokens[1].run);
  EXPECT_EQ(tokens[4].text, "v2");
}

TEST(Analyzer, EachEmojiIsAToken) {
  EXPECT_THAT(Tokens("deploy done🎉🎉 in東京 ❤️"),
              ElementsAre("deploy", "done", "🎉", "🎉", "in", "東京", "京", "❤"));
  // Parts of one picture are tokens side by side: the joiner and the selector are folded away.
  EXPECT_THAT(Tokens("👍🏽"), ElementsAre("👍", "🏽"));
  EXPECT_THAT(Tokens("👩\u200d💻"), ElementsAre("👩", "💻"));
  EXPECT_THAT(Tokens("🇯🇵"), ElementsAre("🇯", "🇵"));
  // Signs that have always been in text are none, and neither are digits.
  EXPECT_THAT(Tokens("©2026 #1 → ★ a…b"), ElementsAre("2026", "1", "a", "b"));
  Analyzer words(AnalyzerKind::kWords);
  std::vector<Token> tokens;
  words.Analyze("grepで🎉", tokens);
  ASSERT_EQ(tokens.size(), 2U);
  EXPECT_EQ(tokens[0].text, "grepで");
  EXPECT_EQ(tokens[1].text, "🎉");
}

TEST(Analyzer, WordsKeepsMixedRunsWhole) {
  EXPECT_THAT(Tokens("Grepで検索 fix_v2", AnalyzerKind::kWords), ElementsAre("grepで検索", "fix", "v2"));
}

TEST(Analyzer, ThaiIsCutByDictionary) { EXPECT_THAT(Tokens("ภาษาไทย"), ElementsAre("ภาษา", "ไทย")); }

TEST(Analyzer, WhitespaceAndKeywordLeaveTheTextAsItIs) {
  EXPECT_THAT(Tokens("  A-b\tC ", AnalyzerKind::kWhitespace), ElementsAre("A-b", "C"));
  EXPECT_THAT(Tokens("A b", AnalyzerKind::kKeyword), ElementsAre("A b"));
}

TEST(Analyzer, OverlongWordsAreCutBetweenCharacters) {
  const auto ascii = Tokens(std::string(600, 'x'));
  ASSERT_EQ(ascii.size(), 3u);
  EXPECT_EQ(ascii[0].size(), 255u);
  std::string text;
  for (int i = 0; i < 200; ++i) text += "é";
  const auto accents = Tokens(text);
  ASSERT_EQ(accents.size(), 2u);
  EXPECT_EQ(accents[0].size(), 254u);
}

TEST(Analyzer, TellsWhenTheLimitCutsTokensOff) {
  Analyzer analyzer(AnalyzerKind::kStandard);
  std::vector<Token> tokens;
  EXPECT_TRUE(analyzer.Analyze("a b c", tokens, 4));
  EXPECT_FALSE(analyzer.Analyze("a b c d e", tokens, 4));
  EXPECT_EQ(tokens.size(), 4u);
}

TEST(Analyzer, InvalidBytesSeparateWords) {
  EXPECT_THAT(Tokens("abc\xff"
                     "def"),
              ElementsAre("abc", "def"));
}

TEST(Analyzer, NamesOfOpenSearchAreKnown) {
  EXPECT_EQ(ParseAnalyzer("cjk"), AnalyzerKind::kStandard);
  EXPECT_EQ(ParseAnalyzer("nonsense"), std::nullopt);
}

TEST(Analyzer, TokensAreBoundedWhateverMarksAreOnThem) {
  std::string marks;
  for (int i = 0; i < 5'000; ++i) marks += "\u0301";
  Analyzer analyzer(AnalyzerKind::kStandard);
  std::vector<Token> tokens;
  for (const auto& text : {"\u3042" + marks + "\u3044" + marks, "\U0001F389" + marks, "e" + marks}) {
    (void)analyzer.Analyze(text, tokens, 1000);
    ASSERT_FALSE(tokens.empty());
    for (const auto& token : tokens) EXPECT_LE(token.text.size(), Analyzer::kMaxTokenBytes);
  }
}

}  // namespace
}  // namespace honryu::search
