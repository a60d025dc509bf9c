#pragma once

#include "sql/operator.h"
#include "sql/spill_area.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace honryu::sql {

/// Memory of a row, about.
std::size_t RowBytes(const Row& row);

/// Rows that wait for the watermark, ordered by time, and by arrival where times are equal. Where memory has
/// no room, the rows that are due last go to the spill, whole times at once, so that of each time the rows
/// there came before those in memory: letter, time, number -> row.
class TimeBuffer {
 public:
  TimeBuffer(Runtime& runtime, SpillArea& area, char letter)
      : runtime_(runtime), area_(area), letter_(letter) {}

  void Add(const Row& row);
  bool empty() const { return count_ == 0 && spilled_ == 0; }
  std::size_t size() const { return count_ + spilled_; }
  std::size_t spilled() const { return spilled_; }
  std::size_t bytes() const { return bytes_; }
  /// The least time. Not of an empty buffer.
  std::int64_t oldest() const {
    return count_ == 0 ? spilled_oldest_ : std::min(At(0).row.time, spilled_oldest_);
  }
  /// Rows of the least time: one, and it is in memory.
  bool IsSingle() const {
    return count_ > 0 && At(0).row.time < spilled_oldest_ &&
           (count_ == 1 || At(1).row.time != At(0).row.time);
  }

  /// Visits the rows of the least time in order of arrival. The visitor may change rows, not the buffer.
  template <class Visit>
  void VisitOldest(Visit visit) {
    const std::int64_t time = oldest();
    VisitSpilled(time, visit);
    for (std::size_t i = 0; i < count_ && At(i).row.time == time; ++i) visit(At(i).row);
  }
  /// Takes them out.
  void DropOldest();

  /// Gives rows to the spill until memory is at `target` bytes or there is no room.
  void Evict(std::size_t target);

  void Save(StateWriter& out) const;
  void Load(StateReader& in);

 private:
  template <class Visit>
  void VisitSpilled(std::int64_t time, Visit& visit) {
    if (spilled_ == 0 || spilled_oldest_ != time) return;
    Row row;
    area_.Scan(KeyOf(time), [&](std::string_view, std::string_view value) {
      if (!Decode(value, row)) return false;
      visit(row);
      return true;
    });
  }
  struct Held {
    Row row;
    std::size_t bytes = 0;  ///< As they were counted: visitors change rows.
  };

  Held& At(std::size_t number) { return ring_[(head_ + number) & (ring_.size() - 1)]; }
  const Held& At(std::size_t number) const { return ring_[(head_ + number) & (ring_.size() - 1)]; }
  void Resize(std::size_t places);
  std::string KeyOf(std::int64_t time) const;
  bool Decode(std::string_view value, Row& row) const;
  void FindSpilledOldest(const std::string& from);

  Runtime& runtime_;
  SpillArea& area_;
  char letter_;
  std::vector<Held> ring_;  ///< A power of two, or empty. Places of few rows keep their memory for the next.
  std::size_t head_ = 0, count_ = 0;
  std::size_t bytes_ = 0;
  std::size_t spilled_ = 0;
  std::int64_t spilled_oldest_ = kEndOfTime;
  std::uint64_t next_number_ = 0;
};

}  // namespace honryu::sql
