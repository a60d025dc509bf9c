#pragma once

#include "honryu/async/task.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/client/stream_client.h"
#include "honryu/http/client.h"
#include "honryu/obs/metrics.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace honryu::processors::alerter {

/// The metrics of one process, in the text format of Prometheus.
struct Exposition {
  std::string instance;  ///< "broker:9600"; empty: this process.
  std::string text;
};

/// Turns expositions of Prometheus metrics into records for rules: counters and gauges whose names fit a
/// pattern. Not thread-safe.
class MetricRows {
 public:
  /// `patterns`: with * and ?. `least_rate`: as in MetricsSourceConfig.
  explicit MetricRows(std::vector<std::string> patterns, double least_rate = 0)
      : patterns_(std::move(patterns)), least_rate_(least_rate) {}
  /// One JSON object a series: {"metric":…,"labels":{…},"value":…}, the instance among the labels; for names
  /// ending in _total, from the second call on, also "rate" (per second since the last call) and, when the
  /// series has a label `shard`, "skew": its rate in parts of the mean rate of the other shards that share
  /// all other labels, in whichever instance, at most 1000. Without other shards, or while all together have
  /// less than `least_rate`, there is none.
  std::vector<std::string> Read(const std::vector<Exposition>& expositions, Timestamp now);

 private:
  std::vector<std::string> patterns_;
  double least_rate_;
  std::map<std::string, double> last_;
  Timestamp last_time_{};
};

struct MetricsSourceConfig {
  std::string stream = "metrics";
  Duration interval = std::chrono::seconds(5);
  std::vector<std::string> patterns = {"up",
                                       "honryu_consumer_lag_seconds",
                                       "honryu_consumer_halted_shards",
                                       "honryu_consumer_unreadable_shards",
                                       "honryu_broker_shard_incoming_records_total",
                                       "honryu_broker_throttled_*"};
  /// Metrics pages of other processes: "http://broker:9600/metrics"; without a path, /metrics. At most 100.
  std::vector<std::string> targets;
  Duration timeout = std::chrono::seconds(3);  ///< Of one target.
  double least_rate = 20;  ///< Records a second of all shards together below which nothing is uneven.

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Writes metrics to a stream: those of this process, those of the targets, and for each target "up", which
/// is 1, or 0 when it did not answer. What cannot be written is left out. Runs on: the executor given.
class MetricsSource {
 public:
  /// References must outlive it; `config` must be valid.
  MetricsSource(MetricsSourceConfig config, client::StreamClient& client, http::Client& http,
                async::Executor executor, const Clock& clock, obs::Registry& metrics);
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
