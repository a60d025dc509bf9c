#include "broker/quotas.h"

#include "tests/unit/broker/fixture.h"

namespace honryu::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ShardQuotas, AThousandRecordsASecondToAShard) {
  ManualClock clock(TimestampFromMs(0));
  ShardQuotas quotas(clock);
  std::vector<ShardQuotas::Write> writes(1001, ShardQuotas::Write{0, 10});
  writes.push_back({1, 10});
  quotas.TakeWrites(7, writes);
  EXPECT_TRUE(writes[999].taken);
  EXPECT_FALSE(writes[1000].taken);
  EXPECT_TRUE(writes[1001].taken) << "another shard";
  std::vector<ShardQuotas::Write> other = {{0, 10}};
  quotas.TakeWrites(8, other);
  EXPECT_TRUE(other[0].taken) << "another stream";
  clock.Advance(milliseconds(2));
  std::vector<ShardQuotas::Write> more(3, ShardQuotas::Write{0, 10});
  quotas.TakeWrites(7, more);
  EXPECT_TRUE(more[0].taken && more[1].taken);
  EXPECT_FALSE(more[2].taken);
}

TEST(ShardQuotas, AMebibyteASecondToAShard) {
  ManualClock clock(TimestampFromMs(0));
  ShardQuotas quotas(clock);
  std::vector<ShardQuotas::Write> writes = {{0, 1000 << 10}, {0, 25 << 10}, {0, 24 << 10}, {0, 1}};
  quotas.TakeWrites(7, writes);
  EXPECT_TRUE(writes[0].taken);
  EXPECT_FALSE(writes[1].taken);
  EXPECT_TRUE(writes[2].taken) << "smaller, and it fits";
  EXPECT_FALSE(writes[3].taken);
  quotas.ReturnWrites(7, writes);
  std::vector<ShardQuotas::Write> again = {{0, 1 << 20}};
  quotas.TakeWrites(7, again);
  EXPECT_TRUE(again[0].taken) << "all was given back, and no more than all";
  quotas.TakeWrites(7, again);
  EXPECT_FALSE(again[0].taken);
}

TEST(ShardQuotas, FiveReadsASecondAndTwoMebibytes) {
  ManualClock clock(TimestampFromMs(0));
  ShardQuotas quotas(clock);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(quotas.TakeRead(7, 0));
  EXPECT_FALSE(quotas.TakeRead(7, 0));
  clock.Advance(milliseconds(200));
  EXPECT_TRUE(quotas.TakeRead(7, 0));
  quotas.ChargeRead(7, 0, 10 << 20);
  clock.Advance(milliseconds(4999));
  EXPECT_FALSE(quotas.TakeRead(7, 0)) << "10 MiB at 2 MiB/s: five seconds, whatever was saved up";
  clock.Advance(milliseconds(2));
  EXPECT_TRUE(quotas.TakeRead(7, 0));
  quotas.ChargeRead(7, 1, 2 << 20);
  EXPECT_FALSE(quotas.TakeRead(7, 1)) << "a second's worth, used up";
  clock.Advance(milliseconds(1));
  EXPECT_TRUE(quotas.TakeRead(7, 1));
}

TEST(ShardQuotas, FiveIteratorsASecond) {
  ManualClock clock(TimestampFromMs(0));
  ShardQuotas quotas(clock);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(quotas.TakeIterator(7, 0));
  EXPECT_FALSE(quotas.TakeIterator(7, 0));
  EXPECT_TRUE(quotas.TakeIterator(7, 1));
  EXPECT_TRUE(quotas.TakeRead(7, 0)) << "another budget";
  clock.Advance(milliseconds(200));
  EXPECT_TRUE(quotas.TakeIterator(7, 0));
}

TEST(ShardQuotas, IdleShardsAreForgotten) {
  ManualClock clock(TimestampFromMs(0));
  ShardQuotas quotas(clock);
  for (std::uint32_t shard = 0; shard < 5000; ++shard) {
    std::vector<ShardQuotas::Write> one = {{shard, 1}};
    quotas.TakeWrites(7, one);
    clock.Advance(milliseconds(10));
  }
  EXPECT_LE(quotas.size(), 1024U);
}

class Quotas : public BrokerTest {
 protected:
  void SetUp() override {
    config_.quotas = QuotaProfile::kAws;
    config_.max_record_bytes = 10 << 20;
    BrokerTest::SetUp();
  }
};

TEST_F(Quotas, EntriesAboveTheirShardsQuotaAreRefusedOneByOne) {
  MakeStream("s", 2);
  std::vector<PutRecordEntry> entries(1002, PutRecordEntry{"k", "x", UInt128()});
  entries[1001].explicit_hash_key = UInt128::Max();
  const auto results = Put("s", entries);
  ASSERT_TRUE(results.ok());
  EXPECT_TRUE(results->at(999).ok());
  ASSERT_FALSE(results->at(1000).ok());
  EXPECT_EQ(results->at(1000).error().code(), ErrorCode::kOverloaded);
  EXPECT_EQ(ShardOfQuotaError(results->at(1000).error()), 0U);
  EXPECT_TRUE(results->at(1001).ok());
  EXPECT_FALSE(Put("s", {entries[0]})->at(0).ok()) << "an answer with nothing stored";
  clock_.Advance(seconds(1));
  EXPECT_TRUE(Put("s", {entries[0]})->at(0).ok());
  EXPECT_EQ(Texts(Find("s", 0, IteratorType::kTrimHorizon).value()).size(), 1001U);
}

TEST_F(Quotas, ARecordAboveAMebibyteNeedsAQuietShard) {
  MakeStream("s", 1);
  const std::string large(3 << 20, 'x');
  EXPECT_TRUE(Put("s", {{"k", large, {}}})->at(0).ok());
  clock_.Advance(milliseconds(1999));
  EXPECT_FALSE(Put("s", {{"k", "x", {}}})->at(0).ok());
  clock_.Advance(milliseconds(2));
  EXPECT_TRUE(Put("s", {{"k", "x", {}}})->at(0).ok());
}

TEST_F(Quotas, ReadsAreCountedAndLongPollsAreNot) {
  MakeStream("s", 2);
  PutOne("s", "k", "x");
  const ShardPlace place = Find("s", 0, IteratorType::kTrimHorizon).value();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Read(place).ok());
  const Result<ReadResult> refused = Read(place);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ShardOfQuotaError(refused.error()), 0U);
  EXPECT_TRUE(Read(place, milliseconds(1)).ok());
  EXPECT_TRUE(Read(Find("s", 1, IteratorType::kTrimHorizon).value()).ok());
}

TEST_F(BrokerTest, WithoutAProfileNothingIsCounted) {
  MakeStream("s", 1);
  const std::vector<PutRecordEntry> entries(3000, PutRecordEntry{"k", "x", {}});
  const auto results = Put("s", entries);
  EXPECT_TRUE(std::all_of(results->begin(), results->end(), [](const auto& r) { return r.ok(); }));
  const ShardPlace place = Find("s", 0, IteratorType::kTrimHorizon).value();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Read(place).ok());
  EXPECT_EQ(ShardOfQuotaError(Error(ErrorCode::kOverloaded, "the queue is full")), std::nullopt);
  EXPECT_EQ(ShardOfQuotaError(Error(ErrorCode::kInternal, "the quota is used up of shardId-1")),
            std::nullopt);
}

}  // namespace
}  // namespace honryu::broker
