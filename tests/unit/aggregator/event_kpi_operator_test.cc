#include "honryu/analytics/window.h"
#include "honryu/base/random.h"
#include "honryu/codec/json.h"
#include "honryu/processors/aggregator/aggregator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

namespace honryu::processors::aggregator {
namespace {

constexpr std::int64_t kBase = 1431857100000;  // 2015-05-17T10:05:00Z: long before "now"
const Timestamp kNow = TimestampFromMs(1790000000000);

struct Event {
  std::int64_t time;
  std::string type, user;
};

client::StreamRecord Record(std::uint64_t sequence, const Event& event) {
  client::StreamRecord record;
  record.sequence.words[2] = sequence;
  record.arrival = kNow;
  record.data = Bytes(R"({"event_time":")" + FormatTimestamp(TimestampFromMs(event.time)) +
                      R"(","event_type":")" + event.type + R"(","user_id":")" + event.user + "\"}");
  return record;
}

/// Rows by id as a reader keeps them: a final one stays, otherwise the higher revision counts.
struct Rows {
  void Take(const std::vector<OutputRecord>& records) {
    for (const OutputRecord& record : records) {
      if (record.late) {
        ++late;
        continue;
      }
      const codec::Json json = codec::Json::Parse(record.json).value();
      const std::string id(json.Find("id")->StringOr(""));
      const auto value = static_cast<std::uint64_t>(json.Find("value")->IntOr(-1));
      EXPECT_EQ(json.Find("final")->BoolOr(false), record.final);
      if (!record.final) {
        EXPECT_FALSE(final.contains(id)) << "partial after final: " << id;
        partial[id] = value;
      } else {
        const auto [place, fresh] = final.emplace(id, value);
        if (!fresh) EXPECT_EQ(place->second, value) << "final twice with other values: " << id;
      }
    }
  }
  std::map<std::string, std::uint64_t> partial, final;
  int late = 0;
};

std::map<std::string, std::uint64_t> BruteForce(const std::vector<Event>& events,
                                                const AggregatorConfig& config) {
  struct Sums {
    std::uint64_t events = 0, errors = 0;
    std::set<std::string> users;
  };
  std::map<std::string, Sums> sums;
  std::map<std::string, std::uint64_t> rows;
  for (const Duration window : config.windows) {
    for (const Event& event : events) {
      const std::int64_t start = analytics::WindowStart(event.time, ToMs(window));
      for (const std::string& group : {std::string(), "event_type=" + event.type}) {
        const std::string prefix = WindowName(window) + "/" + FormatTimestamp(TimestampFromMs(start)) + "/";
        Sums& sum = sums[prefix + "|" + group];
        ++sum.events;
        if (event.type == "error") ++sum.errors;
        sum.users.insert(event.user);
        rows[prefix + "events/" + group] = sum.events;
        rows[prefix + "errors/" + group] = sum.errors;
        rows[prefix + "users/" + group] = sum.users.size();
      }
    }
  }
  return rows;
}

std::vector<std::string> Shards(int count) {
  std::vector<std::string> shards;
  for (int i = 0; i < count; ++i) shards.push_back("s" + std::to_string(i));
  return shards;
}

class OperatorTest : public ::testing::Test {
 protected:
  void Open(int shards) {
    op_ = MakeEventKpiOperator(config_, registry_);
    op_->SetSources(Shards(shards), {});
    for (const std::string& shard : Shards(shards)) op_->StartSource(shard, std::nullopt, "", now_).value();
  }
  void Send(const std::string& shard, const Event& event) {
    const client::StreamRecord record = Record(++sequence_, event);
    op_->Process(shard, std::span(&record, 1), now_);
  }
  void Drain() { rows_.Take(op_->Drain(now_)); }
  /// All shards are silent and time passes.
  void Idle() {
    now_ += std::chrono::seconds(6);
    op_->Silent("s0", now_);
    op_->Silent("s1", now_);
    Drain();
    Drain();
  }
  AggregatorConfig config_;
  obs::Registry registry_;
  Timestamp now_ = kNow;
  std::uint64_t sequence_ = 0;
  std::unique_ptr<WindowOperator> op_;
  Rows rows_;
};

TEST_F(OperatorTest, PartialRowsComeOnlyWhenTheyChangeAndAFinalOneOnce) {
  Open(1);
  Send("s0", {kBase, "view", "u"});
  Drain();
  EXPECT_EQ(rows_.partial.at("1m/2015-05-17T10:05:00.000Z/events/"), 1u);
  EXPECT_TRUE(op_->Drain(now_).empty());
  Send("s0", {kBase + 1000, "view", "u"});
  const std::vector<OutputRecord> changed = op_->Drain(now_);
  EXPECT_EQ(changed.size(), 6u);  // three sizes, all and one type; users and errors have not changed
  Send("s0", {kBase + 119999, "view", "v"});
  Drain();
  EXPECT_TRUE(rows_.final.empty());  // 59.999 s of lateness used
  Send("s0", {kBase + 120000, "view", "v"});
  Drain();
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/events/"), 2u);
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/users/event_type=view"), 1u);
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/errors/"), 0u);
}

TEST_F(OperatorTest, RecordsOfOneAggregateShareTheirNumberAndAllCount) {
  config_.windows = {std::chrono::minutes(1)};
  Open(1);
  Send("s0", {kBase, "view", "u"});
  std::vector<client::StreamRecord> aggregate;
  for (std::uint32_t i = 0; i < 3; ++i) {
    aggregate.push_back(Record(2, {kBase + i * 60000, "view", "u" + std::to_string(i)}));
    aggregate.back().sub_sequence = i;
  }
  for (int times = 0; times < 2; ++times) op_->Process("s0", aggregate, now_);  // the second is a repetition
  Drain();
  sequence_ = 2;
  Send("s0", {kBase + 180000, "view", "u"});
  Drain();
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/events/"), 2u);
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:06:00.000Z/events/"), 1u);
  EXPECT_EQ(rows_.partial.at("1m/2015-05-17T10:07:00.000Z/events/"), 1u);
  // The window of the third one still needs it, and so the whole aggregate.
  EXPECT_EQ(op_->SafePosition("s0"), Record(1, {kBase, "view", "u"}).sequence);
}

TEST_F(OperatorTest, LateEventsAreReportedAndChangeNothingFinal) {
  Open(1);
  Send("s0", {kBase, "view", "u"});
  Send("s0", {kBase + 180000, "view", "u"});
  Drain();
  Send("s0", {kBase + 30000, "view", "late"});
  const std::vector<OutputRecord> out = op_->Drain(now_);
  ASSERT_FALSE(out.empty());
  EXPECT_TRUE(out.front().late);
  const codec::Json late = codec::Json::Parse(out.front().json).value();
  EXPECT_EQ(late.Find("windows")->array().size(), 1u);  // the 1m window; 5m and 1h still took it
  EXPECT_EQ(late.Find("event")->Find("user_id")->StringOr(""), "late");
  rows_.Take(out);
  Idle();
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/events/"), 1u);
  EXPECT_EQ(rows_.final.at("1h/2015-05-17T10:00:00.000Z/events/"), 3u);
}

TEST_F(OperatorTest, WhenAllShardsAreIdleTheLastWindowsClose) {
  Open(2);
  Send("s0", {kBase, "view", "u"});
  Drain();
  EXPECT_TRUE(rows_.final.empty());
  Idle();
  EXPECT_EQ(rows_.final.size(), 3u * 2 * 3);
}

TEST_F(OperatorTest, AWindowThatIsNotOverByTheWallClockStaysOpenWhenIdle) {
  Open(1);
  Send("s0", {ToMs(now_), "view", "u"});
  Idle();
  EXPECT_TRUE(rows_.final.empty());
  now_ += std::chrono::minutes(3);
  op_->Silent("s0", now_);
  Drain();
  EXPECT_EQ(rows_.final.size(), 2u * 2 * 3);  // of the 1m and the 5m window, not of the 1h one
}

TEST_F(OperatorTest, OlderDataMayFollowNewerAfterAPauseButFinalWindowsStayFinal) {
  Open(1);
  Idle();  // nothing yet: old data is welcome
  Send("s0", {kBase, "view", "u"});
  Idle();
  const std::size_t before = rows_.final.size();
  Send("s0", {kBase - 86400000, "view", "u"});  // a day older: a new epoch
  Send("s0", {kBase + 5000, "view", "u"});      // its windows are final
  Idle();
  EXPECT_EQ(rows_.late, 1);
  EXPECT_EQ(rows_.final.size(), 2 * before);
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/events/"), 1u);
}

TEST_F(OperatorTest, AnIdleShardThatWakesUpInAReplayIsNotLate) {
  Open(2);
  Idle();
  Send("s0", {kBase, "view", "u"});
  Send("s0", {kBase + 3600000, "view", "u"});  // an hour in one batch
  Drain();
  Drain();
  Send("s1", {kBase + 10000, "view", "u"});  // had been waiting in the other shard
  Drain();
  EXPECT_EQ(rows_.late, 0);
  op_->Silent("s0", now_);
  op_->Silent("s1", now_);
  Send("s1", {kBase + 3600000, "view", "u"});
  Drain();
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/events/"), 2u);
}

TEST_F(OperatorTest, AnIdleShardFoundEmptyDoesNotHoldTimeBack) {
  Open(2);
  Idle();
  Send("s0", {kBase, "view", "u"});
  Send("s0", {kBase + 600000, "view", "u"});
  Drain();
  EXPECT_TRUE(rows_.final.empty());
  op_->Silent("s1", now_);
  Drain();
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/events/"), 1u);
}

TEST_F(OperatorTest, AShardThatCannotBeReadIsNotIdle) {
  Open(2);
  Send("s0", {kBase, "view", "u"});
  now_ += std::chrono::seconds(60);
  op_->Silent("s0", now_);  // the reads of s1 fail meanwhile
  Drain();
  Drain();
  EXPECT_TRUE(rows_.final.empty());
  Send("s1", {kBase, "view", "u"});
  Idle();
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/events/"), 2u);
}

TEST_F(OperatorTest, WhenAllAreIdleAShardThatCannotBeReadAnyMoreStopsTime) {
  Open(2);
  Send("s0", {ToMs(now_), "view", "u"});
  Idle();
  now_ += std::chrono::minutes(30);
  op_->Silent("s0", now_);  // the reads of s1 fail
  Drain();
  Drain();
  EXPECT_TRUE(rows_.final.empty());
  Send("s1", {ToMs(kNow) + 1000, "view", "u"});
  Idle();
  EXPECT_EQ(rows_.late, 0);
  EXPECT_EQ(rows_.final.size(), 2u * 2 * 3);
  EXPECT_EQ(rows_.final.begin()->second, 0u);
  std::uint64_t counted = 0;
  for (const auto& [id, value] : rows_.final) {
    if (id.starts_with("1m/") && id.ends_with("/events/")) counted += value;
  }
  EXPECT_EQ(counted, 2u);
}

TEST_F(OperatorTest, AClockThatRunsAheadMakesNobodyLate) {
  Open(1);
  const std::int64_t arrival = ToMs(kNow);
  Send("s0", {arrival + 240000, "view", "fast"});  // four minutes ahead of its arrival
  Drain();
  Send("s0", {arrival - 30000, "view", "slow"});
  Drain();
  EXPECT_EQ(rows_.late, 0);
  const auto id = [](std::int64_t time) {
    return "1m/" + FormatTimestamp(TimestampFromMs(analytics::WindowStart(time, 60000))) + "/events/";
  };
  EXPECT_EQ(rows_.partial.at(id(arrival + 240000)), 1u);  // counted at its own time
  EXPECT_EQ(rows_.partial.at(id(arrival - 30000)), 1u);
}

TEST_F(OperatorTest, WindowsThatNeverWereAreNotFinal) {
  constexpr std::int64_t kHour = 3600000;
  Open(1);
  Send("s0", {kBase, "view", "u"});
  Send("s0", {kBase + 10 * kHour, "view", "u"});
  Idle();
  Send("s0", {kBase + 5 * kHour, "view", "u"});  // between the two, in another epoch
  Idle();
  EXPECT_EQ(rows_.late, 0);
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T15:05:00.000Z/events/"), 1u);
  Send("s0", {kBase + 5 * kHour, "view", "u"});
  Idle();
  EXPECT_EQ(rows_.late, 1);
}

TEST_F(OperatorTest, AfterAnEpochAReplayCountsNothingAgainNotEvenWhatWasLate) {
  constexpr std::int64_t kHour = 3600000;
  const std::vector<client::StreamRecord> records = {Record(1, {kBase, "view", "u"}),
                                                     Record(2, {kBase + 10 * kHour, "view", "u"}),
                                                     Record(3, {kBase + 5 * kHour, "view", "u"})};
  Open(1);
  for (const client::StreamRecord& record : records) {
    op_->Process("s0", std::span(&record, 1), now_);
    Drain();
  }
  EXPECT_EQ(rows_.late, 1);
  Idle();
  const std::string snapshot = op_->Snapshot();
  op_ = MakeEventKpiOperator(config_, registry_);
  op_->SetSources(Shards(1), {});
  op_->StartSource("s0", std::nullopt, snapshot, now_).value();  // its own save did not come through
  op_->Process("s0", records, now_);
  now_ += std::chrono::seconds(6);
  op_->Silent("s0", now_);
  EXPECT_TRUE(op_->Drain(now_).empty());
  EXPECT_TRUE(op_->Drain(now_).empty());
}

TEST_F(OperatorTest, ReadsStatesOfTheFirstForm) {
  const std::string state =
      R"({"v":1,"generation":5,"epoch_first":1431857100000,"watermark":1431857160000,)"
      R"("windows":{"1m":{"closed_to":1431857160000,"spans":[[0,60000]]}},"processed":{}})";
  op_ = MakeEventKpiOperator(config_, registry_);
  op_->SetSources(Shards(1), {});
  op_->StartSource("s0", std::nullopt, state, now_).value();
  Idle();  // ends the epoch
  Send("s0", {kBase + 1000, "view", "u"});
  Send("s0", {1000, "view", "u"});
  Send("s0", {kBase - 1000, "view", "u"});
  Drain();
  EXPECT_EQ(rows_.late, 2);
}

TEST_F(OperatorTest, OutOfMemoryTheShardsAheadWaitForTheSlowestOne) {
  config_.max_window_memory = {1};
  Open(3);
  EXPECT_FALSE(op_->MustWait("s0", now_));
  Send("s0", {kBase, "view", "u"});
  EXPECT_FALSE(op_->MustWait("s1", now_));  // not known how far it is
  EXPECT_TRUE(op_->MustWait("s0", now_));
  Send("s1", {kBase + 600000, "view", "u"});
  Send("s2", {kBase + 300000, "view", "u"});
  EXPECT_FALSE(op_->MustWait("s0", now_));
  EXPECT_TRUE(op_->MustWait("s1", now_));
  EXPECT_TRUE(op_->MustWait("s2", now_));
  Send("s0", {kBase + 900000, "view", "u"});
  EXPECT_TRUE(op_->MustWait("s0", now_));
  EXPECT_FALSE(op_->MustWait("s2", now_));
  op_->EndSource("s2");
  EXPECT_FALSE(op_->MustWait("s1", now_));
  op_->PauseSource("s2");  // another has it: nobody knows how far it is
  EXPECT_TRUE(op_->MustWait("s1", now_));
}

TEST_F(OperatorTest, AnEndedShardHoldsTimeBackUntilItsChildrenAreKnownAndRead) {
  Open(2);
  Send("s0", {kBase, "view", "u"});
  op_->EndSource("s0");
  Send("s1", {kBase + 600000, "view", "u"});
  Drain();
  EXPECT_TRUE(rows_.final.empty());
  op_->SetSources({"s0", "s1", "child"}, {"s0"});
  Drain();
  EXPECT_TRUE(rows_.final.empty());  // it may hold records of the first minute
  op_->StartSource("child", std::nullopt, "", now_).value();
  Send("child", {kBase + 1000, "view", "u"});
  Drain();
  EXPECT_TRUE(rows_.final.empty());
  Send("child", {kBase + 600000, "view", "u"});
  Drain();
  EXPECT_FALSE(rows_.final.empty());
  EXPECT_EQ(rows_.late, 0);
}

TEST_F(OperatorTest, AnIdleShardIsNotWaitedForUnlessItCannotBeRead) {
  config_.max_window_memory = {1};
  Open(2);
  Idle();
  Send("s0", {ToMs(now_), "view", "u"});
  Drain();
  EXPECT_FALSE(op_->MustWait("s0", now_));
  now_ += std::chrono::seconds(30);
  op_->Silent("s0", now_);
  EXPECT_TRUE(op_->MustWait("s0", now_));  // s1 was found empty half a minute ago
  op_->Silent("s1", now_);
  EXPECT_FALSE(op_->MustWait("s0", now_));
}

TEST_F(OperatorTest, MemoryIsGivenBackWithTheWindows) {
  config_.exact_users = 10;
  Open(2);
  for (int i = 0; i < 1000; ++i)
    Send("s" + std::to_string(i % 2), {kBase + i, "t" + std::to_string(i % 7), "u" + std::to_string(i)});
  Drain();
  EXPECT_EQ(registry_.Render().find("\nhonryu_aggregator_window_memory_bytes 0\n"), std::string::npos);
  Idle();
  EXPECT_NE(registry_.Render().find("\nhonryu_aggregator_window_memory_bytes 0\n"), std::string::npos);
}

SequenceNumber Sequence(std::uint64_t created_s, std::uint64_t counter) {
  SequenceNumber sequence;
  sequence.words[0] = 2ULL << 56 | created_s << 20;
  sequence.words[1] = counter;
  sequence.words[2] = 2;
  return sequence;
}

TEST_F(OperatorTest, AShardMadeAnewBeginsAnew) {
  Open(1);
  client::StreamRecord record = Record(0, {kBase, "view", "u"});
  record.sequence = Sequence(2000, 9);
  op_->Process("s0", std::span(&record, 1), now_);
  EXPECT_EQ(op_->Snapshot().find(Sequence(1000, 1).ToDecimal()), std::string::npos);
  record.sequence = Sequence(1000, 1);  // made again after the clock was set back
  op_->Process("s0", std::span(&record, 1), now_);
  EXPECT_EQ(op_->SafePosition("s0"), std::nullopt);
  Idle();
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:05:00.000Z/events/"), 2u);
  EXPECT_EQ(op_->SafePosition("s0"), Sequence(1000, 1));
}

TEST_F(OperatorTest, APositionInAFormerShardIsForgotten) {
  Open(1);
  client::StreamRecord record = Record(0, {kBase, "view", "u"});
  record.sequence = Sequence(2000, 9);
  op_->Process("s0", std::span(&record, 1), now_);
  op_->PauseSource("s0");
  EXPECT_EQ(op_->StartSource("s0", Sequence(2000, 5), "", now_).value(), Sequence(2000, 9));
  EXPECT_EQ(op_->StartSource("s0", Sequence(1000, 5), "", now_).value(), Sequence(1000, 5));
  op_->RestartSource("s0");
  EXPECT_EQ(op_->StartSource("s0", std::nullopt, "", now_).value(), std::nullopt);
}

TEST_F(OperatorTest, TypesBeyondTheLimitAreCountedTogether) {
  config_.max_groups = 2;
  Open(1);
  for (const char* type : {"a", "b", "c", "d", "a"}) Send("s0", {kBase, type, type});
  Idle();
  const std::string prefix = "1h/2015-05-17T10:00:00.000Z/events/event_type=";
  EXPECT_EQ(rows_.final.at(prefix + "a"), 2u);
  EXPECT_EQ(rows_.final.at(prefix + "__other__"), 2u);
  EXPECT_FALSE(rows_.final.contains(prefix + "c"));
}

TEST_F(OperatorTest, RefusesStateThatItCannotRead) {
  op_ = MakeEventKpiOperator(config_, registry_);
  EXPECT_EQ(op_->StartSource("s0", std::nullopt, "{\"v\":99}", now_).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(op_->StartSource("s0", std::nullopt, "nonsense", now_).error().code(), ErrorCode::kCorrupt);
}

TEST_F(OperatorTest, TypesAreBoundedOverAllWindows) {
  config_.max_event_types = 3;
  config_.windows = {std::chrono::minutes(1)};
  Open(1);
  for (int i = 0; i < 10; ++i) Send("s0", {kBase + i * 60000, "t" + std::to_string(i), "u"});
  Send("s0", {kBase + 600000, "t1", "u"});
  Idle();
  std::set<std::string> groups;
  for (const auto& [id, value] : rows_.final) {
    if (const std::size_t at = id.find("/events/event_type="); at != std::string::npos)
      groups.insert(id.substr(at + 19));
  }
  EXPECT_EQ(groups, (std::set<std::string>{"t0", "t1", "t2", "__other__"}));
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:14:00.000Z/events/event_type=__other__"), 1u);
  EXPECT_EQ(rows_.final.at("1m/2015-05-17T10:15:00.000Z/events/event_type=t1"), 1u);
}

/// One shard's log and what is saved for it, across crashes.
struct ShardLog {
  std::vector<client::StreamRecord> records;
  std::size_t next = 0;
  std::optional<SequenceNumber> checkpoint;
  std::string state;
};

/// Runs the protocol of the plumbing with crashes at random points and partial saves.
class CrashRun {
 public:
  CrashRun(std::uint64_t seed, AggregatorConfig config) : random_(seed), config_(std::move(config)) {}

  std::vector<Event> Fill(int shards, int count) {
    logs_.resize(static_cast<std::size_t>(shards));
    std::vector<Event> events;
    for (int i = 0; i < count; ++i) {
      // In order but for up to 59 s, as in the access log.
      const std::int64_t late = static_cast<std::int64_t>(random_.Below(59000));
      const Event event = {kBase + i * 700 - late,
                           random_.Chance(0.1) ? "error" : "t" + std::to_string(random_.Below(3)),
                           "u" + std::to_string(random_.Below(40))};
      events.push_back(event);
      ShardLog& log = logs_[random_.Below(static_cast<std::uint64_t>(shards))];
      log.records.push_back(Record(log.records.size() + 1, event));
    }
    return events;
  }
  void Run() {
    Start();
    int crashes = 0;
    while (!AllRead() || !quiet_) {
      Step();
      if (crashes < 12 && random_.Chance(0.04)) {
        ++crashes;
        Start();
      }
    }
  }
  Rows rows;

 private:
  void Start() {
    op_ = MakeEventKpiOperator(config_, registry_);
    std::vector<std::string> names = Shards(static_cast<int>(logs_.size()));
    op_->SetSources(names, {});
    for (std::size_t i = names.size(); i > 1; --i) std::swap(names[i - 1], names[random_.Below(i)]);
    quiet_ = false;
    started_.clear();
    waiting_ = names;
  }
  void Step() {
    if (!waiting_.empty() && random_.Chance(0.5)) {
      const std::string name = waiting_.back();
      waiting_.pop_back();
      ShardLog& log = Log(name);
      const auto after = op_->StartSource(name, log.checkpoint, log.state, now_).value();
      log.next = after.has_value() ? after->words[2] : 0;
      started_.push_back(name);
    }
    if (!started_.empty()) Read(started_[random_.Below(started_.size())]);
    if (random_.Chance(0.15)) Flush();
    if (AllRead() && waiting_.empty()) {
      now_ += std::chrono::seconds(6);
      for (const std::string& name : started_) op_->Silent(name, now_);
      Flush();
      Flush();
      quiet_ = waiting_.empty();  // or killed again
    }
  }
  void Read(const std::string& name) {
    ShardLog& log = Log(name);
    const std::size_t count = std::min<std::size_t>(log.records.size() - log.next, random_.Below(60));
    const std::span batch(log.records.data() + log.next, count);
    log.next += count;
    if (count == 0) return;
    op_->Process(name, batch, now_);
  }
  void Flush() {
    std::vector<OutputRecord> out = op_->Drain(now_);
    const std::string snapshot = op_->Snapshot();
    std::map<std::string, std::optional<SequenceNumber>> positions;
    for (const std::string& name : started_) positions[name] = op_->SafePosition(name);
    if (random_.Chance(0.15) && !out.empty()) {  // killed while storing rows
      out.resize(random_.Below(out.size()));
      TakeStored(out);
      Start();
      return;
    }
    TakeStored(out);
    if (!op_->complete()) return;
    for (const auto& [name, position] : positions) {
      if (random_.Chance(0.1)) {  // killed between two saves
        Start();
        return;
      }
      ShardLog& log = Log(name);
      if (position.has_value()) {
        ASSERT_TRUE(!log.checkpoint.has_value() || *log.checkpoint <= *position);
        log.checkpoint = position;
      }
      log.state = snapshot;
    }
  }
  // After a restart partial rows of windows that had become final may come again; readers drop those.
  void TakeStored(std::vector<OutputRecord> out) {
    std::erase_if(out, [this](const OutputRecord& row) {
      if (row.late || row.final) return false;
      return rows.final.contains(std::string(codec::Json::Parse(row.json).value().Find("id")->StringOr("")));
    });
    rows.Take(out);
  }
  bool AllRead() const {
    return std::all_of(logs_.begin(), logs_.end(),
                       [](const ShardLog& log) { return log.next == log.records.size(); });
  }
  ShardLog& Log(const std::string& name) { return logs_[std::stoul(name.substr(1))]; }

  Random random_;
  AggregatorConfig config_;
  obs::Registry registry_;
  Timestamp now_ = kNow;
  std::vector<ShardLog> logs_;
  std::unique_ptr<WindowOperator> op_;
  std::vector<std::string> waiting_, started_;
  bool quiet_ = false;
};

TEST(OperatorCrash, FinalRowsEqualABruteForceComputationWhateverCrashes) {
  const char* fixed = std::getenv("HONRYU_SEED");
  const std::uint64_t first = fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : 1;
  for (std::uint64_t seed = first; seed < first + (fixed != nullptr ? 1 : 10); ++seed) {
    AggregatorConfig config;
    config.windows = {std::chrono::minutes(1), std::chrono::minutes(5)};
    CrashRun run(seed, config);
    const std::vector<Event> events = run.Fill(3, 1500);
    run.Run();
    ASSERT_EQ(run.rows.final, BruteForce(events, config)) << "HONRYU_SEED=" << seed;
    ASSERT_EQ(run.rows.late, 0) << "HONRYU_SEED=" << seed;
  }
}

}  // namespace
}  // namespace honryu::processors::aggregator
