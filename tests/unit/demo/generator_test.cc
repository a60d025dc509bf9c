#include "honryu/demo/generator.h"

#include "honryu/codec/json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace honryu::demo {
namespace {

const Timestamp kNoon = *ParseTimestamp("2026-11-21T12:00:00+09:00");

GeneratorOptions Options(double rate = 100) {
  GeneratorOptions options;
  options.seed = 7;
  options.users = 1000;
  options.events_per_second = rate;
  options.daily_curve = false;
  options.start = kNoon;
  return options;
}

std::vector<DemoEvent> Make(const GeneratorOptions& options, Duration length) {
  DemoGenerator generator(options);
  std::vector<DemoEvent> events;
  generator.Generate(options.start + std::chrono::duration_cast<std::chrono::milliseconds>(length),
                     10'000'000, events);
  return events;
}

std::string Text(const codec::Json& json, std::string_view key) {
  const codec::Json* value = json.Find(key);
  return value == nullptr ? std::string() : std::string(value->StringOr(""));
}

std::map<std::string, double> Shares(const std::vector<DemoEvent>& events, std::string_view key) {
  std::map<std::string, double> shares;
  for (const DemoEvent& event : events)
    shares[Text(*codec::Json::Parse(event.json), key)] += 1.0 / static_cast<double>(events.size());
  return shares;
}

TEST(DemoGenerator, DetailsAreAddedToTheSameEvents) {
  GeneratorOptions detailed = Options();
  detailed.detailed = true;
  const std::vector<DemoEvent> events = Make(detailed, std::chrono::seconds(20));
  ASSERT_GT(events.size(), 1000U);
  std::size_t bytes = 0, japanese = 0;
  std::set<std::string> traces;
  for (const DemoEvent& event : events) {
    bytes += event.json.size();
    const codec::Json json = *codec::Json::Parse(event.json);
    EXPECT_TRUE(json.Find("event_id") != nullptr && json.Find("properties") != nullptr);
    traces.insert(Text(*json.Find("request"), "trace_id"));
    japanese += Text(*json.Find("log"), "message").find("。") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(traces.size(), events.size());
  EXPECT_NEAR(static_cast<double>(bytes) / static_cast<double>(events.size()), 1050, 100);
  EXPECT_NEAR(static_cast<double>(japanese) / static_cast<double>(events.size()), 0.5, 0.1);
  EXPECT_EQ(events[5].json, Make(detailed, std::chrono::seconds(20))[5].json);
}

TEST(DemoGenerator, SameOptionsGiveTheSameBytesWhateverTheSteps) {
  const std::vector<DemoEvent> whole = Make(Options(), std::chrono::seconds(20));
  DemoGenerator generator(Options());
  std::vector<DemoEvent> pieces;
  for (int i = 1; i <= 200; ++i) generator.Generate(kNoon + std::chrono::milliseconds(100 * i), 3, pieces);
  generator.Generate(kNoon + std::chrono::seconds(20), 10'000, pieces);
  ASSERT_EQ(whole.size(), pieces.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(whole[i].json, pieces[i].json);
    EXPECT_EQ(whole[i].time, pieces[i].time);
  }
}

TEST(DemoGenerator, AnotherSeedOrStartGivesOtherIds) {
  GeneratorOptions seed = Options();
  seed.seed = 8;
  GeneratorOptions start = Options();
  start.start += std::chrono::seconds(1);
  std::set<std::string> ids;
  std::size_t events = 0;
  for (const GeneratorOptions& options : {Options(), seed, start}) {
    for (const DemoEvent& event : Make(options, std::chrono::seconds(10))) {
      ids.insert(Text(*codec::Json::Parse(event.json), "event_id"));
      ++events;
    }
  }
  EXPECT_EQ(ids.size(), events);
}

TEST(DemoGenerator, EventsHaveTheShapeThatTheGatewayTakes) {
  Timestamp last = kNoon;
  for (const DemoEvent& event : Make(Options(), std::chrono::seconds(60))) {
    const Result<codec::Json> json = codec::Json::Parse(event.json);
    ASSERT_TRUE(json.ok()) << event.json;
    EXPECT_TRUE(IsUuid(Text(*json, "event_id"))) << event.json;
    EXPECT_FALSE(Text(*json, "event_type").empty());
    EXPECT_FALSE(Text(*json, "user_id").empty());
    EXPECT_TRUE(IsUuid(Text(*json, "session_id")));
    EXPECT_EQ(*ParseTimestamp(Text(*json, "timestamp")), event.time);
    EXPECT_GE(event.time, last);
    last = event.time;
    const codec::Json* device = json->Find("device");
    ASSERT_NE(device, nullptr);
    for (const char* key : {"type", "os_version", "app_version", "device_model"})
      EXPECT_FALSE(Text(*device, key).empty()) << key;
    if (const codec::Json* location = json->Find("location"); location != nullptr) {
      EXPECT_NEAR(location->Find("latitude")->DoubleOr(0), 35.68, 0.4);
      EXPECT_NEAR(location->Find("longitude")->DoubleOr(0), 139.7, 0.4);
      EXPECT_GT(location->Find("accuracy")->DoubleOr(0), 0);
    }
    ASSERT_NE(json->Find("properties"), nullptr);
    EXPECT_FALSE(Text(*json->Find("properties"), "page").empty());
  }
}

TEST(DemoGenerator, RateAndSharesAreAsDescribed) {
  const std::vector<DemoEvent> events = Make(Options(100), std::chrono::seconds(250));
  EXPECT_NEAR(static_cast<double>(events.size()), 25'000, 4 * std::sqrt(25'000));
  std::map<std::string, double> types = Shares(events, "event_type");
  EXPECT_NEAR(types["error"], 0.006, 0.002);
  EXPECT_NEAR(types["crash"], 0.0018, 0.001);
  for (const char* type : {"page_view", "content_view", "search", "location_share", "message_send"})
    EXPECT_GT(types[type], 0.03) << type;
  std::map<std::string, int> device;
  int japanese = 0;
  int texts = 0;
  std::set<std::string> seen;
  for (const DemoEvent& event : events) {
    const codec::Json json = *codec::Json::Parse(event.json);
    if (seen.insert(Text(json, "user_id")).second) ++device[Text(*json.Find("device"), "type")];
    if (Text(json, "event_type") != "message_send") continue;
    ++texts;
    const std::string text = Text(*json.Find("properties"), "text");
    japanese += std::any_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; }) ? 1 : 0;
  }
  EXPECT_GT(seen.size(), 900U);
  EXPECT_NEAR(device["ios"], 0.62 * static_cast<double>(seen.size()), 60);
  EXPECT_NEAR(device["android"], 0.35 * static_cast<double>(seen.size()), 60);
  EXPECT_GT(japanese, texts * 7 / 10);
  EXPECT_LT(japanese, texts);
}

