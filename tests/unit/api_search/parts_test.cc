#include "api/search/bulk_body.h"
#include "api/search/contexts.h"
#include "api/search/filter_path.h"
#include "api/search/index_settings.h"
#include "api/search/search_lanes.h"
#include "api/search/uri_search.h"
#include "honryu/async/task_group.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace honryu::api::search {
namespace {

TEST(BulkBody, ReadsActionsAndTheirSources) {
  const std::string body =
      "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\r\n{\"x\":1}\r\n"
      "\n"
      "{\"create\":{}}\n{\"y\":2}\n"
      "{\"delete\":{\"_id\":7}}\n"
      "{\"index\":{\"_type\":\"_doc\"}}\n{\"z\":3}";
  const auto items = ParseBulkBody(body, "default", 10);
  ASSERT_TRUE(items.ok()) << items.error().ToString();
  ASSERT_EQ(items->size(), 4U);
  EXPECT_EQ(items->at(0).index, "a");
  EXPECT_EQ(items->at(0).id, "1");
  EXPECT_EQ(items->at(0).source, "{\"x\":1}");
  EXPECT_EQ(items->at(1).action, "create");
  EXPECT_EQ(items->at(1).index, "default");
  EXPECT_EQ(items->at(2).id, "7");
  EXPECT_TRUE(items->at(2).source.empty());
  EXPECT_EQ(items->at(3).source, "{\"z\":3}");
}

TEST(BulkBody, RefusesWhatCannotBeToldApart) {
  for (const char* body : {"", "\n", "{\"x\":1}\n{}\n", "no\n{}\n", "{\"index\":{}}\n",
                           "{\"index\":{\"_idx\":1}}\n{}\n", "{\"index\":{},\"create\":{}}\n{}\n"})
    EXPECT_FALSE(ParseBulkBody(body, "i", 10).ok()) << body;
  EXPECT_FALSE(ParseBulkBody("{\"delete\":{}}\n{\"delete\":{}}\n", "i", 1).ok());
}

TEST(BulkBody, SourcesAreJsonObjects) {
  EXPECT_TRUE(CheckSource("{\"a\":{\"b\":[1,2]}}").ok());
  for (const char* source : {"", "[1]", "7", "{\"a\":}", "{} {}", "{\"a\":\"\xff\"}"})
    EXPECT_FALSE(CheckSource(source).ok()) << source;
}

TEST(FilterPath, KeepsAndDropsByPattern) {
  const char* json =
      R"({"took":3,"hits":{"total":{"value":2},"hits":[{"_id":"a","_source":{"x":1,"y":2}},{"_id":"b"}]}})";
  EXPECT_EQ(FilterPath(json, "took"), R"({"took":3})");
  EXPECT_EQ(FilterPath(json, "hits.hits._id"), R"({"hits":{"hits":[{"_id":"a"},{"_id":"b"}]}})");
  EXPECT_EQ(FilterPath(json, "hits.to*,took"), R"({"took":3,"hits":{"total":{"value":2}}})");
  EXPECT_EQ(FilterPath(json, "**.x"), R"({"hits":{"hits":[{"_source":{"x":1}}]}})");
  EXPECT_EQ(FilterPath(json, "-hits"), R"({"took":3})");
  EXPECT_EQ(FilterPath(json, "none"), "{}");
}

TEST(PrettyJson, BreaksLinesOutsideOfStrings) {
  EXPECT_EQ(PrettyJson(R"({"a":[1,{"b":"x,{\"y\\"}],"c":{},"d":[]})"),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x,{\\\"y\\\\\"\n    }\n  ],\n  \"c\": {},\n  "
            "\"d\": []\n}\n");
}

http::Request Request(std::vector<std::pair<std::string, std::string>> query, std::string body = "") {
  http::Request request;
  request.query = std::move(query);
  request.body = Bytes(std::move(body));
  return request;
}

TEST(UriSearch, PutsParametersIntoTheBody) {
  EXPECT_EQ(
      SearchBody(Request({{"q", "a:b"}, {"df", "message"}, {"size", "3"}, {"sort", "t:desc,n"}}))->Dump(),
      R"({"query":{"query_string":{"query":"a:b","default_field":"message"}},"size":3,"sort":[{"t":"desc"},"n"]})");
  EXPECT_EQ(SearchBody(Request({{"_source_includes", "a,b"}, {"track_total_hits", "true"}}, R"({"size":1})"))
                ->Dump(),
            R"({"size":1,"track_total_hits":true,"_source":{"includes":["a","b"]}})");
  EXPECT_FALSE(SearchBody(Request({{"size", "x"}})).ok());
  EXPECT_FALSE(SearchBody(Request({}, "[1]")).ok());
}

TEST(SearchLanes, RefusesWhatIsTooMuchAndRunsTheRestInTurn) {
  async::Runtime runtime{async::RuntimeOptions{}};
  SearchLanes lanes(runtime, 1, 2);
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future().share();
  async::TaskGroup group;
  std::atomic<int> done{0}, refused{0}, at_once{0}, most{0};
  const auto one = [](SearchLanes* into, std::shared_future<void> wait, std::atomic<int>* ended,
                      std::atomic<int>* away, std::atomic<int>* running,
                      std::atomic<int>* peak) -> async::Task<void> {
    Result<int> result = co_await into->Run([wait, running, peak]() -> Result<int> {
      peak->store(std::max(peak->load(), ++*running));
      wait.wait();
      --*running;
      return 1;
    });
    ++(result.ok() ? *ended : *away);
  };
  for (int i = 0; i < 3; ++i)
    group.Spawn(runtime.executor(0), "search", one(&lanes, gone, &done, &refused, &at_once, &most));
  while (refused == 0) std::this_thread::yield();
  go.set_value();
  ASSERT_TRUE(runtime.BlockOn(group.Join()).ok());
  EXPECT_EQ(done, 2);
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(most, 1);
}

TEST(SearchContexts, EndAfterTheirTimeAndAreBounded) {
  ManualClock clock(TimestampFromMs(0));
  SearchContexts contexts(2, clock);
  const auto first = contexts.Open({nullptr, std::chrono::minutes(1), codec::Json()});
  const auto second = contexts.Open({nullptr, std::chrono::minutes(10), codec::Json()});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(contexts.Open({nullptr, std::chrono::minutes(1), codec::Json()}).error().code(),
            ErrorCode::kOverloaded);
  clock.Advance(std::chrono::minutes(2));
  EXPECT_FALSE(contexts.Use(*first, Duration::zero()).ok());
  EXPECT_TRUE(contexts.Use(*second, Duration::zero()).ok());
  EXPECT_TRUE(contexts.Close(*second));
  EXPECT_FALSE(contexts.Close(*second));
}

}  // namespace
}  // namespace honryu::api::search
