#include "search/aggs/values.h"

namespace honryu::search {
namespace {

using Kind = AggSpec::Kind;

std::vector<std::uint32_t> Within(const DocSet& filter, std::span<const std::uint32_t> docs) {
  std::vector<std::uint32_t> kept;
  for (const auto doc : docs)
    if (filter.Contains(doc)) kept.push_back(doc);
  return kept;
}

/// filter, filters, missing, global.
class Filters final : public Aggregation {
 public:
  Filters(const AggSpec& spec, AggContext& context)
      : Aggregation(spec, context), buckets_(spec.kind == Kind::kFilters ? spec.filters.size() : 1) {}

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    if (spec_.kind == Kind::kGlobal) {
      auto all = DocSet::All(segment.segment().doc_count());
      if (segment.indexed().deleted != nullptr) all.AndNot(*segment.indexed().deleted);
      if (segment.indexed().filter != nullptr) {
        HONRYU_TRY(const auto* shown, segment.Filter(segment.indexed().filter->query));
        all.And(*shown);
      }
      return all.empty() ? Ok() : buckets_[0].Add(spec_, context_, segment, all.ToVector());
    }
    if (spec_.kind == Kind::kMissing) {
      std::vector<std::uint32_t> without;
      for (const auto doc : docs)
        if (!HasValue(segment, spec_.field, doc)) without.push_back(doc);
      return without.empty() ? Ok() : buckets_[0].Add(spec_, context_, segment, without);
    }
    DocSet taken(segment.segment().doc_count());
    for (std::size_t i = 0; i < spec_.filters.size(); ++i) {
      HONRYU_TRY(const DocSet* filter, segment.Filter(spec_.filters[i].second));
      const auto kept = Within(*filter, docs);
      if (!kept.empty()) HONRYU_TRY_VOID(buckets_[i].Add(spec_, context_, segment, kept));
      if (!spec_.other_key.empty()) taken.Or(*filter);
    }
    if (spec_.other_key.empty()) return Ok();
    std::vector<std::uint32_t> rest;
    for (const auto doc : docs)
      if (!taken.Contains(doc)) rest.push_back(doc);
    return rest.empty() ? Ok() : other_.Add(spec_, context_, segment, rest);
  }

  Result<void> Absorb(const Aggregation& other) override {
    const auto& from = static_cast<const Filters&>(other);
    for (std::size_t i = 0; i < buckets_.size(); ++i)
      HONRYU_TRY_VOID(buckets_[i].Absorb(spec_, context_, from.buckets_[i]));
    return other_.Absorb(spec_, context_, from.other_);
  }

  Result<void> Settle() override {
    for (auto& bucket : buckets_) HONRYU_TRY_VOID(bucket.Settle());
    return other_.Settle();
  }

  std::optional<double> Metric(std::string_view path) override {
    return buckets_.empty() ? std::nullopt : buckets_[0].Metric(path.empty() ? "_count" : path);
  }

  Result<void> Write(codec::JsonWriter& out) override {
    if (spec_.kind != Kind::kFilters) return buckets_[0].Write(spec_, context_, out);
    HONRYU_TRY_VOID(context_.CountBuckets(buckets_.size()));
    out.Key("buckets");
    spec_.anonymous ? out.BeginArray() : out.BeginObject();
    const auto write = [&](std::string_view key, Bucket& bucket) {
      if (!spec_.anonymous) out.Key(key);
      out.BeginObject();
      auto written = bucket.Write(spec_, context_, out);
      out.EndObject();
      return written;
    };
    for (std::size_t i = 0; i < buckets_.size(); ++i)
      HONRYU_TRY_VOID(write(spec_.filters[i].first, buckets_[i]));
    if (!spec_.other_key.empty()) HONRYU_TRY_VOID(write(spec_.other_key, other_));
    spec_.anonymous ? out.EndArray() : out.EndObject();
    return Ok();
  }

 private:
  std::vector<Bucket> buckets_;
  Bucket other_;
};

/// range and date_range: from <= value < to.
class Ranges final : public Aggregation {
 public:
  Ranges(const AggSpec& spec, AggContext& context)
      : Aggregation(spec, context), buckets_(spec.ranges.size()) {}

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    std::vector<std::vector<std::uint32_t>> lists(spec_.ranges.size());
    ForEachNumber(
        segment, spec_.field, docs,
        [&](std::uint32_t doc, const TypedNumber& number) {
          for (std::size_t i = 0; i < lists.size(); ++i) {
            const auto& range = spec_.ranges[i];
            if ((range.from && number.value < *range.from) || (range.to && number.value >= *range.to))
              continue;
            if (lists[i].empty() || lists[i].back() != doc) lists[i].push_back(doc);
          }
        },
        [](std::uint32_t) {});
    for (std::size_t i = 0; i < lists.size(); ++i)
      if (!lists[i].empty()) HONRYU_TRY_VOID(buckets_[i].Add(spec_, context_, segment, lists[i]));
    return Ok();
  }

  Result<void> Write(codec::JsonWriter& out) override {
    HONRYU_TRY_VOID(context_.CountBuckets(buckets_.size()));
    out.Key("buckets");
    spec_.keyed ? out.BeginObject() : out.BeginArray();
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      const auto& range = spec_.ranges[i];
      const auto key = !range.key.empty() ? range.key : Text(range.from) + "-" + Text(range.to);
      if (spec_.keyed) out.Key(key);
      out.BeginObject();
      if (!spec_.keyed) {
        out.Key("key");
        out.String(key);
      }
      Bound("from", range.from, out);
      Bound("to", range.to, out);
      HONRYU_TRY_VOID(buckets_[i].Write(spec_, context_, out));
      out.EndObject();
    }
    spec_.keyed ? out.EndObject() : out.EndArray();
    return Ok();
  }

 private:
  std::string Text(const std::optional<double>& bound) const {
    if (!bound) return "*";
    if (spec_.kind == Kind::kDateRange)
      return FormatDate(static_cast<std::int64_t>(*bound), spec_.format, spec_.zone);
    std::string text;
    codec::JsonWriter(text).Double(*bound);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
  }
  void Bound(std::string_view name, const std::optional<double>& bound, codec::JsonWriter& out) const {
    if (!bound) return;
    out.Key(name);
    out.Double(*bound);
    if (spec_.kind != Kind::kDateRange) return;
    out.Key(std::string(name) + "_as_string");
    out.String(Text(bound));
  }

  std::vector<Bucket> buckets_;
};

}  // namespace

std::unique_ptr<Aggregation> MakeFilters(const AggSpec& spec, AggContext& context) {
  if (spec.kind == Kind::kRange || spec.kind == Kind::kDateRange)
    return std::make_unique<Ranges>(spec, context);
  return std::make_unique<Filters>(spec, context);
}

}  // namespace honryu::search
