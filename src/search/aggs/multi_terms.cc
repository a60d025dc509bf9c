#include "search/aggs/source_values.h"

#include <algorithm>
#include <map>

namespace honryu::search {
namespace {

/// Buckets by the combinations of several fields' values, the most frequent first.
class MultiTerms final : public Aggregation {
 public:
  using Aggregation::Aggregation;

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    const auto take = [&](Tuple tuple, std::span<const std::uint32_t> list) -> Result<void> {
      auto found = buckets_.find(tuple.values);
      if (found == buckets_.end()) {
        std::size_t bytes = 96;
        for (const auto& value : tuple.values) {
          const auto* text = std::get_if<std::string>(&value);
          bytes += sizeof value + (text != nullptr ? text->size() : 0);
        }
        HONRYU_TRY_VOID(context_.Reserve(bytes));
        found = buckets_.try_emplace(std::move(tuple.values)).first;
        found->second.forms = std::move(tuple.forms);
      }
      return found->second.bucket.Add(spec_, context_, segment, list);
    };
    return ForEachTuple(spec_.sources, segment, docs, context_, charged_, take);
  }

  Result<void> Write(codec::JsonWriter& out) override {
    std::vector<Kept*> shown;
    std::uint64_t rest = 0;
    for (auto& [key, kept] : buckets_) {
      kept.key = &key;
      rest += kept.bucket.count;
      if (kept.bucket.count >= spec_.min_doc_count) shown.push_back(&kept);
    }
    const auto count = std::min(spec_.size, shown.size());
    std::partial_sort(shown.begin(), shown.begin() + static_cast<std::ptrdiff_t>(count), shown.end(),
                      [this](const Kept* a, const Kept* b) { return Before(*a, *b); });
    shown.resize(count);
    HONRYU_TRY_VOID(context_.CountBuckets(count));
    for (const auto* kept : shown) rest -= kept->bucket.count;
    out.Key("doc_count_error_upper_bound");
    out.Int(0);
    out.Key("sum_other_doc_count");
    out.Uint(rest);
    out.Key("buckets");
    out.BeginArray();
    for (auto* kept : shown) {
      out.BeginObject();
      WriteKey(*kept, out);
      HONRYU_TRY_VOID(kept->bucket.Write(spec_, context_, out));
      out.EndObject();
    }
    out.EndArray();
    return Ok();
  }

 private:
  using Key = std::vector<SortValue>;
  struct Less {
    bool operator()(const Key& a, const Key& b) const { return Compare(a, b) < 0; }
  };
  struct Kept {
    Bucket bucket;
    std::vector<Tuple::Form> forms;
    const Key* key = nullptr;
  };
  static std::strong_ordering Compare(const Key& a, const Key& b) {
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
      if (const auto order = CompareValues(a[i], b[i]); order != 0) return order;
    return std::strong_ordering::equal;
  }

  bool Before(const Kept& a, const Kept& b) const {
    for (const auto& order : spec_.order) {
      if (order.path == "_key" || order.path == "_term") {
        const auto compared = Compare(*a.key, *b.key);
        if (compared != 0) return order.descending ? compared > 0 : compared < 0;
        continue;
      }
      const auto x = a.bucket.Metric(order.path), y = b.bucket.Metric(order.path);
      if (x.has_value() != y.has_value()) return x.has_value();
      if (x && *x != *y) return order.descending ? *x > *y : *x < *y;
    }
    return Compare(*a.key, *b.key) < 0;
  }

  void WriteKey(const Kept& kept, codec::JsonWriter& out) const {
    std::string joined;
    out.Key("key");
    out.BeginArray();
    for (std::size_t i = 0; i < kept.key->size(); ++i) {
      const SortValue& value = (*kept.key)[i];
      const AggSpec& source = spec_.sources[i];
      if (i > 0) joined += '|';
      if (const auto* text = std::get_if<std::string>(&value)) {
        out.String(*text);
        joined += *text;
      } else if (const auto* fraction = std::get_if<double>(&value)) {
        out.Double(*fraction);
        codec::JsonWriter(joined).Double(*fraction);
      } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
        WriteWhole(kept.forms[i], *whole, source, out, joined);
      } else {
        out.Null();
      }
    }
    out.EndArray();
    out.Key("key_as_string");
    out.String(joined);
  }
  static void WriteWhole(Tuple::Form form, std::int64_t value, const AggSpec& source, codec::JsonWriter& out,
                         std::string& joined) {
    if (form == Tuple::Form::kBoolean) {
      out.Bool(value != 0);
      joined += value != 0 ? "true" : "false";
    } else if (form == Tuple::Form::kDate) {
      const auto text = FormatDate(value, source.format, source.zone);
      out.String(text);
      joined += text;
    } else {
      out.Int(value);
      joined += std::to_string(value);
    }
  }

  std::map<Key, Kept, Less> buckets_;
  std::size_t charged_ = 0;
};

}  // namespace

std::unique_ptr<Aggregation> MakeMultiTerms(const AggSpec& spec, AggContext& context) {
  return std::make_unique<MultiTerms>(spec, context);
}

}  // namespace honryu::search
