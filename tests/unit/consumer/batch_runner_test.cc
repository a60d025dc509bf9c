#include "honryu/consumer/batch_runner.h"

#include "honryu/async/runtime.h"
#include "honryu/codec/compression.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

namespace honryu::consumer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kStream[] = "events";
constexpr char kApplication[] = "app";
constexpr char kLetters[] = "app-dead-letters";

MonoTime Soon() { return std::chrono::steady_clock::now() + seconds(20); }

/// Notes what it is given. Data that begins with "poison" fails its batch; "report" is reported as failed.
class Notes final : public RecordHandler {
 public:
  async::Task<Result<BatchReport>> Process(async::Context ctx, const RecordBatch& batch) override {
    Begin(batch.shard_id);
    if (yields > 0) {
      for (std::size_t i = 0; i < batch.records.size() % 7 * static_cast<std::size_t>(yields); ++i)
        co_await async::Yield();
    }
    std::optional<async::OneShot<void>> hold = Hold(batch);
    if (hold) {
      Result<void> released = co_await hold->Wait(ctx.deadline);
      if (!released.ok()) {
        End(batch.shard_id);
        co_return released.error();
      }
    }
    Result<BatchReport> outcome = Note(batch);
    End(batch.shard_id);
    co_return outcome;
  }

  bool Await(const std::function<bool(const Notes&)>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), [&] { return condition(*this); });
  }
  /// From now on batches with this data wait until Release.
  void HoldBatchesWith(const std::string& data) {
    const std::lock_guard lock(mutex_);
    hold_ = data;
  }
  void Release() {
    std::vector<async::OneShot<void>> held;
    {
      const std::lock_guard lock(mutex_);
      hold_.clear();
      held.swap(holding_);
    }
    for (const auto& one : held) one.Set(Ok());
  }

  int yields = 0;
  std::vector<std::string> order_;        ///< Data of processed records, as they were done.
  std::vector<std::string> shard_order_;  ///< Their shards.
  std::map<std::string, std::vector<std::string>> by_key_;
  std::vector<std::size_t> sizes_;  ///< Of processed batches.
  std::multiset<std::string> seen_;
  int failed_ = 0, running_ = 0, held_ = 0;
  std::map<std::string, int> running_of_, most_of_;

 private:
  void Begin(const std::string& shard) {
    const std::lock_guard lock(mutex_);
    ++running_;
    most_of_[shard] = std::max(most_of_[shard], ++running_of_[shard]);
  }
  void End(const std::string& shard) {
    {
      const std::lock_guard lock(mutex_);
      --running_;
      --running_of_[shard];
    }
    changed_.notify_all();
  }
  std::optional<async::OneShot<void>> Hold(const RecordBatch& batch) {
    const std::lock_guard lock(mutex_);
    if (hold_.empty()) return std::nullopt;
    for (const client::StreamRecord& record : batch.records) {
      if (record.data.view() != hold_) continue;
      ++held_;
      holding_.emplace_back();
      changed_.notify_all();
      return holding_.back();
    }
    return std::nullopt;
  }
  Result<BatchReport> Note(const RecordBatch& batch) {
    const std::lock_guard lock(mutex_);
    BatchReport report;
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
      if (batch.records[i].data.view().starts_with("poison")) {
        ++failed_;
        return Error(ErrorCode::kInternal, "cannot digest it");
      }
      if (batch.records[i].data.view().starts_with("report")) report.failed.push_back(i);
    }
    const std::size_t good = report.failed.empty() ? batch.records.size() : report.failed.front();
    for (std::size_t i = 0; i < good; ++i) {
      const std::string data(batch.records[i].data.view());
      order_.push_back(data);
      shard_order_.push_back(batch.shard_id);
      seen_.insert(data);
      by_key_[batch.records[i].partition_key].push_back(data);
    }
    sizes_.push_back(good);
    return report;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string hold_;
  std::vector<async::OneShot<void>> holding_;
};

