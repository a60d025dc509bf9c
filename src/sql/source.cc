#include "sql/source.h"

#include "sql/cast.h"
#include "sql/outbox.h"

#include <algorithm>

namespace honryu::sql {
namespace {

constexpr std::int64_t kFirstTime = -62'135'596'800'000;  // 0001-01-01

}  // namespace

std::size_t SourceClock::AddShard(std::string_view name, std::int64_t now_ms) {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i].name != name) continue;
    shards_[i].closed = false;
    shards_[i].seen_ms = std::max(shards_[i].seen_ms, now_ms);
    return i;
  }
  Shard shard;
  shard.name = name;
  shard.seen_ms = now_ms;
  shards_.push_back(std::move(shard));
  return shards_.size() - 1;
}

bool SourceClock::Observe(std::size_t number, std::int64_t time_ms, std::int64_t now_ms) {
  Shard& shard = shards_[number];
  shard.seen_ms = now_ms;
  shard.idle = false;
  if (time_ms <= shard.newest) return false;
  shard.newest = time_ms;
  if (shards_.size() > 1) return Update();
  return AdvanceTo(WatermarkMinus(time_ms, bound_ms_));
}

bool SourceClock::CloseShard(std::size_t shard) {
  shards_[shard].closed = true;
  shards_[shard].behind = false;  // all was read
  return Update();
}

bool SourceClock::Update() {
  std::int64_t least = kEndOfTime;
  for (const Shard& shard : shards_)
    if (!shard.idle && !shard.closed) least = std::min(least, WatermarkMinus(shard.newest, bound_ms_));
  return least != kEndOfTime && AdvanceTo(least);
}

bool SourceClock::Tick(std::int64_t now_ms, std::int64_t idle_timeout_ms) {
  bool quiet = true;  // closed ones too: what follows them may only be about to be found
  for (Shard& shard : shards_) {
    shard.idle = !shard.behind && (shard.idle || now_ms - shard.seen_ms >= idle_timeout_ms);
    quiet = quiet && shard.idle;
  }
  if (!quiet) return Update();
  if (shards_.empty()) return false;
  return AdvanceTo(WatermarkMinus(now_ms, bound_ms_));
}

void SourceClock::Follow(const SourceClock& engine) {
  watermark_ = engine.watermark_;
  shards_.clear();
}

std::size_t SourceClock::AddShown(std::string_view name) {
  shards_.emplace_back().name = name;
  return shards_.size() - 1;
}

void SourceClock::Show(std::size_t number, std::int64_t time_ms) {
  shards_[number].shown = true;
  shards_[number].newest = std::max(shards_[number].newest, time_ms);
}

void SourceClock::TakeShown(const SourceClock& lane, std::int64_t now_ms) {
  for (const Shard& shown : lane.shards_) {
    const auto known =
        std::ranges::find_if(shards_, [&](const Shard& shard) { return shard.name == shown.name; });
    if (!shown.shown || known == shards_.end()) continue;
    known->seen_ms = now_ms;
    known->idle = false;
    known->newest = std::max(known->newest, shown.newest);
  }
}

bool SourceClock::AdvanceTo(std::int64_t watermark_ms) {
  if (watermark_ms <= watermark_) return false;
  watermark_ = watermark_ms;
  return true;
}

void SourceClock::Save(StateWriter& out) const {
  out.I64(watermark_);
  out.U64(shards_.size());
  for (const Shard& shard : shards_) {
    out.Text(shard.name);
    out.I64(shard.newest);
    out.I64(shard.seen_ms);
    out.U8(static_cast<std::uint8_t>((shard.idle ? 1 : 0) | (shard.closed ? 2 : 0) | (shard.behind ? 4 : 0)));
  }
}

void SourceClock::Load(StateReader& in) {
  watermark_ = in.I64();
  shards_.resize(in.Count(25));
  for (Shard& shard : shards_) {
    shard.name = in.Text();
    shard.newest = in.I64();
    shard.seen_ms = in.I64();
    const std::uint8_t flags = in.U8();
    shard.idle = (flags & 1) != 0;
    shard.closed = (flags & 2) != 0;
    shard.behind = (flags & 4) != 0;
  }
}

void StreamNode::SetWriters(std::vector<std::string> pumps) {
  writers_ = std::move(pumps);
  watermark_ = JointWatermark(std::max<std::size_t>(writers_.size(), 1));
}

void StreamNode::OnRow(std::size_t input, const Row& row) {
  for (std::size_t i = 0; checked_ && i < info_.columns.size(); ++i) {
    if (!info_.columns[i].not_null || !row.values[i].is_null()) continue;
    pump_ = input < writers_.size() ? writers_[input] : info_.name;
    runtime_.eval.Fail("NullNotAllowed", "column '" + info_.columns[i].name + "' is NOT NULL");
    return Report(info_.columns, row);
  }
  Give(row, false);
}

void StreamNode::OnShipped(const Row& row) { Give(row, true); }

