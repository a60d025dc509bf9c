#include "sql/aggregate_operator.h"
#include "sql/group_table.h"

namespace honryu::sql {
namespace {

// Windows whose bounds follow from a row's time: tumbling, hopping, cumulating; also none at all.
class WindowAggregate final : public AggregateOperator {
 public:
  WindowAggregate(Runtime& runtime, std::string pump, PlanNode& node)
      : AggregateOperator(runtime, std::move(pump), node),
        monotonic_(std::move(node.monotonic)),
        ttl_ms_(node.state_ttl_ms),
        single_(window_.kind == WindowKind::kTumble || window_.kind == WindowKind::kCalendar) {}

  void OnRow(std::size_t, const Row& row) override {
    if (!Prepare(row)) return;
    if (single_ && last_ != nullptr && row.time >= last_start_ &&
        row.time < last_end_) {  // as the row before
      if (GoneAt(last_end_) <= watermark_) return Late(row);
      return Add(*last_, last_start_, last_end_, row);
    }
    if (window_.kind == WindowKind::kMonotonic) {
      const Value& value = monotonic_->Eval(runtime_.eval);
      if (Failed(columns_, row) || value.is_null()) return;
      windows_.assign(1, {value.as_int(), row.time});
    } else {
      AssignWindows(window_, row.time, windows_);
    }
    bool late = true;
    for (const auto& [start, end] : windows_) {
      if (watermark_ != kNoWatermark && GoneAt(end) <= watermark_ && end != kEndOfTime) continue;
      late = false;
      Pane& pane = panes_.try_emplace({end, start}, calls_.size()).first->second;
      if (single_) {
        last_ = &pane;
        last_start_ = start;
        last_end_ = end;
      }
      Add(pane, start, end, row);
    }
    if (late) Late(row);
  }

  void OnWatermark(std::size_t, std::int64_t watermark) override {
    if (watermark <= watermark_) return;
    watermark_ = watermark;
    while (!panes_.empty()) {
      auto first = panes_.begin();
      const auto [end, start] = first->first;
      if (start == kNoWatermark) break;  // the one that never ends
      if (!first->second.closed) {
        if (DueAt(end) > watermark) break;
        Close(first->second, start, end);
      }
      if (GoneAt(end) <= watermark) {
        groups_ -= first->second.groups.size();
        if (last_ == &first->second) last_ = nullptr;
        panes_.erase(first);
        continue;
      }
      CloseFurther(watermark);
      break;
    }
    if (ttl_ms_ > 0 && !panes_.empty() && watermark != kEndOfTime &&
        (swept_ == kNoWatermark || watermark - swept_ >= ttl_ms_ / 2)) {
      swept_ = watermark;
      GroupTable& groups = panes_.begin()->second.groups;
      groups.Expire(watermark - ttl_ms_);
      groups_ = groups.size();
    }
    Forward(WatermarkMinus(watermark, late_.hold_ms));
  }

  void OnTime() override {
    if (!IsDue()) return;
    for (auto& [bounds, pane] : panes_) {
      if (pane.closed) continue;
      for (std::size_t i = 0; i < pane.groups.size(); ++i) {
        GroupTable::Group& group = pane.groups.group(i);
        if (!group.dirty) continue;
        group.dirty = false;
        GiveOut(pane, i, bounds.second, bounds.first, false, 0);
      }
    }
  }

  void Save(StateWriter& out) const override {
    SaveTime(out);
    out.I64(swept_);
    out.U64(panes_.size());
    for (const auto& [bounds, pane] : panes_) {
      out.I64(bounds.first);
      out.I64(bounds.second);
      out.U8(pane.closed ? 1 : 0);
      out.U64(pane.groups.size());
      for (std::size_t i = 0; i < pane.groups.size(); ++i) {
        const GroupTable::Group& group = pane.groups.group(i);
        out.Text(pane.groups.key(i));
        out.I64(group.touched);
        out.U64(group.revision);
        out.U8(static_cast<std::uint8_t>((group.dirty ? 1 : 0) | (group.emitted ? 2 : 0)));
        SaveSlots(pane.groups.slots(i), out);
      }
    }
  }

  void Load(StateReader& in) override {
    panes_.clear();
    last_ = nullptr;
    groups_ = 0;
    LoadTime(in);
    swept_ = in.I64();
    for (std::uint64_t left = in.Count(25); left > 0 && in.ok(); --left) {
      const std::int64_t end = in.I64();
      const std::int64_t start = in.I64();
      Pane& pane = panes_.try_emplace({end, start}, calls_.size()).first->second;
      pane.closed = in.U8() != 0;
      for (std::uint64_t count = in.Count(25); count > 0 && in.ok(); --count) {
        const std::size_t number = pane.groups.FindOrAdd(in.Text());
        GroupTable::Group& group = pane.groups.group(number);
        group.touched = in.I64();
        group.revision = static_cast<std::uint32_t>(in.U64());
        const std::uint8_t flags = in.U8();
        group.dirty = (flags & 1) != 0;
        group.emitted = (flags & 2) != 0;
        LoadSlots(pane.groups.slots(number), in);
      }
      groups_ += pane.groups.size();
    }
  }

