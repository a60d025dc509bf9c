#include "processors/indexer/erasure_reader.h"

#include "honryu/obs/log.h"

#include <algorithm>
#include <utility>

namespace honryu::processors::indexer {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(5);
constexpr Duration kReadTimeout = std::chrono::seconds(30);

}  // namespace

bool ErasureReader::at_end() const {
  return std::all_of(shards_.begin(), shards_.end(), [](const Shard& shard) { return shard.at_end; });
}

async::Task<Result<void>> ErasureReader::Read(Duration wait) {
  Result<void> read = co_await ReadAll(wait);
  if (!read.ok()) shards_.clear();
  co_return read;
}

async::Task<Result<void>> ErasureReader::ReadAll(Duration wait) {
  if (shards_.empty()) {
    Result<std::vector<client::ShardDescription>> listed =
        co_await client_.ListShards(async::Context::WithTimeout(kCallTimeout), stream_);
    if (!listed.ok()) co_return listed.error();
    for (const client::ShardDescription& shard : *listed)
      shards_.push_back({shard.shard_id, client::FromTrimHorizon{}, false});
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    client::ReadRequest request;
    request.stream = stream_;
    request.shard_id = shards_[i].shard_id;
    request.from = shards_[i].from;
    request.wait = wait;
    Result<client::ReadBatch> batch =
        co_await client_.Read(async::Context::WithTimeout(kReadTimeout), request);
    if (!batch.ok()) co_return batch.error();
    for (const client::StreamRecord& record : batch->records) {
      Result<void> applied = co_await Apply(record.data);
      if (!applied.ok()) co_return applied.error();
    }
    shards_[i].at_end =
        batch->next.empty() || (batch->records.empty() && batch->behind_latest == Duration::zero());
    if (!batch->next.empty()) {
      shards_[i].from = client::FromCursor{batch->next};
      continue;
    }
    // The shard was closed: its children, which may be in the list already, are read instead.
    for (const std::string& child : batch->children)
      if (std::none_of(shards_.begin(), shards_.end(),
                       [&child](const Shard& one) { return one.shard_id == child; }))
        shards_.push_back({child, client::FromTrimHorizon{}, false});
    shards_.erase(shards_.begin() + static_cast<std::ptrdiff_t>(i--));
  }
  co_return Ok();
}

async::Task<Result<void>> ErasureReader::Apply(Bytes record) {
  search::Store* const into = &store_;
  Result<bool> applied = co_await calls_.Run([into, record] { return into->ApplyErasure(record.view()); });
  if (applied.ok() && *applied) LOG(info, "an erasure of the log was carried out", {"bytes", record.size()});
  // What is no erasure will never become one.
  if (!applied.ok() && applied.error().code() == ErrorCode::kInvalidArgument) {
    LOG_LIMITED(error, "a record is no erasure", {"stream", stream_}, {"error", applied.error()});
    co_return Ok();
  }
  if (!applied.ok()) co_return applied.error();
  co_return Ok();
}

}  // namespace honryu::processors::indexer
