#pragma once

#include "honryu/broker/broker.h"
#include "honryu/obs/metrics.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace honryu::broker {

/// The series of one stream in the registry; they go when it goes. Thread-safe.
class StreamMetrics {
 public:
  StreamMetrics(obs::Registry& registry, std::string stream);
  ~StreamMetrics();
  StreamMetrics(const StreamMetrics&) = delete;
  StreamMetrics& operator=(const StreamMetrics&) = delete;

  void SetIteratorAge(std::uint32_t shard, Duration age);
  /// Records put, by index of the shard; those of shards without a series are not counted.
  void AddIncoming(std::span<const std::pair<std::uint32_t, std::uint32_t>> records);
  /// Removes the series of shards that are not among these, and makes a count of incoming records for each
  /// open one, so that the idle ones are seen, too; none beyond kMostShards of them.
  void KeepOnly(const std::vector<Shard>& shards);
  static constexpr std::size_t kMostShards = 1000;
  obs::Counter incoming_records, incoming_bytes, outgoing_records, outgoing_bytes;

 private:
  obs::Registry& registry_;
  const std::string stream_;
  std::mutex mutex_;  // guards what follows; the registry's own is taken inside it
  std::map<std::uint32_t, obs::Gauge> ages_;
  std::map<std::uint32_t, obs::Counter> incoming_by_shard_;
};

/// The metrics of all streams, by name: those of a stream live as long as somebody holds them, and streams of
/// one name that live at the same time (one deleted with readers still in it, one made anew) share them.
/// Thread-safe.
class StreamMetricsTable {
 public:
  explicit StreamMetricsTable(obs::Registry& registry) : registry_(registry) {}
  StreamMetricsTable(const StreamMetricsTable&) = delete;
  StreamMetricsTable& operator=(const StreamMetricsTable&) = delete;

  /// Must not outlive the table.
  std::shared_ptr<StreamMetrics> Of(const std::string& stream);

 private:
  struct Entry {
    std::unique_ptr<StreamMetrics> metrics;
    std::size_t holders = 0;
  };
  void Release(const std::string& stream);

  obs::Registry& registry_;
  std::mutex mutex_;  // guards entries_; held while series are made and removed, so that these cannot cross
  std::map<std::string, Entry> entries_;
};

/// The metrics of a stream, found once for each state of it and then at hand without a lock. A copy, being
/// that of a new state, holds the same metrics but binds them anew. Thread-safe, but for assignment.
class StreamMetricsSlot {
 public:
  StreamMetricsSlot() = default;
  StreamMetricsSlot(const StreamMetricsSlot& other) : held_(other.Held()) {}
  StreamMetricsSlot& operator=(const StreamMetricsSlot& other);
  ~StreamMetricsSlot() = default;

  /// The first call of a state drops the series of shards that it has no more.
  StreamMetrics& Bind(const Stream& stream, StreamMetricsTable& table) const;

 private:
  std::shared_ptr<StreamMetrics> Held() const;

  mutable std::mutex mutex_;  // guards held_
  mutable std::shared_ptr<StreamMetrics> held_;
  mutable std::atomic<StreamMetrics*> bound_{nullptr};  // null pointer until Bind
};

}  // namespace honryu::broker
