// One suite for every way of telling people.

#include "honryu/alerting/chart.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "honryu/processors/notifier/channel.h"
#include "tests/support/alert_receivers.h"

#include <gtest/gtest.h>

#include <memory>

namespace honryu::processors::notifier {
namespace {

using std::chrono::seconds;

using honryu::testing::FarSide;
using honryu::testing::HttpFarSide;
using honryu::testing::MailFarSide;
using honryu::testing::MemoryFarSide;
using honryu::testing::Mood;

struct Kind {
  const char* name;
  std::unique_ptr<FarSide> (*make)();
};

class ChannelContract : public ::testing::TestWithParam<Kind> {
 protected:
  ChannelContract() : far_(GetParam().make()), channel_(far_->Connect(runtime_, client_, clock_)) {}
  static alerting::Notification Note() {
    alerting::Notification note;
    note.id = "error-rate/1700000000000";
    note.group = note.rule = "error-rate";
    note.severity = alerting::Severity::kCritical;
    note.at = TimestampFromMs(1'700'000'000'000);
    alerting::Alert alert;
    alert.rule = "error-rate";
    alert.key = "platform=ios,app.version=5.4";
    alert.state = alerting::AlertState::kFiring;
    alert.severity = alerting::Severity::kCritical;
    alert.at = alert.since = note.at;
    alert.summary = "errors are 0.25 of events";
    alert.row = R"({"errors":25,"who":"<b>&"})";
    alert.points = {{note.at, 0.1}, {note.at + seconds(5), 0.25}};
    note.alerts = {alert};
    note.firing = 1;
    return note;
  }
  Result<void> Send(const alerting::Notification& note) {
    return runtime_.BlockOn(channel_->Send(async::Context::WithTimeout(seconds(10)), note));
  }

  ManualClock clock_{TimestampFromMs(1'700'000'001'000)};
  async::Runtime runtime_{async::RuntimeOptions{}};
  http::Client client_{runtime_, http::ClientConfig{}};
  std::unique_ptr<FarSide> far_;
  std::unique_ptr<Channel> channel_;
};

TEST_P(ChannelContract, DeliversWhatHappenedAndTheKey) {
  const Result<void> sent = Send(Note());
  ASSERT_TRUE(sent.ok()) << sent.error().message();
  ASSERT_EQ(far_->taken().size(), 1u);
  const std::string text = far_->taken()[0];
  EXPECT_NE(text.find("error-rate"), std::string::npos) << text;
  EXPECT_EQ(far_->keys(), std::vector<std::string>{"error-rate/1700000000000"});
}

TEST_P(ChannelContract, DeliversAgainWhenAskedAgain) {
  ASSERT_TRUE(Send(Note()).ok());
  ASSERT_TRUE(Send(Note()).ok());
  EXPECT_EQ(far_->taken().size(), 2u);
}

TEST_P(ChannelContract, TroubleThatMayPassIsRetryable) {
  far_->Be(Mood::kLater);
  const Result<void> sent = Send(Note());
  ASSERT_FALSE(sent.ok());
  EXPECT_TRUE(sent.error().retryable()) << sent.error().ToString();
  far_->Be(Mood::kTakes);
  EXPECT_TRUE(Send(Note()).ok());
}

TEST_P(ChannelContract, ARefusalForGoodIsNotRetryable) {
  far_->Be(Mood::kNever);
  const Result<void> sent = Send(Note());
  ASSERT_FALSE(sent.ok());
  EXPECT_FALSE(sent.error().retryable()) << sent.error().ToString();
}

TEST_P(ChannelContract, AReceiverThatHangsIsGivenUpInTime) {
  far_->Be(Mood::kHangs);
  const MonoTime begin = std::chrono::steady_clock::now();
  const Result<void> sent = Send(Note());
  ASSERT_FALSE(sent.ok());
  EXPECT_TRUE(sent.error().retryable()) << sent.error().ToString();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(4));
}

TEST_P(ChannelContract, AnAnswerThatNeverComesIsRetryable) {
  far_->Be(Mood::kTakesAndHangs);
  const MonoTime begin = std::chrono::steady_clock::now();
  const Result<void> sent = Send(Note());
  ASSERT_FALSE(sent.ok());
  EXPECT_TRUE(sent.error().retryable()) << sent.error().ToString();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(4));
  far_->Be(Mood::kTakes);
  EXPECT_TRUE(Send(Note()).ok());
  EXPECT_EQ(far_->keys(), std::vector<std::string>(2, "error-rate/1700000000000"));
}

