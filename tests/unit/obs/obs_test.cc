#include "honryu/obs/log.h"
#include "honryu/obs/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

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
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_GE(std::count(text.begin(), text.end(), '\n'), 5);
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
