#pragma once

#include "honryu/base/result.h"
#include "honryu/sql/value.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// Rows of TABLE(F(CURSOR(SELECT …), …)), made by code from outside: a Random Cut Forest, a sketch. Rows come
/// in order of their watermark; calls come one at a time.
class TableFunction {
 public:
  using Emitter = std::function<void(const Row& row)>;

  virtual ~TableFunction() = default;
  /// Columns of the rows that come out.
  virtual const Columns& output() const = 0;
  /// How many of the last of these are not part of *.
  virtual std::size_t hidden() const { return 0; }
  /// Takes a row of the cursor. May emit.
  virtual void OnRow(const Row& row, const Emitter& emit) = 0;
  /// No row older than `watermark_ms` will come any more. May emit rows that are not older either.
  virtual void OnWatermark(std::int64_t watermark_ms, const Emitter& emit) = 0;
  /// State as bytes, and back. Restore: kCorrupt if they are none of this function's with these arguments.
  virtual std::string Snapshot() const = 0;
  virtual Result<void> Restore(std::string_view bytes) = 0;
  /// Memory of the state, roughly.
  virtual std::size_t StateBytes() const { return 0; }
  /// For EXPLAIN: "100 trees of 256, …".
  virtual std::string Describe() const = 0;
};

/// Constant arguments behind the cursor, with their types.
struct TableFunctionArgument {
  Value value;
  Type type;
};

/// Makes a function for a cursor with these columns. kInvalidArgument: the arguments are out of range; the
/// message is shown with the place in the program.
using TableFunctionFactory = std::function<Result<std::unique_ptr<TableFunction>>(
    const Columns& cursor, const std::vector<TableFunctionArgument>& arguments)>;

/// By name in upper case. COUNT_DISTINCT_ITEMS_TUMBLING, TOP_K_ITEMS_TUMBLING, HOTSPOTS, RANDOM_CUT_FOREST
/// and RANDOM_CUT_FOREST_WITH_EXPLANATION are built in; one of the same name that the host brings goes
/// before.
using TableFunctionRegistry = std::map<std::string, TableFunctionFactory, std::less<>>;

/// Adds the built-in ones that `registry` does not have.
void AddBuiltInTableFunctions(TableFunctionRegistry& registry);

}  // namespace honryu::sql
