#include "honryu/consumer/worker.h"

#include "honryu/async/runtime.h"
#include "honryu/client/aggregation.h"
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

MonoTime Soon() { return std::chrono::steady_clock::now() + seconds(20); }

/// Keeps what it was given; checkpoints after each batch if told to.
class Recorder final : public Handler {
 public:
  explicit Recorder(bool save) : save_(save) {}

  void OnShards(const std::vector<client::ShardDescription>& shards) override {
    Note([&] { listed_ = shards.size(); });
  }
  async::Task<Result<client::StartPosition>> OnShardStart(ShardStart start) override {
    client::StartPosition from = StartAtCheckpoint(start, client::FromTrimHorizon{});
    Note([&] {
      starts_.push_back(start.shard.shard_id);
      states_[start.shard.shard_id] = start.state;
      open_[start.shard.shard_id] = start.checkpointer;
    });
    co_return from;
  }
  async::Task<Result<void>> OnBatch(const Batch& batch) override {
    bool fail = false;
    Note([&] {
      fail = failures_ > 0;
      if (fail) {
        --failures_;
        ++failed_;
        return;
      }
      if (batch.records.front().sequence == last_[batch.shard_id]) ++cut_;
      for (const client::StreamRecord& record : batch.records) {
        const SequenceNumber before = last_[batch.shard_id];
        if (record.sequence <= before) ++repeated_;
        last_[batch.shard_id] = std::max(before, record.sequence);
        seen_.emplace(record.data.view());
        order_.emplace_back(batch.shard_id, record.sequence);
      }
    });
    if (fail) co_return Error(ErrorCode::kInternal, "on purpose");
    if (!save_) co_return Ok();
    Result<void> saved = co_await open_.at(batch.shard_id)
                             ->Save(async::Context::WithTimeout(seconds(5)), batch.records.back().sequence,
                                    "seen " + std::to_string(batch.records.size()));
    co_return saved;
  }
  async::Task<Result<void>> OnIdle(const std::string& shard_id) override {
    Note([&] { idle_.insert(shard_id); });
    co_return Ok();
  }
  async::Task<Result<void>> OnShardEnd(const std::string& shard_id) override {
    Note([&] { ended_.push_back(shard_id); });
    Result<void> finished = co_await open_.at(shard_id)->Finish(async::Context::WithTimeout(seconds(5)));
    co_return finished;
  }
  async::Task<void> OnShardStop(const std::string& shard_id) override {
    Note([&] { stopped_.insert(shard_id); });
    co_return;
  }
  void OnShardLost(const std::string& shard_id) override {
    Note([&] { lost_.insert(shard_id); });
  }

  void FailBatches(int count) {
    const std::lock_guard lock(mutex_);
    failures_ = count;
  }
  /// Waits (blocking) until `condition`, which sees this object locked, holds.
  bool Await(const std::function<bool(const Recorder&)>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), [&] { return condition(*this); });
  }

  std::set<std::string> seen_, idle_, stopped_, lost_;
  std::vector<std::string> starts_, ended_;
  std::vector<std::pair<std::string, SequenceNumber>> order_;
  std::map<std::string, std::string> states_;
  std::map<std::string, SequenceNumber> last_;
  std::size_t listed_ = 0;
  int repeated_ = 0;
  int cut_ = 0;  ///< Batches that begin with the record that the one before ended with.
  int failed_ = 0;

 private:
  void Note(const std::function<void()>& change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_all();
  }
  const bool save_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int failures_ = 0;
  std::map<std::string, std::shared_ptr<Checkpointer>> open_;
};

