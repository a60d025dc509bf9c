#include "honryu/async/runtime.h"
#include "honryu/base/random.h"
#include "honryu/codec/json.h"
#include "honryu/demo/demo.h"
#include "honryu/http/router.h"
#include "honryu/http/server.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace honryu::demo {
namespace {

/// A gateway that keeps what it gets and answers by plan. One event loop, so nothing races.
class DemoRunTest : public ::testing::Test {
 protected:
  DemoRunTest() : runtime_(OneLoop()), client_(runtime_, http::ClientConfig{}) {
    router_.Add("POST", "/v1/events",
                [this](async::Context, const http::Request& r) { return Answer(this, r); });
    http::ServerConfig config;
    config.name = "test";
    server_ = std::make_unique<http::Server>(runtime_, metrics_, config, router_.AsHandler());
    EXPECT_TRUE(server_->Start().ok());
    target_.url = "http://127.0.0.1:" + std::to_string(server_->port());
  }
  ~DemoRunTest() override { runtime_.BlockOn(server_->Stop(SystemClock().Mono() + std::chrono::seconds(5))); }
  static async::RuntimeOptions OneLoop() {
    async::RuntimeOptions options;
    options.io_threads = 1;
    options.blocking_threads = 1;
    return options;
  }

  static async::Task<http::Response> Answer(DemoRunTest* test, const http::Request& request) {
    ++test->requests_;
    test->authorization_ = std::string(request.headers.Get("Authorization"));
    const int status = test->statuses_.empty() ? 200 : test->statuses_.front();
    if (!test->statuses_.empty()) test->statuses_.erase(test->statuses_.begin());
    std::string_view body = request.body.view();
    std::uint64_t accepted = 0;
    std::uint64_t duplicates = 0;
    while (!body.empty()) {
      const std::size_t end = body.find('\n');
      const Result<codec::Json> event = codec::Json::Parse(body.substr(0, end));
      EXPECT_TRUE(event.ok());
      const std::string id(event->Find("event_id")->StringOr(""));
      // A request that is pushed back takes its first event all the same, as the real one may.
      if (status == 200 || accepted + duplicates == 0) {
        const bool fresh = test->ids_.insert(id).second;
        if (fresh) test->order_.push_back(id);
        (fresh ? accepted : duplicates) += 1;
      }
      body.remove_prefix(end + 1);
    }
    http::Response response =
        http::Response::JsonText(status, R"({"accepted":)" + std::to_string(accepted) + R"(,"duplicates":)" +
                                             std::to_string(duplicates) + test->extra_ + "}");
    if (status == 429) response.headers.Add("Retry-After", "0");
    co_return response;
  }

  Result<Progress> Demo(std::uint64_t events) {
    DemoOptions options;
    options.generator.events_per_second = 20'000;
    options.generator.daily_curve = false;
    options.max_events = events;
    return runtime_.BlockOn(RunDemo(options, target_, client_, SystemClock()));
  }
  Result<Progress> Replay(const std::string& text) {
    const std::filesystem::path path = std::filesystem::temp_directory_path() / ("honryu_" + RandomUuid());
    std::ofstream(path) << text;
    ReplayOptions options;
    options.file = path.string();
    name_ = path.filename().string();
    options.mapping.time_field = "t";
    options.speed = 0;
    Result<Progress> result = runtime_.BlockOn(RunReplay(options, target_, client_, SystemClock()));
    std::filesystem::remove(path);
    return result;
  }

