#include "honryu/consumer/dead_letter.h"

#include "honryu/async/runtime.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace honryu::consumer {
namespace {

DeadLetter Letter(std::string data, std::uint64_t sequence = 42) {
  DeadLetter letter;
  letter.application = "app";
  letter.stream = "events";
  letter.shard_id = "shardId-000000000003";
  letter.record.sequence.words[2] = sequence;
  letter.record.sub_sequence = 5;
  letter.record.arrival = TimestampFromMs(1700000000123);
  letter.record.partition_key = "user-鍵";
  letter.record.data = Bytes(std::move(data));
  letter.reason = DeadLetterReason::kHandler;
  letter.message = "no such \"user\"";
  letter.attempts = 7;
  letter.first_failure = TimestampFromMs(1700000001000);
  letter.last_failure = TimestampFromMs(1700000002000);
  return letter;
}

TEST(DeadLetter, ReadsBackAsItWasWritten) {
  const DeadLetter letter = Letter(std::string("\0\xff any bytes", 12));
  const auto entries = EncodeDeadLetter(letter, 1000);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].partition_key, "user-鍵");
  const auto entry = DecodeDeadLetter(entries[0].data);
  ASSERT_TRUE(entry.ok()) << entry.error().ToString();
  ASSERT_TRUE(entry->part.has_value());
  const DeadLetterPart& part = *entry->part;
  EXPECT_EQ(part.id, letter.Id());
  EXPECT_EQ(part.id.size(), 16u);
  EXPECT_EQ(part.parts, 1u);
  EXPECT_EQ(part.size, 12u);
  EXPECT_EQ(part.reason, "handler");
  EXPECT_EQ(part.letter.Id(), letter.Id());
  EXPECT_EQ(part.letter.record.data, letter.record.data);
  EXPECT_EQ(part.letter.record.arrival, letter.record.arrival);
  EXPECT_EQ(part.letter.record.partition_key, letter.record.partition_key);
  EXPECT_EQ(part.letter.record.sub_sequence, 5u);
  EXPECT_EQ(part.letter.message, letter.message);
  EXPECT_EQ(part.letter.attempts, 7);
  EXPECT_EQ(part.letter.first_failure, letter.first_failure);
  EXPECT_EQ(part.letter.last_failure, letter.last_failure);
}

// docs/formats/consumer-dead-letter.md: a released format, which later versions must read.
TEST(DeadLetter, IsWrittenAsItsFormatSays) {
  EXPECT_EQ(EncodeDeadLetter(Letter("hi"), 1000)[0].data.view(),
            "{\"version\":1,\"type\":\"dead_letter\",\"id\":\"" + Letter("").Id() +
                "\",\"application\":\"app\",\"stream\":\"events\",\"shard\":\"shardId-000000000003\","
                "\"sequence\":\"42\",\"sub_sequence\":5,\"arrival\":\"2023-11-14T22:13:20.123Z\","
                "\"partition_key\":\"user-鍵\",\"reason\":\"handler\",\"message\":\"no such \\\"user\\\"\","
                "\"attempts\":7,\"first_failure\":\"2023-11-14T22:13:21.000Z\","
                "\"last_failure\":\"2023-11-14T22:13:22.000Z\",\"part\":0,\"parts\":1,\"size\":2,"
                "\"data\":\"aGk=\"}");
}

TEST(DeadLetter, LongDataIsCutIntoParts) {
  std::string data;
  for (int i = 0; i < 2500; ++i) data += static_cast<char>(i);
  const auto entries = EncodeDeadLetter(Letter(data), 1000);
  ASSERT_EQ(entries.size(), 3u);
  std::string joined;
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto entry = DecodeDeadLetter(entries[i].data);
    ASSERT_TRUE(entry.ok());
    EXPECT_EQ(entry->part->part, i);
    EXPECT_EQ(entry->part->parts, 3u);
    EXPECT_EQ(entry->part->size, 2500u);
    joined += entry->part->letter.record.data.view();
  }
  EXPECT_EQ(joined, data);
}

TEST(DeadLetter, TheIdTellsRecordsAndApplicationsApart) {
  std::set<std::string> ids;
  DeadLetter letter = Letter("x");
  ids.insert(letter.Id());
  letter.attempts = 9;
  letter.record.data = Bytes("y");
  ids.insert(letter.Id());
  EXPECT_EQ(ids.size(), 1u);  // nothing of that matters
  letter.record.sub_sequence = 6;
  ids.insert(letter.Id());
  letter.application = "other";
  ids.insert(letter.Id());
  letter.stream = "other";
  ids.insert(letter.Id());
  letter.record.sequence.words[2] = 43;
  ids.insert(letter.Id());
  EXPECT_EQ(ids.size(), 5u);
}

