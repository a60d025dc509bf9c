#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace honryu::anomaly {

/// How a forest is built. The defaults are those of the Kinesis function RANDOM_CUT_FOREST.
struct ForestOptions {
  /// Numbers in one row of input: 1 to 1000; together with `shingle` at most 4096 (`dimensions` x `shingle`).
  std::size_t dimensions = 1;
  /// Rows joined into one point, oldest first: 1 to 1000.
  std::size_t shingle = 1;
  /// Independent trees: 1 to 1000.
  std::size_t trees = 100;
  /// Points kept in each tree: 2 to 16384 (Kinesis: 10 to 1000).
  std::size_t sample_size = 256;
  /// Rows the forest looks back over: the chance that an old point is still kept falls as exp(-age /
  /// time_decay). 0: it does not fall (every point of the past counts the same).
  std::uint64_t time_decay = 100000;
  /// Rows at the start that are learned in silence (score 0); 0 means as many as `sample_size`, as Kinesis
  /// does.
  std::size_t silent_rows = 0;
  /// The same seed and the same rows give the same scores.
  std::uint64_t seed = 1;
};

/// How much each input column, on each side, adds to a score: high: the value lies above what is usual; low:
/// below. All parts together are the score. With a shingle, a column's parts are summed over its positions in
/// `high` and `low`, and stand for themselves in the other two.
struct Attribution {
  std::vector<double> high;  ///< One a column.
  std::vector<double> low;   ///< One a column.
  /// At [lag * columns + column]; lag 0: the row that was scored, 1: the row before, up to shingle - 1.
  std::vector<double> high_by_lag{}, low_by_lag{};
  double Total() const;
};

/// What the forest would have expected of a value, from the points nearest in the other values.
struct ExpectedValue {
  double low = 0;     ///< 5 % of the similar points lie below.
  double median = 0;  ///< The usual value.
  double high = 0;    ///< 5 % of the similar points lie above.
};

/// A random cut forest over a stream of rows: a bounded sketch that says how odd each row is.
///
/// Source: Guha, Mishra, Roy, Schrijvers, "Robust Random Cut Forest Based Anomaly Detection on Streams" (ICML
/// 2016); the score is the expected inverse depth that AWS's open random-cut-forest library uses, times
/// log2(points in the tree + 1): 0 to about 8 for 256 points; 0.5 to 1.2 is ordinary, 2.5 and more stands
/// out.
///
/// Values are kept as 32-bit floats of their distance to the first row, so a large constant part costs no
/// precision. A missing value (NaN) is replaced by what the forest expects at that place (before the forest
/// speaks: by the value before it); a row whose point is more than half made of replaced values is scored but
/// not learned, and a row with nothing in it has score 0.
///
/// One row is handled once, in O(trees x depth x dimensions x shingle), depth being O(log sample_size) on
/// spread data. Value-like, movable; not thread-safe; does not block.
class RandomCutForest {
 public:
  /// kInvalidArgument when an option is out of its range.
  static Result<RandomCutForest> Create(const ForestOptions& options);
  RandomCutForest(RandomCutForest&&) noexcept;
  RandomCutForest& operator=(RandomCutForest&&) noexcept;
  ~RandomCutForest();

  /// Scores `row` (one number a column; NaN: missing) against the rows before it, then learns it. 0 while
  /// silent. With `attribution`, also says where the score comes from (all zero while silent; costs about
  /// twice the time).
  double Process(std::span<const double> row, Attribution* attribution = nullptr);
  /// Scores `row` as if it came next, and learns nothing.
  double Score(std::span<const double> row, Attribution* attribution = nullptr) const;
  /// Learns `row` without scoring it (a warm start from history, about forty times as fast).
  void Learn(std::span<const double> row);
  /// What would have been usual for column `column` of a row that comes next, given its other columns and the
  /// rows before it. The `row` is not learned. All zero while silent.
  ExpectedValue Expect(std::span<const double> row, std::size_t column) const;

  const ForestOptions& options() const;
  /// Rows given so far.
  std::uint64_t rows() const;
  /// True when the next row gets a score.
  bool ready() const;
  /// Memory held, bytes.
  std::size_t MemoryBytes() const;

  /// All state as bytes (docs/formats/forest-snapshot.md); a forest restored from them goes on exactly as
  /// this one would.
  std::string Snapshot() const;
  /// kCorrupt when the bytes are damaged or cut short, kUnimplemented when a newer version wrote them.
  static Result<RandomCutForest> Restore(BytesView snapshot);

  /// The forest's own state; defined in src/anomaly.
  class State;

 private:
  explicit RandomCutForest(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace honryu::anomaly
