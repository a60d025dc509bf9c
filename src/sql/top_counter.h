#pragma once

#include "sql/state_io.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace honryu::sql {

/// Counts texts and knows the most frequent: exactly while there are at most kExact different ones. Beyond
/// twice that, the rarer half is forgotten (lossy counting; Manku and Motwani 2002), so that a text's count
/// may be too low by what it had when it was forgotten. Mergeable. Value type.
class TopCounter {
 public:
  static constexpr std::size_t kExact = 100'000;

  void Add(std::string_view item, std::int64_t count);
  void Merge(const TopCounter& other);
  /// The `most` most frequent, counts falling; equal counts by text.
  std::vector<std::pair<std::string, std::int64_t>> Best(std::size_t most) const;
  std::size_t Bytes() const { return sizeof(*this) + counts_.size() * 80 + text_bytes_; }
  void Save(StateWriter& out) const;
  void Load(StateReader& in);

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>> counts_;
  std::size_t text_bytes_ = 0;
};

}  // namespace honryu::sql
