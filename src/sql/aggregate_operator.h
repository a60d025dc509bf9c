#pragma once

#include "sql/operator.h"

namespace honryu::sql {

/// What the operators of windows have in common: keys, aggregates, the row that comes out, late rows.
class AggregateOperator : public Stage {
 public:
  AggregateOperator(Runtime& runtime, std::string pump, PlanNode& node);

 protected:
  /// Evaluates keys and arguments of a row; `key_` then holds the key. False: nothing is to be done with the
  /// row.
  bool Prepare(const Row& row);
  /// Adds the prepared row to slots.
  void AddTo(Slot* slots, const Row& row);
  /// Gives out a group; `start` and `end` are NULL if kNoWatermark and kEndOfTime.
  void Produce(std::string_view key, const Slot* slots, std::int64_t start, std::int64_t end,
               std::int64_t time, bool final, std::uint32_t revision);
  /// As Produce, if the condition of EMIT WHEN holds; false: it does not.
  bool ProduceIf(std::string_view key, const Slot* slots, std::int64_t start, std::int64_t end,
                 std::int64_t time);
  void Late(const Row& row);
  /// Merged states for a window that is gone: `rows` rows of them.
  void LateState(std::string_view key, std::int64_t end, std::uint64_t rows);
  /// Takes slots that SaveSlots of another engine wrote into `slots`.
  void MergeSlots(Slot* slots, std::string_view key, std::int64_t end, StateReader& in);
  /// There is no room for one group more.
  bool IsFull(std::size_t groups) const {
    return (runtime_.max_groups > 0 && groups >= runtime_.max_groups) || IsOutOfRoom();
  }
  /// Reports a row, or what is merged under a key, that would need a group for which there is no room.
  void Refuse(const Row& row);
  void Refuse(std::string_view key, std::int64_t time);
  /// True when EMIT EVERY is due.
  bool IsDue();
  /// Watermark, and when EMIT EVERY is due next.
  void SaveTime(StateWriter& out) const;
  void LoadTime(StateReader& in);
  void SaveSlots(const Slot* slots, StateWriter& out) const;
  void LoadSlots(Slot* slots, StateReader& in) const;
  /// When a window with this end takes no rows any more.
  std::int64_t GoneAt(std::int64_t end) const;
  std::int64_t DueAt(std::int64_t end) const;

  std::vector<BoundPtr> keys_;
  std::vector<AggregateCall> calls_;
  std::uint64_t seed_;  ///< Tells rows of this query from another's.
  WindowDefinition window_;
  EmitKind emit_ = EmitKind::kDefault;
  std::int64_t every_ms_ = 0;
  LateRows late_;
  Columns columns_;  ///< Of the input.
  std::string key_;
  std::int64_t watermark_ = kNoWatermark;

 private:
  void Build(std::string_view key, const Slot* slots, std::int64_t start, std::int64_t end,
             std::int64_t time);

  BoundPtr when_;
  Columns output_;
  std::string NoGroup();
  void ReportGroup(std::string_view name, std::string message, std::string_view key, std::int64_t time);

  std::vector<Slot> shipped_;  ///< MergeSlots.
  std::vector<bool> active_;   ///< Calls that the prepared row counts for.
  std::int64_t next_due_ms_ = kNoWatermark;
  Row out_;
};

}  // namespace honryu::sql
