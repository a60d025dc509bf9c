#include "api/gateway/cors.h"

#include <chrono>
#include <utility>

namespace honryu::api::gateway {

namespace {

std::vector<std::string> OrDefault(std::vector<std::string> origins, bool keys_in_use) {
  if (origins.empty()) origins.emplace_back(keys_in_use ? "*" : "loopback");
  return origins;
}

}  // namespace

CorsPolicy::CorsPolicy(std::vector<std::string> origins, bool keys_in_use, Duration max_age)
    : origins_(OrDefault(std::move(origins), keys_in_use)),
      max_age_(std::to_string(std::chrono::duration_cast<std::chrono::seconds>(max_age).count())) {}

void CorsPolicy::Decorate(std::string_view origin, http::Response* response) const {
  response->headers.Add("Vary", "Origin");
  if (origin.empty() || !Allows(origin)) return;
  // navigator.sendBeacon always sends with credentials, for which the Fetch standard takes no "*". Cookies
  // mean nothing here, so that letting them come gives nothing away.
  response->headers.Set("Access-Control-Allow-Origin", std::string(origin));
  response->headers.Set("Access-Control-Allow-Credentials", "true");
  response->headers.Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id");
}

http::Response CorsPolicy::Preflight(std::string_view origin) const {
  http::Response response;
  response.status = 204;
  if (!Allows(origin)) response.status = 403;
  Decorate(origin, &response);
  if (response.status == 204) {
    response.headers.Set("Access-Control-Allow-Methods", "POST, OPTIONS");
    response.headers.Set("Access-Control-Allow-Headers",
                         "Authorization, Content-Encoding, Content-Type, X-Api-Key, X-Sent-At");
    response.headers.Set("Access-Control-Max-Age", max_age_);
  }
  return response;
}

}  // namespace honryu::api::gateway
