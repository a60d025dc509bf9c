#include "honryu/api/query/query_api.h"

#include "honryu/async/one_shot.h"
#include "honryu/async/task_group.h"
#include "honryu/codec/json.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace honryu::api::query {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kStart = 1442018700000;  // 2015-09-12T00:45:00Z

views::KpiRow Row(const std::string& metric, const std::string& group, int minute, double value, bool final) {
  views::KpiRow row;
  row.metric = metric;
  row.window = "1m";
  row.group = group;
  row.start = TimestampFromMs(kStart + minute * 60000);
  row.end = TimestampFromMs(kStart + (minute + 1) * 60000);
  row.value = value;
  row.final = final;
  return row;
}

/// Collects what is streamed; the connection "breaks" when told to.
class Collector final : public http::BodyWriter {
 public:
  async::Task<Result<void>> Write(Bytes chunk) override {
    const std::lock_guard lock(mutex_);
    if (broken_) co_return Error(ErrorCode::kCancelled, "the peer has gone");
    chunks_.emplace_back(chunk.view());
    changed_.notify_all();
    co_return Ok();
  }
  void Break() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }
  /// Waits (blocking) for the n-th chunk.
  std::string Await(std::size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return chunks_.size() > n; });
    return chunks_.size() > n ? chunks_[n] : "nothing came";
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> chunks_;
  bool broken_ = false;
};

