#include "search/query/sort.h"

#include "search/query/field_view.h"

#include <algorithm>
#include <limits>

namespace honryu::search {
namespace {

bool IsNumber(const SortValue& value) { return value.index() == 1 || value.index() == 2; }
double AsDouble(const SortValue& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  return whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value);
}

}  // namespace

std::strong_ordering CompareValues(const SortValue& a, const SortValue& b) {
  if (IsNumber(a) != IsNumber(b))
    return IsNumber(a) ? std::strong_ordering::less : std::strong_ordering::greater;
  if (!IsNumber(a)) {
    const int order = std::get<std::string>(a).compare(std::get<std::string>(b));
    return order <=> 0;
  }
  if (a.index() == 1 && b.index() == 1) return std::get<std::int64_t>(a) <=> std::get<std::int64_t>(b);
  return std::strong_order(AsDouble(a), AsDouble(b));
}

bool SortsBefore(const std::vector<SortField>& sort, const std::vector<SortValue>& a,
                 const std::vector<SortValue>& b) {
  for (std::size_t i = 0; i < sort.size() && i < a.size() && i < b.size(); ++i) {
    const bool a_missing = a[i].index() == 0, b_missing = b[i].index() == 0;
    if (a_missing && b_missing) continue;
    if (a_missing || b_missing) return a_missing == sort[i].missing_first;
    const auto order = CompareValues(a[i], b[i]);
    if (order != 0) return sort[i].descending ? order > 0 : order < 0;
  }
  return false;
}

SortColumn::SortColumn(const Segment& segment, const SortField& sort)
    : sort_(sort),
      greatest_(sort.mode == SortField::Mode::kMax ||
                (sort.mode == SortField::Mode::kDefault && sort.descending)) {
  if (sort.by == SortField::By::kDistance) {
    points_ = std::make_unique<GeoColumns>(segment, sort.field, segment.doc_count());
    return;
  }
  const auto view = ViewField(segment, sort.field);
  if (!view) return;
  field_ = view->field;
  is_date_ = field_->dates.has_value();
  const int kinds = (field_->longs ? 1 : 0) + (field_->doubles ? 1 : 0) + (field_->booleans ? 1 : 0) +
                    (field_->dates ? 1 : 0) + (field_->keywords ? 1 : 0);
  if (kinds != 1) return;
  for (const auto* column : {&field_->longs, &field_->dates})
    if (*column && (*column)->index().identity()) plain_ = &**column;
}

SortValue SortColumn::Distance(std::uint32_t doc) const {
  std::optional<double> best;
  points_->Of(doc, [&](const GeoPoint& point) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const auto& place : sort_.places) nearest = std::min(nearest, GeoMetres(point, place));
    if (!best || (nearest > *best) == greatest_) best = nearest;
  });
  if (!best) return {};
  return *best / sort_.unit;
}

SortValue SortColumn::Get(std::uint32_t doc) const {
  SortValue best;
  if (points_ != nullptr) return Distance(doc);
  if (field_ == nullptr) return best;
  const auto take = [&](SortValue value) {
    if (best.index() == 0 || (CompareValues(value, best) > 0) == greatest_) best = std::move(value);
  };
  for (const auto* column : {&field_->longs, &field_->dates, &field_->booleans})
    if (*column) (*column)->Of(doc, [&](std::int64_t value) { take(value); });
  if (field_->doubles)
    field_->doubles->Of(doc, [&](std::int64_t value) { take(field_->doubles->ToDouble(value)); });
  if (field_->keywords) {
    // Ordinals order like their strings, so only one string is read.
    const auto& keywords = *field_->keywords;
    std::optional<std::uint32_t> chosen;
    std::size_t begin, end;
    if (keywords.ordinals.index().Find(doc, &begin, &end))
      for (; begin < end; ++begin) {
        const auto ordinal = keywords.Ordinal(begin);
        if (!chosen || (ordinal > *chosen) == greatest_) chosen = ordinal;
      }
    if (chosen) take(keywords.terms.Term(*chosen));
  }
  return best;
}

}  // namespace honryu::search
