#include "api/cloudwatch/series.h"

#include <algorithm>
#include <cctype>

namespace honryu::api::cloudwatch {

namespace {

constexpr std::size_t kMaxLabelPart = 64;
constexpr std::size_t kMaxLabelValue = 256;

// Valid UTF-8 without control characters, cut where a character begins.
std::string LabelValue(const std::string& text) {
  std::string quoted;
  codec::AppendJsonString(text, quoted);  // replaces what is no UTF-8
  const Result<codec::Json> clean = codec::Json::Parse(quoted);
  std::string out(clean.ok() ? clean->StringOr("") : std::string_view());
  std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  if (out.size() <= kMaxLabelValue) return out;
  std::size_t end = kMaxLabelValue;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
  return out.substr(0, end);
}

obs::Labels LabelsOf(const std::string& space, const Datum& datum) {
  obs::Labels labels;
  labels["namespace"] = LabelValue(space);
  labels["metric"] = LabelValue(datum.name);
  labels["unit"] = LabelValue(datum.unit.empty() ? "None" : datum.unit);
  for (const auto& [name, value] : datum.dimensions) {
    const std::string label = "dimension_" + LabelPart(name);
    std::string unique = label;
    for (int i = 2; labels.contains(unique); ++i) unique = label + "_" + std::to_string(i);
    labels[unique] = LabelValue(value);
  }
  return labels;
}

}  // namespace

std::string LabelPart(std::string_view name) {
  std::string out;
  bool lower_before = false;
  for (const char c : name.substr(0, kMaxLabelPart)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && std::isalnum(byte) != 0) {
      const bool upper = std::isupper(byte) != 0;
      if (upper && lower_before) out.push_back('_');
      out.push_back(static_cast<char>(std::tolower(byte)));
      lower_before = !upper;
    } else {
      out.push_back('_');
      lower_before = false;
    }
  }
  return out.substr(0, kMaxLabelPart);
}

Series::Series(std::size_t most, Duration life, const Clock& clock, obs::Registry& registry)
    : most_(most), life_(life), clock_(clock), registry_(registry) {
  taken_ = registry.MakeCounter("honryu_cloudwatch_data_total", "Data of PutMetricData that were taken.");
  dropped_ = registry.MakeCounter("honryu_cloudwatch_dropped_data_total",
                                  "Data that were dropped, by reason.", {{"reason", "series_limit"}});
  count_ = registry.MakeGauge("honryu_cloudwatch_series", "Metrics of applications, by name and dimensions.");
}

Series::One Series::Make(const obs::Labels& labels) {
  One one;
  one.sum = registry_.MakeGauge("honryu_cloudwatch_sum",
                                "Sum of an application's metric since its first datum.", labels);
  one.samples = registry_.MakeCounter("honryu_cloudwatch_samples_total",
                                      "Values of an application's metric since its first datum.", labels);
  one.minimum = registry_.MakeGauge("honryu_cloudwatch_minimum", "Least value in the newest datum.", labels);
  one.maximum =
      registry_.MakeGauge("honryu_cloudwatch_maximum", "Highest value in the newest datum.", labels);
  one.average = registry_.MakeGauge("honryu_cloudwatch_average", "Average of the newest datum.", labels);
  return one;
}

void Series::Add(const MetricData& data) {
  const std::lock_guard lock(mutex_);
  DropStaleLocked();
  for (const Datum& datum : data.data) {
    const obs::Labels labels = LabelsOf(data.space, datum);
    auto found = series_.find(labels);
    if (found == series_.end()) {
      if (series_.size() >= most_) {
        dropped_.Add();
        continue;
      }
      found = series_.emplace(labels, Make(labels)).first;
    }
    One& one = found->second;
    one.last = clock_.Mono();
    one.sum.Add(datum.sum);
    one.samples.Add(datum.samples);
    if (datum.samples > 0) {
      one.minimum.Set(datum.minimum);
      one.maximum.Set(datum.maximum);
      one.average.Set(datum.sum / datum.samples);
    }
    taken_.Add();
  }
  count_.Set(static_cast<double>(series_.size()));
}

void Series::DropStale() {
  const std::lock_guard lock(mutex_);
  DropStaleLocked();
}

void Series::DropStaleLocked() {
  const MonoTime now = clock_.Mono();
  std::erase_if(series_, [&](const auto& entry) {
    const One& one = entry.second;
    if (now - one.last < life_) return false;
    registry_.Remove(one.samples);
    for (const obs::Gauge& gauge : {one.sum, one.minimum, one.maximum, one.average}) registry_.Remove(gauge);
    return true;
  });
  count_.Set(static_cast<double>(series_.size()));
}

}  // namespace honryu::api::cloudwatch
