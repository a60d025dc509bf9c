#pragma once

#include "sql/group_table.h"
#include "sql/operator.h"
#include "sql/spill_area.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// Groups of one window, in memory and in the spill: there they lie under a prefix and their keys, and come
/// back when a row needs them. While there is a spill, groups are visited in the order of their keys, so that
/// rows come out in the same order whatever is in memory; else in the order in which they came.
class GroupStore {
 public:
  using Calls = std::vector<AggregateCall>;

  GroupStore(const Calls& calls, Runtime& runtime, SpillArea& area, std::string prefix)
      : calls_(&calls), runtime_(&runtime), area_(&area), prefix_(std::move(prefix)), groups_(calls.size()) {}

  /// Those in memory, by number.
  GroupTable& table() { return groups_; }
  const GroupTable& table() const { return groups_; }
  /// Of memory and spill.
  std::size_t size() const { return groups_.size() + spilled(); }
  std::size_t spilled() const { return spilled_ - stale_; }

  /// The number of a group: from memory, from the spill, or, if there is `room`, new; none: there is none.
  std::optional<std::size_t> Take(std::string_view key, bool room);
  /// Runs `change`, which adds to the group's slots, and counts the memory that this takes.
  template <class Change>
  void Measured(std::size_t number, Change change) {
    const std::size_t before = area_->bounded() ? groups_.HeavyBytes(number) : 0;
    change();
    if (!area_->bounded()) return;
    area_->Shrink(before);
    area_->Grow(groups_.HeavyBytes(number));
  }
  /// `visit(key, group, slots)` sees all; true: the group was changed.
  template <class Visit>
  void VisitAll(Visit visit);

  void Save(StateWriter& out) const;
  /// Into an empty one. `grown` is called behind each group.
  template <class Grown>
  void Load(StateReader& in, Grown grown) {
    for (std::uint64_t count = in.Count(25); count > 0 && in.ok(); --count) {
      const std::size_t number = groups_.FindOrAdd(in.Text());
      TakeGroup(groups_.group(number), groups_.slots(number), in);
      if (!area_->bounded()) continue;
      area_->Grow(groups_.BytesOf(number));
      grown();
    }
  }
  /// Gives groups to the spill until the operator's memory is at `target` bytes or there is no room.
  void Evict(std::size_t target, bool cold_only);
  /// Forgets groups that were not touched at or behind `time`.
  void Expire(std::int64_t time);
  /// Forgets all.
  void Clear();

 private:
  struct Stored {
    GroupTable::Group group;
    std::vector<Slot> slots;
  };

  void PutGroup(const GroupTable::Group& group, const Slot* slots, StateWriter& out) const;
  void TakeGroup(GroupTable::Group& group, Slot* slots, StateReader& in) const;
  std::string Encode(const GroupTable::Group& group, const Slot* slots) const;
  bool Decode(std::string_view bytes, GroupTable::Group& group, Slot* slots) const;
  std::vector<std::size_t> ByKey() const;
  template <class Visit>
  void VisitSpilled(Visit visit);

  const Calls* calls_;
  Runtime* runtime_;
  SpillArea* area_;
  std::string prefix_;
  GroupTable groups_;
  std::size_t spilled_ = 0;  ///< Entries in the spill…
  std::size_t stale_ = 0;    ///< …and those whose group is in memory again (Group::stored): out of date.
};

template <class Visit>
void GroupStore::VisitAll(Visit visit) {
  if (!area_->on()) {
    for (std::size_t i = 0; i < groups_.size(); ++i)
      visit(groups_.key(i), groups_.group(i), groups_.slots(i));
    return;
  }
  const std::vector<std::size_t> numbers = ByKey();
  std::size_t at = 0;
  if (spilled() > 0) {
    VisitSpilled([&](std::string_view key, GroupTable::Group& group, Slot* slots) {
      for (; at < numbers.size() && groups_.key(numbers[at]) < key; ++at)
        visit(groups_.key(numbers[at]), groups_.group(numbers[at]), groups_.slots(numbers[at]));
      return visit(key, group, slots);
    });
  }
  for (; at < numbers.size(); ++at)
    visit(groups_.key(numbers[at]), groups_.group(numbers[at]), groups_.slots(numbers[at]));
}

// Those that are in the spill only. Changed ones are written back in parts, between scans.
template <class Visit>
void GroupStore::VisitSpilled(Visit visit) {
  constexpr std::size_t kBatchBytes = 1 << 20;
  std::string from = prefix_;
  for (bool more = true; more && !runtime_->failure.has_value();) {
    more = false;
    std::vector<StateSpill::Entry> changed;
    std::size_t changed_bytes = 0;
    area_->ScanRange(from, SpillArea::Behind(prefix_), [&](std::string_view place, std::string_view value) {
      const std::string_view key = place.substr(prefix_.size());
      if (groups_.Find(key).has_value()) return true;
      Stored stored{{}, std::vector<Slot>(calls_->size())};
      if (!Decode(value, stored.group, stored.slots.data())) return false;
      if (!visit(key, stored.group, stored.slots.data())) return true;
      changed.emplace_back(std::string(place), Encode(stored.group, stored.slots.data()));
      changed_bytes += place.size() + changed.back().second.size();
      if (changed_bytes < kBatchBytes) return true;
      from = std::string(place) + '\0';
      more = true;
      return false;
    });
    // Not to know that a row was given out would make its correction another first row.
    if (!changed.empty() && !area_->Put(changed))
      runtime_->Fail(Error(ErrorCode::kUnavailable, "the spill has no room to mark rows as given out"));
  }
}

}  // namespace honryu::sql
