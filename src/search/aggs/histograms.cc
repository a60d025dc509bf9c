#include "search/aggs/date_rounder.h"
#include "search/aggs/values.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace honryu::search {
namespace {

/// Buckets by key, documents of a segment gathered first: neighbours mostly share their bucket.
class Grouping {
 public:
  void Add(std::int64_t key, std::uint32_t doc) {
    if (last_ == nullptr || key != last_key_) {
      last_ = &groups_[key];
      last_key_ = key;
    }
    if (last_->empty() || last_->back() != doc) last_->push_back(doc);
  }
  std::unordered_map<std::int64_t, std::vector<std::uint32_t>>& groups() { return groups_; }

 private:
  std::unordered_map<std::int64_t, std::vector<std::uint32_t>> groups_;
  std::vector<std::uint32_t>* last_ = nullptr;
  std::int64_t last_key_ = 0;
};

/// date_histogram: keys are the starts of the buckets, in ms of UTC.
/// histogram: keys are numbers of intervals.
class Histogram final : public Aggregation {
 public:
  Histogram(const AggSpec& spec, AggContext& context)
      : Aggregation(spec, context), dates_(spec.kind == AggSpec::Kind::kDateHistogram), rounder_(spec) {}

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    if (docs.size() == segment.segment().doc_count() && CollectAll(segment.segment())) return Ok();
    Grouping grouping;
    const auto add = [&](std::uint32_t doc, double value, std::int64_t whole) {
      if (spec_.hard_bounds && (value < spec_.hard_bounds->min || value > spec_.hard_bounds->max)) return;
      grouping.Add(dates_ ? DateKey(whole) : NumberKey(value), doc);
    };
    ForEachNumber(
        segment, spec_.field, docs,
        [&](std::uint32_t doc, const TypedNumber& number) {
          if (dates_ && number.type == TypedNumber::Type::kDouble) return;
          add(doc, number.value, number.whole);
        },
        [&](std::uint32_t doc) {
          if (!spec_.missing) return;
          if (const auto value = ToDouble(*spec_.missing))
            add(doc, *value, static_cast<std::int64_t>(*value));
        });
    for (const auto& [key, list] : grouping.groups()) {
      auto [found, fresh] = buckets_.try_emplace(key);
      if (fresh) HONRYU_TRY_VOID(context_.Reserve(96));
      HONRYU_TRY_VOID(found->second.Add(spec_, context_, segment, list));
    }
    return Ok();
  }

  Result<void> Absorb(const Aggregation& other) override {
    const auto& from = static_cast<const Histogram&>(other);
    for (const auto& [key, bucket] : from.buckets_) {
      auto [found, fresh] = buckets_.try_emplace(key);
      if (fresh) HONRYU_TRY_VOID(context_.Reserve(96));
      HONRYU_TRY_VOID(found->second.Absorb(spec_, context_, bucket));
    }
    return Ok();
  }

  Result<void> Settle() override {
    for (auto& [key, bucket] : buckets_) HONRYU_TRY_VOID(bucket.Settle());
    return Ok();
  }

  Result<void> Write(codec::JsonWriter& out) override {
    if (spec_.min_doc_count == 0) HONRYU_TRY_VOID(FillGaps());
    std::vector<std::pair<std::int64_t, Bucket*>> shown;
    for (auto& [key, bucket] : buckets_)
      if (bucket.count >= spec_.min_doc_count) shown.emplace_back(key, &bucket);
    HONRYU_TRY_VOID(context_.CountBuckets(shown.size()));
    if (!spec_.order.empty()) std::sort(shown.begin(), shown.end(), Before{&spec_});
    out.Key("buckets");
    spec_.keyed ? out.BeginObject() : out.BeginArray();
    for (const auto& [key, bucket] : shown) {
      const auto text = dates_ ? FormatDate(key, spec_.format, spec_.zone) : std::string();
      const double number = static_cast<double>(key) * spec_.interval + spec_.offset;
      if (spec_.keyed) {
        std::string name = text;
        if (!dates_) codec::JsonWriter(name).Double(number);
        out.Key(name);
      }
      out.BeginObject();
      if (dates_) {
        out.Key("key_as_string");
        out.String(text);
      }
      out.Key("key");
      if (dates_)
        out.Int(key);
      else
        out.Double(number);
      HONRYU_TRY_VOID(bucket->Write(spec_, context_, out));
      out.EndObject();
    }
    spec_.keyed ? out.EndObject() : out.EndArray();
    return Ok();
  }

