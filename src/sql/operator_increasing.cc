#include "sql/aggregate_operator.h"
#include "sql/group_table.h"

#include <algorithm>

namespace honryu::sql {
namespace {

// GROUP BY MONOTONIC(x), …: the groups of one value of x, which close when a greater one comes. A row with a
// smaller value is late. What comes out has the time of the row that closed it.
class IncreasingAggregate final : public AggregateOperator {
 public:
  IncreasingAggregate(Runtime& runtime, std::string pump, PlanNode& node)
      : AggregateOperator(runtime, std::move(pump), node),
        value_(std::move(node.monotonic)),
        groups_(calls_.size()) {}

  void OnRow(std::size_t, const Row& row) override {
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
    if (IsFull(groups_.size()) && !groups_.Find(key_).has_value()) return Refuse(row);
    const std::size_t number = groups_.FindOrAdd(key_);
    AddTo(groups_.slots(number), row);
    GroupTable::Group& group = groups_.group(number);
    group.touched = std::max(group.touched, row.time);
    group.dirty = true;
    if (emit_ == EmitKind::kChanges) {
      GiveOut(number, group.touched, false);
      group.dirty = false;
    } else if (emit_ == EmitKind::kWhen && !group.emitted) {
      group.emitted =
          ProduceIf(groups_.key(number), groups_.slots(number), kNoWatermark, kEndOfTime, row.time);
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
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      if (!groups_.group(i).dirty) continue;
      groups_.group(i).dirty = false;
      GiveOut(i, groups_.group(i).touched, false);
    }
  }

  void Save(StateWriter& out) const override {
    SaveTime(out);
    out.U8(open_ ? 1 : 0);
    out.Put(current_);
    out.U64(groups_.size());
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const GroupTable::Group& group = groups_.group(i);
      out.Text(groups_.key(i));
      out.I64(group.touched);
      out.U8(static_cast<std::uint8_t>((group.dirty ? 1 : 0) | (group.emitted ? 2 : 0)));
      SaveSlots(groups_.slots(i), out);
    }
  }

  void Load(StateReader& in) override {
    groups_ = GroupTable(calls_.size());
    LoadTime(in);
    open_ = in.U8() != 0;
    in.Take(current_);
    for (std::uint64_t left = in.Count(17); left > 0 && in.ok(); --left) {
      const std::size_t number = groups_.FindOrAdd(in.Text());
      GroupTable::Group& group = groups_.group(number);
      group.touched = in.I64();
      const std::uint8_t flags = in.U8();
      group.dirty = (flags & 1) != 0;
      group.emitted = (flags & 2) != 0;
      LoadSlots(groups_.slots(number), in);
    }
  }

  std::string_view Kind() const override { return "increasing key"; }
  std::size_t StateEntries() const override { return groups_.size(); }
  std::size_t StateBytes() const override { return groups_.Bytes(); }

 private:
  void GiveOut(std::size_t number, std::int64_t time, bool final) {
    Produce(groups_.key(number), groups_.slots(number), kNoWatermark, kEndOfTime, time, final, 0);
  }
  void Close(std::int64_t time) {
    for (std::size_t i = 0; i < groups_.size() && emit_ != EmitKind::kWhen; ++i)
      GiveOut(i, time == kNoWatermark ? groups_.group(i).touched : time, true);
    groups_ = GroupTable(calls_.size());
    open_ = false;
  }

  BoundPtr value_;
  Value current_;
  bool open_ = false;
  GroupTable groups_;  ///< Of the current value.
};

}  // namespace

std::unique_ptr<Stage> MakeIncreasingAggregate(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<IncreasingAggregate>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
