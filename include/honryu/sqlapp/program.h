#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/sql/engine.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sqlapp {

/// How rows become records (docs/sql.md, "Results").
enum class OutputFormat : std::uint8_t {
  kRow,  ///< One JSON object a row, with _id, _time, _final.
  kKpi   ///< A record for every number of the row, as docs/formats/kpi-rows.md says.
};

/// A result stream of a program, and the stream of the log that its rows go to.
struct Output {
  std::string stream;  ///< Empty: they stay within the program.
  OutputFormat format = OutputFormat::kRow;
  int shards = 1;                          ///< When the stream is made.
  std::vector<std::string> partition_key;  ///< Columns; none: the row's id.
  /// kKpi: of these columns, values above the number are estimates.
  std::map<std::string, double> approximate_above;
};

/// A reference table and where its rows are.
struct Table {
  std::string name;
  std::string path;
  std::string format;       ///< "csv", "json" or "ndjson".
  std::string declaration;  ///< Its statement.
  Duration refresh = std::chrono::seconds(10);
};

/// What the rows of a source are opened out of (docs/sql.md, "Streams of the log").
enum class Opening : std::uint8_t {
  kAll,     ///< Compressed data and archives; lines and arrays of JSON where it is certain.
  kPacked,  ///< Compressed data and archives.
  kNone
};
inline constexpr Opening kOpenings[] = {Opening::kAll, Opening::kPacked, Opening::kNone};

/// A program of stream SQL with its places in the log. Value type.
struct Program {
  std::string text;
  std::string prelude;                         ///< Streams that it reads without declaring them.
  std::map<std::string, std::string> sources;  ///< What it reads: SQL stream -> stream of the log.
  std::map<std::string, Opening> openings;     ///< Of sources, where it is not kAll.
  std::map<std::string, Output> outputs;       ///< What it writes, by SQL stream.
  std::vector<Table> tables;
  std::string error_stream, late_stream;  ///< Empty: such rows are only counted.
  /// SET 'epochs' = 'true': when everything is idle and no window is open, event time begins anew.
  bool epochs = false;
  bool uses_sequence_numbers = false;
  /// Where its ALTER PUMP … RESET TO says that it begins, as ParseFrom takes it; empty: nowhere.
  std::string begin;

  /// Where rows of a result stream go, error and late rows too; null pointer: nowhere.
  const Output* OutputOf(const std::string& sql_stream) const;
  Opening OpeningOf(const std::string& source) const;
  /// Streams of the log that are read.
  std::vector<std::string> InputStreams() const;
};

/// Parses and plans a program of the application `name`. kInvalidArgument shows line, column and a caret.
Result<Program> LoadProgram(std::string_view name, std::string_view text,
                            const sql::TableFunctionRegistry& functions);

/// "1m", "5m", "1h", "90s", "1d": what a window of this size is called in rows and queries.
std::string WindowName(std::int64_t ms);

}  // namespace honryu::sqlapp
