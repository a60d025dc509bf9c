#include "sql/aggregate_operator.h"
#include "sql/group_table.h"
#include "sql/spill_area.h"

#include <algorithm>

namespace honryu::sql {
namespace {

// Windows whose bounds follow from a row's time: tumbling, hopping, cumulating; also none at all.
//
// Where memory has no room, groups go to the spill, under the window and the key, and come back when a row
// needs them. `spilled` of a pane counts its entries there; those whose group is in memory again (`stored` of
// the group; `stale` of the pane) are out of date.
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
        Forget(first->second, start, end);
        panes_.erase(first);
        continue;
      }
      CloseFurther(watermark);
      break;
    }
    if (ttl_ms_ > 0 && !panes_.empty() && watermark != kEndOfTime &&
        (swept_ == kNoWatermark || watermark - swept_ >= ttl_ms_ / 2)) {
      swept_ = watermark;
      Expire(panes_.begin()->second, watermark - ttl_ms_);
    }
    Forward(WatermarkMinus(watermark, late_.hold_ms));
  }

  void OnTime() override {
    if (!IsDue()) return;
    const Busy busy(*this);
    for (auto& [bounds, pane] : panes_) {
      if (pane.closed) continue;
      for (std::size_t i = 0; i < pane.groups.size(); ++i) {
        GroupTable::Group& group = pane.groups.group(i);
        if (!group.dirty) continue;
        group.dirty = false;
        GiveOut(pane, i, bounds.second, bounds.first, false, 0);
      }
      std::vector<StateSpill::Entry> given;  // rewritten, so that they are given out once
      const std::string prefix = PrefixOf(bounds.second, bounds.first);
      VisitSpilled(pane, bounds.second, bounds.first, [&](std::string_view key, Stored& stored) {
        if (!stored.group.dirty) return;
        stored.group.dirty = false;
        GiveOutStored(key, stored, bounds.second, bounds.first, false);
        given.emplace_back(prefix + std::string(key), Encode(stored.group, stored.slots.data()));
      });
      if (!given.empty()) area_.Put(given);
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
      out.U64(pane.groups.size() + pane.spilled - pane.stale);
      for (std::size_t i = 0; i < pane.groups.size(); ++i) {
        out.Text(pane.groups.key(i));
        PutGroup(pane.groups.group(i), pane.groups.slots(i), out);
      }
      if (pane.spilled == 0) continue;
      const std::string prefix = PrefixOf(bounds.second, bounds.first);
      area_.Scan(prefix, [&](std::string_view key, std::string_view value) {
        key.remove_prefix(prefix.size());
        if (pane.groups.Find(key).has_value()) return true;
        out.Text(key);
        out.Raw(value);
        return true;
      });
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
      Pane& pane = panes_.try_emplace({end, start}, calls_.size()).first->second;
      pane.closed = in.U8() != 0;
      for (std::uint64_t count = in.Count(25); count > 0 && in.ok(); --count) {
        const std::size_t number = pane.groups.FindOrAdd(in.Text());
        TakeGroup(pane.groups.group(number), pane.groups.slots(number), in);
        if (!area_.bounded()) continue;
        area_.Grow(pane.groups.BytesOf(number));
        if (area_.IsDue()) Evict();
      }
    }
    for (const auto& [bounds, pane] : panes_) groups_ += pane.groups.size() + pane.spilled - pane.stale;
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
        Pane* pane = gone ? nullptr : &panes_.try_emplace({end, start}, calls_.size()).first->second;
        const std::optional<std::size_t> number = gone ? std::nullopt : Take(*pane, start, end);
        if (!number.has_value()) {
          if (gone) LateState(key_, end, rows);
          if (!gone) Refuse(key_, touched);
          std::vector<Slot> refused(calls_.size());
          LoadSlots(refused.data(), in);
          continue;
        }
        const std::size_t before = area_.bounded() ? pane->groups.HeavyBytes(*number) : 0;
        MergeSlots(pane->groups.slots(*number), key_, end, in);
        Measure(*pane, *number, before);
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
        EvictPane(pane->second, pane->first.second, pane->first.first, cold_only);
      }
    }
  }
  std::size_t EvictableBytes() const override { return area_.bytes(); }
  std::size_t SpilledEntries() const override {
    std::size_t entries = 0;
    for (const auto& [bounds, pane] : panes_) entries += pane.spilled - pane.stale;
    return entries;
  }
  std::string_view Kind() const override { return "windows"; }
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
    std::size_t spilled = 0, stale = 0;
    bool closed = false;  ///< Its final rows are out; late ones may still correct them.
  };
  struct Stored {
    GroupTable::Group group;
    std::vector<Slot> slots;
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

  std::string PrefixOf(std::int64_t start, std::int64_t end) const {
    std::string prefix = area_.Key('W');
    AppendOrdered(end, prefix);
    AppendOrdered(start, prefix);
    return prefix;
  }
  void PutGroup(const GroupTable::Group& group, const Slot* slots, StateWriter& out) const {
    out.I64(group.touched);
    out.U64(group.revision);
    out.U8(static_cast<std::uint8_t>((group.dirty ? 1 : 0) | (group.emitted ? 2 : 0)));
    SaveSlots(slots, out);
  }
  void TakeGroup(GroupTable::Group& group, Slot* slots, StateReader& in) const {
    group.touched = in.I64();
    group.revision = static_cast<std::uint32_t>(in.U64());
    const std::uint8_t flags = in.U8();
    group.dirty = (flags & 1) != 0;
    group.emitted = (flags & 2) != 0;
    LoadSlots(slots, in);
  }
  std::string Encode(const GroupTable::Group& group, const Slot* slots) const {
    std::string bytes;
    StateWriter out(bytes);
    PutGroup(group, slots, out);
    return bytes;
  }
  bool Decode(std::string_view bytes, GroupTable::Group& group, Slot* slots) {
    StateReader in(bytes);
    TakeGroup(group, slots, in);
    if (in.ok() && in.AtEnd()) return true;
    runtime_.Fail(Error(ErrorCode::kCorrupt, "a spilled group is damaged"));
    return false;
  }

  // The group with the key in key_: from memory, from the spill, or new; none: there is no room for a new
  // one.
  std::optional<std::size_t> Take(Pane& pane, std::int64_t start, std::int64_t end) {
    const bool full = IsFull(groups_);
    if (pane.spilled == 0 && !full) [[likely]] {
      const std::size_t before = pane.groups.size();
      const std::size_t number = pane.groups.FindOrAdd(key_);
      if (pane.groups.size() > before) Added(pane, number);
      return number;
    }
    if (const auto known = pane.groups.Find(key_)) return known;
    std::optional<std::string> stored;
    if (pane.spilled > pane.stale) stored = area_.Get(PrefixOf(start, end) + key_);
    if (!stored.has_value() && full) return {};
    const std::size_t number = pane.groups.FindOrAdd(key_);
    Added(pane, number);
    if (!stored.has_value()) return number;
    --groups_;
    ++pane.stale;
    Decode(*stored, pane.groups.group(number), pane.groups.slots(number));
    pane.groups.group(number).stored = true;
    if (area_.bounded()) area_.Grow(pane.groups.HeavyBytes(number));
    return number;
  }
  void Added(Pane& pane, std::size_t number) {
    ++groups_;
    if (area_.bounded()) area_.Grow(pane.groups.BytesOf(number));
  }
  void Measure(Pane& pane, std::size_t number, std::size_t heavy_before) {
    if (!area_.bounded()) return;
    area_.Shrink(heavy_before);
    area_.Grow(pane.groups.HeavyBytes(number));
  }

  void Add(Pane& pane, std::int64_t start, std::int64_t end, const Row& row) {
    const std::optional<std::size_t> number = Take(pane, start, end);
    if (!number.has_value()) return Refuse(row);
    const std::size_t before = area_.bounded() ? pane.groups.HeavyBytes(*number) : 0;
    AddTo(pane.groups.slots(*number), row);
    Measure(pane, *number, before);
    Touched(pane, *number, start, end, row.time);
  }

  void Touched(Pane& pane, std::size_t number, std::int64_t start, std::int64_t end, std::int64_t time) {
    GroupTable::Group& group = pane.groups.group(number);
    group.touched = std::max(group.touched, time);
    group.dirty = group.hot = true;
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
  void GiveOutStored(std::string_view key, const Stored& stored, std::int64_t start, std::int64_t end,
                     bool final) {
    const std::int64_t time = start == kNoWatermark ? stored.group.touched : end;
    Produce(key, stored.slots.data(), start, end, time, final, 0);
  }

  // Groups of a pane that are in the spill only.
  template <class Visit>
  void VisitSpilled(Pane& pane, std::int64_t start, std::int64_t end, Visit visit) {
    if (pane.spilled == pane.stale) return;
    const std::string prefix = PrefixOf(start, end);
    area_.Scan(prefix, [&](std::string_view key, std::string_view value) {
      key.remove_prefix(prefix.size());
      if (pane.groups.Find(key).has_value()) return true;
      Stored stored{{}, std::vector<Slot>(calls_.size())};
      if (!Decode(value, stored.group, stored.slots.data())) return false;
      visit(key, stored);
      return true;
    });
  }

  void Close(Pane& pane, std::int64_t start, std::int64_t end) {
    pane.closed = true;
    if (emit_ == EmitKind::kWhen) return;
    for (std::size_t i = 0; i < pane.groups.size(); ++i) {
      pane.groups.group(i).emitted = true;
      GiveOut(pane, i, start, end, true, 0);
    }
    const bool kept = GoneAt(end) > watermark_;  // for corrections
    const std::string prefix = PrefixOf(start, end);
    std::vector<StateSpill::Entry> given;
    VisitSpilled(pane, start, end, [&](std::string_view key, Stored& stored) {
      GiveOutStored(key, stored, start, end, true);
      if (!kept) return;
      stored.group.emitted = true;
      given.emplace_back(prefix + std::string(key), Encode(stored.group, stored.slots.data()));
    });
    // Not to know that a row was given out would make its correction another first row.
    if (!given.empty() && !area_.Put(given))
      runtime_.Fail(Error(ErrorCode::kUnavailable, "the spill has no room to mark rows as given out"));
  }

  // Behind a closed window that is kept for corrections there may be more that are due.
  void CloseFurther(std::int64_t watermark) {
    for (auto& [bounds, pane] : panes_) {
      if (bounds.second == kNoWatermark || DueAt(bounds.first) > watermark) break;
      if (!pane.closed) Close(pane, bounds.second, bounds.first);
    }
  }

  void Forget(Pane& pane, std::int64_t start, std::int64_t end) {
    groups_ -= pane.groups.size() + pane.spilled - pane.stale;
    if (pane.spilled > 0) area_.ErasePrefix(PrefixOf(start, end));
    if (last_ == &pane) last_ = nullptr;
    if (!area_.bounded()) return;
    for (std::size_t i = 0; i < pane.groups.size(); ++i) area_.Shrink(pane.groups.BytesOf(i));
  }

  // Forgets groups that were not touched at or behind `time`.
  void Expire(Pane& pane, std::int64_t time) {
    std::vector<bool> kept(pane.groups.size());
    std::vector<std::string> erased;
    const std::string prefix = PrefixOf(panes_.begin()->first.second, panes_.begin()->first.first);
    VisitSpilled(pane, panes_.begin()->first.second, panes_.begin()->first.first,
                 [&](std::string_view key, const Stored& stored) {
                   if (stored.group.touched < time) erased.push_back(prefix + std::string(key));
                 });
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const GroupTable::Group& group = pane.groups.group(i);
      kept[i] = group.touched >= time;
      if (kept[i] || !group.stored) continue;
      --pane.stale;
      erased.push_back(prefix + std::string(pane.groups.key(i)));
    }
    pane.spilled -= erased.size();
    area_.Erase(erased);
    pane.groups.Keep(kept);
    groups_ = pane.groups.size() + pane.spilled - pane.stale;
    std::size_t bytes = 0;  // a group without a window is in the only pane
    for (std::size_t i = 0; i < kept.size() && i < pane.groups.size() && area_.bounded(); ++i)
      bytes += pane.groups.BytesOf(i);
    area_.Resize(bytes);
  }

  void EvictPane(Pane& pane, std::int64_t start, std::int64_t end, bool cold_only) {
    constexpr std::size_t kBatchBytes = 1 << 20;
    const std::string prefix = PrefixOf(start, end);
    std::vector<bool> kept(pane.groups.size(), true);
    std::vector<StateSpill::Entry> batch;
    std::vector<std::size_t> numbers;  // of the batch
    std::size_t batch_bytes = 0, freed = 0;
    bool room = true;
    const auto write = [&] {
      batch_bytes = 0;
      room = batch.empty() || area_.Put(batch);
      for (const std::size_t number : numbers) {
        if (!room) break;
        kept[number] = false;
        freed += pane.groups.BytesOf(number);
        if (pane.groups.group(number).stored) {
          --pane.stale;
        } else {
          ++pane.spilled;
        }
      }
      numbers.clear();
      batch.clear();
    };
    for (std::size_t i = 0; i < kept.size() && room; ++i) {
      GroupTable::Group& group = pane.groups.group(i);
      if (cold_only && std::exchange(group.hot, false)) continue;
      batch.emplace_back(prefix + std::string(pane.groups.key(i)), Encode(group, pane.groups.slots(i)));
      batch_bytes += batch.back().first.size() + batch.back().second.size();
      numbers.push_back(i);
      if (batch_bytes >= kBatchBytes) write();
    }
    if (room) write();
    if (freed == 0) return;
    pane.groups.Keep(kept);
    area_.Shrink(freed);
  }

  BoundPtr monotonic_;
  std::int64_t ttl_ms_;
  bool single_;
  mutable SpillArea area_;
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
