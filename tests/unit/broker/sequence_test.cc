#include "honryu/broker/sequence.h"

#include <gtest/gtest.h>

namespace honryu::broker {
namespace {

// 47 digits: 2, creation 0x054e2b5c9 (9), shard digit 7 (1), counter (16), 00, time 0x054e2b5d0 (9), shard
// (8), 2.
TEST(Sequence, IsLaidOutAsVersion2) {
  const SequenceNumber n = EncodeSequence({0x54e2b5c9, 0x0123456789abcdefULL, 0x54e2b5d0, 0x17});
  // Digit by digit from the left; the number has 47 digits, so the first word holds a leading zero.
  EXPECT_EQ(n.words[0], 0x02054e2b5c970123ULL);
  EXPECT_EQ(n.words[1], 0x456789abcdef0005ULL);
  EXPECT_EQ(n.words[2], 0x4e2b5d0000000172ULL);
}

TEST(Sequence, RoundTripsAndOrders) {
  SequenceNumber last;
  for (const std::uint64_t counter :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{255}, std::uint64_t{1} << 62, kEndCounter}) {
    const SequenceNumber n = EncodeSequence({1'800'000'000, counter, 1'800'000'100, 4711});
    const SequenceParts parts = DecodeSequence(n).value();
    EXPECT_EQ(parts.counter, counter);
    EXPECT_EQ(parts.shard, 4711u);
    EXPECT_EQ(parts.shard_created_s, 1'800'000'000);
    EXPECT_EQ(parts.record_time_s, 1'800'000'100);
    EXPECT_LT(last, n);
    last = n;
    EXPECT_EQ(SequenceNumber::FromDecimal(n.ToDecimal()).value(), n);
    EXPECT_EQ(n.ToDecimal().size(), 56u);
  }
}

// Written down by hand from the layout, with another tool.
TEST(Sequence, ReadsANumberMadeElsewhere) {
  const auto n =
      SequenceNumber::FromDecimal("49581659894280937755743597253019578384514296232269578258").value();
  const Result<SequenceParts> parts = DecodeSequence(n);
  ASSERT_TRUE(parts.ok()) << parts.error().message();
  EXPECT_EQ(parts->shard, 1u);
  EXPECT_EQ(parts->counter, 77u);
  EXPECT_EQ(parts->shard_created_s, 1518454265);
  EXPECT_EQ(parts->record_time_s, 1518454300);
  EXPECT_EQ(EncodeSequence(*parts), n);
}

TEST(Sequence, SmallNumbersAreVersion0AndNonsenseIsRefused) {
  EXPECT_EQ(DecodeSequence(SequenceNumber::FromDecimal("5").value())->shard, 5u);
  for (const char* text : {"680564733841876926926749214863536422912",
                           "49579844037727333356165064238440708846556371693205002259"}) {
    EXPECT_FALSE(DecodeSequence(SequenceNumber::FromDecimal(text).value()).ok()) << text;
  }
}

}  // namespace
}  // namespace honryu::broker
