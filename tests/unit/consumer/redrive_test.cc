#include "honryu/consumer/redrive.h"

#include "honryu/async/runtime.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

namespace honryu::consumer {
namespace {

constexpr char kLetters[] = "app-dead-letters";

class RedriveTest : public ::testing::Test {
 protected:
  RedriveTest() {
    client::StreamSettings settings;
    settings.shards = 2;
    runtime_.BlockOn(client_.EnsureStream({}, "events", settings)).value();
  }
  DeadLetter Letter(std::uint64_t sequence, std::string data, const std::string& stream = "events") {
    DeadLetter letter;
    letter.application = "app";
    letter.stream = stream;
    letter.shard_id = "shardId-000000000000";
    letter.record.sequence.words[2] = sequence;
    letter.record.partition_key = "key-" + std::to_string(sequence % 7);
    letter.record.data = Bytes(std::move(data));
    letter.message = "on purpose";
    letter.first_failure = letter.last_failure = clock_.Now();
    return letter;
  }
  void Store(std::vector<DeadLetter> letters) {
    DeadLetterConfig config;
    config.enabled = true;
    DeadLetterWriter writer(config, "app", "events", client_, registry_);
    ASSERT_TRUE(
        runtime_
            .BlockOn(writer.Write(async::Context::WithTimeout(std::chrono::seconds(20)), std::move(letters)))
            .ok());
  }
  void StoreMany(std::uint64_t from, std::uint64_t to) {
    std::vector<DeadLetter> letters;
    for (std::uint64_t i = from; i <= to; ++i) letters.push_back(Letter(i, "data-" + std::to_string(i)));
    Store(std::move(letters));
  }
  Result<RedriveProgress> Run(RedriveRequest request = {},
                              std::function<bool(const RedriveProgress&)> progress = nullptr) {
    request.stream = kLetters;
    return runtime_.BlockOn(Redrive(client_, std::move(request), clock_, std::move(progress)));
  }
  LetterList List(LetterFilter filter = {}, bool with_data = false, std::size_t limit = 1000) {
    LetterScan scan;
    scan.stream = kLetters;
    scan.filter = std::move(filter);
    scan.with_data = with_data;
    scan.limit = limit;
    return runtime_.BlockOn(ListDeadLetters(client_, std::move(scan))).value();
  }
  std::size_t Events() const { return client_.Records("events").size(); }

