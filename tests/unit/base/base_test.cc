#include "honryu/base/bytes.h"
#include "honryu/base/crc32c.h"
#include "honryu/base/random.h"
#include "honryu/base/result.h"
#include "honryu/base/units.h"

#include <gtest/gtest.h>

namespace honryu {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Error(ErrorCode::kInvalidArgument, "odd");
  return n / 2;
}
Result<int> Quarter(int n) {
  HONRYU_TRY(const int half, Half(n));
  HONRYU_TRY(const int quarter, Half(half));
  return quarter;
}

TEST(Result, TryPassesTheFirstErrorUp) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).error().message(), "odd");
  EXPECT_EQ(Result<int>().error().code(), ErrorCode::kUnset);
}

// RFC 3720 B.4: 32 bytes of zeros give 0x8a9136aa, 0..31 give 0x46dd794e.
TEST(Crc32c, MatchesTheRfcVectors) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(Crc32c(rising), 0x46dd794eu);
  EXPECT_EQ(Crc32c(rising.substr(7), Crc32c(rising.substr(0, 7))), 0x46dd794eu);
}

TEST(Units, ParseAndFormat) {
  EXPECT_EQ(ParseByteSize("64MiB").value(), ByteSize::MiB(64));
  EXPECT_EQ(FormatByteSize(ByteSize::MiB(64)), "64MiB");
  EXPECT_FALSE(ParseByteSize("64 MiB").ok());
  EXPECT_FALSE(ParseByteSize("99999999999TiB").ok());
  EXPECT_EQ(ParseDuration("1h30m").value(), std::chrono::minutes(90));
  EXPECT_EQ(FormatDuration(std::chrono::minutes(90)), "90m");
  EXPECT_FALSE(ParseDuration("5").ok());
  EXPECT_FALSE(ParseDuration("5 s").ok());
}

TEST(Bytes, SlicesShareAndOutliveTheOriginal) {
  Bytes slice;
  {
    const Bytes all(std::string(100, 'x') + "tail");
    slice = all.Slice(100);
  }
  EXPECT_EQ(slice.view(), "tail");
  EXPECT_TRUE(slice.Slice(9).empty());
}

TEST(Random, IsDeterministicUnderASeedAndUuidsAreWellFormed) {
  Random a(42), b(42);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.Next(), b.Next());
  EXPECT_TRUE(IsUuid(RandomUuid()));
  EXPECT_NE(RandomUuid(), RandomUuid());
  EXPECT_FALSE(IsUuid("not-a-uuid"));
}

}  // namespace
}  // namespace honryu
