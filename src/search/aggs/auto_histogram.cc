#include "search/aggs/date_rounder.h"
#include "search/aggs/values.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <numeric>

namespace honryu::search {
namespace {

/// Widths that a calendar unit is used in: of 30 s, 7 d, 3 months …
struct Width {
  CalendarUnit unit;
  std::string_view letter;
  std::array<std::size_t, 6> counts;  ///< Rising; 0: no more.
};
constexpr std::array<Width, 6> kWidths = {{{CalendarUnit::kSecond, "s", {1, 5, 10, 30}},
                                           {CalendarUnit::kMinute, "m", {1, 5, 10, 30}},
                                           {CalendarUnit::kHour, "h", {1, 3, 12}},
                                           {CalendarUnit::kDay, "d", {1, 7}},
                                           {CalendarUnit::kMonth, "M", {1, 3}},
                                           {CalendarUnit::kYear, "y", {1, 5, 10, 20, 50, 100}}}};

constexpr double kCenturyMs = 100 * 365.25 * 86'400'000;

/// auto_date_histogram: the finest width that gives no more than `size` buckets, from the first moment to the
/// last. As the width is known only when all documents are, their numbers are kept until then (4 bytes each,
/// charged to the request's memory) and sorted into buckets when the result is written.
class AutoHistogram final : public Aggregation {
 public:
  using Aggregation::Aggregation;

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    const auto see = [this](std::int64_t ms) {
      first_ = std::min(first_, ms);
      last_ = std::max(last_, ms);
    };
    ForEachNumber(
        segment, spec_.field, docs,
        [&](std::uint32_t, const TypedNumber& number) {
          if (number.type != TypedNumber::Type::kDouble) see(number.whole);
        },
        [&](std::uint32_t) {
          if (const auto missing = Missing()) see(*missing);
        });
    Kept kept{&segment.indexed(), {}, docs.size() == segment.segment().doc_count()};
    if (!kept.all) {
      HONRYU_TRY_VOID(context_.Reserve(docs.size() * sizeof(std::uint32_t)));
      kept.docs.assign(docs.begin(), docs.end());
    }
    kept_.push_back(std::move(kept));
    return Ok();
  }

  Result<void> Write(codec::JsonWriter& out) override {
    if (first_ > last_) {
      out.Key("buckets");
      out.Raw("[]");
      out.Key("interval");
      out.String("1s");
      return Ok();
    }
    // Moments that are none (nanoseconds in a field of milliseconds) would make years without end.
    const double centuries = (static_cast<double>(last_) - static_cast<double>(first_)) / kCenturyMs;
    if (centuries > 1000) return context_.CountBuckets(static_cast<std::size_t>(centuries * 100));
    AggSpec unit = spec_;
    std::size_t units = 0, count = 1;
    const Width& width = Choose(unit, units, count);
    std::vector<Bucket> buckets((units + count - 1) / count);
    HONRYU_TRY_VOID(context_.CountBuckets(buckets.size()));
    std::vector<std::int64_t> starts;
    DateRounder rounder(unit);
    auto key = rounder.Key(first_);
    for (std::size_t i = 0; i < units; ++i, key = rounder.Next(key))
      if (i % count == 0) starts.push_back(key);
    for (const Kept& kept : kept_) HONRYU_TRY_VOID(Sort(kept, starts, buckets));
    out.Key("buckets");
    out.BeginArray();
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      out.BeginObject();
      out.Key("key_as_string");
      out.String(FormatDate(starts[i], spec_.format, spec_.zone));
      out.Key("key");
      out.Int(starts[i]);
      HONRYU_TRY_VOID(buckets[i].Write(spec_, context_, out));
      out.EndObject();
    }
    out.EndArray();
    out.Key("interval");
    out.String(std::to_string(count) + std::string(width.letter));
    return Ok();
  }

 private:
  /// Documents of a segment, to be sorted into buckets.
  struct Kept {
    const IndexedSegment* segment = nullptr;
    std::vector<std::uint32_t> docs;
    bool all = false;  ///< All of the segment's: no list.
  };

  std::optional<std::int64_t> Missing() const {
    if (!spec_.missing) return std::nullopt;
    const auto value = ToDouble(*spec_.missing);
    return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
  }

  /// The width; `unit` becomes a histogram of its unit, of which there are `units` from first_ to last_, and
  /// `count` of them make a bucket.
  const Width& Choose(AggSpec& unit, std::size_t& units, std::size_t& count) const {
    unit.interval_ms = 0;
    for (const Width& width : kWidths) {
      if (spec_.least_unit && width.unit < *spec_.least_unit) continue;
      unit.calendar = width.unit;
      const std::size_t widest = *std::max_element(width.counts.begin(), width.counts.end());
      const std::size_t most = spec_.size * widest;
      const bool coarsest = &width == &kWidths.back();
      DateRounder rounder(unit);
      units = 0;
      for (auto key = rounder.Key(first_); key <= last_ && (coarsest || units <= most);
           key = rounder.Next(key))
        ++units;
      if (units > most && !coarsest) continue;
      count = widest;
      for (std::size_t i = width.counts.size(); i-- > 0;)
        if (width.counts[i] != 0 && (units + width.counts[i] - 1) / width.counts[i] <= spec_.size)
          count = width.counts[i];
      return width;
    }
    return kWidths.back();
  }

  Result<void> Sort(const Kept& kept, const std::vector<std::int64_t>& starts, std::vector<Bucket>& buckets) {
    AggSegment segment(*kept.segment, context_.query());
    std::vector<std::uint32_t> every;
    if (kept.all) {
      every.resize(segment.segment().doc_count());
      std::iota(every.begin(), every.end(), 0U);
    }
    const auto& docs = kept.all ? every : kept.docs;
    std::map<std::size_t, std::vector<std::uint32_t>> lists;
    const auto add = [&](std::uint32_t doc, std::int64_t ms) {
      const auto place = std::upper_bound(starts.begin(), starts.end(), ms) - starts.begin();
      auto& list = lists[static_cast<std::size_t>(std::max<std::ptrdiff_t>(place, 1) - 1)];
      if (list.empty() || list.back() != doc) list.push_back(doc);
    };
    ForEachNumber(
        segment, spec_.field, docs,
        [&](std::uint32_t doc, const TypedNumber& number) {
          if (number.type != TypedNumber::Type::kDouble) add(doc, number.whole);
        },
        [&](std::uint32_t doc) {
          if (const auto missing = Missing()) add(doc, *missing);
        });
    for (const auto& [place, list] : lists)
      HONRYU_TRY_VOID(buckets[place].Add(spec_, context_, segment, list));
    return Ok();
  }

  std::vector<Kept> kept_;
  std::int64_t first_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ = std::numeric_limits<std::int64_t>::min();
};

}  // namespace

std::unique_ptr<Aggregation> MakeAutoHistogram(const AggSpec& spec, AggContext& context) {
  return std::make_unique<AutoHistogram>(spec, context);
}

}  // namespace honryu::search
