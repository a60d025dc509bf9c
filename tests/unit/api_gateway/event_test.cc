#include "api/gateway/event.h"

#include "api/gateway/intake.h"
#include "api/gateway/stored_event.h"

#include <gtest/gtest.h>

namespace honryu::api::gateway {
namespace {

constexpr std::string_view kId = "1b4e28ba-2fa1-4d3b-883f-0016d3cca427";
const Timestamp kNow = TimestampFromMs(1763719200000);  // 2025-11-21T10:00:00Z

struct Checked {
  GatewayConfig config;
  EventContext context{kNow, std::nullopt};
  CheckedEvent event;
  std::string text;

  /// "" or "reason field".
  std::string Run(std::string body) {
    text = std::move(body);
    const EventChecker checker(config);
    JsonLimits limits;
    limits.max_depth = config.max_depth;
    JsonScanner scanner(limits);
    if (!scanner.Scan(text, 0)) return "syntax";
    const std::optional<Reject> reject = checker.Check(text, scanner, context, &event);
    if (!reject.has_value()) return "";
    return std::string(RejectReasonName(reject->reason)) + " " + reject->field;
  }
  std::string Stored(std::string_view made_id = {}) const {
    std::string out;
    AppendStoredEvent(event, context.received, FormatTimestamp(context.received), made_id, out);
    return out;
  }
};

std::string With(std::string_view members) { return "{\"event_type\":\"t\"," + std::string(members) + "}"; }

TEST(Event, TakesTheFullShape) {
  Checked c;
  EXPECT_EQ(
      c.Run(
          R"({"event_id":"1B4E28BA-2fa1-4d3b-883f-0016d3cca427","event_type":"page_view",)"
          R"("timestamp":"2025-11-21T18:59:59.5+09:00","user_id":"利用者","session_id":"s1",)"
          R"("device":{"type":"ios","os_version":"17","app_version":"1.2","device_model":"x","extra":[1]},)"
          R"("location":{"latitude":35.68,"longitude":139.76,"accuracy":5},"properties":{"n":1e400},"zz":null})"),
      "");
  EXPECT_EQ(c.event.partition_key, "利用者");
  EXPECT_EQ(FormatTimestamp(c.event.event_time), "2025-11-21T09:59:59.500Z");
  ASSERT_TRUE(c.event.event_id.has_value());
  EXPECT_EQ(FormatUuid(*c.event.event_id), kId);
}

TEST(Event, NamesTheFieldAndTheReason) {
  const std::pair<std::string, const char*> cases[] = {
      {"[]", "not_object "},
      {"{}", "missing event_type"},
      {R"({"event_type":null})", "missing event_type"},
      {R"({"event_type":""})", "value event_type"},
      {R"({"event_type":7})", "type event_type"},
      {"{\"event_type\":\"" + std::string(257, 'x') + "\"}", "value event_type"},
      {With(R"("event_id":"abc")"), "value event_id"},
      {With(R"("event_id":"")"), "value event_id"},
      {With(R"("event_id":5)"), "type event_id"},
      {With(R"("user_id":1.5)"), "type user_id"},
      {With(R"("user_id":true)"), "type user_id"},
      {With("\"session_id\":\"" + std::string(257, 'x') + "\""), "value session_id"},
      {With(R"("timestamp":"yesterday")"), "value timestamp"},
      {With(R"("timestamp":true)"), "value timestamp"},
      {With(R"("timestamp":-1)"), "value timestamp"},
      {With(R"("timestamp":1e300)"), "value timestamp"},
      {With(R"("timestamp":"1969-12-31T23:59:59Z")"), "value timestamp"},
      {With(R"("sent_at":"x")"), "value sent_at"},
      {With(R"("device":"ios")"), "type device"},
      {With(R"("device":{"type":1})"), "type device.type"},
      {With(R"("location":{"latitude":90.0001})"), "value location.latitude"},
      {With(R"("location":{"latitude":1e400})"), "value location.latitude"},
      {With(R"("location":{"longitude":-181})"), "value location.longitude"},
      {With(R"("location":{"longitude":"1"})"), "type location.longitude"},
      {With(R"("location":{"accuracy":-0.5})"), "value location.accuracy"},
      {With(R"("received_at":"x")"), "reserved received_at"},
      {With(R"("event_time":null)"), "reserved event_time"},
      {With(R"("\u0065vent_time":1)"), "reserved event_time"},
      {With(R"("clock_skew_ms":1)"), "reserved clock_skew_ms"},
      {With(R"("timestamp_clamped":false)"), "reserved timestamp_clamped"},
      {With(R"("user_id":"a","user_id":"b")"), "duplicate_key user_id"},
      {With("\"properties\":{\"a\":\"\xff\"}"), "encoding "},
      {With(R"("properties":{"a":"\udead"})"), "encoding properties.a"},
  };
  for (const auto& [text, expected] : cases) {
    Checked c;
    EXPECT_EQ(c.Run(text), expected) << text;
  }
}

TEST(Event, TakesBordersAndNulls) {
  for (const char* members :
       {R"("location":{"latitude":-90,"longitude":180,"accuracy":0})", R"("location":{"latitude":null})",
        R"("user_id":null,"session_id":null,"device":null,"location":null,"timestamp":null,"sent_at":null)",
        R"("event_id":null)", R"("timestamp":1763719200000.75)", R"("timestamp":"2025-11-21")"}) {
    Checked c;
    EXPECT_EQ(c.Run(With(members)), "") << members;
  }
}

TEST(Event, DepthIsLimited) {
  Checked c;
  c.config.max_depth = 4;
  EXPECT_EQ(c.Run(With(R"("p":{"a":{"b":[]}})")), "");
  EXPECT_EQ(c.Run(With(R"("p":{"a":{"b":[{}]}})")), "too_deep p.a.b");
}

TEST(Event, EventIdCanBeRequired) {
  Checked c;
  c.config.require_event_id = true;
  EXPECT_EQ(c.Run(With("\"a\":1")), "missing event_id");
}

TEST(Event, SentAtCorrectsTheDeviceClock) {
  Checked c;
  // The device's clock is an hour slow: it sent at 09:00 what arrived at 10:00, and acted at 08:59:30.
  ASSERT_EQ(c.Run(With(R"("timestamp":"2025-11-21T08:59:30Z","sent_at":"2025-11-21T09:00:00Z")")), "");
  EXPECT_EQ(FormatTimestamp(c.event.event_time), "2025-11-21T09:59:30.000Z");
  EXPECT_EQ(c.event.clock_skew_ms, 3600000);
  // Within the threshold nothing is touched.
  ASSERT_EQ(c.Run(With(R"("timestamp":"2025-11-21T09:59:30Z","sent_at":"2025-11-21T09:59:55Z")")), "");
  EXPECT_EQ(FormatTimestamp(c.event.event_time), "2025-11-21T09:59:30.000Z");
  EXPECT_FALSE(c.event.clock_skew_ms.has_value());
  // The request's header serves events without a sent_at of their own; a fast clock is corrected backwards.
  c.context.sent = TimestampFromMs(ToMs(kNow) + 7200000);
  ASSERT_EQ(c.Run(With(R"("timestamp":"2025-11-21T11:59:59Z")")), "");
  EXPECT_EQ(FormatTimestamp(c.event.event_time), "2025-11-21T09:59:59.000Z");
  EXPECT_EQ(c.event.clock_skew_ms, -7200000);
  EXPECT_FALSE(c.event.timestamp_clamped);
  ASSERT_EQ(c.Run(With(R"("timestamp":"2025-11-21T09:59:59Z","sent_at":"2025-11-21T10:00:00Z")")), "");
  EXPECT_FALSE(c.event.clock_skew_ms.has_value());
}

TEST(Event, ExtremeSentAtDoesNotOverflow) {
  Checked c;
  ASSERT_EQ(c.Run(With(R"("timestamp":"9999-12-31T23:59:59Z","sent_at":0)")), "");
  EXPECT_TRUE(c.event.timestamp_clamped);
  ASSERT_EQ(c.Run(With(R"("timestamp":0,"sent_at":"9999-12-31T23:59:59Z")")), "");
  EXPECT_EQ(c.event.event_time, Timestamp{});
}

TEST(Event, FutureTimesAreClampedAndFlagged) {
  Checked c;
  ASSERT_EQ(c.Run(With(R"("timestamp":"2025-11-21T10:01:00Z")")), "");
  EXPECT_FALSE(c.event.timestamp_clamped);
  ASSERT_EQ(c.Run(With(R"("timestamp":"2025-11-21T10:01:00.001Z")")), "");
  EXPECT_TRUE(c.event.timestamp_clamped);
  EXPECT_EQ(c.event.event_time, kNow);
}

TEST(Event, PartitionKeyFollowsTheExpression) {
  Checked c;
  ASSERT_EQ(c.Run(With(R"("user_id":"","session_id":77)")), "");
  EXPECT_EQ(c.event.partition_key, "77");
  ASSERT_EQ(c.Run(With("\"event_id\":\"" + std::string(kId) + "\"")), "");
  EXPECT_EQ(c.event.partition_key, kId);
  ASSERT_EQ(c.Run(With("\"x\":1")), "");
  EXPECT_EQ(c.event.partition_key, "");
  c.config.partition_key = " properties.channel.id , user_id";
  ASSERT_EQ(c.Run(With(R"("user_id":"u","properties":{"channel":{"id":"c\u65e5"}})")), "");
  EXPECT_EQ(c.event.partition_key, "c日");
  ASSERT_EQ(c.Run(With(R"("user_id":"u","properties":{"channel":{"id":{}}})")), "");
  EXPECT_EQ(c.event.partition_key, "u");
  c.config.partition_key = "properties.url";
  std::string url;
  for (int i = 0; i < 300; ++i) url += "日";
  ASSERT_EQ(c.Run(With("\"properties\":{\"url\":\"" + url + "\"}")), "");
  EXPECT_EQ(CountCharacters(c.event.partition_key), 256u);
  EXPECT_FALSE(PartitionKeyExpression::Parse("a,,b").ok());
  EXPECT_FALSE(PartitionKeyExpression::Parse("").ok());
  EXPECT_FALSE(PartitionKeyExpression::Parse("a..b").ok());
}

TEST(Event, TheStoredRecordKeepsTheClientsBytes) {
  Checked c;
  ASSERT_EQ(c.Run("{ \"event_type\" :\t\"t\",\"n\":1.50e+02,\"s\":\"\\u65e5\" }"), "");
  EXPECT_EQ(c.Stored(kId),
            "{\"received_at\":\"2025-11-21T10:00:00.000Z\",\"event_time\":\"2025-11-21T10:00:00.000Z\","
            "\"event_id\":\"1b4e28ba-2fa1-4d3b-883f-0016d3cca427\","
            " \"event_type\" :\t\"t\",\"n\":1.50e+02,\"s\":\"\\u65e5\" }");
  ASSERT_EQ(c.Run(With(R"("timestamp":"2025-11-21T12:00:00Z")")), "");
  EXPECT_EQ(c.Stored(),
            "{\"received_at\":\"2025-11-21T10:00:00.000Z\",\"event_time\":\"2025-11-21T10:00:00.000Z\","
            "\"timestamp_clamped\":true,\"event_type\":\"t\",\"timestamp\":\"2025-11-21T12:00:00Z\"}");
  ASSERT_EQ(c.Run(With(R"("timestamp":"2025-11-21T08:00:00Z","sent_at":"2025-11-21T09:00:00Z")")), "");
  EXPECT_TRUE(
      c.Stored().starts_with("{\"received_at\":\"2025-11-21T10:00:00.000Z\","
                             "\"event_time\":\"2025-11-21T09:00:00.000Z\",\"clock_skew_ms\":3600000,"));
}

TEST(Event, AMadeIdTakesThePlaceOfNull) {
  Checked c;
  ASSERT_EQ(c.Run(With(R"("event_id":null,"z":1)")), "");
  EXPECT_TRUE(c.Stored(kId).ends_with(
      ",\"event_type\":\"t\",\"event_id\":\"1b4e28ba-2fa1-4d3b-883f-0016d3cca427\",\"z\":1}"));
  JsonScanner scanner;
  EXPECT_EQ(EventIdOf(c.Stored(kId), &scanner), ParseUuid(kId));
}

TEST(Event, TimestampsAreWrittenAsTheBaseModuleDoes) {
  for (const std::int64_t ms : {0LL, 1LL, 951782400000LL, 1763719200123LL, 253402300799999LL}) {
    std::string text;
    AppendTimestamp(TimestampFromMs(ms), text);
    EXPECT_EQ(text, FormatTimestamp(TimestampFromMs(ms)));
  }
}

}  // namespace
}  // namespace honryu::api::gateway
