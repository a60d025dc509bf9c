#include "honryu/processors/notifier/notifier.h"

#include "honryu/codec/json.h"
#include "tests/support/fake_stream_client.h"
#include "tests/support/simulated_time.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

namespace honryu::processors::notifier {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// A receiver on the far side: knows repetitions by their id, may be away, slow or broken.
struct Receiver {
  std::mutex mutex;
  std::map<std::string, int> got;  ///< How often, by id.
  int attempts = 0;
  std::function<Result<void>(int attempt, bool* arrives)> fault;

  std::size_t count() {
    const std::lock_guard lock(mutex);
    return got.size();
  }
};

class ReceiverChannel final : public Channel {
 public:
  explicit ReceiverChannel(Receiver& receiver) : receiver_(receiver) {}
  async::Task<Result<void>> Send(async::Context, const alerting::Notification& note) override {
    const std::lock_guard lock(receiver_.mutex);
    bool arrives = true;
    Result<void> result = Ok();
    if (receiver_.fault) {
      arrives = false;
      result = receiver_.fault(++receiver_.attempts, &arrives);
      if (result.ok()) arrives = true;
    }
    if (arrives) ++receiver_.got[note.id];
    co_return result;
  }

 private:
  Receiver& receiver_;
};

class NotifierTest : public ::testing::Test {
 protected:
  NotifierTest() {
    config_.wait_step = hours(1);  // no look at the clock before it is time
    config_.poll_wait = milliseconds(10);
    config_.sync_interval = milliseconds(3);
    runtime_.BlockOn(client_.EnsureStream({}, "alerts", {1, 24})).value();
  }
  static alerting::Notification Note(const std::string& id) {
    alerting::Notification note;
    note.id = id;
    note.group = note.rule = "r";
    alerting::Alert alert;
    alert.rule = "r";
    alert.state = alerting::AlertState::kFiring;
    alert.summary = "it burns";
    note.alerts = {alert};
    return note;
  }
  void Put(const std::string& data) {
    std::vector<client::PutEntry> entries;
    entries.push_back({"r", Bytes(data), std::nullopt});
    EXPECT_TRUE(runtime_.BlockOn(client_.Put({}, "alerts", std::move(entries))).ok());
  }
  void Tell(const alerting::Notification& note) { Put(alerting::ToJson(note)); }
  std::unique_ptr<Notifier> Start(std::map<std::string, Receiver*> receivers) {
    EXPECT_TRUE(config_.Validate().ok());
    std::map<std::string, std::unique_ptr<Channel>> channels;
    for (const auto& [name, receiver] : receivers)
      channels[name] = std::make_unique<ReceiverChannel>(*receiver);
    auto made = std::make_unique<Notifier>(config_, std::move(channels), client_, runtime_.executor(0), time_,
                                           registry_, time_);
    made->Start();
    return made;
  }
  void Stop(Notifier& notifier) {
    time_.SetSleepless(true);
    runtime_.BlockOn(notifier.Stop(std::chrono::steady_clock::now() + seconds(10)));
    time_.SetSleepless(false);
  }
  template <class F>
  bool Await(F condition) {
    const MonoTime until = std::chrono::steady_clock::now() + seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  double Metric(const std::string& name) {
    const std::string all = registry_.Render();
    const std::size_t at = all.find("\n" + name);
    if (at == std::string::npos) return -1;
    return std::stod(all.substr(all.find(' ', at + 1)));
  }

  honryu::testing::SimulatedTime time_{TimestampFromMs(1'700'000'000'000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{time_};
  NotifierConfig config_;
};

TEST_F(NotifierTest, EveryChannelGetsWhatIsForIt) {
  Receiver ops, mail;
  auto notifier = Start({{"ops", &ops}, {"mail", &mail}});
  Tell(Note("1"));
  alerting::Notification only = Note("2");
  only.channels = {"mail"};
  Tell(only);
  Put(R"({"type":"change","id":"x"})");
  Put(R"({"type":"notification","id":""})");
  Tell(Note("3"));
  ASSERT_TRUE(Await([&] { return ops.count() == 2 && mail.count() == 3; }));
  EXPECT_TRUE(notifier->Ready().ok());
  Stop(*notifier);
  EXPECT_EQ(ops.got.count("2"), 0u);
}

TEST_F(NotifierTest, AnIdIsDeliveredOnceAlsoOverARestart) {
  Receiver ops;
  auto first = Start({{"ops", &ops}});
  Tell(Note("1"));
  Tell(Note("1"));
  ASSERT_TRUE(Await([&] { return Metric("honryu_notifier_repeated_total") == 1; }));
  Stop(*first);
  auto second = Start({{"ops", &ops}});
  Tell(Note("1"));  // written again after a crash of its writer
  Tell(Note("2"));
  ASSERT_TRUE(Await([&] { return ops.count() == 2; }));
  Stop(*second);
  EXPECT_EQ(ops.got["1"], 1);
  EXPECT_EQ(ops.got["2"], 1);
}

TEST_F(NotifierTest, ACrashBeforeThePlaceIsSavedRepeatsTheId) {
  Receiver ops;
  client_.FailSaves(1'000'000, Error(ErrorCode::kUnavailable, "down"));
  auto first = Start({{"ops", &ops}});
  Tell(Note("1"));
  ASSERT_TRUE(Await([&] { return Metric("honryu_notifier_delivered_total") == 1; }));
  Stop(*first);
  client_.FailSaves(0, {});
  auto second = Start({{"ops", &ops}});
  Tell(Note("2"));
  ASSERT_TRUE(Await([&] { return ops.count() == 2; }));
  Stop(*second);
  EXPECT_EQ(ops.got["1"], 2);  // better twice, with the same id, than never
  EXPECT_EQ(ops.got["2"], 1);
}

TEST_F(NotifierTest, OneReceiverThatIsDownDoesNotHoldUpTheOthers) {
  Receiver down, up;
  down.fault = [](int, bool*) -> Result<void> { return Error(ErrorCode::kUnavailable, "down"); };
  auto notifier = Start({{"down", &down}, {"up", &up}});
  for (int i = 0; i < 5; ++i) Tell(Note(std::to_string(i)));
  ASSERT_TRUE(Await([&] { return up.count() == 5; }));
  ASSERT_TRUE(Await([&] { return Metric("honryu_notifier_waiting{channel=\"down\"}") == 1; }));
  EXPECT_TRUE(notifier->Ready().ok());
  Stop(*notifier);  // in the middle of waiting
}

TEST_F(NotifierTest, WhatIsRefusedForGoodIsADeadLetterAtOnce) {
  Receiver ops;
  ops.fault = [](int attempt, bool*) -> Result<void> {
    if (attempt == 1) return Error(ErrorCode::kInvalidArgument, "the receiver answered 400");
    return Ok();
  };
  auto notifier = Start({{"ops", &ops}});
  Tell(Note("bad"));
  Tell(Note("good"));
  ASSERT_TRUE(Await([&] { return ops.count() == 1; }));
  Stop(*notifier);
  EXPECT_EQ(ops.got.count("good"), 1u);
  const auto dead = client_.Records("alerts-dead-letter");
  ASSERT_EQ(dead.size(), 1u);
  const codec::Json letter = codec::Json::Parse(dead[0].data.view()).value();
  EXPECT_EQ(letter.Find("id")->StringOr(""), "bad");
  EXPECT_EQ(letter.Find("channel")->StringOr(""), "ops");
  EXPECT_EQ(letter.Find("attempts")->IntOr(0), 1);
  EXPECT_NE(letter.Find("reason")->StringOr("").find("400"), std::string_view::npos);
  EXPECT_EQ(letter.Find("notification")->Find("id")->StringOr(""), "bad");
}

TEST_F(NotifierTest, AfterTheLimitItIsADeadLetter) {
  config_.give_up_after = minutes(30);
  Receiver ops;
  ops.fault = [](int, bool*) -> Result<void> { return Error(ErrorCode::kUnavailable, "down"); };
  auto notifier = Start({{"ops", &ops}});
  Tell(Note("1"));
  const auto busy = [&] { return client_.Records("alerts-dead-letter").empty() ? 1U : 0U; };
  ASSERT_TRUE(time_.AdvanceTo(time_.Now() + minutes(28), busy));
  EXPECT_TRUE(client_.Records("alerts-dead-letter").empty());
  ASSERT_TRUE(time_.AdvanceTo(time_.Now() + minutes(2), busy));
  EXPECT_EQ(client_.Records("alerts-dead-letter").size(), 1u);
  EXPECT_GT(ops.attempts, 20);  // pauses have a limit
  Stop(*notifier);
}

TEST_F(NotifierTest, ADeadLetterThatCannotBeWrittenIsNotForgotten) {
  Receiver ops;
  ops.fault = [](int, bool*) -> Result<void> { return Error(ErrorCode::kInvalidArgument, "never"); };
  client_.FailStream("alerts-dead-letter", Error(ErrorCode::kUnavailable, "full"));
  auto notifier = Start({{"ops", &ops}});
  Tell(Note("1"));
  ASSERT_TRUE(Await([&] { return !notifier->Ready().ok(); }));
  client_.HealStream("alerts-dead-letter");
  time_.SetSleepless(true);
  ASSERT_TRUE(Await([&] { return client_.Records("alerts-dead-letter").size() == 1; }));
  ASSERT_TRUE(Await([&] { return notifier->Ready().ok(); }));
  Stop(*notifier);
}

TEST(NotifierConfig, IsChecked) {
  NotifierConfig config;
  EXPECT_TRUE(config.Validate().ok());
  ChannelConfig hook;
  hook.name = "ops";
  hook.url = "http://127.0.0.1:9/x";
  config.channels = {hook};
  EXPECT_TRUE(config.Validate().ok());
  config.channels = {hook, hook};
  EXPECT_FALSE(config.Validate().ok());
  hook.url = "ftp://x";
  config.channels = {hook};
  EXPECT_FALSE(config.Validate().ok());
  hook.kind = ChannelKind::kEmail;
  hook.url = "smtp://127.0.0.1:25";
  hook.from = "a@example.com";
  hook.to = {"b@example.com\r\nBcc: c@example.com"};
  EXPECT_FALSE(hook.Validate().ok());
  hook.to = {"b@example.com"};
  EXPECT_TRUE(hook.Validate().ok());
}

}  // namespace
}  // namespace honryu::processors::notifier
