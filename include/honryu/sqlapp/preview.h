#pragma once

#include "honryu/sqlapp/program.h"
#include "honryu/sqlapp/tables.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sqlapp {

/// What a reference table has, or a file would have as one.
struct TablePreview {
  std::string name;
  std::string path, format;
  bool inferred = false;  ///< The columns are guessed from the content; else a program declares them.
  sql::Columns columns;
  TableRows rows;             ///< The first ones.
  std::size_t row_count = 0;  ///< Of all.
  std::string declaration;    ///< The statement that declares it; for a guess, one to begin with.
};

/// A file that no program declares yet: the columns with the narrowest types that all of its rows have
/// (BIGINT, DOUBLE, BOOLEAN, DATE, TIMESTAMP, JSON, else VARCHAR; texts with leading zeros stay texts).
/// kInvalidArgument names line or row.
Result<TablePreview> PreviewFile(std::string path, std::string format, std::string_view text,
                                 std::size_t rows);

/// The tables that a program declares, with what `read` gives for each. kInvalidArgument; errors of `read`.
using TableReader = std::function<Result<std::string>(const Table&)>;
Result<std::vector<TablePreview>> PreviewProgram(std::string_view program,
                                                 const sql::TableFunctionRegistry& functions,
                                                 const TableReader& read, std::size_t rows);

/// "csv", "json" or "ndjson", from how a path ends.
std::string FormatOfPath(std::string_view path);

/// As JSON: {"table","source","format","inferred","columns":[{"name","type"}],"row_count","rows":[{…}],
/// "declaration"}.
std::string ToJson(const TablePreview& preview);

}  // namespace honryu::sqlapp
