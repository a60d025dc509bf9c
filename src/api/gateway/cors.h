#pragma once

#include "honryu/base/time.h"
#include "honryu/http/message.h"
#include "honryu/http/origin_list.h"

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
  bool Allows(std::string_view origin) const { return origins_.Allows(origin); }
  /// Adds the headers that belong to an answer for `origin`.
  void Decorate(std::string_view origin, http::Response* response) const;
  /// Answers a preflight.
  http::Response Preflight(std::string_view origin) const;

 private:
  http::OriginList origins_;
  std::string max_age_;
};

}  // namespace honryu::api::gateway
