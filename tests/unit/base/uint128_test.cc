#include "honryu/base/uint128.h"

#include <gtest/gtest.h>

namespace honryu {
namespace {

TEST(UInt128, DecimalRoundTripsAtTheEdges) {
  for (const char* text : {"0", "1", "18446744073709551615", "18446744073709551616",
                           "340282366920938463463374607431768211455"}) {
    EXPECT_EQ(UInt128::FromDecimal(text).value().ToDecimal(), text);
  }
}

TEST(UInt128, RefusesWhatIsNotANumberInRange) {
  EXPECT_EQ(UInt128::FromDecimal("340282366920938463463374607431768211456").error().code(),
            ErrorCode::kOutOfRange);
  for (const char* text : {"", "-1", "01", "1 ", "0x1", "1e3"}) {
    EXPECT_EQ(UInt128::FromDecimal(text).error().code(), ErrorCode::kInvalidArgument) << text;
  }
}

// RFC 1321 A.5 gives MD5("a") = 0cc175b9c0f1b6a831c399e269772661.
TEST(Md5HashKey, IsTheBigEndianDigest) {
  const UInt128 hash = Md5HashKey("a");
  EXPECT_EQ(hash.high, 0x0cc175b9c0f1b6a8ULL);
  EXPECT_EQ(hash.low, 0x31c399e269772661ULL);
  EXPECT_EQ(hash.ToDecimal(), "16955237001963240173058271559858726497");
}

TEST(SequenceNumber, DecimalRoundTripsAndOrdersNumerically) {
  const auto small = SequenceNumber::FromDecimal("9").value();
  const auto big =
      SequenceNumber::FromDecimal("49579844037727333356165064238440708846556371693205002258").value();
  EXPECT_LT(small, big);
  EXPECT_EQ(big.ToDecimal(), "49579844037727333356165064238440708846556371693205002258");
  EXPECT_EQ(SequenceNumber::FromDecimal("0").value().ToDecimal(), "0");
  const SequenceNumber max{{~0ULL, ~0ULL, ~0ULL}};
  EXPECT_EQ(SequenceNumber::FromDecimal(max.ToDecimal()).value(), max);
  EXPECT_EQ(SequenceNumber::FromDecimal(max.ToDecimal() + "0").error().code(), ErrorCode::kOutOfRange);
}

}  // namespace
}  // namespace honryu
