#include "sql/join_side.h"

#include "sql/time_buffer.h"

#include <algorithm>

namespace honryu::sql {

std::size_t JoinSide::BytesOf(const Entry& entry) const {
  constexpr std::size_t kNode = 96;  // of the tree, and the place in the index by key
  return kNode + sizeof(Held) + RowBytes(entry.second.row) - sizeof(Row);
}

std::string JoinSide::PlaceKey(char letter, Place place) const {
  std::string key = area_.Key(letter);
  AppendOrdered(place.first, key);
  AppendOrdered(static_cast<std::int64_t>(place.second ^ (std::uint64_t{1} << 63)), key);
  return key;
}

std::string JoinSide::RowKey(std::string_view key, Place place) const {
  const std::string place_key = PlaceKey(letters_.rows, place);
  std::string bytes = area_.Key(letters_.rows);
  bytes += key;
  bytes += place_key.substr(place_key.size() - 16);
  return bytes;
}

JoinSide::Place JoinSide::PlaceOf(std::string_view bytes) {
  return {TakeOrdered(bytes),
          static_cast<std::uint64_t>(TakeOrdered(bytes.substr(8))) ^ (std::uint64_t{1} << 63)};
}

bool JoinSide::Decode(std::string_view bytes, Row& row) const {
  StateReader in(bytes);
  in.Take(row);
  if (in.ok() && in.AtEnd()) return true;
  runtime_.Fail(Error(ErrorCode::kCorrupt, "a spilled row of a join is damaged"));
  return false;
}

void JoinSide::MarkMatched(std::vector<StateSpill::Entry>& marks) {
  // Not to know that a row found a partner would give it out again as one that found none.
  if (!marks.empty() && !area_.Put(marks))
    runtime_.Fail(Error(ErrorCode::kUnavailable, "the spill has no room to mark rows as matched"));
}

void JoinSide::Add(const Row& row, const std::string* key, bool matched) {
  const auto entry = by_time_.try_emplace({row.time, next_number_++}).first;
  entry->second.row = row;
  entry->second.matched = matched;
  if (key != nullptr) {
    const auto of_key = rows_.try_emplace(*key).first;
    entry->second.key = &of_key->first;
    std::deque<Entry*>& held = of_key->second;
    auto at = held.end();
    while (at != held.begin() && (*(at - 1))->first > entry->first) --at;
    held.insert(at, &*entry);
    if (area_.bounded() && held.size() == 1) {
      const std::size_t bytes = 2 * key->size() + 640;  // of the index by key
      bytes_ += bytes;
      area_.Grow(bytes);
    }
  }
  if (!area_.bounded()) return;
  const std::size_t bytes = BytesOf(*entry);
  bytes_ += bytes;
  area_.Grow(bytes);
}

// The entry is the first or the last of its key.
void JoinSide::Drop(Rows::iterator entry) {
  std::size_t bytes = area_.bounded() ? BytesOf(*entry) : 0;
  if (entry->second.key != nullptr) {
    const auto found = rows_.find(*entry->second.key);
    std::deque<Entry*>& held = found->second;
    if (held.front() == &*entry) {
      held.pop_front();
    } else {
      held.pop_back();
    }
    if (held.empty()) {
      if (area_.bounded()) bytes += 2 * found->first.size() + 640;
      rows_.erase(found);
    }
  }
  by_time_.erase(entry);
  bytes = std::min(bytes, bytes_);
  bytes_ -= bytes;
  area_.Shrink(bytes);
}

void JoinSide::Evict(std::size_t target) {
  constexpr std::size_t kBatchBytes = 1 << 20;
  while (bytes_ > target && !by_time_.empty()) {
    std::vector<StateSpill::Entry> batch;
    std::size_t batch_bytes = 0, count = 0, freed = 0;
    for (auto entry = by_time_.rbegin();
         entry != by_time_.rend() && batch_bytes < kBatchBytes && bytes_ > target + freed; ++entry) {
      const auto& [place, held] = *entry;
      std::string row;
      StateWriter(row).Put(held.row);
      batch_bytes += 64 + row.size();
      freed += BytesOf(*entry);
      if (held.key != nullptr) {
        batch_bytes += 2 * held.key->size();
        batch.emplace_back(PlaceKey(letters_.times, place), "K" + *held.key);
        batch.emplace_back(RowKey(*held.key, place), std::move(row));
      } else {
        batch.emplace_back(PlaceKey(letters_.times, place), "R" + row);
      }
      if (held.matched && tracks_) batch.emplace_back(PlaceKey(letters_.matched, place), std::string());
      ++count;
    }
    if (!area_.Put(batch)) return;
    spilled_ += count;
    for (; count > 0; --count) {
      const auto last = std::prev(by_time_.end());
      spilled_oldest_ = std::min(spilled_oldest_, last->first.first);
      spilled_newest_ = std::max(spilled_newest_, last->first.first);
      Drop(last);
    }
  }
}

// `place`: time and number, as in the key.
bool JoinSide::ReadSpilled(std::string_view place, std::string_view value, bool with_row,
                           Spilled& out) const {
  out.place = PlaceOf(place);
  out.has_key = value.starts_with('K');
  if (out.has_key) out.key = value.substr(1);
  if (!with_row) return true;
  if (tracks_) out.matched = area_.Get(PlaceKey(letters_.matched, out.place)).has_value();
  if (!out.has_key) return Decode(value.substr(std::min<std::size_t>(1, value.size())), out.row);
  const std::optional<std::string> row = area_.Get(RowKey(out.key, out.place));
  return Decode(row.value_or(std::string()), out.row);
}

void JoinSide::Save(StateWriter& out) const {
  out.U64(size());
  const auto put = [&](const Row& row, const std::string* key, bool matched) {
    out.Put(row);
    out.Text(key == nullptr ? std::string() : *key);
    out.U8(static_cast<std::uint8_t>((matched ? 1 : 0) | (key != nullptr ? 2 : 0)));
  };
  auto next = by_time_.begin();
  const auto put_before = [&](Place place) {
    for (; next != by_time_.end() && next->first < place; ++next)
      put(next->second.row, next->second.key, next->second.matched);
  };
  if (spilled_ > 0) {
    const std::string prefix = area_.Key(letters_.times);
    area_.Scan(prefix, [&](std::string_view bytes, std::string_view value) {
      Spilled spilled;
      if (!ReadSpilled(bytes.substr(prefix.size()), value, true, spilled)) return false;
      put_before(spilled.place);
      put(spilled.row, spilled.has_key ? &spilled.key : nullptr, spilled.matched);
      return true;
    });
  }
  for (; next != by_time_.end(); ++next) put(next->second.row, next->second.key, next->second.matched);
}

void JoinSide::Load(StateReader& in, std::size_t width) {
  by_time_.clear();
  rows_.clear();
  next_number_ = 0;
  area_.Shrink(bytes_);
  bytes_ = 0;
  for (std::uint64_t left = in.Count(25); left > 0 && in.ok(); --left) {
    Row row;
    in.Take(row);
    const std::string key(in.Text());
    const std::uint8_t flags = in.U8();
    if (row.values.size() != width) return in.Fail();
    Add(row, (flags & 2) != 0 ? &key : nullptr, (flags & 1) != 0);
    if (area_.IsDue()) Evict(bytes_ / 2);
  }
}

}  // namespace honryu::sql
