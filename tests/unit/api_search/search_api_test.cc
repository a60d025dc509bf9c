#include "search_api_fixture.h"

namespace honryu::api::search {
namespace {

TEST_F(SearchApiTest, SaysWhatClientsWantToHear) {
  Reply root = Call("GET", "/");
  EXPECT_EQ(root.status, 200);
  EXPECT_EQ(root.Text("version.number"), "7.17.14");
  EXPECT_EQ(root.Text("version.build_flavor"), "default");
  EXPECT_EQ(root.Text("tagline"), "You Know, for Search");
  EXPECT_EQ(root.headers.Get("X-Elastic-Product"), "Elasticsearch");
  root = Call("GET", "/", "", {{"User-Agent", "Grafana/10.0"}});
  EXPECT_EQ(root.Text("version.distribution"), "opensearch");
  root = Call("GET", "/", "", {{"Accept", "application/vnd.elasticsearch+json; compatible-with=8"}});
  EXPECT_EQ(root.headers.Get("Content-Type"), "application/vnd.elasticsearch+json;compatible-with=8");
  EXPECT_EQ(Call("HEAD", "/").status, 200);
  EXPECT_EQ(Call("DELETE", "/").status, 405);
  EXPECT_EQ(Call("GET", "/_cluster/health").Text("status"), "green");
  EXPECT_EQ(Call("GET", "/_license").Text("license.status"), "active");
  EXPECT_EQ(Call("GET", "/_nodes/http").Number("_nodes.total"), 1);
  const Reply unknown = Call("GET", "/_unknown");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_NE(unknown.Text("error.root_cause.0.reason").find("no handler found"), std::string::npos);
}

TEST_F(SearchApiTest, BulkAnswersItemByItemInTheFormThatShippersRead) {
  const Reply reply = Call("POST", "/_bulk?refresh=wait_for",
                           "{\"index\":{\"_index\":\"logs\",\"_id\":\"1\"}}\n{\"a\":1}\n"
                           "{\"create\":{\"_index\":\"logs\",\"_id\":\"1\"}}\n{\"a\":2}\n"
                           "{\"index\":{\"_index\":\"logs\"}}\nnot json\n"
                           "{\"index\":{\"_index\":\"UPPER\"}}\n{}\n"
                           "{\"update\":{\"_index\":\"logs\",\"_id\":\"1\"}}\n{\"doc\":{}}\n"
                           "{\"delete\":{\"_index\":\"logs\",\"_id\":\"9\"}}\n"
                           "{\"create\":{\"_index\":\"logs\"}}\n{\"a\":3}\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.body.starts_with(R"({"took":)")) << reply.body;
  EXPECT_NE(reply.body.find(R"("errors":true,"items":[{"index":{"_index":"logs","_id":"1")"),
            std::string::npos);
  EXPECT_EQ(reply.Number("items.0.index.status"), 201);
  EXPECT_EQ(reply.Number("items.1.create.status"), 409);
  EXPECT_EQ(reply.Text("items.1.create.error.type"), "version_conflict_engine_exception");
  EXPECT_EQ(reply.Number("items.2.index.status"), 400);
  EXPECT_EQ(reply.Text("items.2.index.error.type"), "mapper_parsing_exception");
  EXPECT_EQ(reply.Text("items.3.index.error.type"), "invalid_index_name_exception");
  EXPECT_EQ(reply.Number("items.4.update.status"), 200);
  EXPECT_EQ(reply.Text("items.4.update.result"), "noop");
  EXPECT_EQ(reply.Number("items.5.delete.status"), 404);
  EXPECT_EQ(reply.Number("items.6.create.status"), 201);
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 2);
  EXPECT_EQ(Call("POST", "/_bulk", "").status, 400);
  EXPECT_EQ(Call("POST", "/_bulk", "garbage\n").Text("error.type"), "illegal_argument_exception");
}

TEST_F(SearchApiTest, WhatTheLogRefusesIsNotAcknowledged) {
  client_.FailPuts(1, Error(ErrorCode::kOverloaded, "the disk is full"));
  const Reply whole = Call("POST", "/logs/_bulk", "{\"index\":{}}\n{}\n");
  EXPECT_EQ(whole.status, 429);
  EXPECT_EQ(whole.Text("error.type"), "es_rejected_execution_exception");
  client_.FailEntries([](const client::PutEntry& entry) -> std::optional<Error> {
    if (entry.data.view().find("poison") == std::string_view::npos) return std::nullopt;
    return Error(ErrorCode::kTooLarge, "record too large");
  });
  const Reply items = Call("POST", "/logs/_bulk?refresh=true",
                           "{\"index\":{}}\n{\"a\":\"poison\"}\n{\"index\":{}}\n{\"a\":\"good\"}\n");
  EXPECT_EQ(items.Number("items.0.index.status"), 400) << items.body;
  EXPECT_EQ(items.Number("items.1.index.status"), 201);
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 1);
}

TEST_F(SearchApiTest, DocumentsAreReadReplacedAndDeletedByTheirIds) {
  EXPECT_EQ(Call("PUT", "/logs/_doc/a%2Fb", R"({"v":1})").status, 201);
  Reply got = Call("GET", "/logs/_doc/a%2Fb");  // before any refresh
  EXPECT_EQ(got.status, 200) << got.body;
  EXPECT_EQ(got.Text("_id"), "a/b");
  EXPECT_EQ(got.Number("_source.v"), 1);
  Reply put = Call("PUT", "/logs/_doc/a%2Fb", R"({"v":2})");
  EXPECT_EQ(put.status, 200);
  EXPECT_EQ(put.Text("result"), "updated");
  EXPECT_EQ(Call("GET", "/logs/_source/a%2Fb").Number("v"), 2);
  EXPECT_EQ(Call("PUT", "/logs/_create/a%2Fb", R"({"v":3})").status, 409);
  EXPECT_EQ(Call("HEAD", "/logs/_doc/a%2Fb").status, 200);
  EXPECT_EQ(Call("POST", "/_mget", R"({"docs":[{"_index":"logs","_id":"a/b"},{"_index":"logs","_id":"x"}]})")
                .Number("docs.0._source.v"),
            2);
  EXPECT_EQ(Call("DELETE", "/logs/_doc/a%2Fb").Text("result"), "deleted");
  EXPECT_EQ(Call("GET", "/logs/_doc/a%2Fb").status, 404);
  EXPECT_EQ(Call("DELETE", "/logs/_doc/a%2Fb").status, 404);
  const Reply made = Call("POST", "/logs/_doc", R"({"v":4})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(Call("GET", "/logs/_doc/" + made.Text("_id")).Number("_source.v"), 4);
  EXPECT_EQ(Call("POST", "/logs/_doc", "{").status, 400);
}

TEST_F(SearchApiTest, DocumentsWithNumbersThatNothingHoldsAreFoundReadAndScrolled) {
  for (int i = 0; i < 3; ++i)
    Bulk("{\"index\":{\"_index\":\"odd\",\"_id\":\"" + std::to_string(i) + "\"}}\n" +
         R"({"n":123456789012345678901234567890,"x":1e999,"s":"half \ud800 pair","i":)" + std::to_string(i) +
         "}\n");
  EXPECT_EQ(Call("POST", "/odd/_count", R"({"query":{"range":{"n":{"gt":1e29}}}})").Number("count"), 3);
  EXPECT_EQ(Call("GET", "/odd/_doc/1").status, 200);
  EXPECT_EQ(Call("POST", "/odd/_search", R"({"_source":["i"]})").Number("hits.total.value"), 3);
  EXPECT_NE(Call("POST", "/odd/_search", "{}").body.find(R"("n":123456789012345678901234567890,"x":1e999)"),
            std::string::npos);
  // Each page is another one.
  Reply page = Call("POST", "/odd/_search?scroll=1m", R"({"size":2})");
  const auto first = page.Text("hits.hits.0._id");
  const auto begin = page.body.find("_scroll_id\":\"") + 13;
  const auto id = page.body.substr(begin, page.body.find('"', begin) - begin);
  const Reply next = Call("POST", "/_search/scroll", R"({"scroll":"1m","scroll_id":")" + id + "\"}");
  EXPECT_EQ(next.status, 200) << next.body;
  EXPECT_NE(next.body.find("\"hits\":[{"), std::string::npos) << next.body;
  EXPECT_EQ(next.body.find("\"_id\":\"" + first + "\""), std::string::npos) << next.body;
}

TEST_F(SearchApiTest, SearchesByBodyAndByParameters) {
  Fill(20);
  Reply found =
      Call("POST", "/logs/_search", R"({"query":{"match":{"message":"failed"}},"size":3,"sort":["n"]})");
  EXPECT_EQ(found.status, 200) << found.body;
  EXPECT_EQ(found.Number("hits.total.value"), 10);
  EXPECT_EQ(found.Text("hits.hits.0._id"), "2");
  EXPECT_EQ(Call("GET", "/logs/_search?q=message:failed&size=1&sort=n:desc").Number("hits.hits.0._source.n"),
            20);
  EXPECT_EQ(Call("GET", "/l*/_search?rest_total_hits_as_int=true").Number("hits.total"), 20);
  EXPECT_EQ(Call("GET", "/_search?filter_path=hits.total.value").body, R"({"hits":{"total":{"value":20}}})");
  EXPECT_EQ(Call("GET", "/logs/_count?q=kind:a").Number("count"), 6);
  const Reply missing = Call("GET", "/nothing/_search");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.Text("error.root_cause.0.type"), "index_not_found_exception");
  EXPECT_EQ(Call("GET", "/nothing/_search?ignore_unavailable=true").status, 200);
  const Reply wrong = Call("POST", "/logs/_search", R"({"query":{"matsch":{}}})");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.Text("error.root_cause.0.reason"), "unknown query [matsch]");
}

