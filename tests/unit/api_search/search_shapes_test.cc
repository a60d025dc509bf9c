// Shapes and refusals as OpenSearch has them, line by line of what its clients rely on.

#include "search_api_fixture.h"

namespace honryu::api::search {
namespace {

using SearchShapesTest = SearchApiTest;

TEST_F(SearchShapesTest, MissingIndicesAreNamed) {
  Fill(1);
  for (const char* target :
       {"/nope/_search", "/logs,nope/_search", "/nope/_count", "/nope/_mapping", "/_cat/indices/nope"}) {
    const Reply reply = Call("GET", target);
    EXPECT_EQ(reply.status, 404) << target;
    EXPECT_EQ(reply.Text("error.root_cause.0.type"), "index_not_found_exception") << target;
    EXPECT_EQ(reply.Text("error.root_cause.0.index"), "nope") << target;
    EXPECT_EQ(reply.At("error").Find("resource.id")->StringOr(""), "nope") << target;
    EXPECT_EQ(reply.At("error").Find("resource.type")->StringOr(""), "index_or_alias") << target;
  }
}

TEST_F(SearchShapesTest, MethodsThatAPathDoesNotTakeDoNothing) {
  Fill(1);
  for (const auto& [method, target] :
       std::vector<std::pair<std::string, std::string>>{{"DELETE", "/logs/_search"},
                                                        {"PUT", "/_search"},
                                                        {"DELETE", "/logs/_count"},
                                                        {"PUT", "/logs/_msearch"},
                                                        {"DELETE", "/_mapping"},
                                                        {"DELETE", "/logs/_mapping"},
                                                        {"GET", "/_bulk"},
                                                        {"PUT", "/logs/_refresh"},
                                                        {"DELETE", "/logs/_field_caps"},
                                                        {"GET", "/logs/_create/1"},
                                                        {"POST", "/_cat/indices"},
                                                        {"PATCH", "/logs"},
                                                        {"PUT", "/_license"},
                                                        {"POST", "/logs/_settings"}}) {
    const Reply reply = Call(method, target);
    EXPECT_EQ(reply.status, 405) << method << target << reply.body;
    EXPECT_EQ(reply.Number("status"), 405) << target;
    EXPECT_NE(reply.Text("error").find("allowed: ["), std::string::npos) << target;
  }
  for (const char* target : {"/_search/template", "/logs/_search/template", "/_msearch/template"})
    EXPECT_EQ(Call("POST", target, "{}").status, 400) << target;
  EXPECT_EQ(Call("GET", "/_ingest/pipeline").body, "{}");
}

TEST_F(SearchShapesTest, PointsInTimeAreListedAndStayOpen) {
  Fill(1);
  const std::string id = Call("POST", "/logs/_search/point_in_time?keep_alive=2m").Text("pit_id");
  const std::string scroll = Call("POST", "/logs/_search?scroll=1m", "{}").Text("_scroll_id");
  for (int i = 0; i < 2; ++i) {
    const Reply list = Call("GET", "/_search/point_in_time/_all");
    EXPECT_EQ(list.At("pits").array().size(), 1U);
    EXPECT_EQ(list.Text("pits.0.pit_id"), id);
    EXPECT_EQ(list.Number("pits.0.keep_alive"), 120'000);
  }
  EXPECT_EQ(Call("DELETE", "/_search/point_in_time/_all").Text("pits.0.pit_id"), id);
  EXPECT_EQ(Call("GET", "/_search/point_in_time/_all").At("pits").array().size(), 0U);
  EXPECT_EQ(Call("POST", "/_search/scroll", R"({"scroll_id":")" + scroll + "\"}").status, 200);
}

TEST_F(SearchShapesTest, HealthOfOneIndexAndByIndex) {
  Fill(1);
  Call("PUT", "/other");
  EXPECT_EQ(Call("GET", "/_cluster/health").Number("active_shards"), 2);
  EXPECT_EQ(Call("GET", "/_cluster/health/logs").Number("active_shards"), 1);
  const Reply by_index = Call("GET", "/_cluster/health?level=indices&wait_for_status=green");
  EXPECT_EQ(by_index.Text("indices.other.status"), "green");
  EXPECT_EQ(by_index.Number("indices.logs.active_primary_shards"), 1);
  const Reply none = Call("GET", "/_cluster/health/nope?wait_for_status=yellow&timeout=1s");
  EXPECT_EQ(none.status, 408);
  EXPECT_EQ(none.Text("status"), "red");
  EXPECT_TRUE(none.At("timed_out").BoolOr(false));
  EXPECT_EQ(Call("GET", "/_xpack").Text("license.status"), "active");
  EXPECT_EQ(Call("GET", "/_nodes/http").Number("nodes.honryu.http.max_content_length_in_bytes"), 32 << 20);
}

TEST_F(SearchShapesTest, CatTablesHaveHelpPatternsAndDeletedDocuments) {
  Fill(3);
  EXPECT_EQ(Call("DELETE", "/logs/_doc/1?refresh=true").status, 200);
  EXPECT_EQ(Call("GET", "/_cat/indices?h=index,docs.*").body, "logs 2 1\n");
  EXPECT_NE(Call("GET", "/_cat/indices?help").body.find("docs.deleted\n"), std::string::npos);
  EXPECT_NE(Call("GET", "/_cat").body.find("/_cat/indices\n"), std::string::npos);
  EXPECT_EQ(Call("GET", "/_cat/cluster_manager?h=node").body, Call("GET", "/_cat/master?h=node").body);
  EXPECT_EQ(Call("GET", "/_cat/indices/nope*").status, 200);
}

TEST_F(SearchShapesTest, WritesThatWantAnAliasGetNothingElse) {
  Fill(1);
  Call("PUT", "/logs/_alias/w");
  const std::string lines = R"({"index":{"_index":"logs"}})"
                            "\n{}\n"
                            R"({"index":{"_index":"w"}})"
                            "\n{}\n"
                            R"({"index":{"_index":"logs","require_alias":false}})"
                            "\n{}\n";
  const Reply reply = Call("POST", "/_bulk?require_alias=true", lines);
  EXPECT_EQ(reply.Number("items.0.index.status"), 404);
  EXPECT_EQ(reply.Text("items.0.index.error.type"), "index_not_found_exception");
  EXPECT_EQ(reply.Number("items.1.index.status"), 201);
  EXPECT_EQ(reply.Number("items.2.index.status"), 201);
  EXPECT_EQ(Call("POST", "/logs/_doc?require_alias=true", "{}").status, 404);
  EXPECT_EQ(Call("POST", "/w/_doc?require_alias=true", "{}").status, 201);
  const Reply rolled = Call("POST", "/w/_rollover", R"({"conditions":{"max_age":"1d"}})");
  EXPECT_EQ(rolled.Text("new_index"), "logs");
  EXPECT_FALSE(rolled.At("rolled_over").BoolOr(true));
}

TEST_F(SearchShapesTest, NamesWithDatesInThem) {
  Bulk(
      "{\"index\":{\"_index\":\"<d-{now/d}>\",\"_id\":\"1\"}}\n{}\n"
      "{\"index\":{\"_index\":\"<d-{now/d-1d}>\",\"_id\":\"1\"}}\n{}\n");
  EXPECT_EQ(Call("GET", "/_cat/indices?h=index").body, "d-2026.11.20\nd-2026.11.21\n");
  EXPECT_EQ(Call("GET", "/%3Cd-%7Bnow%2Fd%7D%3E/_count").Number("count"), 1);
  EXPECT_EQ(Call("GET", "/%3Cd-%7Bnow%2Fd%7D%3E,%3Cd-%7Bnow%2Fd-1d%7D%3E/_count").Number("count"), 2);
  EXPECT_EQ(Call("GET", "/d-*,-%3Cd-%7Bnow%2Fd%7D%3E/_search").Text("hits.hits.0._index"), "d-2026.11.20");
  EXPECT_EQ(
      Call("POST", "/_msearch", "{\"index\":\"<d-{now/d}>\"}\n{}\n").Number("responses.0.hits.total.value"),
      1);
  EXPECT_EQ(Call("PUT", "/%3Ce-%7Bnow%2FM%7Byyyy-MM%7C%2B09%3A00%7D%7D%3E/_doc/1", "{}").Text("_index"),
            "e-2026-11");
  EXPECT_EQ(Call("GET", "/%3Cd-%7Bnow%2F%7D%3E/_count").status, 400);
  EXPECT_EQ(Call("GET", "/%3Cd-%7Bnow/_count").status, 404);
}

TEST_F(SearchShapesTest, TypesThatAreNoneAreMappingErrors) {
  const Reply reply = Call("PUT", "/bad", R"({"mappings":{"properties":{"a":{"type":"foo"}}}})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.Text("error.type"), "mapper_parsing_exception");
  EXPECT_EQ(reply.Text("error.reason"), "No handler for type [foo] declared on field [a]");
  EXPECT_EQ(Call("POST", "/_search",
                 R"({"aggs":{"a":{"terms":{"field":"n","include":{"partition":0,"num_partitions":2}}}}})")
                .status,
            400);
}

TEST_F(SearchShapesTest, LocationIsAGeoPointForClients) {
  Bulk(
      "{\"index\":{\"_index\":\"events\"}}\n"
      R"({"event_id":"1","location":{"latitude":35.68,"longitude":139.76,"accuracy":5}})"
      "\n");
  EXPECT_EQ(Call("GET", "/events/_mapping").Text("events.mappings.properties.location.type"), "geo_point");
  EXPECT_EQ(
      Call("GET", "/events/_mapping").Text("events.mappings.properties.location.properties.latitude.type"),
      "double");
  EXPECT_EQ(
      Call("GET", "/events/_mapping/field/location").Text("events.mappings.location.mapping.location.type"),
      "geo_point");
  const Reply caps = Call("GET", "/events/_field_caps?fields=loc*");
  EXPECT_TRUE(caps.At("fields.location.geo_point.aggregatable").BoolOr(false));
  EXPECT_TRUE(caps.At("fields.location.geo_point.searchable").BoolOr(false));
  EXPECT_EQ(Call("POST", "/events/_count",
                 R"({"query":{"geo_distance":{"distance":"1km","location":"35.68,139.76"}}})")
                .Number("count"),
            1);
  // After a restart as well, by what the catalogue kept.
  EXPECT_EQ(store_->Flush().ok(), true);
  Close();
  Open();
  EXPECT_EQ(Call("GET", "/events/_mapping").Text("events.mappings.properties.location.type"), "geo_point");
}

}  // namespace
}  // namespace honryu::api::search