 private:
  struct Before {
    const AggSpec* spec;
    bool operator()(const std::pair<std::int64_t, Bucket*>& a,
                    const std::pair<std::int64_t, Bucket*>& b) const {
      for (const auto& order : spec->order) {
        if (order.path == "_key" || order.path == "_term")
          return order.descending ? a.first > b.first : a.first < b.first;
        const auto x = a.second->Metric(order.path), y = b.second->Metric(order.path);
        if (x.has_value() != y.has_value()) return x.has_value();
        if (x && *x != *y) return order.descending ? *x > *y : *x < *y;
      }
      return a.first < b.first;
    }
  };

  /// Counts a whole segment's dates by blocks: one whose least and greatest value share a bucket is not read.
  /// False when the field is not of that kind.
  bool CollectAll(const Segment& segment) {
    const auto* field = segment.Find(spec_.field);
    if (!dates_ || !spec_.children.empty() || spec_.hard_bounds || field == nullptr || !field->dates ||
        field->longs || field->booleans || !field->dates->index().identity())
      return false;
    const auto& values = field->dates->values();
    std::array<std::int64_t, PackedInts::kBlock> block;
    for (std::size_t b = 0; b < values.blocks(); ++b) {
      const auto first = DateKey(values.BlockMin(b));
      if (first == DateKey(values.BlockMax(b))) {
        buckets_[first].count += std::min(PackedInts::kBlock, values.size() - b * PackedInts::kBlock);
        continue;
      }
      const auto count = values.Decode(b, block.data());
      for (std::size_t i = 0; i < count; ++i) ++buckets_[DateKey(block[i])].count;
    }
    return true;
  }

  std::int64_t NumberKey(double value) const {
    return static_cast<std::int64_t>(std::floor((value - spec_.offset) / spec_.interval));
  }

  std::int64_t DateKey(std::int64_t ms) { return rounder_.Key(ms); }
  std::int64_t NextKey(std::int64_t key) { return dates_ ? rounder_.Next(key) : key + 1; }

  Result<void> FillGaps() {
    std::optional<std::int64_t> first, last;
    if (!buckets_.empty()) {
      first = buckets_.begin()->first;
      last = buckets_.rbegin()->first;
    }
    if (spec_.extended_bounds) {
      const auto& bounds = *spec_.extended_bounds;
      const auto low = dates_ ? DateKey(static_cast<std::int64_t>(bounds.min)) : NumberKey(bounds.min);
      const auto high = dates_ ? DateKey(static_cast<std::int64_t>(bounds.max)) : NumberKey(bounds.max);
      first = first ? std::min(*first, low) : low;
      last = last ? std::max(*last, high) : high;
    }
    if (!first) return Ok();
    std::size_t made = 0;
    for (auto key = *first; key <= *last; key = NextKey(key)) {
      if (!buckets_.try_emplace(key).second) continue;
      // Checked while they are made: a second's interval over years must not fill the memory first.
      if (++made > 65'535) return context_.CountBuckets(made + buckets_.size());
    }
    return Ok();
  }

  bool dates_;
  DateRounder rounder_;
  std::map<std::int64_t, Bucket> buckets_;
};

}  // namespace

std::unique_ptr<Aggregation> MakeHistogram(const AggSpec& spec, AggContext& context) {
  return std::make_unique<Histogram>(spec, context);
}

}  // namespace honryu::search
