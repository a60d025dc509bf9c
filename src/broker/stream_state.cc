#include "stream_state.h"

#include "attributes.h"
#include "honryu/broker/sequence.h"
#include "honryu/codec/json.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace honryu::broker {
namespace {

constexpr int kRowVersion = 1;

void WriteShard(codec::JsonWriter& writer, const Shard& shard, log::PartitionId partition) {
  writer.BeginObject();
  writer.Key("index");
  writer.Uint(shard.index);
  writer.Key("partition");
  writer.Uint(partition);
  writer.Key("hash_start");
  writer.PlainString(shard.hash_start.ToDecimal());
  writer.Key("hash_end");
  writer.PlainString(shard.hash_end.ToDecimal());
  writer.Key("starting");
  writer.PlainString(shard.starting.ToDecimal());
  if (shard.ending) {
    writer.Key("ending");
    writer.PlainString(shard.ending->ToDecimal());
  }
  if (shard.parent) {
    writer.Key("parent");
    writer.Uint(*shard.parent);
  }
  if (shard.adjacent_parent) {
    writer.Key("adjacent_parent");
    writer.Uint(*shard.adjacent_parent);
  }
  writer.EndObject();
}

std::string_view Text(const codec::Json& row, std::string_view key) {
  const codec::Json* member = row.Find(key);
  return member == nullptr ? std::string_view() : member->StringOr("");
}
std::int64_t Number(const codec::Json& row, std::string_view key, std::int64_t fallback = 0) {
  const codec::Json* member = row.Find(key);
  return member == nullptr ? fallback : member->IntOr(fallback);
}

Result<Shard> ReadShard(const codec::Json& row) {
  Shard shard;
  shard.index = static_cast<std::uint32_t>(Number(row, "index"));
  HONRYU_TRY(shard.hash_start, UInt128::FromDecimal(Text(row, "hash_start")));
  HONRYU_TRY(shard.hash_end, UInt128::FromDecimal(Text(row, "hash_end")));
  HONRYU_TRY(shard.starting, SequenceNumber::FromDecimal(Text(row, "starting")));
  if (const std::string_view ending = Text(row, "ending"); !ending.empty()) {
    HONRYU_TRY(shard.ending, SequenceNumber::FromDecimal(ending));
  }
  if (row.Find("parent") != nullptr) shard.parent = static_cast<std::uint32_t>(Number(row, "parent"));
  if (row.Find("adjacent_parent") != nullptr)
    shard.adjacent_parent = static_cast<std::uint32_t>(Number(row, "adjacent_parent"));
  return shard;
}

}  // namespace

std::string ShardIdText(std::uint32_t index) {
  char text[32];
  std::snprintf(text, sizeof text, "shardId-%012u", index);
  return text;
}

