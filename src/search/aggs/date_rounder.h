#pragma once

#include "search/aggs/agg_spec.h"

#include <algorithm>
#include <cstdint>

namespace honryu::search {

/// Starts of the buckets of a date_histogram, in ms of UTC.
class DateRounder {
 public:
  /// `spec` must outlive it.
  explicit DateRounder(const AggSpec& spec) : spec_(spec) {}

  /// Of the bucket that `ms` falls into.
  std::int64_t Key(std::int64_t ms) {
    if (ms >= from_ && ms < to_) return from_;  // the same bucket as the value before
    const auto offset = static_cast<std::int64_t>(spec_.offset);
    const auto local = ms + spec_.zone.OffsetAt(ms - offset) - offset;
    const auto start = spec_.calendar ? FloorToUnit(local, *spec_.calendar) : Floor(local);
    from_ = spec_.zone.ToUtc(start) + offset;
    to_ = spec_.zone.ToUtc(NextLocal(start)) + offset;
    if (ms < from_ || ms >= to_) to_ = from_;  // beside a change of the clocks: nothing to reuse
    return from_;
  }
  /// Of the bucket behind that of `key`.
  std::int64_t Next(std::int64_t key) const {
    const auto offset = static_cast<std::int64_t>(spec_.offset);
    const auto local = key - offset + spec_.zone.OffsetAt(key - offset);
    return std::max(spec_.zone.ToUtc(NextLocal(local)) + offset, key + 1);
  }

 private:
  std::int64_t Floor(std::int64_t local) const {
    const auto rest = local % spec_.interval_ms;
    return local - (rest < 0 ? rest + spec_.interval_ms : rest);
  }
  std::int64_t NextLocal(std::int64_t start) const {
    return spec_.calendar ? AddUnits(start, *spec_.calendar, 1) : start + spec_.interval_ms;
  }

  const AggSpec& spec_;
  std::int64_t from_ = 0, to_ = 0;
};

}  // namespace honryu::search