TEST(DemoGenerator, UsersFollowZipf) {
  std::vector<double> shares;
  for (const auto& [user, share] : Shares(Make(Options(200), std::chrono::seconds(100)), "user_id"))
    shares.push_back(share);
  std::sort(shares.rbegin(), shares.rend());
  double sum = 0;
  for (int rank = 1; rank <= 1000; ++rank) sum += std::pow(rank, -1.05);
  for (const int rank : {1, 2, 5, 10, 50})
    EXPECT_NEAR(shares[static_cast<std::size_t>(rank - 1)], std::pow(rank, -1.05) / sum, 0.008) << rank;
}

TEST(DemoGenerator, SessionsBeginWithAStartAndEndWithAnEndOrACrash) {
  std::map<std::string, std::string> last;
  for (const DemoEvent& event : Make(Options(), std::chrono::seconds(100))) {
    const codec::Json json = *codec::Json::Parse(event.json);
    const std::string session = Text(json, "session_id");
    const std::string type = Text(json, "event_type");
    EXPECT_EQ(type == "session_start", !last.contains(session)) << event.json;
    EXPECT_NE(last[session], "session_end");
    EXPECT_NE(last[session], "crash");
    last[session] = type;
  }
  EXPECT_GT(last.size(), 500U);
}

/// Events of type `type` (all: empty) in each of three minutes, the second of which has the incident.
std::vector<double> PerMinute(IncidentKind kind, const std::string& type) {
  GeneratorOptions options = Options(100);
  options.incidents.push_back({kind, kNoon + std::chrono::minutes(1), std::chrono::minutes(1)});
  std::vector<double> counts(3);
  for (const DemoEvent& event : Make(options, std::chrono::minutes(3))) {
    if (type.empty() || event.json.find("\"event_type\":\"" + type + "\"") != std::string::npos)
      counts[static_cast<std::size_t>((event.time - kNoon) / std::chrono::minutes(1))] += 1;
  }
  return counts;
}

TEST(DemoIncident, ErrorBurstRaisesErrorsWhileItLasts) {
  const std::vector<double> errors = PerMinute(IncidentKind::kErrorBurst, "error");
  EXPECT_NEAR(errors[0], 36, 25);
  EXPECT_GT(errors[1], 1000);
  EXPECT_NEAR(errors[2], 36, 25);
}