TEST_P(ChannelContract, NobodyThereIsRetryable) {
  far_->GoAway();
  const Result<void> sent = Send(Note());
  ASSERT_FALSE(sent.ok());
  EXPECT_TRUE(sent.error().retryable()) << sent.error().ToString();
}

TEST_P(ChannelContract, ManyAlertsAndStrangeTextsGoThrough) {
  alerting::Notification note = Note();
  note.alerts[0].summary = "エラー率が高い\r\nBcc: x@example.com\x01 \"quoted\"";
  note.alerts[0].row = "{\"long\":\"" + std::string(4000, 'x') + "\"}";
  while (note.alerts.size() < alerting::Notification::kMostAlerts) note.alerts.push_back(note.alerts[0]);
  note.more = 100;
  ASSERT_TRUE(Send(note).ok());
  EXPECT_EQ(far_->taken().size(), 1u);
}

template <ChannelKind kKind>
std::unique_ptr<FarSide> MakeHttp() {
  return std::make_unique<HttpFarSide>(kKind);
}
INSTANTIATE_TEST_SUITE_P(
    All, ChannelContract,
    ::testing::Values(
        Kind{"memory", [] { return std::unique_ptr<FarSide>(std::make_unique<MemoryFarSide>()); }},
        Kind{"webhook", MakeHttp<ChannelKind::kWebhook>}, Kind{"slack", MakeHttp<ChannelKind::kSlack>},
        Kind{"alertmanager", MakeHttp<ChannelKind::kAlertmanager>},
        Kind{"email", [] { return std::unique_ptr<FarSide>(std::make_unique<MailFarSide>()); }}),
    [](const auto& instance) { return std::string(instance.param.name); });

// ---- what is particular to each ----

struct Particular : ::testing::Test {
  template <class Far>
  std::string Deliver(Far& far, const alerting::Notification& note) {
    const auto channel = far.Connect(runtime_, client_, clock_);
    const Result<void> sent = runtime_.BlockOn(channel->Send(async::Context::WithTimeout(seconds(10)), note));
    EXPECT_TRUE(sent.ok());
    return far.taken().empty() ? "" : far.taken()[0];
  }
  static alerting::Notification Note() {
    alerting::Notification note;
    note.id = "n1";
    note.rule = "r";
    note.at = TimestampFromMs(1'700'000'000'000);
    alerting::Alert alert;
    alert.rule = "r";
    alert.key = "platform=ios,app.version=5.4";
    alert.state = alerting::AlertState::kFiring;
    alert.at = alert.since = note.at;
    alert.summary = "it <burns> & more";
    alert.row = R"({"errors":25})";
    alert.points = {{note.at, 0.1}, {note.at + seconds(5), 0.25}};
    note.alerts = {alert};
    return note;
  }
  ManualClock clock_{TimestampFromMs(1'700'000'001'000)};
  async::Runtime runtime_{async::RuntimeOptions{}};
  http::Client client_{runtime_, http::ClientConfig{}};
};

TEST_F(Particular, TheWebhookIsSignedOverTimeAndBody) {
  HttpFarSide far(ChannelKind::kWebhook);
  const std::string text = Deliver(far, Note());
  const std::string body = text.substr(text.find("\n\n") + 2);
  EXPECT_NE(
      text.find("POST /hook\nIdempotency-Key: n1\nX-Honryu-Timestamp: 1700000001\nX-Honryu-Signature: v1=" +
                Signature("a-secret-of-the-hook", "1700000001", body)),
      std::string::npos)
      << text;
  EXPECT_EQ(body, alerting::ToJson(Note()));
  // By another implementation (Python's hmac).
  EXPECT_EQ(Signature("key", "1700000001", R"({"a":1})"),
            "ac282d739e25be582bf7a9c2166c50870eacc71f9e4260fe2822885f6fcf09f7");
}

