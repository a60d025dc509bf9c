#pragma once

#include "honryu/codec/base64.h"
#include "honryu/http/router.h"
#include "honryu/http/server.h"
#include "honryu/processors/notifier/channel.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace honryu::testing {

namespace notifier = processors::notifier;

/// How a receiver takes one attempt: well; with an error that may pass; with one that never will; not at all,
/// until the sender has had enough; or it takes it, but the answer never comes; or it hangs when all is said
/// (to a mail server's QUIT there is an answer too).
enum class Mood : std::uint8_t { kTakes, kLater, kNever, kHangs, kTakesAndHangs, kHangsAtTheEnd };

/// The far side of a channel, over real sockets where the channel uses them. Keeps what it took.
class FarSide {
 public:
  virtual ~FarSide() = default;
  virtual std::unique_ptr<notifier::Channel> Connect(async::Runtime& runtime, http::Client& client,
                                                     const Clock& clock) = 0;
  /// Nobody is there: connections are refused.
  virtual void GoAway() = 0;
  /// Is there again, at the same address.
  virtual void ComeBack() = 0;

  /// From now on.
  void Be(Mood mood) {
    BeAsToldFor([mood] { return mood; });
  }
  /// Asked once for each attempt, on a thread of the receiver's.
  void BeAsToldFor(std::function<Mood()> attempt) {
    const std::lock_guard lock(mutex_);
    mood_ = std::move(attempt);
  }
  /// How long an attempt may take that Connect() makes channels for.
  void SetTimeout(Duration timeout) { timeout_ = timeout; }
  std::vector<std::string> taken() const {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  /// The idempotency key of each, in order.
  std::vector<std::string> keys() const {
    const std::lock_guard lock(mutex_);
    return keys_;
  }

 protected:
  void Take(std::string key, std::string text) {
    const std::lock_guard lock(mutex_);
    keys_.push_back(std::move(key));
    taken_.push_back(std::move(text));
  }
  Mood NextMood() {
    const std::lock_guard lock(mutex_);
    return mood_();
  }
  Duration timeout_ = std::chrono::milliseconds(500);

 private:
  mutable std::mutex mutex_;
  std::function<Mood()> mood_ = [] { return Mood::kTakes; };
  std::vector<std::string> keys_;
  std::vector<std::string> taken_;
};

/// Holds a port of the loopback address that others may listen on, so that it stays free while they do not.
class HeldPort {
 public:
  HeldPort() : socket_(Bound(0)) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~HeldPort() { ::close(socket_); }
  HeldPort(const HeldPort&) = delete;
  HeldPort& operator=(const HeldPort&) = delete;
  std::uint16_t port() const { return port_; }
  /// A further socket bound to it.
  int Share() const { return Bound(port_); }

 private:
  static int Bound(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  int socket_;
  std::uint16_t port_ = 0;
};

class MemoryFarSide final : public FarSide {
 public:
  std::unique_ptr<notifier::Channel> Connect(async::Runtime&, http::Client&, const Clock&) override {
    auto channel = std::make_unique<notifier::MemoryChannel>();
    channel->SetFault([this](const alerting::Notification& note) -> Result<void> {
      if (away_) return Error(ErrorCode::kUnavailable, "away");
      const Mood mood = NextMood();
      if (mood == Mood::kLater) return Error(ErrorCode::kUnavailable, "later");
      if (mood == Mood::kNever) return Error(ErrorCode::kInvalidArgument, "never");
      if (mood != Mood::kHangs) Take(note.id, alerting::ToJson(note));
      if (mood != Mood::kTakes) return Error(ErrorCode::kDeadlineExceeded, "hangs");
      return Ok();
    });
    return channel;
  }
  void GoAway() override { away_ = true; }
  void ComeBack() override { away_ = false; }

 private:
  std::atomic<bool> away_{false};
};

class HttpFarSide final : public FarSide {
 public:
  explicit HttpFarSide(notifier::ChannelKind kind) : kind_(kind) {
    router_.Add("*", "/*", [this](async::Context ctx, const http::Request& request) {
      return Answer(this, std::move(ctx), request);
    });
    ComeBack();
  }
  ~HttpFarSide() override { GoAway(); }
  void GoAway() override {
    if (server_ == nullptr) return;
    runtime_.BlockOn(server_->Stop(std::chrono::steady_clock::now() + std::chrono::milliseconds(20)));
    server_.reset();
  }
  void ComeBack() override {
    if (server_ != nullptr) return;
    http::ServerConfig config;
    config.name = "far";
    config.port = port_.port();
    server_ = std::make_unique<http::Server>(runtime_, metrics_, config, router_.AsHandler());
    EXPECT_TRUE(server_->Start().ok());
  }
  std::unique_ptr<notifier::Channel> Connect(async::Runtime& runtime, http::Client& client,
                                             const Clock& clock) override {
    notifier::ChannelConfig config;
    config.name = "far";
    config.kind = kind_;
    config.url = "http://127.0.0.1:" + std::to_string(port_.port()) +
                 (kind_ == notifier::ChannelKind::kAlertmanager ? "/am/" : "/hook");
    config.secret = "a-secret-of-the-hook";
    config.timeout = timeout_;
    EXPECT_TRUE(config.Validate().ok());
    return MakeChannel(config, notifier::ChannelTools{client, runtime, clock, "https://honryu.example"});
  }

