#include "processors/aggregator/kpi_state.h"

#include "honryu/codec/json.h"

namespace honryu::processors::aggregator {

namespace {

constexpr int kVersion = 1;

void WriteTime(codec::JsonWriter& json, std::string_view key, const std::optional<std::int64_t>& time) {
  if (!time.has_value()) return;
  json.Key(key);
  json.Int(*time);
}

void WriteSpans(codec::JsonWriter& json, std::string_view key, const analytics::TimeSpans& spans) {
  json.Key(key);
  json.BeginArray();
  for (const auto& [start, end] : spans.spans()) {
    json.BeginArray();
    json.Int(start);
    json.Int(end);
    json.EndArray();
  }
  json.EndArray();
}

Result<void> ReadSpans(const codec::Json& json, std::string_view key, analytics::TimeSpans* out) {
  const codec::Json* member = json.Find(key);
  if (member == nullptr) return Ok();
  for (const codec::Json& span : member->array()) {
    if (span.array().size() != 2) return Error(ErrorCode::kCorrupt, "saved state of the aggregator: a span");
    out->Add(span.array()[0].IntOr(0), span.array()[1].IntOr(0));
  }
  return Ok();
}

std::optional<std::int64_t> ReadTime(const codec::Json& json, std::string_view key) {
  const codec::Json* member = json.Find(key);
  if (member == nullptr) return std::nullopt;
  return member->IntOr(0);
}

}  // namespace

std::string EncodeState(const KpiState& state) {
  std::string out;
  codec::JsonWriter json(out);
  json.BeginObject();
  json.Key("v");
  json.Int(kVersion);
  json.Key("generation");
  json.Uint(state.generation);
  WriteTime(json, "epoch_first", state.epoch_first);
  WriteTime(json, "watermark", state.watermark);
  json.Key("windows");
  json.BeginObject();
  for (const auto& [name, closed] : state.windows) {
    json.Key(name);
    json.BeginObject();
    WriteSpans(json, "spans", closed.spans);
    WriteSpans(json, "epoch", closed.epoch);
    json.EndObject();
  }
  json.EndObject();
  json.Key("processed");
  json.BeginObject();
  for (const auto& [shard, sequence] : state.processed) {
    json.Key(shard);
    json.PlainString(sequence.ToDecimal());
  }
  json.EndObject();
  json.EndObject();
  return out;
}

Result<KpiState> DecodeState(std::string_view text) {
  const Result<codec::Json> json = codec::Json::Parse(text);
  if (!json.ok())
    return Error(ErrorCode::kCorrupt, "saved state of the aggregator: " + json.error().message());
  const codec::Json* version = json->Find("v");
  if (version == nullptr || version->IntOr(0) != kVersion)
    return Error(ErrorCode::kCorrupt, "saved state of the aggregator has an unknown version");
  KpiState state;
  if (const codec::Json* generation = json->Find("generation"))
    state.generation = static_cast<std::uint64_t>(generation->IntOr(0));
  state.epoch_first = ReadTime(*json, "epoch_first");
  state.watermark = ReadTime(*json, "watermark");
  if (const codec::Json* windows = json->Find("windows")) {
    for (const auto& [name, member] : windows->object()) {
      ClosedWindows& closed = state.windows[name];
      closed.closed_to = ReadTime(member, "closed_to");
      HONRYU_TRY_VOID(ReadSpans(member, "spans", &closed.spans));
      HONRYU_TRY_VOID(ReadSpans(member, "epoch", &closed.epoch));
    }
  }
  if (const codec::Json* processed = json->Find("processed")) {
    for (const auto& [shard, member] : processed->object()) {
      const Result<SequenceNumber> sequence = SequenceNumber::FromDecimal(member.StringOr(""));
      if (!sequence.ok())
        return Error(ErrorCode::kCorrupt, "saved state of the aggregator: a sequence number");
      state.processed[shard] = *sequence;
    }
  }
  return state;
}

}  // namespace honryu::processors::aggregator
