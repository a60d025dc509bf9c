#include "sql/time_buffer.h"

#include <algorithm>

namespace honryu::sql {

std::size_t RowBytes(const Row& row) {
  constexpr std::size_t kInline = 15;  // characters that a text holds without memory of its own
  std::size_t bytes = sizeof(Row) + row.values.size() * sizeof(Value);
  for (const Value& value : row.values)
    if (value.tag() == Value::Tag::kText && value.text().size() > kInline) bytes += value.text().size();
  return bytes;
}

std::string TimeBuffer::KeyOf(std::int64_t time) const {
  std::string key = area_.Key(letter_);
  AppendOrdered(time, key);
  return key;
}

bool TimeBuffer::Decode(std::string_view value, Row& row) const {
  StateReader in(value);
  in.Take(row);
  if (in.ok() && in.AtEnd()) return true;
  runtime_.Fail(Error(ErrorCode::kCorrupt, "a spilled row is damaged"));
  return false;
}

void TimeBuffer::Resize(std::size_t places) {
  std::vector<Held> ring(places);
  for (std::size_t i = 0; i < count_; ++i) ring[i] = std::move(At(i));
  ring_ = std::move(ring);
  head_ = 0;
}

void TimeBuffer::Add(const Row& row) {
  if (count_ == ring_.size()) Resize(std::max<std::size_t>(16, 2 * count_));
  Held& held = At(count_);
  held.row = row;
  if (area_.bounded()) {
    held.bytes = RowBytes(row);
    bytes_ += held.bytes;
    area_.Grow(held.bytes);
  }
  for (std::size_t i = count_++; i > 0 && At(i - 1).row.time > row.time; --i) std::swap(At(i - 1), At(i));
}

void TimeBuffer::DropOldest() {
  constexpr std::size_t kKept = 16;  // places that keep their memory
  const std::int64_t time = oldest();
  if (spilled_ > 0 && spilled_oldest_ == time) {
    const std::string prefix = KeyOf(time);
    area_.Scan(prefix, [&](std::string_view, std::string_view) {
      --spilled_;
      return true;
    });
    area_.ErasePrefix(prefix);
    FindSpilledOldest(SpillArea::Behind(prefix));
  }
  while (count_ > 0 && At(0).row.time == time) {
    if (area_.bounded()) {
      bytes_ -= At(0).bytes;
      area_.Shrink(At(0).bytes);
    }
    if (count_ > kKept) At(0) = {};
    head_ = (head_ + 1) & (ring_.size() - 1);
    --count_;
  }
  if (ring_.size() > 1024 && count_ < ring_.size() / 8) Resize(ring_.size() / 4);
}

// Not from the beginning: what was erased there may still have to be stepped over.
void TimeBuffer::FindSpilledOldest(const std::string& from) {
  const std::string prefix = area_.Key(letter_);
  spilled_oldest_ = kEndOfTime;
  if (spilled_ == 0) return;
  area_.ScanRange(from, SpillArea::Behind(prefix), [&](std::string_view key, std::string_view) {
    spilled_oldest_ = TakeOrdered(key.substr(prefix.size()));
    return false;
  });
}

void TimeBuffer::Evict(std::size_t target) {
  constexpr std::size_t kBatchBytes = 1 << 20;
  std::size_t first = count_;
  for (std::size_t left = bytes_; left > target && first > 0;) {
    left -= At(--first).bytes;
    while (first > 0 && At(first - 1).row.time == At(first).row.time) left -= At(--first).bytes;
  }
  // Oldest first: if there is no room for all, those that stay came later or are of later times.
  std::size_t written = first;
  for (std::size_t next = first; next < count_;) {
    std::vector<StateSpill::Entry> batch;
    std::size_t batch_bytes = 0, freed = 0;
    for (; next < count_ && batch_bytes < kBatchBytes; ++next) {
      std::string key = KeyOf(At(next).row.time);
      AppendOrdered(static_cast<std::int64_t>(next_number_++), key);
      std::string value;
      StateWriter(value).Put(At(next).row);
      batch_bytes += key.size() + value.size();
      freed += At(next).bytes;
      batch.emplace_back(std::move(key), std::move(value));
    }
    if (!area_.Put(batch)) break;
    bytes_ -= freed;
    area_.Shrink(freed);
    spilled_ += next - written;
    spilled_oldest_ = std::min(spilled_oldest_, At(written).row.time);
    written = next;
  }
  if (written == first) return;
  for (std::size_t i = written; i < count_; ++i) At(first + i - written) = std::move(At(i));
  for (std::size_t i = count_ - (written - first); i < count_; ++i) At(i) = {};
  count_ -= written - first;
}

void TimeBuffer::Save(StateWriter& out) const {
  out.U64(size());
  std::size_t at = 0;
  const std::size_t letter = area_.Key(letter_).size();
  if (spilled_ > 0) {
    area_.Scan(area_.Key(letter_), [&](std::string_view key, std::string_view value) {
      const std::int64_t time = TakeOrdered(key.substr(letter));
      for (; at < count_ && At(at).row.time < time; ++at) out.Put(At(at).row);
      out.Raw(value);
      return true;
    });
  }
  for (; at < count_; ++at) out.Put(At(at).row);
}

void TimeBuffer::Load(StateReader& in) {
  ring_.clear();
  head_ = count_ = 0;
  area_.Shrink(bytes_);
  bytes_ = 0;
  Row row;
  for (std::uint64_t left = in.Count(25); left > 0 && in.ok(); --left) {
    in.Take(row);
    if (!in.ok()) break;
    Add(row);
    if (area_.IsDue()) Evict(bytes_ / 2);
  }
}

}  // namespace honryu::sql
