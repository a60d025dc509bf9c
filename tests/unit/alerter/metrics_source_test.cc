#include "honryu/processors/alerter/metrics_source.h"

#include "honryu/codec/json.h"
#include "honryu/http/router.h"
#include "honryu/http/server.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <thread>

namespace honryu::processors::alerter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<codec::Json> Rows(MetricRows& rows, const std::string& text, std::int64_t ms) {
  std::vector<codec::Json> found;
  for (const std::string& row : rows.Read({{"", text}}, TimestampFromMs(ms)))
    found.push_back(codec::Json::Parse(row).value());
  return found;
}

std::string Shards(const std::vector<int>& counts) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i)
    text += "put_total{shard=\"" + std::to_string(i) + "\",stream=\"s\"} " + std::to_string(counts[i]) + "\n";
  return text;
}

TEST(MetricRows, GivesRatesAndHowUnevenShardsAre) {
  MetricRows rows({"lag", "put_*"});
  const auto first =
      rows.Read({{"", "# HELP lag x\nlag{stream=\"a\\\"b\"} 2.5\nother 1\n" + Shards({10, 10, 10})}},
                TimestampFromMs(0));
  ASSERT_EQ(first.size(), 4u);
  EXPECT_EQ(first[0], R"({"metric":"lag","labels":{"stream":"a\"b"},"value":2.5})");
  EXPECT_EQ(first[1].find("rate"), std::string::npos);
  const auto found = Rows(rows, Shards({90, 20, 3}) + "broken{x=\"} 3\nlag NaN\n", 10'000);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_DOUBLE_EQ(found[0].Find("rate")->DoubleOr(0), 8);
  EXPECT_NEAR(found[0].Find("skew")->DoubleOr(0), 8 / ((1 + 0.3) / 2), 1e-9);
  EXPECT_DOUBLE_EQ(found[2].Find("rate")->DoubleOr(0), 0.3);  // its process was started again
}

TEST(MetricRows, SkewNeedsOtherShardsAndTraffic) {
  MetricRows rows({"*"}, 5);
  EXPECT_EQ(Rows(rows, Shards({0, 0}), 0).size(), 2u);
  auto found = Rows(rows, Shards({30, 10}), 10'000);  // 4 a second
  EXPECT_EQ(found[0].Find("skew"), nullptr);
  found = Rows(rows, Shards({90, 10}), 20'000);  // all into one: as uneven as can be
  EXPECT_DOUBLE_EQ(found[0].Find("skew")->DoubleOr(0), 1000);
  EXPECT_DOUBLE_EQ(found[1].Find("skew")->DoubleOr(-1), 0);
  MetricRows single({"*"}, 0);
  EXPECT_EQ(Rows(single, Shards({0}), 0).size(), 1u);
  EXPECT_EQ(Rows(single, Shards({900}), 10'000)[0].Find("skew"), nullptr);
}

TEST(MetricRows, ProcessesAreToldApartButTheirShardsCompared) {
  MetricRows rows({"*"});
  const auto at = [&rows](double a, double b, std::int64_t ms) {
    const auto line = [](int shard, double value) {
      return "put_total{shard=\"" + std::to_string(shard) + "\"} " + std::to_string(value) + "\n";
    };
    return rows.Read({{"one:1", line(0, a)}, {"two:2", line(1, b)}}, TimestampFromMs(ms));
  };
  at(0, 0, 0);
  const auto found = at(40, 10, 1000);
  ASSERT_EQ(found.size(), 2u);
  const codec::Json first = codec::Json::Parse(found[0]).value();
  EXPECT_EQ(first.Find("labels")->Find("instance")->StringOr(""), "one:1");
  EXPECT_DOUBLE_EQ(first.Find("skew")->DoubleOr(0), 4);
}

TEST(MetricsSourceConfig, IsChecked) {
  MetricsSourceConfig config;
  config.targets = {"http://broker:9600", "http://127.0.0.1:1/metrics"};
  EXPECT_TRUE(config.Validate().ok());
  config.targets = {"broker:9600"};
  EXPECT_FALSE(config.Validate().ok());
  config.targets.assign(101, "http://broker:9600");
  EXPECT_FALSE(config.Validate().ok());
  config.targets.clear();
  config.timeout = Duration::zero();
  EXPECT_FALSE(config.Validate().ok());
}

class MetricsSourceTest : public ::testing::Test {
 protected:
  static async::Task<http::Response> Page(bool slow) {
    if (slow) {
      Result<void> slept = co_await async::SleepFor(seconds(30));
      (void)slept;
    }
    co_return http::Response::Text(200, "lag 7\n");
  }
  void SetUp() override {
    router_.Add("GET", "/metrics", [](async::Context, const http::Request&) { return Page(false); });
    router_.Add("GET", "/slow", [](async::Context, const http::Request&) { return Page(true); });
    server_ =
        std::make_unique<http::Server>(runtime_, server_metrics_, http::ServerConfig{}, router_.AsHandler());
    ASSERT_TRUE(server_->Start().ok());
  }
  void TearDown() override { runtime_.BlockOn(server_->Stop(std::chrono::steady_clock::now())); }
  std::string Host() const { return "127.0.0.1:" + std::to_string(server_->port()); }
  /// The value of that metric of that instance as written last; nothing if it was not.
  std::optional<double> Last(const std::string& metric, const std::string& instance) {
    std::optional<double> last;
    for (const client::StreamRecord& record : client_.Records("metrics")) {
      const codec::Json row = codec::Json::Parse(record.data.view()).value();
      const codec::Json* found = row.Find("labels")->Find("instance");
      if (row.Find("metric")->StringOr("") == metric &&
          (found == nullptr ? "" : found->StringOr("")) == instance)
        last = row.Find("value")->DoubleOr(-1);
    }
    return last;
  }

  ManualClock clock_{TimestampFromMs(1'700'000'000'000)};
  obs::Registry server_metrics_, metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  http::Client http_{runtime_, http::ClientConfig{}};
  http::Router router_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(MetricsSourceTest, ReadsItsOwnProcessAndTheTargetsAndSaysWhichAreUp) {
  metrics_.MakeGauge("lag", "its own").Set(3);
  MetricsSourceConfig config;
  config.interval = milliseconds(5);
  config.timeout = milliseconds(200);
  config.patterns = {"up", "lag"};
  config.targets = {"http://" + Host(), "http://" + Host() + "/slow", "http://127.0.0.1:1"};
  ASSERT_TRUE(config.Validate().ok());
  MetricsSource source(config, client_, http_, runtime_.executor(0), clock_, metrics_);
  source.Start();
  const MonoTime until = std::chrono::steady_clock::now() + seconds(20);
  while (!Last("lag", "").has_value() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  runtime_.BlockOn(source.Stop());
  EXPECT_EQ(Last("lag", ""), 3);
  EXPECT_EQ(Last("lag", Host()), 7);
  EXPECT_EQ(Last("up", "127.0.0.1:1"), 0);
  EXPECT_EQ(Last("up", ""), std::nullopt);
  // Two pages of one host: the one that is too slow is down.
  std::size_t up = 0, down = 0;
  for (const client::StreamRecord& record : client_.Records("metrics")) {
    if (record.data.view().find(R"("metric":"up","labels":{"instance":")" + Host()) == BytesView::npos)
      continue;
    (record.data.view().find("\"value\":1") != BytesView::npos ? up : down) += 1;
  }
  EXPECT_GE(up, 1u);
  EXPECT_EQ(up, down);
}

}  // namespace
}  // namespace honryu::processors::alerter
