#include "honryu/codec/zip.h"

#include "tests/support/zip_writer.h"

#include <gtest/gtest.h>

namespace honryu::codec {
namespace {

// Made by Python's zipfile: a folder "d/", a.txt ("hello hello hello", deflated) and b.txt ("stored",
// stored).
const std::string& MadeElsewhere() {
  static const std::string archive = [] {
    const std::string_view hex =
        "504b03041400000000000000210000000000000000000000000002000000642f504b0304140000000800000021008088"
        "f9e50a0000001100000007000000642f612e747874cb48cdc9c957c8409000504b0304140000000000000021000bf943"
        "56060000000600000005000000622e74787473746f726564504b01021403140000000000000021000000000000000000"
        "00000000020000000000000000000000800100000000642f504b01021403140000000800000021008088f9e50a000000"
        "11000000070000000000000000000000800120000000642f612e747874504b01021403140000000000000021000bf943"
        "56060000000600000005000000000000000000000080014f000000622e747874504b0506000000000300030098000000"
        "780000000000";
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
  }();
  return archive;
}

TEST(Zip, OpensTheFilesOfAForeignArchiveInOrderWithoutItsFolders) {
  ASSERT_TRUE(MayBeZip(MadeElsewhere()));
  EXPECT_EQ(OpenZip(MadeElsewhere(), ZipLimits()).value(),
            (std::vector<std::string>{"hello hello hello", "stored"}));
}

TEST(Zip, OpensAnEmptyArchiveToNothing) {
  const std::string empty = testing::ZipWriter().Finish();
  EXPECT_TRUE(MayBeZip(empty));
  EXPECT_TRUE(OpenZip(empty, ZipLimits()).value().empty());
}

TEST(Zip, NeverOpensMoreThanTheLimits) {
  testing::ZipWriter writer;
  for (int i = 0; i < 10; ++i) writer.Add("zeros-" + std::to_string(i), std::string(1'000'000, '0'));
  const std::string bomb = writer.Finish();
  EXPECT_LT(bomb.size(), 20'000u);
  EXPECT_EQ(OpenZip(bomb, {10'000'000, 10}).value().size(), 10u);
  EXPECT_EQ(OpenZip(bomb, {9'999'999, 10}).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(OpenZip(bomb, {10'000'000, 9}).error().code(), ErrorCode::kOutOfRange);
}

TEST(Zip, TellsDamageAndWhatItCannotOpen) {
  testing::ZipWriter writer;
  writer.FalseChecksums();
  writer.Add("a", "content");
  EXPECT_EQ(OpenZip(writer.Finish(), ZipLimits()).error().code(), ErrorCode::kInvalidArgument);
  testing::ZipWriter secret;
  secret.Encrypted();
  secret.Add("a", "content");
  EXPECT_EQ(OpenZip(secret.Finish(), ZipLimits()).error().code(), ErrorCode::kUnimplemented);
  const std::string& good = MadeElsewhere();
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(OpenZip(good.substr(0, size), ZipLimits()).ok()) << size;
  EXPECT_FALSE(MayBeZip("PK"));
  EXPECT_FALSE(MayBeZip("{\"a\":1}"));
}

}  // namespace
}  // namespace honryu::codec
