#include "honryu/codec/compression.h"

#include "honryu/base/random.h"
#include "honryu/codec/uri.h"
#include "honryu/codec/varint.h"

#include <gtest/gtest.h>

namespace honryu::codec {
namespace {

constexpr Compression kAll[] = {Compression::kNone, Compression::kLz4, Compression::kZstd,
                                Compression::kGzip};

TEST(Compression, RoundTripsAtManySizes) {
  Random random(3);
  for (const std::size_t size : {0u, 1u, 100u, 16384u, 16385u, 1000000u}) {
    std::string plain;
    for (std::size_t i = 0; i < size; ++i) plain += static_cast<char>('a' + random.Below(4));
    for (const Compression codec : kAll) {
      const std::string packed = Compress(codec, plain).value();
      EXPECT_EQ(Decompress(codec, packed, plain.size()).value(), plain) << size;
    }
  }
}

TEST(Compression, NeverOpensMoreThanTheLimit) {
  const std::string bomb(10'000'000, '\0');
  for (const Compression codec : {Compression::kZstd, Compression::kGzip}) {
    const std::string packed = Compress(codec, bomb).value();
    EXPECT_EQ(Decompress(codec, packed, bomb.size() - 1).error().code(), ErrorCode::kTooLarge);
    EXPECT_TRUE(Decompress(codec, packed, bomb.size()).ok());
  }
}

TEST(Compression, AFalseSizeInAZstdFrameIsNotBelieved) {
  // Single-segment frame that claims 4 GiB - 2 and holds one empty last block.
  const std::string frame("\x28\xb5\x2f\xfd\xa0\xfe\xff\xff\xff\x01\x00\x00", 12);
  const auto opened = Decompress(Compression::kZstd, frame, std::size_t{1} << 33);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
}

TEST(Compression, SeveralMembersFollowEachOther) {
  for (const Compression codec : {Compression::kZstd, Compression::kGzip}) {
    const std::string packed = Compress(codec, "one ").value() + Compress(codec, "two").value();
    EXPECT_EQ(Decompress(codec, packed, 100).value(), "one two");
  }
}

TEST(Compression, CutShortOrForeignDataIsAnError) {
  for (const Compression codec : {Compression::kLz4, Compression::kZstd, Compression::kGzip}) {
    const std::string packed = Compress(codec, std::string(1000, 'x') + "tail").value();
    for (std::size_t cut = 1; cut < packed.size(); ++cut) {
      EXPECT_FALSE(Decompress(codec, std::string_view(packed).substr(0, packed.size() - cut), 1004).ok())
          << cut;
    }
    EXPECT_FALSE(Decompress(codec, "this is not compressed", 1000).ok());
  }
}

TEST(Compression, ContentEncodingNames) {
  EXPECT_EQ(ParseContentEncoding("GZIP").value(), Compression::kGzip);
  EXPECT_EQ(ParseContentEncoding("zstd").value(), Compression::kZstd);
  EXPECT_EQ(ParseContentEncoding("").value(), Compression::kNone);
  EXPECT_FALSE(ParseContentEncoding("br").ok());
}

TEST(Varint, RoundTripsAndRefusesWhatIsCutShort) {
  for (const std::uint64_t value : {0ULL, 127ULL, 128ULL, 300ULL, 1ULL << 62, ~0ULL}) {
    std::string text;
    AppendVarint(text, value);
    EXPECT_EQ(text.size(), VarintSize(value));
    std::string_view in = text;
    std::uint64_t back = 0;
    EXPECT_TRUE(TakeVarint(&in, &back));
    EXPECT_EQ(back, value);
    EXPECT_TRUE(in.empty());
    in = std::string_view(text).substr(0, text.size() - 1);
    EXPECT_FALSE(TakeVarint(&in, &back));
  }
}

TEST(Uri, DecodesEscapesAndQueries) {
  EXPECT_EQ(PercentDecode("%E6%B8%8B%e8%b0%b7+1", false).value(), "渋谷+1");
  EXPECT_EQ(PercentDecode("a+b", true).value(), "a b");
  for (const char* bad : {"%", "%4", "%zz", "x%4"}) EXPECT_FALSE(PercentDecode(bad, false).ok()) << bad;
  EXPECT_EQ(PercentDecode("%41", false).value(), "A");
  const auto query = ParseQuery("a=1&&b&c=%3D").value();
  ASSERT_EQ(query.size(), 3u);
  EXPECT_EQ(query[1].first, "b");
  EXPECT_EQ(query[2].second, "=");
}

}  // namespace
}  // namespace honryu::codec
