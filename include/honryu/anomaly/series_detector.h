#pragma once

#include "honryu/anomaly/random_cut_forest.h"
#include "honryu/anomaly/seasonal_baseline.h"
#include "honryu/anomaly/threshold.h"
#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace honryu::anomaly {

struct SeriesOptions {
  /// Trees in each of the three forests: 1 to 1000.
  std::size_t trees = 50;
  /// Points in each tree; a long memory is what tells a rare value from a new one. 2 to 16384.
  std::size_t sample_size = 1024;
  /// As in ForestOptions.
  std::uint64_t time_decay = 100000;
  /// Rows at the start without a score.
  std::size_t silent_rows = 100;
  /// Rows joined into one point of the forest that looks at values: 1 to 1000. More than one finds changes of
  /// shape, and is slower.
  std::size_t shingle = 1;
  /// Rows in the mean that shows a change of level: 1 to 10000.
  std::size_t level_rows = 16;
  /// The season counts while it leaves less than this share of the movement unexplained.
  double season_limit = 0.5;
  /// A score is news if none of this many rows before it had one as high: 1 to 10000.
  std::size_t rest_rows = 100;
  SeasonalOptions season;
  ThresholdOptions threshold;
  std::uint64_t seed = 1;
};

/// Which view of the series found the row odd.
enum class SeriesCause : std::uint8_t {
  kNone,    ///< Nothing did: the detector is silent or the value is missing.
  kValue,   ///< The value by itself.
  kLevel,   ///< The mean of the last rows.
  kSeason,  ///< The distance to what is usual at this time of the day and week.
};

/// "value", "level", "season", "none".
std::string_view SeriesCauseName(SeriesCause cause);

/// How much one value adds to the score of one view.
struct ScorePart {
  SeriesCause view = SeriesCause::kValue;
  std::size_t lag = 0;  ///< 0: the row itself, 1: the one before (kValue with a shingle).
  double high = 0;      ///< For lying above what is usual…
  double low = 0;       ///< …and below.
};

struct SeriesScore {
  double score = 0;  ///< On the forest's scale: 0 while silent, ordinary about 1, 3 and more stands out.
  double fresh_score = 0;  ///< The score if it is higher than any of the rest_rows before it, else 0.
  double grade = 0;        ///< 0: ordinary, to 1, by a threshold that follows the series.
  SeriesCause cause = SeriesCause::kNone;
  bool above = false;  ///< The value (for kLevel the mean) lies above what is usual.
  /// Where the score comes from; only with a grade above 0. Those of the view `cause` add up to `score`,
  /// those of the other views to what they gave.
  std::vector<ScorePart> parts;
};

/// Watches one series of timed numbers, a value at a time, without looking ahead.
///
/// Three random cut forests look at the value, at the mean of the last rows and, as long as the time of the
/// day and week explains most of the movement, at the distance to what is usual then; the score is the
/// highest of the three. Movable; not thread-safe; does not block.
class SeriesDetector {
 public:
  /// kInvalidArgument when an option is out of its range.
  static Result<SeriesDetector> Create(const SeriesOptions& options = {});
  SeriesDetector(SeriesDetector&&) noexcept;
  SeriesDetector& operator=(SeriesDetector&&) noexcept;
  ~SeriesDetector();

  /// Scores `value` (NaN: missing, score 0) and learns it. Times may repeat and go back; each row counts as
  /// the next.
  SeriesScore Process(Timestamp time, double value);
  /// Range and middle of what is usual at `time`: around the season's mean if that counts, else that of the
  /// values kept. All zero while silent. Takes milliseconds: for the rows that are reported.
  ExpectedValue Expect(Timestamp time) const;

  const SeriesOptions& options() const;
  std::uint64_t rows() const;
  bool ready() const;
  std::size_t MemoryBytes() const;

  /// All state as bytes (docs/formats/forest-snapshot.md).
  std::string Snapshot() const;
  /// Restores a detector that was made with the same options; kCorrupt when the bytes are damaged or do not
  /// fit them, kUnimplemented when a newer version wrote them.
  static Result<SeriesDetector> Restore(const SeriesOptions& options, BytesView snapshot);

 private:
  class State;
  explicit SeriesDetector(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace honryu::anomaly