class BatchRunnerTest : public ::testing::Test {
 protected:
  void MakeStream(int shards) {
    client::StreamSettings settings;
    settings.shards = shards;
    runtime_.BlockOn(client_.EnsureStream({}, kStream, settings)).value();
  }
  static BatchRunnerConfig Config(const std::string& id) {
    BatchRunnerConfig config;
    config.worker.application = kApplication;
    config.worker.stream = kStream;
    config.worker.worker_id = id;
    config.worker.sync_interval = milliseconds(3);
    config.worker.poll_wait = milliseconds(20);
    config.worker.retry_initial = milliseconds(1);
    config.worker.retry_max = milliseconds(3);
    config.worker.dead_letters.enabled = true;
    config.retry_initial = milliseconds(1);
    config.retry_max = milliseconds(3);
    config.max_attempts = 3;
    return config;
  }
  // The runner lives in real time, leases in that of the test.
  std::unique_ptr<BatchRunner> Make(const BatchRunnerConfig& config, RecordHandler& handler) {
    const Result<void> valid = config.Validate();
    EXPECT_TRUE(valid.ok()) << valid.error().ToString();
    auto runner = std::make_unique<BatchRunner>(config, client_, handler, runtime_.executor(0), SystemClock(),
                                                registry_, &runtime_);
    runner->Start();
    return runner;
  }
  void Put(const std::vector<std::pair<std::string, std::string>>& records) {
    std::vector<client::PutEntry> entries;
    for (const auto& [key, data] : records) entries.push_back({key, Bytes(data), std::nullopt});
    const auto results = runtime_.BlockOn(client_.Put({}, kStream, std::move(entries)));
    for (const auto& result : results.value()) EXPECT_TRUE(result.ok());
  }
  void PutMany(int from, int to, int keys = 1000) {
    std::vector<std::pair<std::string, std::string>> records;
    for (int i = from; i < to; ++i)
      records.emplace_back("key-" + std::to_string(i % keys), "record-" + std::to_string(i));
    Put(records);
  }
  void Stop(BatchRunner& runner) { runtime_.BlockOn(runner.Stop(Soon())); }
  static bool Eventually(const std::function<bool()>& condition) {
    const MonoTime until = Soon();
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  std::vector<DeadLetterPart> Letters() {
    std::vector<DeadLetterPart> letters;
    for (const client::StreamRecord& record : client_.Records(kLetters)) {
      Result<DeadLetterEntry> entry = DecodeDeadLetter(record.data);
      EXPECT_TRUE(entry.ok()) << entry.error().ToString();
      letters.push_back(std::move(*entry->part));
    }
    return letters;
  }
  std::string Shard(int i) const { return "shardId-00000000000" + std::to_string(i); }
  /// Whether everything that is in the shard is behind its checkpoint.
  bool Checkpointed(int shard, std::size_t records) {
    const auto lease = client_.LeaseOf(kApplication, kStream, Shard(shard));
    return lease && lease->checkpoint && lease->checkpoint->words[2] == records;
  }

  ManualClock clock_{TimestampFromMs(1700000000000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
};

TEST_F(BatchRunnerTest, APoisonRecordGoesToTheDeadLettersAndItsNeighboursAreProcessedOnce) {
  MakeStream(1);
  PutMany(0, 150);
  Put({{"user-7", "poison-1"}});
  PutMany(150, 300);
  Notes notes;
  auto runner = Make(Config("a"), notes);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.seen_.size() == 300; }));
  ASSERT_TRUE(Eventually([&] { return Checkpointed(0, 301); }));
  Stop(*runner);
  EXPECT_EQ(notes.seen_.count("record-149"), 1u);
  EXPECT_EQ(notes.seen_.count("record-150"), 1u);
  const auto letters = Letters();
  ASSERT_EQ(letters.size(), 1u);
  const DeadLetter& letter = letters[0].letter;
  EXPECT_EQ(letter.record.data.view(), "poison-1");
  EXPECT_EQ(letter.record.partition_key, "user-7");
  EXPECT_EQ(letter.record.sequence.words[2], 151u);
  EXPECT_EQ(letter.record.arrival, TimestampFromMs(1700000000000));
  EXPECT_EQ(letter.application, kApplication);
  EXPECT_EQ(letter.stream, kStream);
  EXPECT_EQ(letter.shard_id, Shard(0));
  EXPECT_EQ(letter.reason, DeadLetterReason::kHandler);
  EXPECT_EQ(letter.message, "internal: cannot digest it");
  EXPECT_EQ(letter.attempts, notes.failed_);
  EXPECT_EQ(letters[0].id, letter.Id());
  const std::string metrics = registry_.Render();
  EXPECT_NE(metrics.find("honryu_consumer_dead_letters_total{application=\"app\",reason=\"handler\","
                         "stream=\"events\"} 1"),
            std::string::npos);
  EXPECT_NE(metrics.find("honryu_consumer_processed_total{application=\"app\",stream=\"events\"} 301"),
            std::string::npos);
  EXPECT_NE(metrics.find("honryu_consumer_pending_records{application=\"app\",stream=\"events\"} 0"),
            std::string::npos);
  EXPECT_EQ(metrics.find("honryu_consumer_bisects_total{application=\"app\",stream=\"events\"} 0"),
            std::string::npos);
}

