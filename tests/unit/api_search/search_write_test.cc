// Updates, conditions on writes, and writes to one document that race.

#include "api/search/document_merge.h"
#include "api/search/id_claims.h"
#include "search_api_fixture.h"

#include <thread>

namespace honryu::api::search {
namespace {

class SearchWriteTest : public SearchApiTest {};

TEST(DocumentMerge, LaysObjectsOverEachOtherAndKeepsTheRestAsItWasWritten) {
  EXPECT_EQ(MergeDocuments(R"({"a": 1.10, "b":{"c":12345678901234567890,"d":[1]},"e":"x"})",
                           R"({"b":{"d":[2],"f":null},"e":{"g":1},"h":true})"),
            R"({"a":1.10,"b":{"c":12345678901234567890,"d":[2],"f":null},"e":{"g":1},"h":true})");
  EXPECT_EQ(MergeDocuments(R"({"a":{"b":1},"c":[1, 2]})", R"({"c":[1,2],"a":{}})"), std::nullopt);
  EXPECT_EQ(MergeDocuments("{}", R"({"a":{}})"), R"({"a":{}})");
}

TEST_F(SearchWriteTest, UpdatesMergeIntoWhatIsThere) {
  Call("PUT", "/logs/_doc/1", R"({"user":{"name":"a","age":1},"n":0.10})");
  Reply updated = Call("POST", "/logs/_update/1", R"({"doc":{"user":{"age":2},"tag":"t"}})");
  EXPECT_EQ(updated.status, 200) << updated.body;
  EXPECT_EQ(updated.Text("result"), "updated");
  EXPECT_EQ(Call("GET", "/logs/_source/1").body, R"({"user":{"name":"a","age":2},"n":0.1,"tag":"t"})");
  // Before any refresh, again and again: nothing is lost.
  for (int n = 0; n < 20; ++n)
    EXPECT_EQ(Call("POST", "/logs/_update/1", R"({"doc":{"f)" + std::to_string(n) + R"(":1}})").status, 200);
  EXPECT_EQ(Call("GET", "/logs/_source/1").json.object().size(), 23U);
  const Reply nothing = Call("POST", "/logs/_update/1", R"({"doc":{"user":{"age":2}}})");
  EXPECT_EQ(nothing.Text("result"), "noop");
  EXPECT_EQ(nothing.Number("_shards.total"), 0);
  EXPECT_EQ(Call("POST", "/logs/_update/1", R"({"doc":{"tag":"t"},"detect_noop":false})").Text("result"),
            "updated");
  Call("POST", "/_refresh");
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 1);
  EXPECT_EQ(Call("POST", "/logs/_search", R"({"query":{"term":{"user.age":2}}})").Number("hits.total.value"),
            1);
}

TEST_F(SearchWriteTest, UpdatesOfWhatIsMissing) {
  const Reply missing = Call("POST", "/logs/_update/1", R"({"doc":{"a":1}})");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.Text("error.type"), "document_missing_exception");
  Reply made = Call("POST", "/logs/_update/1", R"({"doc":{"a":1},"doc_as_upsert":true})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.Text("result"), "created");
  EXPECT_EQ(Call("GET", "/logs/_source/1").body, R"({"a":1})");
  made = Call("POST", "/logs/_update/2?_source=true", R"({"doc":{"a":1},"upsert":{"n":0}})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.At("get._source").Dump(), R"({"n":0})");
  made = Call("POST", "/logs/_update/2?refresh=true", R"({"doc":{"a":1},"upsert":{"n":0},"_source":true})");
  EXPECT_EQ(made.At("get._source").Dump(), R"({"n":0,"a":1})");
}

TEST_F(SearchWriteTest, UpdatesNameTheirFaults) {
  Call("PUT", "/logs/_doc/1", "{}");
  EXPECT_EQ(Call("POST", "/logs/_update/1", "{}").Text("error.type"), "action_request_validation_exception");
  EXPECT_NE(Call("POST", "/logs/_update/1", R"({"script":"ctx._source.n++"})").body.find("scripts"),
            std::string::npos);
  EXPECT_NE(Call("POST", "/logs/_update/1", R"({"doc":{},"x":1})").body.find("[x]"), std::string::npos);
  EXPECT_EQ(Call("POST", "/logs/_update/1", R"({"doc":1})").status, 400);
  EXPECT_EQ(Call("POST", "/logs/_update/1", "nothing").status, 400);
  EXPECT_EQ(Call("GET", "/logs/_update/1").status, 405);
  EXPECT_EQ(Call("POST", "/logs/_update_by_query", "{}").status, 400);
}

TEST_F(SearchWriteTest, UpdatesInBulkFollowTheirOrder) {
  const Reply reply = Call("POST", "/_bulk?refresh=true",
                           "{\"index\":{\"_index\":\"logs\",\"_id\":\"1\"}}\n{\"a\":1}\n"
                           "{\"update\":{\"_index\":\"logs\",\"_id\":\"1\"}}\n{\"doc\":{\"b\":2}}\n"
                           "{\"update\":{\"_index\":\"logs\",\"_id\":\"1\"}}\n{\"doc\":{\"c\":3}}\n"
                           "{\"update\":{\"_index\":\"logs\",\"_id\":\"2\"}}\n{\"doc\":{\"b\":2}}\n"
                           "{\"create\":{\"_index\":\"logs\",\"_id\":\"2\"}}\n{\"d\":4}\n"
                           "{\"delete\":{\"_index\":\"logs\",\"_id\":\"2\"}}\n"
                           "{\"create\":{\"_index\":\"logs\",\"_id\":\"2\"}}\n{\"e\":5}\n"
                           "{\"update\":{\"_index\":\"logs\",\"_id\":\"2\"}}\n{\"doc\":{\"e\":5}}\n");
  EXPECT_EQ(reply.status, 200);
  const std::vector<std::pair<std::string, std::int64_t>> expected = {
      {"index", 201},  {"update", 200}, {"update", 200}, {"update", 404},
      {"create", 201}, {"delete", 200}, {"create", 201}, {"update", 200}};
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(reply.Number("items." + std::to_string(i) + "." + expected[i].first + ".status"),
              expected[i].second)
        << i << " " << reply.body;
  EXPECT_EQ(reply.Text("items.7.update.result"), "noop");
  EXPECT_EQ(Call("GET", "/logs/_source/1").body, R"({"a":1,"b":2,"c":3})");
  EXPECT_EQ(Call("GET", "/logs/_source/2").body, R"({"e":5})");
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 2);
}

TEST_F(SearchWriteTest, ACreationBehindADeletionIsNoConflict) {
  Call("PUT", "/logs/_doc/1?refresh=true", "{}");
  EXPECT_EQ(Call("DELETE", "/logs/_doc/1").status, 200);
  EXPECT_EQ(Call("PUT", "/logs/_create/1", R"({"n":2})").status, 201);
  EXPECT_EQ(Call("PUT", "/logs/_create/1", R"({"n":3})").status, 409);
  EXPECT_EQ(Call("GET", "/logs/_source/1").Number("n"), 2);
}

TEST_F(SearchWriteTest, WritesUnderAConditionNeedTheDocumentTheyName) {
  const std::string first = Call("PUT", "/logs/_doc/1", R"({"n":1})").At("_seq_no").Dump();
  EXPECT_EQ(Call("GET", "/logs/_doc/1").At("_seq_no").Dump(), first);
  const Reply second = Call("PUT", "/logs/_doc/1?if_seq_no=" + first + "&if_primary_term=1", R"({"n":2})");
  EXPECT_EQ(second.status, 200) << second.body;
  const Reply late = Call("PUT", "/logs/_doc/1?if_seq_no=" + first + "&if_primary_term=1", R"({"n":3})");
  EXPECT_EQ(late.status, 409);
  EXPECT_EQ(late.Text("error.type"), "version_conflict_engine_exception");
  EXPECT_EQ(Call("DELETE", "/logs/_doc/1?if_seq_no=" + first).status, 409);
  EXPECT_EQ(Call("POST", "/logs/_update/1?if_seq_no=" + first, R"({"doc":{"n":4}})").status, 409);
  EXPECT_EQ(Call("PUT", "/logs/_doc/1?if_seq_no=x", "{}").status, 400);
  const Reply bulk = Call("POST", "/_bulk",
                          R"({"index":{"_index":"logs","_id":"1","if_seq_no":)" + first +
                              ",\"if_primary_term\":1}}\n{\"n\":5}\n");
  EXPECT_EQ(bulk.Number("items.0.index.status"), 409) << bulk.body;
  EXPECT_EQ(Call("GET", "/logs/_source/1").Number("n"), 2);
  EXPECT_EQ(
      Call("DELETE", "/logs/_doc/1?if_seq_no=" + second.At("_seq_no").Dump() + "&if_primary_term=1").status,
      200);
}

TEST_F(SearchWriteTest, IndicesAreKeptAsTheirSettingsTemplatesAndPoliciesSay) {
  EXPECT_EQ(Call("PUT", "/own", R"({"settings":{"index":{"retention":{"days":2}}}})").status, 200);
  EXPECT_EQ(Call("PUT", "/_index_template/t",
                 R"({"index_patterns":["made-*"],"template":{"settings":{"index.lifecycle.name":"three"}}})")
                .status,
            200);
  EXPECT_EQ(Call("PUT", "/_ilm/policy/three",
                 R"({"policy":{"phases":{"delete":{"min_age":"3d","actions":{"delete":{}}}}}})")
                .status,
            200);
  EXPECT_EQ(
      Call(
          "PUT", "/_plugins/_ism/policies/four",
          R"({"policy":{"states":[{"name":"hot","actions":[],"transitions":[{"state_name":"gone","conditions":{"min_index_age":"4d"}}]},
                    {"name":"gone","actions":[{"delete":{}}]}],"ism_template":[{"index_patterns":["ism-*"]}]}})")
          .status,
      200);
  EXPECT_EQ(Call("PUT", "/bad", R"({"settings":{"index.retention.days":-1}})").status, 400);
  for (const char* index : {"own", "made-1", "ism-1", "plain"})
    Call("PUT", "/" + std::string(index) + "/_doc/1", R"({"@timestamp":)" + std::to_string(kNow) + "}");
  EXPECT_EQ(Call("POST", "/_refresh").status, 200);
  const auto left = [this](int days) {
    clock_.Advance(std::chrono::hours(24 * days));
    EXPECT_TRUE(store_->Maintain().ok());
    std::string text;
    for (const char* index : {"own", "made-1", "ism-1", "plain"})
      if (Call("GET", "/" + std::string(index) + "/_count").Number("count") > 0)
        text += std::string(index) + " ";
    return text;
  };
  EXPECT_EQ(left(2), "own made-1 ism-1 plain ");
  EXPECT_EQ(left(1), "made-1 ism-1 plain ");
  EXPECT_EQ(left(1), "ism-1 plain ");
  EXPECT_EQ(left(1), "plain ");
  EXPECT_EQ(Call("PUT", "/plain/_settings", R"({"index":{"retention":{"days":1}}})").status, 200);
  EXPECT_EQ(left(1), "");
}

