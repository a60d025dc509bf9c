#pragma once

#include "honryu/async/runtime.h"
#include "honryu/client/stream_client.h"
#include "honryu/obs/metrics.h"
#include "honryu/views/kpi_store.h"

#include <memory>
#include <string>

namespace honryu::processors::materializer {

struct MaterializerConfig {
  /// Names this copy of the store; one per query process. Its application is
  /// "materializer-<instance>".
  std::string instance = "main";
  std::string kpi_stream = "kpi";
  Duration retention = std::chrono::hours(24 * 30);  ///< Rows of windows that ended before that are dropped.
  Duration retention_check = std::chrono::minutes(10);
  Duration lease_duration = std::chrono::seconds(10);
  Duration sync_interval = std::chrono::seconds(2);
  Duration poll_wait = std::chrono::seconds(1);

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Reads the kpi stream into a store. Records that are no rows are counted and
/// skipped. Runs on: the executor given; the store is called on the runtime's
/// blocking pool.
class Materializer {
 public:
  /// References must outlive it; `config` must be valid.
  Materializer(MaterializerConfig config, views::KpiStore& store, client::StreamClient& client,
               async::Runtime& runtime, async::Executor executor, const Clock& clock, obs::Registry& metrics);
  ~Materializer();
  Materializer(const Materializer&) = delete;
  Materializer& operator=(const Materializer&) = delete;

  /// Begins to work; waits for the stream to exist. Call once.
  void Start();
  /// Call once, also if never started.
  async::Task<void> Stop(MonoTime deadline);
  /// kUnavailable while the work does not go on (see consumer::Worker::Ready). Thread-safe.
  Result<void> Ready() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::processors::materializer