void StreamNode::Give(const Row& row, bool shipped) {
  if (runtime_.outbox != nullptr) {
    if (ship_as_.has_value()) runtime_.outbox->Add(RowPlace::kStream, *ship_as_, 0, row);
  } else if (info_.output && !runtime_.failure.has_value()) {
    ++counters_->rows_out;
    (*sink_)({info_.name, info_.columns, row});
  }
  if (readers_.empty()) return;
  const Row* passed = &row;
  const std::size_t width = info_.columns.size() + kMetadataColumns;
  if (row.values.size() < width) {
    wide_ = row;
    wide_.values.resize(width);
    passed = &wide_;
  }
  for (const Reader& reader : readers_)
    if (!shipped || !reader.ahead) reader.reader->OnRow(reader.input, *passed);
}

void StreamNode::OnWatermark(std::size_t input, std::int64_t watermark) {
  if (!watermark_.Set(input, watermark)) return;
  for (const Reader& reader : readers_) reader.reader->OnWatermark(reader.input, watermark_.value());
}

SourceFeed::SourceFeed(Runtime& runtime, const StreamInfo& info, StreamNode& node,
                       const EngineOptions& options, EngineCounters& counters)
    : runtime_(runtime),
      info_(info),
      node_(node),
      options_(options),
      counters_(counters),
      clock_(info.bound_ms),
      reader_(info) {}

void SourceFeed::Reject(std::string_view name, std::string message, const SourceRecord& record) {
  runtime_.on_error({name, std::move(message), info_.name, record.arrival_ms, std::string(record.data)});
}

void SourceFeed::Push(std::size_t shard, const SourceRecord& record) {
  ++counters_.rows_in;
  if (!reader_.Read(record.data)) return Reject(reader_.error_name(), reader_.error(), record);
  for (std::size_t i = 0; i < reader_.count(); ++i) Accept(shard, reader_.row(i), record);
}

void SourceFeed::Refuse(std::string_view name, std::string message, const SourceRecord& record) {
  ++counters_.rows_in;
  Reject(name, std::move(message), record);
}

void SourceFeed::PushRow(std::size_t shard, std::int64_t arrival_ms, std::vector<Value> values) {
  ++counters_.rows_in;
  values.resize(info_.columns.size() + kMetadataColumns);
  SourceRecord record;
  record.arrival_ms = arrival_ms;
  Accept(shard, values, record);
}

void SourceFeed::Accept(std::size_t shard, std::vector<Value>& values, const SourceRecord& record) {
  const std::size_t columns = info_.columns.size();
  std::int64_t time = record.arrival_ms;
  std::int64_t skew = 0;
  if (info_.time_column.has_value()) {
    Value& given = values[*info_.time_column];
    const auto usable = [](const Value& value) { return !value.is_null() && value.as_int() >= kFirstTime; };
    for (const std::size_t column : info_.time_else) {
      if (usable(given)) break;
      if (usable(values[column])) given.SetInt(values[column].as_int());
    }
    if (info_.time_arrival && !usable(given)) given.SetInt(record.arrival_ms);
    if (given.is_null())
      return Reject("NullNotAllowed",
                    "event time '" + info_.columns[*info_.time_column].name + "' is missing", record);
    time = given.as_int();
    if (time < kFirstTime) return Reject("InvalidTime", "event time lies before the year 1", record);
    if (time > record.arrival_ms + options_.max_skew_ms) {
      skew = time - record.arrival_ms;
      time = record.arrival_ms + options_.max_skew_ms;
      given.SetInt(time);
      ++counters_.clamped_times;
    }
  } else {
    time = std::max(time, clock_.watermark());  // ROWTIME never goes back
  }
  const auto meta = [&](Metadata which) -> Value* {
    const std::size_t index = columns + static_cast<std::size_t>(which);
    return info_.used[index] != 0 ? &values[index] : nullptr;
  };
  if (Value* arrival = meta(Metadata::kArrival)) arrival->SetInt(record.arrival_ms);
  if (Value* key = meta(Metadata::kPartitionKey)) key->SetText(record.partition_key);
  if (Value* number = meta(Metadata::kSequenceNumber)) number->SetText(record.sequence_number);
  if (Value* name = meta(Metadata::kShard)) name->SetText(clock_.ShardName(shard));
  if (Value* ahead = meta(Metadata::kSkew)) ahead->SetInt(skew);
  row_.time = time;
  std::swap(row_.values, values);
  node_.OnRow(0, row_);
  std::swap(row_.values, values);
  // A clock that runs ahead says nothing about the others' events: at its arrival none of a later time can
  // have been due.
  if (runtime_.outbox != nullptr) return clock_.Show(shard, std::min(time, record.arrival_ms));
  if (clock_.Observe(shard, std::min(time, record.arrival_ms), runtime_.now_ms))
    node_.OnWatermark(0, clock_.watermark());
}

}  // namespace honryu::sql
