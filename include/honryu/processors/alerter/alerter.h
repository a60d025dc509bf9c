#pragma once

#include "honryu/alerting/rule.h"
#include "honryu/async/task.h"
#include "honryu/client/stream_client.h"
#include "honryu/obs/metrics.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace honryu::processors::alerter {

struct AlerterConfig {
  std::string application = "alerter";
  std::string alerts_stream = "alerts";
  int alerts_shards = 1;  ///< When the stream is created here.
  std::vector<alerting::Rule> rules;
  Duration look_back = std::chrono::minutes(15);  ///< Of a stream not read before, so that means are known.
  Duration tick = std::chrono::milliseconds(100);
  /// Time that has passed is taken as complete only this far behind the clock: records on their way count.
  Duration settle = std::chrono::milliseconds(500);
  Duration checkpoint_interval = std::chrono::seconds(5);
  Duration status_interval = std::chrono::minutes(10);  ///< Between two records of all that is not OK.
  Duration lease_duration = std::chrono::seconds(10);
  Duration sync_interval = std::chrono::seconds(2);
  Duration poll_wait = std::chrono::seconds(1);

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Reads every stream that a rule names, and writes to the stream of alerts. At-least-once: after a crash
/// what was written since the last checkpoint is written again, with the same ids. Silences are read from the
/// stream of alerts itself. Runs on: the executor given.
class Alerter {
 public:
  /// References must outlive it; `config` must be valid.
  Alerter(AlerterConfig config, client::StreamClient& client, async::Executor executor, const Clock& clock,
          obs::Registry& metrics);
  ~Alerter();
  Alerter(const Alerter&) = delete;
  Alerter& operator=(const Alerter&) = delete;

  /// Begins to work: creates the stream of alerts if need be, waits for the others. Call once.
  void Start();
  /// Stores what has happened, saves checkpoints, releases the leases. Call once, also if never started.
  async::Task<void> Stop(MonoTime deadline);
  /// Ends as a killed process does. For tests of take-over. Instead of Stop.
  async::Task<void> Abandon();
  /// kUnavailable while alerts cannot be written or a stream is not read on. A stream that does not exist yet
  /// is ready. Thread-safe.
  Result<void> Ready() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::processors::alerter
