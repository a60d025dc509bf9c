#include "consumer/shard_work.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

namespace honryu::consumer {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

SequenceNumber At(std::uint64_t n) {
  SequenceNumber sequence;
  sequence.words[2] = n;
  return sequence;
}

/// Drives a ShardWork in simulated time. Records are named by their sequence numbers.
class Drive {
 public:
  explicit Drive(const WorkPolicy& policy, std::uint64_t seed = 1)
      : work("shard", policy, seed), policy_(policy) {}

  void Add(std::uint64_t sequence, const std::string& key = "k", const std::string& data = "d",
           std::uint32_t parts = 1) {
    std::vector<client::StreamRecord> records;
    for (std::uint32_t i = 0; i < parts; ++i) {
      client::StreamRecord record;
      record.sequence = At(sequence);
      record.sub_sequence = i;
      record.arrival = clock.Now();
      record.partition_key = key;
      record.data = Bytes(data);
      records.push_back(std::move(record));
    }
    work.Add(records, clock.Mono());
  }
  void AddMany(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i <= to; ++i) Add(i, "key-" + std::to_string(i));
  }
  std::vector<ShardWork::Action> Take() { return work.Take(clock.Mono(), clock.Now()); }
  /// The calls that can be begun now; letters are stored at once.
  std::vector<ShardWork::Call> Calls() {
    std::vector<ShardWork::Call> calls;
    for (bool again = true; again;) {
      again = false;
      for (ShardWork::Action& action : Take()) {
        if (auto* const call = std::get_if<ShardWork::Call>(&action)) {
          calls.push_back(std::move(*call));
          continue;
        }
        auto& aside = std::get<ShardWork::SetAside>(action);
        for (DeadLetter& letter : aside.letters) letters.push_back(std::move(letter));
        work.Stored(aside.lane, clock.Mono());
        again = true;
      }
    }
    return calls;
  }
  /// Waits for the next thing to come due; false: nothing will.
  bool Advance() {
    const auto due = work.Due();
    if (!due) return false;
    if (*due > clock.Mono()) clock.Advance(*due - clock.Mono() + milliseconds(1));
    return true;
  }
  void Succeed(const ShardWork::Call& call) { work.Succeeded(call.lane, clock.Mono()); }
  void Fail(const ShardWork::Call& call, ErrorCode code = ErrorCode::kInternal) {
    work.Failed(call.lane, Error(code, "on purpose"), clock.Mono(), clock.Now());
  }
  /// Calls the handler, which fails for batches with a poison record, until nothing is left to do.
  void RunWithPoison(const std::set<std::uint64_t>& poison) {
    do {
      for (std::vector<ShardWork::Call> calls = Calls(); !calls.empty(); calls = Calls()) {
        for (const ShardWork::Call& call : calls) {
          const bool bad =
              std::ranges::any_of(call.batch.records, [&poison](const client::StreamRecord& record) {
                return poison.contains(record.sequence.words[2]);
              });
          ++(bad ? failed_calls : good_calls);
          if (bad) {
            Fail(call);
            continue;
          }
          for (const client::StreamRecord& record : call.batch.records)
            seen.push_back(record.sequence.words[2]);
          Succeed(call);
        }
      }
    } while (Advance());
  }
  static std::vector<std::uint64_t> Names(const ShardWork::Call& call) {
    std::vector<std::uint64_t> names;
    for (const client::StreamRecord& record : call.batch.records) names.push_back(record.sequence.words[2]);
    return names;
  }

  ManualClock clock{TimestampFromMs(1700000000000)};
  ShardWork work;
  std::vector<DeadLetter> letters;
  std::vector<std::uint64_t> seen;
  int failed_calls = 0, good_calls = 0;

 private:
  const WorkPolicy policy_;
};
using Names = std::vector<std::uint64_t>;

