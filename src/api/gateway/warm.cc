#include "api/gateway/warm.h"

#include "api/gateway/event.h"

namespace honryu::api::gateway {

namespace {

constexpr std::size_t kSliceBytes = 256 << 10;  // About a quarter of a millisecond between pauses.

/// Remembers the ids of a batch, with pauses for the event loop's other work. True when a record is newer
/// than `until`.
async::Task<bool> RememberBatch(client::ReadBatch& batch, Timestamp until, DedupWindow& window,
                                std::uint64_t* ids) {
  JsonScanner scanner;
  JsonLimits limits;
  limits.max_value_bytes = 0;
  scanner.SetLimits(limits);
  std::size_t read = 0;
  for (const client::StreamRecord& record : batch.records) {
    if (record.arrival > until) co_return true;
    if (const std::optional<UInt128> id = EventIdOf(record.data, &scanner); id.has_value()) {
      window.Remember(*id);
      ++*ids;
    }
    read += record.data.size();
    if (read < kSliceBytes) continue;
    read = 0;
    co_await async::Yield();
  }
  co_return false;
}

}  // namespace

async::Task<Result<std::uint64_t>> WarmDedupWindow(async::Context ctx, client::StreamClient& client,
                                                   std::string stream, Timestamp since, Timestamp until,
                                                   DedupWindow& window) {
  std::uint64_t ids = 0;
  Result<std::vector<client::ShardDescription>> shards = co_await client.ListShards(ctx, stream);
  if (!shards.ok()) co_return shards.error().WithContext("list shards of " + stream);
  for (const client::ShardDescription& shard : *shards) {
    client::ReadRequest request;
    request.stream = stream;
    request.shard_id = shard.shard_id;
    request.from = client::FromTimestamp{since};
    // An empty batch ends the shard unless it says that there is more; it may say so only so often.
    for (int empty = 0; empty < 100;) {
      Result<client::ReadBatch> batch = co_await client.Read(ctx, request);
      if (!batch.ok()) co_return batch.error().WithContext("read " + stream + " " + shard.shard_id);
      const bool past = co_await RememberBatch(*batch, until, window, &ids);
      if (past || batch->next.empty()) break;
      if (batch->records.empty() && batch->behind_latest == Duration::zero()) break;
      empty = batch->records.empty() ? empty + 1 : 0;
      request.from = client::FromCursor{std::move(batch->next)};
    }
  }
  co_return ids;
}

}  // namespace honryu::api::gateway
