#pragma once

#include "sql/aggregate.h"
#include "sql/window.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// Groups of one window: key bytes to slots. Groups keep the order in which they came. The keys lie in one
/// string and the slots in one array: a group with one count costs its key and some 60 bytes.
class GroupTable {
 public:
  explicit GroupTable(std::size_t slots_per_group) : width_(slots_per_group) {}

  /// The group's number; a new one has empty slots.
  std::size_t FindOrAdd(std::string_view key);
  std::optional<std::size_t> Find(std::string_view key) const;
  std::size_t size() const { return groups_.size(); }
  std::string_view key(std::size_t group) const;
  Slot* slots(std::size_t group) { return slots_.data() + group * width_; }
  const Slot* slots(std::size_t group) const { return slots_.data() + group * width_; }

  struct Group {
    std::uint64_t key_start = 0;
    std::int64_t touched = kNoWatermark;  ///< Newest row's time.
    std::uint32_t hash = 0;
    std::uint32_t revision = 0;  ///< Of the last final row.
    std::uint32_t rows = 0;      ///< Of a first phase: how many it has taken.
    bool dirty = false;          ///< Changed since it was last given out.
    bool emitted = false;        ///< A final row was given out.
    bool hot = true;             ///< Used since the last eviction.
    bool stored = false;         ///< The spill has an older state of it.
  };
  Group& group(std::size_t number) { return groups_[number]; }
  const Group& group(std::size_t number) const { return groups_[number]; }
  /// Forgets the others. They get new numbers.
  void Keep(const std::vector<bool>& kept);
  std::size_t Bytes() const;
  /// Memory of one group.
  std::size_t BytesOf(std::size_t group) const {
    return key(group).size() + sizeof(Group) + 2 * sizeof(std::uint32_t) + width_ * sizeof(Slot) +
           HeavyBytes(group);
  }
  std::size_t HeavyBytes(std::size_t group) const {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < width_; ++i)
      if (const Slot& slot = slots(group)[i]; slot.heavy) bytes += slot.heavy->Bytes();
    return bytes;
  }

 private:
  void Grow();

  std::size_t width_;
  std::string keys_;
  std::vector<Group> groups_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t>
      index_;  ///< Open addressing, a power of two; group + 1, 0 is empty; half full at most.
};

}  // namespace honryu::sql
