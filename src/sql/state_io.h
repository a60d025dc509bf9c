#pragma once

#include "honryu/sql/value.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace honryu::sql {

/// Appends values to a snapshot. Numbers are 8 bytes, least significant first; texts have their length
/// before.
class StateWriter {
 public:
  explicit StateWriter(std::string& out) : out_(out) {}
  void U8(std::uint8_t value) { out_ += static_cast<char>(value); }
  void U64(std::uint64_t value);
  void I64(std::int64_t value) { U64(static_cast<std::uint64_t>(value)); }
  void F64(double value);
  void Text(std::string_view value);
  /// Bytes that a StateWriter wrote.
  void Raw(std::string_view bytes) { out_ += bytes; }
  void Put(const Value& value);
  void Put(const Row& row);

 private:
  std::string& out_;
};

/// Reads what StateWriter wrote. After the first thing that does not fit, ok() is false and zeros come.
class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : rest_(bytes) {}
  std::uint8_t U8();
  std::uint64_t U64();
  std::int64_t I64() { return static_cast<std::int64_t>(U64()); }
  double F64();
  std::string_view Text();
  void Take(Value& value);
  void Take(Row& row);
  /// A count of things of at least `least` bytes each: more than could follow is an error.
  std::uint64_t Count(std::size_t least = 1);
  void Fail() { ok_ = false; }
  bool ok() const { return ok_; }
  bool AtEnd() const { return rest_.empty(); }
  /// All that is left.
  std::string_view Rest() { return std::exchange(rest_, {}); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// Appends a value so that equal values, and only they, give equal bytes; used as key of groups and joins.
/// -0.0 is 0.0 here, and every NaN the same.
void AppendKey(const Value& value, std::string& out);
/// Takes the value off the front of such bytes; false: no value is there.
bool TakeKey(std::string_view* bytes, Value& out);

}  // namespace honryu::sql
