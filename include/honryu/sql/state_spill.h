#pragma once

#include "honryu/base/result.h"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace honryu::sql {

/// A place for state that memory has no room for (groups, sessions, frames, rows): ordered keys and values.
/// Scratch: it belongs to one engine, which empties it when it is made; snapshots hold all state, so it need
/// not outlive the engine. Calls come one at a time and may block.
class StateSpill {
 public:
  using Entry = std::pair<std::string, std::string>;
  /// False: enough.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~StateSpill() = default;
  /// Writes all of them or none, over those of the same keys. kUnavailable: there is no room (the engine then
  /// goes on as EngineOptions::spill says); every other error makes the engine stop.
  virtual Result<void> Put(std::span<const Entry> entries) = 0;
  virtual Result<std::optional<std::string>> Get(std::string_view key) = 0;
  virtual Result<void> Erase(std::span<const std::string> keys) = 0;
  /// Keys from `from` to before `to`; an empty `to`: to the end.
  virtual Result<void> EraseRange(std::string_view from, std::string_view to) = 0;
  /// Visits them in the order of their bytes. The visitor changes none of this range.
  virtual Result<void> Scan(std::string_view from, std::string_view to, const Visitor& visit) = 0;
  /// Bytes of keys and values held, as near as it can be told.
  virtual std::size_t Bytes() const = 0;
};

/// A spill in memory, for tests and as the reference for others.
class MemorySpill final : public StateSpill {
 public:
  explicit MemorySpill(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  Result<void> Put(std::span<const Entry> entries) override;
  Result<std::optional<std::string>> Get(std::string_view key) override;
  Result<void> Erase(std::span<const std::string> keys) override;
  Result<void> EraseRange(std::string_view from, std::string_view to) override;
  Result<void> Scan(std::string_view from, std::string_view to, const Visitor& visit) override;
  std::size_t Bytes() const override { return bytes_; }
  std::size_t size() const { return entries_.size(); }

 private:
  using Map = std::map<std::string, std::string, std::less<>>;
  Map::iterator End(std::string_view to) { return to.empty() ? entries_.end() : entries_.lower_bound(to); }

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  Map entries_;
};

}  // namespace honryu::sql