class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() {
    client::StreamSettings settings;
    settings.shards = 4;
    runtime_.BlockOn(client_.EnsureStream({}, kStream, settings)).value();
  }
  WorkerConfig Config(const std::string& id) const {
    WorkerConfig config;
    config.application = kApplication;
    config.stream = kStream;
    config.worker_id = id;
    config.sync_interval = milliseconds(3);
    config.poll_wait = milliseconds(20);
    config.retry_initial = milliseconds(1);
    config.retry_max = milliseconds(3);
    return config;
  }
  std::unique_ptr<Worker> Make(const WorkerConfig& config, Handler& handler) {
    EXPECT_TRUE(config.Validate().ok());
    auto worker = std::make_unique<Worker>(config, client_, handler, runtime_.executor(0), clock_, registry_);
    worker->Start();
    return worker;
  }
  void Put(int from, int to) {
    std::vector<client::PutEntry> entries;
    for (int i = from; i < to; ++i)
      entries.push_back({"key-" + std::to_string(i), Bytes("record-" + std::to_string(i)), std::nullopt});
    const auto results = runtime_.BlockOn(client_.Put({}, kStream, std::move(entries)));
    for (const auto& result : results.value()) EXPECT_TRUE(result.ok());
  }
  static bool Eventually(const std::function<bool()>& condition) {
    const MonoTime until = Soon();
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  void Stop(Worker& worker) { runtime_.BlockOn(worker.Stop(Soon())); }
  std::string Metrics() const { return registry_.Render(); }

  ManualClock clock_{TimestampFromMs(1700000000000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
};

TEST_F(WorkerTest, ReadsEveryShardInOrderAndGivesTheLeasesBack) {
  Put(0, 500);
  Recorder recorder(true);
  auto worker = Make(Config("a"), recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.seen_.size() == 500; }));
  Put(500, 600);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.seen_.size() == 600 && r.idle_.size() == 4; }));
  Stop(*worker);
  EXPECT_EQ(recorder.repeated_, 0);
  EXPECT_EQ(recorder.listed_, 4u);
  EXPECT_EQ(recorder.stopped_.size(), 4u);
  EXPECT_TRUE(worker->held_shards().empty());
  for (int i = 0; i < 4; ++i) {
    const auto lease = client_.LeaseOf(kApplication, kStream, "shardId-00000000000" + std::to_string(i));
    EXPECT_EQ(lease->owner, "");
    EXPECT_TRUE(lease->checkpoint.has_value());
    EXPECT_TRUE(lease->state.starts_with("seen "));
  }
  EXPECT_NE(Metrics().find("honryu_consumer_lease_changes_total{application=\"app\",change=\"released\","
                           "stream=\"events\"} 4"),
            std::string::npos);
}

TEST_F(WorkerTest, OpensAggregatesAndHandsThemOverInBatchesThatNeverCutOne) {
  client::AggregatingWriter writer(client_, kStream, client::AggregationConfig{.max_bytes = 2000});
  std::vector<client::PutEntry> entries;
  for (int i = 0; i < 1000; ++i)
    entries.push_back({"key-" + std::to_string(i), Bytes("record-" + std::to_string(i)), std::nullopt});
  const auto results = runtime_.BlockOn(writer.Put({}, std::move(entries)));
  for (const auto& result : results.value()) EXPECT_TRUE(result.ok());
  Recorder recorder(true);
  WorkerConfig config = Config("a");
  config.max_records = 10;
  auto worker = Make(config, recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.seen_.size() == 1000; }));
  Stop(*worker);
  // Each batch saved its last record's number: where a batch had cut an aggregate, the next would begin with
  // it.
  EXPECT_EQ(recorder.order_.size(), 1000u);
  EXPECT_EQ(recorder.cut_, 0);
}

