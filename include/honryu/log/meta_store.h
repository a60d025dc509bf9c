#pragma once

#include "honryu/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace honryu::log {

/// Small durable keys with compare-and-set: stream descriptions, leases, checkpoints. Thread-safe. Writes are
/// durable when they return and may block (call on the blocking pool); reads come from memory or cache.
class MetaStore {
 public:
  struct Entry {
    std::string key;
    std::string value;
    std::uint64_t version = 0;  ///< Rises with every write of the key; never 0 for a key that exists.
  };
  /// One step of a Commit. expected_version 0: the key must not exist; nullopt: whatever is there.
  struct Write {
    std::string key;
    std::optional<std::string> value;  ///< nullopt deletes.
    std::optional<std::uint64_t> expected_version;
  };

  virtual ~MetaStore() = default;
  /// kNotFound when absent.
  virtual Result<Entry> Get(std::string_view key) const = 0;
  /// All entries whose key begins with `prefix`, in key order.
  virtual Result<std::vector<Entry>> List(std::string_view prefix) const = 0;
  /// All writes or none. kConflict when an expected version does not match; kUnavailable when the disk is
  /// full.
  virtual Result<void> Commit(const std::vector<Write>& writes) = 0;
};

}  // namespace honryu::log