  void MergeState(StateReader& in) override {
    for (std::uint64_t left = in.Count(24); left > 0 && in.ok(); --left) {
      const std::int64_t end = in.I64();
      const std::int64_t start = in.I64();
      const bool gone = watermark_ != kNoWatermark && GoneAt(end) <= watermark_ && end != kEndOfTime;
      for (std::uint64_t count = in.Count(24); count > 0 && in.ok(); --count) {
        key_ = in.Text();
        const std::int64_t touched = in.I64();
        const std::uint64_t rows = in.U64();
        std::vector<Slot> refused(calls_.size());
        if (gone || AtLimit(groups_, key_, touched)) {
          if (gone) LateState(key_, end, rows);
          LoadSlots(refused.data(), in);
          continue;
        }
        Pane& pane = panes_.try_emplace({end, start}, calls_.size()).first->second;
        const std::size_t before = pane.groups.size();
        const std::size_t number = pane.groups.FindOrAdd(key_);
        groups_ += pane.groups.size() - before;
        MergeSlots(pane.groups.slots(number), key_, end, in);
        if (in.ok()) Touched(pane, number, start, end, touched);
      }
    }
  }

  std::size_t StateEntries() const override { return groups_; }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const auto& [bounds, pane] : panes_) bytes += sizeof(pane) + 64 + pane.groups.Bytes();
    return bytes;
  }

 private:
  struct Pane {
    explicit Pane(std::size_t slots) : groups(slots) {}
    GroupTable groups;
    bool closed = false;  ///< Its final rows are out; late ones may still correct them.
  };

  void Add(Pane& pane, std::int64_t start, std::int64_t end, const Row& row) {
    const std::size_t before = pane.groups.size();
    if (AtLimit(groups_, row)) return;
    const std::size_t number = pane.groups.FindOrAdd(key_);
    groups_ += pane.groups.size() - before;
    AddTo(pane.groups.slots(number), row);
    Touched(pane, number, start, end, row.time);
  }

  void Touched(Pane& pane, std::size_t number, std::int64_t start, std::int64_t end, std::int64_t time) {
    GroupTable::Group& group = pane.groups.group(number);
    group.touched = std::max(group.touched, time);
    group.dirty = true;
    if (pane.closed) {
      GiveOut(pane, number, start, end, true, group.emitted ? ++group.revision : 0);
      group.emitted = true;
    } else if (emit_ == EmitKind::kChanges) {
      GiveOut(pane, number, start, end, false, 0);
      group.dirty = false;
    } else if (emit_ == EmitKind::kWhen && !group.emitted) {
      group.emitted = ProduceIf(pane.groups.key(number), pane.groups.slots(number), start, end, time);
    }
  }

  void GiveOut(Pane& pane, std::size_t number, std::int64_t start, std::int64_t end, bool final,
               std::uint32_t revision) {
    const std::int64_t time = start == kNoWatermark ? pane.groups.group(number).touched : end;
    Produce(pane.groups.key(number), pane.groups.slots(number), start, end, time, final, revision);
  }

  void Close(Pane& pane, std::int64_t start, std::int64_t end) {
    pane.closed = true;
    if (emit_ == EmitKind::kWhen) return;
    for (std::size_t i = 0; i < pane.groups.size(); ++i) {
      pane.groups.group(i).emitted = true;
      GiveOut(pane, i, start, end, true, 0);
    }
  }

  // Behind a closed window that is kept for corrections there may be more that are due.
  void CloseFurther(std::int64_t watermark) {
    for (auto& [bounds, pane] : panes_) {
      if (bounds.second == kNoWatermark || DueAt(bounds.first) > watermark) break;
      if (!pane.closed) Close(pane, bounds.second, bounds.first);
    }
  }

  BoundPtr monotonic_;
  std::int64_t ttl_ms_;
  bool single_;
  std::map<std::pair<std::int64_t, std::int64_t>, Pane> panes_;  ///< By end and start.
  Pane* last_ = nullptr;
  std::int64_t last_start_ = 0, last_end_ = 0;
  std::int64_t swept_ = kNoWatermark;
  std::size_t groups_ = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> windows_;
};

}  // namespace

std::unique_ptr<Stage> MakeWindowAggregate(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<WindowAggregate>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
