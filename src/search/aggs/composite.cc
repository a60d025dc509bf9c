#include "search/aggs/date_rounder.h"
#include "search/aggs/values.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

namespace honryu::search {
namespace {

/// A value within one segment, cheap to compare: strings by their ordinals.
struct Code {
  enum class Type : char { kMissing, kWhole, kDouble, kOrdinal, kBoolean };
  Type type = Type::kMissing;
  std::int64_t value = 0;
};

void Append(const Code& code, std::string& tuple) {
  tuple += static_cast<char>(code.type);
  tuple.append(reinterpret_cast<const char*>(&code.value), sizeof code.value);
}
Code CodeAt(std::string_view tuple, std::size_t place) {
  Code code;
  code.type = static_cast<Code::Type>(tuple[place * 9]);
  tuple.copy(reinterpret_cast<char*>(&code.value), sizeof code.value, place * 9 + 1);
  return code;
}

/// Reads one source's values in one segment.
class SourceValues {
 public:
  SourceValues(const AggSpec& spec, const Segment& segment, std::size_t wanted)
      : spec_(spec), rounder_(spec) {
    const auto view = ViewField(segment, spec.field);
    if (!view) return;
    field_ = view->field;
    const auto open = [&](Code::Type type, const std::optional<Column>& column, bool date) {
      if (column) cursors_.push_back({type, date, ColumnCursor(*column, wanted)});
    };
    open(Code::Type::kWhole, field_->longs, false);
    open(Code::Type::kDouble, field_->doubles, false);
    open(Code::Type::kBoolean, field_->booleans, false);
    open(Code::Type::kWhole, field_->dates, true);
  }

  void Of(std::uint32_t doc, std::vector<Code>& out) {
    out.clear();
    for (auto& cursor : cursors_)
      cursor.column.Of(doc, [&](std::int64_t stored) {
        Take(cursor.type, cursor.date, stored, cursor.column.column(), out);
      });
    if (field_ != nullptr && field_->keywords && spec_.kind == AggSpec::Kind::kTerms) {
      std::size_t begin, end;
      if (field_->keywords->ordinals.index().Find(doc, &begin, &end))
        for (; begin < end; ++begin)
          out.push_back({Code::Type::kOrdinal, static_cast<std::int64_t>(field_->keywords->Ordinal(begin))});
    }
    if (out.empty() && spec_.missing_bucket) out.push_back({});
    std::sort(out.begin(), out.end(), [](const Code& a, const Code& b) {
      return a.type != b.type ? a.type < b.type : a.value < b.value;
    });
    out.erase(
        std::unique(out.begin(), out.end(),
                    [](const Code& a, const Code& b) { return a.type == b.type && a.value == b.value; }),
        out.end());
  }

  SortValue Decode(const Code& code) const {
    switch (code.type) {
      case Code::Type::kMissing:
        return {};
      case Code::Type::kDouble:
        return std::bit_cast<double>(code.value);
      case Code::Type::kOrdinal:
        return field_->keywords->terms.Term(static_cast<std::uint32_t>(code.value));
      default:
        return code.value;
    }
  }

 private:
  struct Cursor {
    Code::Type type;
    bool date;
    ColumnCursor column;
  };

  void Take(Code::Type type, bool date, std::int64_t stored, const Column& column, std::vector<Code>& out) {
    const double number = type == Code::Type::kDouble ? column.ToDouble(stored) : static_cast<double>(stored);
    if (spec_.kind == AggSpec::Kind::kDateHistogram) {
      if (type != Code::Type::kDouble) out.push_back({Code::Type::kWhole, rounder_.Key(stored)});
    } else if (spec_.kind == AggSpec::Kind::kHistogram) {
      const double key = std::floor((number - spec_.offset) / spec_.interval) * spec_.interval + spec_.offset;
      out.push_back({Code::Type::kDouble, std::bit_cast<std::int64_t>(key)});
    } else if (type == Code::Type::kDouble) {
      out.push_back({type, std::bit_cast<std::int64_t>(number)});
    } else {
      out.push_back({date ? Code::Type::kWhole : type, stored});
    }
  }

  const AggSpec& spec_;
  DateRounder rounder_;
  const SegmentField* field_ = nullptr;
  std::vector<Cursor> cursors_;
};

/// Buckets by the values of several sources, in the order of their keys, a page at a time. Only the first
/// `size` keys behind `after` are kept: one that falls out never comes back, because those before it stay.
class Composite final : public Aggregation {
 public:
  Composite(const AggSpec& spec, AggContext& context) : Aggregation(spec, context), buckets_(Less{&spec}) {}

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    std::vector<SourceValues> sources;
    sources.reserve(spec_.sources.size());
    for (const auto& source : spec_.sources) sources.emplace_back(source, segment.segment(), docs.size());
    std::unordered_map<std::string, std::vector<std::uint32_t>> groups;
    std::vector<std::vector<Code>> values(sources.size());
    std::vector<std::string> tuples, next;
    for (const auto doc : docs) {
      tuples.assign(1, std::string());
      for (std::size_t i = 0; i < sources.size(); ++i) {
        sources[i].Of(doc, values[i]);
        next.clear();
        for (const auto& tuple : tuples)
          for (const auto& code : values[i]) Append(code, next.emplace_back(tuple));
        tuples.swap(next);
      }
      for (const auto& tuple : tuples) groups[tuple].push_back(doc);
    }
    for (const auto& [tuple, list] : groups) {
      Key key;
      for (std::size_t i = 0; i < sources.size(); ++i) {
        const auto code = CodeAt(tuple, i);
        if (code.type == Code::Type::kBoolean) booleans_.resize(sources.size());
        if (code.type == Code::Type::kBoolean) booleans_[i] = true;
        key.push_back(sources[i].Decode(code));
      }
      if (!spec_.after.empty() && !buckets_.key_comp()(spec_.after, key)) continue;
      auto found = buckets_.find(key);
      if (found == buckets_.end()) {
        if (buckets_.size() >= spec_.size) {
          const auto last = std::prev(buckets_.end());
          if (buckets_.key_comp()(last->first, key)) continue;
          buckets_.erase(last);
        }
        HONRYU_TRY_VOID(context_.Reserve(96 * key.size()));
        found = buckets_.emplace(std::move(key), Bucket()).first;
      }
      HONRYU_TRY_VOID(found->second.Add(spec_, context_, segment, list));
    }
    return Ok();
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
};

}  // namespace

std::unique_ptr<Aggregation> MakeComposite(const AggSpec& spec, AggContext& context) {
  return std::make_unique<Composite>(spec, context);
}

}  // namespace honryu::search