  std::vector<int> statuses_;  ///< Of the next answers; 200 when empty.
  std::string extra_;          ///< Put into every answer.
  std::set<std::string> ids_;
  std::vector<std::string> order_;
  std::string authorization_;
  std::string name_;  ///< Of the file that Replay wrote last.
  int requests_ = 0;
  Target target_;
  async::Runtime runtime_;
  obs::Registry metrics_;
  http::Router router_;
  http::Client client_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(DemoRunTest, SendsExactlyTheEventsAskedFor) {
  target_.api_key = "secret-key";
  const Result<Progress> done = Demo(1234);
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_EQ(done->sent, 1234U);
  EXPECT_EQ(done->accepted, 1234U);
  EXPECT_EQ(done->duplicates, 0U);
  EXPECT_EQ(done->waiting, 0U);
  EXPECT_EQ(ids_.size(), 1234U);
  EXPECT_EQ(authorization_, "Bearer secret-key");
}

TEST_F(DemoRunTest, SendsTheSameEventsAgainWhenPushedBack) {
  statuses_ = {429, 503, 429};
  target_.gzip = false;
  const Result<Progress> done = Demo(300);
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_EQ(ids_.size(), 300U);
  EXPECT_EQ(done->accepted, 300U);
  EXPECT_EQ(done->duplicates, 0U) << "what an earlier attempt got in is no duplicate";
  EXPECT_GT(done->retried, 0U);
  EXPECT_EQ(done->waiting, 0U);
}

TEST_F(DemoRunTest, EndsOnWhatWaitingDoesNotHeal) {
  statuses_ = std::vector<int>(1000, 401);
  const Result<Progress> done = Demo(300);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code(), ErrorCode::kPermissionDenied);
}

TEST_F(DemoRunTest, CountsRefusalsAndSaysWhy) {
  extra_ = R"(,"rejected":[{"index":0,"field":"location.latitude","reason":"expected -90 to 90"}])";
  target_.batch_events = 10'000;
  target_.max_in_flight = 1;
  const Result<Progress> done = Demo(10);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->rejected, static_cast<std::uint64_t>(requests_));
  EXPECT_EQ(done->last_problem, "refused: location.latitude: expected -90 to 90");
}

TEST_F(DemoRunTest, StopEndsItEvenWhenNothingGetsThrough) {
  statuses_ = std::vector<int>(100'000, 503);
  int asked = 0;
  target_.stop = [&asked] { return ++asked > 5; };
  const Result<Progress> done = Demo(0);
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_GT(done->waiting, 0U);
}

TEST_F(DemoRunTest, GivesUpWhenTold) {
  statuses_ = std::vector<int>(100'000, 429);
  target_.give_up_after = std::chrono::nanoseconds(1);
  const Result<Progress> done = Demo(10);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code(), ErrorCode::kUnavailable);
}

TEST_F(DemoRunTest, RefusesBadOptions) {
  target_.batch_events = 0;
  EXPECT_EQ(Demo(1).error().code(), ErrorCode::kInvalidArgument);
  target_.batch_events = 1;
  target_.url = "ftp://x";
  EXPECT_EQ(Demo(1).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(DemoRunTest, ReplayKeepsTheOrderOfLinesAndRepeatsAreRecognised) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "{\"t\":" + std::to_string(1'500'000'000 - i) + "}\n";
  target_.batch_events = 70;
  statuses_ = {200, 429, 200};
  const Result<Progress> first = Replay(text + "broken\n");
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_EQ(first->accepted, 1000U);
  EXPECT_EQ(first->unreadable, 1U);
  EXPECT_EQ(requests_, 1 + 1000 / 70 + 1);
  ASSERT_EQ(order_.size(), 1000U);
  ReplayMapping mapping;
  mapping.time_field = "t";
  for (std::uint64_t line = 1; line <= 1000; ++line) {
    const Result<ReplayedEvent> event = MapLine(mapping, name_, line, R"({"t":1})");
    EXPECT_NE(event->json.find(order_[line - 1]), std::string::npos) << line;
  }
}

TEST_F(DemoRunTest, ReplayOfAMissingFileFails) {
  ReplayOptions options;
  options.file = "/nonexistent/file";
  EXPECT_EQ(runtime_.BlockOn(RunReplay(options, target_, client_, SystemClock())).error().code(),
            ErrorCode::kNotFound);
}

TEST(DemoProgress, SaysWhatHappened) {
  Progress before;
  before.accepted = 100;
  before.elapsed = std::chrono::seconds(1);
  Progress now = before;
  now.sent = 350;
  now.accepted = 300;
  now.elapsed = std::chrono::seconds(2);
  now.retried = 20;
  now.last_problem = "the server answered 429";
  EXPECT_EQ(FormatProgress(now, before),
            "2.0 s  sent 350  accepted 300 (+200/s)  duplicates 0  rejected 0  retried 20  lag 0.0 s  [the "
            "server answered 429]");
}

}  // namespace
}  // namespace honryu::demo
