// Aliases: with filters, for writing, from templates.

#include "search_api_fixture.h"

namespace honryu::api::search {
namespace {

class SearchAliasTest : public SearchApiTest {
 protected:
  /// a: n 1..6, b: n 101..106; "even" shows the even ones of a and what is over 103 of b.
  void SetUp() override {
    std::string body;
    for (const int first : {1, 101})
      for (int n = first; n < first + 6; ++n)
        body += R"({"index":{"_index":")" + std::string(first == 1 ? "a" : "b") + R"(","_id":")" +
                std::to_string(n) + "\"}}\n" + R"({"n":)" + std::to_string(n) + R"(,"even":)" +
                (n % 2 == 0 ? "true" : "false") + R"(,"@timestamp":")" +
                (n < 10 ? "2026-11-20T23:59:5" + std::to_string(10 - n) : "2026-11-20T23:00:00") + "Z\"}\n";
    Bulk(body);
    const Reply made = Call("POST", "/_aliases", R"({"actions":[
      {"add":{"index":"a","alias":"even","filter":{"term":{"even":true}}}},
      {"add":{"index":"b","alias":"even","filter":{"range":{"n":{"gt":103}}}}},
      {"add":{"index":"a","alias":"small","filter":{"range":{"n":{"lte":2}}}}},
      {"add":{"index":"a","alias":"whole"}}]})");
    EXPECT_EQ(made.status, 200) << made.body;
  }
  static std::string Numbers(const Reply& reply) {
    std::string found;
    for (const Json& hit : reply.At("hits.hits").array())
      found += hit.Find("_source")->Find("n")->Dump() + " ";
    return found;
  }
  std::string Found(const std::string& list, const std::string& more = "") {
    const Reply reply = Call("POST", "/" + list + "/_search", R"({"size":100,"sort":["n"])" + more + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return Numbers(reply);
  }
};

TEST_F(SearchAliasTest, AnAliasShowsOnlyWhatItsFilterOfEachIndexLetsThrough) {
  EXPECT_EQ(Found("even"), "2 4 6 104 105 106 ");
  EXPECT_EQ(Found("even", R"(,"query":{"range":{"n":{"lt":105}}})"), "2 4 6 104 ");
  EXPECT_EQ(Found("ev*"), "2 4 6 104 105 106 ");
  EXPECT_EQ(Found("small"), "1 2 ");
  EXPECT_EQ(Found("small,even"), "1 2 4 6 104 105 106 ");  // either alias shows it
  EXPECT_EQ(Found("even,a"), "1 2 3 4 5 6 104 105 106 ");  // the index itself is asked for as well
  EXPECT_EQ(Found("even,whole"), "1 2 3 4 5 6 104 105 106 ");
  EXPECT_EQ(Found("even,-b"), "2 4 6 ");
  EXPECT_EQ(Found("*"), "1 2 3 4 5 6 101 102 103 104 105 106 ");
  EXPECT_EQ(Call("GET", "/even/_count").Number("count"), 6);
  EXPECT_EQ(Call("GET", "/even/_search?q=n:4").Number("hits.total.value"), 1);
  EXPECT_EQ(Call("GET", "/small/_search?q=n:4").Number("hits.total.value"), 0);
  const Reply both =
      Call("POST", "/_msearch", "{\"index\":\"small\"}\n{\"size\":0}\n{\"index\":\"even\"}\n{\"size\":0}\n");
  EXPECT_EQ(both.Number("responses.0.hits.total.value"), 2);
  EXPECT_EQ(both.Number("responses.1.hits.total.value"), 6);
}

TEST_F(SearchAliasTest, AggregationsSeeTheSamePartAlsoWhenTheyAreRemembered) {
  const std::string aggs =
      R"({"size":0,"aggs":{"s":{"sum":{"field":"n"}},"all":{"global":{},"aggs":{"s":{"sum":{"field":"n"}}}}}})";
  const std::string sum = R"({"size":0,"aggs":{"s":{"sum":{"field":"n"}}}})";
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Call("POST", "/a/_search", sum).At("aggregations.s.value").DoubleOr(0), 21);
    EXPECT_EQ(Call("POST", "/small/_search", sum).At("aggregations.s.value").DoubleOr(0), 3);
    EXPECT_EQ(Call("POST", "/even,-b/_search", sum).At("aggregations.s.value").DoubleOr(0), 12);
    EXPECT_EQ(Call("POST", "/even/_search", sum).At("aggregations.s.value").DoubleOr(0), 12 + 315);
  }
  const Reply global = Call("POST", "/small/_search", aggs);
  EXPECT_EQ(global.At("aggregations.all.s.value").DoubleOr(0), 3);
}