TEST_F(SearchWriteTest, AnIndexThatEventsAloneMadeIsKeptAsItsTemplateSaysWithoutARequest) {
  EXPECT_EQ(Call("PUT", "/_index_template/t",
                 R"({"index_patterns":["auto-*"],"template":{"settings":{"index.retention.days":2}}})")
                .status,
            200);
  const std::string source = R"({"@timestamp":)" + std::to_string(kNow) + "}";
  ASSERT_TRUE(
      store_->Add({"s", {{"auto-1", 1, 0, {}, source, kNow}, {"plain", 2, 0, {}, source, kNow}}, 2}).ok());
  ASSERT_TRUE(store_->Flush().ok());
  clock_.Advance(std::chrono::hours(24 * 3));
  ASSERT_TRUE(store_->Maintain().ok());
  for (const auto& index : store_->Indices()) {
    if (index.name == "auto-1") EXPECT_EQ(index.documents, 0u);
    if (index.name == "plain") EXPECT_EQ(index.documents, 1u);
  }
  EXPECT_EQ(store_->Statistics().dropped_segments, 1u);
}

TEST_F(SearchWriteTest, StrictMappingsRefuseWhatTheyDoNotKnow) {
  EXPECT_EQ(Call("PUT", "/_index_template/strict", R"({"index_patterns":["strict-*"],"template":{"mappings":
    {"dynamic":"strict","properties":{"n":{"type":"long"},"at":{"type":"geo_point"},"user":{"properties":{"name":{"type":"keyword"}}},
     "free":{"type":"object","dynamic":true},"raw":{"enabled":false}}}}})")
                .status,
            200);
  EXPECT_EQ(Call("PUT", "/strict-1/_doc/1",
                 R"({"n":1,"at":{"lat":1,"lon":2},"user":{"name":"a"},"free":{"x":{"y":1}},"raw":{"z":1}})")
                .status,
            201);
  const Reply refused = Call("PUT", "/strict-1/_doc/2", R"({"n":1,"other":2})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.Text("error.type"), "strict_dynamic_mapping_exception");
  EXPECT_EQ(refused.Text("error.reason"),
            "mapping set to strict, dynamic introduction of [other] within [_doc] is not allowed");
  EXPECT_EQ(Call("PUT", "/strict-1/_doc/2", R"({"user":[{"name":"a"},{"age":2}]})").Text("error.reason"),
            "mapping set to strict, dynamic introduction of [age] within [user] is not allowed");
  EXPECT_EQ(Call("POST", "/strict-1/_update/1", R"({"doc":{"other":null}})").status, 400);
  const Reply bulk =
      Call("POST", "/strict-1/_bulk?refresh=true", "{\"index\":{}}\n{\"x\":1}\n{\"index\":{}}\n{\"n\":2}\n");
  EXPECT_EQ(bulk.Text("items.0.index.error.type"), "strict_dynamic_mapping_exception");
  EXPECT_EQ(bulk.Number("items.1.index.status"), 201);
  EXPECT_EQ(Call("GET", "/strict-1/_count").Number("count"), 2);
  // It outlives a restart, and can be loosened: then new fields stay in the source.
  Close();
  Open();
  EXPECT_EQ(Call("GET", "/strict-1/_mapping").Text("strict-1.mappings.dynamic"), "strict");
  EXPECT_EQ(Call("GET", "/strict-1/_mapping").Text("strict-1.mappings.properties.free.dynamic"), "true");
  EXPECT_EQ(Call("PUT", "/strict-1/_doc/2", R"({"other":2})").status, 400);
  EXPECT_EQ(Call("PUT", "/strict-1/_mapping", R"({"dynamic":false})").status, 200);
  EXPECT_EQ(Call("PUT", "/strict-1/_doc/2?refresh=true", R"({"other":2})").status, 201);
  EXPECT_EQ(Call("GET", "/strict-1/_source/2").Number("other"), 2);
  EXPECT_EQ(Call("GET", "/strict-1/_count?q=other:2").Number("count"), 0);
  EXPECT_EQ(Call("PUT", "/x", R"({"mappings":{"dynamic":"sometimes"}})").status, 400);
}

