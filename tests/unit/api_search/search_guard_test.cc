// What a request must not be able to do: more than its key, more than its words.

#include "api/search/index_settings.h"
#include "search_api_fixture.h"

#include <atomic>
#include <thread>

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

TEST_F(SearchGuardTest, NamesAndTheirFiltersAreOfOneMoment) {
  Make("a", 1);
  Make("b", 1);
  IndexSettings settings(*store_);
  const Json first = Json::Parse(R"({"filter":{"term":{"n":1}}})").value();
  const Json second = Json::Parse(R"({"filter":{"term":{"n":2}}})").value();
  using Change = IndexSettings::AliasChange;
  ASSERT_TRUE(settings.ChangeAliases({Change{"a", "x", first}}).ok());
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> looked{0}, wrong{0};
  std::thread reader([&] {
    while (!done) {
      // It is always behind one of the two, and seen through the filter of that one.
      const auto reached = settings.Reach("x,z");
      const auto filter = reached.filters.find("a");
      const std::string seen = filter == reached.filters.end() ? "" : filter->second;
      if (!(reached.names == "a,z" && seen == R"({"term":{"n":1}})") &&
          !(reached.names == "x,a" && seen == R"({"term":{"n":2}})"))
        ++wrong;
      ++looked;
    }
  });
  for (int round = 0; round < 200; ++round) {
    const bool there = round % 2 == 0;
    const auto moved = settings.ChangeAliases({Change{"a", there ? "x" : "z", std::nullopt},
                                               there ? Change{"a", "z", second} : Change{"a", "x", first}});
    if (!moved.ok()) ++wrong;
    // Some reading goes on in between, whatever the machine does.
    for (const auto before = looked.load(); looked.load() == before;) std::this_thread::yield();
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0U) << "of " << looked;
  EXPECT_EQ(IndexSettings(*store_).Reach("x").filters.size(), 1U);  // from its notes
}

TEST_F(SearchGuardTest, NotesArePutTogether) {
  ASSERT_TRUE(store_->PutNotes({{"k/1", "{}"}, {"k/2", "{}"}}).ok());
  ASSERT_TRUE(store_->PutNotes({{"k/1", ""}, {"k/3", "[]"}}).ok());
  EXPECT_EQ(store_->Notes(), (std::map<std::string, std::string>{{"k/2", "{}"}, {"k/3", "[]"}}));
}

TEST_F(SearchGuardTest, AnIndexBecomesAnAliasOfItsSuccessor) {
  Make("logs", 2);
  Make("logs-2", 3);
  EXPECT_EQ(Change(R"({"add":{"index":"logs-2","alias":"logs"}})").status, 400);
  const Reply swapped = Change(
      R"({"remove_index":{"indices":["logs","logs","log*s"]}},{"add":{"index":"logs-2","alias":"logs"}})");
  EXPECT_EQ(swapped.status, 200) << swapped.body;
  EXPECT_EQ(Count("logs"), 3);
  EXPECT_EQ(Call("GET", "/_alias/logs").body, R"({"logs-2":{"aliases":{"logs":{}}}})");
  EXPECT_EQ(Call("PUT", "/logs/_doc/9?refresh=true", "{}").Text("_index"), "logs-2");
  EXPECT_EQ(Call("GET", "/_cat/indices?h=index").body, "logs-2\n");
}

TEST_F(SearchGuardTest, TheIdsOfADroppedIndexAreFreeAgain) {
  const std::pair<const char*, std::pair<const char*, const char*>> ways[] = {
      {"DELETE", {"/i", ""}},
      {"DELETE", {"/_data_stream/i", ""}},
      {"POST", {"/_aliases", R"({"actions":[{"remove_index":{"index":"i"}}]})"}}};
  for (const auto& [method, request] : ways) {
    EXPECT_EQ(Call("PUT", "/i/_create/1?refresh=true", "{}").status, 201) << request.first;
    EXPECT_EQ(Call("PUT", "/i/_create/2", "{}").status, 201) << request.first;
    const auto awaited = awaited_.load();
    EXPECT_EQ(Call(method, request.first, request.second).status, 200) << request.first;
    EXPECT_GT(awaited_.load(), awaited) << request.first;  // what was on its way has arrived, and went
    EXPECT_EQ(Call("HEAD", "/i").status, 404) << request.first;
    EXPECT_EQ(Call("PUT", "/i/_create/1?refresh=true", "{}").status, 201) << request.first;
    EXPECT_EQ(Count("i"), 1) << request.first;
    EXPECT_EQ(Call("DELETE", "/i").status, 200);
  }
}

