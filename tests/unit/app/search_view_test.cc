#include "app/commands/search_view.h"

#include "honryu/base/time.h"

#include <gtest/gtest.h>

namespace honryu::app {
namespace {

using codec::Json;

constexpr std::int64_t kNow = 1'795'219'200'000;  // 2026-11-21T00:00:00Z

Json Hit(const std::string& source, const std::string& highlight = "{}") {
  return Json::Parse(R"({"sort":[1795219200123],"_source":)" + source + R"(,"highlight":)" + highlight + "}")
      .value();
}

TEST(SearchView, WidthsAreThoseOfATerminal) {
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("é…"), 2u);
  EXPECT_EQ(DisplayWidth("東京タワー"), 10u);
  EXPECT_EQ(DisplayWidth("ﾊﾝｶｸ"), 4u);
  EXPECT_EQ(DisplayWidth("ＡＢ한글😀"), 10u);
  EXPECT_EQ(DisplayWidth("✅❌❗⚡⭐⏰☔⛔✨➕⬛🀄"), 24u);
  EXPECT_EQ(DisplayWidth("✓✗→•⚠"), 5u);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1u);     // e and a combining accent
  EXPECT_EQ(DisplayWidth("\xff\xe6\x9d"), 2u);  // no UTF-8: a sign for each piece
}

TEST(SearchView, NothingOfAnEventMovesTheCursorOrTurnsText) {
  EXPECT_EQ(Harmless("a\x1b[2Jb\r\n\tc"), "a [2Jb   c");
  EXPECT_EQ(Harmless("x\x7f\xc2\x9b"
                     "31m"),
            "x\xef\xbf\xbd\xef\xbf\xbd"
            "31m");
  EXPECT_EQ(Harmless("\xe2\x80\xae"
                     "exe.txt"),
            "\xef\xbf\xbd"
            "exe.txt");
  EXPECT_EQ(Harmless("日本 \x01語\x02", true), "日本 \x01語\x02");
  EXPECT_EQ(Harmless("日本 \x01語\x02"), "日本  語 ");
  SearchView view;
  const auto line = view.Event(Hit(R"({"message":"\u001b]0;title\u0007","k\u001b[1m":"v"})"));
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(line.find('\x07'), std::string::npos);
}

TEST(SearchView, ALineBeginsWithWhatMattersAndDoesNotRepeatItsTime) {
  SearchView view;
  EXPECT_EQ(
      view.Event(Hit(R"({"received_at":"2026-11-21T00:00:01.000Z","timestamp":"2026-11-21T00:00:00.123Z",
                               "event_id":"e1","user":{"name":"bob","n":[1,2]},"level":"ERROR","message":"it broke","page":"home"})",
                     R"({"page":["\u0001home\u0002"]})")),
      "2026-11-21T00:00:00.123Z  ERROR  it broke  page=home  user.name=bob  user.n=[1,2]  "
      "received_at=2026-11-21T00:00:01.000Z  event_id=e1");
  EXPECT_EQ(view.Event(Hit(R"({"event_type":"page_view","page":"home"})")),
            "2026-11-21T00:00:00.123Z  page_view  page=home");
  view.fields = {"b", "a"};
  EXPECT_EQ(view.Event(Hit(R"({"a":1,"b":{"c":true,"d":"x"},"bb":3})")),
            "2026-11-21T00:00:00.123Z  b.c=true  b.d=x  a=1");
  view.whole_time = false;
  view.fields = {"none"};
  EXPECT_EQ(view.Event(Hit("{}")), "00:00:00.123");
}

TEST(SearchView, MarksOfAnEventHighlightNothing) {
  SearchView view;
  view.color = true;
  const auto line = [&](const std::string& text, const std::string& highlight = "{}") {
    return view.Event(Hit(R"({"message":")" + text + R"("})", highlight));
  };
  EXPECT_EQ(line(R"(a\u0001b\u0002c)").find("\x1b[1;33m"), std::string::npos);
  // Highlighted, but with marks of its own before and within what was found.
  const auto found = line(R"(\u0002x\u0001y)", R"({"message":["\u0002x\u0001\u0001y\u0002"]})");
  EXPECT_NE(found.find("\x1b[1;33my\x1b[0m"), std::string::npos);
  for (const auto& one : {line(R"(a\u0001b)"), found}) {
    EXPECT_EQ(one.find('\x01'), std::string::npos);
    EXPECT_EQ(one.find('\x02'), std::string::npos);
  }
}

