#pragma once

#include "honryu/sql/table_function.h"

namespace honryu::sql {

/// HOTSPOTS(cursor, window size 100 to 1000 rows, scan radius, minimum number of points): see
/// table_hotspots.cc.
Result<std::unique_ptr<TableFunction>> MakeHotspots(const Columns& cursor,
                                                    const std::vector<TableFunctionArgument>& arguments);

}  // namespace honryu::sql
