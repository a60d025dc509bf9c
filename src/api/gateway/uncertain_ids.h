#pragma once

#include "api/gateway/dedup_window.h"
#include "api/gateway/json_scan.h"
#include "api/gateway/stream_scan.h"
#include "honryu/async/task_group.h"
#include "honryu/base/uint128.h"
#include "honryu/obs/metrics.h"

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace honryu::api::gateway {

/// Event ids whose last write ended without a known outcome: the answer was lost, or an fsync failed and
/// recovery may have kept the batch. Before such an event is written again the stream is read from the time
/// of the attempt on, to see whether it is there. Thread-safe.
///
/// What this cannot see: a write that is still on its way when its retry is checked and arrives afterwards.
/// Entries are bounded by number and time; beyond it their retries are written as if nothing had been tried
/// (counted).
class UncertainIds {
 public:
  struct Config {
    std::size_t max_entries = 100'000;          ///< About 10 MiB.
    Duration keep = std::chrono::minutes(10);   ///< After the last attempt.
    Duration margin = std::chrono::seconds(5);  ///< Clocks of broker and gateway may differ this much.
    Duration scan_timeout = std::chrono::seconds(10);
  };
  struct Metrics {
    obs::Gauge entries;
    obs::Counter found;    ///< Turned out to be stored.
    obs::Counter dropped;  ///< Not remembered for lack of room.
  };
  /// `client` and `clock` must outlive it.
  UncertainIds(client::StreamClient& client, std::string stream, const Clock& clock, Config config,
               Metrics metrics);

  Timestamp Now() const { return clock_.Now(); }
  /// The write of `id` that began at `since` has no known outcome.
  void Add(const UInt128& id, Timestamp since);
  /// `id` is stored for certain.
  void Forget(const UInt128& id);

  enum class State : std::uint8_t { kNone, kUncertain, kStored };
  State Of(const UInt128& id) const;

  /// Reads on to the stream's tip: afterwards Of() tells kStored for entries that are in the stream by now.
  /// An error: the stream could not be read, nothing is known. Callers share a read that begins after the
  /// last of them has come.
  async::Task<Result<void>> Resolve(async::Context ctx);
  /// Cancels what runs. Call once, at the end.
  async::Task<void> Stop();

 private:
  struct Entry {
    MonoTime added;
    Timestamp since;  // of the first attempt
    bool stored = false;
  };
  async::Task<void> Work();
  async::Task<Result<void>> Scan();
  void PlanScan();
  void Visit(const client::StreamRecord& record);
  void Expire();

  client::StreamClient& client_;
  const std::string stream_;
  const Clock& clock_;
  const Config config_;
  Metrics metrics_;

  mutable std::mutex mutex_;
  std::unordered_map<UInt128, Entry, IdHash> entries_;
  std::deque<std::pair<MonoTime, UInt128>>
      order_;                        // by time of adding; those that were added again are there twice
  std::optional<Timestamp> unread_;  // the stream must be read again from here on
  std::vector<async::OneShot<void>> waiters_;
  bool working_ = false;

  // Of the one Work() that runs. A batch that recovery kept can come up at the tip with an old time, so that
  // the follower never goes by time again once it has begun. What it had passed when an attempt was noted is
  // read once more, by the other one.
  std::unique_ptr<StreamScan> follower_;
  std::optional<Timestamp> followed_;  // begin of its last run that reached the tip
  std::unique_ptr<StreamScan> again_;
  Timestamp again_from_;
  JsonScanner scanner_;

  async::TaskGroup group_;
};

}  // namespace honryu::api::gateway
