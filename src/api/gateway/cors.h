#pragma once

#include "honryu/base/time.h"
#include "honryu/http/message.h"

#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::gateway {

/// Which web origins may post, and the headers that tell browsers so (Fetch standard, CORS protocol). A
/// refused origin is not only hidden from scripts but turned away: "simple" requests reach a server without a
/// preflight. Immutable.
class CorsPolicy {
 public:
  /// As GatewayConfig::cors_origins says; `keys_in_use` picks the default for an empty list.
  CorsPolicy(std::vector<std::string> origins, bool keys_in_use, Duration max_age);
  /// True for requests without Origin: they come from no browser page.
  bool Allows(std::string_view origin) const;
  /// Adds the headers that belong to an answer for `origin`.
  void Decorate(std::string_view origin, http::Response* response) const;
  /// Answers a preflight.
  http::Response Preflight(std::string_view origin) const;
  /// kInvalidArgument when the text is none of the forms of GatewayConfig::cors_origins.
  static Result<void> CheckPattern(std::string_view pattern);

 private:
  bool any_ = false;
  std::vector<std::string> patterns_;
  std::string max_age_;
};

}  // namespace honryu::api::gateway
