#include "honryu/api/admin/admin_api.h"

#include "honryu/async/runtime.h"
#include "honryu/codec/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace honryu::api::admin {
namespace {

using codec::Json;
using ::testing::HasSubstr;

class Admin : public ::testing::Test {
 protected:
  Admin() { admin_.Register(router_); }
  http::Response Get(std::string path) {
    http::Request request;
    request.method = "GET";
    request.path = std::move(path);
    return runtime_.BlockOn(router_.Handle({}, request));
  }

  ManualClock clock_{TimestampFromMs(1763719200000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{1, 1}};
  AdminApi admin_{{"1.2.3", "abc", "gateway"}, registry_, clock_};
  http::Router router_;
};

TEST_F(Admin, HealthTellsVersionAndUptime) {
  clock_.Advance(std::chrono::seconds(90));
  const http::Response response = Get("/healthz");
  EXPECT_EQ(response.status, 200);
  const Json json = Json::Parse(response.body).value();
  EXPECT_EQ(json.Find("version")->StringOr(""), "1.2.3");
  EXPECT_EQ(json.Find("uptime_seconds")->IntOr(-1), 90);
}

TEST_F(Admin, ReadinessNamesWhatIsMissing) {
  EXPECT_EQ(Get("/readyz").status, 200);
  bool disk_full = true;
  admin_.AddCheck("gateway", [] { return Ok(); });
  admin_.AddCheck("log", [&disk_full]() -> Result<void> {
    if (disk_full) return Error(ErrorCode::kUnavailable, "disk full");
    return Ok();
  });
  const http::Response response = Get("/readyz");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body.view(), R"({"ready":false,"checks":[{"name":"gateway","ok":true},)"
                                  R"({"name":"log","ok":false,"reason":"disk full"}]})");
  disk_full = false;
  EXPECT_EQ(Get("/readyz").status, 200);
}

TEST_F(Admin, MetricsAreInPrometheusTextFormat) {
  registry_.MakeCounter("honryu_test_total", "For this test").Add(3);
  const http::Response response = Get("/metrics");
  EXPECT_THAT(std::string(response.headers.Get("Content-Type")), HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(std::string(response.body.view()), HasSubstr("honryu_test_total 3"));
}

TEST_F(Admin, VersionNamesTheRevision) {
  EXPECT_EQ(Get("/version").body.view(), R"({"version":"1.2.3","commit":"abc","roles":"gateway"})");
}

}  // namespace
}  // namespace honryu::api::admin