TEST_F(BatchRunnerTest, KeepsTheOrderOfEachKeyWithTenBatchesOfAShardAtATime) {
  MakeStream(2);
  PutMany(0, 3000, 37);
  Put({{"key-3", "poison-1"}, {"key-4", "poison-2"}});
  PutMany(3000, 4000, 37);
  Notes notes;
  notes.yields = 3;
  BatchRunnerConfig config = Config("a");
  config.parallelisation = 10;
  config.max_records = 13;
  auto runner = Make(config, notes);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.seen_.size() >= 4000; }));
  ASSERT_TRUE(Eventually([&] { return Letters().size() == 2; }));
  Stop(*runner);
  EXPECT_EQ(notes.seen_.size(), 4000u);
  for (const auto& [key, data] : notes.by_key_) {
    std::vector<int> numbers;
    for (const std::string& one : data) numbers.push_back(std::stoi(one.substr(7)));
    EXPECT_TRUE(std::ranges::is_sorted(numbers)) << key;
  }
  for (const auto& [shard, most] : notes.most_of_) {
    EXPECT_GT(most, 3) << shard;
    EXPECT_LE(most, 10) << shard;
  }
}

TEST_F(BatchRunnerTest, AReportedRecordIsSetAsideAloneAfterItsAttempts) {
  MakeStream(1);
  Put({{"a", "one"}, {"b", "report-1"}, {"c", "two"}, {"d", "three"}});
  Notes notes;
  auto runner = Make(Config("a"), notes);
  ASSERT_TRUE(Eventually([&] { return Checkpointed(0, 4); }));
  Stop(*runner);
  EXPECT_EQ(notes.order_, (std::vector<std::string>{"one", "two", "three"}));
  ASSERT_EQ(Letters().size(), 1u);
  EXPECT_EQ(Letters()[0].letter.attempts, 3);
}

TEST_F(BatchRunnerTest, TakesOverInTheMiddleOfBatchesFromTheCheckpointWithoutAGap) {
  MakeStream(1);
  PutMany(0, 500, 50);
  Notes killed;
  killed.HoldBatchesWith("record-210");
  BatchRunnerConfig config = Config("a");
  config.parallelisation = 5;
  config.max_records = 10;
  auto first = Make(config, killed);
  ASSERT_TRUE(killed.Await([](const Notes& n) { return n.held_ == 1 && n.seen_.size() > 350; }));
  ASSERT_TRUE(Eventually([&] {
    const auto lease = client_.LeaseOf(kApplication, kStream, Shard(0));
    return lease && lease->checkpoint && lease->checkpoint->words[2] > 150;
  }));
  runtime_.BlockOn(first->Abandon());
  const std::uint64_t checkpoint = client_.LeaseOf(kApplication, kStream, Shard(0))->checkpoint->words[2];
  EXPECT_LE(checkpoint, 210u);  // record-210 is number 211, and was under way
  for (std::uint64_t i = 0; i < checkpoint; ++i)
    EXPECT_EQ(killed.seen_.count("record-" + std::to_string(i)), 1u) << i;
  clock_.Advance(seconds(11));
  Notes heir;
  config.worker.worker_id = "b";
  auto second = Make(config, heir);
  ASSERT_TRUE(Eventually([&] { return Checkpointed(0, 500); }));
  Stop(*second);
  EXPECT_EQ(heir.seen_.size(), 500 - checkpoint);
  for (std::uint64_t i = checkpoint; i < 500; ++i)
    EXPECT_EQ(heir.seen_.count("record-" + std::to_string(i)), 1u) << i;
}

