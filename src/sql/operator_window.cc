#include "sql/aggregate_operator.h"
#include "sql/group_store.h"
#include "sql/spill_area.h"

#include <algorithm>

namespace honryu::sql {
namespace {

// Windows whose bounds follow from a row's time: tumbling, hopping, cumulating; also none at all.
//
// Where memory has no room, groups go to the spill, under the window and the key, and come back when a row
// needs them.
class WindowAggregate final : public AggregateOperator {
 public:
  WindowAggregate(Runtime& runtime, std::string pump, PlanNode& node)
      : AggregateOperator(runtime, std::move(pump), node),
        monotonic_(std::move(node.monotonic)),
        ttl_ms_(node.state_ttl_ms),
        single_(window_.kind == WindowKind::kTumble || window_.kind == WindowKind::kCalendar),
        area_(runtime) {}

  void OnRow(std::size_t, const Row& row) override {
    if (area_.IsDue() && !busy_) Evict();
    const Busy busy(*this);
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
      Pane& pane = PaneOf(start, end);
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
    const Busy busy(*this);
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
        Forget(first->second);
        panes_.erase(first);
        continue;
      }
      CloseFurther(watermark);
      break;
    }
    if (ttl_ms_ > 0 && !panes_.empty() && watermark != kEndOfTime &&
        (swept_ == kNoWatermark || watermark - swept_ >= ttl_ms_ / 2)) {
      swept_ = watermark;
      Pane& pane = panes_.begin()->second;  // a group without a window is in the only one
      pane.groups.Expire(watermark - ttl_ms_);
      groups_ = pane.groups.size();
    }
    Forward(WatermarkMinus(watermark, late_.hold_ms));
  }

  void OnTime() override {
    if (!IsDue()) return;
    const Busy busy(*this);
    for (auto& [bounds, pane] : panes_) {
      if (pane.closed) continue;
      const auto [end, start] = bounds;
      pane.groups.VisitAll([&](std::string_view key, GroupTable::Group& group, const Slot* slots) {
        if (!group.dirty) return false;
        group.dirty = false;
        GiveOut(key, group, slots, start, end, false, 0);
        return true;
      });
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
      pane.groups.Save(out);
    }
  }

  void Load(StateReader& in) override {
    panes_.clear();
    last_ = nullptr;
    groups_ = 0;
    area_.Resize(0);
    LoadTime(in);
    swept_ = in.I64();
    for (std::uint64_t left = in.Count(25); left > 0 && in.ok(); --left) {
      const std::int64_t end = in.I64();
      const std::int64_t start = in.I64();
      Pane& pane = PaneOf(start, end);
      pane.closed = in.U8() != 0;
      pane.groups.Load(in, [this] {
        if (area_.IsDue()) Evict();
      });
    }
    for (const auto& [bounds, pane] : panes_) groups_ += pane.groups.size();
  }

  void MergeState(StateReader& in) override {
    if (area_.IsDue()) Evict();
    const Busy busy(*this);
    for (std::uint64_t left = in.Count(24); left > 0 && in.ok(); --left) {
      const std::int64_t end = in.I64();
      const std::int64_t start = in.I64();
      const bool gone = watermark_ != kNoWatermark && GoneAt(end) <= watermark_ && end != kEndOfTime;
      for (std::uint64_t count = in.Count(24); count > 0 && in.ok(); --count) {
        key_ = in.Text();
        const std::int64_t touched = in.I64();
        const std::uint64_t rows = in.U64();
        Pane* pane = gone ? nullptr : &PaneOf(start, end);
        const std::optional<std::size_t> number = gone ? std::nullopt : Take(*pane);
        if (!number.has_value()) {
          if (gone) LateState(key_, end, rows);
          if (!gone) Refuse(key_, touched);
          std::vector<Slot> refused(calls_.size());
          LoadSlots(refused.data(), in);
          continue;
        }
        pane->groups.Measured(*number,
                              [&] { MergeSlots(pane->groups.table().slots(*number), key_, end, in); });
        if (in.ok()) Touched(*pane, *number, start, end, touched);
      }
    }
  }

