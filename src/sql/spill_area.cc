#include "sql/spill_area.h"

#include <algorithm>

namespace honryu::sql {
void AppendOrdered(std::int64_t time, std::string& out) {
  const std::uint64_t bits = static_cast<std::uint64_t>(time) ^ (std::uint64_t{1} << 63);
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift & 0xff);
}

std::int64_t TakeOrdered(std::string_view bytes) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | static_cast<unsigned char>(bytes[i]);
  return static_cast<std::int64_t>(bits ^ (std::uint64_t{1} << 63));
}

std::string SpillArea::Behind(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

std::string SpillArea::Key(char letter) const {
  std::string key;
  for (int shift = 24; shift >= 0; shift -= 8) key += static_cast<char>(number_ >> shift & 0xff);
  return key + letter;
}

bool SpillArea::Put(std::vector<StateSpill::Entry>& entries) {
  const auto put = runtime_.spill->Put(entries);
  entries.clear();
  if (put.ok()) return true;
  if (put.error().code() == ErrorCode::kUnavailable) {
    runtime_.spill_full = true;
  } else {
    runtime_.Fail(put.error());
  }
  return false;
}

std::optional<std::string> SpillArea::Get(const std::string& key) {
  auto found = runtime_.spill->Get(key);
  if (found.ok()) return std::move(*found);
  runtime_.Fail(found.error());
  return {};
}

void SpillArea::Erase(const std::vector<std::string>& keys) {
  if (keys.empty()) return;
  if (const auto erased = runtime_.spill->Erase(keys); !erased.ok()) runtime_.Fail(erased.error());
  runtime_.spill_full = false;
}

void SpillArea::ErasePrefix(const std::string& prefix) {
  if (const auto erased = runtime_.spill->EraseRange(prefix, Behind(prefix)); !erased.ok())
    runtime_.Fail(erased.error());
  runtime_.spill_full = false;
}

void SpillArea::Scan(const std::string& prefix, const StateSpill::Visitor& visit) {
  ScanRange(prefix, Behind(prefix), visit);
}

void SpillArea::ScanRange(const std::string& from, const std::string& to, const StateSpill::Visitor& visit) {
  if (const auto scanned = runtime_.spill->Scan(from, to, visit); !scanned.ok())
    runtime_.Fail(scanned.error());
}

}  // namespace honryu::sql
