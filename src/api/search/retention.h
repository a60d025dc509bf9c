#pragma once

#include "honryu/base/time.h"
#include "honryu/codec/json.h"

#include <map>
#include <optional>
#include <string>

namespace honryu::api::search {

/// Settings of an index by dotted name, without "index." in front: {"index":{"retention":{"days":3}}} and
/// {"index.retention.days":"3"} are both {"retention.days":"3"}.
std::map<std::string, std::string> FlatSettings(const codec::Json& settings);
/// How long an index with these settings is kept: "retention.days"; none when they do not say.
/// kInvalidArgument when they say it wrongly.
Result<std::optional<Duration>> RetentionIn(const std::map<std::string, std::string>& settings);
/// The policy that they name ("lifecycle.name", "plugins.index_state_management.policy_id"); empty: none.
std::string PolicyIn(const std::map<std::string, std::string>& settings);
/// After what age a lifetime policy deletes: of ILM (phases.delete.min_age) or ISM (the min_index_age of the
/// transition to a state with the action delete). None when it never does.
std::optional<Duration> DeleteAgeOf(const codec::Json& policy);
/// Whether an ISM policy takes new indices of this name by itself (ism_template).
bool PolicyTakes(const codec::Json& policy, std::string_view index);

}  // namespace honryu::api::search
