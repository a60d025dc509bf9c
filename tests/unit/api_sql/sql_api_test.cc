#include "honryu/api/sql/sql_api.h"

#include "honryu/codec/compression.h"
#include "honryu/codec/json.h"
#include "honryu/codec/kpl.h"
#include "honryu/sqlapp/catalog.h"
#include "honryu/sqlapp/state_store.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace honryu::api::sql_api {
namespace {

class CollectingWriter final : public http::BodyWriter {
 public:
  async::Task<Result<void>> Write(Bytes chunk) override {
    text += chunk.view();
    co_return Ok();
  }
  std::string text;
};

class SqlApiTest : public ::testing::Test {
 protected:
  void Make(std::vector<keys::ApiKey> api_keys = {}) {
    SqlApiConfig config;
    config.api_keys = std::move(api_keys);
    api_ = std::make_unique<SqlApi>(config, client_, runtime_, clock_, registry_);
    api_->Register(router_);
    client::StreamSettings settings;
    settings.shards = 2;
    runtime_.BlockOn(client_.EnsureStream({}, "events", settings)).value();
  }
  void PutEvents(int count) {
    std::vector<client::PutEntry> entries;
    for (int i = 0; i < count; ++i) {
      const std::string user = "u" + std::to_string(i % 3);
      entries.push_back({user,
                         Bytes(R"({"event_type":"e","user_id":")" + user + R"(","event_time":)" +
                               std::to_string(1'700'000'000'000 + i * 1000) + "}"),
                         std::nullopt});
    }
    runtime_.BlockOn(client_.Put({}, "events", std::move(entries))).value();
  }
  static async::Task<http::Response> Send(const http::Router* router, http::Request request,
                                          CollectingWriter* writer) {
    http::Response response =
        co_await router->Handle(async::Context::WithTimeout(std::chrono::seconds(30)), request);
    if (response.stream) co_await response.stream(*writer);
    co_return response;
  }
  int Call(const std::string& method, const std::string& path, const std::string& body,
           std::vector<std::pair<std::string, std::string>> query = {}, const std::string& key = "",
           const std::string& origin = "") {
    http::Request request;
    request.method = method;
    request.path = request.target = path;
    request.query = std::move(query);
    request.body = Bytes(body);
    if (!key.empty()) request.headers.Set("X-Api-Key", key);
    if (!origin.empty()) request.headers.Set("Origin", origin);
    writer_.text.clear();
    const http::Response response = runtime_.BlockOn(Send(&router_, std::move(request), &writer_));
    body_ = std::string(response.body.view());
    return response.status;
  }
  codec::Json Body() const { return codec::Json::Parse(body_).value(); }