TEST_F(WorkerTest, OpensWhatItIsToldToInBatchesOfBoundedBytesAndSetsAsideWhatItCannot) {
  std::string lines;
  for (int i = 0; i < 100; ++i)
    lines += "{\"n\":" + std::to_string(i) + ",\"pad\":\"" + std::string(100, 'x') + "\"}\n";
  std::vector<client::PutEntry> entries;
  for (int i = 0; i < 10; ++i) entries.push_back({"one key", Bytes(lines), std::nullopt});
  entries.push_back({"one key", Bytes(std::string("PK\x03\x04 is how an archive begins")), std::nullopt});
  entries.push_back({"one key", Bytes(std::string("the last")), std::nullopt});
  const auto results = runtime_.BlockOn(client_.Put({}, kStream, std::move(entries)));
  ASSERT_TRUE(results.ok());
  Recorder recorder(true);
  WorkerConfig config = Config("a");
  config.opening = OpeningConfig::All();
  config.dead_letters.enabled = true;
  config.max_bytes = 2 * lines.size() - 500;  // so that a batch has two of them
  auto worker = Make(config, recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.seen_.contains("the last"); }));
  Stop(*worker);
  EXPECT_EQ(recorder.order_.size(), 1001u);
  EXPECT_EQ(recorder.seen_.size(), 101u);
  EXPECT_EQ(recorder.cut_, 0);
  ASSERT_EQ(client_.Records("app-dead-letters").size(), 1u);
  const auto letter = DecodeDeadLetter(client_.Records("app-dead-letters")[0].data);
  EXPECT_EQ(letter->part->letter.reason, DeadLetterReason::kUnopenable);
}

TEST_F(WorkerTest, GoesOnBehindTheCheckpointWithTheSavedState) {
  Put(0, 300);
  Recorder first(true);
  auto worker = Make(Config("a"), first);
  EXPECT_TRUE(first.Await([](const Recorder& r) { return r.seen_.size() == 300; }));
  Stop(*worker);
  Put(300, 400);
  Recorder second(true);
  auto other = Make(Config("b"), second);
  EXPECT_TRUE(second.Await([](const Recorder& r) { return r.seen_.size() == 100; }));
  Stop(*other);
  EXPECT_EQ(second.seen_.size(), 100u);
  EXPECT_TRUE(second.states_.begin()->second.starts_with("seen "));
}

TEST_F(WorkerTest, AnotherWorkerTakesOverWhenTheLeasesOfAKilledOneExpire) {
  Put(0, 200);
  Recorder killed(false);
  auto first = Make(Config("a"), killed);
  EXPECT_TRUE(killed.Await([](const Recorder& r) { return r.seen_.size() == 200; }));
  runtime_.BlockOn(first->Abandon());
  EXPECT_TRUE(killed.stopped_.empty());
  Recorder heir(true);
  auto second = Make(Config("b"), heir);
  EXPECT_TRUE(heir.Await([](const Recorder& r) { return r.listed_ == 4; }));
  EXPECT_TRUE(heir.starts_.empty());  // the dead one's leases still stand
  clock_.Advance(seconds(11));
  EXPECT_TRUE(heir.Await([](const Recorder& r) { return r.seen_.size() == 200; }));  // nothing was saved
  Stop(*second);
}

TEST_F(WorkerTest, TwoWorkersShareTheShardsAndOneTakesAllWhenTheOtherStops) {
  Recorder one(true), two(true);
  auto a = Make(Config("a"), one);
  EXPECT_TRUE(one.Await([](const Recorder& r) { return r.starts_.size() == 4; }));
  auto b = Make(Config("b"), two);
  EXPECT_TRUE(two.Await([](const Recorder& r) { return r.starts_.size() == 2; }));
  EXPECT_EQ(a->held_shards().size(), 2u);
  Put(0, 400);
  EXPECT_TRUE(one.Await([](const Recorder& r) { return r.seen_.size() > 100; }));
  EXPECT_TRUE(two.Await([](const Recorder& r) { return r.seen_.size() > 100; }));
  Stop(*a);
  EXPECT_TRUE(two.Await([](const Recorder& r) { return r.starts_.size() == 4; }));
  Put(400, 500);
  EXPECT_TRUE(two.Await([&](const Recorder& r) { return r.seen_.size() + one.seen_.size() >= 500; }));
  Stop(*b);
  std::set<std::string> all = one.seen_;
  all.insert(two.seen_.begin(), two.seen_.end());
  EXPECT_EQ(all.size(), 500u);
}