TEST_F(Particular, SlackGetsTheRowsAndAChart) {
  HttpFarSide far(ChannelKind::kSlack);
  const std::string text = Deliver(far, Note());
  const codec::Json json = codec::Json::Parse(text.substr(text.find("\n\n") + 2)).value();
  EXPECT_EQ(json.Find("text")->StringOr(""), "[FIRING] r: it &lt;burns&gt; &amp; more");
  const auto& blocks = json.Find("attachments")->array()[0].Find("blocks")->array();
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_NE(blocks[0].Find("text")->Find("text")->StringOr("").find("```{\"errors\":25}```"),
            std::string_view::npos);
  // The link holds what is drawn: Slack fetches it without a key.
  const std::string url(blocks[1].Find("image_url")->StringOr(""));
  const std::string before = "https://honryu.example/v1/alerts/chart.png?chart=";
  ASSERT_TRUE(url.starts_with(before)) << url;
  EXPECT_LE(url.size(), 3000u);  // Slack takes no longer ones
  const auto drawn = alerting::ParseChartText(std::string_view(url).substr(before.size()));
  ASSERT_TRUE(drawn.ok());
  ASSERT_EQ(drawn->points.size(), 2u);
  EXPECT_EQ(drawn->points[1].time, Note().at + seconds(5));
  EXPECT_FLOAT_EQ(static_cast<float>(drawn->points[1].value), 0.25F);
}

TEST_F(Particular, AlertmanagerGetsLabelsAndTimes) {
  HttpFarSide far(ChannelKind::kAlertmanager);
  alerting::Notification note = Note();
  note.alerts.push_back(note.alerts[0]);
  note.alerts[1].state = alerting::AlertState::kResolved;
  note.alerts[1].at = note.at + seconds(60);
  const std::string text = Deliver(far, note);
  EXPECT_EQ(text.find("POST /am/api/v2/alerts\n"), 0u) << text;
  const codec::Json json = codec::Json::Parse(text.substr(text.find("\n\n") + 2)).value();
  ASSERT_EQ(json.array().size(), 2u);
  const codec::Json& firing = json.array()[0];
  EXPECT_EQ(firing.Find("labels")->Find("alertname")->StringOr(""), "r");
  EXPECT_EQ(firing.Find("labels")->Find("key_platform")->StringOr(""), "ios");
  EXPECT_EQ(firing.Find("labels")->Find("key_app_version")->StringOr(""), "5.4");
  EXPECT_EQ(firing.Find("startsAt")->StringOr(""), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(json.array()[1].Find("endsAt")->StringOr(""), "2023-11-14T22:14:20.000Z");
}

TEST_F(Particular, TheMailHasHeadersTextAndChart) {
  MailFarSide far;
  alerting::Notification note = Note();
  note.alerts[0].summary = "エラー率\r\nBcc: x@example.com";
  const std::string text = Deliver(far, note);
  EXPECT_NE(text.find("MAIL FROM:<honryu@example.com>"), std::string::npos) << text;
  EXPECT_NE(text.find("RCPT TO:<boss@example.com>"), std::string::npos);
  EXPECT_NE(text.find("Subject: =?utf-8?B?"), std::string::npos);
  EXPECT_EQ(text.find("\r\nBcc:"), std::string::npos);  // no header of the text's making
  EXPECT_NE(text.find("Date: Tue, 14 Nov 2023 22:13:21 +0000"), std::string::npos);
  EXPECT_NE(text.find("Content-Type: image/png"), std::string::npos);
  EXPECT_NE(text.find("iVBORw0KGgo"), std::string::npos);  // how every PNG begins, in base64
}

TEST_F(Particular, AMailIsTakenThoughTheServerDoesNotSayGoodbye) {
  MailFarSide far;
  far.Be(Mood::kHangsAtTheEnd);
  const MonoTime begin = std::chrono::steady_clock::now();
  EXPECT_NE(Deliver(far, Note()), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(4));
}

}  // namespace
}  // namespace honryu::processors::notifier
