#include "search/query/query_string.h"

#include "honryu/base/random.h"
#include "honryu/search/api_error.h"
#include "search/query/matcher.h"
#include "search/query/parse_query.h"
#include "segment_fixture.h"

namespace honryu::search {
namespace {

class QueryStringTest : public testing::Test {
 protected:
  using Docs = std::vector<std::uint32_t>;
  Docs Evaluate(const Query& query) {
    QueryContext context;
    SegmentMatcher matcher(*segment_, context);
    const auto docs = matcher.Match(query);
    EXPECT_TRUE(docs.ok());
    return docs.ok() ? docs->ToVector() : Docs{};
  }
  Docs Find(std::string_view text, bool all = false) {
    QueryStringOptions options;
    options.all = all;
    const auto query = ParseQueryString(text, options);
    EXPECT_TRUE(query.ok()) << text << ": " << (query.ok() ? "" : query.error().ToString());
    return query.ok() ? Evaluate(*query) : Docs{};
  }
  Docs Simple(std::string_view text) { return Evaluate(ParseSimpleQueryString(text, {})); }

  Mapping mapping_;
  std::shared_ptr<const Segment> segment_ = BuildSegment(
      mapping_,
      {R"({"m":"login failed for Ann","level":"error","n":5,"time":"2026-11-20T10:00:00Z"})",
       R"({"m":"login of Bob","level":"info","n":12,"time":"2026-11-21T10:00:00Z","path":"/a/b-c"})",
       R"({"m":"検索の不具合を修正","level":"warn","n":-3})",
       R"({"m":"disk full and slow","level":"error","n":40,"path":"C:\\x*y"})"});
};

TEST_F(QueryStringTest, WordsOperatorsAndGroups) {
  EXPECT_EQ(Find("login"), (Docs{0, 1}));
  EXPECT_EQ(Find("login disk"), (Docs{0, 1, 3}));
  EXPECT_EQ(Find("login ann", true), Docs{0});
  EXPECT_EQ(Find("login AND ann"), Docs{0});
  EXPECT_EQ(Find("login && !ann"), Docs{1});
  EXPECT_EQ(Find("login -ann"), Docs{1});
  EXPECT_EQ(Find("login NOT bob"), Docs{0});
  EXPECT_EQ(Find("+login bob"), (Docs{0, 1}));
  EXPECT_EQ(Find("(ann OR bob) AND level:error"), Docs{0});
  EXPECT_EQ(Find("ann OR bob", true), (Docs{0, 1}));
  EXPECT_EQ(Find("level:(info OR warn)"), (Docs{1, 2}));
  EXPECT_EQ(Find("NOT level:error"), (Docs{1, 2}));
  EXPECT_EQ(Find("*"), (Docs{0, 1, 2, 3}));
  EXPECT_EQ(Find("*:*"), (Docs{0, 1, 2, 3}));
  EXPECT_EQ(Find(""), Docs{});
}

TEST_F(QueryStringTest, FieldsPhrasesPatternsAndRanges) {
  EXPECT_EQ(Find(R"(m:"login of")"), Docs{1});
  EXPECT_EQ(Find(R"("failed ann"~1)"), Docs{0});
  EXPECT_EQ(Find(R"("failed ann")"), Docs{});
  EXPECT_EQ(Find("m:LOG*"), (Docs{0, 1}));
  EXPECT_EQ(Find("lo?in"), (Docs{0, 1}));
  EXPECT_EQ(Find("level.keyword:e*r"), (Docs{0, 3}));
  EXPECT_EQ(Find("m:/(ann|bob)/"), (Docs{0, 1}));
  EXPECT_EQ(Find("lojin~1"), (Docs{0, 1}));
  EXPECT_EQ(Find("n:5"), Docs{0});
  EXPECT_EQ(Find("n:>=12"), (Docs{1, 3}));
  EXPECT_EQ(Find("n:[5 TO 12]"), (Docs{0, 1}));
  EXPECT_EQ(Find("n:{5 TO *]"), (Docs{1, 3}));
  EXPECT_EQ(Find("n:<0 OR n:{12 TO 41}"), (Docs{2, 3}));
  EXPECT_EQ(Find("time:[2026-11-21 TO 2026-11-21]"), Docs{1});
  EXPECT_EQ(Find("_exists_:path"), (Docs{1, 3}));
  EXPECT_EQ(Find("path:*"), (Docs{1, 3}));
  EXPECT_EQ(Find(R"(path.keyword:"/a/b-c")"), Docs{1});
  EXPECT_EQ(Find(R"(path.keyword:C\:\\x\*y)"), Docs{3});
  EXPECT_EQ(Find("修正"), Docs{2});
  EXPECT_EQ(Find("m:不具合*"), Docs{2});
  EXPECT_EQ(Find("login^2 disk"), (Docs{0, 1, 3}));
}

TEST_F(QueryStringTest, SaysWhatIsWrong) {
  for (const auto* text :
       {"(a", "a)", "\"open", "n:[1 TO", "n:[1 2]", "/re", "[1 TO 2]", "a AND", "f:", "a^x", "()"}) {
    const auto query = ParseQueryString(text, {});
    ASSERT_FALSE(query.ok()) << text;
    EXPECT_EQ(ToApiError(query.error()).type, "parsing_exception");
  }
  std::string deep(100, '(');
  EXPECT_FALSE(ParseQueryString(deep + "a" + std::string(100, ')'), {}).ok());
}

TEST_F(QueryStringTest, TheSimpleSyntaxNeverFails) {
  EXPECT_EQ(Simple("login + ann"), Docs{0});
  EXPECT_EQ(Simple("ann | disk"), (Docs{0, 3}));
  EXPECT_EQ(Simple("login + -ann"), Docs{1});
  EXPECT_EQ(Simple("\"login of\""), Docs{1});
  EXPECT_EQ(Simple("log*"), (Docs{0, 1}));
  EXPECT_EQ(Simple("(ann | bob) + login"), (Docs{0, 1}));
  Random random(11);
  constexpr std::string_view kCharacters = "ab \"()+-|*~\\:[]{}/^<>=!&1";
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (auto n = random.Below(20); n > 0; --n) text += kCharacters[random.Below(kCharacters.size())];
    Simple(text);
    (void)ParseQueryString(text, {}).ok();  // ends, whatever comes
  }
}

TEST_F(QueryStringTest, AsJson) {
  const auto query = ParseQuery(
      codec::Json::Parse(
          R"({"query_string":{"query":"ann bob","fields":["m"],"default_operator":"AND","analyze_wildcard":true}})")
          .value());
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(Evaluate(*query), Docs{});
  const auto simple = ParseQuery(
      codec::Json::Parse(R"({"simple_query_string":{"query":"ann | bob","fields":["m^2"]}})").value());
  ASSERT_TRUE(simple.ok());
  EXPECT_EQ(Evaluate(*simple), (Docs{0, 1}));
}

}  // namespace
}  // namespace honryu::search
