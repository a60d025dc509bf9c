#include "tests/unit/broker/fixture.h"

#include <thread>

namespace honryu::broker {
namespace {

class LeaseTest : public BrokerTest {
 protected:
  static constexpr char kShard[] = "shardId-000000000000";
  void SetUp() override {
    BrokerTest::SetUp();
    MakeStream("s", 1);
  }
  Result<LeaseRow> Acquire(const std::string& owner) {
    return runtime_.BlockOn(
        broker_->AcquireLease(Soon(), "app", "s", kShard, owner, std::chrono::seconds(10)));
  }
  Result<void> Save(LeaseRow row, std::uint64_t word) {
    row.checkpoint = SequenceNumber{{0, 0, word}};
    return runtime_.BlockOn(broker_->SaveCheckpoint(Soon(), row));
  }
};

TEST_F(LeaseTest, OneOwnerAtATimeUntilItExpires) {
  const LeaseRow mine = Acquire("a").value();
  EXPECT_EQ(Acquire("b").error().code(), ErrorCode::kConflict);
  EXPECT_EQ(Acquire("a")->counter, mine.counter);
  clock_.Advance(std::chrono::seconds(11));
  const LeaseRow theirs = Acquire("b").value();
  EXPECT_GT(theirs.counter, mine.counter);
  EXPECT_EQ(runtime_.BlockOn(broker_->RenewLease(Soon(), mine, std::chrono::seconds(10))).error().code(),
            ErrorCode::kFenced);
  EXPECT_EQ(Save(mine, 5).error().code(), ErrorCode::kFenced);
  EXPECT_EQ(runtime_.BlockOn(broker_->ReleaseLease(Soon(), mine)).error().code(), ErrorCode::kFenced);
  EXPECT_TRUE(Save(theirs, 5).ok());
}

TEST_F(LeaseTest, AStreamAsAWholeHasALeaseToo) {
  const auto acquire = [this](const char* stream, const char* slot) {
    return runtime_.BlockOn(
        broker_->AcquireLease(Soon(), "app.members", stream, slot, "a", std::chrono::seconds(10)));
  };
  EXPECT_TRUE(acquire("s", "stream").ok());
  EXPECT_EQ(acquire("nowhere", "stream").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(acquire("s", "streams").error().code(), ErrorCode::kNotFound);
}

TEST_F(LeaseTest, CheckpointsStayWithTheShardAndNeverGoBack) {
  LeaseRow mine = Acquire("a").value();
  mine.state = std::string("\0state", 6);
  ASSERT_TRUE(Save(mine, 7).ok());
  EXPECT_EQ(Save(mine, 6).error().code(), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(runtime_.BlockOn(broker_->ReleaseLease(Soon(), mine)).ok());
  Close();
  Open();
  const LeaseRow next = Acquire("b").value();
  EXPECT_EQ(next.checkpoint->words[2], 7u);
  EXPECT_EQ(next.state, std::string("\0state", 6));
  EXPECT_EQ(broker_->ListLeases("app", "s")->size(), 1u);
  EXPECT_TRUE(broker_->ListLeases("other", "s")->empty());
}

TEST_F(LeaseTest, UnknownShardsAndTooMuchStateAreRefused) {
  EXPECT_EQ(runtime_
                .BlockOn(broker_->AcquireLease(Soon(), "app", "s", "shardId-000000000009", "a",
                                               std::chrono::seconds(1)))
                .error()
                .code(),
            ErrorCode::kNotFound);
  LeaseRow mine = Acquire("a").value();
  mine.state.assign((1 << 20) + 1, 'x');
  EXPECT_EQ(Save(mine, 1).error().code(), ErrorCode::kTooLarge);
}

TEST_F(LeaseTest, GoWithTheirStream) {
  ASSERT_TRUE(Acquire("a").ok());
  ASSERT_TRUE(runtime_.BlockOn(broker_->DeleteStream(Soon(), "s")).ok());
  while (broker_->Describe("s").ok()) std::this_thread::yield();
  MakeStream("s", 1);
  EXPECT_TRUE(broker_->ListLeases("app", "s")->empty());
}

}  // namespace
}  // namespace honryu::broker
