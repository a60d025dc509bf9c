#pragma once

#include "sql/aggregate.h"
#include "sql/spill_area.h"

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace honryu::sql {

/// The calls over one window, and what an entry of a frame holds of them.
struct FrameCalls {
  static constexpr std::size_t kMost = 64;

  explicit FrameCalls(std::vector<AggregateCall> of) : calls(std::move(of)) {
    HONRYU_CHECK(calls.size() <= kMost, "more calls over one window than the planner lets through");
    for (const AggregateCall& call : calls) args += call.args.size();
  }
  std::size_t size() const { return calls.size(); }

  std::vector<AggregateCall> calls;
  std::size_t args = 0;  ///< Of all calls.
};

/// A queue of rows with their joint aggregate, in constant time a row: two stacks (Tangwongsan, Hirzel,
/// Schneider, "Low-Latency Sliding-Window Aggregation in Worst-Case Constant Time", 2017, section 2), of rows
/// and, above them, of segments of kSegment rows:
///
///     front        middle                            back
///     ...[r4 r5]   [s1 s2 s3 | s4 s5]                [r8 r9]
///
/// Of the front, each row has the aggregate of it and those behind it in its segment; of the middle, each
/// segment has its own and, left of the bar, the one of it and those up to the bar; those behind the bar and
/// those of the back have one together. Nothing is ever subtracted, so that sums of doubles do not drift; and
/// how they are put together depends on the rows alone, not on what was spilled or restored. A middle
/// segment's rows may lie in the spill: prefix, number -> rows.
class SlidingFrame {
 public:
  static constexpr std::size_t kSegment = 256;

  explicit SlidingFrame(FrameCalls& calls) : calls_(&calls), back_joint_(calls.size()) {}

  /// Adds the row for which the calls are evaluated; bit i of `counts`: it counts for call i.
  void Push(std::int64_t time, std::uint64_t counts, EvalContext& context);
  /// `prefix`: of this frame's segments in the spill.
  void PopFront(SpillArea& area, const std::string& prefix, EvalContext& context);
  void Result(std::size_t call, Value& out, EvalContext& context) const;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::int64_t oldest() const;
  std::int64_t newest() const { return newest_; }
  std::size_t bytes() const { return front_.bytes + front_slot_bytes_ + middle_bytes_ + back_.bytes; }
  bool has_stored() const { return stored_ > 0; }

  /// Gives the middle's rows to the spill; false: there is no room for all.
  bool Store(SpillArea& area, const std::string& prefix);
  /// All that is not in the spill. Only behind Store.
  void SaveRest(StateWriter& out) const;
  void LoadRest(StateReader& in, EvalContext& context);
  /// All of it; and back, into an empty frame.
  void Save(SpillArea& area, const std::string& prefix, StateWriter& out) const;
  void Load(StateReader& in, EvalContext& context);

 private:
  struct Segment {
    std::vector<std::int64_t> times;
    std::vector<std::uint64_t> counts;
    std::vector<Value>
        args;  ///< FrameCalls::args of each row; those of calls that it does not count for are NULL.
    std::size_t bytes = 0;
    std::size_t size() const { return times.size(); }
    void Clear() {
      times.clear();
      counts.clear();
      args.clear();
      bytes = 0;
    }
  };
  struct Middle {
    Segment rows;
    std::int64_t oldest = 0;
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    bool stored = false;  ///< The rows are in the spill, and only there.
    std::vector<Slot> joint, joint_behind;
    std::size_t slot_bytes = 0;
  };

  void AddRow(const Segment& segment, std::size_t row, Slot* slots, EvalContext& context) const;
  void MergeInto(std::vector<Slot>& into, const Slot* other, EvalContext& context) const;
  void MergeInto(Slot* into, const Slot* other, EvalContext& context) const;
  void CountRow(Segment& segment) const;
  void Seal(EvalContext& context);
  void FillFront(SpillArea& area, const std::string& prefix, EvalContext& context);
  void FlipMiddle(EvalContext& context);
  void BuildFront(EvalContext& context);
  void AddMiddle(Middle middle, EvalContext& context);
  std::size_t SlotBytes(const std::vector<Slot>& slots) const;
  std::string KeyOf(const std::string& prefix, std::uint64_t number) const;
  void PutRows(const Segment& segment, std::size_t from, StateWriter& out) const;
  void TakeRows(Segment& segment, std::uint64_t count, StateReader& in) const;
  void SaveSlots(const std::vector<Slot>& slots, StateWriter& out) const;
  void LoadSlots(std::vector<Slot>& slots, StateReader& in) const;
  bool LoadStored(const Middle& middle, SpillArea& area, const std::string& prefix, Segment& rows) const;

  FrameCalls* calls_;
  Segment front_;
  std::size_t front_at_ = 0;       ///< The rows before it have left.
  std::vector<Slot> front_joint_;  ///< By row.
  std::size_t front_slot_bytes_ = 0;
  std::deque<Middle> middle_;
  std::size_t middle_flipped_ = 0;  ///< Those left of the bar.
  std::vector<Slot> middle_joint_;  ///< Of those behind it; empty: there are none.
  std::size_t middle_bytes_ = 0;
  std::uint64_t next_number_ = 0;
  std::size_t stored_ = 0;
  Segment back_;
  std::vector<Slot> back_joint_;
  std::size_t size_ = 0;
  std::int64_t newest_ = kNoWatermark;
};

}  // namespace honryu::sql
