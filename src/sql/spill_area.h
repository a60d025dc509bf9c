#pragma once

#include "honryu/sql/state_spill.h"
#include "sql/operator.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// Appends a time so that bytes compare as times do.
void AppendOrdered(std::int64_t time, std::string& out);
std::int64_t TakeOrdered(std::string_view bytes);

/// One operator's part of the engine's memory bound and of its spill: keys begin with the operator's number
/// and a letter. After a failed read the engine has failed (Runtime::failure), and what comes back means
/// nothing.
class SpillArea {
 public:
  explicit SpillArea(Runtime& runtime) : runtime_(runtime), number_(runtime.next_area++) {}

  bool on() const { return runtime_.spill != nullptr; }
  /// Memory is measured at all.
  bool bounded() const { return runtime_.max_state_bytes > 0; }
  /// Changes what counts as the operator's memory.
  void Resize(std::size_t bytes) {
    runtime_.state_bytes = runtime_.state_bytes - bytes_ + bytes;
    bytes_ = bytes;
  }
  void Grow(std::size_t bytes) { Resize(bytes_ + bytes); }
  void Shrink(std::size_t bytes) { Resize(bytes_ - std::min(bytes, bytes_)); }
  std::size_t bytes() const { return bytes_; }
  /// The operator should give some memory up before it takes a row.
  bool IsDue() const {
    return on() && !runtime_.spill_full && runtime_.IsOver() && bytes_ > runtime_.max_state_bytes / 4;
  }

  void Fail(const Error& error) { runtime_.Fail(error); }

  std::string Key(char letter) const;
  /// The first key behind all that begin with the prefix.
  static std::string Behind(std::string prefix);
  /// False: there is no room, or it failed.
  bool Put(std::vector<StateSpill::Entry>& entries);
  std::optional<std::string> Get(const std::string& key);
  void Erase(const std::vector<std::string>& keys);
  /// All keys that begin with `prefix`.
  void ErasePrefix(const std::string& prefix);
  void Scan(const std::string& prefix, const StateSpill::Visitor& visit);
  void ScanRange(const std::string& from, const std::string& to, const StateSpill::Visitor& visit);

 private:
  Runtime& runtime_;
  std::uint32_t number_;
  std::size_t bytes_ = 0;
};

}  // namespace honryu::sql
