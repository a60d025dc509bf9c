#include "honryu/sql/lane.h"

#include "honryu/base/check.h"
#include "sql/engine_impl.h"

namespace honryu::sql {
namespace {

class LaneImpl final : public Lane {
 public:
  LaneImpl(const EngineImpl& whole, std::unique_ptr<Plan> plan, const ReferenceTables& tables)
      : whole_(whole), engine_(std::move(plan), whole.options(), {}, &outbox_, &tables) {
    engine_.runtime().lane = true;
  }

  void Begin() override {
    counted_ = engine_.counters();
    findings_.clear();
    engine_.Follow(whole_);
  }
  std::size_t AddShard(std::size_t source, std::string_view shard) override {
    return engine_.sources()[source]->clock().AddShown(shard);
  }
  void Push(std::size_t source, std::size_t shard, const SourceRecord& record) override {
    engine_.Push(source, shard, record);
  }
  void Reject(std::size_t source, const SourceRecord& record, std::string_view name,
              std::string message) override {
    engine_.Reject(source, record, name, std::move(message));
  }
  void PushRow(std::size_t source, std::size_t shard, std::int64_t arrival_ms,
               std::vector<Value> values) override {
    engine_.PushRow(source, shard, arrival_ms, std::move(values));
  }
  void End() override {
    StateWriter out(findings_);
    outbox_.Save(out);
    outbox_.Clear();
    out.U64(engine_.first_phases().size());
    for (const auto& [number, phase] : engine_.first_phases()) {
      std::string state;
      StateWriter of_phase(state);
      phase->Save(of_phase);
      phase->Clear();
      out.U64(number);
      out.Text(state);
    }
  }

  // For the engine.
  std::string_view findings() const { return findings_; }
  std::uint64_t rows_in() const { return engine_.counters().rows_in - counted_.rows_in; }
  std::uint64_t clamped_times() const { return engine_.counters().clamped_times - counted_.clamped_times; }
  const SourceClock& clock(std::size_t source) { return engine_.sources()[source]->clock(); }

 private:
  const EngineImpl& whole_;
  Outbox outbox_;
  EngineImpl engine_;
  EngineCounters counted_;  ///< At the round's beginning.
  std::string findings_;    ///< Rows, errors and states, as in a snapshot.
};

}  // namespace

Result<std::unique_ptr<Lane>> EngineImpl::MakeLane() const {
  HONRYU_TRY(std::unique_ptr<Plan> plan, PlanProgram(prelude_, program_, options_.functions));
  return std::unique_ptr<Lane>(std::make_unique<LaneImpl>(*this, std::move(plan), tables_));
}

void EngineImpl::Follow(const EngineImpl& engine) {
  runtime_.now_ms = engine.runtime_.now_ms;
  runtime_.eval.query_start = engine.runtime_.eval.query_start;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    sources_[i]->clock().Follow(engine.sources_[i]->clock());
    runtime_.source_bounds[i] = engine.sources_[i]->clock().watermark();
  }
}

// Rows and states of all lanes first, then the clocks: nothing is late because of its own round.
void EngineImpl::MergeLanes(std::span<const std::unique_ptr<Lane>> lanes) {
  if (runtime_.failure.has_value()) return;
  for (const auto& one : lanes) {
    const auto& lane = static_cast<const LaneImpl&>(*one);
    counters_.rows_in += lane.rows_in();
    counters_.clamped_times += lane.clamped_times();
    StateReader in(lane.findings());
    HONRYU_CHECK(TakeFindings(in) && in.AtEnd(), "a lane's findings are of its engine's making");
    Relieve();
  }
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    for (const auto& one : lanes)
      sources_[i]->clock().TakeShown(static_cast<LaneImpl&>(*one).clock(i), runtime_.now_ms);
    sources_[i]->UpdateClock();
  }
  Relieve();
}

}  // namespace honryu::sql
