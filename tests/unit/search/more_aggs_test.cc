// top_hits, composite, grids, global, pipelines in a request, and highlights in hits.

#include "search/request/search_request.h"
#include "segment_fixture.h"

#include <map>
#include <random>

namespace honryu::search {
namespace {

using codec::Json;

class MoreAggsTest : public testing::Test {
 protected:
  Json Run(const std::string& body) {
    const auto request = ParseSearchRequest(Json::Parse(body).value(), 0);
    EXPECT_TRUE(request.ok()) << body << (request.ok() ? "" : request.error().ToString());
    if (!request.ok()) return Json();
    QueryContext context;
    const auto answer = RunSearch(segments_, *request, context, {});
    EXPECT_TRUE(answer.ok()) << body << (answer.ok() ? "" : answer.error().ToString());
    return answer.ok() ? Json::Parse(*answer).value() : Json();
  }
  Json Aggs(const std::string& aggs) {
    const Json answer = Run(R"({"size":0,"aggs":)" + aggs + "}");
    const Json* found = answer.Find("aggregations");
    return found != nullptr ? *found : Json();
  }
  bool Refused(const std::string& aggs) {
    return !ParseSearchRequest(Json::Parse(R"({"aggs":)" + aggs + "}").value(), 0).ok();
  }
  void Fill(const std::vector<std::string>& documents) {
    segments_.clear();
    // In three segments, so that results must come together.
    for (std::size_t part = 0; part < 3; ++part) {
      std::vector<std::string> some;
      for (std::size_t i = part; i < documents.size(); i += 3) some.push_back(documents[i]);
      segments_.push_back({"web", BuildSegment(mapping_, some, 1000 * part)});
    }
  }

