// Every rule of config/alerts.yaml: quiet on what is ordinary, told of what it is for.

#include "honryu/alerting/engine.h"
#include "honryu/alerting/rule.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>

namespace honryu::alerting {
namespace {

constexpr std::int64_t kStart = 1'700'000'040'000;

std::vector<Rule> Ready() {
  std::ifstream file(HONRYU_CONFIG_DIR "/alerts.yaml");
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  text.resize(text.find("\nwatches:"));
  return ParseRules(text, "alerts.yaml").value();
}

Rule Named(const std::string& name) {
  for (const Rule& rule : Ready()) {
    if (rule.name == name) return rule;
  }
  ADD_FAILURE() << "no rule " << name;
  return {};
}

/// Names of the series told to fire when `record(second)` comes every `step` seconds.
std::vector<std::string> Told(const std::string& name, int from, int to, int step,
                              const std::function<std::string(int)>& record) {
  Engine engine({Named(name)});
  EngineOutput out;
  for (int t = from; t < to; t += step) {
    const std::string text = record(t);
    if (!text.empty()) EXPECT_TRUE(engine.Process(text, TimestampFromMs(kStart + t * 1000), out).ok());
    engine.Advance(TimestampFromMs(kStart + t * 1000), out);
  }
  engine.Advance(TimestampFromMs(kStart + (to + 5) * 1000), out);
  std::vector<std::string> told;
  for (const Notification& note : out.notifications) {
    for (const Alert& alert : note.alerts) {
      if (alert.state == AlertState::kFiring) told.push_back(alert.key);
    }
  }
  return told;
}

using Keys = std::vector<std::string>;

std::string Row(const std::string& metric, const std::string& window, const std::string& group, double value,
                std::int64_t start, bool final) {
  return R"({"metric":")" + metric + R"(","window":")" + window + R"(","group":")" + group + R"(","start":)" +
         std::to_string(start) + R"(,"value":)" + std::to_string(value) + R"(,"final":)" +
         (final ? "true" : "false") + "}";
}

TEST(ReadyRules, CrashFreeRate) {
  // Every five seconds the sessions so far and those without a crash, in turn.
  const auto record = [](double sessions, double share) {
    return [sessions, share](int t) {
      const bool all = t % 2 == 0;
      // Sessions grow: a share of what was counted at different times would be wrong.
      const double grown = sessions * (1 + t / 2);
      std::string row = Row(all ? "app_sessions" : "crash_free_sessions", "5m", "app_version=5.4.0",
                            all ? grown : grown * share, kStart, false);
      return row.insert(row.size() - 1, R"(,"revision":)" + std::to_string(t / 2));
    };
  };
  EXPECT_EQ(Told("crash-free-rate", 0, 10, 1, record(2000, 0.99)), Keys{});
  EXPECT_EQ(Told("crash-free-rate", 0, 8, 1, record(100, 0.5)), Keys{});  // too few to say
  EXPECT_EQ(Told("crash-free-rate", 0, 10, 1, record(2000, 0.9)), Keys{"group=app_version=5.4.0"});
}

TEST(ReadyRules, TrafficDropPerPlatform) {
  double value = 0;
  const auto record = [&value](int dropped) {
    return [&value, dropped](int t) {
      if (t % 60 == 0) value = 0;
      value += t >= dropped ? 20 : 100;
      return Row("platform_events", "1m", "platform=ios", value, kStart + t / 60 * 60'000, false);
    };
  };
  EXPECT_EQ(Told("traffic-drop-platform", 0, 900, 1, record(2000)), Keys{});
  EXPECT_EQ(Told("traffic-drop-platform", 0, 900, 1, record(850)), Keys{"group=platform=ios"});
}

TEST(ReadyRules, HotShard) {
  const auto record = [](double skew) {
    return [skew](int) {
      return R"({"metric":"honryu_broker_shard_incoming_records_total","labels":{"instance":"broker:9600",)"
             R"("stream":"events","shard":"3"},"value":1,"rate":10,"skew":)" +
             std::to_string(skew) + "}";
    };
  };
  EXPECT_EQ(Told("hot-shard", 0, 300, 5, record(1.5)), Keys{});
  EXPECT_EQ(Told("hot-shard", 0, 300, 5, record(3.5)), Keys{"labels.stream=events,labels.shard=3"});
}

TEST(ReadyRules, DaemonDown) {
  const auto record = [](int since) {
    return [since](int t) {
      return R"({"metric":"up","labels":{"instance":"broker:9600"},"value":)" +
             std::string(t < since ? "1}" : "0}");
    };
  };
  EXPECT_EQ(Told("daemon-down", 0, 300, 5, record(280)), Keys{});
  EXPECT_EQ(Told("daemon-down", 0, 300, 5, record(200)), Keys{"labels.instance=broker:9600"});
}

TEST(ReadyRules, ConsumerLag) {
  const auto record = [](double lag) {
    return [lag](int) {
      return R"({"metric":"honryu_consumer_lag_seconds","labels":{"application":"a","stream":"s","shard":"0"},"value":)" +
             std::to_string(lag) + "}";
    };
  };
  EXPECT_EQ(Told("consumer-lag", 0, 300, 5, record(5)), Keys{});
  EXPECT_EQ(Told("consumer-lag", 0, 300, 5, record(90)).size(), 1u);
}

TEST(ReadyRules, OneAlertForAUserWhoReservesAndCancels) {
  const auto record = [](int t) {
    return R"({"_id":"FRAUD/1","_final":false,"USER_ID":"user-7","PAIRS":)" + std::to_string(3 + t / 60) +
           "}";
  };
  EXPECT_EQ(Told("reserve-cancel", 0, 3600, 60, record), Keys{"USER_ID=user-7"});
}

TEST(ReadyRules, TwoAnomaliesInARow) {
  const auto record = [](int length) {
    return [length](int t) {
      if (t < 100 || t > 100 + 5 * length) return std::string();
      return R"({"watch":"traffic","key":"group=","grade":)" +
             std::string(t == 100 + 5 * length ? "0" : "0.9") + "}";
    };
  };
  EXPECT_EQ(Told("anomaly", 0, 300, 5, record(1)), Keys{});
  EXPECT_EQ(Told("anomaly", 0, 300, 5, record(3)), Keys{"watch=traffic,key=group="});
}

}  // namespace
}  // namespace honryu::alerting
