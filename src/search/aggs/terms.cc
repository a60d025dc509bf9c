#include "search/aggs/values.h"
#include "search/query/pattern.h"

#include <algorithm>
#include <unordered_map>

namespace honryu::search {
namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// A key with its bucket, for sorting.
struct Entry {
  SortValue key;
  TypedNumber::Type type = TypedNumber::Type::kLong;
  Bucket* bucket = nullptr;
};

class Terms final : public Aggregation {
 public:
  Terms(const AggSpec& spec, AggContext& context) : Aggregation(spec, context) {
    // The request was checked when it was read: these patterns compile.
    if (!spec.include_pattern.empty())
      if (auto pattern = Pattern::Regexp(spec.include_pattern, false); pattern.ok())
        include_ = std::move(*pattern);
    if (!spec.exclude_pattern.empty())
      if (auto pattern = Pattern::Regexp(spec.exclude_pattern, false); pattern.ok())
        exclude_ = std::move(*pattern);
  }

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    const bool inner = !spec_.children.empty();
    const auto groups = GroupByString(segment, spec_.field, docs, inner);
    for (std::size_t i = 0; i < groups.keys.size(); ++i) {
      const auto& key = groups.keys[i];
      if (!Wanted(key)) continue;
      HONRYU_TRY(Bucket * bucket, StringBucket(key));
      if (!inner) {
        bucket->count += groups.counts[i];
        continue;
      }
      HONRYU_TRY_VOID(bucket->Add(
          spec_, context_, segment,
          std::span(groups.docs).subspan(groups.begins[i], groups.begins[i + 1] - groups.begins[i])));
    }
    return CollectNumbers(segment, docs);
  }

  Result<void> Absorb(const Aggregation& other) override {
    const auto& from = static_cast<const Terms&>(other);
    for (const auto& [key, bucket] : from.strings_) {
      HONRYU_TRY(Bucket * own, StringBucket(key));
      HONRYU_TRY_VOID(own->Absorb(spec_, context_, bucket));
    }
    for (const auto& [key, typed] : from.wholes_) {
      auto [found, fresh] = wholes_.try_emplace(key);
      if (fresh) HONRYU_TRY_VOID(context_.Reserve(96));
      found->second.first = typed.first;
      HONRYU_TRY_VOID(found->second.second.Absorb(spec_, context_, typed.second));
    }
    for (const auto& [key, bucket] : from.fractions_) {
      auto [found, fresh] = fractions_.try_emplace(key);
      if (fresh) HONRYU_TRY_VOID(context_.Reserve(96));
      HONRYU_TRY_VOID(found->second.Absorb(spec_, context_, bucket));
    }
    return Ok();
  }

  Result<void> Settle() override {
    for (auto& [key, bucket] : strings_) HONRYU_TRY_VOID(bucket.Settle());
    for (auto& [key, typed] : wholes_) HONRYU_TRY_VOID(typed.second.Settle());
    for (auto& [key, bucket] : fractions_) HONRYU_TRY_VOID(bucket.Settle());
    return Ok();
  }

  Result<void> Write(codec::JsonWriter& out) override {
    auto entries = Entries();
    std::uint64_t total = 0;
    for (const auto& entry : entries) total += entry.bucket->count;
    std::erase_if(entries, [this](const Entry& entry) { return entry.bucket->count < spec_.min_doc_count; });
    const auto shown = std::min(spec_.size, entries.size());
    std::partial_sort(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(shown), entries.end(),
                      [this](const Entry& a, const Entry& b) { return Before(a, b); });
    entries.resize(shown);
    HONRYU_TRY_VOID(context_.CountBuckets(shown));
    for (const auto& entry : entries) total -= entry.bucket->count;
    out.Key("doc_count_error_upper_bound");
    out.Int(0);
    out.Key("sum_other_doc_count");
    out.Uint(total);
    out.Key("buckets");
    out.BeginArray();
    for (const auto& entry : entries) {
      out.BeginObject();
      WriteKey(entry, out);
      HONRYU_TRY_VOID(entry.bucket->Write(spec_, context_, out));
      out.EndObject();
    }
    out.EndArray();
    return Ok();
  }

 private:
  bool Wanted(const std::string& key) const {
    if (!spec_.include.empty() &&
        std::find(spec_.include.begin(), spec_.include.end(), key) == spec_.include.end())
      return false;
    if (std::find(spec_.exclude.begin(), spec_.exclude.end(), key) != spec_.exclude.end()) return false;
    return (!include_ || include_->Matches(key)) && (!exclude_ || !exclude_->Matches(key));
  }

  Result<Bucket*> StringBucket(std::string_view key) {
    const auto found = strings_.find(key);
    if (found != strings_.end()) return &found->second;
    HONRYU_TRY_VOID(context_.Reserve(key.size() + 96));
    return &strings_.emplace(std::string(key), Bucket()).first->second;
  }

