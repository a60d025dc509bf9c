// Channels over HTTP, against a server of our own: what is posted, and what answers mean.

#include "honryu/alerting/chart.h"
#include "honryu/codec/json.h"
#include "honryu/http/router.h"
#include "honryu/http/server.h"
#include "honryu/processors/notifier/channel.h"

#include <gtest/gtest.h>

#include <mutex>

namespace honryu::processors::notifier {
namespace {

using std::chrono::seconds;

class PosterTest : public ::testing::Test {
 protected:
  struct Got {
    std::string path, body, key, signature, timestamp;
  };
  async::Task<http::Response> Take(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    const auto header = [&request](const char* name) { return std::string(request.headers.Get(name)); };
    got_.push_back({request.path, std::string(request.body.view()), header("Idempotency-Key"),
                    header("X-Honryu-Signature"), header("X-Honryu-Timestamp")});
    co_return http::Response::Text(answer_, "");
  }
  void SetUp() override {
    router_.Add("POST", "/*", [this](async::Context, const http::Request& request) { return Take(request); });
    server_ = std::make_unique<http::Server>(runtime_, metrics_, http::ServerConfig{}, router_.AsHandler());
    ASSERT_TRUE(server_->Start().ok());
  }
  void TearDown() override { runtime_.BlockOn(server_->Stop(std::chrono::steady_clock::now() + seconds(5))); }
  Result<void> Send(ChannelKind kind, const std::string& path, const std::string& secret = "") {
    ChannelConfig config;
    config.name = "it";
    config.kind = kind;
    config.url = "http://127.0.0.1:" + std::to_string(server_->port()) + path;
    config.secret = secret;
    EXPECT_TRUE(config.Validate().ok());
    const ChannelTools tools{http_, runtime_, clock_, "https://honryu.example"};
    const std::unique_ptr<Channel> channel = MakeChannel(config, tools);
    return runtime_.BlockOn(channel->Send(async::Context::WithTimeout(seconds(10)), Note()));
  }
  static alerting::Alert Firing() {
    alerting::Alert alert;
    alert.rule = "error-rate";
    alert.key = "group=a<b";
    alert.state = alerting::AlertState::kFiring;
    alert.severity = alerting::Severity::kCritical;
    alert.at = alert.since = TimestampFromMs(1'700'000'000'000);
    alert.summary = "it burns & burns";
    alert.row = R"({"value":7})";
    for (int i = 0; i < 60; ++i) alert.points.push_back({alert.at + seconds(5 * i), i * 1.5});
    return alert;
  }
  static alerting::Notification Note() {
    alerting::Notification note;
    note.id = "error-rate/1";
    note.group = note.rule = "error-rate";
    note.severity = alerting::Severity::kCritical;
    note.at = Firing().at;
    note.alerts = {Firing()};
    return note;
  }

  ManualClock clock_{TimestampFromMs(1'700'000'000'000)};
  obs::Registry metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  http::Client http_{runtime_, http::ClientConfig{}};
  http::Router router_;
  std::unique_ptr<http::Server> server_;
  std::mutex mutex_;
  std::vector<Got> got_;
  int answer_ = 200;
};

TEST_F(PosterTest, SlackGetsTheRowsAndAChartThatItsLinkHolds) {
  ASSERT_TRUE(Send(ChannelKind::kSlack, "/services/T/B/x").ok());
  ASSERT_EQ(got_.size(), 1u);
  EXPECT_EQ(got_[0].path, "/services/T/B/x");
  EXPECT_EQ(got_[0].key, "error-rate/1");
  const codec::Json body = codec::Json::Parse(got_[0].body).value();
  EXPECT_EQ(body.Find("text")->StringOr(""), "[FIRING] error-rate: it burns &amp; burns");
  const codec::Json::Array& blocks = body.Find("attachments")->array()[0].Find("blocks")->array();
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_NE(blocks[0].Find("text")->Find("text")->StringOr("").find(R"(```{"value":7}```)"),
            std::string_view::npos);
  const std::string url(blocks[1].Find("image_url")->StringOr(""));
  const std::string before = "https://honryu.example/v1/alerts/chart.png?chart=";
  ASSERT_TRUE(url.starts_with(before));
  EXPECT_LE(url.size(), 3000u);  // Slack takes no longer ones
  const alerting::Alert drawn = alerting::ParseChartText(url.substr(before.size())).value();
  EXPECT_EQ(drawn.points, Firing().points);
}

TEST_F(PosterTest, AlertmanagerGetsLabelsAndAnEnd) {
  ASSERT_TRUE(Send(ChannelKind::kAlertmanager, "/base/").ok());
  ASSERT_EQ(got_.size(), 1u);
  EXPECT_EQ(got_[0].path, "/base/api/v2/alerts");
  const codec::Json body = codec::Json::Parse(got_[0].body).value();
  ASSERT_EQ(body.array().size(), 1u);
  const codec::Json* labels = body.array()[0].Find("labels");
  EXPECT_EQ(labels->Find("alertname")->StringOr(""), "error-rate");
  EXPECT_EQ(labels->Find("severity")->StringOr(""), "critical");
  EXPECT_EQ(labels->Find("key_group")->StringOr(""), "a<b");
  EXPECT_GT(body.array()[0].Find("endsAt")->StringOr(""), body.array()[0].Find("startsAt")->StringOr(""));
}

TEST_F(PosterTest, AWebhookIsSigned) {
  ASSERT_TRUE(Send(ChannelKind::kWebhook, "/hook", "secret").ok());
  ASSERT_EQ(got_.size(), 1u);
  EXPECT_EQ(got_[0].timestamp, "1700000000");
  EXPECT_EQ(got_[0].signature, "v1=" + Signature("secret", "1700000000", got_[0].body));
  ASSERT_TRUE(Send(ChannelKind::kWebhook, "/hook").ok());
  EXPECT_EQ(got_[1].signature, "");
}

TEST_F(PosterTest, AnswersSayWhetherItIsWorthTryingAgain) {
  for (const ChannelKind kind : {ChannelKind::kWebhook, ChannelKind::kSlack, ChannelKind::kAlertmanager}) {
    for (const int again : {408, 425, 429, 500, 503}) {
      answer_ = again;
      EXPECT_TRUE(Send(kind, "/x").error().retryable()) << again;
    }
    for (const int never : {301, 400, 404, 410}) {
      answer_ = never;
      const Result<void> sent = Send(kind, "/x");
      ASSERT_FALSE(sent.ok());
      EXPECT_FALSE(sent.error().retryable()) << never;
    }
    answer_ = 204;
    EXPECT_TRUE(Send(kind, "/x").ok());
  }
}

}  // namespace
}  // namespace honryu::processors::notifier
