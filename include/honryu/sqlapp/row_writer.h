#pragma once

#include "honryu/sqlapp/program.h"

#include <cstdint>
#include <string>
#include <vector>

namespace honryu::sqlapp {

/// A row of a result on its way into the log.
struct OutputRecord {
  std::string stream;  ///< Of the log.
  std::string partition_key;
  std::string json;
};

/// Appends the records that a row becomes. `run`, `cut` and `ordinal` number the row within the application's
/// work; they make the id of rows that are of no window, and are the same again after a crash. An application
/// that begins anew is another run: its rows are others.
void WriteRow(const Program& program, const sql::OutputRow& output, std::uint64_t run, std::uint64_t cut,
              std::uint64_t ordinal, std::vector<OutputRecord>& out);

/// A row as people read it in an answer: its columns, and _final where it is an early one.
std::string RowForReading(const sql::OutputRow& output, bool with_stream);

}  // namespace honryu::sqlapp
