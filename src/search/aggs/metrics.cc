#include "honryu/analytics/distinct_counter.h"
#include "search/aggs/percentile_sketch.h"
#include "search/aggs/values.h"

#include <array>
#include <bit>
#include <limits>

namespace honryu::search {
namespace {

using Kind = AggSpec::Kind;

/// Sum without drift (Kahan).
struct ExactSum {
  double sum = 0, lost = 0;
  void Add(double value) {
    const double corrected = value - lost, next = sum + corrected;
    lost = (next - sum) - corrected;
    sum = next;
  }
};

std::string PercentKey(double percent) {
  std::string text;
  codec::JsonWriter(text).Double(percent);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

class Stats final : public Aggregation {
 public:
  using Aggregation::Aggregation;

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    if (spec_.kind == Kind::kValueCount) {
      const auto groups = GroupByString(segment, spec_.field, docs, false);
      for (const auto count : groups.counts) count_ += count;
    }
    if (!spec_.missing) {
      ForEachValue(segment, spec_.field, docs, [this](const TypedNumber& number) {
        dates_ |= number.type == TypedNumber::Type::kDate;
        Add(number.value);
      });
      return Ok();
    }
    ForEachNumber(
        segment, spec_.field, docs,
        [this](std::uint32_t, const TypedNumber& number) {
          dates_ |= number.type == TypedNumber::Type::kDate;
          Add(number.value);
        },
        [this](std::uint32_t) {
          if (spec_.missing)
            if (const auto value = ToDouble(*spec_.missing)) Add(*value);
        });
    return Ok();
  }

  Result<void> Absorb(const Aggregation& other) override {
    const auto& from = static_cast<const Stats&>(other);
    count_ += from.count_;
    sum_.Add(from.sum_.sum);
    squares_.Add(from.squares_.sum);
    min_ = std::min(min_, from.min_);
    max_ = std::max(max_, from.max_);
    dates_ |= from.dates_;
    return Ok();
  }

  std::optional<double> Metric(std::string_view name) override {
    if (name.empty()) name = Own();
    if (name == "count" || name == "value_count") return static_cast<double>(count_);
    if (name == "sum") return sum_.sum;
    if (count_ == 0) return std::nullopt;
    const auto n = static_cast<double>(count_);
    if (name == "min") return min_;
    if (name == "max") return max_;
    if (name == "avg") return sum_.sum / n;
    const double variance = std::max(0.0, (squares_.sum - sum_.sum * sum_.sum / n) / n);
    if (name == "variance") return variance;
    if (name == "std_deviation") return std::sqrt(variance);
    return std::nullopt;
  }

  Result<void> Write(codec::JsonWriter& out) override {
    if (spec_.kind == Kind::kValueCount) {
      out.Key("value");
      out.Uint(count_);
      return Ok();
    }
    if (spec_.kind != Kind::kStats && spec_.kind != Kind::kExtendedStats) {
      Put(out, "value", Own());
      return Ok();
    }
    out.Key("count");
    out.Uint(count_);
    for (const auto* name : {"min", "max", "avg", "sum"}) Put(out, name, name);
    if (spec_.kind == Kind::kStats) return Ok();
    const auto sampling =
        count_ > 1 ? *Metric("variance") * static_cast<double>(count_) / static_cast<double>(count_ - 1)
                   : std::numeric_limits<double>::quiet_NaN();
    const auto optional = [](std::optional<double> value) {
      return value.value_or(std::numeric_limits<double>::quiet_NaN());
    };
    const auto put = [&](std::string_view key, double value) {
      out.Key(key);
      WriteDouble(out, value);
    };
    const double variance = optional(Metric("variance")), deviation = std::sqrt(variance),
                 mean = optional(Metric("avg"));
    put("sum_of_squares", count_ == 0 ? std::numeric_limits<double>::quiet_NaN() : squares_.sum);
    put("variance", variance);
    put("variance_population", variance);
    put("variance_sampling", sampling);
    put("std_deviation", deviation);
    put("std_deviation_population", deviation);
    put("std_deviation_sampling", std::sqrt(sampling));
    out.Key("std_deviation_bounds");
    out.BeginObject();
    put("upper", mean + spec_.sigma * deviation);
    put("lower", mean - spec_.sigma * deviation);
    put("upper_population", mean + spec_.sigma * deviation);
    put("lower_population", mean - spec_.sigma * deviation);
    put("upper_sampling", mean + spec_.sigma * std::sqrt(sampling));
    put("lower_sampling", mean - spec_.sigma * std::sqrt(sampling));
    out.EndObject();
    return Ok();
  }

 private:
  void Add(double value) {
    ++count_;
    sum_.Add(value);
    if (spec_.kind == Kind::kExtendedStats) squares_.Add(value * value);
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }
  std::string_view Own() const {
    switch (spec_.kind) {
      case Kind::kMin:
        return "min";
      case Kind::kMax:
        return "max";
      case Kind::kAvg:
        return "avg";
      case Kind::kValueCount:
        return "value_count";
      default:
        return "sum";
    }
  }
  void Put(codec::JsonWriter& out, std::string_view key, std::string_view metric) {
    const auto value = Metric(metric);
    out.Key(key);
    WriteDouble(out, value.value_or(std::numeric_limits<double>::quiet_NaN()));
    if (!dates_ || !value || metric == "sum") return;
    out.Key(std::string(key) + "_as_string");
    out.String(FormatDate(static_cast<std::int64_t>(*value), spec_.format, TimeZone()));
  }

  std::uint64_t count_ = 0;
  ExactSum sum_, squares_;
  double min_ = std::numeric_limits<double>::infinity(), max_ = -std::numeric_limits<double>::infinity();
  bool dates_ = false;
};

class Cardinality final : public Aggregation {
 public:
  /// Exact up to here: 16 to 32 bytes a value while it lasts.
  static constexpr std::size_t kExact = 200'000;
  Cardinality(const AggSpec& spec, AggContext& context) : Aggregation(spec, context), counter_(kExact) {}

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    const auto before = counter_.Count();
    if (const auto view = ViewField(segment.segment(), spec_.field); view && view->field->keywords)
      counter_.Expect(std::min<std::size_t>(view->field->keywords->terms.size(), docs.size()));
    ForEachString(segment, spec_.field, docs, [this](BytesView text) { counter_.Add(text); });
    ForEachNumber(
        segment, spec_.field, docs,
        [this](std::uint32_t, const TypedNumber& number) {
          counter_.AddHash(
              analytics::MixHash(std::bit_cast<std::uint64_t>(number.value + 0.0) ^ 0x9e3779b97f4a7c15ULL));
        },
        [this](std::uint32_t) {
          if (spec_.missing) counter_.Add(ToText(*spec_.missing));
        });
    const auto grown = counter_.Count() - std::min(before, counter_.Count());
    return context_.Reserve(counter_.exact() ? grown * 24 : 0);
  }
  Result<void> Absorb(const Aggregation& other) override {
    const auto before = counter_.memory();
    counter_.Merge(static_cast<const Cardinality&>(other).counter_);
    return context_.Reserve(counter_.memory() - std::min(before, counter_.memory()));
  }
  Result<void> Settle() override {
    const auto before = counter_.memory();
    counter_.Pack();
    context_.Release(before - std::min(before, counter_.memory()));
    return Ok();
  }
  std::optional<double> Metric(std::string_view) override { return static_cast<double>(counter_.Count()); }
  Result<void> Write(codec::JsonWriter& out) override {
    out.Key("value");
    out.Uint(counter_.Count());
    return Ok();
  }

