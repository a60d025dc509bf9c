#pragma once

#include "sql/operator.h"
#include "sql/spill_area.h"

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace honryu::sql {

/// Rows that one side of a join holds: found by key and time, let go by time. Rows of equal time keep the
/// order in which they came. Where memory has no room, the newest go to the spill, which has three kinds of
/// entries: rows (letter, key, time, number -> row), their times (letter, time, number -> key, or row if it
/// has none), and, if it matters, those that found a partner (letter, time, number).
class JoinSide {
 public:
  struct Letters {
    char rows, times, matched;
  };
  /// `tracks`: it matters which rows found a partner.
  JoinSide(Runtime& runtime, SpillArea& area, Letters letters, bool tracks)
      : runtime_(runtime), area_(area), letters_(letters), tracks_(tracks) {}
  JoinSide(const JoinSide&) = delete;
  JoinSide& operator=(const JoinSide&) = delete;

  /// No key: the row cannot be found, only let go.
  void Add(const Row& row, const std::string* key, bool matched);
  /// `visit(row)` sees the rows of a key with times in [from, to], oldest first; true: it is a partner. May
  /// add rows to other sides only.
  template <class Visit>
  void Find(const std::string& key, std::int64_t from, std::int64_t to, Visit visit);
  /// Lets rows go with times before `limit`, oldest first; `visit(row, matched)` sees them if the side
  /// tracks.
  template <class Visit>
  void Expire(std::int64_t limit, Visit visit);

  std::size_t size() const { return by_time_.size() + spilled_; }
  std::size_t spilled() const { return spilled_; }
  std::size_t bytes() const { return bytes_; }
  /// Gives rows to the spill until memory is at `target` bytes or there is no room.
  void Evict(std::size_t target);
  void Save(StateWriter& out) const;
  /// `width`: values of a row.
  void Load(StateReader& in, std::size_t width);

 private:
  using Place = std::pair<std::int64_t, std::uint64_t>;  ///< Time and number.
  struct Held {
    Row row;
    const std::string* key = nullptr;  ///< Of rows_; nullptr: the row has none.
    bool matched = false;
  };
  using Rows = std::map<Place, Held>;
  using Entry = Rows::value_type;

  std::size_t BytesOf(const Entry& entry) const;
  void Drop(Rows::iterator entry);
  std::string PlaceKey(char letter, Place place) const;
  std::string RowKey(std::string_view key, Place place) const;
  static Place PlaceOf(std::string_view bytes);
  void MarkMatched(std::vector<StateSpill::Entry>& marks);
  bool Decode(std::string_view bytes, Row& row) const;
  /// The key bytes and the row of an entry of the times; the row is read only if asked for.
  struct Spilled {
    Place place;
    bool has_key = false, matched = false;
    std::string key;
    Row row;
  };
  bool ReadSpilled(std::string_view place, std::string_view value, bool with_row, Spilled& out) const;

  Runtime& runtime_;
  SpillArea& area_;
  Letters letters_;
  bool tracks_;
  Rows by_time_;
  std::unordered_map<std::string, std::deque<Entry*>> rows_;  ///< By time and number.
  std::uint64_t next_number_ = 0;
  std::size_t bytes_ = 0;
  std::size_t spilled_ = 0;
  std::int64_t spilled_oldest_ = kEndOfTime, spilled_newest_ = kNoWatermark;  ///< At least, at most.
};

template <class Visit>
void JoinSide::Find(const std::string& key, std::int64_t from, std::int64_t to, Visit visit) {
  const auto found = rows_.find(key);
  std::deque<Entry*>* const held = found == rows_.end() ? nullptr : &found->second;
  std::size_t at = 0;
  while (held != nullptr && at < held->size() && (*held)[at]->first.first < from) ++at;
  const auto visit_before = [&](Place place) {
    for (; held != nullptr && at < held->size() && (*held)[at]->first < place; ++at) {
      Held& entry = (*held)[at]->second;
      if (visit(entry.row)) entry.matched = true;
    }
  };
  if (spilled_ > 0 && from <= spilled_newest_ && to >= spilled_oldest_) {
    constexpr std::size_t kMarks = 1000;
    std::vector<StateSpill::Entry> marks;
    std::string end = RowKey(key, {to, ~std::uint64_t{0}});
    end += '\0';
    Row row;
    area_.ScanRange(RowKey(key, {from, 0}), end, [&](std::string_view bytes, std::string_view value) {
      const Place place = PlaceOf(bytes.substr(bytes.size() - 16));
      visit_before(place);
      if (!Decode(value, row)) return false;
      if (visit(row) && tracks_) marks.emplace_back(PlaceKey(letters_.matched, place), std::string());
      if (marks.size() == kMarks) MarkMatched(marks);
      return !runtime_.failure.has_value();
    });
    MarkMatched(marks);
  }
  if (to == kEndOfTime) return visit_before({kEndOfTime, ~std::uint64_t{0}});
  visit_before({to + 1, 0});
}

template <class Visit>
void JoinSide::Expire(std::int64_t limit, Visit visit) {
  const auto expire_before = [&](Place place) {
    while (!by_time_.empty() && by_time_.begin()->first < place) {
      const auto entry = by_time_.begin();
      if (tracks_) visit(entry->second.row, entry->second.matched);
      Drop(entry);
    }
  };
  while (spilled_ > 0 && spilled_oldest_ < limit && !runtime_.failure.has_value()) {
    constexpr std::size_t kMost = 256;
    std::vector<std::string> erased;
    std::size_t count = 0;
    const std::string prefix = area_.Key(letters_.times);
    const std::string from = PlaceKey(letters_.times, {spilled_oldest_, 0});  // behind what was erased
    spilled_oldest_ = kEndOfTime;
    area_.ScanRange(from, SpillArea::Behind(prefix), [&](std::string_view bytes, std::string_view value) {
      Spilled spilled;
      spilled.place = PlaceOf(bytes.substr(prefix.size()));
      if (spilled.place.first >= limit || count == kMost) {
        spilled_oldest_ = spilled.place.first;
        return false;
      }
      if (!ReadSpilled(bytes.substr(prefix.size()), value, tracks_, spilled)) return false;
      expire_before(spilled.place);
      if (tracks_) visit(spilled.row, spilled.matched);
      ++count;
      erased.emplace_back(bytes);
      if (spilled.has_key) erased.push_back(RowKey(spilled.key, spilled.place));
      if (tracks_) erased.push_back(PlaceKey(letters_.matched, spilled.place));
      return true;
    });
    area_.Erase(erased);
    spilled_ -= count;
  }
  if (spilled_ == 0) {
    spilled_oldest_ = kEndOfTime;
    spilled_newest_ = kNoWatermark;
  }
  expire_before({limit, 0});
}

}  // namespace honryu::sql
