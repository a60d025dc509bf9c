#pragma once

#include "honryu/base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::auth {

/// Permits every pair of one of the actions and one of the streams. `*` stands for any characters, `?` for
/// one.
struct AllowRule {
  /// "PutRecord*", also as "kinesis:PutRecord*"; those of other services with their prefix: "dynamodb:*".
  std::vector<std::string> actions = {"*"};
  std::vector<std::string> streams = {"*"};  ///< Names of streams; of tables for "dynamodb:" actions.
};

struct AccessKey {
  std::string id = {};                ///< Public part: 1..128 letters, digits, '_' and '-'.
  std::string secret = {};            ///< At least 16 characters.
  std::vector<AllowRule> allow = {};  ///< What it may do; empty: everything.
};

/// kInvalidArgument names each fault, one a line: a malformed or repeated id, a short secret, a rule without
/// actions or streams.
Result<void> ValidateKeys(std::span<const AccessKey> keys);

/// Whether some rule permits the action on each of the streams. A request that names no stream (ListStreams)
/// needs a rule for the stream "*", as in AWS policies. `action` of another service than Kinesis has its
/// prefix: "dynamodb:PutItem".
bool Allows(const AccessKey& key, std::string_view action, std::span<const std::string> streams);

/// Whether all of `text` fits `pattern`. Linear in the text for each '*' of the pattern.
bool MatchesWildcard(std::string_view pattern, std::string_view text);

}  // namespace honryu::auth
