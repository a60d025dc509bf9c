// One suite for every way of telling people.

#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "honryu/http/router.h"
#include "honryu/http/server.h"
#include "honryu/processors/notifier/channel.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

namespace honryu::processors::notifier {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

enum class Mood : std::uint8_t { kTakes, kLater, kNever, kHangs };

/// The far side of a channel: keeps what it took as text.
class FarSide {
 public:
  virtual ~FarSide() = default;
  virtual std::unique_ptr<Channel> Connect(async::Runtime& runtime, http::Client& client,
                                           const Clock& clock) = 0;
  virtual void GoAway() = 0;
  void Be(Mood mood) { mood_ = mood; }
  std::vector<std::string> taken() {
    const std::lock_guard lock(mutex_);
    return taken_;
  }

 protected:
  void Take(std::string text) {
    const std::lock_guard lock(mutex_);
    taken_.push_back(std::move(text));
  }
  std::atomic<Mood> mood_{Mood::kTakes};

 private:
  std::mutex mutex_;
  std::vector<std::string> taken_;
};

class MemoryFarSide final : public FarSide {
 public:
  std::unique_ptr<Channel> Connect(async::Runtime&, http::Client&, const Clock&) override {
    auto channel = std::make_unique<MemoryChannel>();
    channel->SetFault([this](const alerting::Notification& note) -> Result<void> {
      if (away_) return Error(ErrorCode::kUnavailable, "away");
      if (mood_ == Mood::kLater) return Error(ErrorCode::kUnavailable, "later");
      if (mood_ == Mood::kNever) return Error(ErrorCode::kInvalidArgument, "never");
      if (mood_ == Mood::kHangs) return Error(ErrorCode::kDeadlineExceeded, "hangs");
      Take(alerting::ToJson(note));
      return Ok();
    });
    return channel;
  }
  void GoAway() override { away_ = true; }

 private:
  std::atomic<bool> away_{false};
};

class HttpFarSide final : public FarSide {
 public:
  explicit HttpFarSide(ChannelKind kind) : kind_(kind) {
    router_.Add("*", "/*", [this](async::Context ctx, const http::Request& request) {
      return Answer(this, std::move(ctx), request);
    });
    http::ServerConfig config;
    config.name = "far";
    server_ = std::make_unique<http::Server>(runtime_, metrics_, config, router_.AsHandler());
    EXPECT_TRUE(server_->Start().ok());
    port_ = server_->port();
  }
  ~HttpFarSide() override { GoAway(); }
  void GoAway() override {
    if (server_ == nullptr) return;
    runtime_.BlockOn(server_->Stop(std::chrono::steady_clock::now() + milliseconds(100)));
    server_.reset();
  }
  std::unique_ptr<Channel> Connect(async::Runtime& runtime, http::Client& client,
                                   const Clock& clock) override {
    ChannelConfig config;
    config.name = "far";
    config.kind = kind_;
    config.url = "http://127.0.0.1:" + std::to_string(port_) +
                 (kind_ == ChannelKind::kAlertmanager ? "/am/" : "/hook");
    config.secret = "a-secret-of-the-hook";
    config.timeout = milliseconds(300);
    EXPECT_TRUE(config.Validate().ok());
    return MakeChannel(config, ChannelTools{client, runtime, clock, "https://honryu.example"});
  }
  static async::Task<http::Response> Answer(HttpFarSide* self, async::Context, const http::Request& request) {
    if (self->mood_ == Mood::kHangs) {
      Result<void> slept = co_await async::SleepFor(seconds(5));
    }
    if (self->mood_ == Mood::kLater) co_return http::Response::Text(500, "broken");
    if (self->mood_ == Mood::kNever) co_return http::Response::Text(404, "no such hook");
    std::string text = request.method + " " + request.path + "\n";
    for (const char* name : {"Idempotency-Key", "X-Honryu-Timestamp", "X-Honryu-Signature", "Content-Type"})
      text += std::string(name) + ": " + std::string(request.headers.Get(name)) + "\n";
    self->Take(text + "\n" + std::string(request.body.view()));
    co_return http::Response::Text(200, "ok");
  }

