#include "honryu/base/time.h"

#include <gtest/gtest.h>

namespace honryu {
namespace {

TEST(ParseTimestamp, AcceptsOffsetsFractionsAndShortForms) {
  const std::int64_t base = 1763719200000;  // 2025-11-21T10:00:00Z
  EXPECT_EQ(ToMs(ParseTimestamp("2025-11-21T10:00:00Z").value()), base);
  EXPECT_EQ(ToMs(ParseTimestamp("2025-11-21T19:00:00+09:00").value()), base);
  EXPECT_EQ(ToMs(ParseTimestamp("2025-11-21T19:00:00.123456+0900").value()), base + 123);
  EXPECT_EQ(ToMs(ParseTimestamp("2025-11-21T05:30:00.5-04:30").value()), base + 500);
  EXPECT_EQ(ToMs(ParseTimestamp("2025-11-21 10:00").value()), base);
  EXPECT_EQ(ToMs(ParseTimestamp("2025-11-21").value()), base - 36000000);
}

TEST(ParseTimestamp, RefusesImpossibleOnes) {
  for (const char* text :
       {"", "yesterday", "2025-13-01T00:00:00Z", "2025-02-30T00:00:00Z", "2025-11-21T24:00:00Z",
        "2025-11-21T10:00:00Zx", "2025-11-21T10:00:00.Z", "2025-11-21T10:00:00+9"}) {
    EXPECT_FALSE(ParseTimestamp(text).ok()) << text;
  }
}

TEST(FormatTimestamp, RoundTrips) {
  EXPECT_EQ(FormatTimestamp(TimestampFromMs(1763719200007)), "2025-11-21T10:00:00.007Z");
  EXPECT_EQ(ToMs(ParseTimestamp(FormatTimestamp(TimestampFromMs(951782400001))).value()), 951782400001);
}

}  // namespace
}  // namespace honryu