TEST_F(SearchAliasTest, FiltersWithDateMathMoveWithTheTime) {
  EXPECT_EQ(Call("PUT", "/a/_alias/new", R"({"filter":{"range":{"@timestamp":{"gte":"now-3s"}}}})").status,
            200);
  const std::string sum = R"({"size":0,"aggs":{"s":{"sum":{"field":"n"}}}})";
  EXPECT_EQ(Call("POST", "/new/_search", sum).At("aggregations.s.value").DoubleOr(0), 1 + 2 + 3);
  clock_.Advance(seconds(2));
  EXPECT_EQ(Call("POST", "/new/_search", sum).At("aggregations.s.value").DoubleOr(0), 1);
}

TEST_F(SearchAliasTest, ScrollsAndPointsInTimeKeepTheFilter) {
  Reply page = Call("POST", "/even/_search?scroll=1m", R"({"size":2,"sort":["n"]})");
  std::string found = Numbers(page);
  const std::string id = page.Text("_scroll_id");
  for (int i = 0; i < 4; ++i) {
    page = Call("POST", "/_search/scroll", R"({"scroll":"1m","scroll_id":")" + id + "\"}");
    found += Numbers(page);
  }
  EXPECT_EQ(found, "2 4 6 104 105 106 ");
  const Reply pit = Call("POST", "/even/_search/point_in_time?keep_alive=1m");
  const Reply at =
      Call("POST", "/_search", R"({"size":100,"sort":["n"],"pit":{"id":")" + pit.Text("pit_id") + "\"}}");
  EXPECT_EQ(Numbers(at), "2 4 6 104 105 106 ");
}

TEST_F(SearchAliasTest, DeleteByQueryReachesOnlyWhatTheAliasShows) {
  const Reply gone = Call("POST", "/even/_delete_by_query", R"({"query":{"match_all":{}}})");
  ASSERT_EQ(gone.status, 200) << gone.body;
  EXPECT_EQ(gone.Number("deleted"), 6);
  // Each index had another filter: an erasure of its own.
  EXPECT_EQ(gone.At("receipts").array().size(), 2U);
  EXPECT_EQ(gone.Number("receipts.0.documents"), 3);
  EXPECT_EQ(gone.Number("receipts.0.left"), 0);
  EXPECT_EQ(gone.Text("receipts.1.noted_in"), "erasures");
  EXPECT_EQ(Found("a,b"), "1 3 5 101 102 103 ");
  const Reply one = Call("POST", "/small/_delete_by_query", R"({"query":{"range":{"n":{"gte":0}}}})");
  EXPECT_EQ(one.Number("receipt.documents"), 1);
  EXPECT_EQ(Found("a"), "3 5 ");
}

TEST_F(SearchAliasTest, ShownByGetAliasCatAndTheIndex) {
  EXPECT_EQ(Call("GET", "/_alias/even").body,
            R"({"a":{"aliases":{"even":{"filter":{"term":{"even":true}}}}},)"
            R"("b":{"aliases":{"even":{"filter":{"range":{"n":{"gt":103}}}}}}})");
  EXPECT_EQ(Call("GET", "/b").At("b.aliases.even.filter.range.n.gt").IntOr(0), 103);
  EXPECT_EQ(Call("PUT", "/b/_alias/r", R"({"routing":"7","is_write_index":true})").status, 200);
  EXPECT_EQ(Call("GET", "/b/_alias/r").body,
            R"({"b":{"aliases":{"r":{"index_routing":"7","search_routing":"7","is_write_index":true}}}})");
  EXPECT_EQ(Call("GET", "/_cat/aliases?s=alias,index&h=a,index,filter,routing.index,is_write_index").body,
            "even  a * - -\neven  b * - -\nr     b - 7 true\nsmall a * - -\nwhole a - - -\n");
  // Kept over a restart.
  Close();
  Open();
  EXPECT_EQ(Found("even"), "2 4 6 104 105 106 ");
  EXPECT_EQ(Call("HEAD", "/_alias/even").status, 200);
  EXPECT_EQ(Call("DELETE", "/a/_alias/even").status, 200);
  EXPECT_EQ(Found("even"), "104 105 106 ");
}

