#include "honryu/sql/state_spill.h"

namespace honryu::sql {

Result<void> MemorySpill::Put(std::span<const Entry> entries) {
  std::size_t bytes = bytes_;
  for (const auto& [key, value] : entries) {
    bytes += key.size() + value.size();
    if (const auto old = entries_.find(key); old != entries_.end()) bytes -= key.size() + old->second.size();
  }
  if (bytes > max_bytes_)
    return Error(ErrorCode::kUnavailable, "the spill is full: " + std::to_string(bytes) + " bytes, limit " +
                                              std::to_string(max_bytes_));
  bytes_ = bytes;
  for (const auto& [key, value] : entries) entries_[key] = value;
  return Ok();
}

Result<std::optional<std::string>> MemorySpill::Get(std::string_view key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

Result<void> MemorySpill::Erase(std::span<const std::string> keys) {
  for (const std::string& key : keys) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) continue;
    bytes_ -= found->first.size() + found->second.size();
    entries_.erase(found);
  }
  return Ok();
}

Result<void> MemorySpill::EraseRange(std::string_view from, std::string_view to) {
  const auto first = entries_.lower_bound(from), last = End(to);
  for (auto entry = first; entry != last; ++entry) bytes_ -= entry->first.size() + entry->second.size();
  entries_.erase(first, last);
  return Ok();
}

Result<void> MemorySpill::Scan(std::string_view from, std::string_view to, const Visitor& visit) {
  // By key, since the visitor may put entries of other ranges.
  for (auto entry = entries_.lower_bound(from); entry != End(to); ++entry)
    if (!visit(entry->first, entry->second)) break;
  return Ok();
}

}  // namespace honryu::sql
