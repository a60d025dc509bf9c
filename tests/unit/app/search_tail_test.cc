#include "app/commands/search_tail.h"

#include <gtest/gtest.h>

namespace honryu::app {
namespace {

using codec::Json;

std::string Hit(int sequence, const std::string& shard, const std::string& part, int time) {
  return R"({"_id":"x","sort":[)" + std::to_string(sequence) + ",\"" + shard + "\"," + part + "," +
         std::to_string(time) + "]}";
}
Json Answer(const std::string& hits, const std::string& more = "") {
  return Json::Parse(R"({"timed_out":false)" + more + R"(,"hits":{"hits":[)" + hits + "]}}").value();
}
bool Asks(const SearchTail& tail, const std::string& what) {
  const auto body = tail.Body(R"({"match_all":{}})", R"("a":1)");
  EXPECT_TRUE(Json::Parse(body).ok()) << body;
  return body.find(what) != std::string::npos;
}

TEST(SearchTail, GoesOnWithinARecordWhereAFullAnswerEnded) {
  SearchTail tail;
  std::string hits;
  for (std::size_t i = 0; i < SearchTail::kBatch; ++i)
    hits += (i > 0 ? "," : "") + Hit(7, "s", i == 0 ? "null" : std::to_string(i), 100);
  const auto events = tail.Take(Answer(hits));
  ASSERT_TRUE(events.ok());
  EXPECT_TRUE(events->full);
  EXPECT_EQ(events->hits.size(), SearchTail::kBatch);
  EXPECT_TRUE(Asks(tail, R"({"range":{"_sequence":{"gt":7}}})"));
  EXPECT_TRUE(Asks(tail, R"([{"term":{"_sequence":7}},{"range":{"_part":{"gt":999}}}])"));
  EXPECT_TRUE(Asks(tail, R"({"_part":{"order":"asc","missing":"_first"}})"));
  // A later record begins anew.
  ASSERT_TRUE(tail.Take(Answer(Hit(8, "s", "null", 100))).ok());
  EXPECT_TRUE(Asks(tail, R"([{"term":{"_sequence":8}},{"range":{"_part":{"gt":0}}}])"));
}

TEST(SearchTail, AnAnswerThatIsNotWholeMovesNothing) {
  SearchTail tail;
  ASSERT_TRUE(tail.Take(Answer(Hit(3, "s", "null", 100))).ok());
  const auto late =
      Json::Parse(R"({"timed_out":true,"hits":{"hits":[)" + Hit(9, "s", "null", 100) + "]}}").value();
  const auto taken = tail.Take(late);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(Asks(tail, R"({"_sequence":{"gt":3}})"));
  EXPECT_FALSE(SearchTail().Begin(late).ok());
}

TEST(SearchTail, BeginsAtTheEndsAndShowsEventsByTheirTime) {
  SearchTail tail;
  const auto ends = Json::Parse(
      R"({"aggregations":{"s":{"buckets":[{"key":"a","l":{"hits":{"hits":[{"sort":[41,5]}]}}},
         {"key":"b","l":{"hits":{"hits":[{"sort":[2,null]}]}}}]}}})");
  ASSERT_TRUE(tail.Begin(ends.value()).ok());
  EXPECT_TRUE(Asks(tail, R"([{"term":{"_sequence":41}},{"range":{"_part":{"gt":5}}}])"));
  EXPECT_TRUE(Asks(tail, R"({"terms":{"_shard":["a","b"]}})"));
  const auto events = tail.Take(
      Answer(Hit(3, "b", "null", 300) + "," + Hit(42, "a", "null", 100) + "," + Hit(1, "c", "2", 200)));
  ASSERT_TRUE(events.ok());
  EXPECT_FALSE(events->full);
  std::string times;
  for (const Json& hit : events->hits) times += hit.Find("sort")->Dump();
  EXPECT_EQ(times, "[100][200][300]");
  EXPECT_TRUE(Asks(tail, R"({"terms":{"_shard":["a","b","c"]}})"));
}

}  // namespace
}  // namespace honryu::app
