#pragma once

#include "honryu/sql/engine.h"
#include "sql/outbox.h"
#include "sql/plan_split.h"
#include "sql/source.h"

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace honryu::sql {

/// Engine, and the inside of lanes: with an outbox, it builds only what comes before the split.
class EngineImpl final : public Engine {
 public:
  EngineImpl(std::unique_ptr<Plan> plan, EngineOptions options, Sink sink, Outbox* outbox = nullptr,
             const ReferenceTables* tables = nullptr);

  Result<std::size_t> FindSource(std::string_view stream) const override;
  std::vector<std::string> Sources() const override;
  std::size_t AddShard(std::size_t source, std::string_view shard) override {
    return sources_[source]->clock().AddShard(shard, runtime_.now_ms);
  }
  void CloseShard(std::size_t source, std::size_t shard) override {
    sources_[source]->CloseShard(shard);
    Relieve();
  }
  void SetBehind(std::size_t source, std::size_t shard, bool behind) override {
    sources_[source]->clock().SetBehind(shard, behind);
  }
  void Push(std::size_t source, std::size_t shard, const SourceRecord& record) override {
    if (runtime_.failure.has_value()) return;
    sources_[source]->Push(shard, record);
    if (runtime_.IsOver()) Relieve();
  }
  void Reject(std::size_t source, const SourceRecord& record, std::string_view name,
              std::string message) override {
    if (!runtime_.failure.has_value()) sources_[source]->Refuse(name, std::move(message), record);
  }
  void PushRow(std::size_t source, std::size_t shard, std::int64_t arrival_ms,
               std::vector<Value> values) override {
    if (runtime_.failure.has_value()) return;
    sources_[source]->PushRow(shard, arrival_ms, std::move(values));
    if (runtime_.IsOver()) Relieve();
  }
  void AdvanceTime(std::int64_t now_ms) override;
  void AdvanceWatermark(std::size_t source, std::int64_t watermark_ms) override {
    if (runtime_.failure.has_value()) return;
    sources_[source]->AdvanceTo(watermark_ms);
    Relieve();
  }
  void Finish() override;
  bool HasFirstPhase() const override { return split_.HasTwoPhase(); }
  Result<std::unique_ptr<Lane>> MakeLane() const override;
  void MergeLanes(std::span<const std::unique_ptr<Lane>> lanes) override;
  Result<void> SetTable(std::string_view table, std::vector<std::vector<Value>> rows) override;
  Result<Columns> TableColumns(std::string_view table) const override;
  std::string Snapshot() const override;
  Result<void> Restore(std::string_view snapshot) override;
  EngineCounters counters() const override;
  std::size_t StateBytes() const override;
  std::size_t StateEntries() const override;
  Result<void> Status() const override;
  std::vector<OperatorState> OperatorStates() const override;

  // Of a lane (lane.cc).
  Runtime& runtime() { return runtime_; }
  std::vector<std::unique_ptr<SourceFeed>>& sources() { return sources_; }
  const std::map<std::size_t, Stage*>& first_phases() const { return first_phases_; }
  const EngineOptions& options() const { return options_; }
  /// What it was made of, for its lanes.
  void SetTexts(std::string_view prelude, std::string_view program) {
    prelude_ = prelude;
    program_ = program;
  }
  /// Of a lane: goes on from the clock and watermarks of its engine.
  void Follow(const EngineImpl& engine);

 private:
  StreamNode* NodeOf(const std::string& name) {
    const auto found = nodes_.find(name);
    return found == nodes_.end() ? nullptr : found->second;
  }
  // engine_build.cc
  void Build();
  void BuildPartial();
  void BuildNode(PlanNode& node, const std::string& pump, Stage* next, std::size_t input, bool ahead);
  void BuildBefore(PlanNode& node, const std::string& pump, const PlanNode* parent, std::size_t input);
  std::unique_ptr<Stage> Make(PlanNode& node, const std::string& pump);
  std::vector<std::size_t> SourceNumbers(const std::set<std::string>& names) const;
  Stage* Own(std::unique_ptr<Stage> stage);

  /// Brings the state in memory below its bound, if the spill has room.
  void Relieve();
  void OnError(const RowError& error);
  void OnLate(const std::string& stream, const std::string& pump, const Columns& columns, const Row& row);

  /// Of an engine: rows, errors and states of a first phase. False: they are none of a lane.
  bool TakeFindings(StateReader& in);

  EngineOptions options_;
  Sink sink_;
  std::unique_ptr<Plan> plan_;
  PlanSplit split_;
  Runtime runtime_;
  ReferenceTables tables_;
  const ReferenceTables* tables_read_;  ///< Of a lane: its engine's.
  std::string prelude_, program_;
  EngineCounters counters_;
  bool in_error_ = false;
  std::map<std::string, std::vector<std::string>> writers_;
  std::vector<std::unique_ptr<Stage>> operators_;
  std::map<std::string, StreamNode*> nodes_;
  std::vector<StreamNode*> streams_;  ///< By number: in the order of their names.
  std::vector<std::unique_ptr<SourceFeed>> sources_;
  std::unordered_map<std::size_t, Stage*> by_number_;  ///< Operators that lanes have findings for.
  std::map<std::size_t, Stage*> first_phases_;         ///< Of a lane, by number.
};

}  // namespace honryu::sql
