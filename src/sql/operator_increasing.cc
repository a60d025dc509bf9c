#include "sql/aggregate_operator.h"
#include "sql/group_store.h"

#include <algorithm>

namespace honryu::sql {
namespace {

// GROUP BY MONOTONIC(x), …: the groups of one value of x, which close when a greater one comes. A row with a
// smaller value is late. What comes out has the time of the row that closed it. Where memory has no room,
// groups go to the spill.
class IncreasingAggregate final : public AggregateOperator {
 public:
  IncreasingAggregate(Runtime& runtime, std::string pump, PlanNode& node)
      : AggregateOperator(runtime, std::move(pump), node),
        value_(std::move(node.monotonic)),
        area_(runtime),
        groups_(calls_, runtime, area_, area_.Key('I')) {}

  void OnRow(std::size_t, const Row& row) override {
    if (area_.IsDue()) Evict();
    if (!Prepare(row)) return;
    const Value& value = value_->Eval(runtime_.eval);
    if (Failed(columns_, row)) return;
    if (open_) {
      const int compared = CompareValues(value, current_);
      if (compared < 0) return Late(row);
      if (compared > 0) Close(std::max(row.time, watermark_));
    }
    current_ = value;
    open_ = true;
    const std::optional<std::size_t> number = groups_.Take(key_, !IsFull(groups_.size()));
    if (!number.has_value()) return Refuse(row);
    groups_.Measured(*number, [&] { AddTo(groups_.table().slots(*number), row); });
    GroupTable::Group& group = groups_.table().group(*number);
    group.touched = std::max(group.touched, row.time);
    group.dirty = group.hot = true;
    const std::string_view key = groups_.table().key(*number);
    const Slot* slots = groups_.table().slots(*number);
    if (emit_ == EmitKind::kChanges) {
      GiveOut(key, slots, group.touched, false);
      group.dirty = false;
    } else if (emit_ == EmitKind::kWhen && !group.emitted) {
      group.emitted = ProduceIf(key, slots, kNoWatermark, kEndOfTime, row.time);
    }
  }

  void OnWatermark(std::size_t, std::int64_t watermark) override {
    if (watermark <= watermark_) return;
    if (watermark == kEndOfTime && open_) Close(watermark_);
    watermark_ = watermark;
    Forward(watermark);
  }

  void OnTime() override {
    if (!IsDue()) return;
    groups_.VisitAll([&](std::string_view key, GroupTable::Group& group, const Slot* slots) {
      if (!group.dirty) return false;
      group.dirty = false;
      GiveOut(key, slots, group.touched, false);
      return true;
    });
  }

  void Save(StateWriter& out) const override {
    SaveTime(out);
    out.U8(open_ ? 1 : 0);
    out.Put(current_);
    groups_.Save(out);
  }

  void Load(StateReader& in) override {
    groups_.Clear();
    LoadTime(in);
    open_ = in.U8() != 0;
    in.Take(current_);
    groups_.Load(in, [this] {
      if (area_.IsDue()) Evict();
    });
  }

  // Cold groups go first, then all, until half is free.
  void Evict() override {
    const std::size_t target = area_.bytes() / 2;
    for (const bool cold_only : {true, false}) groups_.Evict(target, cold_only);
  }
  std::size_t EvictableBytes() const override { return area_.bytes(); }
  std::size_t SpilledEntries() const override { return groups_.spilled(); }
  std::string_view Kind() const override { return "increasing key"; }
  std::size_t StateEntries() const override { return groups_.size(); }
  std::size_t StateBytes() const override { return groups_.table().Bytes(); }

 private:
  void GiveOut(std::string_view key, const Slot* slots, std::int64_t time, bool final) {
    Produce(key, slots, kNoWatermark, kEndOfTime, time, final, 0);
  }
  void Close(std::int64_t time) {
    if (emit_ != EmitKind::kWhen) {
      groups_.VisitAll([&](std::string_view key, const GroupTable::Group& group, const Slot* slots) {
        GiveOut(key, slots, time == kNoWatermark ? group.touched : time, true);
        return false;
      });
    }
    groups_.Clear();
    open_ = false;
  }

  BoundPtr value_;
  Value current_;
  bool open_ = false;
  SpillArea area_;
  GroupStore groups_;  ///< Of the current value.
};

}  // namespace

std::unique_ptr<Stage> MakeIncreasingAggregate(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<IncreasingAggregate>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