TEST_F(BatchRunnerTest, ChildrenBeginWhenEveryLaneOfTheirParentIsDone) {
  MakeStream(1);
  PutMany(0, 200, 50);
  Notes notes;
  notes.HoldBatchesWith("record-100");
  BatchRunnerConfig config = Config("a");
  config.parallelisation = 4;
  config.max_records = 5;
  auto runner = Make(config, notes);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.held_ == 1 && n.seen_.size() > 100; }));
  client_.Split(kStream, Shard(0));
  PutMany(200, 400, 50);
  const int looks = client_.LeaseLooks(kApplication);
  ASSERT_TRUE(Eventually([&] { return client_.LeaseLooks(kApplication) > looks + 5; }));
  EXPECT_FALSE(client_.LeaseOf(kApplication, kStream, Shard(1)).has_value());
  notes.Release();
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.seen_.size() == 400; }));
  Stop(*runner);
  EXPECT_TRUE(client_.LeaseOf(kApplication, kStream, Shard(0))->finished);
  const auto first_child =
      std::ranges::find_if(notes.shard_order_, [&](const std::string& id) { return id != Shard(0); });
  EXPECT_EQ(std::ranges::count(first_child, notes.shard_order_.end(), Shard(0)), 0);
  for (const auto& [key, data] : notes.by_key_) {
    std::vector<int> numbers;
    for (const std::string& one : data) numbers.push_back(std::stoi(one.substr(7)));
    EXPECT_TRUE(std::ranges::is_sorted(numbers)) << key;
  }
}

TEST_F(BatchRunnerTest, AWindowGathersAndTheEndOfAShardWaitsForNone) {
  MakeStream(1);
  BatchRunnerConfig config = Config("a");
  config.window = std::chrono::minutes(5);
  config.max_records = 50;
  Notes notes;
  auto runner = Make(config, notes);
  for (int i = 0; i < 70; i += 10) PutMany(i, i + 10);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.sizes_.size() == 1; }));
  EXPECT_EQ(notes.sizes_, std::vector<std::size_t>{50});
  client_.Split(kStream, Shard(0));
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.seen_.size() == 70; }));
  EXPECT_EQ(notes.sizes_, (std::vector<std::size_t>{50, 20}));
  Stop(*runner);
}

TEST_F(BatchRunnerTest, WhatCannotBeOpenedIsSetAsideAndWhatIsInTheOthersIsProcessed) {
  MakeStream(1);
  std::string lines, expected_last;
  for (int i = 0; i < 20000; ++i) lines += "{\"n\":" + std::to_string(i) + "}\n";
  const std::string packed = codec::Compress(codec::Compression::kGzip, lines).value();
  const std::string broken = packed.substr(0, packed.size() / 2);
  Put({{"a", "one"}, {"b", broken}, {"c", packed}, {"d", std::string(100'000, 'x')}, {"e", "two"}});
  Notes notes;
  BatchRunnerConfig config = Config("a");
  config.worker.opening = OpeningConfig::All();
  config.worker.max_records = 1000;
  auto runner = Make(config, notes);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.seen_.size() == 20003; }));
  ASSERT_TRUE(Eventually([&] { return Checkpointed(0, 5); }));
  Stop(*runner);
  EXPECT_EQ(notes.order_[0], "one");
  EXPECT_EQ(notes.order_[1], "{\"n\":0}");
  EXPECT_EQ(notes.order_[20000], "{\"n\":19999}");
  EXPECT_EQ(notes.order_[20002], "two");
  const auto letters = Letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].letter.record.data.view(), broken);
  EXPECT_EQ(letters[0].reason, "unopenable");
  EXPECT_TRUE(letters[0].letter.message.starts_with("broken: ")) << letters[0].letter.message;
  EXPECT_NE(
      registry_.Render().find("honryu_consumer_open_failures_total{application=\"app\",reason=\"broken\","
                              "stream=\"events\"} 1"),
      std::string::npos);
}

