#include "processors/sql/state_store.h"

#include "honryu/codec/varint.h"

#include <algorithm>

namespace honryu::processors::sql_app {
namespace {

// A lease is rewritten with every step that gives rows; what stands in it must be small.
constexpr std::size_t kMaxHere = 32 << 10;
constexpr std::size_t kPiece = 768 << 10;  // well below the least record limit
constexpr std::string_view kMagic = "HRYUSPC1";

std::string PieceOf(std::uint64_t id, std::uint64_t number, std::string_view data) {
  std::string out(kMagic);
  codec::AppendVarint(out, id);
  codec::AppendVarint(out, number);
  out += data;
  return out;
}

}  // namespace

async::Task<Result<client::PutPosition>> StateStore::PutOne(async::Context ctx, std::string data) {
  client::PutEntry entry;
  entry.partition_key = application_;
  entry.data = Bytes(std::move(data));
  std::vector<client::PutEntry> entries;
  entries.push_back(std::move(entry));
  Result<std::vector<Result<client::PutPosition>>> put =
      co_await client_.Put(std::move(ctx), stream_, std::move(entries));
  if (!put.ok()) co_return put.error();
  co_return std::move((*put)[0]);
}

async::Task<Result<SnapshotPlace>> StateStore::Put(async::Context ctx, std::string packed, std::uint64_t id) {
  SnapshotPlace place;
  place.id = id;
  if (packed.size() <= kMaxHere) {
    place.here = std::move(packed);
    co_return place;
  }
  Result<client::PutPosition> marker = co_await PutOne(ctx, PieceOf(id, 0, ""));
  if (!marker.ok()) co_return marker.error();
  place.shard = marker->shard_id;
  place.marker = marker->sequence;
  for (std::size_t at = 0; at < packed.size(); at += kPiece) {
    Result<client::PutPosition> piece =
        co_await PutOne(ctx, PieceOf(id, ++place.pieces, std::string_view(packed).substr(at, kPiece)));
    if (!piece.ok()) co_return piece.error();
    if (piece->shard_id != place.shard)
      co_return Error(ErrorCode::kUnavailable, "the state stream was resharded while a state was written");
  }
  co_return place;
}

async::Task<Result<std::string>> StateStore::Get(async::Context ctx, SnapshotPlace place) {
  if (place.pieces == 0) co_return place.here;
  std::string packed;
  std::uint32_t found = 0;
  client::ReadRequest request;
  request.stream = stream_;
  request.shard_id = place.shard;
  request.from = client::AfterSequence{place.marker};
  while (found < place.pieces) {
    Result<client::ReadBatch> batch = co_await client_.Read(ctx, request);
    if (!batch.ok()) co_return batch.error();
    for (const client::StreamRecord& record : batch->records) {
      std::string_view data = record.data.view();
      std::uint64_t id = 0, number = 0;
      if (record.partition_key != application_ || !data.starts_with(kMagic)) continue;
      data.remove_prefix(kMagic.size());
      if (!codec::TakeVarint(&data, &id) || !codec::TakeVarint(&data, &number) || id != place.id) continue;
      if (number != found + 1) continue;  // one that was written twice
      packed += data;
      ++found;
    }
    if (found >= place.pieces) break;
    if (batch->next.empty() || (batch->records.empty() && batch->behind_latest == Duration::zero()))
      co_return Error(ErrorCode::kNotFound, "pieces of the saved state are gone from stream " + stream_);
    request.from = client::FromCursor{batch->next};
  }
  co_return packed;
}

}  // namespace honryu::processors::sql_app