TEST_F(SearchApiTest, TurnsAwayMoreSearchesThanItMayHold) {
  Close();
  config_.search_threads = 1;
  config_.max_searches = 1;
  Open();
  Fill(3);
  // One search at a time is all that one caller asks for; the bound itself is that of SearchLanes.
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 3);
  EXPECT_EQ(Call("POST", "/_msearch", "{}\n{}\n{}\n{}\n").Number("responses.1.status"), 200);
}

TEST_F(SearchApiTest, SearchesEndWhenNobodyWaitsForThem) {
  Fill(50);
  // Far more clauses than could be looked at in the minute that the test may take.
  std::string clauses, body = R"({"query":{"bool":{"should":[)";
  for (int n = 0; n < 10'000; ++n)
    clauses += (n > 0 ? "," : "") + std::string(R"({"wildcard":{"message":"*e*u*"}})");
  for (int n = 0; n < 6; ++n) body += (n > 0 ? "," : "") + (R"({"bool":{"should":[)" + clauses) + "]}}";
  body += "]}}}";
  std::atomic<int> asked{0};
  peer_gone_ = [&asked] {
    ++asked;
    return true;
  };
  const Reply reply = Call("POST", "/logs/_search", body);
  EXPECT_EQ(reply.status, 400) << reply.body.substr(0, 500);
  EXPECT_EQ(reply.Text("error.type"), "task_cancelled_exception");
  EXPECT_EQ(asked.load(), 1);
  peer_gone_ = [] { return false; };
  EXPECT_EQ(Call("GET", "/logs/_search").Number("hits.total.value"), 50);
}

TEST_F(SearchApiTest, AnswersArePackedForThoseWhoTakeIt) {
  Fill(300);
  for (const int size : {10, 300}) {  // packed on the event loop, and on the pool
    const std::string target = "/logs/_search?size=" + std::to_string(size);
    const Reply plain = Call("GET", target);
    EXPECT_FALSE(plain.headers.Has("Content-Encoding"));
    const Reply packed = Call("GET", target, "", {{"Accept-Encoding", "deflate, gzip;q=0.5"}});
    EXPECT_EQ(packed.headers.Get("Content-Encoding"), "gzip");
    EXPECT_EQ(packed.headers.Get("Vary"), "Accept-Encoding");
    const auto opened = codec::Decompress(codec::Compression::kGzip, packed.body, 1 << 20);
    ASSERT_TRUE(opened.ok());
    EXPECT_EQ(Json::Parse(*opened)->Find("hits")->Dump(), plain.json.Find("hits")->Dump());
    EXPECT_LT(packed.body.size(), plain.body.size() / 2);
    for (const char* none : {"identity", "gzip;q=0", "br", "gzip; q=0.000"})
      EXPECT_FALSE(Call("GET", target, "", {{"Accept-Encoding", none}}).headers.Has("Content-Encoding"))
          << none;
  }
  EXPECT_FALSE(Call("GET", "/", "", {{"Accept-Encoding", "gzip"}}).headers.Has("Content-Encoding"));
}

TEST_F(SearchApiTest, SeveralSearchesInOneRequest) {
  Fill(4);
  const Reply reply = Call("POST", "/_msearch",
                           "{\"index\":\"logs\"}\n{\"size\":0}\n"
                           "{}\n{\"query\":{\"none\":{}}}\n"
                           "{\"index\":[\"nothing\"]}\n{}\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Number("responses.0.hits.total.value"), 4);
  EXPECT_EQ(reply.Number("responses.0.status"), 200);
  EXPECT_EQ(reply.Number("responses.1.status"), 400);
  EXPECT_EQ(reply.Number("responses.2.status"), 404);
  EXPECT_EQ(Call("POST", "/_msearch", "{}\n").status, 400);
}

TEST_F(SearchApiTest, ScrollsAndPointsInTimeSeeOneMoment) {
  Fill(25);
  Reply page = Call("POST", "/logs/_search?scroll=1m", R"({"size":10,"query":{"match_all":{}}})");
  EXPECT_EQ(page.status, 200) << page.body;
  const std::string scroll = page.Text("_scroll_id");
  const Reply pit = Call("POST", "/logs/_pit?keep_alive=1m");
  const std::string id = pit.Text("id");
  Bulk("{\"index\":{\"_index\":\"logs\",\"_id\":\"late\"}}\n{\"n\":99}\n");
  std::size_t seen = page.At("hits.hits").array().size();
  for (int i = 0; i < 4; ++i) {
    page = Call("POST", "/_search/scroll", R"({"scroll":"1m","scroll_id":")" + scroll + "\"}");
    EXPECT_EQ(page.status, 200) << page.body;
    seen += page.At("hits.hits").array().size();
  }
  EXPECT_EQ(seen, 25U);
  EXPECT_EQ(Call("DELETE", "/_search/scroll", R"({"scroll_id":")" + scroll + "\"}").Number("num_freed"), 1);
  EXPECT_EQ(Call("POST", "/_search/scroll?scroll_id=" + scroll).Text("error.type"),
            "search_context_missing_exception");
  std::size_t in_pit = 0;
  std::string after;
  for (int i = 0; i < 4; ++i) {
    page = Call("POST", "/_search",
                R"({"size":10,"sort":[{"n":"desc"}],"pit":{"id":")" + id + "\"}" + after + "}");
    EXPECT_EQ(page.status, 200) << page.body;
    const auto& hits = page.At("hits.hits").array();
    in_pit += hits.size();
    if (!hits.empty()) after = R"(,"search_after":)" + hits.back().Find("sort")->Dump();
  }
  EXPECT_EQ(in_pit, 25U);
  EXPECT_EQ(Call("DELETE", "/_pit", R"({"id":")" + id + "\"}").Number("num_freed"), 1);
  const Reply other = Call("POST", "/logs/_search/point_in_time?keep_alive=1m");
  EXPECT_EQ(
      Call("DELETE", "/_search/point_in_time", R"({"pit_id":[")" + other.Text("pit_id") + "\"]}").status,
      200);
}

