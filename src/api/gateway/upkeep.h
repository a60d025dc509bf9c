#pragma once

#include "honryu/async/one_shot.h"
#include "honryu/client/stream_client.h"

#include <mutex>
#include <string>
#include <vector>

namespace honryu::api::gateway {

/// Keeps the gateway's streams in being and knows whether writing works: judges by the outcome of writes,
/// asks the broker when nothing was written for a while, and makes a stream anew that is missing.
/// Thread-safe.
class Upkeep {
 public:
  struct Stream {
    std::string name;
    client::StreamSettings settings;
  };
  /// `streams`: the one for events first. `interval`: between two looks. `client` must outlive it.
  Upkeep(client::StreamClient& client, std::vector<Stream> streams, Duration interval);

  /// What came of a write to a stream: null when all or some of it was stored, else its error. One that tells
  /// that the stream is not there (kNotFound, kFailedPrecondition) has it made anew.
  void Note(const std::string& stream, const Error* error);
  /// The events' stream is missing and being made anew: writing is of no use.
  bool missing() const;
  /// ok while writes seem to work, else kUnavailable with the reason.
  Result<void> Health() const;

  /// Makes all streams that do not exist.
  async::Task<Result<void>> EnsureAll(async::Context ctx);
  /// Works until it is cancelled. Once, after EnsureAll has succeeded.
  async::Task<void> Run();

 private:
  struct Watched {
    Stream stream;
    bool missing = false;
  };
  async::Task<Result<void>> Ensure(async::Context ctx, const Stream& stream);
  async::Task<void> Repair(std::size_t at);
  async::Task<void> Probe();
  async::OneShot<void> NextWake();
  void SetHealth(Result<void> health);

  client::StreamClient& client_;
  const Duration interval_;
  mutable std::mutex mutex_;
  std::vector<Watched> watched_;  // the size never changes
  Result<void> health_ = Ok();
  bool written_ = false;  // a write succeeded since the last look
  bool noted_ = false;    // a stream was found missing since the last look
  async::OneShot<void> wake_;
};

}  // namespace honryu::api::gateway