TEST(DeadLetter, MarksReadBackAndForeignRecordsAreTold) {
  RedriveMark mark;
  mark.redrive = "0a";
  mark.state = RedriveMark::State::kDone;
  mark.at = TimestampFromMs(1700000000123);
  mark.ids = {"1", "2"};
  const auto entry = DecodeDeadLetter(EncodeRedriveMark(mark).data);
  ASSERT_TRUE(entry.ok() && entry->mark.has_value());
  EXPECT_EQ(entry->mark->redrive, "0a");
  EXPECT_EQ(entry->mark->state, RedriveMark::State::kDone);
  EXPECT_EQ(entry->mark->at, mark.at);
  EXPECT_EQ(entry->mark->ids, mark.ids);
  for (const char* foreign :
       {"", "plain", "{}", "[]", "{\"version\":2,\"type\":\"redrive\"}", "{\"version\":1,\"type\":\"x\"}",
        "{\"version\":1,\"type\":\"redrive\",\"redrive\":\"a\",\"state\":\"maybe\",\"at\":\"2026-01-01\"}",
        "{\"version\":1,\"type\":\"dead_letter\",\"id\":\"a\"}"})
    EXPECT_FALSE(DecodeDeadLetter(foreign).ok()) << foreign;
}

TEST(DeadLetter, StreamsAreNamedAfterTheApplication) {
  EXPECT_EQ(DeadLetterStreamOf("billing"), "billing-dead-letters");
  EXPECT_EQ(DeadLetterStreamOf("a b\xc3\xa9"), "a-b---dead-letters");
}

class DeadLetterWriterTest : public ::testing::Test {
 protected:
  Result<void> Write(std::vector<DeadLetter> letters) {
    return runtime_.BlockOn(
        writer_.Write(async::Context::WithTimeout(std::chrono::seconds(20)), std::move(letters)));
  }
  ManualClock clock_{TimestampFromMs(1700000000000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  DeadLetterConfig config_{.enabled = true, .stream = "", .retention_hours = 168};
  DeadLetterWriter writer_{config_, "app", "events", client_, registry_};
};

TEST_F(DeadLetterWriterTest, MakesTheStreamWhenItIsNeededAndAgainWhenItIsGone) {
  EXPECT_TRUE(client_.Records("app-dead-letters").empty());
  EXPECT_TRUE(Write({Letter("a")}).ok());
  EXPECT_EQ(client_.Records("app-dead-letters").size(), 1u);
  client_.DeleteStream("app-dead-letters");
  EXPECT_TRUE(Write({Letter("b")}).ok());
  EXPECT_EQ(client_.Records("app-dead-letters").size(), 1u);
}

TEST_F(DeadLetterWriterTest, OnlyWhatWasNotStoredIsWrittenAgain) {
  int faults = 2;
  client_.FailEntries([&faults](const client::PutEntry& entry) -> std::optional<Error> {
    if (entry.data.view().find("\"sequence\":\"2\"") == std::string_view::npos || faults-- <= 0)
      return std::nullopt;
    return Error(ErrorCode::kOverloaded, "throttled");
  });
  EXPECT_TRUE(Write({Letter("a", 1), Letter("b", 2), Letter("c", 3)}).ok());
  EXPECT_EQ(client_.Records("app-dead-letters").size(), 3u);
}

TEST_F(DeadLetterWriterTest, CutsWhatTheStreamDoesNotTake) {
  client_.FailEntries([](const client::PutEntry& entry) -> std::optional<Error> {
    if (entry.data.size() <= 100'000) return std::nullopt;
    return Error(ErrorCode::kTooLarge, "larger than 100 kB");
  });
  EXPECT_TRUE(Write({Letter(std::string(300'000, 'x'))}).ok());
  // Parts of an earlier cut may have been stored, too: they tell how many there would have been.
  std::map<std::uint32_t, std::size_t> sizes;
  for (const client::StreamRecord& record : client_.Records("app-dead-letters")) {
    const DeadLetterPart part = *DecodeDeadLetter(record.data)->part;
    sizes[part.parts] += part.letter.record.data.size();
  }
  EXPECT_EQ(sizes.rbegin()->second, 300'000u);
  client_.FailEntries([](const client::PutEntry&) { return Error(ErrorCode::kTooLarge, "nothing fits"); });
  EXPECT_EQ(Write({Letter("x")}).error().code(), ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace honryu::consumer
