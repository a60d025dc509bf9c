#pragma once

#include "honryu/sql/engine.h"

#include <map>
#include <string>
#include <vector>

namespace honryu::sql {

/// One case of a file of tests/golden/sql; see the README there for the format.
struct GoldenCase {
  std::string name, prelude, sql;
  bool reshard = true;  ///< The same rows come out when shards split in the middle.
  std::vector<std::string> input;
  std::map<std::string, std::vector<std::string>> output;  ///< By stream.
  std::string explain, error;
};

std::vector<GoldenCase> ReadGoldenFile(const std::string& path);

/// How a case is run: `restart_every` inputs (0: never) or once behind input number `restart_at`, the engine
/// is replaced by one that takes its snapshot; `split`: from the middle on, each shard is two.
struct GoldenRun {
  std::size_t restart_every = 0;
  std::size_t restart_at = 0;
  bool split = false;
  /// Above 0: records go to that many lanes of the engine in turn, and are put together one by one.
  std::size_t lanes = 0;
  /// Hardly any memory: groups and sessions go to a spill behind every input.
  bool spill = false;
};

/// Rows of each result stream as text; or the message of an error under the name "error".
std::map<std::string, std::vector<std::string>> RunGoldenCase(const GoldenCase& golden, const GoldenRun& run);

/// Functions that the tests bring: RANDOM_CUT_FOREST with a score that is easy to say beforehand.
TableFunctionRegistry GoldenFunctions();

}  // namespace honryu::sql