TEST(SearchView, JsonOnATerminalMovesNoCursorAndStaysTheSame) {
  const std::string text =
      "{\"a\":\"x\x7f\xc2\x9b"
      "31m \xe2\x80\xae"
      "y\xe2\x81\xa6"
      "\xc2\xa0東京\"}";
  const auto shown = HarmlessJson(text);
  EXPECT_EQ(shown, "{\"a\":\"x\\u007f\\u009b31m \\u202ey\\u2066\xc2\xa0東京\"}");
  EXPECT_EQ(Json::Parse(shown).value().Find("a")->StringOr(""),
            Json::Parse(text).value().Find("a")->StringOr(""));
  EXPECT_EQ(HarmlessJson("{\n\t\"a\":1}\r\x1b[2J"), "{\n \"a\":1}  [2J");
  EXPECT_EQ(HarmlessJson("\x9b"), "\xef\xbf\xbd");
}

TEST(SearchView, LinesAreCutAtTheTerminalsWidthBetweenCharacters) {
  SearchView view;
  view.whole_time = false;
  const auto hit = Hit(R"({"message":"東京都で失敗しました","n":1})");
  EXPECT_EQ(view.Event(hit), "00:00:00.123  東京都で失敗しました  n=1");
  for (std::size_t width = 1; width < 50; ++width) {
    view.width = width;
    const auto line = view.Event(hit);
    EXPECT_LE(DisplayWidth(line), width);
    EXPECT_GE(DisplayWidth(line) + 1, std::min<std::size_t>(width, 39));
    EXPECT_EQ(line.ends_with("…"), width <= 39) << width << line;
  }
  view.width = 22;
  EXPECT_EQ(view.Event(hit), "00:00:00.123  東京都…");
}

TEST(SearchView, ColorsEndWhereTheyBelong) {
  SearchView view;
  view.color = true;
  view.whole_time = false;
  EXPECT_EQ(view.Event(Hit(R"({"level":"warning","msg":"a b c"})", R"({"msg":["a \u0001b\u0002 c"]})")),
            "\x1b[36m00:00:00.123\x1b[0m  \x1b[1;33mwarning\x1b[0m  a \x1b[1;33mb\x1b[0m c");
  EXPECT_NE(view.Event(Hit(R"({"level":"FATAL"})")).find("\x1b[1;31mFATAL"), std::string::npos);
  EXPECT_NE(view.Event(Hit(R"({"severity":"debug"})")).find("\x1b[2mdebug"), std::string::npos);
}

TEST(SearchView, TheHistogramSaysWhatItsBarsAre) {
  SearchView view;
  const auto buckets =
      Json::Parse(R"([{"doc_count":0},{"doc_count":1},{"doc_count":1600},{"doc_count":800}])").value();
  EXPECT_EQ(view.Histogram(buckets, kNow, kNow + 60'000, 15'000),
            " ▁█▄\n00:00:00  most 1,600 in 15s  00:01:00\n");
  EXPECT_EQ(view.Histogram(buckets, kNow, kNow + 3 * 86'400'000, 86'400'000),
            " ▁█▄\n2026-11-21T00:00  most 1,600 in 1d  2026-11-24T00:00\n");
  EXPECT_EQ(view.Histogram(Json::Parse(R"([{"doc_count":0}])").value(), kNow, kNow + 1, 1), "");
}

TEST(SearchView, BarsAreOfRoundWidthsAndFitTheTerminal) {
  constexpr std::int64_t kHour = 3'600'000;
  EXPECT_EQ(BarWidth(900'000, 80), 15'000);
  EXPECT_EQ(BarWidth(900'000, 120), 10'000);
  EXPECT_EQ(BarWidth(24 * kHour, 80), kHour / 2);
  EXPECT_EQ(BarWidth(365 * 24 * kHour, 80) % (24 * kHour), 0);
  for (std::int64_t span = 1; span < 1'000 * 24 * kHour; span = span * 3 + 7)
    for (const std::int64_t columns : {20, 80, 120}) EXPECT_LE(span / BarWidth(span, columns) + 1, columns);
}

TEST(SearchView, LargeNumbersAreGrouped) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
  EXPECT_EQ(Grouped(-1234567), "-1,234,567");
}

}  // namespace
}  // namespace honryu::app
