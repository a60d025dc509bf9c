#include "search/aggs/source_values.h"

#include <map>

namespace honryu::search {
namespace {

/// Buckets by the values of several sources, in the order of their keys, a page at a time. Only the first
/// `size` keys behind `after` are kept: one that falls out never comes back, because those before it stay.
class Composite final : public Aggregation {
 public:
  Composite(const AggSpec& spec, AggContext& context) : Aggregation(spec, context), buckets_(Less{&spec}) {}

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    const auto take = [&](Tuple tuple, std::span<const std::uint32_t> list) -> Result<void> {
      for (std::size_t i = 0; i < tuple.forms.size(); ++i)
        if (tuple.forms[i] == Tuple::Form::kBoolean) {
          booleans_.resize(tuple.forms.size());
          booleans_[i] = true;
        }
      const Key& key = tuple.values;
      if (!spec_.after.empty() && !buckets_.key_comp()(spec_.after, key)) return Ok();
      auto found = buckets_.find(key);
      if (found == buckets_.end()) {
        if (buckets_.size() >= spec_.size) {
          const auto last = std::prev(buckets_.end());
          if (buckets_.key_comp()(last->first, key)) return Ok();
          buckets_.erase(last);
        }
        HONRYU_TRY_VOID(context_.Reserve(96 * key.size()));
        found = buckets_.emplace(std::move(tuple.values), Bucket()).first;
      }
      return found->second.Add(spec_, context_, segment, list);
    };
    return ForEachTuple(spec_.sources, segment, docs, context_, charged_, take);
  }

  Result<void> Write(codec::JsonWriter& out) override {
    HONRYU_TRY_VOID(context_.CountBuckets(buckets_.size()));
    if (!buckets_.empty()) {
      out.Key("after_key");
      WriteKey(std::prev(buckets_.end())->first, out);
    }
    out.Key("buckets");
    out.BeginArray();
    for (auto& [key, bucket] : buckets_) {
      out.BeginObject();
      out.Key("key");
      WriteKey(key, out);
      HONRYU_TRY_VOID(bucket.Write(spec_, context_, out));
      out.EndObject();
    }
    out.EndArray();
    return Ok();
  }

 private:
  using Key = std::vector<SortValue>;
  struct Less {
    const AggSpec* spec;
    bool operator()(const Key& a, const Key& b) const {
      for (std::size_t i = 0; i < spec->sources.size() && i < a.size() && i < b.size(); ++i) {
        const bool descending = spec->sources[i].order[0].descending;
        const bool a_missing = a[i].index() == 0, b_missing = b[i].index() == 0;
        if (a_missing && b_missing) continue;
        if (a_missing || b_missing) return a_missing != descending;
        const auto order = CompareValues(a[i], b[i]);
        if (order != 0) return descending ? order > 0 : order < 0;
      }
      return false;
    }
  };

  void WriteKey(const Key& key, codec::JsonWriter& out) const {
    out.BeginObject();
    for (std::size_t i = 0; i < key.size(); ++i) {
      const auto& source = spec_.sources[i];
      out.Key(source.name);
      if (const auto* text = std::get_if<std::string>(&key[i]))
        out.String(*text);
      else if (const auto* number = std::get_if<double>(&key[i]))
        out.Double(*number);
      else if (const auto* whole = std::get_if<std::int64_t>(&key[i]))
        WriteWhole(i, *whole, out);
      else
        out.Null();
    }
    out.EndObject();
  }
  void WriteWhole(std::size_t place, std::int64_t value, codec::JsonWriter& out) const {
    const auto& source = spec_.sources[place];
    if (source.kind == AggSpec::Kind::kDateHistogram && !source.format.empty())
      out.String(FormatDate(value, source.format, source.zone));
    else if (place < booleans_.size() && booleans_[place])
      out.Bool(value != 0);
    else
      out.Int(value);
  }

  std::map<Key, Bucket, Less> buckets_;
  std::vector<bool> booleans_;
  std::size_t charged_ = 0;
};

}  // namespace

std::unique_ptr<Aggregation> MakeComposite(const AggSpec& spec, AggContext& context) {
  return std::make_unique<Composite>(spec, context);
}

}  // namespace honryu::search
