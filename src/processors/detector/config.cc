#include "honryu/anomaly/series_detector.h"
#include "honryu/processors/detector/detector.h"

#include <set>

namespace honryu::processors::detector {

Result<void> Watch::Validate() const {
  const auto wrong = [this](const std::string& message) {
    return Error(ErrorCode::kInvalidArgument, "watch " + name + ": " + message);
  };
  if (name.empty() || name.size() > 100 || name.find_first_of("{}/") != std::string::npos)
    return wrong("the name must have 1 to 100 characters, none of them one of {}/");
  if (stream.empty()) return wrong("stream is missing");
  if (const Result<void> valid = series.Validate(); !valid.ok()) return wrong(valid.error().message());
  if (max_series < 1) return wrong("max_series must be at least 1");
  if (!(least_grade >= 0 && least_grade <= 1)) return wrong("least_grade must lie between 0 and 1");
  if (!(least_change >= 0) || !(least_deviations >= 0))
    return wrong("least_change and least_deviations must not be negative");
  for (const alerting::Condition& condition : conditions) {
    using alerting::ConditionKind;
    const bool relative = condition.is == ConditionKind::kRise || condition.is == ConditionKind::kFall;
    if (!relative && condition.is != ConditionKind::kAbove && condition.is != ConditionKind::kBelow)
      return wrong("conditions may be above, below, rise and fall; absence: absent_after");
    if (relative && !(condition.limit > 0 && (condition.is == ConditionKind::kRise || condition.limit <= 1)))
      return wrong("limit must be a share above 0, for fall at most 1");
    if (!(condition.hysteresis >= 0)) return wrong("hysteresis must not be negative");
  }
  if (absent_after < Duration::zero() || raw_lead < Duration::zero())
    return wrong("absent_after and raw_lead must not be negative");
  if (absent_after > Duration::zero() && series.reading == alerting::Reading::kIncrement)
    return wrong("absent_after does not go with increments, which are 0 then: use a condition below");
  anomaly::SeriesOptions options;
  options.shingle = shingle;
  options.trees = trees;
  options.sample_size = sample_size;
  options.silent_rows = silent_rows;
  options.season.slot = season_slot;
  if (const auto made = anomaly::SeriesDetector::Create(options); !made.ok())
    return wrong(made.error().message());
  return Ok();
}

Result<void> DetectorConfig::Validate() const {
  const auto wrong = [](const char* message) {
    return Error(ErrorCode::kInvalidArgument, std::string("detector: ") + message);
  };
  if (application.empty() || application.size() > 100 || application.find('/') != std::string::npos)
    return wrong("application must have 1 to 100 characters and no '/'");
  if (anomalies_stream.empty()) return wrong("stream is missing");
  if (tick <= Duration::zero() || checkpoint_interval <= Duration::zero())
    return wrong("tick and checkpoint_interval must be above zero");
  if (warm_start < Duration::zero() || settle < Duration::zero())
    return wrong("warm_start and settle must not be negative");
  std::set<std::string> names;
  for (const Watch& watch : watches) {
    HONRYU_TRY_VOID(watch.Validate());
    if (!names.insert(watch.name).second) return wrong("two watches have one name");
  }
  return Ok();
}

}  // namespace honryu::processors::detector
