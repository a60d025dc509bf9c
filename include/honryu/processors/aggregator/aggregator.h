#pragma once

#include "honryu/async/task.h"
#include "honryu/client/stream_client.h"
#include "honryu/obs/metrics.h"
#include "honryu/processors/aggregator/config.h"
#include "honryu/processors/aggregator/window_operator.h"

#include <functional>
#include <memory>

namespace honryu::processors::aggregator {

/// The fixed computation of this form: per window and event type, and for all types together, the number of
/// events, of different users and of errors. Rows, event time and lateness: docs/formats/kpi-rows.md.
std::unique_ptr<WindowOperator> MakeEventKpiOperator(const AggregatorConfig& config, obs::Registry& metrics);

/// Runs a WindowOperator over a stream, as the one owner of all its shards (others of the same application
/// stand by). At-least-once towards the streams, exactly once in effect: rows have deterministic ids, and a
/// row once final is not computed anew. Runs on: the executor given.
class Aggregator {
 public:
  /// References must outlive it; `config` must be valid.
  Aggregator(AggregatorConfig config, std::unique_ptr<WindowOperator> window_operator,
             client::StreamClient& client, async::Executor executor, const Clock& clock,
             obs::Registry& metrics);
  ~Aggregator();
  Aggregator(const Aggregator&) = delete;
  Aggregator& operator=(const Aggregator&) = delete;

  /// Begins to work: creates the output streams if need be, waits for the input stream. Call once.
  void Start();
  /// Stores what has changed, saves checkpoints, releases the leases. Call once, also if never started.
  async::Task<void> Stop(MonoTime deadline);
  /// Ends as a killed process does. For tests of take-over. Instead of Stop.
  async::Task<void> Abandon();
  /// kUnavailable while outputs cannot be stored or the work does not go on (see consumer::Worker::Ready).
  /// Standing by for another process is ready. Thread-safe.
  Result<void> Ready() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// An aggregator with the operator of this form: the one place to put another in.
std::unique_ptr<Aggregator> MakeAggregator(const AggregatorConfig& config, client::StreamClient& client,
                                           async::Executor executor, const Clock& clock,
                                           obs::Registry& metrics);

}  // namespace honryu::processors::aggregator