TEST_F(SearchApiTest, IndicesMappingsAndFields) {
  EXPECT_EQ(Call("HEAD", "/orders").status, 404);
  EXPECT_EQ(
      Call(
          "PUT", "/orders",
          R"({"settings":{"number_of_shards":3},"mappings":{"properties":{"price":{"type":"double"}}},"aliases":{"sales":{}}})")
          .Text("index"),
      "orders");
  EXPECT_EQ(Call("PUT", "/orders").Text("error.type"), "resource_already_exists_exception");
  EXPECT_EQ(Call("HEAD", "/orders").status, 200);
  EXPECT_EQ(Call("GET", "/sales/_mapping").Text("orders.mappings.properties.price.type"), "double");
  EXPECT_EQ(Call("PUT", "/orders/_mapping", R"({"properties":{"paid":{"type":"boolean"}}})").status, 200);
  EXPECT_EQ(Call("GET", "/orders/_mapping/field/paid").Text("orders.mappings.paid.mapping.paid.type"),
            "boolean");
  EXPECT_EQ(Call("PUT", "/orders/_mapping", R"({"properties":{"paid":{"type":"keyword"}}})").status, 400);
  EXPECT_EQ(Call("GET", "/orders/_field_caps?fields=*").Text("fields.price.double.type"), "double");
  const Reply settings = Call("GET", "/orders/_settings/index.number_of_shards?flat_settings=true");
  EXPECT_EQ(settings.body, R"({"orders":{"settings":{"index.number_of_shards":"3"}}})");
  EXPECT_EQ(Call("POST", "/sales/_doc?refresh=true", R"({"price":2.5})").status, 201);
  EXPECT_EQ(Call("GET", "/sales/_count").Number("count"), 1);
  EXPECT_EQ(Call("GET", "/_cat/indices?format=json&h=index,status,health,docs.count").body,
            R"([{"index":"orders","status":"open","health":"green","docs.count":"1"}])");
  EXPECT_EQ(Call("GET", "/_cat/indices?h=index").body, "orders\n");
  EXPECT_EQ(Call("GET", "/_stats").Number("indices.orders.primaries.docs.count"), 1);
  EXPECT_EQ(
      Call("POST", "/_aliases", R"({"actions":[{"add":{"index":"orders","alias":"all-sales"}}]})").status,
      200);
  EXPECT_EQ(Call("GET", "/_alias/all-*").body, R"({"orders":{"aliases":{"all-sales":{}}}})");
  EXPECT_EQ(Call("HEAD", "/_alias/none").status, 404);
  EXPECT_EQ(Call("DELETE", "/orders").status, 200);
  EXPECT_EQ(Call("GET", "/orders/_search").status, 404);
  EXPECT_EQ(Call("HEAD", "/_alias/sales").status, 404);
}

