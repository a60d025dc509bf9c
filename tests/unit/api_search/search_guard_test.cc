// What a request must not be able to do: more than its key, more than its words.

#include "search_api_fixture.h"

namespace honryu::api::search {
namespace {

class SearchGuardTest : public SearchApiTest {
 protected:
  std::int64_t Count(const std::string& index) {
    return Call("GET", "/" + index + "/_count").Number("count");
  }
  /// Documents {"n":1..count} of an index.
  void Make(const std::string& index, int count) {
    std::string body;
    for (int n = 1; n <= count; ++n)
      body += R"({"index":{"_index":")" + index + R"(","_id":")" + std::to_string(n) + "\"}}\n" + R"({"n":)" +
              std::to_string(n) + "}\n";
    Bulk(body);
  }
  Reply Change(const std::string& actions) {
    return Call("POST", "/_aliases", R"({"actions":[)" + actions + "]}");
  }
};

constexpr const char* kEverything = R"({"query":{"match_all":{}}})";

TEST_F(SearchGuardTest, TheScopeIsOfWhatIsDoneNotOfSurplusWords) {
  Close();
  config_.api_keys = {{"shipper", "write-key-1", 0, {"write"}},
                      {"reader", "read-key-12", 0, {"read"}},
                      {"all", "admin-key-1", 0, {"read", "write", "admin"}}};
  Open();
  const std::vector<std::pair<std::string, std::string>> writer = {{"X-Api-Key", "write-key-1"}};
  const std::vector<std::pair<std::string, std::string>> reader = {{"X-Api-Key", "read-key-12"}};
  const std::vector<std::pair<std::string, std::string>> admin = {{"X-Api-Key", "admin-key-1"}};
  for (const auto* path : {"/events/_doc/1?refresh=true", "/old_template/_doc/1?refresh=true"})
    EXPECT_EQ(Call("PUT", path, "{}", writer).status, 201);
  const std::string drop = R"({"actions":[{"remove_index":{"index":"*"}}]})";
  for (const auto* word : {"_search", "_msearch", "_count", "_field_caps", "_mget", "_analyze", "_pit",
                           "_validate", "_mapping_caps"})
    EXPECT_EQ(Call("POST", std::string("/_aliases/") + word, drop, reader).status, 403) << word;
  EXPECT_EQ(Call("PUT", "/events/_settings/_count", R"({"index.retention.days":1})", reader).status, 403);
  EXPECT_EQ(Call("DELETE", "/events/_doc/1/_count", "", reader).status, 403);
  EXPECT_EQ(Call("PUT", "/_ilm/policy/_search", R"({"policy":{}})", reader).status, 403);
  EXPECT_EQ(Call("PUT", "/_search/_alias/x", "{}", reader).status, 405);
  // An action's name may be written with escapes.
  EXPECT_EQ(Call("POST", "/_aliases", drop, writer).status, 403);
  EXPECT_EQ(Call("POST", "/_aliases", R"({"actions":[{"remov\u0065_index":{"index":"*"}}]})", writer).status,
            403);
  EXPECT_EQ(
      Call("POST", "/_aliases", R"({"actions":[{"add":{"index":"events","alias":"e"}}]})", writer).status,
      200);
  EXPECT_EQ(Call("DELETE", "/events/_alias/e/_doc", "", writer).status, 403);
  // An index is not a template because of its name.
  EXPECT_EQ(Call("GET", "/old_template/_search", "", writer).status, 403);
  EXPECT_EQ(Call("GET", "/_index_template/none", "", writer).status, 404);
  // What only reads is still open, whatever its method.
  const Reply page = Call("POST", "/events/_search?scroll=1m", "{}", reader);
  EXPECT_EQ(page.Number("hits.total.value"), 1);
  EXPECT_EQ(
      Call("DELETE", "/_search/scroll", R"({"scroll_id":")" + page.Text("_scroll_id") + "\"}", reader).status,
      200);
  const Reply pit = Call("POST", "/events/_search/point_in_time?keep_alive=1m", "", reader);
  EXPECT_EQ(Call("DELETE", "/_search/point_in_time", R"({"pit_id":[")" + pit.Text("pit_id") + "\"]}", reader)
                .status,
            200);
  EXPECT_EQ(Call("POST", "/_all/_count", "{}", reader).Number("count"), 2);
  EXPECT_EQ(Call("POST", "/_aliases", drop, admin).status, 200);
  EXPECT_EQ(Call("GET", "/_count", "", reader).Number("count"), 0);
}

TEST_F(SearchGuardTest, NoNameIsNotEveryName) {
  Make("a", 3);
  Make("b", 2);
  for (const auto* index : {R"("")", "[5]", R"(["a",""])", "[null]"}) {
    EXPECT_EQ(Change(R"({"remove_index":{"index":)" + std::string(index) + "}}").status, 400) << index;
    EXPECT_EQ(Change(R"({"add":{"alias":"x","index":)" + std::string(index) + "}}").status, 400) << index;
  }
  EXPECT_EQ(Call("DELETE", "/%3C%3E").status, 400);
  EXPECT_EQ(Call("POST", "/%3C%3E/_delete_by_query", kEverything).status, 400);
  EXPECT_EQ(Call("DELETE", "/_data_stream").status, 400);
  EXPECT_EQ(Change(R"({"add":{"index":"a","alias":"errors"}})").status, 200);
  // With an alias about, a list of nothing is looked up in another way.
  EXPECT_EQ(Call("POST", "/,/_delete_by_query", kEverything).Number("deleted"), 0);
  EXPECT_EQ(Call("GET", "/,/_count").Number("count"), 0);
  EXPECT_EQ(Call("DELETE", "/,").status, 200);
  EXPECT_EQ(Call("DELETE", "/_data_stream/errors").status, 404);
  EXPECT_EQ(Count("a"), 3);
  EXPECT_EQ(Count("b"), 2);
  EXPECT_EQ(Call("DELETE", "/_data_stream/b").status, 200);
  EXPECT_EQ(Call("GET", "/_count").Number("count"), 3);
}

TEST_F(SearchGuardTest, ExclusionsTakeAwayWhatAliasesAndNamesGaveBefore) {
  Make("logs", 6);
  Make("other", 1);
  EXPECT_EQ(Change(R"({"add":{"index":"logs","alias":"errors","filter":{"range":{"n":{"lte":2}}}}},)"
                   R"({"add":{"index":"logs","alias":"late","filter":{"range":{"n":{"gte":6}}}}},)"
                   R"({"add":{"index":"logs","alias":"whole"}})")
                .status,
            200);
  EXPECT_EQ(Count("*,-logs,errors"), 3);       // other, and of logs what errors shows
  EXPECT_EQ(Count("whole,-logs,errors"), 2);   // not whole any more
  EXPECT_EQ(Count("whole,-whole,errors"), 2);  // an alias is taken away like its indices
  EXPECT_EQ(Count("errors,-logs,late"), 1);    // only what came behind
  EXPECT_EQ(Count("errors,late"), 3);
  EXPECT_EQ(Count("errors,-logs"), 0);
  EXPECT_EQ(Count("errors,-_all,late"), 1);
  EXPECT_EQ(Count("errors,-logs,logs"), 6);
  EXPECT_EQ(Call("POST", "/*,-logs,errors/_delete_by_query", R"({"query":{"exists":{"field":"n"}}})")
                .Number("deleted"),
            3);
  EXPECT_EQ(Count("logs"), 4);
}

}  // namespace
}  // namespace honryu::api::search