TEST_F(WorkerTest, AnExclusiveWorkerOwnsAllAndTheOtherStandsBy) {
  Recorder one(true), two(true);
  WorkerConfig config = Config("a");
  config.exclusive = true;
  auto a = Make(config, one);
  EXPECT_TRUE(one.Await([](const Recorder& r) { return r.starts_.size() == 4; }));
  config.worker_id = "b";
  auto b = Make(config, two);
  EXPECT_TRUE(two.Await([](const Recorder& r) { return r.listed_ == 4; }));
  EXPECT_TRUE(b->held_shards().empty());
  Stop(*a);
  EXPECT_TRUE(two.Await([](const Recorder& r) { return r.starts_.size() == 4; }));
  Stop(*b);
}

TEST_F(WorkerTest, AnExclusiveWorkerStaysTheOnlyOneWhenShardsRetire) {
  Recorder one(true), two(true);
  WorkerConfig config = Config("a");
  config.exclusive = true;
  auto a = Make(config, one);
  EXPECT_TRUE(one.Await([](const Recorder& r) { return r.starts_.size() == 4; }));
  client_.Split(kStream, "shardId-000000000000");
  EXPECT_TRUE(one.Await([](const Recorder& r) { return r.starts_.size() == 6; }));
  client_.Retire(kStream, "shardId-000000000000");
  config.worker_id = "b";
  auto b = Make(config, two);
  EXPECT_TRUE(two.Await([](const Recorder& r) { return r.listed_ == 5; }));
  const std::string members = std::string(kApplication) + ".members";
  const std::vector<client::Lease> locks = runtime_.BlockOn(client_.ListLeases({}, members, kStream)).value();
  for (const client::Lease& lease : locks) EXPECT_EQ(lease.owner, "a") << lease.shard_id;
  EXPECT_EQ(client_.LeaseOf(members, kStream, std::string(client::kStreamSlot))->owner, "a");
  EXPECT_TRUE(Eventually([&] { return b->Ready().ok(); }));
  EXPECT_NE(Metrics().find("honryu_consumer_standing_by{application=\"app\",stream=\"events\"} 1"),
            std::string::npos);
  Stop(*a);
  EXPECT_TRUE(two.Await([](const Recorder& r) { return r.starts_.size() == 5; }));
  Stop(*b);
}

TEST_F(WorkerTest, ACorruptLogIsToldWithShardAndPositionUntilItCanBeRead) {
  Put(0, 100);
  Recorder recorder(true);
  auto worker = Make(Config("a"), recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.seen_.size() == 100; }));
  client_.FailReads(1000000, Error(ErrorCode::kCorrupt, "checksum differs"));
  Put(100, 200);
  const auto message = [&worker] {
    const Result<void> ready = worker->Ready();
    return ready.ok() ? std::string() : ready.error().message();
  };
  EXPECT_TRUE(Eventually([&] { return message().find("checksum differs") != std::string::npos; }));
  const std::string told = message();
  const std::size_t at = told.find("shardId-");
  ASSERT_NE(at, std::string::npos) << told;
  const std::string shard = told.substr(at, 20);
  EXPECT_TRUE(recorder.Await([&](const Recorder& r) {
    return told.find("behind " + r.last_.at(shard).ToDecimal() + ":") != std::string::npos;
  })) << told;
  EXPECT_EQ(Metrics().find("honryu_consumer_unreadable_shards{application=\"app\",stream=\"events\"} 0"),
            std::string::npos);
  client_.FailReads(0, Error());
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.seen_.size() == 200; }));
  EXPECT_TRUE(Eventually([&] { return worker->Ready().ok(); }));
  Stop(*worker);
}

