#include "honryu/sql/lane.h"

#include "honryu/base/check.h"
#include "sql/engine_impl.h"

namespace honryu::sql {
namespace {

class LaneImpl final : public Lane {
 public:
  LaneImpl(const EngineImpl& whole, std::unique_ptr<Plan> plan, const ReferenceTables& tables)
      : whole_(whole), engine_(std::move(plan), whole.options(), {}, &outbox_, &tables) {}

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

bool EngineImpl::TakeFindings(StateReader& in) {
  const std::uint64_t rows = in.U64();
  StateReader of_rows(in.Text());
  for (std::uint64_t left = rows; left > 0 && of_rows.ok(); --left) {
    const auto place = static_cast<RowPlace>(of_rows.U8());
    const std::size_t number = of_rows.U64(), input = of_rows.U64();
    Row row;
    of_rows.Take(row);
    if (!of_rows.ok()) break;
    if (place == RowPlace::kOperator) {
      by_number_.at(number)->OnRow(input, row);
    } else if (place == RowPlace::kStream) {
      streams_[number]->OnShipped(row);
    } else {
      streams_[number]->OnRow(input, row);
    }
  }
  const std::uint64_t errors = in.U64();
  StateReader of_errors(in.Text());
  for (std::uint64_t left = errors; left > 0 && of_errors.ok(); --left) {
    const std::string name(of_errors.Text());
    RowError error{name, std::string(of_errors.Text()), std::string(of_errors.Text()), 0, {}};
    error.row_time = of_errors.I64();
    error.row = of_errors.Text();
    if (of_errors.ok()) OnError(error);
  }
  bool good = of_rows.ok() && of_rows.AtEnd() && of_errors.ok() && of_errors.AtEnd();
  for (std::uint64_t left = in.Count(16); left > 0 && in.ok(); --left) {
    Stage& op = *by_number_.at(in.U64());
    StateReader state(in.Text());
    op.MergeState(state);
    good = good && state.ok() && state.AtEnd();
  }
  return good && in.ok() && in.AtEnd();
}

// Rows and states of all lanes first, then the clocks: nothing is late because of its own round.
void EngineImpl::MergeLanes(std::span<const std::unique_ptr<Lane>> lanes) {
  if (runtime_.failure.has_value()) return;
  for (const auto& one : lanes) {
    const auto& lane = static_cast<const LaneImpl&>(*one);
    counters_.rows_in += lane.rows_in();
    counters_.clamped_times += lane.clamped_times();
    StateReader in(lane.findings());
    HONRYU_CHECK(TakeFindings(in), "a lane's findings are of its engine's making");
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
