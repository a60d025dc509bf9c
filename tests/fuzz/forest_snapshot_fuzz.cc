// The readers of forests' and detectors' snapshots, under a right checksum (a fuzzer does not find CRCs).
// Checked beside "no crash": what is restored works, and its own snapshot is restored to the same.
#include "honryu/anomaly/random_cut_forest.h"
#include "honryu/anomaly/series_detector.h"
#include "honryu/base/check.h"
#include "honryu/base/crc32c.h"
#include "honryu/codec/endian.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace honryu;
using namespace honryu::anomaly;

SeriesOptions Small() {
  SeriesOptions options;
  options.trees = 2;
  options.sample_size = 8;
  options.silent_rows = 4;
  options.level_rows = 2;
  options.rest_rows = 4;
  options.season.slot = std::chrono::hours(12);
  return options;
}

void CheckForest(BytesView bytes) {
  auto forest = RandomCutForest::Restore(bytes);
  if (!forest.ok()) return;
  const ForestOptions& options = forest->options();
  if (options.trees * options.dimensions * options.shingle > 20'000) return;  // slow, not wrong
  auto again = RandomCutForest::Restore(forest->Snapshot());
  HONRYU_CHECK(again.ok(), "what was restored cannot be saved");
  std::vector<double> row(options.dimensions, 1.5);
  for (int i = 0; i < 4; ++i) {
    const double score = forest->Process(row);
    HONRYU_CHECK(score >= 0 && score <= 15, "a score out of range");
    HONRYU_CHECK(score == again->Process(row), "it goes on otherwise");
    row[0] = -row[0] * 3;
  }
}

void CheckSeries(BytesView bytes) {
  auto detector = SeriesDetector::Restore(Small(), bytes);
  if (!detector.ok()) return;
  HONRYU_CHECK(SeriesDetector::Restore(Small(), detector->Snapshot()).ok(),
               "what was restored cannot be saved");
  for (int i = 0; i < 4; ++i) {
    const SeriesScore score = detector->Process(TimestampFromMs(i * 1'000'000), i);
    HONRYU_CHECK(std::isfinite(score.score), "a score that is no number");
    HONRYU_CHECK(score.grade >= 0 && score.grade <= 1, "a grade out of range");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  CheckForest(bytes);
  if (size >= 4) bytes.resize(size - 4);
  codec::AppendU32(bytes, Crc32c(bytes));
  CheckForest(bytes);
  CheckSeries(bytes);
  return 0;
}
