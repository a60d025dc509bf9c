#pragma once

#include "honryu/client/stream_client.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

// Many small records in one, as the Kinesis Producer Library does it (docs/formats/kpl-aggregate.md).
namespace honryu::client {

/// Whether any of them looks like an aggregate.
bool MayHoldAggregates(const std::vector<StreamRecord>& records);
/// Puts each aggregate's user records in its place: same sequence number and arrival, `sub_sequence` from 0,
/// data that shares the aggregate's memory. Those whose hash lies outside the shard are left out, as the
/// Kinesis Client Library does it: their writer has seen the shards change and put them again. What is no
/// aggregate stays. Records grow in number by up to one for 6 bytes.
std::vector<StreamRecord> OpenAggregates(std::vector<StreamRecord> records, const ShardDescription& shard);

struct AggregationConfig {
  std::size_t max_bytes = 51200;  ///< Of an aggregate; a larger record goes by itself.
};

/// Writes user records in aggregates, one or more for each shard and call. Thread-safe, apart from the order
/// of concurrent calls.
class AggregatingWriter {
 public:
  /// `client` must outlive the writer.
  AggregatingWriter(StreamClient& client, std::string stream, AggregationConfig config = {});
  ~AggregatingWriter();
  AggregatingWriter(const AggregatingWriter&) = delete;
  AggregatingWriter& operator=(const AggregatingWriter&) = delete;

  /// As StreamClient::Put; entries of one shard keep their order. The position is that of the record that
  /// holds the entry. Where an aggregate comes to another shard than the one it was made for, those of its
  /// entries that do not belong there are put again, a few times at most (then kUnavailable).
  async::Task<Result<std::vector<Result<PutPosition>>>> Put(async::Context ctx,
                                                            std::vector<PutEntry> entries);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::client
