#pragma once

#include "honryu/base/result.h"
#include "honryu/kv/database.h"
#include "honryu/sql/state_spill.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace honryu::sqlstate {

/// A spill on disk: a family of a kv::Database, made anew and dropped again with this. Nothing is synced,
/// since spilled state is part of the engine's snapshots and of no use after a crash. Calls block (reads may
/// go to the disk).
class KvSpill final : public sql::StateSpill {
 public:
  /// `database` must outlive this; `family` must be used by nothing else, and what is in it goes. Beyond
  /// `max_bytes` of keys and values there is no room.
  static Result<std::unique_ptr<KvSpill>> Open(kv::Database& database, std::string family,
                                               std::size_t max_bytes);
  ~KvSpill() override;

  Result<void> Put(std::span<const Entry> entries) override;
  Result<std::optional<std::string>> Get(std::string_view key) override;
  Result<void> Erase(std::span<const std::string> keys) override;
  Result<void> EraseRange(std::string_view from, std::string_view to) override;
  Result<void> Scan(std::string_view from, std::string_view to, const Visitor& visit) override;
  /// May be read from any thread.
  std::size_t Bytes() const override { return bytes_.load(std::memory_order_relaxed); }

 private:
  KvSpill(kv::Database& database, std::string name, std::shared_ptr<kv::Family> family,
          std::size_t max_bytes);
  Result<void> MakeAnew();

  kv::Database& database_;
  std::string name_;
  std::shared_ptr<kv::Family> family_;
  std::size_t max_bytes_;
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace honryu::sqlstate
