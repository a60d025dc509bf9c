#include "honryu/search/api_error.h"
#include "search/query/matcher.h"
#include "search/query/parse_query.h"
#include "search/query/pattern.h"
#include "search/query/searcher.h"
#include "segment_fixture.h"

namespace honryu::search {
namespace {

constexpr std::int64_t kNow = 1'795'219'200'000;  // 2026-11-21T00:00:00Z

class QueryTest : public testing::Test {
 protected:
  std::vector<std::uint32_t> Find(const std::string& query) {
    const auto json = codec::Json::Parse(query);
    EXPECT_TRUE(json.ok()) << query;
    const auto parsed = ParseQuery(*json);
    EXPECT_TRUE(parsed.ok()) << query;
    if (!parsed.ok()) return {};
    QueryContext context{kNow};
    SegmentMatcher matcher(*segment_, context);
    const auto docs = matcher.Match(*parsed);
    EXPECT_TRUE(docs.ok()) << query;
    return docs.ok() ? docs->ToVector() : std::vector<std::uint32_t>{};
  }
  using Docs = std::vector<std::uint32_t>;

  Mapping mapping_;
  std::shared_ptr<const Segment> segment_ = [this] {
    EXPECT_TRUE(
        mapping_.Merge(R"({"properties":{"place":{"type":"geo_point"},"long":{"type":"keyword"}}})").ok());
    return BuildSegment(
        mapping_,
        {R"({"m":"東京都庁で検索の不具合を修正","time":"2026-11-20T10:00:00Z","place":{"lat":35.68,"lon":139.76}})",
         R"({"m":"Quick brown fox jumps","time":"2026-11-20T23:59:59.999Z","place":"34.69,135.50"})",
         R"({"m":"the fox is quick","time":"2026-11-21T00:00:00Z","place":[179.5,-17]})",
         R"({"m":"ＡＢＣ ﾘﾝｸ 年","time":"2026-11-21T09:30:00+09:00","user":{"name":"Ann"},"n":9007199254740993})",
         R"({"long":")" + std::string(300, 'x') + R"(END","m":")" + std::string(300, 'y') + R"( tail"})"});
  }();
};

TEST_F(QueryTest, JapaneseIsFoundByOneTwoAndMoreCharacters) {
  EXPECT_EQ(Find(R"({"match":{"m":"京"}})"), Docs{0});
  EXPECT_EQ(Find(R"({"match":{"m":"庁"}})"), Docs{0});
  EXPECT_EQ(Find(R"({"match":{"m":"修正"}})"), Docs{0});
  EXPECT_EQ(Find(R"({"match":{"m":"都庁で検索"}})"), Docs{0});
  EXPECT_EQ(Find(R"({"match":{"m":"京東"}})"), Docs{});
  EXPECT_EQ(Find(R"({"match_phrase":{"m":"リンク"}})"), Docs{3});  // half width in the document
  EXPECT_EQ(Find(R"({"match":{"m":"abc"}})"), Docs{3});
  EXPECT_EQ(Find(R"({"match_phrase":{"m":"リンク 年"}})"), Docs{3});
}

TEST_F(QueryTest, MatchTakesWordsWithTypingErrors) {
  segment_ = BuildSegment(mapping_, {R"({"m":"connection refused","k":"x"})", R"({"m":"conection lost"})",
                                     R"({"m":"connections of the host"})", R"({"m":"東京の検索"})"});
  EXPECT_EQ(Find(R"({"match":{"m":"connection"}})"), Docs{0});
  EXPECT_EQ(Find(R"({"match":{"m":{"query":"connection","fuzziness":"AUTO"}}})"), (Docs{0, 1, 2}));
  EXPECT_EQ(Find(R"({"match":{"m":{"query":"connection lst","fuzziness":"AUTO","operator":"and"}}})"),
            Docs{1});
  EXPECT_EQ(Find(R"({"match":{"m":{"query":"connexion","fuzziness":1}}})"), Docs{});
  EXPECT_EQ(Find(R"({"match":{"m":{"query":"connexion","fuzziness":"2"}}})"), Docs{0});
  EXPECT_EQ(Find(R"({"match":{"m":{"query":"og","fuzziness":"AUTO"}}})"), Docs{});  // too short
  EXPECT_EQ(Find(R"({"match":{"m":{"query":"京の検","fuzziness":"AUTO"}}})"), Docs{3});
  EXPECT_EQ(Find(R"({"multi_match":{"query":"refusd","fields":["m","k"],"fuzziness":"AUTO"}})"), Docs{0});
  EXPECT_EQ(
      Find(
          R"({"multi_match":{"query":"refused x","fields":["m","k"],"type":"cross_fields","operator":"and"}})"),
      Docs{0});
  EXPECT_EQ(
      Find(R"({"multi_match":{"query":"lost x","fields":["m","k"],"type":"cross_fields","operator":"and"}})"),
      Docs{});
  for (const char* bad :
       {R"({"match":{"m":{"query":"a","fuzziness":3}}})", R"({"match":{"m":{"query":"a","fuzziness":"x"}}})",
        R"({"match_phrase":{"m":{"query":"a","fuzziness":1}}})",
        R"({"match":{"m":{"query":"a","fuzziness":1,"prefix_length":2}}})"})
    EXPECT_FALSE(ParseQuery(codec::Json::Parse(bad).value()).ok()) << bad;
}

TEST_F(QueryTest, PatternsThatSpanTokensFitWholeValues) {
  segment_ =
      BuildSegment(mapping_, {R"({"ip":"10.0.0.3","host":"Web-01.tokyo"})",
                              R"({"ip":"10.0.1.4","host":"web-02"})", R"({"ip":"110.0.0.3","host":"web"})"});
  EXPECT_EQ(Find(R"({"query_string":{"query":"ip:10.0.0.*"}})"), Docs{0});
  EXPECT_EQ(Find(R"({"query_string":{"query":"ip:10.0.?.*"}})"), (Docs{0, 1}));
  EXPECT_EQ(Find(R"({"query_string":{"query":"host:web-0*"}})"), (Docs{0, 1}));
  EXPECT_EQ(Find(R"({"query_string":{"query":"host:web*"}})"), (Docs{0, 1, 2}));
  EXPECT_EQ(Find(R"({"wildcard":{"ip":"*.0.0.3"}})"), (Docs{0, 2}));
  EXPECT_EQ(Find(R"({"wildcard":{"host":{"value":"web-0*","case_insensitive":true}}})"), (Docs{0, 1}));
}

TEST_F(QueryTest, PatternsFitTokensThatHoldAnyCharacter) {
  Mapping mapping;
  ASSERT_TRUE(mapping.Merge(R"({"properties":{"path":{"type":"text","analyzer":"whitespace"}}})").ok());
  segment_ = BuildSegment(mapping, {R"({"path":"GET /api/users 200"})", R"({"path":"GET /login 200"})",
                                    R"({"path":"/api/orders"})"});
  EXPECT_EQ(Find(R"({"wildcard":{"path":"/api/*"}})"), (Docs{0, 2}));
  EXPECT_EQ(Find(R"({"wildcard":{"path.keyword":"/api/*"}})"), Docs{2});
}

TEST_F(QueryTest, EmojiAreFound) {
  segment_ = BuildSegment(mapping_, {R"({"m":"リリース完了🎉"})", R"({"m":"nice 👍🏽🎉 work"})",
                                     R"({"m":"👍"})", R"({"m":"I ❤️ Rust"})", R"({"m":"👩\u200d💻 at work"})",
                                     R"({"m":"👩 with a 💻"})", R"({"m":"🇯🇵 🇫🇷"})"});
  EXPECT_EQ(Find(R"({"match":{"m":"🎉"}})"), (Docs{0, 1}));
  EXPECT_EQ(Find(R"({"term":{"m":"🎉"}})"), (Docs{0, 1}));
  EXPECT_EQ(Find(R"({"query_string":{"query":"🎉"}})"), (Docs{0, 1}));
  EXPECT_EQ(Find(R"({"match_phrase":{"m":"完了🎉"}})"), Docs{0});
  EXPECT_EQ(Find(R"({"match":{"m":"👍"}})"), (Docs{1, 2}));  // in every skin tone
  EXPECT_EQ(Find(R"({"match":{"m":"👍🏽"}})"), Docs{1});     // in this one
  EXPECT_EQ(Find(R"({"match":{"m":"❤"}})"), Docs{3});        // with and without the selector
  EXPECT_EQ(Find(R"({"match":{"m":"❤️"}})"), Docs{3});
  EXPECT_EQ(Find(R"({"match":{"m":"👩\u200d💻"}})"), Docs{4});  // parts in a row
  EXPECT_EQ(Find(R"({"match":{"m":"💻"}})"), (Docs{4, 5}));
  EXPECT_EQ(Find(R"({"match":{"m":"🇯🇵"}})"), Docs{6});
  EXPECT_EQ(Find(R"({"match":{"m":"🇯🇷"}})"), Docs{});
  EXPECT_EQ(Find(R"({"match":{"m":"🎉 👩"}})"), (Docs{0, 1, 4, 5}));
  EXPECT_EQ(Find(R"({"match":{"m":{"query":"nice 🎉","operator":"and"}}})"), Docs{1});
}

TEST_F(QueryTest, PhrasesKnowOrderAndSlop) {
  EXPECT_EQ(Find(R"({"match_phrase":{"m":"brown fox"}})"), Docs{1});
  EXPECT_EQ(Find(R"({"match_phrase":{"m":"fox brown"}})"), Docs{});
  EXPECT_EQ(Find(R"({"match_phrase":{"m":"quick fox"}})"), Docs{});
  EXPECT_EQ(Find(R"({"match_phrase":{"m":{"query":"quick fox","slop":1}}})"), Docs{1});
  EXPECT_EQ(Find(R"({"match_phrase_prefix":{"m":"quick bro"}})"), Docs{1});
  EXPECT_EQ(Find(R"({"match_bool_prefix":{"m":"jum"}})"), Docs{1});
  EXPECT_EQ(Find(R"({"match":{"m":{"query":"fox brown nothing","minimum_should_match":2}}})"), Docs{1});
  EXPECT_EQ(Find(R"({"multi_match":{"query":"ann","fields":["m","user.*"]}})"), Docs{3});
}

TEST_F(QueryTest, DatesRoundAsTheBoundNeeds) {
  EXPECT_EQ(Find(R"({"range":{"time":{"gte":"2026-11-20","lte":"2026-11-20"}}})"), (Docs{0, 1}));
  EXPECT_EQ(Find(R"({"range":{"time":{"gt":"2026-11-20"}}})"), (Docs{2, 3}));
  EXPECT_EQ(Find(R"({"range":{"time":{"lt":"2026-11-20||+1d/d"}}})"), (Docs{0, 1}));
  EXPECT_EQ(Find(R"({"range":{"time":{"gte":"now-1d/d","lt":"now/d"}}})"), (Docs{0, 1}));
  EXPECT_EQ(Find(R"({"range":{"time":{"gte":"2026-11-21T09:00","time_zone":"+09:00"}}})"), (Docs{2, 3}));
  EXPECT_EQ(Find(R"({"range":{"time":{"gte":"2026-11-21","lte":"2026-11-21","time_zone":"Asia/Tokyo"}}})"),
            (Docs{1, 2, 3}));
  EXPECT_EQ(Find(R"({"range":{"time":{"gte":1795219200000,"format":"epoch_millis"}}})"), (Docs{2, 3}));
  EXPECT_EQ(Find(R"({"range":{"time":{"gte":1795219200,"format":"epoch_second"}}})"), (Docs{2, 3}));
  EXPECT_EQ(Find(R"({"range":{"time":{"gte":"21.11.2026","format":"dd.MM.yyyy"}}})"), (Docs{2, 3}));
  EXPECT_EQ(Find(R"({"term":{"time":"2026-11-20"}})"), (Docs{0, 1}));
}

TEST_F(QueryTest, PatternsFitWholeValues) {
  EXPECT_EQ(Find(R"({"wildcard":{"m.keyword":"*fox*"}})"), (Docs{1, 2}));
  EXPECT_EQ(Find(R"({"wildcard":{"m.keyword":{"value":"quick*","case_insensitive":true}}})"), Docs{1});
  EXPECT_EQ(Find(R"({"wildcard":{"m.keyword":"*東京?庁*"}})"), Docs{0});
  EXPECT_EQ(Find(R"q({"regexp":{"m.keyword":"(the|Quick).*(quick|jumps)"}})q"), (Docs{1, 2}));
  EXPECT_EQ(Find(R"({"regexp":{"m":"qu?ick"}})"), (Docs{1, 2}));
  EXPECT_EQ(Find(R"({"prefix":{"m":"jum"}})"), Docs{1});
  EXPECT_EQ(Find(R"({"fuzzy":{"m":"qiuck"}})"), (Docs{1, 2}));
  EXPECT_EQ(Find(R"({"term":{"user.name.keyword":{"value":"ANN","case_insensitive":true}}})"), Docs{3});
}

TEST_F(QueryTest, LongValuesAreReadFromTheSource) {
  const std::string whole = std::string(300, 'x') + "END";
  EXPECT_EQ(Find(R"({"term":{"long":")" + whole + R"("}})"), Docs{4});
  EXPECT_EQ(Find(R"({"term":{"long":")" + whole.substr(1) + R"("}})"), Docs{});
  EXPECT_EQ(Find(R"({"wildcard":{"long":"*END"}})"), Docs{4});
  EXPECT_EQ(Find(R"({"prefix":{"m.keyword":"yyy"}})"), Docs{4});
  EXPECT_EQ(Find(R"({"exists":{"field":"long"}})"), Docs{4});
}

TEST_F(QueryTest, NumbersIdsObjectsAndPlaces) {
  EXPECT_EQ(Find(R"({"term":{"n":9007199254740993}})"), Docs{3});
  EXPECT_EQ(Find(R"({"term":{"n":"9007199254740993"}})"), Docs{3});
  EXPECT_EQ(Find(R"({"term":{"n":9007199254740992}})"), Docs{});
  EXPECT_EQ(Find(R"({"ids":{"values":["s:2","s:4","s:9","x:1","s:0:1"]}})"), (Docs{2, 4}));
  EXPECT_EQ(Find(R"({"term":{"_id":"s:1"}})"), Docs{1});
  EXPECT_EQ(Find(R"({"exists":{"field":"user"}})"), Docs{3});
  EXPECT_EQ(
      Find(
          R"({"geo_bounding_box":{"place":{"top_left":{"lat":36,"lon":139},"bottom_right":{"lat":35,"lon":140}}}})"),
      Docs{0});
  EXPECT_EQ(Find(R"({"geo_bounding_box":{"place":{"top":0,"left":170,"bottom":-20,"right":-170}}})"),
            Docs{2});
  EXPECT_EQ(Find(R"({"geo_distance":{"distance":"10km","place":"35.70,139.70"}})"), Docs{0});
  EXPECT_EQ(Find(R"({"geo_distance":{"distance":"500km","place":[139.7,35.7]}})"), (Docs{0, 1}));
}

TEST_F(QueryTest, ScoresRareWordsAndShortTextsHigher) {
  QueryContext context{kNow};
  HitsRequest request;
  request.query = ParseQuery(codec::Json::Parse(R"({"match":{"m":"fox brown"}})").value()).value();
  const auto result = SearchSegments({{"i", segment_}}, request, context, {}, nullptr);
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->hits.size(), 2u);
  EXPECT_EQ(result->hits[0].doc, 1u);
  EXPECT_GT(result->hits[0].score, result->hits[1].score);
  EXPECT_GT(result->hits[1].score, 0);
  EXPECT_EQ(result->max_score, result->hits[0].score);
}

TEST_F(QueryTest, OneQueryCannotKeepAThreadNorTakeAllMemory) {
  QueryContext context{kNow};
  const auto run = [&](const Segment& segment, const std::string& text) {
    const auto query = ParseQuery(codec::Json::Parse(text).value());
    EXPECT_TRUE(query.ok()) << text;
    return SegmentMatcher(segment, context).Match(*query);
  };
  Mapping mapping;
  const auto hostile = BuildSegment(mapping, {R"({"k":")" + std::string(60, 'a') + R"(!"})"});
  const auto endless = run(*hostile, R"({"regexp":{"k.keyword":"(a|aa|a?a)+(a+)+b"}})");
  ASSERT_FALSE(endless.ok());  // instead of an answer without what it could not try
  EXPECT_EQ(ToApiError(endless.error()).status, 400);

  // More than a thousand pairs begin with の: all of them count in a phrase, too.
  std::vector<std::string> documents;
  for (std::uint32_t c = 0x4e00; c < 0x4e00 + 1500; ++c) {
    const std::string other{static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
                            static_cast<char>(0x80 | (c & 0x3f))};
    documents.push_back(R"({"m":"a の)" + other + R"( b"})");
  }
  const auto many = BuildSegment(mapping, documents);
  EXPECT_EQ(run(*many, R"({"match_phrase":{"m":"a の"}})")->size(), 1500u);
  std::string wide = "a";
  for (int i = 0; i < 1500; ++i) wide += " の";
  EXPECT_EQ(run(*many, R"({"match_phrase":{"m":")" + wide + R"("}})")->size(), 0u);

  EXPECT_EQ(
      run(*segment_, R"({"multi_match":{"query":"quick fox","type":"phrase","fields":["m"],"slop":-5}})")
          ->size(),
      0u);
  EXPECT_EQ(run(*segment_, R"({"query_string":{"query":"\"fox quick\"~1e300"}})")->size(), 2u);
  EXPECT_EQ(run(*segment_, R"({"query_string":{"query":"quick~-1"}})")->size(), 2u);
  EXPECT_EQ(run(*segment_, R"({"simple_query_string":{"query":"q~1000"}})")->size(), 3u);  // 年, a pair, is
  std::string clauses;
  for (int i = 0; i < 66'000; ++i) clauses += (i > 0 ? "," : "") + std::string(R"({"match_all":{}})");
  const auto refused = ParseQuery(codec::Json::Parse(R"({"bool":{"should":[)" + clauses + "]}}").value());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ToApiError(refused.error()).type, "too_many_clauses_exception");
  EXPECT_EQ(RequiredClauses("99999999999999999%", 4, 1), 40'000u);

  // Limits are looked at within a segment, too.
  ManualClock clock{TimestampFromMs(kNow)};
  context.limits.clock = &clock;
  EXPECT_EQ(run(*segment_, R"({"match_all":{}})").error().code(), ErrorCode::kDeadlineExceeded);
  context.limits.deadline = clock.Mono() + std::chrono::seconds(1);
  EXPECT_TRUE(run(*segment_, R"({"wildcard":{"m":"*o*"}})").ok());
  std::atomic<bool> cancelled{true};
  context.limits.cancelled = &cancelled;
  EXPECT_EQ(run(*many, R"({"wildcard":{"m":"*o*"}})").error().code(), ErrorCode::kCancelled);
}

TEST_F(QueryTest, CancellationDeadlineAndTerminateAfter) {
  QueryContext context{kNow};
  HitsRequest request;
  request.terminate_after = 2;
  const auto early = SearchSegments({{"i", segment_}, {"i", segment_}}, request, context, {}, nullptr);
  ASSERT_TRUE(early.ok());
  EXPECT_EQ(early->total, 2u);
  EXPECT_TRUE(early->terminated_early);
  std::atomic<bool> cancelled{true};
  SearchLimits limits;
  limits.cancelled = &cancelled;
  EXPECT_EQ(SearchSegments({{"i", segment_}}, {}, context, limits, nullptr).error().code(),
            ErrorCode::kCancelled);
  ManualClock clock{TimestampFromMs(kNow)};
  SearchLimits late;
  late.clock = &clock;
  late.deadline = clock.Mono();
  const auto timed_out = SearchSegments({{"i", segment_}}, {}, context, late, nullptr);
  ASSERT_TRUE(timed_out.ok());
  EXPECT_TRUE(timed_out->timed_out);
}

/// A clock by which every look takes a millisecond.
class LookingClock final : public Clock {
 public:
  Timestamp Now() const override { return TimestampFromMs(kNow); }
  MonoTime Mono() const override { return MonoTime(std::chrono::milliseconds(++looks_)); }

 private:
  mutable std::int64_t looks_ = 0;
};

TEST_F(QueryTest, OneLargeSegmentDoesNotHoldUpTheEnd) {
  BoolQuery many;
  for (int n = 0; n < 100; ++n) many.must_not.push_back({MatchNoneQuery{}, 1});
  HitsRequest request;
  request.query = {std::move(many), 1};
  const auto run = [&](std::int64_t milliseconds) {
    LookingClock clock;
    SearchLimits limits;
    limits.clock = &clock;
    limits.deadline = MonoTime(std::chrono::milliseconds(milliseconds));
    const auto result = SearchSegments({{"i", segment_}}, request, {kNow}, limits, nullptr);
    EXPECT_TRUE(result.ok());
    return result.ok() && result->timed_out;
  };
  EXPECT_TRUE(run(50));  // within the clauses
  EXPECT_FALSE(run(10'000));
}

TEST(ParseQuery, NamesWhatItDoesNotKnow) {
  const auto refuse = [](std::string_view text) {
    const auto parsed = ParseQuery(codec::Json::Parse(text).value());
    EXPECT_FALSE(parsed.ok()) << text;
    return parsed.ok() ? ApiError{} : ToApiError(parsed.error());
  };
  const auto unknown = refuse(R"({"mach":{"m":"x"}})");
  EXPECT_EQ(unknown.type, "parsing_exception");
  EXPECT_EQ(unknown.reason, "unknown query [mach]");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(ErrorBody(unknown),
            R"({"error":{"root_cause":[{"type":"parsing_exception","reason":"unknown query [mach]"}],)"
            R"("type":"parsing_exception","reason":"unknown query [mach]"},"status":400})");
  EXPECT_NE(refuse(R"({"range":{"n":{"gte":1,"above":2}}})").reason.find("[above]"), std::string::npos);
  EXPECT_NE(refuse(R"({"match":{"a":"x","b":"y"}})").reason.find("multiple fields"), std::string::npos);
  EXPECT_NE(refuse(R"({"bool":{"musst":[]}})").reason.find("[musst]"), std::string::npos);
  // Each word in each field is a clause.
  std::string fields, words;
  for (int i = 0; i < 300; ++i) {
    fields += (i > 0 ? "," : "") + ("\"f" + std::to_string(i)) + "\"";
    words += "w" + std::to_string(i) + " ";
  }
  for (const char* kind : {R"("fuzziness":1)", R"("type":"cross_fields","operator":"and")"})
    EXPECT_EQ(
        refuse(R"({"multi_match":{"query":")" + words + R"(","fields":[)" + fields + "]," + kind + "}}").type,
        "too_many_clauses_exception");
  refuse(R"({"terms":{"n":5}})");
  refuse(R"({"match_all":{},"term":{"a":1}})");
  refuse("{}");
  std::string deep = R"({"match_all":{}})";
  for (int i = 0; i < 25; ++i) deep = R"({"bool":{"must":)" + deep + "}}";
  EXPECT_TRUE(ParseQuery(codec::Json::Parse(deep).value()).ok());
}

TEST(ParseQuery, WordsShareTheListOfTheirFields) {
  const auto parsed = ParseQuery(
      codec::Json::Parse(
          R"({"multi_match":{"query":"a b","fields":["x","y"],"type":"cross_fields","operator":"and"}})")
          .value());
  ASSERT_TRUE(parsed.ok());
  const auto& words = std::get<BoolQuery>(parsed->node).must;
  ASSERT_EQ(words.size(), 2u);
  const auto &first = std::get<MatchQuery>(words[0].node).fields,
             &second = std::get<MatchQuery>(words[1].node).fields;
  EXPECT_EQ(first.begin(), second.begin());
  auto longer = first;
  longer.push_back({"z", 1});
  EXPECT_EQ(longer.size(), 3u);
  EXPECT_EQ(first.size(), 2u);
}

TEST(Pattern, RegularExpressionsAreBounded) {
  EXPECT_FALSE(Pattern::Regexp("(", false).ok());
  const auto evil = Pattern::Regexp("(a+)+b", false);
  ASSERT_TRUE(evil.ok());
  EXPECT_FALSE(evil->Matches(std::string(40, 'a')));  // gives up instead of trying 2^40 ways
  const auto prefixed = Pattern::Regexp("abc?d", false);
  EXPECT_EQ(prefixed->literal_prefix(), "ab");
}

TEST(DateMath, KnowsZonesAndUnits) {
  const auto tokyo = TimeZone::Parse("Asia/Tokyo");
  ASSERT_TRUE(tokyo.ok());
  EXPECT_EQ(tokyo->OffsetAt(kNow), 9 * 3'600'000);
  const auto berlin = TimeZone::Parse("Europe/Berlin").value();
  // 2026-03-29: clocks go from 02:00 to 03:00.
  const auto noon = ParseDate("2026-03-29T12:00", {{}, berlin, 0, false}).value();
  EXPECT_EQ(FormatDate(noon, "yyyy-MM-dd HH:mm X", TimeZone()), "2026-03-29 10:00 Z");
  EXPECT_FALSE(TimeZone::Parse("Mars/Olympus").ok());
  const auto feb = ParseDate("2028-01-31||+1M", {}).value();
  EXPECT_EQ(FormatDate(feb, "yyyy-MM-dd", TimeZone()), "2028-02-29");
  EXPECT_EQ(FormatDate(FloorToUnit(kNow, CalendarUnit::kWeek), "yyyy-MM-dd", TimeZone()), "2026-11-16");
  EXPECT_EQ(FormatDate(FloorToUnit(kNow, CalendarUnit::kQuarter), "yyyy-MM-dd", TimeZone()), "2026-10-01");
  EXPECT_EQ(FormatDate(kNow, "", *tokyo), "2026-11-21T09:00:00.000+09:00");
  EXPECT_EQ(FormatDate(kNow, "EEE d MMM yyyy, EEEE MMMM", TimeZone()), "Sat 21 Nov 2026, Saturday November");
  EXPECT_FALSE(ParseDate("9223372036854775807", {"epoch_second", {}, 0, false}).ok());
  EXPECT_FALSE(ParseDate("2026-13-01", {}).ok());
  EXPECT_FALSE(ParseDate("yesterday", {}).ok());
  EXPECT_EQ(ParseFixedInterval("90m"), 5'400'000);
  EXPECT_EQ(ParseFixedInterval("1M"), std::nullopt);
}

}  // namespace
}  // namespace honryu::search
