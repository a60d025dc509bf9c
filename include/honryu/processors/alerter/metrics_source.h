#pragma once

#include "honryu/async/task.h"
#include "honryu/base/time.h"
#include "honryu/client/stream_client.h"
#include "honryu/obs/metrics.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::processors::alerter {

/// Turns expositions of Prometheus metrics into records for rules: counters and gauges whose names fit a
/// pattern. Not thread-safe.
class MetricRows {
 public:
  /// `patterns`: with * and ?.
  explicit MetricRows(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {}
  /// One JSON object a series: {"metric":…,"labels":{…},"value":…}; for names ending in _total, from the
  /// second call on, also "rate" (per second since the last call) and, when the series has a label `shard`,
  /// "skew": its rate in parts of the mean over the shards that share all other labels.
  std::vector<std::string> Read(std::string_view exposition, Timestamp now);

 private:
  std::vector<std::string> patterns_;
  std::map<std::string, double> last_;
  Timestamp last_time_{};
};

struct MetricsSourceConfig {
  std::string stream = "metrics";
  Duration interval = std::chrono::seconds(5);
  std::vector<std::string> patterns = {"honryu_consumer_lag_seconds", "honryu_consumer_records_total",
                                       "honryu_consumer_halted_shards", "honryu_broker_throttled_*"};
};

/// Writes this process's own metrics to a stream. What cannot be written is left out. Runs on: the executor
/// given.
class MetricsSource {
 public:
  /// References must outlive it.
  MetricsSource(MetricsSourceConfig config, client::StreamClient& client, async::Executor executor,
                const Clock& clock, obs::Registry& metrics);
  ~MetricsSource();
  MetricsSource(const MetricsSource&) = delete;
  MetricsSource& operator=(const MetricsSource&) = delete;
  void Start();
  async::Task<void> Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::processors::alerter