TEST(ShardWork, GathersUntilCountBytesOrWindow) {
  WorkPolicy policy;
  policy.max_records = 3;
  policy.max_bytes = 100;
  policy.window = minutes(5);
  Drive drive(policy);
  drive.Add(1);
  drive.Add(2);
  EXPECT_TRUE(drive.Calls().empty());
  drive.Add(3);
  drive.Add(4);
  auto calls = drive.Calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(Drive::Names(calls[0]), (Names{1, 2, 3}));
  drive.Succeed(calls[0]);
  EXPECT_TRUE(drive.Calls().empty());  // 4 waits for company
  drive.Add(5, "k", std::string(98, 'x'));
  calls = drive.Calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(Drive::Names(calls[0]), Names{4});  // with 5 it would be too large
  drive.Succeed(calls[0]);
  drive.clock.Advance(minutes(5) - milliseconds(1));
  EXPECT_TRUE(drive.Calls().empty());
  EXPECT_EQ(drive.work.Due(), drive.clock.Mono() + milliseconds(1));
  drive.clock.Advance(milliseconds(1));
  calls = drive.Calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(Drive::Names(calls[0]), Names{5});
  // A window begins when the call before has ended.
  drive.Add(6);
  drive.clock.Advance(minutes(10));
  drive.Succeed(calls[0]);
  EXPECT_TRUE(drive.Calls().empty());
  drive.work.Flush();
  calls = drive.Calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(Drive::Names(calls[0]), Names{6});
  drive.Succeed(calls[0]);
  EXPECT_TRUE(drive.work.idle());
  EXPECT_EQ(drive.work.checkpoint(), At(6));
}

TEST(ShardWork, WithoutAWindowTakesWhatIsThereAtOnce) {
  Drive drive{WorkPolicy()};
  drive.AddMany(1, 7);
  auto calls = drive.Calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].batch.records.size(), 7u);
  EXPECT_EQ(calls[0].batch.attempt, 1);
  drive.AddMany(8, 9);
  EXPECT_TRUE(drive.Calls().empty());  // the lane is busy
  drive.Succeed(calls[0]);
  calls = drive.Calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(Drive::Names(calls[0]), (Names{8, 9}));
}

TEST(ShardWork, BisectFindsThePoisonInLogarithmicallyManyFailures) {
  for (const std::uint64_t poison : {1ull, 2ull, 511ull, 700ull, 1023ull, 1024ull}) {
    WorkPolicy policy;
    policy.max_records = 1024;
    policy.max_attempts = 3;
    Drive drive(policy);
    drive.AddMany(1, 1024);
    drive.RunWithPoison({poison});
    // 1024, 512, … 1 is 11 failures, and the last of them is tried max_attempts times.
    EXPECT_EQ(drive.failed_calls, 11 + 2) << poison;
    EXPECT_EQ(drive.good_calls, 10) << poison;
    ASSERT_EQ(drive.letters.size(), 1u);
    EXPECT_EQ(drive.letters[0].record.sequence, At(poison));
    EXPECT_EQ(drive.letters[0].attempts, 13);
    EXPECT_EQ(drive.letters[0].reason, DeadLetterReason::kHandler);
    EXPECT_GE(drive.letters[0].last_failure, drive.letters[0].first_failure);
    // Its neighbours came once each, in order.
    EXPECT_EQ(drive.seen.size(), 1023u);
    EXPECT_TRUE(std::ranges::is_sorted(drive.seen));
    EXPECT_EQ(std::set<std::uint64_t>(drive.seen.begin(), drive.seen.end()).size(), 1023u);
    EXPECT_EQ(drive.work.checkpoint(), At(1024));
  }
}

TEST(ShardWork, WithoutBisectTheWholeBatchIsSetAsideAndTheNextGoesOn) {
  WorkPolicy policy;
  policy.max_records = 4;
  policy.bisect = false;
  policy.max_attempts = 3;
  Drive drive(policy);
  drive.AddMany(1, 8);
  drive.RunWithPoison({2});
  EXPECT_EQ(drive.failed_calls, 3);
  EXPECT_EQ(drive.letters.size(), 4u);
  EXPECT_EQ(drive.seen, (Names{5, 6, 7, 8}));
  EXPECT_EQ(drive.work.checkpoint(), At(8));
  EXPECT_EQ(drive.work.TakeCounts().retries, 2);
}

TEST(ShardWork, RetriesWaitLongerAndLongerWithJitter) {
  WorkPolicy policy;
  policy.max_attempts = 9;
  policy.retry.initial = milliseconds(100);
  policy.retry.max = seconds(2);
  std::set<Duration> first_pauses;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Drive drive(policy, seed);
    drive.Add(1);
    for (int attempt = 1; attempt < 9; ++attempt) {
      const auto calls = drive.Calls();
      ASSERT_EQ(calls.size(), 1u);
      EXPECT_EQ(calls[0].batch.attempt, attempt);
      drive.Fail(calls[0]);
      const Duration pause = *drive.work.Due() - drive.clock.Mono();
      EXPECT_LE(pause, std::min<Duration>(policy.retry.max, policy.retry.initial * (1 << (attempt - 1))));
      if (attempt == 1) first_pauses.insert(pause);
      EXPECT_TRUE(drive.Calls().empty() || pause < milliseconds(1));
      ASSERT_TRUE(drive.Advance());
    }
  }
  EXPECT_GT(first_pauses.size(), 15u);
}

