#pragma once

#include "honryu/async/blocking_calls.h"
#include "honryu/client/stream_client.h"
#include "honryu/search/store.h"

#include <string>
#include <vector>

namespace honryu::processors::indexer {

/// Reads the stream of erasures from its beginning, and has the store carry each of them out. Not
/// thread-safe.
class ErasureReader {
 public:
  /// References must outlive it; the store is called on `calls`' pool.
  ErasureReader(client::StreamClient& client, search::Store& store, async::BlockingCalls& calls,
                std::string stream)
      : client_(client), store_(store), calls_(calls), stream_(std::move(stream)) {}

  /// One read of each shard, which waits so long for records. After an error: from the beginning again, which
  /// does no harm, because the store knows what it has carried out.
  async::Task<Result<void>> Read(Duration wait);
  /// True when everything that was written before the last Read has been carried out.
  bool at_end() const;

 private:
  struct Shard {
    std::string shard_id;
    client::StartPosition from;
    bool at_end = false;
  };
  async::Task<Result<void>> ReadAll(Duration wait);
  async::Task<Result<void>> Apply(Bytes record);

  client::StreamClient& client_;
  search::Store& store_;
  async::BlockingCalls& calls_;
  const std::string stream_;
  std::vector<Shard> shards_;
};

}  // namespace honryu::processors::indexer