TEST_F(SearchApiTest, TemplatesShapeNewIndicesAndOutliveARestart) {
  EXPECT_EQ(
      Call("PUT", "/_component_template/base",
           R"({"template":{"mappings":{"properties":{"host":{"type":"keyword"},"x":{"type":"long"}}}}})")
          .status,
      200);
  EXPECT_EQ(Call("PUT", "/_index_template/logs",
                 R"({"index_patterns":["logs-*"],"priority":5,"composed_of":["base"],)"
                 R"("template":{"mappings":{"properties":{"x":{"type":"keyword"}}},"aliases":{"logs":{}}}})")
                .status,
            200);
  EXPECT_EQ(Call("PUT", "/_index_template/bad", R"({"template":{}})").status, 400);
  EXPECT_EQ(Call("PUT", "/_index_template/bad",
                 R"({"index_patterns":["b"],"template":{"mappings":{"properties":{"x":{"type":"no"}}}}})")
                .Text("error.type"),
            "mapper_parsing_exception");
  Close();
  Open();
  EXPECT_EQ(Call("GET", "/_index_template/logs").Text("index_templates.0.name"), "logs");
  EXPECT_EQ(Call("POST", "/logs-1/_doc?refresh=true", R"({"host":"web 1","x":7})").status, 201);
  const Reply mapping = Call("GET", "/logs-1/_mapping");
  EXPECT_EQ(mapping.Text("logs-1.mappings.properties.host.type"), "keyword") << mapping.body;
  EXPECT_EQ(mapping.Text("logs-1.mappings.properties.x.type"), "keyword");
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 1);
  EXPECT_EQ(Call("DELETE", "/_index_template/logs").status, 200);
  EXPECT_EQ(Call("DELETE", "/_index_template/logs").status, 404);
  EXPECT_EQ(Call("HEAD", "/_template/old").status, 404);
  EXPECT_EQ(
      Call("PUT", "/_template/old", R"({"index_patterns":["old-*"],"mappings":{"properties":{}}})").status,
      200);
  EXPECT_EQ(Call("GET", "/_template/old").Text("old.index_patterns.0"), "old-*");
}

