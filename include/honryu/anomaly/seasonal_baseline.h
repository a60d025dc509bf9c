#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace honryu::anomaly {

struct SeasonalOptions {
  /// Length of a slot of the day and of the week: 1 minute to 1 day, a whole part of a day.
  Duration slot = std::chrono::minutes(30);
  /// Share that a new day or week takes in its slot's mean once the slot is well known: in (0, 1].
  double rate = 0.3;
};

/// What is usual at this time of the day and of the week: a mean for each slot of a week, and for each slot
/// of a day for as long as the week's slot was not met twice. Also says how well it does. Times are UTC; a
/// fixed offset only moves the slots. Value type; not thread-safe.
class SeasonalBaseline {
 public:
  explicit SeasonalBaseline(const SeasonalOptions& options = {});

  /// The usual value at `time`; empty until the slot was passed twice. Values of the slot that goes on do not
  /// count yet.
  std::optional<double> Expect(Timestamp time) const;
  /// Learns a finite value. Call Expect first: what was expected is compared with it.
  void Learn(Timestamp time, double value);
  /// Mean distance of values to what was expected of them, in parts of their mean distance to the mean: 0
  /// when the season explains everything, 1 and more when nothing (and while little is known).
  double unexplained() const;
  /// Mean distance of values to what was expected of them.
  double mean_error() const { return compared_ > 0 ? season_error_ / compared_ : 0; }
  std::size_t MemoryBytes() const { return (day_.capacity() + week_.capacity()) * sizeof(Slot); }

  /// State as bytes without a checksum of their own, for a larger snapshot; options are not part of it.
  void AppendState(std::string& out) const;
  /// Takes what AppendState wrote off the front of *in. kCorrupt when it does not fit these options or is cut
  /// short.
  Result<void> TakeState(BytesView* in);

 private:
  // Means of values and of their places in the slot, 0 to 1 (what the mean stands for): of the visits that
  // are over, and of the one that goes on.
  struct Slot {
    double mean = 0;
    double phase = 0;
    double visits = 0;
    double visit_mean = 0;
    double visit_phase = 0;
    double visit_values = 0;
    std::int64_t visit = 0;  ///< Number of the slot since 1970.
  };
  struct Place {
    std::size_t slot;
    double phase;
  };
  std::int64_t VisitOf(Timestamp time) const;
  void EndVisit(Slot& slot) const;
  Place PlaceOf(Timestamp time, std::size_t slots) const;
  std::optional<double> ExpectIn(const std::vector<Slot>& slots, Timestamp time) const;
  void Add(std::vector<Slot>& slots, Timestamp time, double value) const;

  SeasonalOptions options_;
  std::vector<Slot> day_;
  std::vector<Slot> week_;
  double mean_ = 0;  // of all values, for comparison
  double seen_ = 0;
  double season_error_ = 0;  // discounted sums over `compared_` values
  double mean_error_sum_ = 0;
  double compared_ = 0;
};

}  // namespace honryu::anomaly