std::optional<std::uint32_t> ParseShardId(std::string_view text) {
  if (const std::size_t dash = text.rfind('-'); dash != std::string_view::npos) text.remove_prefix(dash + 1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > 2147483647)
    return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

const Shard* StreamState::FindShard(std::uint32_t index, std::size_t* at) const {
  for (std::size_t i = 0; i < stream.shards.size(); ++i) {
    if (stream.shards[i].index != index) continue;
    if (at != nullptr) *at = i;
    return &stream.shards[i];
  }
  return nullptr;
}

std::size_t StreamState::Route(const UInt128& hash) const {
  const auto after =
      std::upper_bound(open.begin(), open.end(), hash,
                       [this](const UInt128& h, std::size_t i) { return h < stream.shards[i].hash_start; });
  HONRYU_CHECK(after != open.begin(), "the open shards do not cover the hash range");
  return *std::prev(after);
}

void StreamState::SortOpen() {
  created_s.clear();
  for (const Shard& shard : stream.shards) {
    const Result<SequenceParts> parts = DecodeSequence(shard.starting);
    created_s.push_back(parts.ok() ? parts->shard_created_s : ToMs(stream.created) / 1000);
  }
  open.clear();
  for (std::size_t i = 0; i < stream.shards.size(); ++i) {
    if (!stream.shards[i].ending) open.push_back(i);
  }
  std::sort(open.begin(), open.end(), [this](std::size_t a, std::size_t b) {
    return stream.shards[a].hash_start < stream.shards[b].hash_start;
  });
}

std::string StreamKey(std::string_view name) { return "stream/" + std::string(name); }

std::string EncodeStream(const StreamState& state) {
  std::string out;
  codec::JsonWriter writer(out);
  writer.BeginObject();
  writer.Key("v");
  writer.Int(kRowVersion);
  writer.Key("name");
  writer.String(state.stream.name);
  writer.Key("incarnation");
  writer.Uint(state.stream.incarnation);
  writer.Key("status");
  writer.Int(static_cast<int>(state.stream.status));
  writer.Key("created_ms");
  writer.Int(ToMs(state.stream.created));
  writer.Key("retention_hours");
  writer.Int(state.stream.retention_hours);
  writer.Key("shards");
  writer.BeginArray();
  for (std::size_t i = 0; i < state.stream.shards.size(); ++i)
    WriteShard(writer, state.stream.shards[i], state.partitions[i]);
  writer.EndArray();
  writer.Key("next_shard");
  writer.Uint(state.next_shard);
  if (!state.target_starts.empty()) {
    writer.Key("target_starts");
    writer.BeginArray();
    for (const UInt128& start : state.target_starts) writer.PlainString(start.ToDecimal());
    writer.EndArray();
  }
  writer.Key("attributes");
  WriteAttributes(writer, state.stream.attributes);
  writer.EndObject();
  return out;
}

Result<StreamState> DecodeStream(std::string_view text) {
  HONRYU_TRY(const codec::Json row, codec::Json::Parse(text));
  if (Number(row, "v") != kRowVersion)
    return Error(ErrorCode::kCorrupt, "stream row of unknown version " + std::to_string(Number(row, "v")));
  StreamState state;
  state.stream.name = std::string(Text(row, "name"));
  state.stream.incarnation = static_cast<std::uint64_t>(Number(row, "incarnation"));
  const std::int64_t status = Number(row, "status", -1);
  if (status < 0 || status > static_cast<std::int64_t>(StreamStatus::kDeleting))
    return Error(ErrorCode::kCorrupt, "stream row with an unknown status");
  state.stream.status = static_cast<StreamStatus>(status);
  state.stream.created = TimestampFromMs(Number(row, "created_ms"));
  state.stream.retention_hours = static_cast<int>(Number(row, "retention_hours"));
  const codec::Json* shards = row.Find("shards");
  if (shards == nullptr) return Error(ErrorCode::kCorrupt, "stream row without shards");
  for (const codec::Json& item : shards->array()) {
    HONRYU_TRY(Shard shard, ReadShard(item));
    state.stream.shards.push_back(shard);
    state.partitions.push_back(static_cast<log::PartitionId>(Number(item, "partition")));
  }
  for (const Shard& shard : state.stream.shards)
    state.next_shard = std::max(state.next_shard, shard.index + 1);
  // Rows before resharding lack what follows.
  state.next_shard = std::max(state.next_shard, static_cast<std::uint32_t>(Number(row, "next_shard")));
  if (const codec::Json* starts = row.Find("target_starts")) {
    for (const codec::Json& item : starts->array()) {
      HONRYU_TRY(const UInt128 start, UInt128::FromDecimal(item.StringOr("")));
      state.target_starts.push_back(start);
    }
  }
  if (const codec::Json* attributes = row.Find("attributes"))
    state.stream.attributes = ReadAttributes(*attributes);
  state.epochs.assign(state.stream.shards.size(), 0);
  state.SortOpen();
  return state;
}

std::vector<UInt128> EvenStarts(int count) {
  const auto n = static_cast<UInt128::Native>(count);
  constexpr UInt128::Native kMax = ~static_cast<UInt128::Native>(0);
  // floor(2^128 / n) without a 129-bit number: 2^128 = kMax + 1.
  const UInt128::Native width = count == 1 ? kMax : kMax / n + (kMax % n == n - 1 ? 1 : 0);
  std::vector<UInt128> starts;
  for (int i = 0; i < count; ++i)
    starts.push_back(UInt128::FromNative(static_cast<UInt128::Native>(i) * width));
  return starts;
}

std::vector<Shard> InitialShards(int count, Timestamp created) {
  const std::vector<UInt128> starts = EvenStarts(count);
  std::vector<Shard> shards;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    Shard shard;
    shard.index = static_cast<std::uint32_t>(i);
    shard.hash_start = starts[i];
    shard.hash_end =
        i + 1 == starts.size() ? UInt128::Max() : UInt128::FromNative(starts[i + 1].native() - 1);
    shard.starting = EncodeSequence({ToMs(created) / 1000, 0, ToMs(created) / 1000, shard.index});
    shards.push_back(shard);
  }
  return shards;
}

}  // namespace honryu::broker
