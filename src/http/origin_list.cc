#include "honryu/http/origin_list.h"

#include <algorithm>

namespace honryu::http {

namespace {

bool IsLoopback(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  std::string_view host = origin.substr(scheme + 3);
  if (host.starts_with("[::1]")) {
    host.remove_prefix(5);
    return host.empty() || host.front() == ':';
  }
  host = host.substr(0, host.find(':'));
  return host == "localhost" || host == "127.0.0.1";
}

/// "https://*.example.com": the scheme, at least one more label, the same port.
bool MatchesWildcard(std::string_view pattern, std::string_view origin) {
  const std::size_t star = pattern.find('*');
  const std::string_view head = pattern.substr(0, star), tail = pattern.substr(star + 1);
  if (origin.size() <= head.size() + tail.size() || !origin.starts_with(head) || !origin.ends_with(tail))
    return false;
  const std::string_view middle = origin.substr(head.size(), origin.size() - head.size() - tail.size());
  return std::all_of(middle.begin(), middle.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

bool Matches(std::string_view pattern, std::string_view origin) {
  if (pattern == "loopback") return IsLoopback(origin);
  if (pattern.find('*') != std::string_view::npos) return MatchesWildcard(pattern, origin);
  return pattern == origin;
}

}  // namespace

OriginList::OriginList(std::vector<std::string> patterns)
    : patterns_(std::move(patterns)),
      any_(std::find(patterns_.begin(), patterns_.end(), "*") != patterns_.end()) {}

Result<void> OriginList::CheckPattern(std::string_view pattern) {
  if (pattern == "*" || pattern == "loopback") return Ok();
  const std::size_t scheme = pattern.find("://");
  const std::size_t star = pattern.find('*');
  const bool star_fits =
      star == std::string_view::npos ||
      (scheme != std::string_view::npos && star == scheme + 3 && pattern.size() > star + 2 &&
       pattern[star + 1] == '.' && pattern.find('*', star + 1) == std::string_view::npos);
  if (scheme == std::string_view::npos || scheme == 0 || pattern.size() == scheme + 3 ||
      pattern.find('/', scheme + 3) != std::string_view::npos || !star_fits) {
    return Error(
        ErrorCode::kInvalidArgument,
        "expected \"*\", \"loopback\" or an origin such as https://app.example.com or https://*.example.com, "
        "found \"" +
            std::string(pattern) + "\"");
  }
  return Ok();
}

bool OriginList::Allows(std::string_view origin) const {
  if (origin.empty() || any_) return true;
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [origin](const std::string& pattern) { return Matches(pattern, origin); });
}

}  // namespace honryu::http