 private:
  analytics::DistinctCounter counter_;
};

class Percentiles final : public Aggregation {
 public:
  using Aggregation::Aggregation;

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    const auto before = sketch_.bytes();
    if (!spec_.missing) {
      if (const auto view = ViewField(segment.segment(), spec_.field)) {
        const auto& field = *view->field;
        for (const auto* column : {&field.longs, &field.doubles, &field.booleans, &field.dates})
          if (*column) AddColumn(**column, segment.segment().doc_count(), docs);
      }
      return Charge(before);
    }
    ForEachNumber(
        segment, spec_.field, docs,
        [this](std::uint32_t, const TypedNumber& number) { sketch_.Add(number.value); },
        [this](std::uint32_t) {
          if (spec_.missing)
            if (const auto value = ToDouble(*spec_.missing)) sketch_.Add(*value);
        });
    return Charge(before);
  }

  Result<void> Absorb(const Aggregation& other) override {
    const auto before = sketch_.bytes();
    sketch_.Merge(static_cast<const Percentiles&>(other).sketch_);
    return Charge(before);
  }

  Result<void> Settle() override {
    const auto before = sketch_.bytes();
    sketch_.Settle();
    return Charge(before);
  }

  std::optional<double> Metric(std::string_view name) override {
    if (sketch_.count() == 0) return std::nullopt;
    return sketch_.Percentile(ToDouble(Scalar(std::string(name))).value_or(50));
  }

