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

void TimeBuffer::Add(const Row& row) {
  Row waiting;
  if (!spare_.empty()) {
    waiting = std::move(spare_.back());
    spare_.pop_back();
  }
  waiting = row;
  if (area_.bounded()) {
    const std::size_t bytes = RowBytes(waiting);
    bytes_ += bytes;
    area_.Grow(bytes);
  }
  auto at = rows_.end();
  while (at != rows_.begin() && (at - 1)->time > row.time) --at;
  rows_.insert(at, std::move(waiting));
}

void TimeBuffer::DropOldest() {
  constexpr std::size_t kMostSpare = 16;
  const std::int64_t time = oldest();
  if (spilled_ > 0 && spilled_oldest_ == time) {
    const std::string prefix = KeyOf(time);
    area_.Scan(prefix, [&](std::string_view, std::string_view) {
      --spilled_;
      return true;
    });
    area_.ErasePrefix(prefix);
    FindSpilledOldest();
  }
  while (!rows_.empty() && rows_.front().time == time) {
    if (area_.bounded()) {
      const std::size_t bytes = std::min(bytes_, RowBytes(rows_.front()));
      bytes_ -= bytes;
      area_.Shrink(bytes);
    }
    if (spare_.size() < kMostSpare) spare_.push_back(std::move(rows_.front()));
    rows_.pop_front();
  }
}

void TimeBuffer::FindSpilledOldest() {
  const std::size_t letter = area_.Key(letter_).size();
  spilled_oldest_ = kEndOfTime;
  if (spilled_ == 0) return;
  area_.Scan(area_.Key(letter_), [&](std::string_view key, std::string_view) {
    spilled_oldest_ = TakeOrdered(key.substr(letter));
    return false;
  });
}

void TimeBuffer::Evict(std::size_t target) {
  constexpr std::size_t kBatchBytes = 1 << 20;
  std::size_t first = rows_.size();
  for (std::size_t left = bytes_; left > target && first > 0;) {
    left -= std::min(left, RowBytes(rows_[--first]));
    while (first > 0 && rows_[first - 1].time == rows_[first].time)
      left -= std::min(left, RowBytes(rows_[--first]));
  }
  // Oldest first: if there is no room for all, those that stay came later or are of later times.
  std::size_t written = first;
  for (std::size_t next = first; next < rows_.size();) {
    std::vector<StateSpill::Entry> batch;
    std::size_t batch_bytes = 0, freed = 0;
    for (; next < rows_.size() && batch_bytes < kBatchBytes; ++next) {
      std::string key = KeyOf(rows_[next].time);
      AppendOrdered(static_cast<std::int64_t>(next_number_++), key);
      std::string value;
      StateWriter(value).Put(rows_[next]);
      batch_bytes += key.size() + value.size();
      freed += RowBytes(rows_[next]);
      batch.emplace_back(std::move(key), std::move(value));
    }
    if (!area_.Put(batch)) break;
    freed = std::min(freed, bytes_);
    bytes_ -= freed;
    area_.Shrink(freed);
    spilled_ += next - written;
    spilled_oldest_ = std::min(spilled_oldest_, rows_[written].time);
    written = next;
  }
  const auto begin = rows_.begin();
  rows_.erase(begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(written));
}

void TimeBuffer::Save(StateWriter& out) const {
  out.U64(size());
  std::size_t at = 0;
  const std::size_t letter = area_.Key(letter_).size();
  if (spilled_ > 0) {
    area_.Scan(area_.Key(letter_), [&](std::string_view key, std::string_view value) {
      const std::int64_t time = TakeOrdered(key.substr(letter));
      for (; at < rows_.size() && rows_[at].time < time; ++at) out.Put(rows_[at]);
      out.Raw(value);
      return true;
    });
  }
  for (; at < rows_.size(); ++at) out.Put(rows_[at]);
}

void TimeBuffer::Load(StateReader& in) {
  rows_.clear();
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
