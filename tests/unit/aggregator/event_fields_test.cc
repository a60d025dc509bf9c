#include "processors/aggregator/event_fields.h"

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
  EXPECT_FALSE(Read("[1]").ok());
  EXPECT_FALSE(Read("{").ok());
}

}  // namespace
}  // namespace honryu::processors::aggregator