class QueryApiTest : public ::testing::Test {
 protected:
  void Open() {
    ASSERT_TRUE(config_.Validate().ok());
    api_ = std::make_unique<QueryApi>(config_, *store_, runtime_, clock_, registry_);
    api_->Register(router_);
  }
  void Apply(const std::vector<views::KpiRow>& rows) { store_->Apply(rows, "s", SequenceNumber()).value(); }
  http::Response Get(const std::string& path, std::vector<std::pair<std::string, std::string>> query = {},
                     const std::string& origin = "", const std::string& method = "GET") {
    http::Request request;
    request.method = method;
    request.path = request.target = path;
    request.query = std::move(query);
    if (!origin.empty()) request.headers.Add("Origin", origin);
    return runtime_.BlockOn(router_.Handle(async::Context(), request));
  }
  QueryConfig config_;
  ManualClock clock_{TimestampFromMs(kStart + 600000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  std::unique_ptr<views::KpiStore> store_ = views::MakeMemoryKpiStore();
  http::Router router_;
  std::unique_ptr<QueryApi> api_;
};

TEST_F(QueryApiTest, AnswersRowsByStart) {
  Open();
  Apply({Row("events", "", 1, 7, false), Row("events", "", 0, 61, true),
         Row("events", "event_type=a", 0, 2.5, true)});
  const http::Response all = Get("/v1/kpi", {{"metric", "events"}});
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(
      all.body.view(),
      R"({"metric":"events","window":"1m","from":"2015-09-11T23:55:00.000Z","to":"2015-09-12T00:55:00.000Z","rows":[)"
      R"({"start":"2015-09-12T00:45:00.000Z","end":"2015-09-12T00:46:00.000Z","group":"","value":61,"final":true},)"
      R"({"start":"2015-09-12T00:46:00.000Z","end":"2015-09-12T00:47:00.000Z","group":"","value":7,"final":false}]})");
  const http::Response group = Get("/v1/kpi", {{"metric", "events"}, {"group", "event_type=*"}});
  EXPECT_NE(group.body.view().find(R"("group":"event_type=a","value":2.5)"), std::string_view::npos);
  EXPECT_NE(Get("/v1/kpi", {{"metric", "users"}}).body.view().find(R"("rows":[])"), std::string_view::npos);
}

TEST_F(QueryApiTest, RefusesWithTheReason) {
  Open();
  const http::Response wrong = Get("/v1/kpi", {{"metric", "events"}, {"window", "7m"}});
  EXPECT_EQ(wrong.status, 400);
  EXPECT_NE(wrong.body.view().find("window: expected one of 1h, 1m, 5m"), std::string_view::npos);
  Apply({Row("events", "", 0, 1, true), Row("events", "", 1, 1, true)});
  const http::Response many = Get("/v1/kpi", {{"metric", "events"}, {"limit", "1"}});
  EXPECT_EQ(many.status, 400);
  EXPECT_NE(many.body.view().find("limit: more than 1 rows"), std::string_view::npos);
  EXPECT_EQ(Get("/v1/kpi/live", {{"metric", "nothing"}}).status, 400);
}

TEST_F(QueryApiTest, AsksForAKeyThatMayRead) {
  config_.api_keys = {{"app", "secret-of-app", 0, {"write"}}, {"board", "secret-of-board", 0, {"read"}}};
  Open();
  for (const char* path : {"/v1/kpi", "/v1/kpi/metrics", "/v1/kpi/live"}) {
    const bool rows = std::string_view(path) == "/v1/kpi";
    const auto get = [&](const char* key) {
      std::vector<std::pair<std::string, std::string>> query;
      if (rows) query.emplace_back("metric", "events");
      if (key != nullptr) query.emplace_back("api_key", key);
      return Get(path, query);
    };
    const http::Response none = get(nullptr);
    EXPECT_EQ(none.status, 401) << path;
    EXPECT_EQ(none.headers.Get("WWW-Authenticate"), "Bearer");
    EXPECT_EQ(get("secret-of-nobody").status, 401) << path;
    EXPECT_EQ(get("secret-of-app").status, 403) << path;
    EXPECT_EQ(get("secret-of-board").status, 200) << path;
  }
}

TEST_F(QueryApiTest, ListsMetrics) {
  Open();
  Apply({Row("events", "", 0, 1, true), Row("events", "event_type=a", 0, 1, true)});
  EXPECT_EQ(Get("/v1/kpi/metrics").body.view(),
            R"({"metrics":[{"metric":"events","windows":["1m"],"groups":["","event_type=a"]}]})");
}

TEST_F(QueryApiTest, OnlyListedOriginsMayReadFromABrowser) {
  Open();
  const auto allowed = [this](const std::string& origin) {
    return std::string(Get("/v1/kpi/metrics", {}, origin).headers.Get("Access-Control-Allow-Origin"));
  };
  EXPECT_EQ(allowed("http://localhost:3000"), "http://localhost:3000");
  EXPECT_EQ(allowed("http://localhost.evil.example"), "");
  EXPECT_EQ(allowed("https://evil.example"), "");
  const http::Response preflight = Get("/v1/kpi", {}, "http://127.0.0.1:8080", "OPTIONS");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.Get("Access-Control-Allow-Methods"), "GET, OPTIONS");
}

TEST_F(QueryApiTest, LiveSendsASnapshotThenWhatChangesThenHeartbeats) {
  config_.live_interval = milliseconds(5);
  config_.live_heartbeat = milliseconds(20);
  Open();
  Apply({Row("events", "", 0, 1, true), Row("events", "", 1, 5, false), Row("users", "", 1, 2, false)});
  const http::Response response = Get("/v1/kpi/live", {{"metric", "events"}});
  EXPECT_EQ(response.headers.Get("Content-Type"), "text/event-stream");
  Collector collector;
  async::TaskGroup group;
  group.Spawn(runtime_.executor(0), "live", response.stream(collector));
  EXPECT_EQ(collector.Await(0),
            "event: kpi\ndata: "
            "{\"snapshot\":true,\"rows\":[{\"metric\":\"events\",\"window\":\"1m\","
            "\"start\":\"2015-09-12T00:46:00.000Z\",\"end\":\"2015-09-12T00:47:00."
            "000Z\",\"group\":\"\","
            "\"value\":5,\"final\":false}]}\n\n");
  EXPECT_EQ(collector.Await(1), ": still here\n\n");
  Apply({Row("events", "", 1, 6, true), Row("users", "", 1, 3, true)});
  std::string changed;
  for (std::size_t n = 2; n < 1000 && !changed.starts_with("event"); ++n) changed = collector.Await(n);
  EXPECT_NE(changed.find("\"value\":6,\"final\":true}]}"), std::string::npos) << changed;
  EXPECT_EQ(changed.find("snapshot"), std::string::npos);
  EXPECT_EQ(changed.find("users"), std::string::npos);
  collector.Break();
  EXPECT_TRUE(runtime_.BlockOn(group.Join()).ok());
}

TEST_F(QueryApiTest, TooManyLiveConnectionsAreRefused) {
  config_.max_live = 1;
  Open();
  const http::Response first = Get("/v1/kpi/live");
  EXPECT_EQ(first.status, 200);
  const http::Response second = Get("/v1/kpi/live");
  EXPECT_EQ(second.status, 503);
  EXPECT_EQ(second.headers.Get("Retry-After"), "5");
}

}  // namespace
}  // namespace honryu::api::query
