#pragma once

#include "honryu/sql/table_function.h"

namespace honryu::sql {

/// HOTSPOTS(cursor, windowSize, scanRadius, minimumNumberOfPointsInACluster): see table_hotspots.cc.
Result<std::unique_ptr<TableFunction>> MakeHotspots(const Columns& cursor,
                                                    const std::vector<TableFunctionArgument>& arguments);

/// RANDOM_CUT_FOREST(cursor[, trees[, sample[, time decay[, shingle]]]]) and, if `explain`,
/// RANDOM_CUT_FOREST_WITH_EXPLANATION(…[, with direction]): see table_forest.cc.
Result<std::unique_ptr<TableFunction>> MakeForest(const Columns& cursor,
                                                  const std::vector<TableFunctionArgument>& arguments,
                                                  bool explain);

}  // namespace honryu::sql
