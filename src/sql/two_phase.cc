#include "honryu/sql/two_phase.h"

#include "honryu/base/crc32c.h"
#include "sql/engine_impl.h"

#include <algorithm>
#include <deque>

// docs/formats/sql-shipment.md
namespace honryu::sql {
namespace {

class PartialEngineImpl final : public PartialEngine {
 public:
  PartialEngineImpl(std::string name, std::unique_ptr<Plan> plan, EngineOptions options)
      : name_(std::move(name)), engine_(std::move(plan), std::move(options), {}, &outbox_) {}

  Result<std::size_t> FindSource(std::string_view stream) const override {
    return engine_.FindSource(stream);
  }
  std::vector<std::string> Sources() const override { return engine_.Sources(); }
  std::size_t AddShard(std::size_t source, std::string_view shard) override {
    return engine_.AddShard(source, shard);
  }
  void CloseShard(std::size_t source, std::size_t shard) override { engine_.CloseShard(source, shard); }
  void SetBehind(std::size_t source, std::size_t shard, bool behind) override {
    engine_.SetBehind(source, shard, behind);
  }
  void Push(std::size_t source, std::size_t shard, const SourceRecord& record) override {
    engine_.Push(source, shard, record);
  }
  void PushRow(std::size_t source, std::size_t shard, std::int64_t arrival_ms,
               std::vector<Value> values) override {
    engine_.PushRow(source, shard, arrival_ms, std::move(values));
  }
  void AdvanceTime(std::int64_t now_ms) override { engine_.AdvanceTime(now_ms); }
  Result<void> SetTable(std::string_view table, std::vector<std::vector<Value>> rows) override {
    return engine_.SetTable(table, std::move(rows));
  }
  Result<Columns> TableColumns(std::string_view table) const override { return engine_.TableColumns(table); }

  std::string Ship() override {
    std::string bytes(kShipmentMagic);
    StateWriter out(bytes);
    out.U64(kShipmentFormat);
    out.U64(engine_.fingerprint());
    out.Text(name_);
    out.U64(++sequence_);
    const EngineCounters counters = engine_.counters();
    out.U64(counters.rows_in - shipped_rows_in_);
    out.U64(counters.clamped_times - shipped_clamped_);
    shipped_rows_in_ = counters.rows_in;
    shipped_clamped_ = counters.clamped_times;
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
    Shipped shipped;
    out.U64(engine_.sources().size());
    for (const auto& source : engine_.sources()) {
      source->clock().PutShards(out);
      shipped.watermarks.push_back(source->clock().ShardsWatermark());
    }
    out.U64(Crc32c(bytes));
    // Once the final engine has this, its watermark may rise as far as these shards let it.
    std::vector<std::int64_t>& bounds = engine_.runtime().source_bounds;
    for (std::size_t i = 0; i < bounds.size(); ++i) bounds[i] = std::max(bounds[i], shipped.watermarks[i]);
    shipped.sequence = sequence_;
    shipped.bytes = bytes;
    unacknowledged_.push_back(std::move(shipped));
    return bytes;
  }

  void Acknowledge(const MergeReply& reply) override {
    std::vector<std::int64_t>& bounds = engine_.runtime().source_bounds;
    const auto known =
        std::find_if(unacknowledged_.begin(), unacknowledged_.end(),
                     [&](const Shipped& shipped) { return shipped.sequence == reply.sequence; });
    if (known == unacknowledged_.end() || reply.watermarks_ms.size() != bounds.size()) return;
    // From here on the final engine's watermark is no further than it was then, or than shipments let it.
    bounds = reply.watermarks_ms;
    for (auto shipped = known; shipped != unacknowledged_.end(); ++shipped)
      for (std::size_t i = 0; i < bounds.size(); ++i) bounds[i] = std::max(bounds[i], shipped->watermarks[i]);
    for (std::size_t i = 0; i < bounds.size(); ++i)
      engine_.sources()[i]->clock().AdvanceTo(reply.watermarks_ms[i]);
    unacknowledged_.erase(unacknowledged_.begin(), known + 1);
  }