 private:
  static async::Task<http::Response> Answer(HttpFarSide* self, async::Context, const http::Request& request) {
    const Mood mood = self->NextMood();
    if (mood == Mood::kLater) co_return http::Response::Text(500, "broken");
    if (mood == Mood::kNever) co_return http::Response::Text(404, "no such hook");
    if (mood != Mood::kHangs) {
      std::string text = request.method + " " + request.path + "\n";
      for (const char* name : {"Idempotency-Key", "X-Honryu-Timestamp", "X-Honryu-Signature", "Content-Type"})
        text += std::string(name) + ": " + std::string(request.headers.Get(name)) + "\n";
      self->Take(std::string(request.headers.Get("Idempotency-Key")),
                 text + "\n" + std::string(request.body.view()));
    }
    if (mood != Mood::kTakes) {
      Result<void> slept = co_await async::SleepFor(std::chrono::seconds(5));
    }
    co_return http::Response::Text(200, "ok");
  }

  const notifier::ChannelKind kind_;
  const HeldPort port_;
  obs::Registry metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  http::Router router_;
  std::unique_ptr<http::Server> server_;
};

/// A mail server of a few words (RFC 5321), one connection at a time.
class MailFarSide final : public FarSide {
 public:
  MailFarSide() { ComeBack(); }
  ~MailFarSide() override { GoAway(); }
  void GoAway() override {
    if (listener_ < 0) return;
    ::shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    ::close(listener_);
    listener_ = -1;
  }
  void ComeBack() override {
    if (listener_ >= 0) return;
    listener_ = port_.Share();
    EXPECT_EQ(::listen(listener_, 8), 0);
    accepting_ = std::thread([this] { Accept(); });
  }
  std::unique_ptr<notifier::Channel> Connect(async::Runtime& runtime, http::Client& client,
                                             const Clock& clock) override {
    notifier::ChannelConfig config;
    config.name = "mail";
    config.kind = notifier::ChannelKind::kEmail;
    config.url = "smtp://127.0.0.1:" + std::to_string(port_.port());
    config.from = "honryu@example.com";
    config.to = {"ops@example.com", "boss@example.com"};
    config.security = notifier::MailSecurity::kNone;
    config.timeout = timeout_;
    EXPECT_TRUE(config.Validate().ok());
    return MakeChannel(config, notifier::ChannelTools{client, runtime, clock, "https://honryu.example"});
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
  // Says nothing until the client has had enough.
  static void Hang(int fd) {
    char c = 0;
    while (::recv(fd, &c, 1, 0) > 0) {
    }
  }
  void Serve(int fd) {
    const Mood mood = NextMood();
    if (mood == Mood::kHangs) return Hang(fd);
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
          Take(KeyOf(line), envelope + "\n" + line);
          if (mood == Mood::kTakesAndHangs) return Hang(fd);
          Say(fd, "250 taken");
          if (mood == Mood::kHangsAtTheEnd) return Hang(fd);
        } else if (line.starts_with("EHLO") || line.starts_with("HELO")) {
          Say(fd, "250 far");
        } else if (line.starts_with("RCPT") && mood == Mood::kNever) {
          Say(fd, "550 nobody of that name");
        } else if (line.starts_with("RCPT") && mood == Mood::kLater) {
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
  // The id of a mail is the notification's in base64.
  static std::string KeyOf(const std::string& mail) {
    const std::string_view mark = "Message-ID: <";
    const std::size_t begin = mail.find(mark);
    if (begin == std::string::npos) return "";
    const std::size_t end = mail.find('@', begin);
    std::string id = mail.substr(begin + mark.size(), end - begin - mark.size());
    std::replace(id.begin(), id.end(), '-', '+');
    std::replace(id.begin(), id.end(), '_', '/');
    while (id.size() % 4 != 0) id += '=';
    Result<std::string> key = codec::Base64Decode(id);
    return key.ok() ? std::move(*key) : std::string();
  }

  const HeldPort port_;
  int listener_ = -1;
  std::thread accepting_;
};

}  // namespace honryu::testing