TEST_F(BatchRunnerTest, WithoutDeadLettersThePoisonHaltsItsShardAlone) {
  MakeStream(2);
  PutMany(0, 20, 1);
  Put({{"key-0", "poison-1"}});
  BatchRunnerConfig config = Config("a");
  config.worker.dead_letters.enabled = false;
  Notes notes;
  auto runner = Make(config, notes);
  ASSERT_TRUE(Eventually([&] { return runner->halted_shards() == 1; }));
  EXPECT_FALSE(runner->Ready().ok());
  PutMany(100, 200);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.seen_.size() > 50; }));  // the other shard's
  Stop(*runner);
  EXPECT_TRUE(client_.Records(kLetters).empty());
  int stuck = 0;
  for (const int shard : {0, 1}) {
    const auto lease = client_.LeaseOf(kApplication, kStream, Shard(shard));
    stuck += lease->checkpoint->words[2] == 20 ? 1 : 0;
  }
  EXPECT_EQ(stuck, 1);
}

TEST_F(BatchRunnerTest, ARecordThatCannotBeOpenedHaltsItsShardWhereDeadLettersAreOff) {
  MakeStream(1);
  Put({{"a", codec::Compress(codec::Compression::kGzip, "a record of its own").value().substr(0, 30)}});
  BatchRunnerConfig config = Config("a");
  config.worker.dead_letters.enabled = false;
  config.worker.opening.gzip = true;
  Notes notes;
  auto runner = Make(config, notes);
  ASSERT_TRUE(Eventually([&] { return runner->halted_shards() == 1; }));
  Stop(*runner);
}

TEST_F(BatchRunnerTest, WaitsUntilTheDeadLettersCanBeWritten) {
  MakeStream(1);
  Put({{"a", "poison-1"}, {"b", "fine"}});
  client_.FailStream(kLetters, Error(ErrorCode::kUnavailable, "no room"));
  Notes notes;
  auto runner = Make(Config("a"), notes);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.failed_ >= 4; }));  // both, and alone three times
  const int calls = client_.put_calls();
  ASSERT_TRUE(Eventually([&] { return client_.put_calls() > calls + 2; }));
  EXPECT_FALSE(Checkpointed(0, 1));
  client_.HealStream(kLetters);
  ASSERT_TRUE(Eventually([&] { return Checkpointed(0, 2); }));
  Stop(*runner);
  EXPECT_EQ(Letters().size(), 1u);
}

TEST_F(BatchRunnerTest, StopsWhileARecordIsTriedAgainAndSavesWhatIsDone) {
  MakeStream(1);
  PutMany(0, 10);
  Put({{"x", "poison-1"}});
  BatchRunnerConfig config = Config("a");
  config.max_attempts = 1'000'000;
  config.retry_initial = config.retry_max = std::chrono::hours(1);
  config.max_records = 10;
  Notes notes;
  auto runner = Make(config, notes);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.seen_.size() == 10 && n.failed_ > 0; }));
  Stop(*runner);
  EXPECT_TRUE(Checkpointed(0, 10));
  EXPECT_EQ(client_.LeaseOf(kApplication, kStream, Shard(0))->owner, "");
}

TEST_F(BatchRunnerTest, ACallThatNeverEndsIsCancelledAtTheDeadlineOfTheStop) {
  MakeStream(1);
  PutMany(0, 10, 1);
  BatchRunnerConfig config = Config("a");
  config.max_records = 5;
  Notes notes;
  notes.HoldBatchesWith("record-7");
  auto runner = Make(config, notes);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.held_ == 1; }));
  runtime_.BlockOn(runner->Stop(std::chrono::steady_clock::now() + milliseconds(20)));
  EXPECT_EQ(notes.running_, 0);
  EXPECT_TRUE(Checkpointed(0, 5));
}

