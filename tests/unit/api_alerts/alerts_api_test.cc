#include "honryu/api/alerts/alerts_api.h"

#include "honryu/alerting/alert.h"
#include "honryu/alerting/chart.h"
#include "honryu/async/runtime.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <thread>

namespace honryu::api::alerts {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class AlertsApiTest : public ::testing::Test {
 protected:
  AlertsApiTest() { runtime_.BlockOn(client_.EnsureStream({}, "alerts", {1, 24})).value(); }
  ~AlertsApiTest() override {
    if (api_ != nullptr) runtime_.BlockOn(api_->Stop());
  }
  void Start() {
    config_.channels = {"ops", "mail"};
    api_ = std::make_unique<AlertsApi>(config_, client_, runtime_.executor(0), clock_, registry_);
    api_->Register(router_);
    api_->Start();
  }
  void Put(const std::string& data) {
    std::vector<client::PutEntry> entries;
    entries.push_back({"r", Bytes(data), std::nullopt});
    EXPECT_TRUE(runtime_.BlockOn(client_.Put({}, "alerts", std::move(entries))).ok());
  }
  http::Response Ask(const std::string& method, const std::string& path, const std::string& body = "",
                     const std::string& key = "") {
    http::Request request;
    request.method = method;
    request.path = path;
    if (const std::size_t mark = path.find('?'); mark != std::string::npos) {
      request.path = path.substr(0, mark);
      for (std::size_t at = mark + 1; at < path.size();) {
        const std::size_t end = std::min(path.find('&', at), path.size());
        const std::string part = path.substr(at, end - at);
        request.query.emplace_back(part.substr(0, part.find('=')), part.substr(part.find('=') + 1));
        at = end + 1;
      }
    }
    request.body = Bytes(body);
    if (!key.empty()) request.headers.Set("Authorization", "Bearer " + key);
    return runtime_.BlockOn(router_.Handle(async::Context::WithTimeout(seconds(5)), request));
  }
  codec::Json Json(const http::Response& response) {
    return codec::Json::Parse(response.body.view()).value();
  }
  template <class F>
  static bool Await(F condition) {
    const MonoTime until = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  static std::string Change(const std::string& key, alerting::AlertState state, int second) {
    alerting::Change change;
    change.alert.rule = "r";
    change.alert.key = key;
    change.alert.state = state;
    change.alert.at = change.alert.since = TimestampFromMs(second * 1000);
    change.alert.points = {{TimestampFromMs(1), 1}, {TimestampFromMs(2), 2}};
    change.id = key + std::to_string(second);
    return alerting::ToJson(change);
  }

  ManualClock clock_{TimestampFromMs(1'700'000'000'000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  http::Router router_;
  AlertsConfig config_;
  std::unique_ptr<AlertsApi> api_;
};

TEST_F(AlertsApiTest, ShowsAlertsHistoryAndCharts) {
  Put(Change("a=1", alerting::AlertState::kFiring, 1));
  Put(Change("b", alerting::AlertState::kFiring, 2));
  Put(Change("b", alerting::AlertState::kOk, 3));
  Start();
  ASSERT_TRUE(
      Await([&] { return Json(Ask("GET", "/v1/alerts/history")).Find("changes")->array().size() == 3; }));
  const codec::Json list = Json(Ask("GET", "/v1/alerts"));
  ASSERT_EQ(list.Find("alerts")->array().size(), 1u);
  EXPECT_EQ(list.Find("alerts")->array()[0].Find("key")->StringOr(""), "a=1");
  ASSERT_TRUE(Await([&] { return Json(Ask("GET", "/v1/alerts")).Find("complete")->BoolOr(false); }));
  const codec::Json last = Json(Ask("GET", "/v1/alerts/history?limit=1"));
  ASSERT_EQ(last.Find("changes")->array().size(), 1u);
  EXPECT_EQ(last.Find("changes")->array()[0].Find("alert")->Find("state")->StringOr(""), "ok");
  EXPECT_EQ(Ask("GET", "/v1/alerts/history?limit=x").status, 400);
  const http::Response chart = Ask("GET", "/v1/alerts/chart.png?alert=r{a=1}&at=1000");
  EXPECT_EQ(chart.status, 200);
  EXPECT_EQ(chart.headers.Get("Content-Type"), "image/png");
  EXPECT_EQ(chart.body.view().substr(1, 3), "PNG");
  EXPECT_EQ(Ask("GET", "/v1/alerts/chart.png?alert=r{c}").status, 404);
  EXPECT_EQ(Ask("GET", "/v1/alerts/chart.png").status, 400);
}

TEST_F(AlertsApiTest, SilencesAreMadeShownAndEnded) {
  Start();
  const http::Response made =
      Ask("POST", "/v1/silences", R"({"rule":"traffic*","for":"2h","comment":"deployment"})");
  ASSERT_EQ(made.status, 201);
  const std::string id(Json(made).Find("id")->StringOr(""));
  ASSERT_EQ(Json(Ask("GET", "/v1/silences")).Find("silences")->array().size(), 1u);
  ASSERT_EQ(client_.Records("alerts").size(), 1u);
  const auto silence =
      alerting::ParseSilence(codec::Json::Parse(client_.Records("alerts")[0].data.view()).value()).value();
  EXPECT_EQ(silence.rule, "traffic*");
  EXPECT_EQ(silence.until - silence.from, minutes(120));
  EXPECT_EQ(Ask("DELETE", "/v1/silences/other").status, 404);
  EXPECT_EQ(Ask("DELETE", "/v1/silences/" + id).status, 200);
  EXPECT_TRUE(Json(Ask("GET", "/v1/silences")).Find("silences")->array().empty());
  EXPECT_EQ(client_.Records("alerts").size(), 2u);
  for (const char* bad : {"", "[]", "{}", R"({"rule":"a"})", R"({"rule":"a","for":"soon"})",
                          R"({"rule":"a","for":"0"})", R"({"rule":"a","for":"9000h"})", R"({"for":"1h"})",
                          R"({"rule":5,"for":"1h"})", R"({"rules":"a","rule":"b","for":"1h"})"})
    EXPECT_EQ(Ask("POST", "/v1/silences", bad).status, 400) << bad;
  client_.FailStream("alerts", Error(ErrorCode::kUnavailable, "full"));
  EXPECT_EQ(Ask("POST", "/v1/silences", R"({"rule":"*","for":"1h"})").status, 503);
}

TEST_F(AlertsApiTest, ATestGoesTheRealWay) {
  Start();
  EXPECT_EQ(Ask("POST", "/v1/alerts/test", R"({"channel":"nobody"})").status, 404);
  for (const char* bad : {"[", "[]", R"({"channel":7})", R"({"chanel":"ops"})"})
    EXPECT_EQ(Ask("POST", "/v1/alerts/test", bad).status, 400) << bad;
  EXPECT_EQ(Ask("POST", "/v1/alerts/test", R"({"channel":"ops"})").status, 202);
  EXPECT_EQ(Ask("POST", "/v1/alerts/test").status, 202);
  const auto records = client_.Records("alerts");
  ASSERT_EQ(records.size(), 2u);
  const auto note = alerting::ParseNotification(codec::Json::Parse(records[0].data.view()).value()).value();
  EXPECT_TRUE(note.test);
  EXPECT_EQ(note.channels, std::vector<std::string>{"ops"});
}

TEST_F(AlertsApiTest, NoForeignPageSilencesAlerts) {
  Start();
  http::Request request;
  request.method = "POST";
  request.path = "/v1/silences";
  request.body = Bytes(std::string(R"({"rule":"*","for":"1h"})"));
  request.headers.Set("Origin", "https://evil.example");
  EXPECT_EQ(runtime_.BlockOn(router_.Handle(async::Context::WithTimeout(seconds(5)), request)).status, 403);
  EXPECT_TRUE(client_.Records("alerts").empty());
  request.headers.Set("Origin", "http://localhost:3000");
  EXPECT_EQ(runtime_.BlockOn(router_.Handle(async::Context::WithTimeout(seconds(5)), request)).status, 201);
}

TEST_F(AlertsApiTest, ReadingAndActingNeedTheirScopes) {
  keys::ApiKey reader, admin;
  reader.name = "reader";
  reader.key = "reader-key-1";
  reader.scopes = {"read"};
  admin.name = "admin";
  admin.key = "admin-key-1";
  admin.scopes = {"admin"};
  config_.api_keys = {reader, admin};
  Start();
  EXPECT_EQ(Ask("GET", "/v1/alerts").status, 401);
  EXPECT_EQ(Ask("GET", "/v1/alerts", "", "reader-key-1").status, 200);
  EXPECT_EQ(Ask("POST", "/v1/silences", R"({"rule":"*","for":"1h"})", "reader-key-1").status, 403);
  EXPECT_EQ(Ask("POST", "/v1/silences", R"({"rule":"*","for":"1h"})", "admin-key-1").status, 201);
}

TEST_F(AlertsApiTest, APictureWhoseLinkHoldsItNeedsNoKey) {
  keys::ApiKey reader;
  reader.name = "reader";
  reader.key = "reader-key-1";
  reader.scopes = {"read"};
  config_.api_keys = {reader};
  Put(Change("a", alerting::AlertState::kFiring, 1));
  Start();
  EXPECT_EQ(Ask("GET", "/v1/alerts/chart.png?alert=r{a}").status, 401);
  ASSERT_TRUE(
      Await([&] { return Ask("GET", "/v1/alerts/chart.png?alert=r{a}", "", "reader-key-1").status == 200; }));
  alerting::Alert alert;
  alert.points = {{TimestampFromMs(1), 1}, {TimestampFromMs(2), 2}};
  const http::Response chart = Ask("GET", "/v1/alerts/chart.png?chart=" + alerting::ChartText(alert));
  EXPECT_EQ(chart.status, 200);
  EXPECT_EQ(chart.headers.Get("Content-Type"), "image/png");
  EXPECT_EQ(chart.body.view(), alerting::DrawChart(alert).value());
  EXPECT_EQ(Ask("GET", "/v1/alerts/chart.png?chart=" + alerting::ChartText(alert) + "A").status, 400);
  EXPECT_EQ(Ask("GET", "/v1/alerts/chart.png?chart=").status, 400);
}

}  // namespace
}  // namespace honryu::api::alerts
