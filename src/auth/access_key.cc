#include "honryu/auth/access_key.h"

#include <algorithm>
#include <set>

namespace honryu::auth {

namespace {

constexpr std::string_view kServicePrefix = "kinesis:";
constexpr std::size_t kMinSecret = 16;

bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool MatchesAction(std::string_view pattern, std::string_view action) {
  // Actions of other services carry their own prefix.
  if (pattern.starts_with(kServicePrefix) && action.find(':') == std::string_view::npos)
    pattern.remove_prefix(kServicePrefix.size());
  return MatchesWildcard(pattern, action);
}

bool AllowsOne(const AccessKey& key, std::string_view action, std::string_view stream) {
  return std::ranges::any_of(key.allow, [&](const AllowRule& rule) {
    return std::ranges::any_of(rule.actions,
                               [&](const std::string& p) { return MatchesAction(p, action); }) &&
           std::ranges::any_of(rule.streams,
                               [&](const std::string& p) { return MatchesWildcard(p, stream); });
  });
}

}  // namespace

bool MatchesWildcard(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  // Where to go on after a mismatch: behind the last star, which then takes one character more.
  std::size_t star = std::string_view::npos;
  std::size_t taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Result<void> ValidateKeys(std::span<const AccessKey> keys) {
  std::string faults;
  const auto fault = [&faults](std::size_t index, std::string_view what) {
    if (!faults.empty()) faults.append("\n");
    faults.append("access_keys[").append(std::to_string(index)).append("]: ").append(what);
  };
  std::set<std::string_view> ids;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const AccessKey& key = keys[i];
    if (key.id.empty() || key.id.size() > 128 || !std::ranges::all_of(key.id, IsIdCharacter))
      fault(i, "id must be 1 to 128 letters, digits, '_' or '-'");
    if (!ids.insert(key.id).second) fault(i, "id is used twice");
    if (key.secret.size() < kMinSecret) fault(i, "secret must have 16 characters at least");
    for (const AllowRule& rule : key.allow) {
      if (rule.actions.empty() || rule.streams.empty()) fault(i, "an allow rule without actions or streams");
    }
  }
  if (faults.empty()) return Ok();
  return Error(ErrorCode::kInvalidArgument, std::move(faults));
}

bool Allows(const AccessKey& key, std::string_view action, std::span<const std::string> streams) {
  if (key.allow.empty()) return true;
  if (streams.empty()) {
    return std::ranges::any_of(key.allow, [&](const AllowRule& rule) {
      return std::ranges::any_of(rule.actions,
                                 [&](const std::string& p) { return MatchesAction(p, action); }) &&
             std::ranges::find(rule.streams, "*") != rule.streams.end();
    });
  }
  return std::ranges::all_of(streams,
                             [&](const std::string& stream) { return AllowsOne(key, action, stream); });
}

}  // namespace honryu::auth