  // Cold groups go first, then all, until half is free.
  void Evict() override {
    const std::size_t target = area_.bytes() / 2;
    for (const bool cold_only : {true, false}) {
      for (auto pane = panes_.rbegin(); pane != panes_.rend(); ++pane) {  // what is needed last goes first
        if (area_.bytes() <= target || runtime_.spill_full || runtime_.failure.has_value()) return;
        pane->second.groups.Evict(target, cold_only);
      }
    }
  }
  std::size_t EvictableBytes() const override { return area_.bytes(); }
  std::size_t SpilledEntries() const override {
    std::size_t entries = 0;
    for (const auto& [bounds, pane] : panes_) entries += pane.groups.spilled();
    return entries;
  }
  std::string_view Kind() const override { return "windows"; }
  std::size_t StateEntries() const override { return groups_; }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const auto& [bounds, pane] : panes_) bytes += sizeof(pane) + 64 + pane.groups.table().Bytes();
    return bytes;
  }

 private:
  struct Pane {
    explicit Pane(GroupStore of) : groups(std::move(of)) {}
    GroupStore groups;
    bool closed = false;  ///< Its final rows are out; late ones may still correct them.
  };
  // While one is alive, groups may be in use and keep their places.
  struct Busy {
    explicit Busy(WindowAggregate& of) : op(of), before(of.busy_) { op.busy_ = true; }
    ~Busy() { op.busy_ = before; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    WindowAggregate& op;
    bool before;
  };

  Pane& PaneOf(std::int64_t start, std::int64_t end) {
    const auto known = panes_.find({end, start});
    if (known != panes_.end()) return known->second;
    std::string prefix = area_.Key('W');
    AppendOrdered(end, prefix);
    AppendOrdered(start, prefix);
    return panes_.try_emplace({end, start}, GroupStore(calls_, runtime_, area_, std::move(prefix)))
        .first->second;
  }

  // The group with the key in key_; none: there is no room for a new one.
  std::optional<std::size_t> Take(Pane& pane) {
    const std::size_t before = pane.groups.size();
    const std::optional<std::size_t> number = pane.groups.Take(key_, !IsFull(groups_));
    groups_ += pane.groups.size() - before;
    return number;
  }

  void Add(Pane& pane, std::int64_t start, std::int64_t end, const Row& row) {
    const std::optional<std::size_t> number = Take(pane);
    if (!number.has_value()) return Refuse(row);
    pane.groups.Measured(*number, [&] { AddTo(pane.groups.table().slots(*number), row); });
    Touched(pane, *number, start, end, row.time);
  }

  void Touched(Pane& pane, std::size_t number, std::int64_t start, std::int64_t end, std::int64_t time) {
    GroupTable::Group& group = pane.groups.table().group(number);
    group.touched = std::max(group.touched, time);
    group.dirty = group.hot = true;
    if (!pane.closed && emit_ != EmitKind::kChanges && emit_ != EmitKind::kWhen) return;
    const std::string_view key = pane.groups.table().key(number);
    const Slot* slots = pane.groups.table().slots(number);
    if (pane.closed) {
      GiveOut(key, group, slots, start, end, true, group.emitted ? ++group.revision : 0);
      group.emitted = true;
    } else if (emit_ == EmitKind::kChanges) {
      GiveOut(key, group, slots, start, end, false, 0);
      group.dirty = false;
    } else if (!group.emitted) {
      group.emitted = ProduceIf(key, slots, start, end, time);
    }
  }

  void GiveOut(std::string_view key, const GroupTable::Group& group, const Slot* slots, std::int64_t start,
               std::int64_t end, bool final, std::uint32_t revision) {
    const std::int64_t time = start == kNoWatermark ? group.touched : end;
    Produce(key, slots, start, end, time, final, revision);
  }

  void Close(Pane& pane, std::int64_t start, std::int64_t end) {
    pane.closed = true;
    if (emit_ == EmitKind::kWhen) return;
    const bool kept = GoneAt(end) > watermark_;  // for corrections
    pane.groups.VisitAll([&](std::string_view key, GroupTable::Group& group, const Slot* slots) {
      group.emitted = true;
      GiveOut(key, group, slots, start, end, true, 0);
      return kept;
    });
  }

  // Behind a closed window that is kept for corrections there may be more that are due.
  void CloseFurther(std::int64_t watermark) {
    for (auto& [bounds, pane] : panes_) {
      if (bounds.second == kNoWatermark || DueAt(bounds.first) > watermark) break;
      if (!pane.closed) Close(pane, bounds.second, bounds.first);
    }
  }

  void Forget(Pane& pane) {
    groups_ -= pane.groups.size();
    pane.groups.Clear();
    if (last_ == &pane) last_ = nullptr;
  }

  BoundPtr monotonic_;
  std::int64_t ttl_ms_;
  bool single_;
  SpillArea area_;
  bool busy_ = false;
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