TEST_F(SearchApiTest, DynamicTemplatesShapeNewFields) {
  EXPECT_EQ(
      Call("PUT", "/metrics",
           R"({"mappings":{"dynamic_templates":[{"ids":{"match":"*_id","mapping":{"type":"keyword"}}},)"
           R"({"numbers":{"match_mapping_type":"long","path_match":"n.*","mapping":{"type":"double"}}}]}})")
          .status,
      200);
  EXPECT_EQ(
      Call("PUT", "/fixed", R"({"mappings":{"dynamic":false,"properties":{"a":{"type":"long"}}}})").status,
      200);
  Bulk(
      "{\"index\":{\"_index\":\"metrics\"}}\n{\"user_id\":\"a b\",\"n\":{\"x\":1},\"m\":1,\"text\":\"a b\"}\n"
      "{\"index\":{\"_index\":\"fixed\"}}\n{\"a\":1,\"b\":2}\n");
  Close();
  Open();
  const Reply mapping = Call("GET", "/metrics/_mapping");
  EXPECT_EQ(mapping.Text("metrics.mappings.properties.user_id.type"), "keyword") << mapping.body;
  EXPECT_EQ(mapping.Text("metrics.mappings.properties.n.properties.x.type"), "double");
  EXPECT_EQ(mapping.Text("metrics.mappings.properties.m.type"), "long");
  EXPECT_EQ(mapping.Text("metrics.mappings.properties.text.type"), "text");
  EXPECT_EQ(mapping.Text("metrics.mappings.dynamic_templates.0.ids.match"), "*_id");
  EXPECT_EQ(Call("GET", "/metrics/_count?q=user_id:%22a%20b%22").Number("count"), 1);
  const Reply fixed = Call("GET", "/fixed/_search");
  EXPECT_EQ(fixed.Number("hits.hits.0._source.b"), 2);
  EXPECT_EQ(Call("GET", "/fixed/_mapping").Text("fixed.mappings.properties.b.type"), "(none)");
  EXPECT_EQ(
      Call("PUT", "/wrong", R"({"mappings":{"dynamic_templates":[{"x":{"mapping":{"type":"no"}}}]}})").status,
      400);
}