TEST(ShardWork, OverloadIsNobodysFault) {
  WorkPolicy policy;
  policy.max_attempts = 2;
  Drive drive(policy);
  drive.AddMany(1, 4);
  for (int i = 0; i < 50; ++i) {
    const auto calls = drive.Calls();
    ASSERT_EQ(calls.size(), 1u);
    EXPECT_EQ(calls[0].batch.records.size(), 4u);  // not halved
    drive.Fail(calls[0], i % 2 == 0 ? ErrorCode::kOverloaded : ErrorCode::kUnavailable);
    ASSERT_TRUE(drive.Advance());
  }
  EXPECT_TRUE(drive.letters.empty());
  drive.RunWithPoison({});
  EXPECT_EQ(drive.seen, (Names{1, 2, 3, 4}));
  EXPECT_EQ(drive.work.TakeCounts().throttled, 50);
}

TEST(ShardWork, TheSameBatchHasTheSameIdAndAnotherOneAnother) {
  Drive drive{WorkPolicy()};
  drive.AddMany(1, 4);
  std::set<std::string> ids;
  auto calls = drive.Calls();
  const std::string whole = calls[0].batch.id;
  drive.Fail(calls[0], ErrorCode::kUnavailable);
  drive.Advance();
  calls = drive.Calls();
  EXPECT_EQ(calls[0].batch.id, whole);
  EXPECT_EQ(calls[0].batch.attempt, 2);
  drive.Fail(calls[0]);
  drive.Advance();
  calls = drive.Calls();
  EXPECT_EQ(Drive::Names(calls[0]), (Names{1, 2}));
  EXPECT_NE(calls[0].batch.id, whole);
  Drive other{WorkPolicy()};
  other.AddMany(1, 4);
  EXPECT_EQ(other.Calls()[0].batch.id, whole);
}

TEST(ShardWork, AReportedFailureMovesTheCheckpointToItAndEverythingFromItOnComesAgain) {
  WorkPolicy policy;
  policy.max_attempts = 2;
  Drive drive(policy);
  drive.AddMany(1, 6);
  auto calls = drive.Calls();
  BatchReport report;
  report.failed = {4, 2};
  report.message = "no such user";
  drive.work.PartlyFailed(calls[0].lane, report, drive.clock.Mono(), drive.clock.Now());
  EXPECT_EQ(drive.work.checkpoint(), At(2));
  drive.Advance();
  calls = drive.Calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(Drive::Names(calls[0]), (Names{3, 4, 5, 6}));
  report.failed = {0};
  drive.work.PartlyFailed(calls[0].lane, report, drive.clock.Mono(), drive.clock.Now());
  calls = drive.Calls();  // 3 was named twice: it is set aside alone
  ASSERT_EQ(drive.letters.size(), 1u);
  EXPECT_EQ(drive.letters[0].record.sequence, At(3));
  EXPECT_EQ(drive.letters[0].message, "no such user");
  EXPECT_EQ(drive.letters[0].attempts, 2);
  EXPECT_EQ(drive.work.checkpoint(), At(3));
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(Drive::Names(calls[0]), (Names{4, 5, 6}));
  drive.Succeed(calls[0]);
  EXPECT_EQ(drive.work.checkpoint(), At(6));
}

TEST(ShardWork, WhereTheRestIsDoneOnlyTheNamedComeAgain) {
  WorkPolicy policy;
  policy.max_attempts = 2;
  Drive drive(policy);
  drive.AddMany(1, 6);
  auto calls = drive.Calls();
  BatchReport report;
  report.rest_done = true;
  report.failed = {1, 4};
  drive.work.PartlyFailed(calls[0].lane, report, drive.clock.Mono(), drive.clock.Now());
  EXPECT_EQ(drive.work.checkpoint(), At(1));
  EXPECT_EQ(drive.work.pending_records(), 2u);
  drive.Advance();
  calls = drive.Calls();
  EXPECT_EQ(Drive::Names(calls[0]), (Names{2, 5}));
  report.failed = {1};  // progress: 5 has its attempts still
  drive.work.PartlyFailed(calls[0].lane, report, drive.clock.Mono(), drive.clock.Now());
  EXPECT_EQ(drive.work.checkpoint(), At(4));
  drive.Advance();
  calls = drive.Calls();
  EXPECT_EQ(Drive::Names(calls[0]), Names{5});
  report.failed = {0};
  drive.work.PartlyFailed(calls[0].lane, report, drive.clock.Mono(), drive.clock.Now());
  EXPECT_TRUE(drive.Calls().empty());
  EXPECT_EQ(drive.letters.size(), 1u);
  EXPECT_TRUE(drive.work.idle());
  EXPECT_EQ(drive.work.checkpoint(), At(6));
}