TEST_F(BatchRunnerTest, ALostLeaseCancelsCallsUnderWayAndNothingMoreIsSaved) {
  MakeStream(1);
  PutMany(0, 40, 8);
  BatchRunnerConfig config = Config("a");
  config.worker.lease_duration = milliseconds(30);  // renewed every 10 ms
  config.worker.exclusive = true;                   // so that the thief does not count as one to share with
  config.max_records = 5;
  config.parallelisation = 3;
  Notes notes;
  notes.HoldBatchesWith("record-20");
  auto runner = Make(config, notes);
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.held_ == 1 && n.seen_.size() > 10; }));
  for (bool stolen = false; !stolen; clock_.Advance(seconds(1))) {
    stolen = runtime_
                 .BlockOn(client_.AcquireLease({}, kApplication, kStream, Shard(0), "thief",
                                               std::chrono::hours(1000)))
                 .ok();
  }
  ASSERT_TRUE(Eventually([&] { return runner->held_shards().empty(); }));
  ASSERT_TRUE(notes.Await([](const Notes& n) { return n.running_ == 0; }));
  Stop(*runner);
  EXPECT_EQ(notes.seen_.count("record-20"), 0u);
  const auto lease = client_.LeaseOf(kApplication, kStream, Shard(0));
  EXPECT_EQ(lease->owner, "thief");
  EXPECT_TRUE(!lease->checkpoint || lease->checkpoint->words[2] <= 20);
}

TEST_F(BatchRunnerTest, LatestMeansSinceTheApplicationBeganAlsoForShardsMadeWhileNobodyReads) {
  MakeStream(1);
  PutMany(0, 10);
  // Arrival times and the runner's clock must be of the same time here.
  testing::FakeStreamClient client(SystemClock());
  runtime_.BlockOn(client.EnsureStream({}, kStream, {.shards = 1})).value();
  BatchRunnerConfig config = Config("a");
  config.start = client::FromLatest{};
  Notes first;
  BatchRunner before(config, client, first, runtime_.executor(0), SystemClock(), registry_);
  before.Start();
  ASSERT_TRUE(Eventually([&] {
    const auto lease = client.LeaseOf(kApplication, kStream, Shard(0));
    return lease && lease->state.starts_with("began_ms=");
  }));
  Stop(before);
  client.Split(kStream, Shard(0));
  std::vector<client::PutEntry> entries;
  for (int i = 0; i < 20; ++i)
    entries.push_back({"key-" + std::to_string(i), Bytes("record-" + std::to_string(i)), std::nullopt});
  ASSERT_TRUE(runtime_.BlockOn(client.Put({}, kStream, std::move(entries))).ok());
  Notes second;
  config.worker.worker_id = "b";
  BatchRunner after(config, client, second, runtime_.executor(0), SystemClock(), registry_);
  after.Start();
  EXPECT_TRUE(second.Await([](const Notes& n) { return n.seen_.size() == 20; }));
  Stop(after);
}

TEST(BatchRunnerConfig, NamesWhatIsWrong) {
  BatchRunnerConfig config;
  config.worker.application = "a";
  config.worker.stream = "s";
  EXPECT_TRUE(config.Validate().ok());
  config.parallelisation = 11;
  EXPECT_NE(config.Validate().error().message().find("parallelisation"), std::string::npos);
  config.parallelisation = 10;
  config.window = std::chrono::minutes(6);
  EXPECT_NE(config.Validate().error().message().find("window"), std::string::npos);
  config.window = std::chrono::minutes(5);
  config.max_record_age = seconds(60);
  EXPECT_NE(config.Validate().error().message().find("dead letters"), std::string::npos);
  config.worker.dead_letters.enabled = true;
  EXPECT_TRUE(config.Validate().ok());
}

}  // namespace
}  // namespace honryu::consumer