TEST_F(WorkerTest, IsNotReadyWhileTheBrokerDoesNotAnswer) {
  client_.FailLists(1000000, Error(ErrorCode::kUnavailable, "no broker"));
  WorkerConfig config = Config("a");
  config.lease_duration = milliseconds(40);  // for this long it may still hold its leases
  Recorder recorder(true);
  auto worker = Make(config, recorder);
  EXPECT_TRUE(Eventually([&] {
    const Result<void> ready = worker->Ready();
    return !ready.ok() && ready.error().message().find("no broker") != std::string::npos;
  }));
  client_.FailLists(0, Error());
  EXPECT_TRUE(Eventually([&] { return worker->Ready().ok(); }));
  client_.FailLists(1000000, Error(ErrorCode::kUnavailable, "gone again"));
  EXPECT_TRUE(Eventually([&] {
    const Result<void> ready = worker->Ready();
    return !ready.ok() && ready.error().message().find("gone again") != std::string::npos;
  }));
  Stop(*worker);
}

TEST_F(WorkerTest, WaitingForTheStreamIsReady) {
  WorkerConfig config = Config("a");
  config.stream = "later";
  Recorder recorder(true);
  auto worker = Make(config, recorder);
  EXPECT_TRUE(Eventually([&] { return worker->Ready().ok(); }));
  Stop(*worker);
}

TEST_F(WorkerTest, ReadErrorsAreTriedAgain) {
  Put(0, 100);
  client_.FailReads(20, Error(ErrorCode::kUnavailable, "no broker"));
  Recorder recorder(true);
  auto worker = Make(Config("a"), recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.seen_.size() == 100; }));
  Stop(*worker);
  EXPECT_EQ(recorder.repeated_, 0);
}

TEST_F(WorkerTest, ABatchThatFailsIsGivenAgain) {
  Put(0, 100);
  Recorder recorder(true);
  recorder.FailBatches(3);
  auto worker = Make(Config("a"), recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.seen_.size() == 100; }));
  Stop(*worker);
  EXPECT_EQ(recorder.failed_, 3);
  EXPECT_EQ(worker->halted_shards(), 0u);
}

TEST_F(WorkerTest, TheLagOfAShardThatStandsStillGrowsAndThatOfALostOneIsNoNumber) {
  const auto lag = [this](const std::string& shard) {
    const std::string name =
        "honryu_consumer_lag_seconds{application=\"app\",shard=\"" + shard + "\",stream=\"events\"} ";
    const std::string text = Metrics();
    const std::size_t at = text.find(name);
    return at == std::string::npos ? std::string()
                                   : text.substr(at + name.size(), text.find('\n', at) - at - name.size());
  };
  Put(0, 1);
  Recorder recorder(true);
  recorder.FailBatches(1'000'000);
  WorkerConfig config = Config("a");
  config.handler_attempts = 1'000'000;
  auto worker = Make(config, recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.failed_ > 0 && r.idle_.size() == 3; }));
  std::string busy;
  for (int i = 0; i < 4; ++i) {
    const std::string id = "shardId-00000000000" + std::to_string(i);
    if (!recorder.idle_.contains(id)) busy = id;
  }
  // The batch is never done with: nobody reads on, and still the lag is told.
  for (const int seconds_on : {40, 80}) {
    clock_.Advance(seconds(40));
    EXPECT_TRUE(Eventually([&] { return lag(busy) == std::to_string(seconds_on); })) << lag(busy);
  }
  recorder.FailBatches(0);
  EXPECT_TRUE(Eventually([&] { return lag(busy) == "0"; })) << lag(busy);
  Stop(*worker);
  EXPECT_EQ(lag(busy), "Nan");
}

