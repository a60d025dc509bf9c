#include "honryu/obs/log.h"
#include "honryu/obs/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace honryu::obs {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class LogTest : public testing::Test {
 protected:
  std::string path_ = testing::TempDir() + "honryu-obs-" + std::to_string(::getpid()) + ".log";
  void TearDown() override {
    ::unlink(path_.c_str());
    EXPECT_TRUE(InitLogging(LogOptions{}).ok());
  }
};

TEST_F(LogTest, JsonLinesAreEscapedAndTyped) {
  LogOptions options;
  options.json = true;
  options.file = path_;
  ASSERT_TRUE(InitLogging(options).ok());
  LOG(info, "lease taken", {"shard", "a\"b\n"}, {"count", 7}, {"held", true});
  LOG(debug, "not shown");
  FlushLog();
  const std::string text = ReadFile(path_);
  EXPECT_NE(text.find(R"("level":"info","msg":"lease taken")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("shard":"a\"b\n","count":7,"held":true)"), std::string::npos) << text;
  EXPECT_EQ(text.find("not shown"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST_F(LogTest, TextLinesQuoteOnlyWhatNeedsIt) {
  LogOptions options;
  options.file = path_;
  ASSERT_TRUE(InitLogging(options).ok());
  LOG(warn, "disk nearly full", {"path", "x"}, {"why", "two words"});
  FlushLog();
  EXPECT_NE(ReadFile(path_).find("warn  disk nearly full path=x why=\"two words\" (obs_test.cc:"),
            std::string::npos)
      << ReadFile(path_);
}

TEST_F(LogTest, RepeatedLinesAreLimitedAndCounted) {
  LogOptions options;
  options.file = path_;
  ASSERT_TRUE(InitLogging(options).ok());
  for (int i = 0; i < 1000; ++i) LOG_LIMITED(error, "again");
  FlushLog();
  const std::string text = ReadFile(path_);
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 10);  // two seconds at most, if one just ends
  EXPECT_GE(std::count(text.begin(), text.end(), '\n'), 5);
}

TEST_F(LogTest, JsonLinesStayValidWhateverIsLogged) {
  LogOptions options;
  options.json = true;
  options.file = path_;
  ASSERT_TRUE(InitLogging(options).ok());
  LOG(warn, "odd", {"small", 1e-9}, {"nan", std::nan("")}, {"bytes", "a\xff\xe6\xb8\x8b\xed\xa0\x80\x01"},
      {"error", Error(ErrorCode::kIo, "disk \"a\"")});
  const std::string text = ReadFile(path_);  // warnings are flushed at once
  EXPECT_NE(
      text.find(
          "\"small\":1e-09,\"nan\":\"nan\",\"bytes\":\"a\xef\xbf\xbd\xe6\xb8\x8b\xef\xbf\xbd\xef\xbf\xbd"
          "\xef\xbf\xbd\\u0001\",\"error\":\"io: disk \\\"a\\\"\"}\n"),
      std::string::npos)
      << text;
  // {"ts":"2026-11-21T10:00:00.000Z","level":"warn","msg":"odd","src":"obs_test.cc:N",…
  EXPECT_EQ(text.substr(0, 7), "{\"ts\":\"");
  EXPECT_EQ(text.substr(30, 45), "Z\",\"level\":\"warn\",\"msg\":\"odd\",\"src\":\"obs_test") << text;
}

TEST_F(LogTest, ALaterChoiceReplacesTheEarlierOne) {
  LogOptions options;
  options.file = path_;
  ASSERT_TRUE(InitLogging(options).ok());
  LOG(info, "first");
  testing::internal::CaptureStderr();
  ASSERT_TRUE(InitLogging(LogOptions{}).ok());
  LOG(info, "second");
  FlushLog();
  const std::string to_stderr = testing::internal::GetCapturedStderr();
  EXPECT_NE(to_stderr.find("info  second"), std::string::npos) << to_stderr;
  EXPECT_NE(ReadFile(path_).find("first"), std::string::npos);
  EXPECT_EQ(ReadFile(path_).find("second"), std::string::npos);
  // A file that cannot be opened changes nothing.
  options.file = "/proc/no/such/file";
  options.level = LogLevel::kError;
  EXPECT_FALSE(InitLogging(options).ok());
  EXPECT_TRUE(LogEnabled(LogLevel::kInfo));
}

TEST_F(LogTest, LevelsAreParsedAndObeyed) {
  EXPECT_EQ(ParseLogLevel("warn").value(), LogLevel::kWarn);
  EXPECT_FALSE(ParseLogLevel("warning").ok());
  SetLogLevel(LogLevel::kError);
  EXPECT_FALSE(LogEnabled(LogLevel::kWarn));
  SetLogLevel(LogLevel::kTrace);
  EXPECT_TRUE(LogEnabled(LogLevel::kTrace));
}

TEST_F(LogTest, ThreadsNeverMixTheirLines) {
  LogOptions options;
  options.file = path_;
  ASSERT_TRUE(InitLogging(options).ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 200; ++i) LOG(info, "line", {"thread", t}, {"filler", std::string(100, 'x')});
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::istringstream lines(ReadFile(path_));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_EQ(line.find(" info  line thread="), 24u) << line;
    EXPECT_EQ(line.back(), ')') << line;
  }
  EXPECT_EQ(count, 800);
}

TEST_F(LogTest, AnUnwritableFileIsAnError) {
  LogOptions options;
  options.file = "/proc/no/such/file";
  EXPECT_EQ(InitLogging(options).error().code(), ErrorCode::kIo);
}

TEST(Metrics, RenderInPrometheusText) {
  Registry registry;
  Counter put = registry.MakeCounter("honryu_test_put_total", "Puts.", {{"stream", "events"}});
  put.Add();
  registry.MakeCounter("honryu_test_put_total", "Puts.", {{"stream", "events"}}).Add(2);
  EXPECT_EQ(put.Value(), 3);
  registry.MakeGauge("honryu_test_depth", "Depth.").Set(5);
  registry.MakeHistogram("honryu_test_seconds", "Time.", LatencyBuckets()).Observe(0.002);
  Gauge refreshed = registry.MakeGauge("honryu_test_refreshed", "Refreshed.");
  registry.OnCollect([refreshed]() mutable { refreshed.Add(1); });
  const std::string text = registry.Render();
  EXPECT_NE(text.find("# TYPE honryu_test_put_total counter"), std::string::npos) << text;
  EXPECT_NE(text.find("honryu_test_put_total{stream=\"events\"} 3"), std::string::npos) << text;
  EXPECT_NE(text.find("honryu_test_depth 5"), std::string::npos) << text;
  EXPECT_NE(text.find("honryu_test_seconds_bucket{le=\"0.0025\"} 1"), std::string::npos) << text;
  EXPECT_NE(text.find("honryu_test_refreshed 1"), std::string::npos) << text;
}

TEST(Metrics, AHandleWithoutARegistryIgnoresCalls) {
  Counter counter;
  counter.Add();
  EXPECT_EQ(counter.Value(), 0);
  Histogram().Observe(1);
  Gauge().Set(1);
}

}  // namespace
}  // namespace honryu::obs
