#include "honryu/base/token_bucket.h"

#include <gtest/gtest.h>

namespace honryu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TokenBucket, FillsUpToASecondsWorth) {
  const MonoTime start{};
  TokenBucket bucket(10, start);
  EXPECT_TRUE(bucket.IsFull(start));
  EXPECT_TRUE(bucket.Has(10, start));
  bucket.Take(10);
  EXPECT_FALSE(bucket.Has(1, start));
  EXPECT_FALSE(bucket.Has(1, start + milliseconds(99)));
  EXPECT_TRUE(bucket.Has(1, start + milliseconds(100)));
  EXPECT_FALSE(bucket.Has(2, start + milliseconds(199)));
  EXPECT_FALSE(bucket.Has(2, start + milliseconds(150))) << "time does not go back";
  EXPECT_FALSE(bucket.IsFull(start + milliseconds(999)));
  EXPECT_TRUE(bucket.IsFull(start + seconds(3)));
  bucket.Take(10);
  EXPECT_FALSE(bucket.Has(1, start + seconds(3))) << "no more than a second is saved up";
}

TEST(TokenBucket, ALargeAmountTakesAFullBucketAndLeavesADebt) {
  const MonoTime start{};
  TokenBucket bucket(10, start);
  EXPECT_TRUE(bucket.Has(45, start));
  bucket.Take(45);
  EXPECT_FALSE(bucket.Has(1, start + milliseconds(3500)));
  EXPECT_TRUE(bucket.Has(1, start + milliseconds(3600)));
  bucket.Return(100);
  EXPECT_TRUE(bucket.IsFull(start + milliseconds(3600)));
}

TEST(TokenBucket, TellsWhenThereWillBeEnough) {
  const MonoTime start{};
  TokenBucket bucket(10, start);
  EXPECT_EQ(bucket.Until(10, start), Duration::zero());
  bucket.Take(15);
  const Duration wait = bucket.Until(1, start);
  EXPECT_GE(wait, milliseconds(600));
  EXPECT_LT(wait, milliseconds(601));
  EXPECT_TRUE(bucket.Has(1, start + wait)) << "at that time it is there";
  EXPECT_LT(bucket.Until(1000, start), milliseconds(1501)) << "a full bucket is enough for any amount";
}

TEST(TokenBucket, SavesUpToItsBurstAndCanBeEmptied) {
  const MonoTime start{};
  TokenBucket bucket(1, 5, start);
  EXPECT_TRUE(bucket.Has(5, start));
  bucket.Empty();
  EXPECT_FALSE(bucket.Has(1, start));
  bucket.Take(2);
  bucket.Empty();
  EXPECT_FALSE(bucket.Has(1, start + milliseconds(2900))) << "a debt stays";
  EXPECT_TRUE(bucket.Has(5, start + seconds(60)));
  bucket.Take(5);
  EXPECT_FALSE(bucket.Has(1, start + seconds(60)));
}

}  // namespace
}  // namespace honryu
