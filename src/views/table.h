#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::views {

struct TableChange {
  std::string key;
  std::optional<std::string> value;  ///< Absent: delete.
};

/// Ordered keys and values: what the store needs of a database. Thread-safe;
/// may block.
class Table {
 public:
  virtual ~Table() = default;
  /// All or nothing. `sync`: durable when it returns.
  virtual Result<void> Write(const std::vector<TableChange>& changes, bool sync) = 0;
  virtual Result<std::optional<std::string>> Get(BytesView key) const = 0;
  /// Visits [lower, upper) in key order; the visitor gives the key to go on
  /// from (greater than the one just seen), "" to simply go on, or nullopt to
  /// end.
  using Visitor = std::function<std::optional<std::string>(BytesView key, BytesView value)>;
  virtual Result<void> Scan(BytesView lower, BytesView upper, const Visitor& visit) const = 0;
};

std::unique_ptr<Table> MakeMemoryTable();
Result<std::unique_ptr<Table>> OpenTable(const std::string& path);

}  // namespace honryu::views
