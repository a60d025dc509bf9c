#include "honryu/sqlapp/state_store.h"

#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "honryu/codec/varint.h"

#include <algorithm>

namespace honryu::sqlapp {
namespace {

constexpr std::size_t kPiece = 768 << 10;  // well below the least record limit
constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr std::string_view kMagic = "HRYUSPC1";

std::string PieceOf(std::uint64_t id, std::uint64_t number, std::string_view data) {
  std::string out(kMagic);
  codec::AppendVarint(out, id);
  codec::AppendVarint(out, number);
  out += data;
  return out;
}

async::Context Call(MonoTime until) {
  async::Context ctx = async::Context::WithTimeout(kCallTimeout);
  ctx.deadline = std::min(ctx.deadline, until);
  return ctx;
}

std::uint64_t NumberOf(const codec::Json& json, std::string_view key) {
  const codec::Json* member = json.Find(key);
  return member == nullptr ? 0 : static_cast<std::uint64_t>(member->IntOr(0));
}

std::string TextOf(const codec::Json& json, std::string_view key) {
  const codec::Json* member = json.Find(key);
  return std::string(member == nullptr ? std::string_view() : member->StringOr(""));
}

}  // namespace

void WritePlace(codec::JsonWriter& json, const StatePlace& place) {
  json.BeginObject();
  if (place.pieces > 0) {
    json.Key("shard");
    json.String(place.shard);
    json.Key("marker");
    json.PlainString(place.marker.ToDecimal());
    json.Key("id");
    json.Uint(place.id);
    json.Key("pieces");
    json.Uint(place.pieces);
  } else if (!place.here.empty()) {
    json.Key("here");
    json.PlainString(codec::Base64Encode(place.here));
  }
  json.EndObject();
}

Result<StatePlace> ReadPlace(const codec::Json& json) {
  StatePlace place;
  place.pieces = static_cast<std::uint32_t>(NumberOf(json, "pieces"));
  place.id = NumberOf(json, "id");
  place.shard = TextOf(json, "shard");
  if (place.pieces > 0) {
    HONRYU_TRY(place.marker, SequenceNumber::FromDecimal(TextOf(json, "marker")));
  }
  HONRYU_TRY(place.here, codec::Base64Decode(std::string_view(TextOf(json, "here"))));
  return place;
}

async::Task<Result<client::PutPosition>> StateStore::PutOne(MonoTime until, std::string data) {
  client::PutEntry entry;
  entry.partition_key = application_;
  entry.data = Bytes(std::move(data));
  std::vector<client::PutEntry> entries;
  entries.push_back(std::move(entry));
  Result<std::vector<Result<client::PutPosition>>> put =
      co_await client_.Put(Call(until), stream_, std::move(entries));
  if (!put.ok()) co_return put.error();
  co_return std::move((*put)[0]);
}

async::Task<Result<StatePlace>> StateStore::Put(MonoTime until, std::string packed, std::uint64_t id,
                                                std::size_t most_here) {
  StatePlace place;
  place.id = id;
  if (packed.size() <= most_here) {
    place.here = std::move(packed);
    co_return place;
  }
  Result<client::PutPosition> marker = co_await PutOne(until, PieceOf(id, 0, ""));
  if (!marker.ok()) co_return marker.error();
  place.shard = marker->shard_id;
  place.marker = marker->sequence;
  for (std::size_t at = 0; at < packed.size(); at += kPiece) {
    Result<client::PutPosition> piece =
        co_await PutOne(until, PieceOf(id, ++place.pieces, std::string_view(packed).substr(at, kPiece)));
    if (!piece.ok()) co_return piece.error();
    if (piece->shard_id != place.shard)
      co_return Error(ErrorCode::kUnavailable, "the state stream was resharded while a state was written");
  }
  co_return place;
}

async::Task<Result<std::string>> StateStore::Get(MonoTime until, StatePlace place) {
  if (place.pieces == 0) co_return place.here;
  std::string packed;
  std::uint32_t found = 0;
  client::ReadRequest request;
  request.stream = stream_;
  request.shard_id = place.shard;
  request.from = client::AfterSequence{place.marker};
  while (found < place.pieces) {
    Result<client::ReadBatch> batch = co_await client_.Read(Call(until), request);
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

}  // namespace honryu::sqlapp