TEST_F(SearchGuardTest, ATemplateDoesNotReplaceTheAliasOfTheRequest) {
  EXPECT_EQ(Call("PUT", "/_index_template/t",
                 R"({"index_patterns":["t-*"],"template":{"aliases":{"view":{},"more":{}}}})")
                .status,
            200);
  EXPECT_EQ(Call("PUT", "/t-1", R"({"aliases":{"view":{"filter":{"term":{"n":1}}}}})").status, 200);
  Make("t-1", 3);
  EXPECT_EQ(Count("view"), 1);
  EXPECT_EQ(Count("more"), 3);
}

TEST_F(SearchGuardTest, CatCountCountsWhatAnAliasShows) {
  Make("logs", 6);
  Make("other", 1);
  EXPECT_EQ(Change(R"({"add":{"index":"logs","alias":"few","filter":{"range":{"n":{"lte":2}}}}})").status,
            200);
  EXPECT_EQ(Call("GET", "/_cat/count/few?h=count").body, "2\n");
  EXPECT_EQ(Call("GET", "/_cat/count/few,other?h=count").body, "3\n");
  EXPECT_EQ(Call("GET", "/_cat/count/logs?h=count").body, "6\n");
  EXPECT_EQ(Call("GET", "/_cat/count?h=count").body, "7\n");
  EXPECT_EQ(Call("GET", "/_cat/count/none?h=count").status, 404);
}

TEST_F(SearchGuardTest, ARefusedIndexIsNotMade) {
  Make("a", 1);
  const char* const refused[] = {R"({"aliases":{"a":{}}})",
                                 R"({"aliases":{"new":{}}})",
                                 R"({"aliases":{"UPPER":{}}})",
                                 R"({"settings":{"index.retention.days":"soon"}})",
                                 R"({"mappings":{"properties":{"n":{"type":"no such type"}}}})",
                                 R"({"aliases":{"x":{}},"mappings":{"dynamic":"perhaps"}})"};
  for (const char* body : refused) {
    EXPECT_EQ(Call("PUT", "/new", body).status, 400) << body;
    EXPECT_EQ(Call("HEAD", "/new").status, 404) << body;
  }
  EXPECT_EQ(Call("HEAD", "/_alias/x").status, 404);
  EXPECT_EQ(Call("PUT", "/new", R"({"aliases":{"x":{}}})").status, 200);
}

TEST_F(SearchGuardTest, RemovalsFitPatternsAndSayWhenNothingGoes) {
  Make("a", 1);
  Make("b", 1);
  EXPECT_EQ(Change(R"({"add":{"indices":["a","b"],"aliases":["x1","x2","y"]}})").status, 200);
  EXPECT_EQ(Change(R"({"remove":{"index":"a","alias":"x*"}})").status, 200);
  EXPECT_EQ(Call("GET", "/a/_alias").body, R"({"a":{"aliases":{"y":{}}}})");
  EXPECT_EQ(Call("GET", "/b/_alias").body, R"({"b":{"aliases":{"x1":{},"x2":{},"y":{}}}})");
  const Reply none = Change(R"({"remove":{"index":"a","alias":"x*"}},{"remove":{"index":"a","alias":"q"}})");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.Text("error.type"), "aliases_not_found_exception");
  // One that does something is enough, unless it must exist.
  EXPECT_EQ(Change(R"({"remove":{"index":"*","alias":"x1"}},{"remove":{"index":"a","alias":"q"}})").status,
            200);
  EXPECT_EQ(
      Change(
          R"({"remove":{"index":"b","alias":"x2"}},{"remove":{"index":"a","alias":"q","must_exist":true}})")
          .status,
      404);
  EXPECT_EQ(Call("GET", "/b/_alias").body, R"({"b":{"aliases":{"x2":{},"y":{}}}})");
  EXPECT_EQ(Change(R"({"add":{"index":"a","alias":"z"}},{"remove":{"index":"a","alias":"z"}})").status, 200);
  EXPECT_EQ(Change(R"({"remove":{"index":"*","alias":"_all"}})").status, 200);
  EXPECT_EQ(Call("GET", "/_alias").body, R"({"a":{"aliases":{}},"b":{"aliases":{}}})");
}

