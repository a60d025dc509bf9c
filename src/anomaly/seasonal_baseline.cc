#include "honryu/anomaly/seasonal_baseline.h"

#include "honryu/base/check.h"
#include "honryu/codec/endian.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace honryu::anomaly {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kWeekDays = 7;
// Values over which errors and the mean are averaged: about a week of values of ten minutes.
constexpr double kMemory = 1000;
// Below this many comparisons unexplained() is not known.
constexpr double kLeastCompared = 50;
// One error counts at most as so many usual ones, so that an anomaly does not end the trust in the season.
constexpr double kErrorLimit = 5;

void AppendDouble(std::string& out, double value) {
  codec::AppendU64(out, std::bit_cast<std::uint64_t>(value));
}

// Takes a finite double off the front; false when there is none.
bool TakeDouble(BytesView* in, double* value) {
  if (in->size() < 8) return false;
  *value = std::bit_cast<double>(codec::LoadU64(in->data()));
  in->remove_prefix(8);
  return std::isfinite(*value);
}

}  // namespace

SeasonalBaseline::SeasonalBaseline(const SeasonalOptions& options) : options_(options) {
  const std::int64_t slot_ms = ToMs(options.slot);
  HONRYU_CHECK(slot_ms >= 60'000 && slot_ms <= kDayMs && kDayMs % slot_ms == 0,
               "a slot is a whole part of a day");
  HONRYU_CHECK(options.rate > 0 && options.rate <= 1, "the rate lies between 0 and 1");
  day_.resize(static_cast<std::size_t>(kDayMs / slot_ms));
  week_.resize(day_.size() * kWeekDays);
}

SeasonalBaseline::Place SeasonalBaseline::PlaceOf(Timestamp time, std::size_t slots) const {
  const std::int64_t slot_ms = ToMs(options_.slot);
  const std::int64_t cycle_ms = slot_ms * static_cast<std::int64_t>(slots);
  const std::int64_t in_cycle = ((ToMs(time) % cycle_ms) + cycle_ms) % cycle_ms;
  return {static_cast<std::size_t>(in_cycle / slot_ms),
          static_cast<double>(in_cycle % slot_ms) / static_cast<double>(slot_ms)};
}

std::int64_t SeasonalBaseline::VisitOf(Timestamp time) const {
  const std::int64_t slot_ms = ToMs(options_.slot);
  const std::int64_t ms = ToMs(time);
  return ms / slot_ms - (ms % slot_ms < 0 ? 1 : 0);
}

void SeasonalBaseline::EndVisit(Slot& slot) const {
  if (slot.visit_values == 0) return;
  slot.visits += 1;
  const double weight = std::max(options_.rate, 1 / slot.visits);
  slot.mean += (slot.visit_mean - slot.mean) * weight;
  slot.phase += (slot.visit_phase - slot.phase) * weight;
  slot.visit_values = 0;
}

// Between the phases of this slot and of the next one (or the one before) on a straight line.
std::optional<double> SeasonalBaseline::ExpectIn(const std::vector<Slot>& slots, Timestamp time) const {
  const Place place = PlaceOf(time, slots.size());
  const auto passed = [&](std::size_t index) {
    Slot slot = slots[index];
    if (slot.visit != VisitOf(time)) EndVisit(slot);
    return slot;
  };
  constexpr double kKnown = 2;
  const Slot here = passed(place.slot);
  if (here.visits < kKnown) return std::nullopt;
  const bool later = place.phase >= here.phase;
  const Slot there = passed((place.slot + (later ? 1 : slots.size() - 1)) % slots.size());
  if (there.visits < kKnown) return here.mean;
  const double distance = later ? there.phase + 1 - here.phase : here.phase - (there.phase - 1);
  const double share = distance > 0 ? std::abs(place.phase - here.phase) / distance : 0;
  return here.mean + (there.mean - here.mean) * share;
}

std::optional<double> SeasonalBaseline::Expect(Timestamp time) const {
  const auto by_week = ExpectIn(week_, time);
  return by_week.has_value() ? by_week : ExpectIn(day_, time);
}

void SeasonalBaseline::Add(std::vector<Slot>& slots, Timestamp time, double value) const {
  const Place place = PlaceOf(time, slots.size());
  Slot& slot = slots[place.slot];
  if (slot.visit != VisitOf(time)) EndVisit(slot);
  slot.visit = VisitOf(time);
  slot.visit_values += 1;
  const double weight = 1 / slot.visit_values;
  slot.visit_mean = slot.visit_values == 1 ? value : slot.visit_mean + (value - slot.visit_mean) * weight;
  slot.visit_phase =
      slot.visit_values == 1 ? place.phase : slot.visit_phase + (place.phase - slot.visit_phase) * weight;
}

void SeasonalBaseline::Learn(Timestamp time, double value) {
  if (!std::isfinite(value)) return;
  if (const auto expected = Expect(time); expected.has_value() && seen_ > 0) {
    double season = std::abs(value - *expected);
    double plain = std::abs(value - mean_);
    if (compared_ > kLeastCompared) {
      season = std::min(season, kErrorLimit * season_error_ / compared_);
      plain = std::min(plain, kErrorLimit * mean_error_sum_ / compared_);
    }
    constexpr double kKeep = 1 - 1 / kMemory;
    season_error_ = season_error_ * kKeep + season;
    mean_error_sum_ = mean_error_sum_ * kKeep + plain;
    compared_ = compared_ * kKeep + 1;
  }
  seen_ = std::min(seen_ + 1, kMemory);
  mean_ += (value - mean_) / seen_;
  Add(day_, time, value);
  Add(week_, time, value);
}

double SeasonalBaseline::unexplained() const {
  if (compared_ <= kLeastCompared) return 1;
  // A series that never moves: nothing to explain, and any deviation is news.
  if (mean_error_sum_ <= 0) return season_error_ <= 0 ? 0 : 1;
  return season_error_ / mean_error_sum_;
}

void SeasonalBaseline::AppendState(std::string& out) const {
  for (const auto* slots : {&day_, &week_}) {
    for (const Slot& slot : *slots) {
      for (const double value :
           {slot.mean, slot.phase, slot.visits, slot.visit_mean, slot.visit_phase, slot.visit_values}) {
        AppendDouble(out, value);
      }
      codec::AppendU64(out, static_cast<std::uint64_t>(slot.visit));
    }
  }
  for (const double value : {mean_, seen_, season_error_, mean_error_sum_, compared_})
    AppendDouble(out, value);
}

Result<void> SeasonalBaseline::TakeState(BytesView* in) {
  bool whole = true;
  for (auto* slots : {&day_, &week_}) {
    for (Slot& slot : *slots) {
      for (double* value :
           {&slot.mean, &slot.phase, &slot.visits, &slot.visit_mean, &slot.visit_phase, &slot.visit_values}) {
        whole = whole && TakeDouble(in, value);
      }
      whole = whole && in->size() >= 8;
      if (!whole) break;
      slot.visit = static_cast<std::int64_t>(codec::LoadU64(in->data()));
      in->remove_prefix(8);
    }
  }
  for (double* value : {&mean_, &seen_, &season_error_, &mean_error_sum_, &compared_}) {
    whole = whole && TakeDouble(in, value);
  }
  if (!whole) return Error(ErrorCode::kCorrupt, "seasonal state: cut short or not a number");
  return Ok();
}

}  // namespace honryu::anomaly