/// Sends the requests at once, each from its own thread, while the log holds the first back.
std::vector<int> Race(const std::function<Reply(int)>& call, int count, testing::FakeStreamClient& client) {
  client.HoldPuts();
  std::vector<int> statuses(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  for (int n = 0; n < count; ++n)
    threads.emplace_back([&statuses, &call, n] { statuses[static_cast<std::size_t>(n)] = call(n).status; });
  client.AwaitHeldPuts(1);
  client.ReleasePuts();
  for (std::thread& thread : threads) thread.join();
  std::sort(statuses.begin(), statuses.end());
  return statuses;
}

TEST_F(SearchWriteTest, OfRacingCreationsOneWinsAndTheOthersAreToldSo) {
  Call("PUT", "/logs", "");
  const auto create = [this](int n) {
    return Call("PUT", "/logs/_create/1", R"({"n":)" + std::to_string(n) + "}");
  };
  EXPECT_EQ(Race(create, 6, client_), (std::vector<int>{201, 409, 409, 409, 409, 409}));
  Call("POST", "/_refresh");
  EXPECT_EQ(Call("GET", "/logs/_count").Number("count"), 1);
}

TEST_F(SearchWriteTest, ACreationThatTheLogRefusesLeavesTheIdToTheNext) {
  Call("PUT", "/logs", "");
  std::atomic<int> put{0};
  client_.FailEntries([&put](const client::PutEntry&) -> std::optional<Error> {
    return put.fetch_add(1) == 0 ? std::optional(Error(ErrorCode::kOverloaded, "later")) : std::nullopt;
  });
  const auto create = [this](int n) {
    return Call("PUT", "/logs/_create/1", R"({"n":)" + std::to_string(n) + "}");
  };
  EXPECT_EQ(Race(create, 3, client_), (std::vector<int>{201, 409, 429}));
}

TEST_F(SearchWriteTest, RacingUpdatesAllCount) {
  Call("PUT", "/logs/_doc/1", "{}");
  const auto update = [this](int n) {
    return Call("POST", "/logs/_update/1", R"({"doc":{"f)" + std::to_string(n) + R"(":1}})");
  };
  EXPECT_EQ(Race(update, 8, client_), std::vector<int>(8, 200));
  EXPECT_EQ(Call("GET", "/logs/_source/1").json.object().size(), 8U);
}

TEST(IdClaims, ThoseWhoWaitGoOnWhenTheirTimeIsUp) {
  async::Runtime runtime{async::RuntimeOptions{}};
  IdClaims claims;
  auto held = runtime.BlockOn(claims.Claim({}, {1, 2, 1}));
  ASSERT_TRUE(held.ok());
  const auto late = runtime.BlockOn(claims.Claim(async::Context::WithTimeout(milliseconds(5)), {3, 2}));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(runtime.BlockOn(claims.Claim({}, {3})).ok());  // what only waited holds nothing
  held = IdClaims::Hold();
  EXPECT_TRUE(runtime.BlockOn(claims.Claim(async::Context::WithTimeout(seconds(20)), {2})).ok());
}

}  // namespace
}  // namespace honryu::api::search
