#pragma once

#include "honryu/sql/engine.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace honryu::sql {

/// One case of a file of tests/golden/sql; see the README there for the format.
struct GoldenCase {
  std::string name, prelude, sql;
  bool by_arrival = false;  ///< The rows depend on when records arrived, though the program has event time.
  bool reshard = true;      ///< The same rows come out when shards split in the middle.
  std::vector<std::string> input;
  std::map<std::string, std::vector<std::string>> output;  ///< By stream.
  std::string explain, error;
};

std::vector<GoldenCase> ReadGoldenFile(const std::string& path);

/// What happens to the shards of a case.
enum class Reshard : std::uint8_t {
  kNone,
  kQuietSplit,  ///< Each becomes two, of which one goes on with all records and the other ends at once.
  kSplit,       ///< Each becomes two, which take records in turn.
  kMerge        ///< Each is two from the beginning, which take records in turn and become one.
};

/// How a case is run.
struct GoldenRun {
  /// Behind so many inputs each (0: never), or once behind input number `restart_at` (0: never), the engine
  /// is replaced by one that takes its snapshot.
  std::size_t restart_every = 0;
  std::size_t restart_at = 0;
  Reshard reshard = Reshard::kNone;
  std::size_t reshard_at = 0;  ///< Before the input of this index.
  /// Above 0: records go to that many lanes of the engine in turn, and are put together one by one.
  std::size_t lanes = 0;
  /// History: every record arrives a month later, one a millisecond, and the clock stands still.
  bool replay = false;
  /// There is a spill, and so many bytes of memory. With 1 all state goes there behind every input.
  std::size_t max_state_bytes = 0;
};

/// Rows of each result stream as text; or the message of an error under the name "error".
std::map<std::string, std::vector<std::string>> RunGoldenCase(const GoldenCase& golden, const GoldenRun& run);

/// Functions that the tests bring: RANDOM_CUT_FOREST with a score that is easy to say beforehand.
TableFunctionRegistry GoldenFunctions();

}  // namespace honryu::sql
