#include "processors/aggregator/event_fields.h"

#include "api/gateway/intake.h"
#include "honryu/analytics/distinct_counter.h"

#include <gtest/gtest.h>

namespace honryu::processors::aggregator {
namespace {

constexpr std::int64_t kArrival = 1700000000000;

Result<EventFields> Read(std::string json) {
  client::StreamRecord record;
  record.arrival = TimestampFromMs(kArrival);
  record.data = Bytes(std::move(json));
  return ReadEventFields(record, AggregatorConfig());
}

TEST(EventFields, TakesTheServersTimeThenTheSendersThenArrival) {
  EXPECT_EQ(Read(R"({"event_time":"2023-11-14T00:00:00.500Z","timestamp":5})")->time_ms, 1699920000500);
  EXPECT_EQ(Read(R"({"timestamp":"2023-11-14T00:00:00Z"})")->time_ms, 1699920000000);
  EXPECT_EQ(Read(R"({"timestamp":1699920000123})")->time_ms, 1699920000123);
  EXPECT_EQ(Read(R"({"event_time":"yesterday"})")->time_ms, kArrival);
  EXPECT_EQ(Read(R"({"event_time":"2031-01-01T00:00:00Z"})")->time_ms, kArrival);  // beyond max_future
}

TEST(EventFields, ReadsTypeAndUser) {
  const Result<EventFields> fields = Read(R"({"event_type":"page_view","user_id":"u1"})");
  EXPECT_EQ(fields->type, "page_view");
  EXPECT_EQ(fields->user_hash, analytics::DistinctHash("u1"));
  EXPECT_EQ(Read(R"({"user_id":17})")->user_hash, analytics::DistinctHash("17"));
  EXPECT_FALSE(Read(R"({"user_id":""})")->user_hash.has_value());
  EXPECT_FALSE(Read("{}")->user_hash.has_value());
  EXPECT_EQ(Read("{}")->type, "__none__");
  EXPECT_EQ(Read(R"({"event_type":")" + std::string(300, 'x') + "\"}")->type, "__other__");
}

TEST(EventFields, KnowsErrors) {
  EXPECT_TRUE(Read(R"({"event_type":"crash"})")->error);
  EXPECT_TRUE(Read(R"({"event_type":"log","properties":{"level":"error"}})")->error);
  EXPECT_TRUE(Read(R"({"event_type":"log","properties":{"severity":"error"}})")->error);
  EXPECT_TRUE(Read(R"({"event_type":"get","properties":{"response":500}})")->error);
  EXPECT_TRUE(Read(R"({"event_type":"get","properties":{"status":503.0}})")->error);
  EXPECT_FALSE(Read(R"({"event_type":"get","properties":{"status":499,"level":"warn"}})")->error);
  EXPECT_FALSE(Read(R"({"event_type":"get","properties":{"status":"500"}})")->error);
}

TEST(EventFields, RefusesWhatIsNoObject) {
  for (const char* text : {"[1]", "{", "", "{} {}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\xff\"}"})
    EXPECT_FALSE(Read(text).ok()) << text;
  EXPECT_TRUE(Read(" {} \n").ok());
}

TEST(EventFields, TakesNumbersThatNoMachineTypeHolds) {
  const Result<EventFields> big = Read(R"({"event_type":"a","user_id":123456789012345678901234567890})");
  ASSERT_TRUE(big.ok()) << big.error().message();
  EXPECT_EQ(big->user_hash, analytics::DistinctHash("123456789012345678901234567890"));
  EXPECT_EQ(Read(R"({"event_time":1e400,"timestamp":7,"properties":{"status":1e400}})")->time_ms, 7);
  EXPECT_EQ(Read(R"({"event_time":18446744073709551615})")->time_ms, kArrival);
  EXPECT_EQ(Read(R"({"event_time":-9223372036854775808})")->time_ms, kArrival);
}

TEST(EventFields, ResolvesEscapesAndTakesTheFirstOfEqualNames) {
  const Result<EventFields> fields =
      Read(R"({"event\u005ftype":"p\u00e9","event_type":"second","user_id":null,"user_id":"u\n"})");
  EXPECT_EQ(fields->type, "p\u00e9");
  EXPECT_EQ(fields->user_hash, analytics::DistinctHash("u\n"));
}

// What the gateway stores is what the aggregator reads.
TEST(EventFields, ReadsWhateverTheGatewayAccepts) {
  const std::string nested = std::string(31, '[') + std::string(31, ']');
  const std::string bodies[] = {
      R"({"event_type":"a","user_id":123456789012345678901234567890})",
      R"({"event_type":"a","properties":{"n":1e400,"m":-1e-400,"k":18446744073709551616}})",
      R"({"event_type":"a","timestamp":1700000000000,"x":)" + nested + "}",
      R"({"event_type":"a\u0041\ud83d\ude00","user_id":"\u5229\u7528"})",
      "{\"event_type\":\"a\",\"user_id\":" + std::string(256, '7') + "}",
      R"( {"event_type" : "a" , "" : 0.5E+3 , "event_kind" : {} } )",
  };
  const api::gateway::GatewayConfig config;
  const api::gateway::EventChecker checker(config);
  api::gateway::EventContext context;
  context.received = TimestampFromMs(kArrival);
  for (const std::string& body : bodies) {
    api::gateway::Intake intake(config, checker, body, "application/json", context);
    while (intake.Advance(1 << 20)) {
    }
    const std::vector<api::gateway::WriteItem> items = intake.TakeItems();
    ASSERT_EQ(items.size(), 1u) << body;
    const std::string stored(items[0].entry.data.view());
    const Result<EventFields> fields = Read(stored);
    ASSERT_TRUE(fields.ok()) << stored << ": " << fields.error().message();
    EXPECT_EQ(fields->type.substr(0, 1), "a");
    EXPECT_EQ(fields->time_ms, kArrival) << stored;
    EXPECT_EQ(fields->user_hash.has_value(), body.find("user_id") != std::string::npos);
  }
}

}  // namespace
}  // namespace honryu::processors::aggregator
