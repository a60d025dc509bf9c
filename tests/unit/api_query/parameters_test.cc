#include "api/query/parameters.h"

#include "api/query/live_feed.h"

#include <gtest/gtest.h>

namespace honryu::api::query {
namespace {

const Timestamp kNow = TimestampFromMs(1790000000000);

http::Request Request(std::vector<std::pair<std::string, std::string>> query) {
  http::Request request;
  request.query = std::move(query);
  return request;
}

std::string Refusal(std::vector<std::pair<std::string, std::string>> query) {
  const auto read = ReadKpiQuery(Request(std::move(query)), QueryConfig(), {}, kNow);
  return read.ok() ? "accepted" : read.error().message();
}

TEST(ParseTime, TakesIsoEpochMillisecondsAndRelativeTimes) {
  EXPECT_EQ(ToMs(*ParseTime("1431857100000", kNow)), 1431857100000);
  EXPECT_EQ(ToMs(*ParseTime("2015-05-17T10:05:00Z", kNow)), 1431857100000);
  EXPECT_EQ(*ParseTime("now", kNow), kNow);
  EXPECT_EQ(*ParseTime("now-1h30m", kNow), kNow - std::chrono::minutes(90));
  EXPECT_EQ(*ParseTime("now+10s", kNow), kNow + std::chrono::seconds(10));
  for (const char* text : {"", "yesterday", "now-", "now-5", "now*2", "12", "now-999999999h"})
    EXPECT_FALSE(ParseTime(text, kNow).ok()) << text;
}

TEST(KpiQuery, HasDefaultsForAllButTheMetric) {
  const auto query = ReadKpiQuery(Request({{"metric", "events"}}), QueryConfig(), {}, kNow).value();
  EXPECT_EQ(query.window, "1m");
  EXPECT_EQ(query.to, kNow);
  EXPECT_EQ(query.from, kNow - std::chrono::hours(1));
  EXPECT_EQ(query.group, "");
  EXPECT_FALSE(query.all_groups);
  EXPECT_EQ(query.limit, 10000u);
}

TEST(KpiQuery, ReadsGroups) {
  const auto read = [](const std::string& group) {
    return ReadKpiQuery(Request({{"metric", "events"}, {"group", group}}), QueryConfig(), {}, kNow).value();
  };
  EXPECT_EQ(read("event_type=a").group, "event_type=a");
  EXPECT_FALSE(read("event_type=a").all_groups);
  EXPECT_EQ(read("event_type=*").group, "event_type");
  EXPECT_TRUE(read("event_type=*").all_groups);
  EXPECT_FALSE(read("").all_groups);
}

TEST(KpiQuery, RefusalsNameTheParameterAndWhatIsAllowed) {
  EXPECT_EQ(Refusal({}), "metric: missing; see /v1/kpi/metrics");
  EXPECT_EQ(Refusal({{"metric", "sales"}}), "metric: expected one of errors, events, users, found \"sales\"");
  EXPECT_EQ(Refusal({{"metric", "events"}, {"window", "2m"}}),
            "window: expected one of 1h, 1m, 5m, found \"2m\"");
  EXPECT_NE(Refusal({{"metric", "events"}, {"from", "x"}}).find("from: expected ISO-8601"),
            std::string::npos);
  EXPECT_NE(Refusal({{"metric", "events"}, {"to", "x"}}).find("to: expected ISO-8601"), std::string::npos);
  EXPECT_NE(Refusal({{"metric", "events"}, {"from", "now"}}).find("from: expected a time before to"),
            std::string::npos);
  EXPECT_NE(Refusal({{"metric", "events"}, {"group", "page"}}).find("group: expected"), std::string::npos);
  EXPECT_NE(Refusal({{"metric", "events"}, {"limit", "0"}}).find("limit: expected a number from 1 to 100000"),
            std::string::npos);
  EXPECT_NE(Refusal({{"metric", "events"}, {"metrics", "x"}}).find("allowed: from, group, limit, metric"),
            std::string::npos);
  EXPECT_EQ(Refusal({{"metric", "events"}, {"metric", "users"}}), "metric: given more than once");
}

TEST(KpiQuery, WhatTheStoreHasIsKnown) {
  views::KpiMetric known;
  known.metric = "sales";
  known.windows = {"10s"};
  EXPECT_TRUE(
      ReadKpiQuery(Request({{"metric", "sales"}, {"window", "10s"}}), QueryConfig(), {known}, kNow).ok());
}

views::KpiRow Row(const std::string& metric, const std::string& group, double value) {
  views::KpiRow row;
  row.metric = metric;
  row.window = "1m";
  row.group = group;
  row.end = TimestampFromMs(60000);
  row.value = value;
  return row;
}

TEST(Subscriber, KeepsTheNewestOfEachRowThatItsFilterTakes) {
  LiveFilter filter;
  filter.metric = "events";
  filter.has_group = true;
  filter.all_groups = true;
  filter.group = "type";
  Subscriber subscriber(filter, 10);
  subscriber.Offer({Row("events", "type=a", 1), Row("events", "", 1), Row("users", "type=a", 1)});
  subscriber.Offer({Row("events", "type=a", 2)});
  const Subscriber::Waiting waiting = subscriber.Take();
  ASSERT_EQ(waiting.rows.size(), 1u);
  EXPECT_EQ(waiting.rows[0].value, 2);
  EXPECT_TRUE(subscriber.Take().rows.empty());
}

TEST(Subscriber, BeyondItsBoundASnapshotIsDue) {
  Subscriber subscriber(LiveFilter(), 2);
  subscriber.Offer({Row("a", "", 1), Row("b", "", 1), Row("c", "", 1), Row("d", "", 1)});
  const Subscriber::Waiting waiting = subscriber.Take();
  EXPECT_TRUE(waiting.overflowed);
  EXPECT_TRUE(waiting.rows.empty());
  subscriber.Offer({Row("a", "", 1)});
  EXPECT_FALSE(subscriber.Take().overflowed);
}

TEST(LiveFeed, TakesNoMoreThanItsMaximumAndForgetsWhoLeft) {
  LiveFeed feed;
  auto first = feed.Subscribe(LiveFilter(), 1, 10);
  EXPECT_EQ(feed.Subscribe(LiveFilter(), 1, 10), nullptr);
  first.reset();
  EXPECT_NE(feed.Subscribe(LiveFilter(), 1, 10), nullptr);
}

}  // namespace
}  // namespace honryu::api::query
