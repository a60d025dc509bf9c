#pragma once

#include "anomaly/cut_tree.h"
#include "anomaly/decayed_sampler.h"
#include "anomaly/point_store.h"
#include "anomaly/tree_random.h"
#include "honryu/anomaly/random_cut_forest.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace honryu::anomaly {

/// No coordinate of a point lies beyond it: a float's sum over thousands of dimensions must not overflow.
constexpr double kLargestCoordinate = 1e34;

/// One tree with what decides which points it holds.
struct SampledTree {
  CutTree tree;
  DecayedSampler sampler;
  TreeRandom random;
};

/// The point that the last rows form: `shingle` rows side by side, oldest first, as distances to the origin.
struct Window {
  std::vector<float> values;           ///< PointStore width.
  std::vector<std::uint8_t> replaced;  ///< One a dimension of the point; 1: was missing.
};

class RandomCutForest::State {
 public:
  explicit State(const ForestOptions& options);

  double Process(std::span<const double> row, Attribution* attribution);
  double Score(std::span<const double> row, Attribution* attribution) const;
  void Learn(std::span<const double> row);
  ExpectedValue Expect(std::span<const double> row, std::size_t column) const;
  bool ready() const;
  std::size_t MemoryBytes() const;
  std::string Snapshot() const;
  Result<void> ReadSnapshot(BytesView body);

  ForestOptions options;
  std::uint64_t rows = 0;

 private:
  friend struct SnapshotReader;

  bool Shift(std::span<const double> row, Window& window) const;
  void SetOrigin(std::span<const double> row);
  double ScoreWindow(const Window& window, Attribution* attribution) const;
  void Clear(Attribution& attribution) const;
  void LearnWindow();
  void TakeInto(SampledTree& each, double key, std::span<const double> cuts, std::uint32_t* point);
  void DrawCuts();
  void UpdateLimit();
  ExpectedValue ExpectAt(const Window& window, std::span<const std::uint8_t> missing,
                         std::size_t position) const;

  std::size_t point_dimensions_;
  std::size_t silent_rows_;
  std::vector<double> origin_;  ///< One a column: the first value; NaN until there was one.
  Window window_;
  mutable Window scratch_;  ///< The window of Score() and Expect(), kept for its memory.
  PointStore store_;
  std::vector<SampledTree> trees_;
  TreeRandom sampling_;  ///< Decides which trees take a point.
  StratifiedDraws draws_;
  /// The trees that take the point at hand, with its key, and kStratifiedCuts numbers for each to draw cuts
  /// with.
  struct Taker {
    std::size_t tree;
    double key;
  };
  std::vector<Taker> takers_;
  std::vector<double> cuts_;
  std::vector<std::uint32_t> shuffled_;
  double limit_;  ///< The largest Limit() of any sampler: no key above is taken by anyone.
};

}  // namespace honryu::anomaly
