// Receivers in trouble for an hour of simulated time, over the sockets they have in life. Alerts go on
// meanwhile, and the notifier is restarted in the middle. Each receiver gets every alert once, by its
// idempotency key, late.

#include "honryu/processors/notifier/notifier.h"
#include "tests/support/alert_receivers.h"
#include "tests/support/fake_stream_client.h"
#include "tests/support/simulated_time.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace honryu::processors::notifier {
namespace {

using honryu::testing::FarSide;
using honryu::testing::HttpFarSide;
using honryu::testing::MailFarSide;
using honryu::testing::Mood;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class Outage : public ::testing::Test {
 protected:
  static constexpr int kBefore = 2;  // alerts told before the trouble
  static constexpr int kAll = kBefore + 15;

  Outage() {
    far_["webhook"] = std::make_unique<HttpFarSide>(ChannelKind::kWebhook);
    far_["slack"] = std::make_unique<HttpFarSide>(ChannelKind::kSlack);
    far_["alertmanager"] = std::make_unique<HttpFarSide>(ChannelKind::kAlertmanager);
    far_["mail"] = std::make_unique<MailFarSide>();
    config_.wait_step = hours(1);  // no look at the clock before it is time
    config_.sync_interval = milliseconds(3);
    config_.poll_wait = milliseconds(10);
    runtime_.BlockOn(client_.EnsureStream({}, "alerts", {1, 24})).value();
    for (const auto& [name, far] : far_)
      delivered_[name] = registry_.MakeCounter("honryu_notifier_delivered_total", "", {{"channel", name}});
  }
  ~Outage() override {
    if (notifier_ != nullptr) Stop();
  }
  void Start() {
    std::map<std::string, std::unique_ptr<Channel>> channels;
    for (const auto& [name, far] : far_) channels[name] = far->Connect(runtime_, http_, time_);
    notifier_ = std::make_unique<Notifier>(config_, std::move(channels), client_, runtime_.executor(0), time_,
                                           registry_, time_);
    notifier_->Start();
  }
  void Stop() {
    time_.SetSleepless(true);
    runtime_.BlockOn(notifier_->Stop(std::chrono::steady_clock::now() + seconds(10)));
    notifier_.reset();
    time_.SetSleepless(false);
  }
  void Tell() {
    alerting::Notification note;
    note.id = IdOf(told_++);
    note.group = note.rule = "error-rate";
    note.at = time_.Now();
    alerting::Alert alert;
    alert.rule = "error-rate";
    alert.state = alerting::AlertState::kFiring;
    alert.at = alert.since = time_.Now();
    alert.summary = "errors are 0.25 of all events";
    note.alerts = {alert};
    std::vector<client::PutEntry> entries;
    entries.push_back({"error-rate", Bytes(alerting::ToJson(note)), std::nullopt});
    ASSERT_TRUE(runtime_.BlockOn(client_.Put({}, "alerts", std::move(entries))).ok());
  }
  static std::string IdOf(int number) { return "error-rate/" + std::to_string(1'700'000'000'000 + number); }
  /// What a receiver has taken, repetitions recognised by their key.
  static std::set<std::string> Once(const FarSide& far) {
    const std::vector<std::string> keys = far.keys();
    return {keys.begin(), keys.end()};
  }
  /// Channels that have something to deliver.
  std::size_t Busy() {
    std::size_t busy = 0;
    for (const auto& [name, count] : delivered_) busy += count.Value() < told_ ? 1 : 0;
    return busy;
  }
  void PassTo(Timestamp time) {
    ASSERT_TRUE(time_.AdvanceTo(time, [this] { return Busy(); })) << "at " << FormatTimestamp(time_.Now());
  }
  /// Two alerts in peace; then trouble for an hour, an alert each four minutes, a restart after half of it;
  /// then ten minutes of peace.
  void Live(const std::function<void()>& begin, const std::function<void()>& end) {
    Start();
    for (int i = 0; i < kBefore; ++i) Tell();
    PassTo(time_.Now() + minutes(1));
    begin();
    const Timestamp began = time_.Now();
    for (int minute = 0; minute < 60; minute += 4) {
      if (minute == 32) {
        Stop();
        Start();
      }
      Tell();
      PassTo(began + minutes(minute + 4));
    }
    for (const auto& [name, far] : far_) EXPECT_EQ(Once(*far).size(), before_end_) << name;
    end();
    PassTo(time_.Now() + minutes(10));
    EXPECT_EQ(Busy(), 0u);
    Stop();
    for (const auto& [name, far] : far_) {
      const std::set<std::string> once = Once(*far);
      EXPECT_EQ(once.size(), static_cast<std::size_t>(kAll)) << name;
      for (int i = 0; i < kAll; ++i) EXPECT_TRUE(once.contains(IdOf(i))) << name << " " << i;
      const std::vector<std::string> keys = far->keys();
      EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end())) << name;  // in the order they were told
    }
    EXPECT_TRUE(client_.Records(config_.dead_letter_stream).empty());
  }
  void All(const std::function<void(FarSide&)>& act) {
    for (const auto& [name, far] : far_) act(*far);
  }
  /// Not even a repetition.
  void ExpectNothingTwice() {
    for (const auto& [name, far] : far_)
      EXPECT_EQ(far->keys().size(), static_cast<std::size_t>(kAll)) << name;
  }

  honryu::testing::SimulatedTime time_{TimestampFromMs(1'700'000'000'000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  http::Client http_{runtime_, http::ClientConfig{}};
  honryu::testing::FakeStreamClient client_{time_};
  std::map<std::string, std::unique_ptr<FarSide>> far_;
  std::map<std::string, obs::Counter> delivered_;
  NotifierConfig config_;
  int told_ = 0;
  std::size_t before_end_ = kBefore;
  std::unique_ptr<Notifier> notifier_;
};

TEST_F(Outage, OfReceiversThatAreDown) {
  All([](FarSide& far) { far.SetTimeout(seconds(10)); });
  Live([this] { All([](FarSide& far) { far.GoAway(); }); },
       [this] { All([](FarSide& far) { far.ComeBack(); }); });
  ExpectNothingTwice();
}

TEST_F(Outage, OfReceiversThatAnswerWithErrors) {
  All([](FarSide& far) { far.SetTimeout(seconds(10)); });
  Live([this] { All([](FarSide& far) { far.Be(Mood::kLater); }); },
       [this] { All([](FarSide& far) { far.Be(Mood::kTakes); }); });
  ExpectNothingTwice();
}

// Every other attempt came through and only its answer did not: the receiver sees the key again and again.
TEST_F(Outage, OfReceiversThatTimeOut) {
  // Timeouts take the machine's time: few of them, and short ones, as long as the trouble lasts.
  config_.retry_initial = minutes(1);
  config_.retry_max = minutes(15);
  const auto restart_with = [this](Duration timeout) {
    Stop();
    All([timeout](FarSide& far) { far.SetTimeout(timeout); });
    Start();
  };
  All([](FarSide& far) { far.SetTimeout(seconds(10)); });
  before_end_ = kBefore + 1;
  Live(
      [&] {
        All([](FarSide& far) {
          far.BeAsToldFor(
              [attempt = 0]() mutable { return ++attempt % 2 == 0 ? Mood::kTakesAndHangs : Mood::kHangs; });
        });
        restart_with(milliseconds(15));
      },
      [&] {
        All([](FarSide& far) { far.Be(Mood::kTakes); });
        restart_with(seconds(10));
      });
  for (const auto& [name, far] : far_) {
    const std::vector<std::string> keys = far->keys();
    EXPECT_GE(std::count(keys.begin(), keys.end(), IdOf(kBefore)), 2) << name;
  }
}

}  // namespace
}  // namespace honryu::processors::notifier
