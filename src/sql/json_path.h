#pragma once

#include "honryu/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// One step into a JSON value.
struct JsonStep {
  enum class Kind : std::uint8_t { kMember, kIndex, kEach };
  Kind kind = Kind::kMember;
  std::string member;
  std::uint32_t index = 0;  ///< From 0; of kEach: the first that is taken.
};

/// A path such as $.a.b[0]['c d'].e, or $.orders[0:].id, whose [0:] stands for every element from there on.
using JsonPath = std::vector<JsonStep>;

/// kInvalidArgument: not a path.
Result<JsonPath> ParseJsonPath(std::string_view text);

/// The JSON text of what the path leads to; nullopt: nothing there, or not JSON. kEach is not followed.
std::optional<std::string> FollowJsonPath(std::string_view json, const JsonPath& path);

}  // namespace honryu::sql