TEST(ShardWork, AReportThatNamesWhatWasNotThereFailsTheBatch) {
  Drive drive{WorkPolicy()};
  drive.AddMany(1, 2);
  const auto calls = drive.Calls();
  BatchReport report;
  report.failed = {2};
  drive.work.PartlyFailed(calls[0].lane, report, drive.clock.Mono(), drive.clock.Now());
  EXPECT_EQ(drive.work.checkpoint(), std::nullopt);
  EXPECT_EQ(drive.work.TakeCounts().bisects, 1);
}

TEST(ShardWork, OnlyWhatIsTooOldIsSetAsideForItsAge) {
  WorkPolicy policy;
  policy.max_record_age = minutes(1);
  Drive drive(policy);
  drive.AddMany(1, 2);
  drive.clock.Advance(seconds(40));
  drive.AddMany(3, 4);
  auto calls = drive.Calls();
  EXPECT_EQ(calls[0].batch.records.size(), 4u);
  drive.Fail(calls[0], ErrorCode::kUnavailable);
  drive.clock.Advance(seconds(30));
  calls = drive.Calls();
  ASSERT_EQ(drive.letters.size(), 2u);
  EXPECT_EQ(drive.letters[1].record.sequence, At(2));
  EXPECT_EQ(drive.letters[1].reason, DeadLetterReason::kExpired);
  EXPECT_EQ(drive.letters[1].attempts, 1);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(Drive::Names(calls[0]), (Names{3, 4}));
}

TEST(ShardWork, TheCheckpointIsTheEndOfTheRunWithoutAGap) {
  WorkPolicy policy;
  policy.lanes = 10;
  policy.max_records = 1;
  Drive drive(policy);
  drive.AddMany(1, 10);
  std::map<std::uint64_t, ShardWork::Call> open;
  std::set<std::uint64_t> done;
  const auto take = [&] {
    for (ShardWork::Call& call : drive.Calls()) {
      const std::uint64_t name = Drive::Names(call)[0];
      open.emplace(name, std::move(call));
    }
  };
  take();
  EXPECT_GT(open.size(), 3u);
  while (!open.empty()) {
    const auto last = std::prev(open.end());  // finish the newest first
    done.insert(last->first);
    drive.Succeed(last->second);
    open.erase(last);
    std::uint64_t run = 0;
    while (done.contains(run + 1)) ++run;
    EXPECT_EQ(drive.work.checkpoint(), run == 0 ? std::nullopt : std::optional(At(run)));
    take();
  }
  EXPECT_EQ(drive.work.checkpoint(), At(10));
}

TEST(ShardWork, ARecordOfManyPartsIsDoneWhenAllAre) {
  WorkPolicy policy;
  policy.max_records = 2;
  Drive drive(policy);
  drive.Add(1);
  drive.Add(2, "k", "d", 4);
  drive.Add(3);
  for (const auto& expected : {std::optional(At(1)), std::optional(At(1)), std::optional(At(3))}) {
    const auto calls = drive.Calls();
    ASSERT_EQ(calls.size(), 1u);
    drive.Succeed(calls[0]);
    EXPECT_EQ(drive.work.checkpoint(), expected);
  }
}

TEST(ShardWork, WithoutDeadLettersThePoisonHaltsTheShardAndNothingIsLost) {
  WorkPolicy policy;
  policy.set_aside = false;
  policy.max_attempts = 2;
  Drive drive(policy);
  drive.AddMany(1, 8);
  drive.RunWithPoison({5});
  ASSERT_TRUE(drive.work.halted().has_value());
  EXPECT_NE(drive.work.halted()->message().find("record 5"), std::string::npos);
  EXPECT_EQ(drive.work.checkpoint(), At(4));
  EXPECT_TRUE(drive.Calls().empty());
}

