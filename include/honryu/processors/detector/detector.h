#pragma once

#include "honryu/alerting/condition.h"
#include "honryu/alerting/series.h"
#include "honryu/async/runtime.h"
#include "honryu/client/stream_client.h"
#include "honryu/obs/metrics.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace honryu::processors::detector {

/// One family of series.
struct Watch {
  std::string name;  ///< 1 to 100 characters, none of {}/.
  std::string stream = "kpi";
  alerting::SeriesSpec series;
  std::size_t max_series = 100;  ///< Detectors kept; each takes about 3 MB with the values below.
  std::size_t trees = 30;
  std::size_t sample_size = 256;
  std::size_t silent_rows = 60;  ///< Samples of a series before the first score.
  Duration season_slot = std::chrono::minutes(30);
  double least_grade = 0.3;  ///< Anomalies below it are not written: 0 to 1.
  /// Changes smaller than this share of what is expected are not written, however odd.
  double least_change = 0.2;
  /// Nor those nearer than so many of the usual standard deviations.
  double least_deviations = 5;
  /// Rows joined into one point by the forest that looks at values; more than one finds changes of shape.
  std::size_t shingle = 1;
  /// What is odd whatever the forests say, from the first sample on, with grade 1: kinds kAbove, kBelow,
  /// kRise, kFall.
  std::vector<alerting::Condition> conditions;
  /// A series seen before that has no sample for so long is odd; 0: it is not. Not with increments, which are
  /// 0 then.
  Duration absent_after{};
  /// Raw events are looked for from so long before what an increment stands for: they came a little earlier.
  Duration raw_lead = std::chrono::seconds(2);
  std::uint64_t seed = 1;

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

struct DetectorConfig {
  std::string application = "detector";
  std::string anomalies_stream = "anomalies";
  std::string raw_stream = "events";  ///< Where the events behind the rows are; empty: not looked up.
  std::vector<Watch> watches;
  Duration warm_start = std::chrono::hours(6);  ///< So much history is read again at a start.
  Duration tick = std::chrono::milliseconds(250);
  Duration settle =
      std::chrono::milliseconds(500);  ///< Time counts as complete only so far behind the clock.
  Duration checkpoint_interval = std::chrono::seconds(5);
  Duration lease_duration = std::chrono::seconds(10);
  Duration sync_interval = std::chrono::seconds(2);
  Duration poll_wait = std::chrono::seconds(1);

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Reads the watched streams as the one owner of the work (others stand by). At-least-once; anomalies have
/// ids that a replay repeats. Runs on: the executor given; forests on the runtime's blocking pool.
class Detector {
 public:
  /// References must outlive it; `config` must be valid.
  Detector(DetectorConfig config, client::StreamClient& client, async::Runtime& runtime,
           async::Executor executor, const Clock& clock, obs::Registry& metrics);
  ~Detector();
  Detector(const Detector&) = delete;
  Detector& operator=(const Detector&) = delete;

  /// Begins to work: creates the stream of anomalies if need be, waits for the others. Call once.
  void Start();
  /// Call once, also if never started.
  async::Task<void> Stop(MonoTime deadline);
  /// kUnavailable while anomalies cannot be written or a stream is not read on. Thread-safe.
  Result<void> Ready() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::processors::detector