TEST_F(SearchApiTest, ErasureGivesAReceipt) {
  Fill(12);
  const std::string pit = Call("POST", "/logs/_pit?keep_alive=1m").Text("id");
  const std::string other = Call("PUT", "/other/_doc/1?refresh=true", "{}").status == 201
                                ? Call("POST", "/other/_pit?keep_alive=1m").Text("id")
                                : "";
  const Reply reply = Call("POST", "/logs/_delete_by_query", R"({"query":{"term":{"kind.keyword":"a"}}})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Number("deleted"), 4);
  EXPECT_EQ(reply.Number("receipt.left"), 0);
  EXPECT_EQ(reply.Number("receipt.documents"), 4);
  EXPECT_EQ(reply.Number("receipt.quarantined_segments"), 0);
  EXPECT_FALSE(reply.At("receipt.up_to").object().empty());
  // The log has its copy for as long as its streams are kept, and the receipt says so.
  EXPECT_EQ(reply.Text("receipt.log.0.stream"), "documents");
  EXPECT_EQ(reply.Number("receipt.log.0.retention_hours"), 24);
  EXPECT_EQ(reply.Text("receipt.log.0.readable_until"),
            FormatTimestamp(TimestampFromMs(kNow + 24 * 3'600'000)));
  // Other copies of the store erase the same.
  EXPECT_EQ(reply.Text("receipt.noted_in"), "erasures");
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 8);
  // What saw the erased documents is closed.
  EXPECT_EQ(Call("POST", "/_search", R"({"pit":{"id":")" + pit + "\"}}").status, 404);
  EXPECT_EQ(Call("POST", "/_search", R"({"pit":{"id":")" + other + "\"}}").status, 200);
  EXPECT_EQ(Call("POST", "/logs/_delete_by_query", "{}").status, 400);
  EXPECT_EQ(Call("GET", "/logs/_delete_by_query").status, 405);
  // Without its note other copies would not know: that is no success.
  client_.FailStream("erasures", Error(ErrorCode::kUnavailable, "no disk"));
  const Reply unnoted = Call("POST", "/logs/_delete_by_query", R"({"query":{"term":{"n":1}}})");
  EXPECT_EQ(unnoted.status, 503) << unnoted.body;
  client_.HealStream("erasures");
  EXPECT_EQ(Call("POST", "/logs/_delete_by_query", R"({"query":{"term":{"n":1}}})").status, 200);
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 7);
}

