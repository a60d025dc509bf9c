#pragma once

#include "honryu/sql/engine.h"
#include "sql/json_reader.h"
#include "sql/operator.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::sql {

/// How far the shards of a source have come. As analytics::WatermarkTracker, but by number, since this runs
/// for every row.
class SourceClock {
 public:
  explicit SourceClock(std::int64_t bound_ms) : bound_ms_(bound_ms) {}

  std::size_t AddShard(std::string_view name, std::int64_t now_ms);
  void SetBehind(std::size_t shard, bool behind) { shards_[shard].behind = behind; }
  /// The shard has ended; true if that moved the watermark. Add the shards that follow it before.
  bool CloseShard(std::size_t shard);
  /// A row of a shard; true if that moved the watermark.
  bool Observe(std::size_t shard, std::int64_t time_ms, std::int64_t now_ms);
  /// The clock moved; true if that moved the watermark.
  bool Tick(std::int64_t now_ms, std::int64_t idle_timeout_ms);
  bool AdvanceTo(std::int64_t watermark_ms);
  std::int64_t watermark() const { return watermark_; }
  const std::string& ShardName(std::size_t shard) const { return shards_[shard].name; }
  void Save(StateWriter& out) const;
  void Load(StateReader& in);

  /// True if the shards moved the watermark.
  bool Update();

  /// Of a lane: begins a round at its engine's watermark, without shards.
  void Follow(const SourceClock& engine);
  /// Adds a shard for the round.
  std::size_t AddShown(std::string_view name);
  /// A row of it.
  void Show(std::size_t shard, std::int64_t time_ms);
  /// Of the engine: what the shards of a lane have shown. Update() then says whether the watermark moved.
  void TakeShown(const SourceClock& lane, std::int64_t now_ms);

 private:
  struct Shard {
    std::string name;
    std::int64_t newest = kNoWatermark;
    std::int64_t seen_ms = 0;
    bool idle = false, closed = false, behind = false;
    bool shown = false;  ///< Of a lane: it had rows in this round.
  };

  std::int64_t bound_ms_;
  std::int64_t watermark_ = kNoWatermark;
  std::vector<Shard> shards_;
};

/// A stream at work: what is written to it goes to its readers, and out if it is a result.
class StreamNode final : public Stage {
 public:
  StreamNode(Runtime& runtime, const StreamInfo& info, const Engine::Sink* sink, EngineCounters* counters)
      : Stage(runtime, info.name), info_(info), sink_(sink), counters_(counters), watermark_(1) {
    for (const Column& column : info.columns) checked_ = checked_ || column.not_null;
  }

  void SetWriters(std::vector<std::string> pumps);
  /// `ahead`: lanes have given this reader their rows already.
  void AddReader(Stage* reader, std::size_t input, bool ahead = false) {
    readers_.push_back({reader, input, ahead});
  }
  /// Of a lane: rows go to its engine, as of this number.
  void ShipAs(std::size_t number) { ship_as_ = number; }
  /// A row that a lane had.
  void OnShipped(const Row& row);
  void OnRow(std::size_t input, const Row& row) override;
  void OnWatermark(std::size_t input, std::int64_t watermark) override;
  void Save(StateWriter& out) const override { watermark_.Save(out); }
  void Load(StateReader& in) override { watermark_.Load(in); }
  const StreamInfo& info() const { return info_; }
  bool has_readers() const { return !readers_.empty(); }

 private:
  struct Reader {
    Stage* reader;
    std::size_t input;
    bool ahead;
  };
  void Give(const Row& row, bool shipped);

  const StreamInfo& info_;
  const Engine::Sink* sink_;
  EngineCounters* counters_;
  JointWatermark watermark_;
  std::vector<std::string> writers_;
  std::vector<Reader> readers_;
  bool checked_ = false;  ///< Some column is NOT NULL.
  Row wide_;              ///< With places for the metadata.
  std::optional<std::size_t> ship_as_;
};

/// A stream that the host feeds.
class SourceFeed {
 public:
  SourceFeed(Runtime& runtime, const StreamInfo& info, StreamNode& node, const EngineOptions& options,
             EngineCounters& counters);

  SourceClock& clock() { return clock_; }
  const std::string& name() const { return info_.name; }
  bool read() const { return node_.has_readers(); }
  void Push(std::size_t shard, const SourceRecord& record);
  /// A record that cannot even be read.
  void Refuse(std::string_view name, std::string message, const SourceRecord& record);
  void PushRow(std::size_t shard, std::int64_t arrival_ms, std::vector<Value> values);
  void UpdateClock() {
    if (clock_.Update()) node_.OnWatermark(0, clock_.watermark());
  }
  void Tick() {
    if (clock_.Tick(runtime_.now_ms, options_.idle_timeout_ms)) node_.OnWatermark(0, clock_.watermark());
  }
  void CloseShard(std::size_t shard) {
    if (clock_.CloseShard(shard)) node_.OnWatermark(0, clock_.watermark());
  }
  void AdvanceTo(std::int64_t watermark) {
    if (clock_.AdvanceTo(watermark)) node_.OnWatermark(0, clock_.watermark());
  }

 private:
  void Accept(std::size_t shard, std::vector<Value>& values, const SourceRecord& record);
  void Reject(std::string_view name, std::string message, const SourceRecord& record);

  Runtime& runtime_;
  const StreamInfo& info_;
  StreamNode& node_;
  const EngineOptions& options_;
  EngineCounters& counters_;
  SourceClock clock_;
  JsonReader reader_;
  Row row_;
};

}  // namespace honryu::sql
