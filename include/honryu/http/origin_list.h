#pragma once

#include "honryu/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace honryu::http {

/// The web origins whose pages may use a listener: each "*" (all), "loopback" (pages that this machine
/// serves, http://localhost:3000), an origin (https://app.example.com) or its subdomains
/// (https://*.example.com). Immutable.
class OriginList {
 public:
  /// Must have passed CheckPattern. Empty: no page.
  explicit OriginList(std::vector<std::string> patterns);
  /// By the Origin header, which pages cannot forge. True without one: the request comes from no page.
  bool Allows(std::string_view origin) const;
  /// Whether it holds "*".
  bool any() const { return any_; }
  /// kInvalidArgument when the text is none of the forms above.
  static Result<void> CheckPattern(std::string_view pattern);

 private:
  std::vector<std::string> patterns_;
  bool any_ = false;
};

}  // namespace honryu::http