 private:
  const ChannelKind kind_;
  obs::Registry metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  http::Router router_;
  std::unique_ptr<http::Server> server_;
  std::uint16_t port_ = 0;
};

/// A mail server of a few words (RFC 5321), a thread a connection.
class MailFarSide final : public FarSide {
 public:
  MailFarSide() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(::listen(listener_, 8), 0);
    accepting_ = std::thread([this] { Accept(); });
  }
  ~MailFarSide() override { GoAway(); }
  void GoAway() override {
    if (listener_ < 0) return;
    ::shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    ::close(listener_);
    listener_ = -1;
  }
  std::unique_ptr<Channel> Connect(async::Runtime& runtime, http::Client& client,
                                   const Clock& clock) override {
    ChannelConfig config;
    config.name = "mail";
    config.kind = ChannelKind::kEmail;
    config.url = "smtp://127.0.0.1:" + std::to_string(port_);
    config.from = "honryu@example.com";
    config.to = {"ops@example.com", "boss@example.com"};
    config.security = MailSecurity::kNone;
    config.timeout = milliseconds(500);
    EXPECT_TRUE(config.Validate().ok());
    return MakeChannel(config, ChannelTools{client, runtime, clock, "https://honryu.example"});
  }

 private:
  void Accept() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      Serve(fd);
      ::close(fd);
    }
  }
  static bool Say(int fd, const std::string& line) {
    const std::string all = line + "\r\n";
    return ::send(fd, all.data(), all.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(all.size());
  }
  void Serve(int fd) {
    if (mood_ == Mood::kHangs) {  // says nothing until the client has had enough
      char c = 0;
      while (::recv(fd, &c, 1, 0) > 0) {
      }
      return;
    }
    Say(fd, "220 far ESMTP");
    std::string buffer, envelope;
    bool data = false;
    char chunk[4096];
    for (;;) {
      const ssize_t got = ::recv(fd, chunk, sizeof chunk, 0);
      if (got <= 0) return;
      buffer.append(chunk, static_cast<std::size_t>(got));
      for (;;) {
        const std::size_t end = data ? buffer.find("\r\n.\r\n") : buffer.find("\r\n");
        if (end == std::string::npos) break;
        const std::string line = buffer.substr(0, end);
        buffer.erase(0, end + (data ? 5 : 2));
        if (data) {
          data = false;
          Take(envelope + "\n" + line);
          Say(fd, "250 taken");
        } else if (line.starts_with("EHLO") || line.starts_with("HELO")) {
          Say(fd, "250 far");
        } else if (line.starts_with("RCPT") && mood_ == Mood::kNever) {
          Say(fd, "550 nobody of that name");
        } else if (line.starts_with("RCPT") && mood_ == Mood::kLater) {
          Say(fd, "451 try again");
        } else if (line.starts_with("DATA")) {
          data = true;
          Say(fd, "354 go on");
        } else if (line.starts_with("QUIT")) {
          Say(fd, "221 bye");
          return;
        } else {
          envelope += line + "\n";
          Say(fd, "250 ok");
        }
      }
    }
  }
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread accepting_;
};

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
  const std::string key = std::string(GetParam().name) == "email" ? codec::Base64Encode(Note().id)
                                                                  : std::string("error-rate/1700000000000");
  EXPECT_NE(text.find(key.substr(0, key.find('='))), std::string::npos) << text;
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
  EXPECT_EQ(blocks[1].Find("image_url")->StringOr(""),
            "https://honryu.example/v1/alerts/"
            "chart.png?alert=r%7Bplatform%3Dios%2Capp.version%3D5.4%7D&at=1700000000000");
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

}  // namespace
}  // namespace honryu::processors::notifier