  ManualClock clock_{TimestampFromMs(1700000000000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
};

TEST_F(RedriveTest, PutsLettersBackOnceInOrderWithTheirKeys) {
  StoreMany(1, 1200);
  std::vector<std::size_t> steps;
  const auto progress = Run({}, [&steps](const RedriveProgress& so_far) {
    steps.push_back(so_far.done);
    return true;
  });
  ASSERT_TRUE(progress.ok()) << progress.error().ToString();
  EXPECT_EQ(progress->chosen, 1200u);
  EXPECT_EQ(progress->done, 1200u);
  EXPECT_EQ(steps, (std::vector<std::size_t>{0, 500, 1000, 1200}));
  std::map<std::string, std::uint64_t> last;
  for (const client::StreamRecord& record : client_.Records("events")) {
    const std::uint64_t number = std::stoul(std::string(record.data.view().substr(5)));
    EXPECT_EQ(record.partition_key, "key-" + std::to_string(number % 7));
    EXPECT_GT(number, last[record.partition_key]);
    last[record.partition_key] = number;
  }
  EXPECT_EQ(Events(), 1200u);
  const auto second = Run();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->chosen, 0u);
  EXPECT_EQ(second->skipped, 1200u);
  EXPECT_EQ(Events(), 1200u);
  RedriveRequest again;
  again.again = true;
  again.filter.ids = {List().letters[0].letter.id};
  EXPECT_EQ(Run(again)->done, 1u);
  EXPECT_EQ(Events(), 1201u);
}

TEST_F(RedriveTest, ChoosesByFilterAndTheNextTakesTheRest) {
  StoreMany(1, 3);
  clock_.Advance(std::chrono::hours(1));
  DeadLetter other = Letter(4, "data-4");
  other.reason = DeadLetterReason::kUnopenable;
  Store({other});
  RedriveRequest request;
  request.filter.reason = "unopenable";
  EXPECT_EQ(Run(request)->done, 1u);
  EXPECT_EQ(client_.Records("events")[0].data.view(), "data-4");
  request.filter = {};
  request.filter.from = clock_.Now() - std::chrono::minutes(90);
  request.filter.to = clock_.Now() - std::chrono::minutes(30);
  EXPECT_EQ(Run(request)->done, 3u);
  EXPECT_EQ(Run()->chosen, 0u);
}

TEST_F(RedriveTest, LettersStoredTwiceAndInPartsComeBackOnceAndWhole) {
  const std::string large(1'300'000, 'x');
  Store({Letter(1, "small"), Letter(2, large)});
  Store({Letter(1, "small"), Letter(2, large)});
  const LetterList list = List({}, true);
  ASSERT_EQ(list.letters.size(), 2u);
  EXPECT_EQ(list.letters[1].letter.letter.record.data.size(), large.size());
  EXPECT_EQ(list.summary.bytes, large.size() + 5);
  EXPECT_EQ(Run()->done, 2u);
  std::size_t bytes = 0;
  for (const client::StreamRecord& record : client_.Records("events")) bytes += record.data.size();
  EXPECT_EQ(bytes, large.size() + 5);
}

TEST_F(RedriveTest, AFailureKeepsTheRestForTheNextTime) {
  Store({Letter(1, "a"), Letter(2, "too large"), Letter(3, "c", "gone")});
  client_.FailEntries([](const client::PutEntry& entry) -> std::optional<Error> {
    if (entry.data.view() != "too large") return std::nullopt;
    return Error(ErrorCode::kTooLarge, "refused");
  });
  EXPECT_EQ(Run().error().code(), ErrorCode::kNotFound);  // of stream "gone"
  EXPECT_EQ(Events(), 1u);
  std::map<std::string, std::size_t> status = List().summary.by_status;
  EXPECT_EQ(status["redriven"], 1u);
  EXPECT_EQ(status["waiting"], 2u);
  client_.FailEntries(nullptr);
  RedriveRequest elsewhere;
  elsewhere.destination = "events";
  EXPECT_EQ(Run(elsewhere)->done, 2u);
  EXPECT_EQ(Events(), 3u);
}

TEST_F(RedriveTest, ALostAnswerLeavesLettersUncertainAndOnlyAgainTakesThem) {
  StoreMany(1, 3);
  client_.LoseAnswers(1, Error(ErrorCode::kUnavailable, "connection lost"), "events");
  EXPECT_EQ(Run().error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(Events(), 3u);  // nobody knows
  EXPECT_EQ(List().summary.by_status["uncertain"], 3u);
  const auto second = Run();
  EXPECT_EQ(second->chosen, 0u);
  EXPECT_EQ(second->uncertain, 3u);
  RedriveRequest again;
  again.again = true;
  EXPECT_EQ(Run(again)->done, 3u);
  EXPECT_EQ(List().summary.by_status["redriven"], 3u);
}

TEST_F(RedriveTest, OnlyOneAtATime) {
  StoreMany(1, 2);
  ASSERT_TRUE(
      runtime_
          .BlockOn(client_.AcquireLease({}, "honryu-redrive", kLetters, std::string(client::kStreamSlot),
                                        "another", std::chrono::hours(1)))
          .ok());
  EXPECT_EQ(Run().error().code(), ErrorCode::kConflict);
}

TEST_F(RedriveTest, StopsBetweenStepsAndGoesOnLater) {
  StoreMany(1, 700);
  const auto stopped = Run({}, [](const RedriveProgress& so_far) { return so_far.done == 0; });
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped->done, 500u);
  EXPECT_EQ(Events(), 500u);
  EXPECT_EQ(Run()->done, 200u);
  EXPECT_EQ(Events(), 700u);
}

TEST_F(RedriveTest, ListsTheNewestAndSumsUpAll) {
  StoreMany(1, 30);
  std::vector<client::PutEntry> foreign;
  foreign.push_back({"k", Bytes("no letter"), std::nullopt});
  ASSERT_TRUE(runtime_.BlockOn(client_.Put({}, kLetters, std::move(foreign))).ok());
  RedriveRequest some;
  some.filter.ids = {Letter(30, "").Id().substr(0, 9)};
  EXPECT_EQ(Run(some)->done, 1u);
  const LetterList list = List({}, false, 10);
  ASSERT_EQ(list.letters.size(), 10u);
  EXPECT_EQ(list.letters.back().letter.letter.record.sequence.words[2], 30u);
  EXPECT_EQ(list.letters.back().status, LetterStatus::kRedriven);
  EXPECT_TRUE(list.letters.back().letter.letter.record.data.empty());
  EXPECT_EQ(list.summary.letters, 30u);
  EXPECT_EQ(list.summary.foreign, 1u);
  EXPECT_EQ(list.summary.by_reason, (std::map<std::string, std::size_t>{{"handler", 30}}));
  EXPECT_EQ(list.summary.by_status, (std::map<std::string, std::size_t>{{"redriven", 1}, {"waiting", 29}}));
}

}  // namespace
}  // namespace honryu::consumer
