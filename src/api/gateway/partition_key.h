#pragma once

#include "api/gateway/json_scan.h"
#include "honryu/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::gateway {

/// "user_id, properties.channel, event_id": the first member that is present, a string, number or boolean,
/// and not empty. Grammar: path *( "," path ); path = name *( "." name ); blanks around paths are ignored.
/// Immutable.
class PartitionKeyExpression {
 public:
  /// kInvalidArgument: no path, an empty name, or more than 16 paths.
  static Result<PartitionKeyExpression> Parse(std::string_view text);
  /// The key, cut to 256 characters; empty when nothing fits. `members` are those of the outermost object.
  std::string Evaluate(const std::vector<JsonMember>& members) const;

 private:
  std::vector<std::string> paths_;
};

}  // namespace honryu::api::gateway
