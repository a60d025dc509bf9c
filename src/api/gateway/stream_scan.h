#pragma once

#include "honryu/client/stream_client.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace honryu::api::gateway {

/// Reads what the shards of a stream took in from a time on, batch by batch, the shards taking turns. Keeps
/// its place: after an error, or at the tip, Run() goes on where it stopped. Not thread-safe.
class StreamScan {
 public:
  using Visitor = std::function<void(const client::StreamRecord&)>;

  /// `until`: records that arrived then or later are not visited; absent: up to the tip. `client` must
  /// outlive the scan.
  StreamScan(client::StreamClient& client, std::string stream, Timestamp from,
             std::optional<Timestamp> until);

  /// Visits the next records, up to `until` or what is the tip when it is reached. Each read has a deadline
  /// of its own besides that of `ctx`, so that the whole may take long but cannot hang.
  async::Task<Result<void>> Run(async::Context ctx, const Visitor& visit);
  /// The same, but shards whose tip a failed run has reached are not asked again.
  async::Task<Result<void>> Resume(async::Context ctx, const Visitor& visit);

  /// Records visited so far.
  std::uint64_t records() const { return records_; }

 private:
  struct Place {
    std::string shard_id;
    client::StartPosition from;
    int empty = 0;          // batches without a record in a row
    bool finished = false;  // read to its end for good
    bool done = false;      // nothing more in this run
  };
  async::Task<Result<void>> List(async::Context ctx);
  async::Task<Result<void>> ReadSome(async::Context ctx, std::size_t at, const Visitor& visit);
  void AddPlace(const std::string& shard_id);

  client::StreamClient& client_;
  const std::string stream_;
  const Timestamp from_;
  const std::optional<Timestamp> until_;
  std::vector<Place> places_;
  std::uint64_t records_ = 0;
};

}  // namespace honryu::api::gateway