TEST(DemoIncident, TrafficDropLeavesAThird) {
  const std::vector<double> all = PerMinute(IncidentKind::kTrafficDrop, "");
  EXPECT_NEAR(all[0], 6'000, 350);
  EXPECT_NEAR(all[1], 2'000, 200);
  EXPECT_NEAR(all[2], 6'000, 350);
}

TEST(DemoIncident, HotUserSendsAsMuchAsAllOthers) {
  GeneratorOptions options = Options(100);
  options.incidents.push_back({IncidentKind::kHotUser, kNoon, std::chrono::minutes(1)});
  const std::vector<DemoEvent> events = Make(options, std::chrono::minutes(1));
  EXPECT_NEAR(static_cast<double>(events.size()), 12'000, 600);
  double most = 0;
  for (const auto& [user, share] : Shares(events, "user_id")) most = std::max(most, share);
  EXPECT_NEAR(most, 0.5, 0.03);
}

TEST(DemoIncident, PlatformDropKeepsAndroidAwayAndNobodyElse) {
  GeneratorOptions options = Options(100);
  options.incidents.push_back(
      {IncidentKind::kPlatformDrop, kNoon + std::chrono::minutes(1), std::chrono::minutes(1)});
  std::map<std::string, std::vector<double>> counts;
  for (const DemoEvent& event : Make(options, std::chrono::minutes(3))) {
    for (const char* platform : {"android", "ios"}) {
      std::vector<double>& of = counts.try_emplace(platform, 3).first->second;
      if (event.json.find(std::string("\"type\":\"") + platform + "\"") != std::string::npos)
        of[static_cast<std::size_t>((event.time - kNoon) / std::chrono::minutes(1))] += 1;
    }
  }
  const std::vector<double>& android = counts["android"];
  EXPECT_NEAR(android[1], android[0] / 5, android[0] * 0.06);
  EXPECT_NEAR(android[2], android[0], android[0] * 0.15);
  EXPECT_NEAR(counts["ios"][1], counts["ios"][0], counts["ios"][0] * 0.1);
}

TEST(DemoIncident, ReserveCancelIsOneUserBesideTheUsualTraffic) {
  GeneratorOptions options = Options(100);
  options.incidents.push_back(
      {IncidentKind::kReserveCancel, kNoon + std::chrono::minutes(1), std::chrono::minutes(1)});
  std::vector<DemoEvent> found;
  std::size_t others = 0;
  for (DemoEvent& event : Make(options, std::chrono::minutes(3))) {
    const bool reserve = event.json.find("\"event_type\":\"reserve\"") != std::string::npos;
    const bool cancel = event.json.find("\"event_type\":\"cancel\"") != std::string::npos;
    if (!reserve && !cancel) {
      ++others;
      continue;
    }
    EXPECT_EQ(reserve, found.size() % 2 == 0);  // in turn
    EXPECT_GE(event.time, kNoon + std::chrono::minutes(1));
    EXPECT_LT(event.time, kNoon + std::chrono::minutes(2));
    found.push_back(std::move(event));
  }
  EXPECT_NEAR(static_cast<double>(found.size()), 120, 40);
  EXPECT_NEAR(static_cast<double>(others), 18'000, 600);
  EXPECT_EQ(Shares(found, "user_id").size(), 1u);
}

TEST(DemoIncident, ReadsItsText) {
  const Result<Incident> plain = ParseIncident("error-burst", kNoon);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->kind, IncidentKind::kErrorBurst);
  EXPECT_EQ(plain->begin, kNoon + std::chrono::seconds(60));
  EXPECT_EQ(plain->length, std::chrono::minutes(2));
  const Result<Incident> full = ParseIncident("hot-user@90s+1h", kNoon);
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full->kind, IncidentKind::kHotUser);
  EXPECT_EQ(full->begin, kNoon + std::chrono::seconds(90));
  EXPECT_EQ(full->length, std::chrono::hours(1));
  EXPECT_EQ(ParseIncident("traffic-drop+5m", kNoon)->length, std::chrono::minutes(5));
  EXPECT_EQ(ParseIncident("platform-drop@1s", kNoon)->kind, IncidentKind::kPlatformDrop);
  EXPECT_EQ(ParseIncident("reserve-cancel", kNoon)->kind, IncidentKind::kReserveCancel);
  for (const char* bad :
       {"", "fire", "error-burst@", "error-burst@5", "error-burst@-5s", "error-burst@5s+", "hot-user@5sx"})
    EXPECT_EQ(ParseIncident(bad, kNoon).error().code(), ErrorCode::kInvalidArgument) << bad;
}

TEST(DailyCurve, HasMeanOneAndPeaksInTheEveningOfTokyo) {
  const Timestamp midnight = *ParseTimestamp("2026-11-21T00:00:00+09:00");
  double sum = 0;
  for (int minute = 0; minute < 1440; ++minute) sum += DailyFactor(midnight + std::chrono::minutes(minute));
  EXPECT_NEAR(sum / 1440, 1.0, 0.001);
  EXPECT_GT(DailyFactor(*ParseTimestamp("2026-11-21T21:30:00+09:00")), 1.7);
  EXPECT_LT(DailyFactor(*ParseTimestamp("2026-11-21T03:30:00+09:00")), 0.25);
}

TEST(GeneratorOptions, RefusesWhatCannotBe) {
  EXPECT_TRUE(Options().Validate().ok());
  GeneratorOptions options = Options();
  options.users = 0;
  EXPECT_FALSE(options.Validate().ok());
  options = Options();
  options.events_per_second = 0;
  EXPECT_FALSE(options.Validate().ok());
}

}  // namespace
}  // namespace honryu::demo
