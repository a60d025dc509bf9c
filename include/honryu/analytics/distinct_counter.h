#pragma once

#include "honryu/analytics/hyperloglog.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::analytics {

/// Hash of a text for DistinctCounter. Compute it once where one text goes to several counters.
std::uint64_t DistinctHash(std::string_view text);

/// Counts different texts: exactly up to a bound, beyond it by HyperLogLog (standard error 0.81 %). Exact
/// means by 64-bit hash: at the default bound of 16384 two different texts share a hash with a probability of
/// 7e-12. Memory: 16 bytes a text, at most 32 times the bound, then 16 KiB. Value type.
class DistinctCounter {
 public:
  explicit DistinctCounter(std::size_t exact_limit = 16384) : exact_limit_(exact_limit) {}

  void Add(std::string_view text) { AddHash(DistinctHash(text)); }
  void AddHash(std::uint64_t hash);
  /// About so many different texts come next: an empty counter makes room for them at once.
  void Expect(std::size_t texts);
  /// Afterwards this counts the union of both.
  void Merge(const DistinctCounter& other);
  /// Gives back the memory that quick adding takes: for what is kept and merged into others. Adding later
  /// undoes it.
  void Pack();
  std::uint64_t Count() const;
  /// Bytes held beyond the object itself.
  std::size_t memory() const {
    return slots_.capacity() * sizeof(std::uint64_t) + (sketch_.has_value() ? HyperLogLog::kRegisters : 0);
  }
  /// False once the bound was passed: Count() is then an estimate.
  bool exact() const { return !sketch_.has_value(); }
  /// All of the state but the bound, for keeping: equal for equal sets of texts; Restore takes it back.
  /// False: not such bytes.
  std::string Save() const;
  bool Restore(std::string_view bytes);
  /// Memory beyond the object itself.
  std::size_t MemoryBytes() const {
    return slots_.capacity() * sizeof(std::uint64_t) + (sketch_.has_value() ? HyperLogLog::kRegisters : 0);
  }

 private:
  void Insert(std::uint64_t hash);
  void Grow();
  void Unpack();

  std::size_t exact_limit_;
  std::size_t size_ = 0;
  std::vector<std::uint64_t> slots_;  ///< Open addressing, a power of two, 0 is empty, at most half full.
  std::size_t packed_from_ =
      0;  ///< Size of the table that slots_ are the full places of, in order; 0: it is the table.
  std::optional<HyperLogLog> sketch_;
};

}  // namespace honryu::analytics
