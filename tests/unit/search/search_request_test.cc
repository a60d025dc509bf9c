#include "search/request/search_request.h"

#include "honryu/search/api_error.h"
#include "segment_fixture.h"

namespace honryu::search {
namespace {

using codec::Json;

class SearchRequestTest : public testing::Test {
 protected:
  std::string Run(const std::string& body) {
    const auto request = ParseSearchRequest(Json::Parse(body).value(), 0);
    EXPECT_TRUE(request.ok()) << body << (request.ok() ? "" : request.error().ToString());
    if (!request.ok()) return {};
    QueryContext context;
    auto answer = RunSearch(segments_, *request, context, {});
    EXPECT_TRUE(answer.ok()) << answer.error().ToString();
    return answer.ok() ? *answer : std::string();
  }
  std::string Aggs(const std::string& aggs) {
    return Json::Parse(Run(R"({"size":0,"aggs":)" + aggs + "}")).value().Find("aggregations")->Dump();
  }
  std::string Refuse(const std::string& body) {
    const auto request = ParseSearchRequest(Json::Parse(body).value(), 0);
    EXPECT_FALSE(request.ok()) << body;
    return request.ok() ? "" : ToApiError(request.error()).reason;
  }

  Mapping mapping_;
  std::vector<IndexedSegment> segments_ = {
      {"web", BuildSegment(mapping_,
                           {R"({"time":"2026-11-20T10:00:00Z","user":{"name":"ann","age":31},"ms":12})",
                            R"({"time":"2026-11-20T11:30:00Z","user":{"name":"bob"},"ms":7.5,"ok":true})"})},
      {"web",
       BuildSegment(mapping_, {R"({"time":"2026-11-21T10:00:00Z","user":{"name":"ann"},"ms":30})"}, 2)}};
};

TEST_F(SearchRequestTest, AnswersInTheShapeOfOpenSearch) {
  EXPECT_EQ(
      Run(R"({"size":1,"sort":[{"time":"desc"}],"query":{"term":{"user.name":"ann"}}})"),
      R"({"took":0,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":)"
      R"({"value":2,"relation":"eq"},"max_score":null,"hits":[{"_index":"web","_id":"s:2","_score":null,"_source":)"
      R"({"time":"2026-11-21T10:00:00Z","user":{"name":"ann"},"ms":30},"sort":[1795255200000]}]}})");
  EXPECT_NE(Run(R"({"track_total_hits":1,"size":0})").find(R"("total":{"value":1,"relation":"gte"})"),
            std::string::npos);
  EXPECT_EQ(Run(R"({"track_total_hits":false})").find("\"total\":{"), std::string::npos);
}

TEST_F(SearchRequestTest, ShowsPartsOfTheSourceAndFields) {
  const auto sources = [&](const std::string& filter) {
    const auto answer = Json::Parse(Run(R"({"size":1,"sort":["time"],"_source":)" + filter + "}")).value();
    const auto* source = answer.Find("hits")->Find("hits")->array().at(0).Find("_source");
    return source == nullptr ? std::string("none") : source->Dump();
  };
  EXPECT_EQ(sources("false"), "none");
  EXPECT_EQ(sources(R"("ms")"), R"({"ms":12})");
  EXPECT_EQ(sources(R"(["user.n*","ms"])"), R"({"user":{"name":"ann"},"ms":12})");
  EXPECT_EQ(sources(R"({"includes":["user"],"excludes":["*.age"]})"), R"({"user":{"name":"ann"}})");
  const auto answer =
      Json::Parse(
          Run(R"({"size":1,"sort":["time"],"_source":false,"fields":[{"field":"time","format":"epoch_millis"},"user.*","user.name.keyword"]})"))
          .value();
  EXPECT_EQ(answer.Find("hits")->Find("hits")->array().at(0).Find("fields")->Dump(),
            R"({"time":["1795168800000"],"user.name":["ann"],"user.age":[31],"user.name.keyword":["ann"]})");
}

TEST_F(SearchRequestTest, AggregationsHaveTheShapesClientsRead) {
  EXPECT_EQ(
      Aggs(R"({"u":{"terms":{"field":"user.name.keyword"},"aggs":{"a":{"avg":{"field":"ms"}}}}})"),
      R"({"u":{"doc_count_error_upper_bound":0,"sum_other_doc_count":0,"buckets":[)"
      R"({"key":"ann","doc_count":2,"a":{"value":21}},{"key":"bob","doc_count":1,"a":{"value":7.5}}]}})");
  EXPECT_EQ(
      Aggs(
          R"({"u":{"terms":{"field":"user.name.keyword","size":1,"order":{"a":"asc"}},"aggs":{"a":{"avg":{"field":"ms"}}},"meta":{"x":1}}})"),
      R"({"u":{"meta":{"x":1},"doc_count_error_upper_bound":0,"sum_other_doc_count":2,"buckets":[)"
      R"({"key":"bob","doc_count":1,"a":{"value":7.5}}]}})");
  EXPECT_EQ(Aggs(R"({"d":{"date_histogram":{"field":"time","interval":"12h","format":"yyyy-MM-dd HH"}}})"),
            R"({"d":{"buckets":[{"key_as_string":"2026-11-20 00","key":1795132800000,"doc_count":2},)"
            R"({"key_as_string":"2026-11-20 12","key":1795176000000,"doc_count":0},)"
            R"({"key_as_string":"2026-11-21 00","key":1795219200000,"doc_count":1}]}})");
  EXPECT_EQ(Aggs(R"({"o":{"terms":{"field":"ok"}},"n":{"avg":{"field":"nothing"}}})"),
            R"({"o":{"doc_count_error_upper_bound":0,"sum_other_doc_count":0,"buckets":[)"
            R"({"key":1,"key_as_string":"true","doc_count":1}]},"n":{"value":null}})");
  EXPECT_EQ(
      Aggs(
          R"({"u":{"terms":{"field":"user.name","include":["bob"]}},"m":{"terms":{"field":"user.age","missing":0}}})"),
      R"({"u":{"doc_count_error_upper_bound":0,"sum_other_doc_count":0,"buckets":[{"key":"bob","doc_count":1}]},)"
      R"("m":{"doc_count_error_upper_bound":0,"sum_other_doc_count":0,"buckets":[{"key":0,"doc_count":2},{"key":31,"doc_count":1}]}})");
  EXPECT_EQ(Aggs(R"({"t":{"max":{"field":"time"}}})"),
            R"({"t":{"value":1795255200000,"value_as_string":"2026-11-21T10:00:00.000Z"}})");
}

TEST_F(SearchRequestTest, DaysFollowTheClocksOfTheZone) {
  // Berlin left summer time on 2026-10-25: that day has 25 hours.
  Mapping mapping;
  segments_ = {
      {"z", BuildSegment(mapping, {R"({"time":"2026-10-24T22:00:00Z"})", R"({"time":"2026-10-25T22:59:59Z"})",
                                   R"({"time":"2026-10-25T23:00:00Z"})"})}};
  EXPECT_EQ(
      Aggs(
          R"({"d":{"date_histogram":{"field":"time","calendar_interval":"day","time_zone":"Europe/Berlin","format":"yyyy-MM-dd"}}})"),
      R"({"d":{"buckets":[{"key_as_string":"2026-10-25","key":1792879200000,"doc_count":2},)"
      R"({"key_as_string":"2026-10-26","key":1792969200000,"doc_count":1}]}})");
}

TEST_F(SearchRequestTest, LimitsAreErrorsOfTheApi) {
  const auto request = ParseSearchRequest(
      Json::Parse(R"({"size":0,"aggs":{"d":{"date_histogram":{"field":"time","fixed_interval":"1s"}}}})")
          .value(),
      0);
  QueryContext context;
  const auto answer = RunSearch(segments_, *request, context, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(ToApiError(answer.error()).type, "too_many_buckets_exception");
  EXPECT_EQ(ToApiError(answer.error()).status, 400);

  std::vector<AggSpec> specs(1);
  specs[0].name = "t";
  specs[0].field = "user.name";
  AggCollector tight(specs, context, {65'535, 100});
  const auto collected = tight.Collect(segments_[0], DocSet::All(2));
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(ToApiError(collected.error()).status, 429);
}

TEST_F(SearchRequestTest, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(Refuse(R"({"qery":{}})").find("[qery]"), std::string::npos);
  EXPECT_NE(Refuse(R"({"size":10001})").find("too large"), std::string::npos);
  EXPECT_NE(Refuse(R"({"aggs":{"a":{"trems":{"field":"x"}}}})").find("[trems]"), std::string::npos);
  EXPECT_NE(Refuse(R"({"aggs":{"a":{"terms":{"field":"x","sise":1}}}})").find("[sise]"), std::string::npos);
  EXPECT_NE(Refuse(R"({"aggs":{"a":{"terms":{}}}})").find("field"), std::string::npos);
  EXPECT_NE(Refuse(R"({"aggs":{"a":{"sum":{"field":"x"},"aggs":{"b":{"sum":{"field":"x"}}}}}})")
                .find("sub-aggregations"),
            std::string::npos);
  EXPECT_NE(Refuse(R"({"aggs":{"a":{"date_histogram":{"field":"x","fixed_interval":"1M"}}}})").find("1M"),
            std::string::npos);
  EXPECT_NE(Refuse(R"({"sort":["a"],"search_after":[1,2]})").find("search_after"), std::string::npos);
}

}  // namespace
}  // namespace honryu::search
