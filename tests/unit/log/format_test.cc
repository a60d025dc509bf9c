#include "src/log/format.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

namespace honryu::log {
namespace {

std::string Hex(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char c : bytes) {
    out += kHex[c >> 4];
    out += kHex[c & 15];
  }
  return out;
}

// The bytes of format version 1. If this fails, the format has changed: give it a new version and keep
// reading this one.
TEST(LogFormat, Version1BytesStayAsTheyAre) {
  RecordBuilder builder(codec::Compression::kNone);
  builder.AddRecord("hello");
  builder.AddRecord("");
  const EncodedRecords records = builder.Finish();
  EXPECT_EQ(Hex(records.unit).substr(0, 32), "020000000d0000000d00000000000000");
  EXPECT_EQ(Hex(records.unit).substr(40), "0500000068656c6c6f00000000");
  BatchHeader header;
  header.unit_count = 1;
  header.base = 0x1122334455667788ULL;
  header.record_count = 2;
  header.body_bytes = 33;
  header.time = TimestampFromMs(1'800'000'000'123);
  EXPECT_EQ(Hex(EncodeBatchHeader(header)).substr(0, 64),
            "0101000001000000887766554433221102000000210000007b505c18a3010000");
  EXPECT_EQ(Hex(BatchKey(1, 2, 0x0304)), "000000000000000100000000000000020000000000000304");
}

TEST(LogFormat, EveryFlippedBitOfAUnitIsNoticed) {
  RecordBuilder builder;
  for (int i = 0; i < 20; ++i) builder.AddRecord("record " + std::to_string(i) + std::string(50, 'x'));
  const std::string unit = builder.Finish().unit;
  EXPECT_LT(unit.size(), 20u * 50u);  // it did compress
  for (std::size_t bit = 0; bit < unit.size() * 8; ++bit) {
    std::string bad = unit;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const Result<void> read = ReadUnit(Bytes(bad), true, nullptr, [](const Bytes&) { return true; });
    ASSERT_FALSE(read.ok()) << bit;
    ASSERT_EQ(read.error().code(), ErrorCode::kCorrupt);
  }
}

TEST(LogFormat, EveryFlippedBitOfABatchHeaderIsNoticed) {
  BatchHeader header;
  header.unit_count = 1;
  header.base = 5;
  header.record_count = 2;
  header.body_bytes = 3;
  const std::string good = EncodeBatchHeader(header) + "abc";
  ASSERT_TRUE(DecodeBatchHeader(good).ok());
  for (std::size_t bit = 0; bit < kBatchHeaderSize * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_FALSE(DecodeBatchHeader(bad).ok()) << bit;
  }
}

TEST(RecordBuilder, GivesUpOnDataThatDoesNotCompress) {
  Random random(1);
  RecordBuilder builder;
  std::string noise;
  for (int i = 0; i < 100000; ++i) noise += static_cast<char>(random.Next());
  builder.AddRecord(noise);
  const EncodedRecords records = builder.Finish();
  EXPECT_EQ(records.unit.size(), kUnitHeaderSize + 4 + noise.size());
  EXPECT_EQ(records.plain_bytes, noise.size());
}

}  // namespace
}  // namespace honryu::log