TEST_F(SearchApiTest, WhatWasErasedStaysAwayWhenTheStoreIsMadeAnew) {
  Fill(12);
  EXPECT_EQ(Call("POST", "/logs/_delete_by_query", R"({"query":{"term":{"kind.keyword":"a"}}})").status, 200);
  Fill(1);  // "1" again: it is of kind b
  Close();
  std::filesystem::remove_all(path_);
  Open();
  for (int look = 0; look < 2000 && Call("GET", "/logs/_count").Number("count") != 8; ++look)
    EXPECT_EQ(Call("GET", "/logs/_count?q=kind:a").Number("count") > 0, false);
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 8);
  EXPECT_EQ(Call("GET", "/logs/_count?q=kind:a").Number("count"), 0);
}

TEST_F(SearchApiTest, AnalysesText) {
  const Reply reply = Call("POST", "/_analyze", R"({"text":"ＡＢＣ 東京都"})");
  EXPECT_EQ(reply.Text("tokens.0.token"), "abc");
  EXPECT_EQ(reply.Text("tokens.1.token"), "東京");
  EXPECT_EQ(Call("POST", "/_analyze", R"({"text":"a","analyzer":"none"})").status, 400);
}

TEST_F(SearchApiTest, KeysOpenWhatTheirScopesAllow) {
  Close();
  config_.api_keys = {{"shipper", "write-key-1", 0, {"write"}}, {"reader", "read-key-12", 0, {"read"}}};
  Open();
  const std::vector<std::pair<std::string, std::string>> writer = {{"Authorization", "Bearer write-key-1"}};
  const std::vector<std::pair<std::string, std::string>> reader = {{"X-Api-Key", "read-key-12"}};
  EXPECT_EQ(Call("GET", "/").status, 401);
  EXPECT_EQ(Call("GET", "/", "", writer).status, 200);
  EXPECT_EQ(Call("POST", "/logs/_doc?refresh=true", "{}", writer).status, 201);
  EXPECT_EQ(Call("POST", "/logs/_doc", "{}", reader).status, 403);
  EXPECT_EQ(Call("POST", "/logs/_search", "{}", reader).status, 200);
  EXPECT_EQ(Call("POST", "/logs/_search", "{}", writer).status, 403);
  EXPECT_EQ(Call("DELETE", "/logs", "", writer).status, 403);
  EXPECT_EQ(Call("POST", "/logs/_delete_by_query", R"({"query":{"match_all":{}}})", reader).status, 403);
  // "Basic" with any user, and Elasticsearch's ApiKey: base64 of "id:key".
  EXPECT_EQ(Call("GET", "/logs/_count", "", {{"Authorization", "Basic dXNlcjpyZWFkLWtleS0xMg=="}}).status,
            200);
  EXPECT_EQ(Call("GET", "/logs/_count", "", {{"Authorization", "ApiKey dXNlcjpyZWFkLWtleS0xMg=="}}).status,
            200);
}

TEST_F(SearchApiTest, PagesOfOtherOriginsAreTurnedAway) {
  EXPECT_EQ(Call("GET", "/", "", {{"Origin", "https://evil.example"}}).status, 403);
}

}  // namespace
}  // namespace honryu::api::search
