// Points a second that one thread scores and learns: 100 trees of 256 points, time decay 100,000. Data: a
// daily wave with noise (seed 1), one to ten columns. Every forest is warm (50,000 rows learned) before the
// clock runs. Beside it: the same forest when it only learns, and an exponentially weighted mean and
// deviation, the cheapest detector there is. `forest_bytes`: memory of one forest at the end.
#include "honryu/anomaly/random_cut_forest.h"
#include "honryu/base/check.h"
#include "honryu/base/random.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace {

using honryu::anomaly::Attribution;
using honryu::anomaly::ForestOptions;
using honryu::anomaly::RandomCutForest;

constexpr std::size_t kRows = 1 << 16;

std::vector<double> Rows(std::size_t columns) {
  honryu::Random random(1);
  std::vector<double> values;
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t c = 0; c < columns; ++c) {
      double noise = -6;
      for (int k = 0; k < 12; ++k) noise += random.Unit();
      const double hour = static_cast<double>(i) / 60 + static_cast<double>(c);
      values.push_back(100 + 50 * std::sin(hour * std::numbers::pi / 12) + 10 * noise);
    }
  }
  return values;
}

RandomCutForest Warm(const ForestOptions& options, const std::vector<double>& rows) {
  auto forest = RandomCutForest::Create(options);
  HONRYU_CHECK(forest.ok(), "the options are in range");
  for (std::size_t i = 0; i < 50000; ++i) {
    forest->Learn(std::span(rows).subspan(i * options.dimensions, options.dimensions));
  }
  return std::move(forest).value();
}

enum class Work { kScoreAndLearn, kExplain, kLearn };

void Run(benchmark::State& state, std::size_t columns, Work work) {
  ForestOptions options;
  options.dimensions = columns;
  options.shingle = static_cast<std::size_t>(state.range(0));
  options.trees = static_cast<std::size_t>(state.range(1));
  options.sample_size = static_cast<std::size_t>(state.range(2));
  const std::vector<double> rows = Rows(columns);
  RandomCutForest forest = Warm(options, rows);
  Attribution attribution;
  std::size_t i = 0;
  for (auto _ : state) {
    const auto row = std::span(rows).subspan(i * columns, columns);
    if (work == Work::kLearn) {
      forest.Learn(row);
    } else {
      benchmark::DoNotOptimize(forest.Process(row, work == Work::kExplain ? &attribution : nullptr));
    }
    i = (i + 1) % kRows;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["forest_bytes"] = static_cast<double>(forest.MemoryBytes());
}

void BM_ScoreAndLearn(benchmark::State& state) { Run(state, 1, Work::kScoreAndLearn); }
void BM_ScoreAndLearnTenColumns(benchmark::State& state) { Run(state, 10, Work::kScoreAndLearn); }
void BM_Explain(benchmark::State& state) { Run(state, 1, Work::kExplain); }
void BM_LearnOnly(benchmark::State& state) { Run(state, 1, Work::kLearn); }

void BM_WeightedMeanAndDeviation(benchmark::State& state) {
  const std::vector<double> rows = Rows(1);
  double mean = 100;
  double variance = 1;
  std::size_t i = 0;
  for (auto _ : state) {
    const double distance = rows[i] - mean;
    benchmark::DoNotOptimize(std::abs(distance) / std::sqrt(variance));
    mean += 0.001 * distance;
    variance += 0.001 * (distance * distance - variance);
    i = (i + 1) % kRows;
  }
  state.SetItemsProcessed(state.iterations());
}

// shingle, trees, sample
BENCHMARK(BM_ScoreAndLearn)
    ->Args({1, 100, 256})
    ->Args({4, 100, 256})
    ->Args({8, 100, 256})
    ->Args({24, 100, 256})
    ->Args({48, 100, 256})
    ->Args({1, 50, 256})
    ->Args({1, 200, 256})
    ->Args({1, 100, 512})
    ->Args({1, 100, 1024});
BENCHMARK(BM_ScoreAndLearnTenColumns)->Args({1, 100, 256});
BENCHMARK(BM_Explain)->Args({1, 100, 256});
BENCHMARK(BM_LearnOnly)->Args({1, 100, 256});
BENCHMARK(BM_WeightedMeanAndDeviation);

}  // namespace