TEST(ShardWork, IsFullWhileItsOldestRecordIsStuckAndThenWaitsForNoWindow) {
  WorkPolicy policy;
  policy.lanes = 2;
  policy.room = 20;
  policy.window = minutes(1);
  Drive drive(policy);
  drive.AddMany(1, 19);
  EXPECT_FALSE(drive.work.full());
  EXPECT_TRUE(drive.Calls().empty());
  drive.AddMany(20, 20);
  EXPECT_TRUE(drive.work.full());
  const auto calls = drive.Calls();
  ASSERT_EQ(calls.size(), 2u);
  const bool first = Drive::Names(calls[0])[0] == 1;
  drive.Succeed(calls[first ? 1 : 0]);
  EXPECT_TRUE(drive.work.full());  // record 1 is not done
  drive.Succeed(calls[first ? 0 : 1]);
  EXPECT_FALSE(drive.work.full());
  EXPECT_EQ(drive.work.pending_bytes(), 0u);
}

// Random batches, lanes, failures and reports: records of one key are seen in order, each is processed or set
// aside, never more than one call a lane, and the checkpoint never passes an unfinished record.
TEST(ShardWork, KeepsItsPromisesUnderRandomFailures) {
  const char* const given = std::getenv("HONRYU_SEED");
  const std::uint64_t base = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  for (std::uint64_t seed = base; seed < base + (given != nullptr ? 1 : 200); ++seed) {
    SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
    Random random(seed);
    WorkPolicy policy;
    policy.lanes = 1 + static_cast<int>(random.Below(10));
    policy.max_records = 1 + static_cast<std::uint32_t>(random.Below(20));
    policy.max_bytes = 1 + random.Below(200);
    policy.window = milliseconds(random.Below(2000));
    policy.max_attempts = 1 + static_cast<int>(random.Below(4));
    policy.bisect = random.Chance(0.5);
    policy.room = 50;
    Drive drive(policy, seed);
    const std::uint64_t count = 1 + random.Below(300);
    std::map<std::string, std::uint64_t> last_of_key;
    std::set<std::uint64_t> done;
    std::map<std::size_t, ShardWork::Call> open;
    std::uint64_t added = 0;
    std::size_t stored = 0;
    for (int steps = 0; done.size() < count; ++steps) {
      ASSERT_LT(steps, 100'000);
      while (added < count && !drive.work.full() && random.Chance(0.7)) {
        ++added;
        drive.Add(added, "key-" + std::to_string(random.Below(15)), std::string(random.Below(50), 'x'));
      }
      if (added == count) drive.work.Flush();
      for (ShardWork::Call& call : drive.Calls()) {
        ASSERT_LE(call.batch.records.size(), policy.max_records);
        const std::size_t lane = call.lane;
        ASSERT_TRUE(open.emplace(lane, std::move(call)).second);
      }
      for (; stored < drive.letters.size(); ++stored)
        done.insert(drive.letters[stored].record.sequence.words[2]);
      if (open.empty()) {
        ASSERT_TRUE(drive.Advance() || added < count || done.size() == count);
      } else {
        const auto at = std::next(open.begin(), static_cast<std::ptrdiff_t>(random.Below(open.size())));
        const ShardWork::Call call = std::move(at->second);
        open.erase(at);
        const std::size_t size = call.batch.records.size();
        const double dice = random.Unit();
        std::size_t good = 0;  // so many from the beginning are done
        if (dice < 0.5) {
          good = size;
          drive.Succeed(call);
        } else if (dice < 0.8) {
          drive.Fail(call, random.Chance(0.2) ? ErrorCode::kOverloaded : ErrorCode::kInternal);
        } else {
          BatchReport report;
          good = random.Below(size);
          report.failed = {good};
          drive.work.PartlyFailed(call.lane, report, drive.clock.Mono(), drive.clock.Now());
        }
        for (std::size_t i = 0; i < good; ++i) {
          const client::StreamRecord& record = call.batch.records[i];
          ASSERT_GT(record.sequence.words[2], last_of_key[record.partition_key]);
          last_of_key[record.partition_key] = record.sequence.words[2];
          ASSERT_TRUE(done.insert(record.sequence.words[2]).second);
        }
      }
      if (drive.work.checkpoint()) {
        // What is set aside at this moment is stored by the next round.
        std::uint64_t run = 0;
        while (done.contains(run + 1)) ++run;
        ASSERT_LE(drive.work.checkpoint()->words[2], run + (drive.letters.size() - stored));
      }
    }
    EXPECT_TRUE(drive.work.idle());
    EXPECT_EQ(drive.work.checkpoint(), At(count));
    EXPECT_EQ(drive.work.pending_records(), 0u);
    EXPECT_EQ(drive.work.pending_bytes(), 0u);
  }
}

}  // namespace
}  // namespace honryu::consumer
