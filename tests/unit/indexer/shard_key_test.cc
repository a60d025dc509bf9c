#include "processors/indexer/shard_key.h"

#include "honryu/broker/sequence.h"
#include "honryu/client/sequence_counter.h"

#include <gtest/gtest.h>

namespace honryu::processors::indexer {
namespace {

TEST(ShardKey, IsShortAndReadsBack) {
  const ShardKey key{"my.events-1", "shardId-000000000012", 0x6920a3c1};
  EXPECT_EQ(key.Text(), "my.events-1.12.6920a3c1");
  const auto read = ShardKey::Parse(key.Text());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->stream, key.stream);
  EXPECT_EQ(read->shard_id, key.shard_id);
  EXPECT_EQ(read->created_s, key.created_s);
}

TEST(ShardKey, KeepsShardIdsOfOtherForms) {
  const ShardKey zero{"s", "shardId-000000000000", 1};
  EXPECT_EQ(zero.Text(), "s.0.1");
  EXPECT_EQ(ShardKey::Parse("s.0.1")->shard_id, "shardId-000000000000");
  const ShardKey other{"s", "partition-7", 1};
  EXPECT_EQ(other.Text(), "s.partition-7.1");
  EXPECT_EQ(ShardKey::Parse(other.Text())->shard_id, "partition-7");
}

TEST(ShardKey, RefusesOtherTexts) {
  for (const char* text : {"", "s", "s.0", ".0.1", "s..1", "s.0.", "s.0.xyz", "s.0.12g"})
    EXPECT_FALSE(ShardKey::Parse(text).has_value()) << text;
}

TEST(SequenceCounter, IsTheCounterWithinTheSequenceNumber) {
  broker::SequenceParts parts;
  parts.shard_created_s = 1'795'219'200;
  parts.counter = 0x0123456789abcdefULL;
  parts.record_time_s = 1'795'219'300;
  parts.shard = 77;
  EXPECT_EQ(client::SequenceCounter(broker::EncodeSequence(parts)), parts.counter);
}

}  // namespace
}  // namespace honryu::processors::indexer
