#pragma once

#include "honryu/sqlapp/program.h"

#include <string>
#include <vector>

namespace honryu::sqlapp {

/// Rows of a reference table, as its file has them now. CSV with a line of names (RFC 4180; names in any case
/// and order, missing columns are NULL, as empty fields are), a JSON array of objects, or objects line by
/// line. Blocks. kIo; kInvalidArgument names line or row, and column.
Result<std::vector<std::vector<sql::Value>>> LoadTable(const Table& table, const sql::Columns& columns);

/// Changes when the file does. Blocks. Empty: there is none.
std::string TableStamp(const Table& table);

}  // namespace honryu::sqlapp
