#pragma once

#include "api/cloudwatch/metric_data.h"
#include "honryu/base/time.h"
#include "honryu/obs/metrics.h"

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace honryu::api::cloudwatch {

/// The metrics of applications, each name with its dimensions, as series of the registry:
///   honryu_cloudwatch_sum, _samples_total: all values since the first datum; _minimum, _maximum, _average:
///   of the newest datum; labels namespace, metric, unit, and dimension_<name> for each dimension.
/// Thread-safe.
class Series {
 public:
  /// `registry` and `clock` must outlive it.
  Series(std::size_t most, Duration life, const Clock& clock, obs::Registry& registry);

  void Add(const MetricData& data);
  /// Takes away those that have had no datum for a life.
  void DropStale();

 private:
  struct One {
    obs::Gauge sum, minimum, maximum, average;
    obs::Counter samples;
    MonoTime last;
  };
  One Make(const obs::Labels& labels);
  void DropStaleLocked();

  const std::size_t most_;
  const Duration life_;
  const Clock& clock_;
  obs::Registry& registry_;
  obs::Counter taken_, dropped_;
  obs::Gauge count_;
  std::mutex mutex_;  // guards series_; the registry's own is taken under it
  std::map<obs::Labels, One> series_;
};

/// "WorkerIdentifier" -> "worker_identifier": a part of a label's name, of lower-case letters, digits and
/// '_', at most 64.
std::string LabelPart(std::string_view name);

}  // namespace honryu::api::cloudwatch
