#pragma once

#include "honryu/sqlapp/program.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sqlapp {

using TableRows = std::vector<std::vector<sql::Value>>;

/// What the file of a reference table has in it now, at most 1 GiB. Blocks. kIo; kTooLarge; kUnavailable: it
/// was written to meanwhile.
Result<std::string> ReadTableFile(const Table& table);
/// Rows of a reference table out of what its file has in it. CSV with a line of names (RFC 4180; names in any
/// case and order, missing columns are NULL, as empty fields are), a JSON array of objects, or objects line
/// by line. kInvalidArgument names line or row, and column.
Result<TableRows> ParseTable(const Table& table, const sql::Columns& columns, std::string_view text);
/// Both.
Result<TableRows> LoadTable(const Table& table, const sql::Columns& columns);

/// Changes when the file does. Blocks. Empty: there is none.
std::string TableStamp(const Table& table);
/// Tells contents apart. Stable on disk; below 2^63.
std::uint64_t ContentId(std::string_view text);

}  // namespace honryu::sqlapp