TEST_F(WorkerTest, AHandlerThatKeepsFailingHaltsItsShard) {
  Put(0, 1);
  Recorder recorder(true);
  recorder.FailBatches(1000);
  auto worker = Make(Config("a"), recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.failed_ == 5 && r.idle_.size() == 3; }));
  while (worker->halted_shards() == 0) std::this_thread::yield();
  EXPECT_EQ(worker->held_shards().size(), 4u);
  EXPECT_NE(Metrics().find("honryu_consumer_halted_shards{application=\"app\",stream=\"events\"} 1"),
            std::string::npos);
  Stop(*worker);
  EXPECT_EQ(recorder.failed_, 5);
}

TEST_F(WorkerTest, ChildrenAreReadAfterTheirParentsEnd) {
  Put(0, 100);
  client_.Split(kStream, "shardId-000000000001");
  Put(100, 200);
  Recorder recorder(true);
  auto worker = Make(Config("a"), recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.seen_.size() == 200; }));
  Stop(*worker);
  EXPECT_EQ(recorder.ended_, std::vector<std::string>{"shardId-000000000001"});
  EXPECT_TRUE(client_.LeaseOf(kApplication, kStream, "shardId-000000000001")->finished);
  std::size_t last_of_parent = 0, first_of_child = recorder.order_.size();
  for (std::size_t i = 0; i < recorder.order_.size(); ++i) {
    if (recorder.order_[i].first == "shardId-000000000001") last_of_parent = i;
    if (recorder.order_[i].first > "shardId-000000000003") first_of_child = std::min(first_of_child, i);
  }
  EXPECT_LT(last_of_parent, first_of_child);
}

TEST_F(WorkerTest, ALostLeaseEndsTheReading) {
  Recorder recorder(true);
  WorkerConfig config = Config("a");
  config.lease_duration = milliseconds(30);  // renewed every 10 ms
  config.exclusive = true;                   // so that the thief does not count as one to share with
  auto worker = Make(config, recorder);
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.starts_.size() == 4; }));
  clock_.Advance(seconds(1));
  // Either the thief is first, or the renewal was: then the lease lives again and it must wait.
  for (bool stolen = false; !stolen; clock_.Advance(seconds(1))) {
    stolen = runtime_
                 .BlockOn(client_.AcquireLease({}, kApplication, kStream, "shardId-000000000002", "thief",
                                               std::chrono::hours(1000)))
                 .ok();
  }
  EXPECT_TRUE(recorder.Await([](const Recorder& r) { return r.lost_.contains("shardId-000000000002"); }));
  EXPECT_FALSE(recorder.stopped_.contains("shardId-000000000002"));
  Stop(*worker);
}

TEST_F(WorkerTest, StopsBeforeTheStreamExistsAndWithoutStart) {
  Recorder recorder(true);
  WorkerConfig config = Config("a");
  config.stream = "not-yet";
  auto worker = Make(config, recorder);
  Stop(*worker);
  Worker idle(config, client_, recorder, runtime_.executor(0), clock_, registry_);
  Stop(idle);
}

TEST(WorkerConfig, NamesWhatIsWrong) {
  WorkerConfig config;
  EXPECT_NE(config.Validate().error().message().find("application"), std::string::npos);
  WorkerConfig loop;
  loop.application = "app";
  loop.dead_letters.enabled = true;
  loop.stream = "app-dead-letters";
  EXPECT_NE(loop.Validate().error().message().find("set aside"), std::string::npos);
  loop.stream = "other-dead-letters";
  EXPECT_TRUE(loop.Validate().ok());
  loop.dead_letters.stream = loop.stream;
  EXPECT_NE(loop.Validate().error().message().find("set aside"), std::string::npos);
  loop.dead_letters.enabled = false;
  EXPECT_TRUE(loop.Validate().ok());
  config.application = "a/b";
  EXPECT_FALSE(config.Validate().ok());
  config.application = "a";
  EXPECT_NE(config.Validate().error().message().find("stream"), std::string::npos);
  config.stream = "s";
  EXPECT_TRUE(config.Validate().ok());
  config.max_records = 10001;
  EXPECT_FALSE(config.Validate().ok());
}

}  // namespace
}  // namespace honryu::consumer