  ManualClock clock_{TimestampFromMs(1'790'000'000'000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  http::Router router_;
  std::unique_ptr<SqlApi> api_;
  CollectingWriter writer_;
  std::string body_;
};

TEST_F(SqlApiTest, AQueryOfThePastGivesItsRowsAndEnds) {
  Make();
  PutEvents(120);
  const std::string minutes =
      "SELECT COUNT(*) AS n, COUNT(DISTINCT user_id) AS users FROM events GROUP BY FLOOR(ROWTIME TO MINUTE)";
  const std::vector<std::pair<std::string, std::string>> all = {{"from", "trim_horizon"}, {"to_end", "true"}};
  ASSERT_EQ(Call("POST", "/v1/sql/query", minutes, all), 200) << body_;
  EXPECT_EQ(writer_.text, "{\"N\":40,\"USERS\":3}\n{\"N\":60,\"USERS\":3}\n{\"N\":20,\"USERS\":3}\n");
  ASSERT_EQ(Call("POST", "/v1/sql/query", R"({"sql":"SELECT user_id FROM events"})",
                 {{"from", "trim_horizon"}, {"limit", "5"}}),
            200);
  EXPECT_EQ(std::count(writer_.text.begin(), writer_.text.end(), '\n'), 5);
  EXPECT_EQ(Call("POST", "/v1/sql/query", "SELECT x FROM nowhere"), 400);
  EXPECT_NE(Body().Find("error")->StringOr("").find("line 1, column 15"), std::string::npos) << body_;
  EXPECT_EQ(Call("POST", "/v1/sql/query", minutes, {{"from", "yesterday"}}), 400);
  EXPECT_EQ(Call("POST", "/v1/sql/query", minutes, {{"limit", "many"}}), 400);
  EXPECT_EQ(Call("POST", "/v1/sql/query", ""), 400);
  ASSERT_EQ(Call("POST", "/v1/sql/query", "CREATE STREAM gone (x INT); SELECT x FROM gone",
                 {{"from", "trim_horizon"}}),
            200);
  EXPECT_NE(writer_.text.find("_error"), std::string::npos) << "the stream is not there";
}

TEST_F(SqlApiTest, AQueryOpensRecordsAndShowsWhatDoesNotOpen) {
  Make();
  const auto gzip = [](std::string_view plain) {
    return codec::Compress(codec::Compression::kGzip, plain).value();
  };
  const auto event = [](const std::string& user) {
    return R"({"event_time":1700000000000,"user_id":")" + user + "\"}";
  };
  const std::string packed = gzip(event("b") + "\n" + event("c"));
  codec::KplAggregateWriter aggregate(~std::size_t{0});
  for (const std::string& data : {event("d"), packed.substr(0, packed.size() - 4), gzip(event("e"))})
    aggregate.Add({"one key", std::nullopt, data});
  std::vector<client::PutEntry> entries;
  for (const std::string& data : {event("a"), packed, aggregate.Finish(), "[" + event("f") + "]"})
    entries.push_back({"one key", Bytes(data), std::nullopt});
  runtime_.BlockOn(client_.Put({}, "events", std::move(entries))).value();
  ASSERT_EQ(Call("POST", "/v1/sql/query", "SELECT user_id AS u FROM events",
                 {{"from", "trim_horizon"}, {"to_end", "true"}}),
            200)
      << body_;
  std::string rows, errors;
  for (std::size_t at = 0, end = 0; at < writer_.text.size(); at = end + 1) {
    end = writer_.text.find('\n', at);
    const std::string line = writer_.text.substr(at, end - at);
    const codec::Json row = codec::Json::Parse(line).value();
    if (row.Find("U") != nullptr) rows += row.Find("U")->StringOr("?");
    if (row.Find("_stream") != nullptr) errors += line;
  }
  EXPECT_EQ(rows, "abcdef");
  EXPECT_NE(errors.find("\"Unopenable\""), std::string::npos) << writer_.text;
  EXPECT_EQ(errors.find("\"Unopenable\""), errors.rfind("\"Unopenable\"")) << writer_.text;
}

TEST_F(SqlApiTest, AProgramMaySayWhereItBegins) {
  Make();
  const std::string program =
      "CREATE STREAM s (k VARCHAR); CREATE PUMP p AS INSERT INTO s SELECT user_id FROM events; "
      "ALTER PUMP p RESET TO '-1h'";
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", program), 200) << body_;
  EXPECT_EQ(Body().Find("from")->StringOr(""), "at:1789996400000");
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", program, {{"from", "latest"}}), 200) << body_;
  EXPECT_EQ(Body().Find("from")->StringOr(""), "latest") << "the request goes before the program";
}

TEST_F(SqlApiTest, ApplicationsAreAppliedShownAndTakenOut) {
  Make();
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", "SELECT user_id FROM events", {{"from", "-1h"}}), 200) << body_;
  EXPECT_EQ(Body().Find("from")->StringOr(""), "at:1789996400000");
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", "SELECT user_id FROM events"), 200);
  EXPECT_EQ(Body().Find("version")->IntOr(0), 1) << "the same again goes on";
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", "SELECT event_type FROM events"), 200);
  EXPECT_EQ(Body().Find("version")->IntOr(0), 2);
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", "SELECT"), 400);
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/o.n", "SELECT event_type FROM events"), 400);
  EXPECT_EQ(Call("POST", "/v1/sql/apps/one/stop", ""), 202);
  EXPECT_EQ(Call("GET", "/v1/sql/apps/one", ""), 200);
  EXPECT_FALSE(Body().Find("running")->BoolOr(true));
  EXPECT_EQ(Body().Find("sql")->StringOr(""), "SELECT event_type FROM events");
  EXPECT_EQ(Call("POST", "/v1/sql/apps/one/savepoint", "", {{"name", "here"}}), 202);
  EXPECT_EQ(Call("POST", "/v1/sql/apps/two/start", ""), 404);
  EXPECT_EQ(Call("POST", "/v1/sql/apps/one/dance", ""), 404);
  EXPECT_EQ(Call("GET", "/v1/sql/apps", ""), 200);
  EXPECT_EQ(Body().Find("applications")->array().size(), 1u);
  EXPECT_EQ(Call("DELETE", "/v1/sql/apps/one", ""), 200);
  EXPECT_EQ(Call("GET", "/v1/sql/apps/one", ""), 404);
}

TEST_F(SqlApiTest, TablesArePreviewedBeforeAndWhileTheyAreJoined) {
  keys::ApiKey reader, boss;
  reader.name = "reader";
  reader.key = "reader-key";
  reader.scopes = {"read"};
  boss.name = "boss";
  boss.key = "boss-key-1";
  boss.scopes = {"admin"};
  Make({reader, boss});
  const std::string path =
      ::testing::TempDir() + "honryu_sql_api_test_" + std::to_string(::getpid()) + ".csv";
  std::ofstream(path) << "user_id,age\nu1,7\nu2,9\n";
  const std::string program =
      "CREATE REFERENCE TABLE ages (user_id VARCHAR, age VARCHAR) WITH (source = 'file:" + path +
      "'); SELECT a.age FROM events e JOIN ages a ON a.user_id = e.user_id";
  EXPECT_EQ(Call("POST", "/v1/sql/preview", program, {}, "reader-key"), 403);
  EXPECT_EQ(Call("POST", "/v1/sql/preview", program, {{"rows", "1"}}, "boss-key-1"), 200) << body_;
  const codec::Json declared = Body().Find("tables")->array().at(0);
  EXPECT_EQ(declared.Find("table")->StringOr(""), "AGES");
  EXPECT_EQ(declared.Find("columns")->array().at(1).Find("type")->StringOr(""), "VARCHAR");
  EXPECT_EQ(declared.Find("row_count")->IntOr(0), 2);
  EXPECT_EQ(declared.Find("rows")->array().size(), 1u);
  EXPECT_EQ(Call("POST", "/v1/sql/preview", R"({"source":"file:)" + path + R"("})", {}, "boss-key-1"), 200)
      << body_;
  EXPECT_EQ(Body().Find("tables")->array().at(0).Find("columns")->array().at(1).Find("type")->StringOr(""),
            "BIGINT");
  EXPECT_EQ(Call("POST", "/v1/sql/preview", R"({"source":"/etc/x"})", {}, "boss-key-1"), 400);
  EXPECT_EQ(Call("POST", "/v1/sql/preview", R"({"source":"file:/nowhere.csv"})", {}, "boss-key-1"), 400);
  EXPECT_NE(body_.find("cannot open /nowhere.csv"), std::string::npos);
  EXPECT_EQ(Call("POST", "/v1/sql/preview", program, {{"rows", "many"}}, "boss-key-1"), 400);
  EXPECT_NE(body_.find("rows: expected a number"), std::string::npos) << body_;
  // A running one: what its lease tells of, not what the file has by now.
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", program, {}, "boss-key-1"), 200);
  EXPECT_EQ(Call("GET", "/v1/sql/apps/one/tables", "", {}, "boss-key-1"), 200);
  EXPECT_TRUE(Body().Find("tables")->array().empty());
  const std::string packed = codec::Compress(codec::Compression::kZstd, "user_id,age\nu3,11\n").value();
  std::string state;
  codec::JsonWriter json(state);
  json.BeginObject();
  json.Key("tables");
  json.BeginArray();
  json.BeginObject();
  json.Key("current");
  json.Bool(true);
  json.Key("declaration");
  json.String("CREATE REFERENCE TABLE ages (user_id VARCHAR, age INT) WITH (source = 'file:x.csv');");
  json.Key("since_ms");
  json.Int(1'790'000'000'000);
  json.Key("place");
  sqlapp::StatePlace place;
  place.here = packed;
  sqlapp::WritePlace(json, place);
  json.EndObject();
  json.EndArray();
  json.EndObject();
  client::Lease lease =
      runtime_
          .BlockOn(client_.AcquireLease({}, sqlapp::ApplicationLease("one"), "sql-state",
                                        std::string(client::kStreamSlot), "me", std::chrono::seconds(10)))
          .value();
  lease.state = state;
  ASSERT_TRUE(runtime_.BlockOn(client_.SaveCheckpoint({}, lease)).ok());
  EXPECT_EQ(Call("GET", "/v1/sql/apps/one/tables", "", {}, "reader-key"), 403);
  EXPECT_EQ(Call("GET", "/v1/sql/apps/one/tables", "", {}, "boss-key-1"), 200) << body_;
  const codec::Json joined = Body().Find("tables")->array().at(0);
  EXPECT_EQ(joined.Find("rows")->array().at(0).Find("AGE")->IntOr(0), 11);
  EXPECT_EQ(joined.Find("since")->StringOr(""), FormatTimestamp(clock_.Now()));
  EXPECT_EQ(Call("GET", "/v1/sql/apps/two/tables", "", {}, "boss-key-1"), 404);
  std::remove(path.c_str());
}

TEST_F(SqlApiTest, WhatIsNoQuestionIsRefused) {
  Make();
  const std::string sql = "SELECT user_id FROM events";
  EXPECT_EQ(Call("POST", "/v1/sql/query", sql, {{"to_end", "maybe"}}), 400);
  EXPECT_NE(body_.find("to_end: expected true or false"), std::string::npos) << body_;
  EXPECT_EQ(Call("POST", "/v1/sql/query", sql, {{"limit", "-1"}}), 400);
  EXPECT_NE(body_.find("limit: expected a number"), std::string::npos) << body_;
  EXPECT_EQ(Call("POST", "/v1/sql/query", sql, {{"from", "yesterday"}}), 400);
  EXPECT_EQ(Call("POST", "/v1/sql/query", ""), 400);
}

TEST_F(SqlApiTest, ReadersAskAndOnlyAdministratorsChange) {
  keys::ApiKey reader, boss;
  reader.name = "reader";
  reader.key = "reader-key";
  reader.scopes = {"read"};
  boss.name = "boss";
  boss.key = "boss-key-1";
  boss.scopes = {"admin"};
  Make({reader, boss});
  const std::string sql = "SELECT user_id FROM events";
  EXPECT_EQ(Call("POST", "/v1/sql/explain", sql), 401);
  EXPECT_EQ(Call("POST", "/v1/sql/explain", sql, {}, "reader-key"), 200);
  EXPECT_NE(Body().Find("plan")->StringOr("").find("events"), std::string::npos);
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", sql, {}, "reader-key"), 403);
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", sql, {}, "boss-key-1", "https://evil.example"), 403);
  EXPECT_EQ(Call("PUT", "/v1/sql/apps/one", sql, {}, "boss-key-1"), 200);
  const std::string file =
      "CREATE REFERENCE TABLE t (a INT) WITH (source = 'file:/nowhere.csv'); SELECT e.user_id FROM events e "
      "JOIN t ON t.a = 1";
  EXPECT_EQ(Call("POST", "/v1/sql/query", file, {{"limit", "1"}}, "reader-key"), 403);
  EXPECT_EQ(Call("POST", "/v1/sql/query", file, {{"limit", "1"}}, "boss-key-1"), 200);
  EXPECT_NE(writer_.text.find("/nowhere.csv"), std::string::npos);
}

}  // namespace
}  // namespace honryu::api::sql_api
