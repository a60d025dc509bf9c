#pragma once

#include "honryu/async/task.h"
#include "honryu/client/stream_client.h"

#include <functional>
#include <memory>
#include <string>

namespace honryu::consumer {

struct FollowerConfig {
  std::string stream;
  client::StartPosition from = client::FromTrimHorizon{};  ///< For shards known at first; children: all.
  Duration poll_wait = std::chrono::seconds(1);
  Duration sync_interval = std::chrono::seconds(2);  ///< Between looks at the shards.
};

/// Reads all shards of a stream for one process that keeps what it reads in memory: without leases and
/// checkpoints, from the same place again after a restart. Shards are read side by side. Read errors are
/// tried again for ever. Runs on: the executor given, on which `on_record` is called.
class Follower {
 public:
  using OnRecord = std::function<void(const client::StreamRecord& record)>;

  /// `client` must outlive it.
  Follower(FollowerConfig config, client::StreamClient& client, async::Executor executor, OnRecord on_record);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  /// Begins to read; waits for the stream to exist if need be. Call once.
  void Start();
  /// Call once, also if never started.
  async::Task<void> Stop();
  /// True once every shard was read to the end that it had then. Thread-safe.
  bool caught_up() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::consumer
