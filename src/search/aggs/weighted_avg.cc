#include "honryu/search/api_error.h"
#include "search/aggs/values.h"

#include <cmath>
#include <limits>

namespace honryu::search {
namespace {

/// Sum of value times weight, by the sum of the weights. A document has one weight and any number of values.
class WeightedAvg final : public Aggregation {
 public:
  using Aggregation::Aggregation;

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    std::vector<std::uint32_t> weighted;
    std::vector<double> weights;
    bool several = false;
    ForEachNumber(
        segment, spec_.sources[1].field, docs,
        [&](std::uint32_t doc, const TypedNumber& number) {
          several |= !weighted.empty() && weighted.back() == doc;
          weighted.push_back(doc);
          weights.push_back(number.value);
        },
        [&](std::uint32_t doc) {
          if (!weight_missing_) return;
          weighted.push_back(doc);
          weights.push_back(*weight_missing_);
        });
    if (several)
      return IllegalArgument("Encountered more than one weight for a single document in [" + spec_.name +
                             "]");
    std::size_t at = 0;
    const auto add = [&](std::uint32_t doc, double value) {
      while (weighted[at] != doc) ++at;
      values_ += value * weights[at];
      weights_ += weights[at];
    };
    ForEachNumber(
        segment, spec_.sources[0].field, weighted,
        [&](std::uint32_t doc, const TypedNumber& number) { add(doc, number.value); },
        [&](std::uint32_t doc) {
          if (value_missing_) add(doc, *value_missing_);
        });
    return Ok();
  }

  std::optional<double> Metric(std::string_view) override {
    const double average = values_ / weights_;
    return std::isfinite(average) ? std::optional(average) : std::nullopt;
  }

  Result<void> Write(codec::JsonWriter& out) override {
    out.Key("value");
    WriteDouble(out, Metric({}).value_or(std::numeric_limits<double>::quiet_NaN()));
    return Ok();
  }

 private:
  static std::optional<double> MissingOf(const AggSpec& source) {
    return source.missing ? ToDouble(*source.missing) : std::nullopt;
  }

  const std::optional<double> value_missing_ = MissingOf(spec_.sources[0]);
  const std::optional<double> weight_missing_ = MissingOf(spec_.sources[1]);
  double values_ = 0, weights_ = 0;
};

}  // namespace

std::unique_ptr<Aggregation> MakeWeightedAvg(const AggSpec& spec, AggContext& context) {
  return std::make_unique<WeightedAvg>(spec, context);
}

}  // namespace honryu::search