  std::vector<std::string> Unacknowledged() const override {
    std::vector<std::string> shipments;
    for (const Shipped& shipped : unacknowledged_) shipments.push_back(shipped.bytes);
    return shipments;
  }

  // name, sequence, counters shipped, bounds, outbox, shipments not acknowledged, the engine's snapshot
  std::string Snapshot() const override {
    std::string bytes;
    StateWriter out(bytes);
    out.Text(name_);
    out.U64(sequence_);
    outbox_.Save(out);
    out.U64(unacknowledged_.size());
    for (const Shipped& shipped : unacknowledged_) {
      out.U64(shipped.sequence);
      out.Text(shipped.bytes);
      out.U64(shipped.watermarks.size());
      for (const std::int64_t watermark : shipped.watermarks) out.I64(watermark);
    }
    const EngineCounters counters = engine_.counters();
    out.U64(counters.rows_in - shipped_rows_in_);
    out.U64(counters.clamped_times - shipped_clamped_);
    out.Text(engine_.Snapshot());
    return bytes;
  }

  Result<void> Restore(std::string_view snapshot) override {
    StateReader in(snapshot);
    const std::string_view name = in.Text();
    if (in.ok() && name != name_)
      return Error(ErrorCode::kFailedPrecondition,
                   "the snapshot is of partial engine '" + std::string(name) + "'");
    sequence_ = in.U64();
    outbox_.Load(in);
    unacknowledged_.resize(in.Count(24));
    for (Shipped& shipped : unacknowledged_) {
      shipped.sequence = in.U64();
      shipped.bytes = in.Text();
      shipped.watermarks.resize(in.Count(8));
      for (std::int64_t& watermark : shipped.watermarks) watermark = in.I64();
      if (shipped.watermarks.size() != engine_.sources().size()) in.Fail();
    }
    // Counters begin anew; what was not shipped is counted as below nothing.
    shipped_rows_in_ = 0 - in.U64();
    shipped_clamped_ = 0 - in.U64();
    const std::string_view inner = in.Text();
    if (!in.ok() || !in.AtEnd()) return Error(ErrorCode::kCorrupt, "the snapshot is damaged");
    // The final engine may have gone on meanwhile: nothing is certain until it answers.
    std::vector<std::int64_t>& bounds = engine_.runtime().source_bounds;
    std::fill(bounds.begin(), bounds.end(), kEndOfTime);
    return engine_.Restore(inner);
  }

  EngineCounters counters() const override { return engine_.counters(); }
  std::size_t StateBytes() const override {
    std::size_t bytes = engine_.StateBytes() + outbox_.Bytes();
    for (const Shipped& shipped : unacknowledged_) bytes += shipped.bytes.capacity();
    return bytes;
  }
  std::size_t StateEntries() const override { return engine_.StateEntries() + outbox_.entries(); }

 private:
  struct Shipped {
    std::uint64_t sequence = 0;
    std::string bytes;
    std::vector<std::int64_t> watermarks;  ///< Of the shards, by source.
  };

  std::string name_;
  Outbox outbox_;
  EngineImpl engine_;
  std::uint64_t sequence_ = 0;
  std::uint64_t shipped_rows_in_ = 0, shipped_clamped_ = 0;
  std::deque<Shipped> unacknowledged_;
};

}  // namespace

Result<std::unique_ptr<PartialEngine>> PartialEngine::Create(std::string name, std::string_view prelude,
                                                             std::string_view program,
                                                             EngineOptions options) {
  AddBuiltInTableFunctions(options.functions);
  HONRYU_TRY(std::unique_ptr<Plan> plan, PlanProgram(prelude, program, options.functions));
  return std::unique_ptr<PartialEngine>(
      std::make_unique<PartialEngineImpl>(std::move(name), std::move(plan), std::move(options)));
}

}  // namespace honryu::sql