TEST_F(SearchGuardTest, WritesWithoutAnIndexAreNotAcknowledged) {
  Make("a", 1);
  const std::pair<const char*, const char*> requests[] = {
      {"PUT", "/_settings"}, {"PUT", "/_mapping"},    {"POST", "/_mappings"},     {"PUT", "/_alias/x"},
      {"POST", "/_alias/x"}, {"DELETE", "/_alias/x"}, {"POST", "/_data_stream/d"}};
  for (const auto& [method, path] : requests)
    EXPECT_EQ(Call(method, path, R"({"index.retention.days":3})").status, 405) << method << path;
  for (const auto* path : {"/_settings", "/_mapping", "/_alias", "/_data_stream"})
    EXPECT_EQ(Call("GET", path).status, 200) << path;
  EXPECT_EQ(Call("PUT", "/a/_settings", R"({"index.retention.days":3})").status, 200);
  EXPECT_EQ(Call("PUT", "/_all/_alias/x").status, 200);
  EXPECT_EQ(Call("DELETE", "/_all/_alias/x").status, 200);
}

TEST_F(SearchGuardTest, ScrollsEndAlsoWhenOnlyTheFirstOfSeveralErasuresIsMade) {
  Make("a", 3);
  EXPECT_EQ(Call("PUT", "/b", R"({"mappings":{"properties":{"d":{"type":"date"}}}})").status, 200);
  Bulk("{\"index\":{\"_index\":\"b\"}}\n{\"d\":\"2026-11-20\"}\n");
  EXPECT_EQ(Change(R"({"add":{"index":"a","alias":"v","filter":{"exists":{"field":"n"}}}},)"
                   R"({"add":{"index":"b","alias":"v","filter":{"range":{"d":{"gte":"some day"}}}}})")
                .status,
            200);
  const std::string over_a = Call("POST", "/a/_search/point_in_time?keep_alive=1m").Text("pit_id");
  const std::string look = R"({"pit":{"id":")" + over_a + "\"}}";
  // A query that no index takes erases nothing, and ends nothing.
  EXPECT_EQ(Call("POST", "/a/_delete_by_query", R"({"query":{"trem":{}}})").status, 400);
  EXPECT_EQ(Call("POST", "/_search", look).Number("hits.total.value"), 3);
  EXPECT_EQ(Call("POST", "/v/_delete_by_query", kEverything).status, 400);
  EXPECT_EQ(Count("a"), 0);
  EXPECT_EQ(Call("POST", "/_search", look).status, 404);
}

TEST_F(SearchGuardTest, AnEmptyFilterIsNone) {
  Make("a", 2);
  EXPECT_EQ(Change(R"({"add":{"index":"a","alias":"x","filter":{}}})").status, 200);
  EXPECT_EQ(Call("PUT", "/a/_alias/y", R"({"filter":null})").status, 200);
  EXPECT_EQ(Call("GET", "/a/_alias").body, R"({"a":{"aliases":{"x":{},"y":{}}}})");
  EXPECT_EQ(Count("x"), 2);
}

TEST_F(SearchGuardTest, NamesInErrorsAreQuoted) {
  Make("a", 1);
  const Reply missing = Call("GET", "/_alias/a%22b");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.Text("error"), "alias [a\"b] missing");
  EXPECT_EQ(missing.Number("status"), 404);
  EXPECT_EQ(Call("PUT", "/_plugins/_ism/policies/a%22b", "{}").status, 200);
  EXPECT_EQ(Call("GET", "/_plugins/_ism/policies/a%22b").Text("_id"), "a\"b");
}

}  // namespace
}  // namespace honryu::api::search