  Result<void> Write(codec::JsonWriter& out) override {
    const auto value_at = [this](double percent) {
      return spec_.kind == Kind::kPercentiles ? sketch_.Percentile(percent) : sketch_.Rank(percent);
    };
    out.Key("values");
    if (spec_.keyed) {
      out.BeginObject();
      for (const auto percent : spec_.percents) {
        out.Key(PercentKey(percent));
        WriteDouble(out, value_at(percent));
      }
      out.EndObject();
      return Ok();
    }
    out.BeginArray();
    for (const auto percent : spec_.percents) {
      out.BeginObject();
      out.Key("key");
      out.Double(percent);
      out.Key("value");
      WriteDouble(out, value_at(percent));
      out.EndObject();
    }
    out.EndArray();
    return Ok();
  }

 private:
  /// Stored numbers that are counted before the sketch sees them.
  static constexpr std::size_t kCounts = 1u << 17;

  /// Calls visit(stored number) for the documents' numbers.
  template <class Visit>
  static void ForStored(const Column& column, std::uint32_t doc_count, std::span<const std::uint32_t> docs,
                        Visit&& visit) {
    if (docs.size() == doc_count) {
      std::array<std::int64_t, PackedInts::kBlock> block;
      for (std::size_t b = 0; b < column.values().blocks(); ++b) {
        const auto count = column.values().Decode(b, block.data());
        for (std::size_t i = 0; i < count; ++i) visit(block[i]);
      }
      return;
    }
    ColumnCursor cursor(column, docs.size());
    for (const auto doc : docs) cursor.Of(doc, visit);
  }

  /// Adds the numbers of a column. Of many, those near the least (mostly all of them: times in hundredths of
  /// a millisecond, sizes) are counted as they are stored, and each different one goes to the sketch once.
  void AddColumn(const Column& column, std::uint32_t doc_count, std::span<const std::uint32_t> docs) {
    const auto& values = column.values();
    if (std::min(docs.size(), values.size()) < kCounts / 4) {
      ForStored(column, doc_count, docs, [&](std::int64_t stored) { sketch_.Add(column.ToDouble(stored)); });
      return;
    }
    auto least = std::numeric_limits<std::int64_t>::max();
    for (std::size_t b = 0; b < values.blocks(); ++b) least = std::min(least, values.BlockMin(b));
    std::vector<std::uint32_t> counts(kCounts);
    ForStored(column, doc_count, docs, [&](std::int64_t stored) {
      const auto place = static_cast<std::uint64_t>(stored) - static_cast<std::uint64_t>(least);
      if (place < kCounts)
        ++counts[place];
      else
        sketch_.Add(column.ToDouble(stored));
    });
    for (std::size_t place = 0; place < kCounts; ++place)
      if (counts[place] > 0)
        sketch_.Add(column.ToDouble(static_cast<std::int64_t>(static_cast<std::uint64_t>(least) + place)),
                    counts[place]);
  }

  /// The sketch had `before` bytes; beyond its bound for exactness it has fewer.
  Result<void> Charge(std::size_t before) {
    if (sketch_.bytes() < before) context_.Release(before - sketch_.bytes());
    return context_.Reserve(sketch_.bytes() > before ? sketch_.bytes() - before : 0);
  }

  PercentileSketch sketch_;
};

}  // namespace

std::unique_ptr<Aggregation> MakeMetric(const AggSpec& spec, AggContext& context) {
  if (spec.kind == Kind::kCardinality) return std::make_unique<Cardinality>(spec, context);
  if (spec.kind == Kind::kPercentiles || spec.kind == Kind::kPercentileRanks)
    return std::make_unique<Percentiles>(spec, context);
  return std::make_unique<Stats>(spec, context);
}

}  // namespace honryu::search