  Result<void> CollectNumbers(AggSegment& segment, std::span<const std::uint32_t> docs) {
    struct Group {
      TypedNumber::Type type = TypedNumber::Type::kLong;
      std::vector<std::uint32_t> docs;
    };
    std::unordered_map<std::int64_t, Group> wholes;
    std::map<double, std::vector<std::uint32_t>> fractions;
    std::vector<std::uint32_t> without;
    const auto add = [](std::vector<std::uint32_t>& list, std::uint32_t doc) {
      if (list.empty() || list.back() != doc) list.push_back(doc);
    };
    ForEachNumber(
        segment, spec_.field, docs,
        [&](std::uint32_t doc, const TypedNumber& number) {
          if (number.type == TypedNumber::Type::kDouble) return add(fractions[number.value], doc);
          auto& group = wholes[number.whole];
          group.type = number.type;
          add(group.docs, doc);
        },
        [&](std::uint32_t doc) {
          if (spec_.missing && !HasValue(segment, spec_.field, doc)) without.push_back(doc);
        });
    for (const auto& [key, group] : wholes) {
      if (!Wanted(std::to_string(key))) continue;
      auto [found, fresh] = wholes_.try_emplace(key);
      if (fresh) HONRYU_TRY_VOID(context_.Reserve(96));
      found->second.first = group.type;
      HONRYU_TRY_VOID(found->second.second.Add(spec_, context_, segment, group.docs));
    }
    for (const auto& [key, list] : fractions) {
      if (!Wanted(ToText(Scalar(key)))) continue;
      auto [found, fresh] = fractions_.try_emplace(key);
      if (fresh) HONRYU_TRY_VOID(context_.Reserve(96));
      HONRYU_TRY_VOID(found->second.Add(spec_, context_, segment, list));
    }
    if (without.empty()) return Ok();
    if (const auto* whole = std::get_if<std::int64_t>(&*spec_.missing))
      return wholes_[*whole].second.Add(spec_, context_, segment, without);
    if (const auto* flag = std::get_if<bool>(&*spec_.missing)) {
      auto& typed = wholes_[*flag ? 1 : 0];
      typed.first = TypedNumber::Type::kBoolean;
      return typed.second.Add(spec_, context_, segment, without);
    }
    if (const auto* fraction = std::get_if<double>(&*spec_.missing))
      return fractions_[*fraction].Add(spec_, context_, segment, without);
    HONRYU_TRY(Bucket * bucket, StringBucket(ToText(*spec_.missing)));
    return bucket->Add(spec_, context_, segment, without);
  }

  std::vector<Entry> Entries() {
    std::vector<Entry> entries;
    entries.reserve(strings_.size() + wholes_.size() + fractions_.size());
    for (auto& [key, bucket] : strings_) entries.push_back({key, {}, &bucket});
    for (auto& [key, typed] : wholes_) entries.push_back({key, typed.first, &typed.second});
    for (auto& [key, bucket] : fractions_) entries.push_back({key, TypedNumber::Type::kDouble, &bucket});
    return entries;
  }

  bool Before(const Entry& a, const Entry& b) const {
    for (const auto& order : spec_.order) {
      if (order.path == "_count") {
        if (a.bucket->count != b.bucket->count)
          return order.descending ? a.bucket->count > b.bucket->count : a.bucket->count < b.bucket->count;
      } else if (order.path == "_key" || order.path == "_term") {
        const auto compared = CompareValues(a.key, b.key);
        if (compared != 0) return order.descending ? compared > 0 : compared < 0;
      } else {
        const auto x = a.bucket->Metric(order.path), y = b.bucket->Metric(order.path);
        if (x.has_value() != y.has_value()) return x.has_value();
        if (x && *x != *y) return order.descending ? *x > *y : *x < *y;
      }
    }
    return CompareValues(a.key, b.key) < 0;
  }

  void WriteKey(const Entry& entry, codec::JsonWriter& out) const {
    out.Key("key");
    if (const auto* text = std::get_if<std::string>(&entry.key)) return out.String(*text);
    if (const auto* fraction = std::get_if<double>(&entry.key)) return out.Double(*fraction);
    const auto whole = std::get<std::int64_t>(entry.key);
    out.Int(whole);
    if (entry.type == TypedNumber::Type::kBoolean) {
      out.Key("key_as_string");
      out.String(whole != 0 ? "true" : "false");
    } else if (entry.type == TypedNumber::Type::kDate) {
      out.Key("key_as_string");
      out.String(FormatDate(whole, spec_.format, spec_.zone));
    }
  }

  std::optional<Pattern> include_, exclude_;
  std::unordered_map<std::string, Bucket, TextHash, std::equal_to<>> strings_;
  std::unordered_map<std::int64_t, std::pair<TypedNumber::Type, Bucket>> wholes_;
  std::map<double, Bucket> fractions_;
};

}  // namespace

std::unique_ptr<Aggregation> MakeTerms(const AggSpec& spec, AggContext& context) {
  return std::make_unique<Terms>(spec, context);
}

}  // namespace honryu::search