TEST_F(SearchAliasTest, ActionsHappenAllOrNone) {
  const auto change = [this](const std::string& actions) {
    return Call("POST", "/_aliases", R"({"actions":[)" + actions + "]}");
  };
  const Reply bad =
      change(R"({"add":{"index":"a","alias":"x"}},{"add":{"index":"b","alias":"y","filter":{"trem":{}}}})");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.Text("error.root_cause.0.type"), "illegal_argument_exception");
  EXPECT_EQ(bad.Text("error.reason"), "failed to parse filter for alias [y]: unknown query [trem]");
  EXPECT_EQ(Call("HEAD", "/_alias/x").status, 404);
  EXPECT_EQ(change(R"({"add":{"index":"a","alias":"x","filter":{"term":{"n":1}},"colour":1}})").status, 400);
  EXPECT_EQ(change(R"({"add":{"index":"a","alias":"b"}})").Text("error.type"),
            "invalid_alias_name_exception");
  EXPECT_EQ(change(R"({"add":{"index":"none","alias":"x"}})").status, 404);
  EXPECT_EQ(change(R"({"add":{"alias":"x"}})").status, 400);
  EXPECT_EQ(change(R"({"remove":{"index":"a","alias":"none","must_exist":true}})").status, 404);
  EXPECT_EQ(change(R"({"remove":{"index":"a","alias":"none"}})").status, 404);
  EXPECT_EQ(Call("PUT", "/c", R"({"aliases":{"x":{"filter":{"trem":{}}}}})").status, 400);
  EXPECT_EQ(Call("HEAD", "/c").status, 404);
}

TEST_F(SearchAliasTest, OneIndexTakesTheWrites) {
  const auto change = [this](const std::string& actions) {
    return Call("POST", "/_aliases", R"({"actions":[)" + actions + "]}");
  };
  EXPECT_EQ(
      change(R"({"add":{"index":"a","alias":"w","is_write_index":true}},{"add":{"index":"b","alias":"w"}})")
          .status,
      200);
  EXPECT_EQ(Call("POST", "/w/_doc?refresh=true", R"({"n":7})").Text("_index"), "a");
  // Two at a time are refused; the roll-over from one to the next is one request.
  EXPECT_EQ(change(R"({"add":{"index":"b","alias":"w","is_write_index":true}})").status, 400);
  EXPECT_EQ(change(R"({"add":{"index":"b","alias":"w","is_write_index":true}},)"
                   R"({"add":{"index":"a","alias":"w","is_write_index":false}})")
                .status,
            200);
  EXPECT_EQ(Call("POST", "/w/_doc?refresh=true", R"({"n":8})").Text("_index"), "b");
  EXPECT_EQ(Call("PUT", "/a/_alias/closed", R"({"is_write_index":false})").status, 200);
  EXPECT_EQ(Call("POST", "/closed/_doc", R"({"n":9})").status, 400);
}

TEST_F(SearchAliasTest, TemplatesGiveNewIndicesAliasesWithFilters) {
  EXPECT_EQ(
      Call(
          "PUT", "/_index_template/t",
          R"({"index_patterns":["t-*"],"template":{"aliases":{"t-errors":{"filter":{"term":{"level":"error"}}},"of-{index}":{}}}})")
          .status,
      200);
  EXPECT_EQ(Call("PUT", "/_index_template/bad",
                 R"({"index_patterns":["u-*"],"template":{"aliases":{"x":{"filter":{"trem":{}}}}}})")
                .status,
            400);
  EXPECT_EQ(Call("PUT", "/t-1/_doc/1?refresh=true", R"({"n":1,"level":"error"})").status, 201);
  EXPECT_EQ(Call("PUT", "/t-1/_doc/2?refresh=true", R"({"n":2,"level":"info"})").status, 201);
  EXPECT_EQ(Found("t-errors"), "1 ");
  EXPECT_EQ(Found("of-t-1"), "1 2 ");
}

TEST_F(SearchAliasTest, NamesThatNothingFits) {
  EXPECT_EQ(Call("GET", "/none/_search").status, 404);
  EXPECT_EQ(Call("GET", "/none/_search?ignore_unavailable=true").status, 200);
  EXPECT_EQ(Call("GET", "/none*/_search").status, 200);
  const Reply none = Call("GET", "/none*/_search?allow_no_indices=false");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.Text("error.root_cause.0.type"), "index_not_found_exception");
  EXPECT_EQ(Call("GET", "/none*,a/_count?allow_no_indices=false").status, 404);
  EXPECT_EQ(Call("POST", "/_msearch", "{\"index\":\"none*\",\"allow_no_indices\":false}\n{}\n")
                .Number("responses.0.status"),
            404);
  EXPECT_EQ(Call("GET", "/a*/_count?allow_no_indices=false").Number("count"), 6);
}

}  // namespace
}  // namespace honryu::api::search
