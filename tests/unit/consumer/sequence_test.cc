#include "honryu/consumer/sequence.h"

#include "honryu/broker/sequence.h"

#include <gtest/gtest.h>

namespace honryu::consumer {
namespace {

TEST(ShardCreation, IsWhatTheBrokerPutsIn) {
  for (const std::int64_t created :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{1700000000}, std::int64_t{16025174999}}) {
    broker::SequenceParts parts;
    parts.shard_created_s = created;
    parts.counter = broker::kEndCounter;
    parts.record_time_s = 1790000000;
    parts.shard = 2147483647;
    EXPECT_EQ(ShardCreation(broker::EncodeSequence(parts)), created);
  }
  SequenceNumber other;
  other.words[2] = 42;
  EXPECT_EQ(ShardCreation(other), 0);
}

}  // namespace
}  // namespace honryu::consumer
