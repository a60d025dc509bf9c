#include "honryu/anomaly/random_cut_forest.h"
#include "honryu/base/crc32c.h"
#include "honryu/base/random.h"
#include "honryu/codec/endian.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace honryu::anomaly {
namespace {

RandomCutForest Make(std::size_t dimensions, std::size_t shingle, int rows, std::size_t trees = 20) {
  ForestOptions options;
  options.dimensions = dimensions;
  options.shingle = shingle;
  options.trees = trees;
  options.sample_size = 64;
  options.time_decay = 500;
  auto forest = RandomCutForest::Create(options).value();
  Random random(1);
  for (int i = 0; i < rows; ++i) {
    std::vector<double> row;
    for (std::size_t d = 0; d < dimensions; ++d) row.push_back(static_cast<double>(random.Below(200)) / 8);
    forest.Process(row);
  }
  return forest;
}

void Seal(std::string& bytes) {
  bytes.resize(bytes.size() - 4);
  codec::AppendU32(bytes, Crc32c(bytes));
}

TEST(ForestSnapshot, ARestoredForestGoesOnExactlyAsTheOriginal) {
  for (const int rows : {0, 1, 5, 63, 64, 700}) {
    for (const auto& [dimensions, shingle] :
         {std::pair<std::size_t, std::size_t>{1, 1}, {1, 4}, {3, 1}, {2, 5}}) {
      RandomCutForest forest = Make(dimensions, shingle, rows);
      const std::string bytes = forest.Snapshot();
      auto restored = RandomCutForest::Restore(bytes);
      ASSERT_TRUE(restored.ok()) << restored.error().ToString();
      ASSERT_EQ(restored->Snapshot(), bytes);
      Random random(2);
      for (int i = 0; i < 300; ++i) {
        std::vector<double> row;
        for (std::size_t d = 0; d < dimensions; ++d)
          row.push_back(static_cast<double>(random.Below(300)) / 8);
        ASSERT_EQ(forest.Process(row), restored->Process(row)) << rows << " rows, then " << i;
      }
      EXPECT_EQ(forest.Snapshot(), restored->Snapshot());
    }
  }
}

TEST(ForestSnapshot, EveryDamagedByteIsNoticed) {
  std::string bytes = Make(2, 2, 100, 2).Snapshot();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
    EXPECT_FALSE(RandomCutForest::Restore(bytes).ok()) << "byte " << i;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto cut = RandomCutForest::Restore(BytesView(bytes).substr(0, length));
    ASSERT_FALSE(cut.ok());
    ASSERT_EQ(cut.error().code(), ErrorCode::kCorrupt);
  }
}

TEST(ForestSnapshot, ANewerFormatIsRefusedByName) {
  std::string bytes = Make(1, 1, 10).Snapshot();
  bytes[5] = 2;
  Seal(bytes);
  const auto newer = RandomCutForest::Restore(bytes);
  ASSERT_FALSE(newer.ok());
  EXPECT_EQ(newer.error().code(), ErrorCode::kUnimplemented);
}

// Damage under a right checksum must end in an error or in a forest that works, never in a wrong access (run
// with the address sanitizer).
TEST(ForestSnapshot, DamageUnderARightChecksumIsRefusedOrHarmless) {
  const std::string whole = Make(2, 2, 90, 3).Snapshot();
  const char* given = std::getenv("HONRYU_SEED");
  const std::uint64_t seed = given == nullptr ? std::random_device{}() : std::strtoull(given, nullptr, 10);
  SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
  Random random(seed);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string bytes = whole;
    const std::size_t changes = 1 + random.Below(3);
    for (std::size_t c = 0; c < changes; ++c) {
      const std::size_t at = random.Chance(0.3) ? 6 + random.Below(40) : 6 + random.Below(bytes.size() - 10);
      bytes[at] = static_cast<char>(random.Next());
    }
    if (random.Chance(0.2)) bytes.erase(6 + random.Below(bytes.size() - 10), 1 + random.Below(3));
    Seal(bytes);
    auto forest = RandomCutForest::Restore(bytes);
    if (!forest.ok()) {
      ++refused;
      continue;
    }
    const std::vector<double> row(forest->options().dimensions, 3.5);
    for (int k = 0; k < 50; ++k) {
      const double score = forest->Process(row);
      ASSERT_TRUE(score >= 0 && score <= 15) << score;  // log2 of the largest sample and one
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace honryu::anomaly