  Mapping mapping_;
  std::vector<IndexedSegment> segments_;
};

TEST_F(MoreAggsTest, TopHitsAreTheBestOfTheirBucket) {
  std::vector<std::string> documents;
  for (int n = 0; n < 30; ++n)
    documents.push_back(R"({"n":)" + std::to_string(n) + R"(,"k":")" + (n % 2 == 0 ? "even" : "odd") + "\"}");
  Fill(documents);
  const Json aggs = Aggs(
      R"({"k":{"terms":{"field":"k.keyword"},"aggs":{"t":{"top_hits":{"size":2,"sort":[{"n":"desc"}],"_source":["n"]}}}}})");
  const auto& buckets = aggs.Find("k")->Find("buckets")->array();
  ASSERT_EQ(buckets.size(), 2U);
  const Json& hits = *buckets[0].Find("t")->Find("hits");
  EXPECT_EQ(hits.Find("total")->Find("value")->IntOr(0), 15);
  ASSERT_EQ(hits.Find("hits")->array().size(), 2U);
  EXPECT_EQ(hits.Find("hits")->array()[0].Find("_source")->Dump(), R"({"n":28})");
  EXPECT_EQ(hits.Find("hits")->array()[1].Find("_source")->Dump(), R"({"n":26})");
  EXPECT_TRUE(Refused(R"({"t":{"top_hits":{"size":101}}})"));
  EXPECT_TRUE(Refused(R"({"t":{"top_hits":{"sort":["_score"]}}})"));
}

TEST_F(MoreAggsTest, CompositePagesThroughEveryCombinationOnce) {
  std::mt19937 random(11);
  std::vector<std::string> documents;
  std::map<std::pair<std::string, std::int64_t>, std::int64_t> expected;
  for (int n = 0; n < 400; ++n) {
    const std::string host = "h" + std::to_string(random() % 7);
    const auto code = static_cast<std::int64_t>(random() % 5);
    const bool list = random() % 10 == 0;
    documents.push_back(R"({"host":)" + (list ? "[\"" + host + "\",\"other\"]" : "\"" + host + "\"") +
                        R"(,"code":)" + std::to_string(code) + "}");
    ++expected[{host, code}];
    if (list) ++expected[{"other", code}];
  }
  documents.emplace_back(R"({"host":"lonely"})");
  Fill(documents);
  std::map<std::pair<std::string, std::int64_t>, std::int64_t> found;
  std::string after, last;
  for (int page = 0; page < 100; ++page) {
    const Json aggs =
        Aggs(R"({"c":{"composite":{"size":4,"sources":[{"h":{"terms":{"field":"host.keyword"}}},)"
             R"({"c":{"terms":{"field":"code","order":"desc"}}}])" +
             after + R"(},"aggs":{"m":{"max":{"field":"code"}}}}})");
    const auto& buckets = aggs.Find("c")->Find("buckets")->array();
    if (buckets.empty()) break;
    EXPECT_LE(buckets.size(), 4U);
    for (const Json& bucket : buckets) {
      const Json& key = *bucket.Find("key");
      const std::string host(key.Find("h")->StringOr(""));
      EXPECT_LE(last, host);
      last = host;
      EXPECT_TRUE(found.emplace(std::pair(host, key.Find("c")->IntOr(-1)), bucket.Find("doc_count")->IntOr(0))
                      .second);
      EXPECT_EQ(bucket.Find("m")->Find("value")->IntOr(-1), key.Find("c")->IntOr(-2));
    }
    after = R"(,"after":)" + aggs.Find("c")->Find("after_key")->Dump();
  }
  EXPECT_EQ(found, expected);
  const Json missing = Aggs(
      R"({"c":{"composite":{"size":1,"sources":[{"c":{"terms":{"field":"code","missing_bucket":true}}}]}}})");
  EXPECT_EQ(missing.Find("c")->Find("buckets")->array()[0].Find("doc_count")->IntOr(0), 1);
  EXPECT_TRUE(Refused(R"({"c":{"composite":{"sources":[]}}})"));
  EXPECT_TRUE(Refused(R"({"c":{"composite":{"sources":[{"a":{"avg":{"field":"x"}}}]}}})"));
}

TEST_F(MoreAggsTest, CompositeByTime) {
  Fill({R"({"time":"2026-11-21T10:10:00Z"})", R"({"time":"2026-11-21T10:50:00Z"})",
        R"({"time":"2026-11-21T12:00:00Z"})"});
  const Json aggs = Aggs(
      R"({"c":{"composite":{"sources":[{"t":{"date_histogram":{"field":"time","fixed_interval":"1h","format":"HH:mm"}}}]}}})");
  EXPECT_EQ(aggs.Dump(), R"({"c":{"after_key":{"t":"12:00"},"buckets":[{"key":{"t":"10:00"},"doc_count":2},)"
                         R"({"key":{"t":"12:00"},"doc_count":1}]}})");
}

TEST_F(MoreAggsTest, GridsCountPointsByCell) {
  ASSERT_TRUE(mapping_.Merge(R"({"properties":{"at":{"type":"geo_point"}}})").ok());
  Fill({R"({"at":{"lat":48.8583,"lon":2.2945}})", R"({"at":{"lat":48.8606,"lon":2.3376}})",
        R"({"at":{"lat":35.6586,"lon":139.7454}})", R"({"x":1})"});
  EXPECT_EQ(Aggs(R"({"g":{"geohash_grid":{"field":"at","precision":3}}})").Dump(),
            R"({"g":{"buckets":[{"key":"u09","doc_count":2},{"key":"xn7","doc_count":1}]}})");
  EXPECT_EQ(Aggs(R"({"g":{"geohash_grid":{"field":"at","precision":7,"size":1}}})")
                .Find("g")
                ->Find("buckets")
                ->array()
                .size(),
            1U);
  EXPECT_EQ(Aggs(R"({"g":{"geotile_grid":{"field":"at","precision":8}}})")
                .Find("g")
                ->Find("buckets")
                ->array()[0]
                .Find("key")
                ->StringOr(""),
            "8/129/88");
  EXPECT_TRUE(Refused(R"({"g":{"geohash_grid":{"field":"at","precision":13}}})"));
}

TEST_F(MoreAggsTest, GlobalLooksBeyondTheQueryButNotAtTheDeleted) {
  Fill({R"({"k":"a"})", R"({"k":"b"})", R"({"k":"b"})", R"({"k":"b"})"});
  const std::string body =
      R"({"size":0,"query":{"term":{"k":"a"}},"aggs":{"g":{"global":{},"aggs":{"k":{"terms":{"field":"k.keyword"}}}}}})";
  EXPECT_EQ(Run(body).Find("aggregations")->Find("g")->Find("doc_count")->IntOr(0), 4);
  segments_[1].deleted =
      std::make_shared<const DocSet>(DocSet::FromSorted(segments_[1].segment->doc_count(), {0}));
  EXPECT_EQ(Run(body).Find("aggregations")->Find("g")->Find("doc_count")->IntOr(0), 3);
  EXPECT_EQ(Run(R"({"size":0})").Find("hits")->Find("total")->Find("value")->IntOr(0), 3);
}

TEST_F(MoreAggsTest, PipelinesAndHighlightsInOneRequest) {
  Fill({R"({"n":1,"message":"disk failed"})", R"({"n":2,"message":"disk fine"})",
        R"({"n":3,"message":"all failed"})"});
  const Json answer = Run(
      R"({"query":{"match":{"message":"failed"}},"sort":["n"],"highlight":{"fields":{"*":{}}},)"
      R"("aggs":{"h":{"histogram":{"field":"n","interval":1},"aggs":{"c":{"cumulative_sum":{"buckets_path":"_count"}}}}}})");
  const auto& hits = answer.Find("hits")->Find("hits")->array();
  ASSERT_EQ(hits.size(), 2U);
  EXPECT_EQ(hits[0].Find("highlight")->Dump(), R"({"message":["disk <em>failed</em>"]})");
  const auto& buckets = answer.Find("aggregations")->Find("h")->Find("buckets")->array();
  ASSERT_EQ(buckets.size(), 3U);
  EXPECT_EQ(buckets[2].Find("c")->Find("value")->DoubleOr(0), 2);
}

}  // namespace
}  // namespace honryu::search
