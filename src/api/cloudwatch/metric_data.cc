#include "api/cloudwatch/metric_data.h"

#include "honryu/codec/uri.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

namespace honryu::api::cloudwatch {

using codec::Json;

namespace {

constexpr std::size_t kMaxValues = 150;     // of a datum; CloudWatch's bound
constexpr std::size_t kMaxFields = 200000;  // of a form
constexpr double kMaxMagnitude = 0x1p360;   // CloudWatch's bound

Error Wrong(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

Result<double> Checked(double value, std::string_view what) {
  if (std::isfinite(value) && std::abs(value) <= kMaxMagnitude) return value;
  return Wrong("The value for parameter " + std::string(what) + " is invalid.");
}

Result<void> CheckText(const std::string& text, std::size_t most, std::string_view what) {
  if (!text.empty() && text.size() <= most) return Ok();
  return Wrong("The parameter " + std::string(what) + " must have 1 to " + std::to_string(most) +
               " characters.");
}

/// What a request holds, whatever its protocol: members by name, elements by position.
class JsonSource {
 public:
  explicit JsonSource(const Json* at) : at_(at) {}
  bool present() const { return at_ != nullptr; }
  JsonSource Member(std::string_view name) const {
    return JsonSource(at_ == nullptr ? nullptr : at_->Find(name));
  }
  std::size_t size(std::size_t most) const {
    return at_ == nullptr ? 0 : std::min(at_->array().size(), most + 1);
  }
  JsonSource Element(std::size_t index) const { return JsonSource(&at_->array()[index]); }
  std::string Text() const { return std::string(at_ == nullptr ? std::string_view() : at_->StringOr("")); }
  std::optional<double> Number() const {
    if (at_ == nullptr || !at_->is_number()) return std::nullopt;
    return at_->DoubleOr(0);
  }

 private:
  const Json* at_;
};

using Fields = std::map<std::string, std::string, std::less<>>;

class FormSource {
 public:
  FormSource(const Fields& fields, std::string prefix) : fields_(fields), prefix_(std::move(prefix)) {}
  bool present() const {
    const auto at = fields_.lower_bound(prefix_);
    return at != fields_.end() && at->first.starts_with(prefix_);
  }
  FormSource Member(std::string_view name) const {
    return FormSource(fields_, prefix_ + (prefix_.empty() ? "" : ".") + std::string(name));
  }
  std::size_t size(std::size_t most) const {
    std::size_t count = 0;
    while (count <= most && Element(count).present()) ++count;
    return count;
  }
  // The dot keeps "member.1" from being found in "member.10"; a value itself stands at the name without it.
  FormSource Element(std::size_t index) const {
    return FormSource(fields_, prefix_ + ".member." + std::to_string(index + 1));
  }
  std::string Text() const {
    const auto found = fields_.find(prefix_);
    return found == fields_.end() ? std::string() : found->second;
  }
  std::optional<double> Number() const {
    const std::string text = Text();
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  }

 private:
  const Fields& fields_;
  std::string prefix_;
};

template <class Source>
Result<double> Required(const Source& source, std::string_view what) {
  const std::optional<double> value = source.Number();
  if (!value) return Wrong("The parameter " + std::string(what) + " must be a number.");
  return Checked(*value, what);
}

template <class Source>
Result<void> ReadValues(const Source& source, Datum& datum) {
  const Source values = source.Member("Values");
  const Source counts = source.Member("Counts");
  const std::size_t size = values.size(kMaxValues);
  const std::size_t counted = counts.size(kMaxValues);
  if (size > kMaxValues)
    return Wrong("The collection MetricData.Values must not have more than 150 elements.");
  if (counted != 0 && counted != size)
    return Wrong("The parameters MetricData.Values and MetricData.Counts must have the same length.");
  for (std::size_t i = 0; i < size; ++i) {
    HONRYU_TRY(const double value, Required(values.Element(i), "MetricData.Values"));
    double count = 1;
    if (counted != 0) {
      HONRYU_TRY(count, Required(counts.Element(i), "MetricData.Counts"));
    }
    if (count <= 0) return Wrong("The value for parameter MetricData.Counts is invalid.");
    datum.minimum = i == 0 ? value : std::min(datum.minimum, value);
    datum.maximum = i == 0 ? value : std::max(datum.maximum, value);
    datum.samples += count;
    datum.sum += value * count;
  }
  return Ok();
}

template <class Source>
Result<Datum> ReadDatum(const Source& source) {
  Datum datum;
  datum.name = source.Member("MetricName").Text();
  HONRYU_TRY_VOID(CheckText(datum.name, 255, "MetricData.MetricName"));
  datum.unit = source.Member("Unit").Text();
  if (datum.unit.size() > 64) return Wrong("The value for parameter MetricData.Unit is invalid.");
  const Source dimensions = source.Member("Dimensions");
  const std::size_t count = dimensions.size(kMaxDimensions);
  if (count > kMaxDimensions)
    return Wrong("The collection MetricData.Dimensions must not have more than 30 elements.");
  for (std::size_t i = 0; i < count; ++i) {
    const Source dimension = dimensions.Element(i);
    auto& [name, value] = datum.dimensions.emplace_back();
    name = dimension.Member("Name").Text();
    value = dimension.Member("Value").Text();
    HONRYU_TRY_VOID(CheckText(name, 255, "MetricData.Dimensions.Name"));
    HONRYU_TRY_VOID(CheckText(value, 1024, "MetricData.Dimensions.Value"));
  }
  const Source statistics = source.Member("StatisticValues");
  if (statistics.present()) {
    HONRYU_TRY(datum.samples,
               Required(statistics.Member("SampleCount"), "MetricData.StatisticValues.SampleCount"));
    HONRYU_TRY(datum.sum, Required(statistics.Member("Sum"), "MetricData.StatisticValues.Sum"));
    HONRYU_TRY(datum.minimum, Required(statistics.Member("Minimum"), "MetricData.StatisticValues.Minimum"));
    HONRYU_TRY(datum.maximum, Required(statistics.Member("Maximum"), "MetricData.StatisticValues.Maximum"));
    if (datum.samples < 0)
      return Wrong("The value for parameter MetricData.StatisticValues.SampleCount is invalid.");
    return datum;
  }
  if (source.Member("Values").present()) {
    HONRYU_TRY_VOID(ReadValues(source, datum));
    if (datum.samples > 0) return datum;
  }
  HONRYU_TRY(datum.sum, Required(source.Member("Value"), "MetricData.Value"));
  datum.minimum = datum.maximum = datum.sum;
  datum.samples = 1;
  return datum;
}

template <class Source>
Result<void> ReadData(const Source& list, MetricData& out) {
  const std::size_t count = list.size(kMaxData);
  for (std::size_t i = 0; i < count; ++i) {
    if (out.data.size() >= kMaxData)
      return Wrong("The collection MetricData must not have a size greater than 1000.");
    HONRYU_TRY(Datum datum, ReadDatum(list.Element(i)));
    out.data.push_back(std::move(datum));
  }
  return Ok();
}

template <class Source>
Result<MetricData> Read(const Source& root) {
  MetricData out;
  out.space = root.Member("Namespace").Text();
  HONRYU_TRY_VOID(CheckText(out.space, 255, "Namespace"));
  HONRYU_TRY_VOID(ReadData(root.Member("MetricData"), out));
  const Source entities = root.Member("EntityMetricData");
  const std::size_t count = entities.size(kMaxData);
  for (std::size_t i = 0; i < count; ++i)
    HONRYU_TRY_VOID(ReadData(entities.Element(i).Member("MetricData"), out));
  return out;
}

}  // namespace

Result<MetricData> ReadMetricData(const Json& body) { return Read(JsonSource(&body)); }

Result<MetricData> ReadMetricForm(BytesView form) {
  if (static_cast<std::size_t>(std::ranges::count(form, '&')) > kMaxFields)
    return Wrong("the form has too many fields");
  HONRYU_TRY(auto pairs, codec::ParseQuery(form));
  Fields fields;
  for (auto& [name, value] : pairs) fields.insert_or_assign(std::move(name), std::move(value));
  return Read(FormSource(fields, {}));
}

}  // namespace honryu::api::cloudwatch
